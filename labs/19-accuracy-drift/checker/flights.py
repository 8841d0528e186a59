"""Flights of real days with the model's probabilities, and what is told of them: predictions, and labels as they come.

The probabilities are those that a table of late shares (by day, time of day and airport) gives. The labels are drawn
from them, so the model is right by construction, until a drift begins.
"""

from __future__ import annotations

import collections
import csv
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

DRAWN, PRIOR = 60, 15  # days; flights of the day's own share that each cell of the table gets
LOWEST, HIGHEST = 0.02, 0.95
LEAST, MOST = 5.2, 9.0  # times the odds that the model gives, or so many parts of them, where it has gone wrong

Numbers = NDArray[Any]
Drawn = tuple[Sequence[str], Numbers]  # names of flights, and the probabilities that the model gives


@dataclass
class Feed:
    """How labels come.

    Attributes:
        delay: they come so many predictions later, at least and at most.
        more: a late flight's comes so many later still.
        late: a late flight's comes so many predictions later, at least and at most, whatever those two say.
        lost: the share that never comes.
        again: how many times a late flight's label is repeated, at most.
        apart: a repeated one comes so many predictions after the one before it, at least and at most.
    """

    delay: tuple[int, int] = (10, 60)
    more: int = 0
    late: tuple[int, int] | None = None
    lost: float = 0.0
    again: int = 0
    apart: tuple[int, int] = (10, 60)


IN_ORDER, MIXED, AGAIN, LOST = Feed(delay=(35, 35)), Feed(), Feed(again=2), Feed(lost=0.5)
SLOW = Feed(more=150, again=2)  # who waits for so many labels, and not predictions, waits too short a time in a storm
LATEST = Feed(late=(209, 210), again=2)  # as late as it may be
FILED_LATER = Feed(again=2, apart=(200, 260))  # repeated when nobody waits for that flight any more


class Event(NamedTuple):
    """One call of the detector.

    Attributes:
        time: one prediction is made in each unit of it.
        call: `predicted` or `labelled`.
        value: the probability, or whether the flight was late.
        drifted: whether the flight is a drifted one.
    """

    time: float
    call: str
    flight: str
    value: float | bool
    drifted: bool


class Flights:
    """Flights of days that are drawn, each with the share of late ones among its like: the model's probability."""

    def __init__(self, rng: np.random.Generator, folder: Path) -> None:
        self.rng = rng
        self.names: list[str] = []
        probabilities, shares = [], []
        for file in rng.choice(np.array(sorted(folder.glob("*.csv.gz")), dtype=object), DRAWN, replace=False):
            with gzip.open(file, "rt") as text:
                rows = list(csv.DictReader(text))
            cells = collections.defaultdict(list)
            for row in rows:
                cells[cell(row)].append(int(row["late"]))
            share = sum(int(row["late"]) for row in rows) / len(rows)
            table = {key: (sum(late) + PRIOR * share) / (len(late) + PRIOR) for key, late in cells.items()}
            day = file.name.partition(".")[0]
            for row in rows:
                self.names.append(f"{day} {int(row['hour']):02}h {row['carrier']} {row['origin']}-{row['dest']}")
                probabilities.append(table[cell(row)])
                shares.append(share)
        self.probabilities: Numbers = np.clip(probabilities, LOWEST, HIGHEST)
        by_day = np.argsort(shares, kind="stable")
        tenth = len(by_day) // 10
        busy = by_day[-tenth:]
        storm = busy[self.probabilities[busy] > np.median(self.probabilities[busy])]
        unsure = busy[np.argsort(np.abs(self.probabilities[busy] - 0.5), kind="stable")][: len(busy) // 4]
        calm = by_day[: 5 * tenth]
        safe = np.argsort(self.probabilities, kind="stable")[: tenth // 4]
        self.groups = {"calm": calm, "safe": safe, "storm": storm, "unsure": unsure, "busy": busy, "any": by_day}

    def draw(self, count: int, group: str = "") -> Drawn:
        """Names, each given once, and probabilities; of no group: a third from busy days, the others from any."""
        chosen = self.rng.choice(self.groups[group or "any"], count)
        if not group:
            chosen = np.where(self.rng.random(count) < 1 / 3, self.rng.choice(self.groups["busy"], count), chosen)
        tokens = self.rng.integers(1 << 30, 1 << 34, count)
        names = [f"{self.names[number]} {token:09x}" for number, token in zip(chosen, tokens, strict=True)]
        return names, self.probabilities[chosen]

    def events(
        self, flights: Drawn, feed: Feed, *, drift: int | None = None, kind: str = "", start: float = 0.0
    ) -> list[Event]:
        """The stream of some flights, in order.

        Args:
            drift: from which flight on the labels are drawn otherwise.
            kind: more of them are late than the model says, or fewer, or others.
            start: when the first prediction is made.
        """
        rng, (names, given) = self.rng, flights
        true, first = given.copy(), len(given) if drift is None else drift
        true[first:] = drifted(given[first:], kind, rng.uniform(LEAST, MOST))
        late = rng.random(len(given)) < true
        comes = rng.uniform(*feed.delay, len(given)) + feed.more * late
        if feed.late:
            comes = np.where(late, rng.uniform(*feed.late, len(given)), comes)
        lost = rng.random(len(given)) < feed.lost
        found: list[Event] = []
        for number, name in enumerate(names):
            made, label = start + number, bool(late[number])
            found.append(Event(made, "predicted", name, float(given[number]), number >= first))
            times = [] if lost[number] else [made + comes[number]]
            for _ in range(rng.integers(1, feed.again + 1) if feed.again and label and times else 0):
                times.append(times[-1] + rng.uniform(*feed.apart))
            found += [Event(when, "labelled", name, label, number >= first) for when in times]
        return sorted(found, key=lambda event: event.time)


def cell(row: dict[str, str]) -> tuple[int, str]:
    """To which cell of the table a flight belongs."""
    return int(row["hour"]) // 3, row["origin"]


def drifted(given: Numbers, kind: str, times: float) -> Numbers:
    """What the probabilities really are, where the model gives these.

    Args:
        times: by which the odds differ.
    """
    if kind == "others":  # as many as before: the flights that seemed safest are those that are late
        order, true = np.argsort(given), np.empty_like(given)
        true[order] = given[order][::-1]
        return true
    odds = given / (1 - given) * (times if kind == "more" else 1 / times)
    return np.asarray(odds / (1 + odds))
