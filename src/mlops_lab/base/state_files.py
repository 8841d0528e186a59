"""The program's own JSON files: written whole or not at all, and read with care, whatever has become of them.

A power cut leaves a file empty or cut, an editor or another program leaves something else in it. What only saves work
(`cached`) is then as good as absent, and is written again; of what can't be made again (`kept`) the error says which
file it is, what it is for, and what to do.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from pathlib import Path
from typing import Any, TypeVar

from mlops_lab.base.errors import LabError

T = TypeVar("T")


class Damaged(LabError):
    """A file of the program's own that can't be made sense of."""

    def __init__(self, file: Path, what: str, how: str, todo: str) -> None:
        super().__init__(f"{what} is damaged: {file} {how}", todo)
        self.file = file


def kept(file: Path, shape: type[T], what: str, todo: str) -> T | None:
    """What a file holds; None if there is none.

    Args:
        shape: the type that it must fit, such as `dict[str, float]` or a dataclass.
        what: what the file is for, such as `the record of the cluster`.
        todo: what to do if it is damaged.

    Raises:
        Damaged: it is empty, cut, binary or something else, or can't be read.
    """
    try:
        content = file.read_bytes()
        return _fitted(content, shape)
    except FileNotFoundError:
        return None
    except OSError as trouble:
        raise Damaged(file, what, f"can't be read ({trouble.strerror or trouble})", todo) from trouble
    except (ValueError, RecursionError) as broken:
        how = "is empty" if not content.strip() else f"holds something else ({broken})"
        raise Damaged(file, what, how, todo) from broken


def cached(file: Path, shape: type[T]) -> T | None:
    """What a file holds; None if there is none, or it is damaged."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        return _fitted(file.read_bytes(), shape)
    return None


def write(file: Path, text: str, *, mode: int = 0o666) -> None:
    """Write a file: whoever reads it finds what was there before or all of this, also after a power cut.

    Args:
        mode: its permissions, from which the process's mask is taken.

    Raises:
        LabError: it can't be written; what was there before still is.
    """
    fresh = file.with_name(f".{file.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as target:
            target.write(text)
            target.flush()
            os.fsync(target.fileno())  # else the name may reach the disk before the content does
        fresh.replace(file)
    except OSError as trouble:
        raise LabError(
            f"{file} cannot be written: {trouble.strerror or trouble}",
            f"check free disk space (lab images prune makes some) and the owner of {file.parent}",
        ) from trouble
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)


def set_aside(file: Path) -> Path:
    """Give a damaged file another name, under which it is in nobody's way; returns that."""
    aside = file.with_name(f"{file.name}.damaged")
    try:
        file.replace(aside)
    except OSError as trouble:
        raise LabError(f"{file} is damaged and can't be renamed: {trouble}", "move it away yourself") from trouble
    return aside


def _fitted(content: bytes, shape: type[T]) -> T:
    if shape is dict:  # `lab list` has no time to import what tells more
        whole: Any = json.loads(content)
        if not isinstance(whole, shape):
            raise ValueError(f"expected an object, got {type(whole).__name__}")
        return whole
    import msgspec

    return msgspec.json.decode(content, type=shape)
