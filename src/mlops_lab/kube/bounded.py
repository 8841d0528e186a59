"""Lines of a command in a container that is not ours: no more of them, and no longer ones, than are wanted."""

from __future__ import annotations

import time
from collections.abc import Iterator

from mlops_lab.base.errors import LabError
from mlops_lab.kube.errors import translated
from mlops_lab.kube.execs import ExecStream

_IDLE = 0.2  # s
_LONGEST = 1 << 20  # characters of a line


class Beyond(LabError):
    """It printed more, or ran longer, than it may."""


def bounded_lines(stream: ExecStream, *, within: float, most: int) -> Iterator[str | None]:
    """As `ExecStream.lines`, and never more than so many bytes are kept or given.

    Raises:
        Beyond: the command still ran after `within` seconds, or printed more, or a longer line.
    """
    end, total, rest = time.monotonic() + within, 0, ""
    while True:
        with translated(stream._what):
            stream._socket.update(timeout=_IDLE)
            data = stream._socket.read_stdout(timeout=0) if stream._socket.peek_stdout(timeout=0) else ""
        total += len(data)
        if total > most or len(rest) > _LONGEST:
            raise Beyond(f"{stream._what} printed more than {most >> 20} MiB", "it was ended")
        if data:
            *whole, rest = (rest + data).split("\n")
            yield from whole
        elif not stream._socket.is_open():
            if rest:
                yield rest
            return
        else:
            stream._wake()
            yield None
        if time.monotonic() > end:
            raise Beyond(f"{stream._what} did not end within {within:g} s", "it was ended")
