"""What all tests share."""

import signal

# A suite that was started in the background inherits an ignored interrupt, and so would every command that it starts;
# a handler of our own is reset to the default in them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
