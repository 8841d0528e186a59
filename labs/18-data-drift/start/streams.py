"""Streams of flights whose drifts are known: where a detector is tried, by you and by the checker.

The rows are real. Half of the flights of February 2013 are the reference; those that flow by are drawn from the other
half, in no order of time, as passengers ask. What drifts is then put into one feature; or the flights are those of
another month from some row on. The same seed draws the same streams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
import pandas as pd

FOLDER = Path("/data/flights")
CALENDAR = ("month", "day", "weekday")
WITHIN = 1000  # rows after the first that has drifted
CALM, ROWS = 10, 2000  # streams in which nothing drifts, and their rows
BEGINS = range(200, 500)  # a drift's first row is one of these
LONG = 6000  # rows before the drift, after a long calm
CARRIERS = ("UA", "B6", "EV", "DL")  # each has a seventh of the flights or more


@dataclass(frozen=True)
class Stream:
    """Rows that flow by.

    Attributes:
        name: what happens, in words.
        rows: with the columns of the reference.
        feature: what drifts; empty if nothing does.
        begin: how many rows come before the first that has drifted.
        month: the month that its later rows are from, 0 if all are from February.
        sizes: how many rows the batches have, in turn.
    """

    name: str
    rows: pd.DataFrame
    feature: str = ""
    begin: int = 0
    month: int = 0
    sizes: tuple[int, ...] = (100,)

    def batches(self) -> Iterator[pd.DataFrame]:
        """The rows in batches; the index of each begins at 0."""
        first = 0
        for size in cycle(self.sizes):
            if first >= len(self.rows):
                return
            yield self.rows.iloc[first : first + size].reset_index(drop=True)
            first += size


def flights(month: int) -> pd.DataFrame:
    """The flights of a month, without `late`: whoever asks the model does not know it."""
    files = sorted(FOLDER.glob(f"2013-{month:02}-*.csv.gz"))
    days = [pd.read_csv(file, keep_default_na=False, na_values=[""]) for file in files]
    return pd.concat(days, ignore_index=True).drop(columns="late")


class World:
    """What a seed draws."""

    def __init__(self, seed: int) -> None:
        self.chance = np.random.default_rng(seed)
        february = flights(2)
        order = self.chance.permutation(len(february))
        half = len(february) // 2
        self.reference = february.iloc[order[:half]].reset_index(drop=True)
        self.others = february.iloc[order[half:]].reset_index(drop=True)

    def calm(self, name: str) -> Stream:
        """Nothing drifts."""
        return Stream(name, self.rows(ROWS))

    def drift(
        self,
        name: str,
        feature: str,
        change: Callable[[pd.Series], pd.Series],
        begin: int = -1,
        sizes: tuple[int, ...] = (100,),
    ) -> Stream:
        """From some row on (a random one, if none is given) one feature is changed; all others stay as they are."""
        begin = self.some(BEGINS) if begin < 0 else begin
        rows = self.rows(begin + WITHIN)
        rows[feature] = pd.concat([rows[feature].iloc[:begin], change(rows[feature].iloc[begin:])])
        return Stream(f"{feature} {name}", rows, feature, begin, sizes=sizes)

    def season(self, month: int) -> Stream:
        """From some row on the flights are those of another month."""
        begin = self.some(BEGINS)
        later = flights(month).sample(WITHIN, random_state=self.chance)
        return Stream(
            f"flights of month {month}", pd.concat([self.rows(begin), later], ignore_index=True), "temp", begin, month
        )

    def rows(self, count: int) -> pd.DataFrame:
        """Ordinary rows."""
        return self.others.sample(count, random_state=self.chance, ignore_index=True)

    def some(self, choices):
        """One of them."""
        return choices[int(self.chance.integers(len(choices)))]

    def higher(self, values: pd.Series) -> pd.Series:
        """Higher by one and a half standard deviations of the reference."""
        return values + 1.5 * self.reference[values.name].std()

    def spread(self, factor: float) -> Callable[[pd.Series], pd.Series]:
        """Farther from the mean of the reference, or nearer to it."""

        def change(values: pd.Series) -> pd.Series:
            mean = self.reference[values.name].mean()
            return mean + factor * (values - mean)

        return change

    def gaps(self, values: pd.Series) -> pd.Series:
        """Two of five values are missing."""
        return values.mask(self.chance.random(len(values)) < 0.4)

    def recoded(self, old: str, new: str) -> Callable[[pd.Series], pd.Series]:
        """One code becomes another."""
        return lambda values: values.replace(old, new)


def celsius(values: pd.Series) -> pd.Series:
    """Degrees Fahrenheit to Celsius."""
    return (values - 32) / 1.8


def kilometres(values: pd.Series) -> pd.Series:
    """Miles to kilometres."""
    return values * 1.609344


def utc(hours: pd.Series) -> pd.Series:
    """New York's hours in winter to those of UTC."""
    return (hours + 5) % 24


def draw(seed: int) -> tuple[pd.DataFrame, dict[str, list[Stream]]]:
    """The reference, and the streams of each check by its name."""
    world = World(seed)
    weather = ("temp", "wind_speed")
    carrier, airport = world.some(CARRIERS), world.some(("EWR", "JFK", "LGA"))
    other = world.some([code for code in ("EWR", "JFK", "LGA") if code != airport])
    streams = {
        "finds_a_shift": [
            world.drift("in Celsius", "temp", celsius),
            world.drift("in kilometres", "distance", kilometres),
            world.drift("higher", "wind_speed", world.higher),
        ],
        "stays_quiet": [world.calm(f"calm {number}") for number in range(1, CALM + 1)],
        "keeps_streams_apart": [
            world.drift("in Celsius", "temp", celsius, begin=300),
            world.calm("calm beside it"),
        ],
        "finds_categories": [
            world.drift(f"code {carrier} becomes ZZ", "carrier", world.recoded(carrier, "ZZ")),
            world.drift(f"{airport} becomes {other}", "origin", world.recoded(airport, other)),
        ],
        "finds_missing_values": [
            world.drift("missing in 40 % of the rows", world.some(weather), world.gaps),
            world.drift("missing in 40 % of the rows", "visib", world.gaps),
        ],
        "finds_other_shapes": [
            world.drift("2.5 times as far from its mean", world.some(weather), world.spread(2.5)),
            world.drift("0.3 times as far from its mean", world.some((*weather, "distance")), world.spread(0.3)),
            world.drift("in UTC", "hour", utc),
        ],
        "finds_what_was_there_at_first": [
            world.drift("higher", world.some(weather), world.higher, begin=0),
            world.drift("in kilometres", "distance", kilometres, begin=0),
        ],
        "finds_after_a_long_calm": [world.drift("higher", world.some(weather), world.higher, begin=LONG)],
        "takes_any_batches": [
            world.drift("in kilometres", "distance", kilometres, sizes=(1,)),
            world.drift("higher", "wind_speed", world.higher, sizes=(7,)),
            world.drift("in Celsius", "temp", celsius, sizes=(250, 0, 31, 1)),
        ],
        "sees_a_real_summer": [world.season(7), world.season(world.some((5, 6, 8, 9)))],
    }
    return world.reference, streams
