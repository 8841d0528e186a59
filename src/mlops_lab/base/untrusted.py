"""A program that is not ours, such as a learner's: it gets a limit of time and output, and leaves nothing at work.

It is no sandbox: the program may do what this user may do.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_KEPT = 64 << 10  # bytes of output
_LOOK_EVERY = 0.02  # s
# s for the rest of the output once the program has ended: one that it has begun may have left its session.
_READ_WITHIN = 1.0


# What a program may know of this process's environment: where programs are, and how text is written.
_KNOWN = ("PATH", "LANG", "LANGUAGE", "TZ", "SYSTEMROOT", "PYENV_VERSION", "ASDF_DATA_DIR", "MISE_DATA_DIR")


def environment(home: Path) -> dict[str, str]:
    """The environment of a program: of this process's only what it needs to be found and to run.

    Args:
        home: a folder of its own, which is its HOME and has room for what it writes besides.
    """
    known = {name: value for name, value in os.environ.items() if name in _KNOWN or name.startswith("LC_")}
    own = Path.home()
    # What finds a Python by the home folder goes on to find it: a shim on PATH, and packages of this user's.
    pyenv = Path(os.environ.get("PYENV_ROOT") or own / ".pyenv")
    if pyenv.is_dir():
        known["PYENV_ROOT"] = str(pyenv)
    if (packages := own / ".local" / "lib").is_dir():
        known["PYTHONUSERBASE"] = str(packages.parent)
    return {"LANG": "C.UTF-8", **known, "HOME": str(home), "TMPDIR": str(home)}


@dataclass(frozen=True)
class Ended:
    """How a program ended.

    Attributes:
        code: its exit code, negative for a signal's number; None if it had to be killed when its time was over.
        output: the last 64 KiB of what it printed, stdout and stderr as they came.
        seconds: how long it ran.
    """

    code: int | None
    output: str
    seconds: float


async def run(
    words: Sequence[str | Path], *, within: float, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Ended:
    """Run a program in a session of its own, and kill all of that session once it has ended or its time is over.

    Args:
        words: the program and its arguments; never through a shell.
        within: limit in seconds.
        env: the whole environment; None for this process's own.

    Raises:
        OSError: it is not there or can't be executed.
    """
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *map(str, words), cwd=cwd, env=env, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    kept = bytearray()
    reading = asyncio.create_task(_read(process, kept))
    code: int | None = None
    try:
        async with asyncio.timeout(within):
            await _end(process)
        code = process.returncode
    except TimeoutError:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await _end(process)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reading, _READ_WITHIN)
        process._transport.close()  # type: ignore[attr-defined]
    return Ended(code, kept.decode(errors="replace"), time.monotonic() - began)


async def _read(process: asyncio.subprocess.Process, kept: bytearray) -> None:
    assert process.stdout is not None
    while chunk := await process.stdout.read(8192):
        kept.extend(chunk)
        del kept[:-_KEPT]


async def _end(process: asyncio.subprocess.Process) -> None:
    # Process.wait() may wait for the end of the output too, which a program in the background keeps open.
    while process.returncode is None:  # noqa: ASYNC110 - nothing sets an event
        await asyncio.sleep(_LOOK_EVERY)
