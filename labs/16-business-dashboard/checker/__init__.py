"""Lab 16: the panels' queries, put to the live Prometheus as Grafana does it, against numbers that the checker made up.

The checker plays three airlines that nobody has heard of. Pods of its own tell Prometheus what happened to them in the
last 15 minutes, and each panel is asked for the moment at which that ends. What it must show is computed from the same
numbers. In another namespace there are flights of the same airlines, which belong into no panel.
"""

from __future__ import annotations

import asyncio
import difflib
import math
import random
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_lab.base.paths import is_file
from mlops_lab.checks import Lab, Observation, check, current, expect
from mlops_lab.measure.cluster.environment import SYSTEM_NAMESPACE
from mlops_lab.measure.services.backfill import STEP, Counter, Gauge, Past, rhythm
from mlops_lab.measure.services.grafana import ALL, LARGEST, Dashboard, NotADashboard, Panel, read
from mlops_lab.platform.dashboard.prometheus import NoPrometheus, QueryRefused, Series
from mlops_lab.platform.releases import RELEASES

Values = dict[str, float]  # by version or destination; by "" where there is one number

FILE, PROGRAM = "dashboard.json", "build"
BUILT_WITHIN, SCRAPED_WITHIN = 30, 90  # s
RECENT, SPAN, SHORT, PAST = 300, 600, 300, 900  # s: averages, the dashboard's time range, another one, the history
OBJECTIVE = 0.995
ELSEWHERE = next(release.namespace for release in RELEASES if release.part == "monitoring")  # another namespace
TOLERANCE = 0.01
TARGET = ("__name__", "app", "instance", "job", "namespace", "node")  # labels that tell a reader nothing here
DOMAINS = ("ckad/observability-and-maintenance",)

ANSWERED, REQUESTS, MONEY_SAVED = "flights_answered_total", "answer_requests_total", "saved_cents_total"
OFFERED, ACCEPTED, BUCKETS = "rebookings_offered_total", "rebookings_accepted_total", "answer_duration_seconds_bucket"
WATCHED, DELAY, DELAYS = "connections_watched", "predicted_delay_seconds_sum", "predicted_delay_seconds_count"
METRICS = (ANSWERED, REQUESTS, MONEY_SAVED, OFFERED, ACCEPTED, BUCKETS, WATCHED, DELAY, DELAYS)

# A small pod, a middling one and a large one. They differ in all they tell, so that no pod speaks for the others.
WEIGHT = {"a": 1, "b": 4, "c": 9}
PODS = tuple(WEIGHT)
TAKEN = {"a": 0.72, "b": 0.41, "c": 0.18}  # of the rebookings offered
FAILED = {"a": 0.012, "b": 0.001, "c": 0.0005}  # of the requests
REFUSED = 0.03  # of the requests: asked wrongly, which is no failure
BOUNDS = ("0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "+Inf")  # of the histogram, in s
UP_TO = {
    "a": (0.50, 0.90, 0.980, 0.995, 1.00, 1.000, 1.0),
    "b": (0.20, 0.55, 0.900, 0.970, 0.99, 1.000, 1.0),
    "c": (0.05, 0.20, 0.550, 0.830, 0.97, 0.995, 1.0),
}
DESTINATIONS = ("ATL", "BOS", "LAX", "MIA", "ORD", "SFO")
# Flights (relative) and minutes of predicted delay, on each pod. The latest on average are the first, the third and the
# fourth; the second leads if the pods' means are averaged, the fifth if delays are added up.
ROUTES = (
    ((1.00, 4.00, 9.00), (22, 22, 22)),
    ((0.05, 0.10, 9.00), (60, 50, 6)),
    ((1.00, 4.00, 4.00), (20, 18, 17)),
    ((1.00, 1.00, 6.00), (14, 15, 16)),
    ((1.00, 8.00, 20.0), (12, 12, 12)),
    ((0.50, 1.00, 2.00), (4, 5, 6)),
)
SIZES = (1.0, 0.55, 0.3)  # of the airlines; no request of the third one fails
RESTARTS = {"a": (), "b": (13, 44), "c": (20, 71)}  # slots of 10 s, counted back from the end
RUSH = (2.2, 0.4, 1.9, 0.3, 2.0, 1.4)  # the last minute: the agencies ask in bunches


@dataclass(frozen=True)
class World:
    """What the checker's pods tell.

    Attributes:
        at: Unix time of its end.
        airlines: three, and a fourth that flies nowhere.
        versions: of the model, by pod; the small one tries the next.
        pods: by the ends of their names.
        elsewhere: of a pod in another namespace, where two of the airlines fly as well.
    """

    at: int
    airlines: tuple[str, ...]
    versions: Mapping[str, str]
    pods: Mapping[str, Past]
    elsewhere: Past

    def events(
        self, metric: str, airlines: Sequence[str], seconds: int, pods: Sequence[str] = PODS, **labels: str
    ) -> float:
        """By how much a metric's counters grew in the last seconds, all together."""
        return sum(
            self.pods[pod].growth(each, seconds)
            for pod in pods
            for each in self.pods[pod].counters
            if each.metric == metric and each.labels["airline"] in airlines and labels.items() <= each.labels.items()
        )

    def stand(self, metric: str, airlines: Sequence[str]) -> float:
        """What a metric's counters stand at in the end, all together."""
        return sum(
            past.values(each)[-1]
            for past in self.pods.values()
            for each in past.counters
            if each.metric == metric and each.labels["airline"] in airlines
        )


def draw(rng: random.Random, at: int, taken: Sequence[str] = ()) -> World:
    """A world of airlines that are not taken, and of which none is in its place by a hair."""
    free = (code for _ in range(1000) if (code := "".join(rng.choices(string.ascii_uppercase, k=3))) not in taken)
    codes = tuple(dict.fromkeys(next(free) for _ in range(40)))[:4]
    windows, old = (RECENT, SPAN, PAST), rng.randint(10, 98)
    versions = {"a": str(old + 1), "b": str(old), "c": str(old)}
    while True:
        rhythms = [rhythm(rng, RUSH, windows, PAST // STEP, older) for older in (0.1, 0.6, 0.5, 1)]
        pods = {pod: Past(own, RESTARTS[pod]) for pod, own in zip(PODS, rhythms, strict=False)}
        world = World(at, codes, versions, pods, Past(rhythms[-1]))
        for airline, size in zip(codes, SIZES, strict=False):
            dests = rng.sample(DESTINATIONS, len(DESTINATIONS))
            for pod in PODS:
                _fill(rng, pods[pod], pod, airline, size, dests, versions[pod], fails=airline != codes[2])
        for airline in codes[:2]:
            dests = rng.sample(DESTINATIONS, len(DESTINATIONS))
            _fill(rng, world.elsewhere, "b", airline, 1.7, dests, versions["b"], fails=True)
        ranked = [sorted(_lateness(world, which).values(), reverse=True) for which in (codes[:1], codes[:2])]
        if all(each[place] > each[place + 1] * 1.04 for each in ranked for place in range(3)):
            return world


def _fill(
    rng: random.Random,
    past: Past,
    pod: str,
    airline: str,
    size: float,
    dests: Sequence[str],
    version: str,
    *,
    fails: bool,
) -> None:
    """One pod's series of one airline."""

    def about(value: float, by: float = 0.1) -> float:
        return value * rng.uniform(1 - by, 1 + by)

    def count(metric: str, rate: float, age: float = 0, **labels: str) -> None:
        past.counters.append(Counter(metric, {"airline": airline, **labels}, rate, rate * (age or about(60_000))))

    requests, failed = about(0.6 * WEIGHT[pod] * size), about(FAILED[pod]) / size**0.5
    for status, share in (
        ("200", 1 - failed - REFUSED),
        ("422", REFUSED),
        ("500", failed * 0.4),
        ("503", failed * 0.6),
    ):
        if fails or status < "500":
            count(REQUESTS, requests * share, status=status)
    count(ANSWERED, flights := requests * about(20), version=version)
    count(OFFERED, offered := flights * about(0.06))
    count(ACCEPTED, offered * about(TAKEN[pod]) * size**0.5)
    count(MONEY_SAVED, about(350 * WEIGHT[pod] * size))
    slower, age = about(1, 0.15) / size**0.5, about(60_000)
    for le, share in zip(BOUNDS, UP_TO[pod], strict=True):
        count(BUCKETS, requests * max(0.0, 1 - (1 - share) * slower), age, le=le)
    count("answer_duration_seconds_count", requests, age)
    count("answer_duration_seconds_sum", requests * about(0.3), age)
    for dest, (often, minutes) in zip(dests, ROUTES, strict=True):
        rate, age = often[PODS.index(pod)] * size / 10, about(60_000)
        count(DELAYS, rate, age, dest=dest)
        count(DELAY, rate * about(minutes[PODS.index(pod)] * 60, 0.03), age, dest=dest)
    now = max(3, round(about(14 * WEIGHT[pod] * size)))
    watched = [round(now * (1 + 0.3 * math.sin(slot))) for slot in range(PAST // STEP + 1)]
    past.gauges.append(Gauge(WATCHED, {"airline": airline}, watched))


# What the panels must show of it.


def _per_minute(world: World, airlines: Sequence[str], span: int) -> Values:
    return {"": world.events(ANSWERED, airlines, RECENT) / (RECENT / 60)}


def _by_version(world: World, airlines: Sequence[str], span: int) -> Values:
    return {
        each: world.events(ANSWERED, airlines, RECENT, version=each) / (RECENT / 60)
        for each in sorted(set(world.versions.values()))
    }


def _accepted(world: World, airlines: Sequence[str], span: int, pods: Sequence[str] = PODS) -> Values:
    return {"": world.events(ACCEPTED, airlines, RECENT, pods) / world.events(OFFERED, airlines, RECENT, pods)}


def _saved(world: World, airlines: Sequence[str], span: int) -> Values:
    return {"": world.events(MONEY_SAVED, airlines, span) / 100}


def _p95(world: World, airlines: Sequence[str], span: int, pods: Sequence[str] = PODS) -> Values:
    """As histogram_quantile() estimates it: evenly spread within a bucket."""
    counts = [world.events(BUCKETS, airlines, RECENT, pods, le=le) for le in BOUNDS]
    rank = 0.95 * counts[-1]
    place = next(number for number, count in enumerate(counts) if count >= rank)
    low, before = (float(BOUNDS[place - 1]), counts[place - 1]) if place else (0.0, 0.0)
    return {"": low + (float(BOUNDS[place]) - low) * (rank - before) / (counts[place] - before)}


def _budget(
    world: World, airlines: Sequence[str], span: int, pods: Sequence[str] = PODS, failures: str = "500 503"
) -> Values:
    failed = sum(world.events(REQUESTS, airlines, span, pods, status=status) for status in failures.split())
    return {"": 1 - failed / world.events(REQUESTS, airlines, span, pods) / (1 - OBJECTIVE)}


def _watched(world: World, airlines: Sequence[str], span: int, pods: Sequence[str] = PODS) -> Values:
    gauges = [gauge for pod in pods for gauge in world.pods[pod].gauges]
    return {"": float(sum(gauge.values[0] for gauge in gauges if gauge.labels["airline"] in airlines))}


def _lateness(world: World, airlines: Sequence[str], pods: Sequence[str] = PODS) -> Values:
    return {
        dest: world.events(DELAY, airlines, RECENT, pods, dest=dest)
        / world.events(DELAYS, airlines, RECENT, pods, dest=dest)
        for dest in DESTINATIONS
    }


def _latest(world: World, airlines: Sequence[str], span: int) -> Values:
    return _first(_lateness(world, airlines))


def _first(values: Values) -> Values:
    return dict(sorted(values.items(), key=lambda item: -item[1])[:3])


def _mean(parts: Sequence[float]) -> float:
    return sum(parts) / len(parts)


# Grafana's units, with what a value is multiplied by: 0.42 is 42 % as percentunit, 42 is as percent.
PER_MINUTE = dict.fromkeys(("opm", "cpm", "reqpm", "rpm", "wpm", "mpm", "epm", "recpm", "rowspm"), 1.0)
SHARE = {"percentunit": 1.0, "percent": 100.0}
TIME = {"s": 1.0, "ms": 1e3, "m": 1 / 60, "dtdurations": 1.0, "dthms": 1.0, "clocks": 1.0, "µs": 1e6}
EURO = {"currencyEUR": 1.0}
COUNT = dict.fromkeys(("short", "none", "locale", "sishort"), 1.0)


@dataclass(frozen=True)
class Figure:
    """What one panel shows.

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


FLIGHTS = Figure("Flights answered", _per_minute, PER_MINUTE, ("min",))
VERSIONS = Figure("Flights by model version", _by_version, PER_MINUTE, ("min",), by="version")
REBOOKINGS = Figure("Rebookings accepted", _accepted, SHARE)
MONEY = Figure("Money saved", _saved, EURO, ("€", "eur"))
LATENCY = Figure("Answer time p95", _p95, TIME)
BUDGET = Figure("Error budget left", _budget, SHARE)
CONNECTIONS = Figure("Connections watched", _watched, COUNT, ("connection",))
LATEST = Figure("Latest destinations", _latest, TIME, by="dest")
FIGURES = (FLIGHTS, VERSIONS, REBOOKINGS, MONEY, LATENCY, BUDGET, CONNECTIONS, LATEST)


@dataclass(frozen=True)
class Shown:
    """What a panel's queries returned at one moment, or why they returned nothing."""

    queries: tuple[str, ...]
    series: tuple[Series, ...] = ()
    error: str = ""

    @property
    def found(self) -> list[tuple[Mapping[str, str], float]]:
        """Labels and number of each series that has one; NaN is none."""
        return [(each.labels, value) for each in self.series if (value := each.points[-1][1]) is not None]

    def same(self, other: Shown) -> bool:
        """Whether a reader would see the same numbers."""
        mine, others = (sorted(value for _, value in shown.found) for shown in (self, other))
        return len(mine) == len(others) and all(
            math.isclose(one, two, rel_tol=1e-6, abs_tol=1e-12) for one, two in zip(mine, others, strict=True)
        )

    def by(self, label: str) -> Values:
        """The numbers by a label's value."""
        return {labels.get(label, ""): value for labels, value in self.found}

    @property
    def sent(self) -> tuple[str, ...]:
        """The queries as Grafana would send them, for evidence."""
        return tuple(f"as sent: {' '.join(query.split())[:400]}" for query in self.queries)

    def __str__(self) -> str:
        if self.error or not self.found:
            return self.error or ("NaN, as 0 divided by 0 is" if self.series else "no data")
        said = [
            f"{' '.join(text for name, text in labels.items() if name not in TARGET)} {value:.5g}".strip()
            for labels, value in self.found
        ]
        return ", ".join(said[:6]) + (f" and {len(said) - 6} more series" if len(said) > 6 else "")


# The checks.


@check(points=1, domains=DOMAINS)
async def is_a_dashboard(lab: Lab) -> None:
    """`dashboard.json` is a Grafana dashboard with the eight panels, and Prometheus takes their queries.

    If there is a program `build`, it runs first, in a copy of the folder, and what it writes counts. Panels go by their
    titles; there may be others.
    """
    await lab.platform.prometheus.query("vector(1)")
    board = await lab.once(dashboard)
    titles = [_plain(panel.title) for panel in board.panels]
    wrong = [
        f"{count or 'no'} panel{'s' * (count > 1)} {figure.title}"
        for figure in FIGURES
        if (count := titles.count(_plain(figure.title))) != 1
    ]
    there = ", ".join(panel.title for panel in board.panels) or "none"
    seen = f"{', '.join(wrong)}; there are: {there}" if wrong else "all eight panels"
    expect(Observation(not wrong, "the eight panels, each once", seen)).because(
        "a panel is found by its title, by the checker as by whoever reads the report. The README has the titles; "
        "panels within a row count as well"
    )
    silent = [figure.title for figure in FIGURES if not _panel(board, figure).queries]
    expect(
        Observation(not silent, "a query in each", f"none in {', '.join(silent)}" if silent else "each asks")
    ).because("a panel's queries are its `targets`, and the PromQL is their `expr`. One with `hide` is not shown")
    for figure in FIGURES:
        shown = await ask(lab, board, figure, ["UAL"], namespace=lab.platform.prometheus.labels["namespace"])
        left = sorted({name for query in shown.queries for name in re.findall(r"\$\{?\w+", query)})
        unknown = f"{', '.join(left)}: no such variable, so it is sent as it stands. " if left else ""
        must(
            Observation(
                not shown.error, f"{figure.title}: a query that Prometheus takes", str(shown), None, shown.sent
            ),
            f"{unknown}./look and lab open prometheus show the same message",
        )
    current.note("Prometheus takes their queries")


@check(points=2, needs=is_a_dashboard, domains=DOMAINS)
async def offers_choices(lab: Lab) -> None:
    """The variables `namespace` and `airline` offer what Prometheus has; several airlines can be chosen, and All.

    The checker's airlines are in a namespace of its own: `namespace` must offer it, and `airline` them, only there.
    """
    board, world = await lab.once(dashboard), await lab.once(injected)
    names, variables = ("namespace", "airline"), board.variables
    missing = [name for name in names if name not in variables]
    there = ", ".join(variables) or "none"
    expect(Observation(not missing, "variables namespace and airline", f"the variables: {there}")).because(
        "variables are the entries of templating.list, by `name`. Without them every customer needs a copy of the file"
    )
    typed = [f"{name}: {variables[name].kind} {variables[name].query}" for name in names if not _asks(board, name)]
    expect(
        Observation(not typed, "both ask: type query, label_values(series, label)", "; ".join(typed) or "both do")
    ).because(
        "a list that somebody typed is right until the next airline signs. label_values asks Prometheus which values a "
        "label has: https://grafana.com/docs/grafana/latest/datasources/prometheus/template-variables/"
    )
    airline = variables["airline"]
    modes = [name for name, on in (("multi", airline.multi), ("includeAll", airline.includes_all)) if not on]
    expect(
        Observation(not modes, "airline: multi and includeAll", f"without {' and '.join(modes)}" if modes else "both")
    ).because("the board asks about all airlines, a sales manager about the two that she looks after")
    offered = await choices(lab, board, "namespace", SYSTEM_NAMESPACE)
    expect(_offers("namespace", [SYSTEM_NAMESPACE], offered)).because(
        "label_values(flights_answered_total, namespace) asks for all namespaces in which there is such a metric"
    )
    here = await choices(lab, board, "airline", SYSTEM_NAMESPACE)
    expect(_offers("airline", world.airlines[:3], here)).because(
        "flights of these airlines were answered in the last minutes. Which metric and label does the variable ask "
        "for, and does its `regex` let all of them through?"
    )
    strangers = sorted(
        set(await choices(lab, board, "airline", lab.platform.prometheus.labels["namespace"])) & set(world.airlines)
    )
    seen = f"it offers {', '.join(strangers)}" if strangers else "it offers others"
    expect(Observation(not strangers, "airline does not offer them in another namespace", seen)).because(
        "a variable may ask for what belongs to another variable's choice: "
        'label_values(flights_answered_total{namespace="$namespace"}, airline)'
    )


@check(points=3, needs=offers_choices, domains=DOMAINS)
async def follows_the_choice(lab: Lab) -> None:
    """Every panel has data for one airline, for two and for All; and other data for another airline or namespace.

    Whether the data are right is for the checks below.
    """
    board, world = await lab.once(dashboard), await lab.once(injected)
    one, other = world.airlines[:2]
    for figure in FIGURES:
        first, second, both, every, away = await asyncio.gather(
            ask(lab, board, figure, [one], world),
            ask(lab, board, figure, [other], world),
            ask(lab, board, figure, [one, other], world),
            ask(lab, board, figure, [ALL], world),
            ask(lab, board, figure, [one], world, namespace=ELSEWHERE),
        )
        must(_has(figure, first, "one airline"), _why_nothing(first))
        must(
            _has(figure, both, "two airlines"),
            'Grafana writes two choices as (AAL|DAL): airline=~"$airline" takes that as a regular expression and '
            'matches both, airline="$airline" looks for an airline of that very name',
        )
        must(
            _has(figure, every, "All"),
            "All is written as the variable's custom all value (allValue) or, without one, as all choices, "
            '(AAL|DAL|UAL). Either is a regular expression: =~, and ".+" for any airline',
        )
        must(
            _differs(figure, first, away, "namespace"),
            'every selector of the query needs namespace="$namespace": without it the figures of other installations '
            "are in the sum, and with a name typed in, the file is right in one place only",
        )
        must(
            _differs(figure, first, second, "airline"),
            'no selector of the query has airline=~"$airline", so each customer is shown the figures of all',
        )
    current.note("all eight panels show what was chosen")


@check(points=3, needs=follows_the_choice, domains=DOMAINS)
async def counts_flights(lab: Lab) -> None:
    """`Flights answered` and `Flights by model version` are per minute, over the last five minutes, of all pods.

    Two pods were started again in these minutes, and the agencies asked in bunches.
    """
    world = await lab.once(injected)
    mine = world.airlines[:1]
    whole, last = world.events(ANSWERED, mine, RECENT), world.events(ANSWERED, mine, STEP)
    known = (
        (
            world.stand(ANSWERED, mine),
            "this is what the counters stand at: all flights since each pod's start. rate() and increase() say how "
            "fast a counter grows, over a window",
        ),
        (whole / RECENT, "this is per second, as rate() is"),
        (whole, "these are the flights of five minutes, as increase() has them; the question is how many a minute"),
        (whole / 5 / len(PODS), "this is the average of the pods; sum() adds them up"),
        (
            last * 60 / STEP,
            "irate() looks at the last two samples alone: ten seconds of a business that asks in bunches. rate() looks "
            "at the whole window",
        ),
        (world.events(ANSWERED, mine, 60), "this is the last minute; the question is about five, [5m]"),
        (
            world.events(ANSWERED, mine, 3 * STEP) * 2,
            "$__rate_interval is four scrapes long, which is right for a curve; the question is about five minutes",
        ),
    )
    why = (
        "a counter begins at 0 again when its pod does. rate() sees that and goes on counting, for each series by "
        "itself; so first rate(...[5m]), then sum(). The other way round, a rate of a sum (in a subquery, say), one "
        "pod's restart looks as if all had begun anew"
    )
    await right(lab, FLIGHTS, known, why)
    await right(
        lab, VERSIONS, (),
        "sum by (version) (...) has one series for each version, of all pods that run it. With more series it keeps "
        "more labels than this one. The numbers are made as those of Flights answered",
    )  # fmt: skip


@check(points=2, needs=follows_the_choice, domains=DOMAINS)
async def shares_what_was_offered(lab: Lab) -> None:
    """`Rebookings accepted` is the accepted share of all rebookings offered in the last five minutes, on all pods."""
    world = await lab.once(injected)
    mine = world.airlines[:1]
    known = (
        (
            _mean([_accepted(world, mine, SPAN, [pod])[""] for pod in PODS]),
            "this is the mean of the pods' shares, in which a pod with ten offers weighs as much as one with a "
            "hundred. Add up first, then divide: sum(accepted) / sum(offered)",
        ),
        (
            world.stand(ACCEPTED, mine) / world.stand(OFFERED, mine),
            "this is the share since each pod's start, whenever that was; the question is about the last five minutes",
        ),
    )
    why = (
        "a share of the whole is a sum divided by a sum: sum(rate(accepted[5m])) / sum(rate(offered[5m])), with the "
        "same selectors above and below"
    )
    await right(lab, REBOOKINGS, known, why)


@check(points=2, needs=follows_the_choice, domains=DOMAINS)
async def adds_up_the_money(lab: Lab) -> None:
    """`Money saved` is what was saved in the time range of the dashboard, in euros: in ten minutes, then in five."""
    world = await lab.once(injected)
    mine = world.airlines[:1]
    cents, stand = world.events(MONEY_SAVED, mine, SPAN), world.stand(MONEY_SAVED, mine)
    known = (
        (cents, "the counter counts cents"),
        (stand / 100, "this is what the counters stand at: all that was saved since each pod's start"),
        (stand, "this is what the counters stand at, in cents: all that was saved since each pod's start"),
        (cents / SPAN / 100, "this is euros a second; increase() has what came together"),
    )
    why = (
        "increase(counter[$__range]) is by how much it grew in the time that the dashboard shows. A window that is "
        "typed in stays as it is when the reader chooses another time"
    )
    await right(lab, MONEY, known, why)
    await right(lab, MONEY, (), why, span=SHORT)


@check(points=2, needs=follows_the_choice, domains=DOMAINS)
async def knows_slow_answers(lab: Lab) -> None:
    """`Answer time p95` is the time within which 95 of 100 answers came, in the last five minutes, of all pods."""
    world = await lab.once(injected)
    own = [_p95(world, world.airlines[:1], SPAN, [pod])[""] for pod in PODS]
    known = (
        (
            _mean(own),
            "this is the mean of the pods' p95, which is the p95 of nothing: most answers come from one of them. "
            "Buckets can be added up, quantiles can't",
        ),
        (max(own), "this is the p95 of the slowest pod; the question is about the answers of all"),
    )
    why = (
        "histogram_quantile(0.95, sum by (le) (rate(..._bucket[5m]))) adds up the pods' buckets, bound by bound: `le` "
        "has to stay, `pod` has to go. Then it estimates where in its bucket the 95th of 100 lies"
    )
    await right(lab, LATENCY, known, why)


@check(points=2, needs=follows_the_choice, domains=DOMAINS)
async def keeps_the_budget(lab: Lab) -> None:
    """`Error budget left` is the share that is left of what 99.5 % allows to fail, in the time range of the dashboard.

    Failed are the 5xx. An airline of which no request failed has its whole budget.
    """
    world = await lab.once(injected)
    mine = world.airlines[:1]
    left = _budget(world, mine, SPAN)[""]
    known = (
        (1 - left, "this is what was spent of it; the question is what is left"),
        (
            1 - (1 - left) * (1 - OBJECTIVE),
            "this is the share that did not fail; the budget is the half percent that may",
        ),
        (
            _budget(world, mine, SPAN, failures="422 500 503")[""],
            "422 says that the asker asked wrongly, and it is an answer; failed are the 5xx",
        ),
        (
            _mean([_budget(world, mine, SPAN, [pod])[""] for pod in PODS]),
            "this is the mean of the pods' budgets, in which a small pod weighs as much as a large one. Add up the "
            "failed and all requests first, then divide",
        ),
    )
    why = (
        "1 - (failed / all) / (1 - 0.995), where failed and all are sums over the pods, both over $__range. Where more "
        "failed than may it is below 0, and says by how much"
    )
    await right(lab, BUDGET, known, why)
    await right(lab, BUDGET, (), why, span=SHORT)
    shown = await ask(lab, await lab.once(dashboard), BUDGET, world.airlines[2:3], world)
    expect(_compared(BUDGET, shown, {"": 1.0}, "an airline of which no request failed")).because(
        'there is no series with status="503" before the first 503, a sum of nothing is nothing, and so is what is '
        "computed with it: in the best of times the panel is empty. `or vector(0)` beside the failed requests, and "
        "only there, says that there were none"
    )


@check(points=1, needs=follows_the_choice, domains=DOMAINS)
async def sees_all_connections(lab: Lab) -> None:
    """`Connections watched` is how many connections are watched now, by all pods together."""
    world = await lab.once(injected)
    own = [_watched(world, world.airlines[:1], SPAN, [pod])[""] for pod in PODS]
    known = (
        (max(own), "this is the pod that watches most; each watches connections of its own, so they add up"),
        (_mean(own), "this is the mean of the pods; each watches connections of its own, so they add up"),
    )
    why = "a gauge says how it is now: no rate() and no average over time. Each pod has its own, so sum()"
    await right(lab, CONNECTIONS, known, why)


@check(points=2, needs=follows_the_choice, domains=DOMAINS)
async def ranks_destinations(lab: Lab) -> None:
    """`Latest destinations` are the three with the highest mean predicted delay of the last five minutes, with it."""
    board, world = await lab.once(dashboard), await lab.once(injected)
    mine = world.airlines[:1]
    by_pod = [_lateness(world, mine, [pod]) for pod in PODS]
    means = _first({dest: _mean([each[dest] for each in by_pod]) for dest in DESTINATIONS})
    sums = _first({dest: world.events(DELAY, mine, RECENT, dest=dest) for dest in DESTINATIONS})
    found = (await ask(lab, board, LATEST, mine, world)).by(LATEST.by)
    why = (
        "a mean is a _sum divided by its _count: sum by (dest) (rate(..._sum[5m])) / sum by (dest) "
        "(rate(..._count[5m])), and topk(3, ...) of that is the three highest"
    )
    if set(found) == set(means):
        why = (
            "these lead when the pods' means are averaged, and a pod that saw one flight to a place weighs as much as "
            "one that saw a hundred. Add up first, then divide"
        )
    elif set(found) == set(sums):
        why = "these have the most delay in all, as most flights go there; a mean is divided by how many they are"
    await right(lab, LATEST, (), why)


@check(points=2, needs=follows_the_choice, domains=DOMAINS)
async def says_no_data(lab: Lab) -> None:
    """For an airline of which nothing is known no panel has data: no 0, no 100 %, nothing that looks well."""
    board, world = await lab.once(dashboard), await lab.once(injected)
    for figure in FIGURES:
        shown = await ask(lab, board, figure, world.airlines[3:], world)
        empty = not shown.error and not shown.found
        must(
            Observation(empty, f"{figure.title}: no data", str(shown), None, () if empty else shown.sent),
            "a number where nothing is known: the day on which Prometheus loses sight of the pods will look quiet, or "
            "perfect. `or vector(0)` belongs beside the part that may rightly be missing, such as failed requests, and "
            "not around the whole; what it is divided by is then empty, and so is the result",
        )
        written = [text for text in _panel(board, figure).empty if any(letter.isdigit() for letter in text)]
        must(
            Observation(
                not written,
                f"{figure.title}: no number in place of data",
                f"it writes {written[0]}" if written else "none",
            ),
            "the option `noValue`, and a value mapping of null or NaN, are what a panel writes when its query returned "
            "nothing. A dash says so; a number says something else",
        )
    current.note("none of the eight panels shows anything")


@check(points=2, needs=follows_the_choice, domains=DOMAINS)
async def reads_right(lab: Lab) -> None:
    """What a reader sees is what was measured: each panel has its unit, values in that unit, and shows the last one.

    A share is right as 0.42 with the unit percentunit, and as 42 with percent.
    """
    board, world = await lab.once(dashboard), await lab.once(injected)
    for figure in FIGURES:
        panel = _panel(board, figure)
        scales = [scale for unit in panel.units if (scale := figure.scale(unit)) is not None]
        fit = [*list(figure.units)[:3], *(f"your own with {part!r}" for part in figure.own)]
        unit = ", ".join(panel.units) or "no unit"
        must(
            Observation(bool(scales), f"{figure.title}: a unit that fits ({', '.join(fit)}, ...)", unit),
            "fieldConfig.defaults.unit names it. Without one Grafana writes a bare number, with another a wrong word: "
            "https://grafana.com/docs/grafana/latest/panels-visualizations/configure-standard-options/#unit",
        )
        shown = await ask(lab, board, figure, world.airlines[:1], world)
        truth = figure.truth(world, world.airlines[:1], SPAN)
        used = _scale(figure, shown.by(figure.by), truth)
        must(
            Observation(
                used is None or any(math.isclose(used, scale) for scale in scales),
                f"{figure.title}: {_told(truth, scales[0])} in the unit {unit}",
                str(shown),
                None,
                shown.sent,
            ),
            "a unit says how a value is written. percentunit takes 0.42 and writes 42 %, percent takes 42; s takes "
            "seconds, ms milliseconds, m minutes. Convert in the query or choose the unit, one of the two",
        )
        moves = panel.kind in ("stat", "gauge", "bargauge", "piechart") and not all(q.instant for q in panel.queries)
        others = [calc for calc in panel.calcs if calc not in ("last", "lastNotNull")] if moves else []
        seen = f"the {others[0]} of its values" if others else "the last"
        must(
            Observation(not others, f"{figure.title}: shows the last value of its query", seen),
            f"a {panel.kind} makes one number of a whole time range, by options.reduceOptions.calcs. The query has a "
            "window of its own already; lastNotNull shows what it says now, and so does an instant query",
        )
    current.note("all eight panels read as they were measured")


# How it is done.


async def dashboard(lab: Lab) -> Dashboard:
    """The learner's dashboard; made by the learner's program, where there is one."""
    if not is_file(lab.work.folder / PROGRAM):
        return _read(lab.work.folder / FILE)
    with lab.work.copy(without=FILE) as copy:
        ended = await copy.command(f"./{PROGRAM}", within=BUILT_WITHIN)
        expect(ended.observed(ended.code == 0, f"./{PROGRAM} exits with 0 within {BUILT_WITHIN} s")).because(
            f"the checker runs it in a copy of the folder, and reads the {FILE} that it writes there"
        )
        return _read(copy.folder / FILE)


def _read(file: Path) -> Dashboard:
    text, seen = "", "there is none"
    try:
        if file.is_file():
            with file.open(encoding="utf-8") as opened:
                text, seen = opened.read(LARGEST + 1), ""
    except (OSError, UnicodeDecodeError) as wrong:
        seen = str(wrong.strerror) if isinstance(wrong, OSError) else f"not UTF-8: {wrong.reason}"
    expect(Observation(not seen, f"{FILE} in the workspace", seen or "it is there")).because(
        f"{FILE} lies in the lab's folder; a program that makes it is named {PROGRAM} and writes it beside itself"
    )
    try:
        return read(text)
    except NotADashboard as wrong:
        lines = text.split("\n")
        near = tuple(f"{at}: {lines[at - 1][:160]}" for at in (wrong.line - 1, wrong.line) if 1 <= at <= len(lines))
        expect(Observation(False, f"{FILE}: a dashboard in JSON", str(wrong), None, near)).because(
            "Grafana passes over such a file, and says the same in its log. JSON takes no comma after the last entry, "
            'no comment, and quotes within a text as \\". python3 -m json.tool dashboard.json says the place, too'
        )
        raise


def _plain(title: str) -> str:
    return " ".join(title.lower().split())


def _panel(board: Dashboard, figure: Figure) -> Panel:
    return next(panel for panel in board.panels if _plain(panel.title) == _plain(figure.title))


def _asks(board: Dashboard, name: str) -> bool:
    return board.variables[name].label_values is not None


async def injected(lab: Lab) -> World:
    """The checker's airlines, with what happened to them in Prometheus."""
    now = (await lab.platform.prometheus.query("time()"))[0].points[0][1] or 0.0
    taken = await lab.platform.prometheus.values(WATCHED, "airline")
    world = draw(random.Random(), int(now) // STEP * STEP, taken)
    backfill, labels = lab.platform.prometheus.backfill, {"app.kubernetes.io/name": "answers"}
    await asyncio.gather(
        backfill(world.pods, world.at, labels=labels, within=SCRAPED_WITHIN),
        backfill({"d": world.elsewhere}, world.at, labels=labels, within=SCRAPED_WITHIN, namespace=ELSEWHERE),
    )
    return world


async def choices(lab: Lab, board: Dashboard, name: str, namespace: str) -> list[str]:
    """What a variable offers while a namespace is chosen."""
    variable = board.variables[name]
    series, label = variable.label_values or ("", "")
    filled = board.fill(series, {"namespace": [namespace], "airline": [ALL]}, span=SPAN)
    try:
        return await lab.time.in_thread(variable.kept, await lab.platform.prometheus.values(filled, label))
    except (QueryRefused, NoPrometheus, NotADashboard) as refused:
        seen = refused.message if isinstance(refused, QueryRefused) else str(refused)
        if isinstance(refused, NoPrometheus):
            seen = await _no_answer(lab)
        asked = (f"as sent: label_values({filled}, {label})",)
        expect(Observation(False, f"variable {name}: a question that Prometheus takes", seen, None, asked)).because(
            'label_values takes a metric with or without a selector, such as flights_answered_total{namespace="x"}, '
            "and the name of a label"
        )
        raise


def _offers(name: str, wanted: Sequence[str], offered: Sequence[str]) -> Observation:
    there = f"{', '.join(offered[:8])}{', ...' * (len(offered) > 8)}" or "nothing"
    return Observation(set(wanted) <= set(offered), f"{name} offers {', '.join(wanted)}", f"it offers {there}")


async def ask(
    lab: Lab,
    board: Dashboard,
    figure: Figure,
    airlines: Sequence[str],
    world: World | None = None,
    *,
    namespace: str = SYSTEM_NAMESPACE,
    span: int = SPAN,
) -> Shown:
    """What a panel shows at the world's end (now, without a world) while these airlines are chosen."""
    options = {"airline": await choices(lab, board, "airline", namespace)} if ALL in airlines else {}
    chosen = {"namespace": [namespace], "airline": airlines}
    queries = tuple(
        board.fill(query.expr, chosen, span=span, options=options) for query in _panel(board, figure).queries
    )
    found: list[Series] = []
    for query in queries:
        try:
            found += await lab.platform.prometheus.query(query, float(world.at) if world else None)
        except QueryRefused as refused:
            return Shown(queries, error=refused.message)
        except NoPrometheus:
            return Shown(queries, error=await _no_answer(lab))
    return Shown(queries, tuple(found))


async def _no_answer(lab: Lab) -> str:
    """Put the blame on the query that was not answered, if Prometheus answers another one; else raises LabError."""
    await lab.platform.prometheus.query("vector(1)")
    return f"no answer within {lab.platform.prometheus.limit:g} s"


async def right(lab: Lab, figure: Figure, known: Sequence[tuple[float, str]], why: str, *, span: int = SPAN) -> None:
    """Hold a panel against the truth, for one airline and for two.

    Args:
        known: wrong numbers for one airline that tell how they were made, with what to say then.
        why: what to say otherwise.
    """
    board, world = await lab.once(dashboard), await lab.once(injected)
    over = f" in {span // 60} minutes" if figure in (MONEY, BUDGET) else ""
    for airlines, whose in ((world.airlines[:1], "one airline"), (world.airlines[:2], "two airlines")):
        shown = await ask(lab, board, figure, airlines, world, span=span)
        values, said = [value for _, value in shown.found], why
        if len(values) == 1 == len(airlines):
            told = (text for value, text in known if _near(values[0], value) or _near(values[0], value * 100))
            said = next(told, why)
        if len(values) > 1 and not figure.by:
            said = f"{len(values)} series where a reader wants one number: some label is left to tell them apart. {why}"
        expect(_compared(figure, shown, figure.truth(world, airlines, span), f"{whose}{over}")).because(said)


def must(seen: Observation, why: str) -> None:
    """One expectation of many: fails as `expect` does, and is not told of where it is met."""
    if not seen.ok:
        expect(seen).because(why)


def _compared(figure: Figure, shown: Shown, truth: Values, whose: str) -> Observation:
    good = len(shown.found) == len(truth) and _scale(figure, shown.by(figure.by), truth) is not None
    expected = f"{figure.title}, {whose}: {_told(truth)} ({next(iter(figure.units))})"
    return Observation(good, expected, str(shown), None, () if good else shown.sent)


def _told(values: Values, scale: float = 1.0) -> str:
    return ", ".join(f"{name} {value * scale:.5g}".strip() for name, value in values.items())


def _scale(figure: Figure, values: Values, truth: Values) -> float | None:
    """What the true numbers are multiplied by to be these, in a unit that fits; None if in none."""
    if set(values) != set(truth):
        return None
    fits = (
        scale
        for scale in dict.fromkeys(figure.units.values())
        if all(_near(values[name], value * scale) for name, value in truth.items())
    )
    return next(fits, None)


def _near(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=1e-9)


def _has(figure: Figure, shown: Shown, whose: str) -> Observation:
    there = bool(shown.found) and not shown.error
    return Observation(there, f"{figure.title}: data for {whose}", str(shown), None, () if there else shown.sent)


def _differs(figure: Figure, one: Shown, two: Shown, what: str) -> Observation:
    same = one.same(two)
    seen = f"{one} in both" if same else "other data"
    return Observation(not same, f"{figure.title}: other data for another {what}", seen, None, one.sent if same else ())


def _why_nothing(shown: Shown) -> str:
    """Why a query returns nothing for an airline that has been answered all the time."""
    if any(SYSTEM_NAMESPACE not in query for query in shown.queries):
        return (
            f"the namespace that was chosen, {SYSTEM_NAMESPACE}, is not in what was sent: the query has another one "
            f"typed "
            'in. namespace="$namespace" is what the reader has chosen'
        )
    words = set(re.findall(r"[a-z]\w*_\w+", re.sub(r'"[^"]*"', "", " ".join(shown.queries))))
    known = [*METRICS, "answer_duration_seconds_sum", "answer_duration_seconds_count"]
    for word in sorted(words - set(known)):
        if near := difflib.get_close_matches(word, known, n=1, cutoff=0.8):
            return (
                f"there is no metric {word}, there is {near[0]}. Prometheus does not complain of a name that it has "
                f"never "
                "heard: of that there is nothing, and so it answers"
            )
    return (
        "a selector that matches nothing returns nothing, and is no error. Take the query apart in lab open "
        "prometheus, from the inside: is there the metric, has each label that value, do both sides of an operator "
        "keep the same labels?"
    )
