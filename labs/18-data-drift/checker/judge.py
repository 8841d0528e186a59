"""Let a learner's detector see streams whose drifts are known; the last line printed is what it named when, as JSON.

Runs in a pod of the checker's. How a detector fails is part of the answer; an exit code other than 0 is not its fault.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streams

from mlops_lab.kit.sandbox.process import STRANGE, Raised, Sandbox, Spent, Trouble, protect, unpacked

MEMORY = 600 << 20  # bytes
MADE, CALLED = 30.0, 10.0  # s that the detectors may take of their own: to be imported and made, and to take a batch
TOGETHER = "keeps_streams_apart"
GATES = ("stays_quiet", TOGETHER)  # whoever fails these is not asked about the others
TROUBLES = 3  # streams that end in trouble, after which no more are begun

Note = dict[str, Any]


class Detectors:
    """The learner's detectors, one for each stream, in one process; started anew after trouble.

    Args:
        in_all: seconds of their own that all answers may take.
        spent: of these, seconds that answers before took.
    """

    def __init__(self, folder: Path, in_all: float, spent: float = 0.0) -> None:
        self._folder, self._in_all = folder, in_all
        self._sandbox: Sandbox | None = None
        self._spent = Spent(idle=spent)
        self._troubles = 0

    @property
    def spent(self) -> float:
        """Seconds of their own that answers took, in all."""
        return self._spent.cpu + self._spent.idle

    def ask(self, what: str, number: int, rows: pd.DataFrame, within: float = CALLED) -> list[str]:
        """What a detector names; raises as the sandbox does."""
        if self.spent > self._in_all:
            raise Trouble(f"not asked: its answers before took longer than {self._in_all:g} s in all", [])
        if self._troubles >= TROUBLES:
            raise Trouble(f"not asked: {TROUBLES} streams before had to be ended", [])
        if self._sandbox is None:
            self._sandbox = Sandbox(
                f"{__package__}.driver", self._folder, memory=MEMORY, within=MADE, what="the import", spent=self._spent
            )
        if what == "make" and number == 0:
            self._sandbox.begin()
        answer = self._sandbox.ask((what, number, rows), within=within, what=what)
        if self.spent > self._in_all:
            raise Trouble(f"its answers took longer than {self._in_all:g} s in all", self._sandbox.printed)
        names = answer.get("names")
        if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            raise Trouble(STRANGE, self._sandbox.printed)
        return names

    def over(self) -> None:
        """Forget what they keep: what flows by next is seen by a process that has seen nothing."""
        if self._sandbox is not None:
            self._sandbox.end()

    def end(self, *, trouble: bool = False) -> None:
        """Leave nothing of their process."""
        self._troubles += trouble
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None


def flow(detectors: Detectors, reference: pd.DataFrame, found: Sequence[Any]) -> list[Note]:
    """Let streams flow by side by side, with a detector for each; what is named after how many rows."""
    notes: list[Note] = [
        {
            "stream": each.name,
            "feature": each.feature,
            "begin": each.begin,
            "batch": max(each.sizes),
            "month": each.month,
            "days": each.days,
            "rows": 0,
            "first": {},
            "spared": each.spared,
            "second": each.second,
            "second_begin": each.second_begin,
            "found": None,
        }
        for each in found
    ]
    now = notes[0]
    try:
        for place in range(len(notes)):
            now = notes[place]
            own = found[place].reference
            detectors.ask("make", place, reference if own is None else own, within=MADE)
        for batches in zip_longest(*(each.batches() for each in found)):
            for place, (now, batch) in enumerate(zip(notes, batches, strict=True)):
                if batch is None or (now["batch"] == 1 and now["found"]):  # row by row, the rest would take long
                    continue
                if not keep(now, batch, detectors.ask("update", place, batch)):
                    return notes
        detectors.over()
    except Trouble as trouble:
        seen = trouble.text if isinstance(trouble, Raised) else trouble.seen
        now |= {"error": seen, "lines": trouble.lines}
    return notes


def keep(note: Note, batch: pd.DataFrame, names: Sequence[str]) -> bool:
    """Note what was named; is each the name of a column?"""
    note["rows"] += len(batch)
    for name in names:
        if name not in batch:
            note["error"] = f"update named {name[:80]!r}, and there is no such column"
            return False
        note["first"].setdefault(name, note["rows"])
    if {note["feature"], note["spared"]} & set(names) and note["rows"] > note["begin"] and not note["found"]:
        note["found"] = [note["rows"], sorted(set(names))]
    return True


def clean(notes: Sequence[Note]) -> bool:
    """Is nothing named that did not drift?"""
    return all("error" not in each and set(each["first"]) <= {each["feature"]} for each in notes)


def changed(then: pd.Series, now: pd.Series) -> float:
    """By how much a feature's distribution differs: the population stability index, over all there is.

    Of numbers also the square of how far the mean has moved, in standard deviations, where that is more: what a small
    shift of a normal distribution has as its index, and what a test of means sees.
    """
    moved = 0.0
    if pd.api.types.is_numeric_dtype(then):
        moved = float((now.mean() - then.mean()) / then.std()) ** 2
        edges = np.unique(then.quantile(np.arange(1, 10) / 10))
        then, now = (pd.Series(np.searchsorted(edges, each)).mask(each.isna().to_numpy(), -1) for each in (then, now))
    shares = pd.concat([each.value_counts(normalize=True) for each in (then, now)], axis=1).fillna(0).clip(lower=1e-4)
    before, after = shares.iloc[:, 0], shares.iloc[:, 1]
    return round(max(moved, float(((after - before) * np.log(after / before)).sum())), 4)


def together(check: str, found: Sequence[Any]) -> list[Sequence[Any]]:
    """A check's streams, those that flow side by side in one."""
    return [found] if check == TOGETHER else [[each] for each in found]


def main() -> None:
    """Try the detector on the streams of the checks that the environment names."""
    protect()
    detectors = Detectors(unpacked(), float(os.environ["LIMIT"]), float(os.environ["SPENT"]))
    reference, drawn = streams.draw(seed := int(os.environ["SEED"]))
    asked = os.environ["CHECKS"].split()
    groups = [(check, found) for check in asked for found in together(check, drawn[check])]
    random.Random(seed).shuffle(groups)  # no detector knows by its turn what comes
    answer: dict[str, list[Note]] = {check: [] for check in asked}
    for check, found in groups:
        before = GATES[: GATES.index(check)] if check in GATES else GATES
        if not all(clean(answer.get(gate, [])) for gate in before) or any("error" in each for each in answer[check]):
            continue
        notes = flow(detectors, reference, found)
        answer[check] += notes
        if any("error" in each for each in notes):
            detectors.end(trouble=True)
    detectors.end()
    for note in (each for notes in answer.values() for each in notes if each["month"]):
        there = streams.flights(note["month"], note["days"])
        note["changed"] = {name: changed(reference[name], there[name]) for name in reference}
    print(json.dumps({"notes": answer, "spent": detectors.spent}))


if __name__ == "__main__":
    main()
