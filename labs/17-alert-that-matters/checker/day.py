"""What Prometheus sees of the model's three pods on a normal day, and of seven faults, in promtool's notation.

`replays` makes the input of `promtool test rules`; `fired` reads from its output which alerts fired, and when. What
happens is drawn (`plan`). Where many requests come, counters grow by fractions.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .plan import ENDS_WITHIN, HOUR, LEAD, STEP, TURN, Moment, Plan

Labels = dict[str, str]
Counter = tuple[str, str]  # name, labels
Growth = dict[Counter, float]  # in a step

BOUNDS = (
    "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf",
)  # fmt: skip
ALERT = re.compile(r'(\{(?:[^{}"]|"(?:[^"\\]|\\.)*")*\}) ([0-9.E+-]+)')  # in promtool's output: labels, value
# JSON's escapes: a character in two halves (UTF-16's surrogates), a half alone, any other.
ESCAPE = re.compile(r"(?P<whole>\\ud[89ab]..\\ud[c-f]..)|(?P<half>\\ud[89a-f]..)|\\.")
# Counters grow by whole parts of it, so that no sum is rounded: one that is less by a hair was set back, for rate().
EXACT = 2**16
BRISK = 0.4  # s that a brisk answer takes
UNSCRAPED, LOADING = 20, 90  # s: of a pod that starts, and then, while it loads its model
BEFORE = 6 * HOUR  # for so long the first pods have run when a replay begins
OF_A_POD = ("pod", "instance")  # labels whose values the next pod has of its own


@dataclass(frozen=True)
class Fired:
    """An alert that fired: its labels, since when (from midnight, or from the fault on), and for how long."""

    labels: Labels
    since: int
    lasted: int


def replays(
    plan: Plan, targets: Sequence[Labels], others: Sequence[Labels], rules: str, hours: int = 24
) -> dict[str, Any]:
    """The input of `promtool test rules`.

    Args:
        plan: of the day and the faults.
        targets: the labels that Prometheus gives to what it scrapes of the model's pods.
        others: the labels of `up` of what else it scrapes.
        rules: the name of the rule file.
        hours: of the normal day.
    """
    day: list[dict[str, str]] = []
    for number, labels in enumerate(targets):
        turns = [(deploy + number * TURN) // STEP for deploy in plan.deploys if deploy + number * TURN < hours * HOUR]
        cuts = [0, *turns, hours * HOUR // STEP + 1]
        for age, (begin, end) in enumerate(itertools.pairwise(cuts)):
            born = begin * STEP if age else -BEFORE
            day += Pod(_after(labels, age), number, len(targets), begin, end, born, starts=age > 0).series(plan.normal)
    questions = [each for hour in range(hours) for each in _questions("normal", hour * HOUR, (hour + 1) * HOUR)]
    tests = [_test("normal", 0, day, others, hours * HOUR, questions)]
    for name, trial in plan.trials.items():
        over = LEAD + trial.lasts
        lasts = over + ENDS_WITHIN
        series, end, born = [], lasts // STEP + 1, trial.begins - BEFORE
        turn = LEAD // STEP + 1 if trial.replaced else end
        for number, labels in enumerate(targets):
            series += Pod(labels, number, len(targets), 0, turn, born).series(trial.moment)
            if trial.replaced:
                new = Pod(_after(labels, 1), number, len(targets), turn, end, trial.begins + LEAD, fresh=True)
                series += new.series(trial.moment)
        spans = itertools.pairwise((0, LEAD, over, lasts))
        questions = [each for begin, end in spans for each in _questions(name, begin, end, trial.begins)]
        tests.append(_test(name, trial.begins, series, others, lasts, questions))
    return {"rule_files": [rules], "evaluation_interval": f"{STEP}s", "tests": tests}


def fired(output: str) -> dict[str, list[Fired]]:
    """The alerts that fired, by what was replayed: `normal`, or a name of the plan's trials."""
    found: dict[tuple[str, int, str], list[int]] = {}
    for block in re.split(r"^ +expr: ", output, flags=re.MULTILINE)[1:]:
        query = re.search(r'replay!=\\"([a-z-]+)/(\d+)/(since|count)\\"', block)
        for text, value in ALERT.findall(block.partition("got:")[2]) if query else ():
            assert query
            name, begin, kind = query.groups()
            entry = found.setdefault((name, int(begin), text), [0, 0])
            entry[kind == "count"] = round(float(value)) * (STEP if kind == "count" else 1)
    alerts: dict[str, list[Fired]] = {}
    for (name, begin, text), (since, lasted) in sorted(found.items()):
        labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', text))
        labels.pop("alertstate", None)
        at, known = since + begin - (0 if name == "normal" else LEAD), alerts.setdefault(name, [])
        # What goes on over the hour, or after its fault, was asked for twice.
        before = next((each for each in known if each.labels == labels and each.since + each.lasted >= at), None)
        if before:
            known.remove(before)
        known.append(Fired(labels, before.since if before else at, lasted + (before.lasted if before else 0)))
    return alerts


def _after(labels: Labels, age: int) -> Labels:
    """The labels of the pod that comes so many after one."""
    return {key: f"{value}-{age}" if age and key in OF_A_POD else value for key, value in labels.items()}


def _test(
    name: str, start: int, series: list[dict[str, str]], others: Sequence[Labels], lasts: int, questions: list[Any]
) -> dict[str, Any]:
    also = [{"series": _named("up", _text(labels)), "values": f"1x{lasts // STEP}"} for labels in others]
    return {
        "name": name, "interval": f"{STEP}s", "start_timestamp": str(start), "input_series": [*series, *also],
        "promql_expr_test": questions,
    }  # fmt: skip


def _questions(name: str, begin: int, end: int, start: int = 0) -> Iterator[dict[str, Any]]:
    """Since when, from `begin` on, has which alert fired, and in how many steps? promtool shows what it did not expect.

    It shows few digits, so the time is counted from `begin`.
    """
    over = end - begin
    for kind, query in (
        ("since", f"min_over_time(timestamp(%s)[{over}s:{STEP}s]) - {start + begin}"),
        ("count", f"count_over_time(%s[{over}s])"),
    ):
        alerts = f'ALERTS{{alertstate="firing",replay!="{name}/{begin}/{kind}"}}'
        yield {"expr": query % alerts, "eval_time": f"{end}s", "exp_samples": []}


@dataclass(frozen=True)
class Pod:
    """A pod from one step to another; one that starts can't be scraped for a while, and then loads its model.

    Attributes:
        born: when its process started.
        fresh: whether it has counted nothing yet when it begins.
    """

    labels: Labels
    number: int
    pods: int
    begin: int
    end: int
    born: int
    starts: bool = False
    fresh: bool = False

    def series(self, moment: Callable[[int], Moment]) -> list[dict[str, str]]:
        """All that is scraped of it."""
        parts = [(state, len(list(steps))) for state, steps in itertools.groupby(self._states(moment))]
        born = {} if self.starts or self.fresh else dict.fromkeys(_grown(Moment(1), 1.0), 1.0)
        counters = dict.fromkeys([*born, *(key for state, _ in parts if state for key in _grown(*state))])
        ups = [(None if state is None else int(bool(state)), length) for state, length in parts]
        found = [{"series": _named("up", _text(self.labels)), "values": self._written(ups, 0.0, gauge=True)}]
        for key in _gauges(Moment(1), self.born):
            shown = [(_gauges(state[0], self.born)[key] if state else None, length) for state, length in parts]
            values = self._written(shown, 0.0, gauge=True)
            found.append({"series": _named(key[0], _text(self.labels) + key[1]), "values": values})
        for key in counters:
            steps = [(_grown(*state).get(key, 0.0) if state else None, length) for state, length in parts]
            values = self._written(steps, born.get(key), gauge=False)
            found.append({"series": _named(key[0], _text(self.labels) + key[1]), "values": values})
        return found

    def _states(self, moment: Callable[[int], Moment]) -> Iterator[tuple[Moment, float] | tuple[()] | None]:
        """For each step the moment and the pod's share of the requests; nothing while no scrape succeeds."""
        for step in range(self.begin, self.end):
            now, age = moment(step * STEP), (step - self.begin) * STEP
            there = self.pods - (now.away >= 0)
            share = float(now.only == self.number) if now.only >= 0 else 1 / there
            if now.up is None or now.away == self.number:
                yield None
            elif not now.up or self.number in now.lost or (self.starts and age < UNSCRAPED):
                yield ()
            else:
                if now.worst >= 0:
                    mine = self.pods * (now.worst == self.number)
                    now = replace(now, errors=now.errors * mine, slow=now.slow * mine)
                yield now, -1.0 if self.starts and age < UNSCRAPED + LOADING else share

    def _written(self, parts: Sequence[tuple[float | None, int]], value: float | None, *, gauge: bool) -> str:
        """In promtool's notation: a gauge's values, or a counter that grows by them; None for a scrape without it.

        Args:
            value: before the first step; None for a counter that has not counted yet, which no server shows.
        """
        words, there = [f"_x{self.begin}"] if self.begin else [], False
        for growth, length in parts:
            if growth is None or (value is None and not growth):
                words += (["stale"] if there else ["_"]) + ([f"_x{length - 1}"] if length > 1 else [])
                there = False
                continue
            there = True
            first = float(growth if gauge else (value or 0.0) + growth)
            step = 0.0 if gauge else growth
            words.append(f"{first!r}+{step!r}x{length - 1}")
            value = first + step * (length - 1)
        return " ".join([*words, "stale"] if there else words)


@functools.cache
def _grown(now: Moment, share: float) -> Growth:
    """By how much a pod's counters grow in one step; a share below 0 is that of a pod that loads its model."""
    loading, requests = share < 0, now.rate * max(0.0, share) * STEP
    failed, slow, refused = requests * now.errors, requests * now.slow, requests * now.refused
    found: Growth = {}

    def count(name: str, more: float, **labels: str) -> None:
        found[name, "," + _text(labels) if labels else ""] = round(more * EXACT) / EXACT

    total = "http_requests_total"
    failures = {now.status: failed / 2, now.also: failed / 2} if now.also else {now.status: failed}
    for status, more in {"200": requests - failed - refused, "422": refused, **failures}.items():
        count(total, more, route="/predict", status=status)
    # Readiness is asked for every 2 s, and liveness and metrics every 10 s. While the model loads the answer is 503.
    count(total, 0.0 if loading else 5.0, route="/readyz", status="200")
    if loading:
        count(total, 5.0, route="/readyz", status="503")
    count(total, 1.0, route="/healthz", status="200")
    count(total, 1.0, route="/metrics", status="200")
    for route, asks, waits, brisk in (("/predict", requests, slow, requests * now.brisk), ("/readyz", 5.0, 0.0, 0.0)):
        name, quick = "http_request_duration_seconds", asks - waits - brisk
        for bound in BOUNDS:
            below = float(bound)
            more = quick * min(1.0, (below / 0.025) ** 2) + brisk * (below >= BRISK) + waits * (below >= now.takes)
            count(f"{name}_bucket", more, route=route, le=bound)
        count(f"{name}_count", asks, route=route)
        count(f"{name}_sum", 0.012 * quick + BRISK * brisk + now.takes * waits, route=route)
    count("process_cpu_seconds_total", now.cpu * STEP)
    return found


def _gauges(now: Moment, born: int) -> dict[Counter, float]:
    """What a pod's gauges say."""
    return {
        ("process_start_time_seconds", ""): float(born),
        ("process_resident_memory_bytes", ""): now.memory,
        ("http_requests_in_progress", ',route="/predict"'): float(now.at_work),
        ("http_requests_in_progress", ',route="/metrics"'): 1.0,
    }


def written(value: Any) -> str:
    """JSON for promtool, which does not know JSON's escape in two halves, for characters beyond the first 65536."""

    def known(found: re.Match[str]) -> str:
        if found["whole"]:
            return str(json.loads(f'"{found[0]}"'))
        return "?" if found["half"] else found[0]

    return ESCAPE.sub(known, json.dumps(value))


def _text(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={written(value)}" for key, value in labels.items())


def _named(name: str, labels: str) -> str:
    return f"{name}{{{labels}}}"
