"""What all tests share."""

import signal

import pytest

# A suite that was started in the background inherits an ignored interrupt, and so would every command that it starts;
# a handler of our own is reset to the default in them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what first was wrong with a test that was tried once more."""
    for report in terminalreporter.stats.get("rerun", ()):
        terminalreporter.section(f"first try of {report.nodeid}", "_")
        terminalreporter.line(report.longreprtext)
