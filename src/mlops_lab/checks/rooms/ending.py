"""The end of a learner's program: what it printed, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

# s between two looks whether the program has ended
_LOOK_EVERY = 0.02
# s; what it printed has been read by then, whoever else may still print
_READ_WITHIN = 1.0
_KEPT = 65536  # bytes


async def output_of(process: asyncio.subprocess.Process, within: float) -> tuple[str, int | None]:
    """What a program printed (the last 64 KiB) and its exit code, None if it had to be killed.

    What it leaves in the background is killed once it has ended, and holds nobody up.

    Args:
        process: in a session of its own, with its output in one pipe.
        within: seconds.
    """
    kept = bytearray()

    async def read() -> None:
        assert process.stdout is not None
        while chunk := await process.stdout.read(8192):
            kept.extend(chunk)
            del kept[:-_KEPT]

    async def ended() -> None:
        # Process.wait() may wait for the end of the output too, which a program in the background keeps open.
        while process.returncode is None:  # noqa: ASYNC110 - nothing sets an event
            await asyncio.sleep(_LOOK_EVERY)

    reading = asyncio.create_task(read())
    code: int | None = None
    try:
        async with asyncio.timeout(within):
            await ended()
        code = process.returncode
    except TimeoutError:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await ended()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reading, _READ_WITHIN)
        process._transport.close()  # type: ignore[attr-defined]
    return kept.decode(errors="replace"), code
