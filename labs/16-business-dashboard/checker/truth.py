"""What each of the eight panels must show of the checker's airlines, and in which units."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .world import ACCEPTED, ALL_PODS, ANSWERED, BOUNDS, BUCKETS, MONEY_SAVED, OFFERED, PODS, RECENT, REQUESTS, World

OBJECTIVE = 0.995
Values = dict[str, float]  # by version or destination; by "" where there is one number
Known = Sequence[tuple[float, str]]  # wrong numbers that say how they were made, with what to say of each


def per_minute(world: World, airlines: Sequence[str], span: int) -> Values:
    """Flights a minute."""
    return {"": world.events(ANSWERED, airlines, RECENT) / (RECENT / 60)}


def by_version(world: World, airlines: Sequence[str], span: int) -> Values:
    """Flights a minute by the model's version."""
    return {
        each: world.events(ANSWERED, airlines, RECENT, version=each) / (RECENT / 60)
        for each in sorted(set(world.versions.values()))
    }


def accepted(
    world: World, airlines: Sequence[str], span: int, pods: Sequence[str] = ALL_PODS, seconds: int = RECENT
) -> Values:
    """The share of rebookings offered that was accepted."""
    return {"": world.events(ACCEPTED, airlines, seconds, pods) / world.events(OFFERED, airlines, seconds, pods)}


def saved(world: World, airlines: Sequence[str], span: int) -> Values:
    """Euros saved in the dashboard's time range."""
    return {"": world.events(MONEY_SAVED, airlines, span) / 100}


def p95(
    world: World, airlines: Sequence[str], span: int, pods: Sequence[str] = ALL_PODS, seconds: int = RECENT
) -> Values:
    """As histogram_quantile() estimates it: evenly spread within a bucket."""
    counts = [world.events(BUCKETS, airlines, seconds, pods, le=le) for le in BOUNDS]
    rank = 0.95 * counts[-1]
    place = next(number for number, count in enumerate(counts) if count >= rank)
    low, before = (float(BOUNDS[place - 1]), counts[place - 1]) if place else (0.0, 0.0)
    return {"": low + (float(BOUNDS[place]) - low) * (rank - before) / (counts[place] - before)}


def budget(
    world: World, airlines: Sequence[str], span: int, pods: Sequence[str] = ALL_PODS, also: Sequence[str] = ()
) -> Values:
    """The share that is left of the error budget.

    Args:
        also: statuses that are taken for failures.
    """
    statuses = (*world.failures, *also)
    failed = sum(world.events(REQUESTS, airlines, span, pods, status=status) for status in statuses)
    return {"": 1 - failed / world.events(REQUESTS, airlines, span, pods) / (1 - OBJECTIVE)}


def watched(world: World, airlines: Sequence[str], span: int, pods: Sequence[str] = PODS) -> Values:
    """Connections watched now."""
    gauges = [gauge for pod in pods for gauge in world.pods[pod].gauges]
    return {"": float(sum(gauge.values[0] for gauge in gauges if gauge.labels["airline"] in airlines))}


def latest(world: World, airlines: Sequence[str], span: int) -> Values:
    """The three latest destinations with their mean delays."""
    return first_three(world.lateness(airlines))


def first_three(values: Values) -> Values:
    """The three highest."""
    return dict(sorted(values.items(), key=lambda item: -item[1])[:3])


def mean(parts: Sequence[float]) -> float:
    """The arithmetic mean."""
    return sum(parts) / len(parts)


# Grafana's units, with what a value is multiplied by: 0.42 is 42 % as percentunit, 42 is as percent.
PER_MINUTE = dict.fromkeys(("opm", "cpm", "reqpm", "rpm", "wpm", "mpm", "epm", "recpm", "rowspm"), 1.0)
SHARE = {"percentunit": 1.0, "percent": 100.0}
TIME = {"s": 1.0, "ms": 1e3, "m": 1 / 60, "µs": 1e6}
TIME |= {"dtdurations": 1.0, "dtdurationms": 1e3, "dthms": 1.0, "dtdhms": 1.0, "clocks": 1.0, "clockms": 1e3}
EURO = {"currencyEUR": 1.0}
COUNT = dict.fromkeys(("short", "none", "locale", "sishort"), 1.0)


@dataclass(frozen=True)
class Wanted:
    """A panel that the dashboard must have, and what it shows.

    Attributes:
        truth: of a world, some airlines and the dashboard's seconds.
        units: that it may have.
        own: what a unit of one's own must contain, such as `€`.
        by: the label that tells its series apart; without one it is one number.
    """

    title: str
    truth: Callable[[World, Sequence[str], int], Values]
    units: Mapping[str, float]
    own: tuple[str, ...] = ()
    by: str = ""

    def scale(self, unit: str) -> float | None:
        """What a value is multiplied by in that unit; None where the unit says something else."""
        return self.units.get(unit, 1.0 if any(part in unit.lower() for part in self.own) else None)


FLIGHTS = Wanted("Flights answered", per_minute, PER_MINUTE, ("min",))
VERSIONS = Wanted("Flights by model version", by_version, PER_MINUTE, ("min",), by="version")
REBOOKINGS = Wanted("Rebookings accepted", accepted, SHARE)
MONEY = Wanted("Money saved", saved, EURO, ("€", "eur"))
LATENCY = Wanted("Answer time p95", p95, TIME)
BUDGET = Wanted("Error budget left", budget, SHARE)
CONNECTIONS = Wanted("Connections watched", watched, COUNT, ("connection",))
LATEST = Wanted("Latest destinations", latest, TIME, by="dest")
WANTED = (FLIGHTS, VERSIONS, REBOOKINGS, MONEY, LATENCY, BUDGET, CONNECTIONS, LATEST)
