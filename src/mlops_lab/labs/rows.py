"""The newest state of each check, for a live view: its last result, and what it sees while it runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mlops_lab.checks.check import Check
from mlops_lab.checks.verdicts import Result, Verdict


@dataclass
class Row:
    """What is known of one check."""

    check: Check
    result: Result | None = None
    running: bool = False
    state: str = ""
    until: float = 0.0

    @property
    def left(self) -> float:
        """Seconds that a waiting check still has."""
        return max(0.0, self.until - time.monotonic())


class View(Protocol):
    """Who shows the rows."""

    def changed(self, rows: Sequence[Row], note: str) -> None:
        """A row has changed; `note` says what the whole run does. Called often, so it must be quick."""


class Unseen:
    """A view that shows nothing."""

    def changed(self, rows: Sequence[Row], note: str) -> None: ...


class Rows:
    """Keeps a row for each check and notifies the view; a listener of `run_checks`."""

    def __init__(self, checks: Sequence[Check], view: View) -> None:
        self._rows = {item.name: Row(item) for item in checks}
        self._view = view
        self._note = ""

    def __getitem__(self, check: Check) -> Row:
        return self._rows[check.name]

    def say(self, note: str) -> None:
        """Set the note: what the whole run does."""
        self._note = note
        self._view.changed(list(self._rows.values()), note)

    def results(self) -> list[Result]:
        """The newest result of each check; `waiting` for one that has none."""
        return [row.result or _waiting(row) for row in self._rows.values()]

    def at_rest(self, checks: Sequence[Check]) -> None:
        """These checks have stopped."""
        for item in checks:
            self[item].running = False

    def started(self, check: Check) -> None:
        row = self[check]
        row.running, row.state, row.until = True, "", 0.0
        self.say(self._note)

    def waiting(self, check: Check, state: str, left: float) -> None:
        row = self[check]
        row.running, row.state, row.until = True, state, time.monotonic() + left
        self.say(self._note)

    def finished(self, result: Result) -> None:
        row = self._rows[result.check]
        row.result, row.running = result, False
        self.say(self._note)


def _waiting(row: Row) -> Result:
    item = row.check
    return Result(
        item.name,
        item.title,
        Verdict.WAITING,
        item.points,
        item.domains,
        seen=row.state or ("it had begun" if row.running else "not run yet"),
    )
