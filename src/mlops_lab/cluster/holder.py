"""Who has the second cluster: one at a time, an exam or a lab, since each breaks nodes that the other stands on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlops_lab.base.paths import state
from mlops_lab.base.state_files import write
from mlops_lab.cluster import names


@dataclass(frozen=True)
class Holder:
    """Who has it.

    Args:
        name: in words, such as `lab 24`.
        ends: how it is given back, in words.
    """

    name: str
    ends: str


EXAM = Holder("an exam", "end it: lab exam submit, or lab exam stop")


def noted() -> Holder:
    """Who has the cluster that is there."""
    try:
        name, ends = _file().read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):  # a cluster from before there were others than exams
        return EXAM
    return Holder(name, ends)


def note(holder: Holder) -> None:
    """Say who has the cluster that is about to be made."""
    write(_file(), f"{holder.name}\n{holder.ends}\n")


def forget() -> None:
    """Nobody has it."""
    _file().unlink(missing_ok=True)


def _file() -> Path:
    return state() / "clusters" / f"kind-{names.second()}.holder"
