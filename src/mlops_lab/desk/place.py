"""A place: what a page shows of one piece of work, be it a lab or a task of an exam."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_lab.base.errors import LabError
from mlops_lab.checks.check import Check
from mlops_lab.desk.live import Channel, Message

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Action:
    """A button of a place.

    Attributes:
        name: the end of the address that it posts to.
        label: what stands on it.
        ask: what is asked before it is done; empty: nothing.
    """

    name: str
    label: str
    ask: str = ""


class Place(Channel, ABC):
    """One piece of work; a page of it listens to it.

    Attributes:
        key: the path of its page, without the first slash.
        title, facts: its name, and a line about it.
        actions: its buttons.
        shell: the name of its terminal, which no other place ever has.
    """

    def __init__(self, key: str, title: str, facts: Sequence[str], actions: Sequence[Action]) -> None:
        super().__init__()
        self.key, self.title, self.facts, self.actions = key, title, tuple(facts), tuple(actions)
        self.shell = key
        self.busy = ""
        self.trouble: LabError | None = None

    @property
    @abstractmethod
    def html(self) -> str:
        """Its text, which is safe to show."""

    @property
    @abstractmethod
    def folder(self) -> Path | None:
        """Where its terminal begins; None while there is no such folder."""

    @property
    @abstractmethod
    def environment(self) -> Mapping[str, str]:
        """What its terminal's shell has beside the usual; KUBECONFIG at least. Asked in a thread: it takes its time."""

    @property
    def over(self) -> bool:
        """Is its work over for good? Its terminal ends then."""
        return False

    @property
    def has_checks(self) -> bool:
        """Does it show verdicts?"""
        return True

    @abstractmethod
    async def act(self, name: str, given: Mapping[str, Any]) -> None:
        """Do what a button says.

        Raises:
            LabError: it can't be done.
        """

    def state(self) -> Message:
        """How it stands."""
        return {
            "kind": "state", "started": self.folder is not None, "busy": self.busy, "trouble": told(self.trouble),
        }  # fmt: skip

    def tell_state(self) -> None:
        """Tell all pages how it stands."""
        self.tell(self.state())


class Faults:
    """What goes wrong again and again in work that has to go on."""

    def __init__(self) -> None:
        self._printed = ""

    def said(self, fault: Exception) -> LabError:
        """A fault as an error for pages; what is no LabError is printed with its trace, once in a row."""
        if isinstance(fault, LabError):
            return fault
        if repr(fault) != self._printed:
            self._printed = repr(fault)
            _log.error("a fault of the desk's own", exc_info=fault)
        return LabError(f"a fault of the desk's own: {fault!r}", "see the terminal of lab desk")


def told(trouble: LabError | None) -> Message | None:
    """An error as pages get it."""
    return {"message": trouble.message, "next": trouble.hint} if trouble else None


def row(result: Mapping[str, Any], loads: Sequence[Any] = (), **live: Any) -> Message:
    """A verdict as pages get it.

    Args:
        result: as `Result.plain` gives it; without a verdict at least `check`, `title` and `points`.
        loads: of the check's trace.
        live: `running`, and of a check that waits its `state` and the seconds that are `left`.
    """
    earned = result["points"] if result.get("verdict") == "pass" else 0
    texts = {name: result.get(name, "") for name in ("verdict", "expected", "seen", "why")}
    return {
        "check": result["check"], "title": result["title"], "points": result["points"], "earned": earned, **texts,
        "evidence": list(result.get("evidence", ())), "seconds": round(result.get("seconds", 0), 1),
        "loads": list(loads), "running": False, "state": "", "left": 0, **live,
    }  # fmt: skip


def unknown(check: Check) -> Mapping[str, Any]:
    """What `row` takes of a check that has no verdict."""
    return {"check": check.name, "title": check.title, "points": check.points}
