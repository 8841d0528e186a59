"""Makes the program of this pod leak: `kubectl exec POD -- python3 /lab/leak.py`.

The program then takes up to 512 MiB beyond what it has, 8 MiB at a time. If nothing stops it, it says so in its log
and gives them back after 10 s, so that a drill costs the node no more.
"""

import mmap
import os
import signal
import threading
import time

MIB = 1024 * 1024
STEP, MOST = 8 * MIB, 512 * MIB


def take(size: int) -> mmap.mmap:
    """Memory that is really used (the kernel gives no page before something is written to it), until it is closed."""
    block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for _ in range(size // MIB):
        block.write(b"\x01" * MIB)
    return block


def leak() -> None:
    print("leaking", flush=True)
    taken = []
    for _ in range(MOST // STEP):
        taken.append(take(STEP))
        time.sleep(0.05)
    print("leaked 512 MiB, and nothing stopped it", flush=True)
    time.sleep(10)
    for block in taken:
        block.close()


def on_signal() -> None:
    """Let SIGUSR1 begin a leak in this program."""
    signal.signal(signal.SIGUSR1, lambda *_: threading.Thread(target=leak, daemon=True).start())


if __name__ == "__main__":
    os.kill(1, signal.SIGUSR1)
    print("the leak has begun")
