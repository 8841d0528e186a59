"""Samples that nobody has seen: columns of each kind, and the PSI that is right for them."""

import math
import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from mlops_lab.checks import Lab
from mlops_lab.kit.drawn import drawn

Values = list[float | None]
_MOST = 25_000  # rows that the README speaks of
_DRIFTED = (0, 2, 3)  # of the columns of kind "limit", by their place


@dataclass(frozen=True)
class Column:
    """A column of both samples."""

    reference: Values
    now: Values


def of_columns(lab: Lab, kind: str) -> dict[str, Column]:
    """Columns of a kind, by names that are drawn."""
    draw = drawn(lab, kind)
    names = draw.sample(("temp", "distance", "hour", "wind_speed", "visib", "precip", "seats", "fare"), 4)
    while _in_order([names[each] for each in _DRIFTED]):
        draw.shuffle(names)
    return {name: _MAKERS[kind](draw, number) for number, name in enumerate(names)}


def psi(column: Column, quantiles: Sequence[float], floor: float) -> float:
    """The index as the task defines it."""
    known = sorted(value for value in column.reference if value is not None)
    cuts = [_quantile(known, each) for each in quantiles]
    then, now = (_shares(values, cuts, floor) for values in (column.reference, column.now))
    return sum((after - before) * math.log(after / before) for before, after in zip(then, now, strict=True))


def _quantile(known: Sequence[float], part: float) -> float:
    place = part * (len(known) - 1)
    below = math.floor(place)
    above = min(below + 1, len(known) - 1)
    return known[below] + (place - below) * (known[above] - known[below])


def _shares(values: Values, cuts: Sequence[float], floor: float) -> list[float]:
    counts = [0] * (len(cuts) + 2)
    for value in values:
        counts[-1 if value is None else bisect_left(cuts, value)] += 1
    return [max(count / len(values), floor) for count in counts]


def _in_order(names: list[str]) -> bool:
    """Are names in the order of the alphabet, or the other way round?"""
    return sorted(names) in (names, names[::-1])


def _normal(draw: random.Random, rows: int, mean: float = 50.0, spread: float = 12.0, digits: int = 6) -> Values:
    return [round(draw.gauss(mean, spread), digits) for _ in range(rows)]


def _plain(draw: random.Random, number: int) -> Column:
    """As many rows as there may be, with so many digits that no two values are the same, and none equals a cut."""
    shift = (0.0, 4.0, 9.0, 20.0)[number]
    reference = _normal(draw, _MOST, digits=9)
    return Column(reference, _normal(draw, _MOST, 50 + shift, draw.uniform(8, 16), digits=9))


def _missing(draw: random.Random, number: int) -> Column:
    """Some of the values that are there are 0."""
    before, after = _normal(draw, 300), _normal(draw, 200)
    for values, zeros in ((before, 15), (after, 40)):
        for place in draw.sample(range(len(values)), zeros):
            values[place] = 0.0
    for values, shares in ((before, (0.1, 0.1, 0.0, 0.1)), (after, (0.0, 0.1, 0.3, 0.6))):
        for place in draw.sample(range(len(values)), int(shares[number] * len(values))):
            values[place] = None
    return Column(before, after)


def _ties(draw: random.Random, number: int) -> Column:
    """Few values, so that each cut is one of them; the counts make each quantile a value that is there."""
    levels = [float(each) for each in draw.sample(range(10, 90), 3 + number)]
    weights = [draw.uniform(0.5, 2) for _ in levels]
    return Column(list(draw.choices(levels, weights, k=401)), list(draw.choices(levels, k=200)))


def _outside(draw: random.Random, number: int) -> Column:
    far = _normal(draw, 40, 50 + (-400, 400, 900, -900)[number])
    return Column(_normal(draw, 300), [*_normal(draw, 200), *far])


def _empty(draw: random.Random, number: int) -> Column:
    """All of now in one bin, or nearly."""
    return Column(_normal(draw, 300), _normal(draw, 120, (50, 90, 10, 51)[number], 0.5))


def _rare(draw: random.Random, number: int) -> Column:
    """Of the reference one value is missing; of now one is, or is below or above the others: less than the least share.

    The reference's have so many digits that hardly two of them are the same, so that no cut is a value.
    """
    from . import D

    rows, alone = int(2 / D.floor), (None, -900.0, 900.0, None)[number]
    return Column([*_normal(draw, rows, digits=9), None], [*_normal(draw, rows, spread=1.0), alone])


def _limit(draw: random.Random, number: int) -> Column:
    """The columns of `_DRIFTED` have drifted, in no order of their PSI or names, and the other one has not.

    Two have drifted by far; of the others one is a tenth below the limit, and one a tenth above it.
    """
    from . import D

    reference, now = _normal(draw, 500), _normal(draw, 400)

    def shifted(by: float) -> Column:
        return Column(reference, [round(each + by, 6) for each in now if each is not None])

    part = (None, 0.9, 1.1, None)[number]  # of the limit
    low, high = 0.0, 20.0 if number == 3 else 25.0
    if part is None:
        return shifted(high)
    for _ in range(30):
        middle = (low + high) / 2
        below = psi(shifted(middle), D.quantiles, D.floor) < part * D.limit
        low, high = (middle, high) if below else (low, middle)
    return shifted(low)


_MAKERS = {
    "plain": _plain, "missing": _missing, "ties": _ties, "outside": _outside, "empty": _empty, "rare": _rare,
    "limit": _limit,
}  # fmt: skip
