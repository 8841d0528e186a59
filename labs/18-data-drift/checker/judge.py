"""Let a learner's detector see streams whose drifts are known; the last line printed is what it named when, as JSON.

Runs in a pod of the checker's. How a detector fails is part of the answer; an exit code other than 0 is not its fault.
"""

from __future__ import annotations

import json
import os
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
FIRST = ("stays_quiet", TOGETHER)  # whoever fails these is not asked further

Note = dict[str, Any]


class Detectors:
    """The learner's detectors, one for each stream, in one process; started anew after trouble.

    Args:
        in_all: seconds of their own that all answers may take.
    """

    def __init__(self, folder: Path, in_all: float) -> None:
        self._folder, self._in_all = folder, in_all
        self._sandbox: Sandbox | None = None
        self._spent = Spent()

    def ask(self, what: str, number: int, rows: pd.DataFrame, within: float = CALLED) -> list[str]:
        """What a detector names; raises as the sandbox does."""
        if self._sandbox is None:
            self._sandbox = Sandbox(
                f"{__package__}.driver", self._folder, memory=MEMORY, within=MADE, spent=self._spent
            )
            self._sandbox.begin()
        answer = self._sandbox.ask((what, number, rows), within=within)
        if self._sandbox.spent.cpu + self._sandbox.spent.idle > self._in_all:
            raise Trouble(f"its answers took longer than {self._in_all:g} s in all", self._sandbox.printed)
        names = answer.get("names")
        if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            raise Trouble(STRANGE, self._sandbox.printed)
        return names

    def end(self) -> None:
        """Leave nothing of their process."""
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
            "rows": 0,
            "first": {},
            "found": None,
        }
        for each in found
    ]
    now = notes[0]
    try:
        for place in range(len(notes)):
            now = notes[place]
            detectors.ask("make", place, reference, within=MADE)
        for batches in zip_longest(*(each.batches() for each in found)):
            for place, (now, batch) in enumerate(zip(notes, batches, strict=True)):
                if batch is None or (now["batch"] == 1 and now["found"]):  # row by row, the rest would take long
                    continue
                if not keep(now, batch, detectors.ask("update", place, batch)):
                    return notes
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
    if note["feature"] in names and note["rows"] > note["begin"] and not note["found"]:
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


def main() -> None:
    """Try the detector on the streams of the checks that the environment names."""
    protect()
    detectors = Detectors(unpacked(), float(os.environ["LIMIT"]))
    reference, drawn = streams.draw(int(os.environ["SEED"]))
    answer: dict[str, list[Note]] = {}
    for check in os.environ["CHECKS"].split():
        answer[check] = []
        for found in [drawn[check]] if check == TOGETHER else [[each] for each in drawn[check]]:
            notes = flow(detectors, reference, found)
            answer[check] += notes
            if any("error" in each for each in notes):
                detectors.end()
                break
        if check in FIRST and not clean(answer[check]):
            break
    detectors.end()
    for note in (each for notes in answer.values() for each in notes if each["month"]):
        there = streams.flights(note["month"])
        note["changed"] = {name: changed(reference[name], there[name]) for name in reference}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
