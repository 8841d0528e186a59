"""Streams of flights whose drifts are known: where a detector is tried, by you and by the checker.

The rows are real. Half of the flights of February 2013 are the reference (of one stream, half of another month's);
those that flow by are drawn from the other half, in no order of time, as passengers ask. What drifts is then put into
one feature; or the flights are those of another month from some row on. The same seed draws the same streams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, permutations
from pathlib import Path

import numpy as np
import pandas as pd

FOLDER = Path("/data/flights")
CALENDAR = ("month", "day", "weekday")
WITHIN = 1000  # rows after the first that has drifted
CALM, ROWS = 10, 2000  # streams in which nothing drifts, and their rows
BEGINS = range(200, 500)  # a drift's first row is one of these
LATER = range(200, 300)  # rows after the first drift, the second one begins
AT_LAST = 1000  # rows before the drift, in a summer month
SOON, LATE = range(200, 300), range(400, 500)  # of two streams side by side, in which the same feature drifts
IN_A_ROW = 4  # days, whose flights are other ones by the calendar
LONG = range(11_000, 16_000)  # rows before the drift, after a long calm
CARRIERS = ("UA", "B6", "EV", "DL")  # each has a seventh of the flights or more
AIRPORTS = ("EWR", "JFK", "LGA")
WEATHER, NUMBERS = ("temp", "wind_speed"), ("temp", "wind_speed", "distance")
FEATURES = ("hour", "carrier", "origin", "dest", *NUMBERS, "precip", "visib")  # all but the calendar

Change = Callable[[pd.Series], pd.Series]


@dataclass(frozen=True)
class Stream:
    """Rows that flow by.

    Attributes:
        name: what happens, in words.
        rows: with the columns of the reference.
        feature: what drifts; empty if nothing does.
        spared: of a calm stream, what drifts in its twin, from the same row on.
        begin: how many rows come before the first that has drifted.
        month: the month that its later rows are from, 0 if all are from February.
        days: of that month, that they are from; none if from all.
        sizes: how many rows the batches have, in turn.
        second: another feature that drifts, from row `second_begin` on.
        reference: of its detector, if it is not that of February.
    """

    name: str
    rows: pd.DataFrame
    feature: str = ""
    begin: int = 0
    month: int = 0
    days: tuple[int, ...] = ()
    sizes: tuple[int, ...] = (100,)
    spared: str = ""
    second: str = ""
    second_begin: int = 0
    reference: pd.DataFrame | None = None

    def batches(self) -> Iterator[pd.DataFrame]:
        """The rows in batches; the index of each begins at 0."""
        first = 0
        for size in cycle(self.sizes):
            if first >= len(self.rows):
                return
            yield self.rows.iloc[first : first + size].reset_index(drop=True)
            first += size


def flights(month: int, days: Sequence[int] = ()) -> pd.DataFrame:
    """The flights of a month, or of some of its days, without `late`: whoever asks the model does not know it."""
    files = sorted(FOLDER.glob(f"2013-{month:02}-*.csv.gz"))
    read = [pd.read_csv(file, keep_default_na=False, na_values=[""]) for file in files]
    found = pd.concat(read, ignore_index=True).drop(columns="late")
    return found[found["day"].isin(days)].reset_index(drop=True) if days else found


class World:
    """What a seed draws."""

    def __init__(self, seed: int) -> None:
        self.chance = np.random.default_rng(seed)
        self.reference, self.others = self.halves(2)

    def halves(self, month: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """A month's flights in two halves, as they come."""
        there = flights(month)
        order = self.chance.permutation(len(there))
        one, other = np.array_split(order, [len(there) // 2])
        return there.iloc[one].reset_index(drop=True), there.iloc[other].reset_index(drop=True)

    def calm(self, name: str) -> Stream:
        """Nothing drifts."""
        return Stream(name, self.rows(ROWS))

    def elsewhere(self, month: int) -> Stream:
        """Another month's flights, of which the detector has the reference; at last it is hotter than ever there."""
        reference, others = self.halves(month)
        rows = others.sample(AT_LAST + WITHIN, random_state=self.chance, ignore_index=True)
        rows["temp"] += np.where(rows.index < AT_LAST, 0.0, self.between(1.5, 2) * reference["temp"].std())
        name = f"temp higher in month {month}, that is its reference, too"
        return Stream(name, rows, "temp", AT_LAST, reference=reference)

    def drift(
        self,
        name: str,
        feature: str,
        change: Change,
        begins: Sequence[int] = BEGINS,
        sizes: tuple[int, ...] = (100,),
        more: int = 0,
    ) -> Stream:
        """From one of some rows on one feature is changed; all others stay as they are.

        Args:
            more: rows, for what comes later.
        """
        begin = self.some(begins)
        rows = self.rows(begin + WITHIN + more)
        rows[feature] = pd.concat([rows[feature].iloc[:begin], change(rows[feature].iloc[begin:])])
        return Stream(f"{feature} {name}", rows, feature, begin, sizes=sizes)

    def twin(self, other: Stream) -> Stream:
        """As many rows, in which nothing drifts."""
        rows = self.rows(len(other.rows))
        return Stream(f"{other.feature} as ever", rows, begin=other.begin, spared=other.feature)

    def season(self, month: int, days: tuple[int, ...] = ()) -> Stream:
        """From some row on the flights are those of another month, or of some of its days."""
        begin = self.some(BEGINS)
        later = flights(month, days).sample(WITHIN, random_state=self.chance)
        name = f"flights of month {month}" + (f", days {days[0]} to {days[-1]}" if days else "")
        rows = pd.concat([self.rows(begin), later], ignore_index=True)
        return Stream(name, rows, "temp", begin, month, days)

    def days_in_a_row(self) -> tuple[int, ...]:
        """Some days of a month, whichever month that is; few enough for the weekday to be another one, too."""
        first = self.some(range(1, 29 - IN_A_ROW))
        return tuple(range(first, first + IN_A_ROW))

    def rows(self, count: int) -> pd.DataFrame:
        """Ordinary rows; where there are not so many, some come again."""
        again = count > len(self.others)
        return self.others.sample(count, replace=again, random_state=self.chance, ignore_index=True)

    def some(self, choices):
        """One of them."""
        return choices[int(self.chance.integers(len(choices)))]

    def shuffled(self, items):
        """All of them, in some order."""
        return [items[int(place)] for place in self.chance.permutation(len(items))]

    def between(self, least: float, most: float) -> float:
        """A number with two digits."""
        return round(float(self.chance.uniform(least, most)), 2)

    def shift(
        self,
        feature: str,
        begins: Sequence[int] = BEGINS,
        sizes: tuple[int, ...] = (100,),
        *,
        unit: bool = False,
        more: int = 0,
    ) -> Stream:
        """A number is in another unit, or higher or lower by one and a half standard deviations or more."""
        if unit:
            change, name = {"temp": (celsius, "in Celsius"), "distance": (kilometres, "in kilometres")}[feature]
            return self.drift(name, feature, change, begins, sizes, more)
        by = self.some((-1, 1)) * self.between(1.5, 2)
        moved = by * self.reference[feature].std()
        name = f"{'higher' if by > 0 else 'lower'} by {abs(by):g} standard deviations"
        return self.drift(name, feature, lambda values: values + moved, begins, sizes, more)

    def spread(self, feature: str, factor: float) -> Stream:
        """A number is farther from the mean of the reference, or nearer to it."""
        mean = self.reference[feature].mean()
        return self.drift(f"{factor:g} times as far from its mean", feature, lambda rows: mean + factor * (rows - mean))

    def ended(self, feature: str) -> Stream:
        """No value comes any more, from the first row on."""
        return self.drift("missing in all rows", feature, lambda values: values.mask(values.notna()), range(1))

    def missing(self, feature: str) -> tuple[str, str, Change]:
        """Two of five values are missing, or more: in words, of what, and what makes it so."""
        share = self.between(0.4, 0.6)

        def change(values: pd.Series) -> pd.Series:
            return values.mask(self.chance.random(len(values)) < share)

        return f"missing in {share:.0%} of the rows", feature, change

    def gaps(self) -> list[Stream]:
        """Values of each feature are missing once, those of a second one some hundred rows after those of the first."""
        one, *others = self.shuffled(FEATURES)
        streams = [self.drift(*self.missing(one))]
        for first, second in zip(others[::2], others[1::2], strict=True):
            stream = self.drift(*self.missing(first), more=max(LATER))
            streams.append(self.then(stream, *self.missing(second)))
        return streams

    def stuck(self, feature: str) -> Stream:
        """A sensor says the same all the time: a number that the reference has, and one of its larger ones."""
        there = np.unique(self.reference[feature].dropna())
        value = float(self.some(there[len(there) // 2 :]))
        return self.drift(f"stuck at {value:g}", feature, lambda values: values.where(values.isna(), value))

    def one_after_the_other(self) -> Stream:
        """One number is in another unit, and then a second one, whose index is smaller."""
        first = self.drift("in Celsius", "temp", celsius, more=max(LATER))
        return self.then(first, "in kilometres", "distance", kilometres)

    def then(self, first: Stream, name: str, feature: str, change: Change) -> Stream:
        """Another feature drifts too, some hundred rows later."""
        later = first.begin + self.some(LATER)
        rows = first.rows.head(later + WITHIN).copy()
        rows[feature] = pd.concat([rows[feature].iloc[:later], change(rows[feature].iloc[later:])])
        whole = f"{first.name}, {later - first.begin} rows later {feature} {name}"
        return replace(first, name=whole, rows=rows, second=feature, second_begin=later)

    def recoded(self, feature: str, old: str, new: str) -> Stream:
        """One code becomes another."""
        return self.drift(f"code {old} becomes {new}", feature, lambda values: values.replace(old, new))

    def one_code(self, feature: str) -> Stream:
        """A form sends the same code all the time, one that the reference has."""
        code = str(self.some(sorted(set(self.reference[feature].dropna()))))
        return self.drift(f"always {code}", feature, lambda values: values.where(values.isna(), code))

    def misspelt(self) -> list[Stream]:
        """All codes of a feature are in small letters, or have a blank after them."""
        ways: Sequence[tuple[str, Change]] = (
            ("in small letters", small_letters), ("with a blank after them", with_a_blank)
        )  # fmt: skip
        features = "carrier", "origin", "dest"
        return [self.drift(name, feature, change) for feature in features for name, change in ways]

    def all_four(self) -> list[Stream]:
        """Streams that flow side by side: one feature drifts in two of them, nothing in one, `temp` in a summer's.

        Of the two drifts of one feature that which begins first ends last. The summer's stream is not the first.
        """
        feature = self.some(NUMBERS)
        both = [self.shift(feature, SOON, more=max(LATE)), self.shift(feature, LATE)]
        groups = self.shuffled([both, [self.calm("calm beside it, with the same reference")]])
        groups.insert(self.some((1, 2)), [self.elsewhere(self.some((6, 7, 8)))])
        return [stream for streams in groups for stream in streams]

    def new_code(self) -> str:
        """A carrier that the reference does not know."""
        known = set(self.reference["carrier"])
        codes = [first + second for first in "QXYZ" for second in "0123456789QXYZ"]
        return self.some([code for code in codes if code not in known])


def celsius(values: pd.Series) -> pd.Series:
    """Degrees Fahrenheit to Celsius."""
    return (values - 32) / 1.8


def kilometres(values: pd.Series) -> pd.Series:
    """Miles to kilometres."""
    return values * 1.609344


def icao(codes: pd.Series) -> pd.Series:
    """Airports' codes of three letters to those of pilots, of four."""
    return "K" + codes


def small_letters(codes: pd.Series) -> pd.Series:
    """EWR becomes ewr."""
    return codes.str.lower()


def with_a_blank(codes: pd.Series) -> pd.Series:
    """Codes from a field of fixed width."""
    return codes + " "


def utc(hours: pd.Series) -> pd.Series:
    """New York's hours in winter to those of UTC."""
    return (hours + 5) % 24


def draw(seed: int) -> tuple[pd.DataFrame, dict[str, list[Stream]]]:
    """The reference, and the streams of each check by its name."""
    world = World(seed)
    airport, other = world.some(list(permutations(AIRPORTS, 2)))
    shifted = [world.shift(feature, unit=True) for feature in ("temp", "distance")]
    shifted += [world.shift(feature) for feature in (*NUMBERS, world.some(NUMBERS))]
    one, two, ten, hundred = 1, world.some(range(2, 10)), world.some(range(20, 60)), world.some(range(600, 900))
    mixed = (0, *world.some(list(permutations((one, ten, hundred)))))
    carrier, taken_over = world.some(list(permutations(CARRIERS, 2)))
    long_calm = world.shift(world.some(NUMBERS), LONG, more=max(LATER))
    gone, grown = world.some(list(permutations(AIRPORTS, 2)))
    after_long = world.then(
        long_calm, f"code {gone} becomes {grown}", "origin", lambda codes: codes.replace(gone, grown)
    )
    streams = {
        "finds_a_shift": world.shuffled([*shifted, *map(world.twin, shifted)]),
        "stays_quiet": [world.calm(f"calm {number}") for number in range(1, CALM + 1)],
        "keeps_streams_apart": world.all_four(),
        "finds_categories": [
            world.recoded("carrier", world.some(CARRIERS), world.new_code()),
            world.recoded("carrier", carrier, taken_over),
            world.recoded("origin", airport, other),
            *world.misspelt(),
            world.drift("in codes of four letters", "dest", icao),
            world.one_code("dest"),
        ],
        "finds_missing_values": [*world.gaps(), world.ended(world.some((*WEATHER, "visib")))],
        "finds_other_shapes": [
            world.spread(world.some(WEATHER), world.between(2.5, 3)),
            world.spread(world.some(NUMBERS), world.between(0.2, 0.3)),
            world.drift("in UTC", "hour", utc),
            world.drift("in kilometres", "visib", kilometres),
            world.stuck("precip"),
            world.one_after_the_other(),
        ],
        "finds_what_was_there_at_first": [
            world.shift(world.some(WEATHER), range(1)),
            world.shift("distance", range(1), unit=True),
        ],
        "finds_after_a_long_calm": [after_long],
        "takes_any_batches": [
            world.shift("distance", sizes=(one,), unit=True),
            world.shift("wind_speed", sizes=(two,)),
            world.shift("temp", sizes=mixed, unit=True),
        ],
        "sees_a_real_summer": [world.season(7), world.season(world.some((5, 6, 8, 9)), world.days_in_a_row())],
    }
    return world.reference, streams
