"""Airlines that nobody has heard of, and what the checker's pods tell of them.

Pods of the checker's own tell Prometheus what happened in the last 15 minutes. In another namespace there are flights
of the same airlines, which belong into no panel. The large pod has less to do in the last two minutes, and one that
nobody asks any more was busy until five minutes ago, with all that it tells unlike the others: so a share, a percentile
and a mean of another window than five minutes are other numbers.
"""

from __future__ import annotations

import math
import random
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlops_lab.measure.services.backfill import STEP, Counter, Gauge, Past, rhythm

RECENT, SPAN, SHORT, PAST = 300, 600, 300, 900  # s: averages, the dashboard's time range, another one, the history
ANSWERED, REQUESTS, MONEY_SAVED = "flights_answered_total", "answer_requests_total", "saved_cents_total"
OFFERED, ACCEPTED, BUCKETS = "rebookings_offered_total", "rebookings_accepted_total", "answer_duration_seconds_bucket"
WATCHED, DELAY, DELAYS = "connections_watched", "predicted_delay_seconds_sum", "predicted_delay_seconds_count"
METRICS = (ANSWERED, REQUESTS, MONEY_SAVED, OFFERED, ACCEPTED, BUCKETS, WATCHED, DELAY, DELAYS)
SHORTER, ABOUT = (3 * STEP, 60), 0.03  # s of windows in which another number of flights comes; the least difference

# A small pod, a middling one and a large one. They differ in all they tell, so that no pod speaks for the others.
WEIGHT = {"a": 1, "b": 4, "c": 9}
PODS = tuple(WEIGHT)
EARLIER = "d"  # who was asked until five minutes ago
ALL_PODS = (*PODS, EARLIER)
TAKEN = {"a": 0.72, "b": 0.41, "c": 0.18}  # of the rebookings offered
FAILED = {"a": 0.012, "b": 0.001, "c": 0.0005}  # of the requests
ANSWERED_OTHERWISE = (0.03, 0.02, 0.02, 0.02)  # of the requests: with 422, and with each other status of no failure
FAILED_WITH = (0.3, 0.3, 0.4)  # of the requests that fail, with each status
BOUNDS = ("0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "+Inf")  # of the histogram, in s
UP_TO = {
    "a": (0.50, 0.90, 0.980, 0.995, 1.00, 1.000, 1.0),
    "b": (0.20, 0.55, 0.900, 0.970, 0.99, 1.000, 1.0),
    "c": (0.05, 0.20, 0.550, 0.830, 0.97, 0.995, 1.0),
}
DESTINATIONS = ("ATL", "BOS", "DEN", "LAX", "MIA", "ORD", "SFO")
# Flights (relative) and minutes of predicted delay, on each pod. The latest on average are the last, to which there are
# three flights in five minutes, the first and the third; the second is among them if the pods' means are averaged, the
# fifth if delays are added up.
ROUTES = (
    ((1.00, 4.00, 9.00), (22, 22, 22)),
    ((0.05, 0.10, 9.00), (60, 50, 6)),
    ((1.00, 4.00, 4.00), (20, 18, 17)),
    ((1.00, 1.00, 6.00), (14, 15, 16)),
    ((1.00, 8.00, 20.0), (12, 12, 12)),
    ((0.50, 1.00, 2.00), (4, 5, 6)),
    ((0.02, 0.04, 0.04), (31, 31, 31)),
)
SIZES = (1.0, 0.55, 0.3)  # of the airlines
SPENT = ((0.8, 1.2), (5.0, 8.0), (0.0, 0.0))  # by what their failures are multiplied: too many, of the second; none
NOT_YET = (OFFERED, ACCEPTED, MONEY_SAVED)  # what the third has not had, so that there is no such series of it
# Of failures, beside 500, without which who counts that alone would see none at all; one of each list. None is of those
# that somebody types, and a part of the 5xx has not both.
STATUSES = (("501", "505", "507", "508"), ("511", "520", "524", "599"))
# Of answers, beside 200 and 422; one of each list. None is of those that somebody types either.
ANSWERS = (("202", "204", "206"), ("302", "304", "307"), ("400", "404", "409", "413", "429"))
GONE = range(33, 42)  # slots since when a fourth pod is not there any more
RESTARTS = {"a": (), "b": (13, 44), "c": (20, 71)}  # slots of 10 s, counted back from the end
RUSH = (2.2, 0.4, 1.9, 0.3, 2.0, 1.4)  # the last minute: the agencies ask in bunches
CALM = tuple(each / 8 for each in RUSH * 2)  # the large pod's last two minutes
EARLIER_RATE = 4.0  # requests a second of the largest airline
EARLIER_TAKEN = 0.93  # of the rebookings offered
EARLIER_UP_TO = (0.0, 0.0, 0.02, 0.05, 0.30, 0.97, 1.0)
EARLIER_MINUTES = (3, 4, 5, 38, 44, 33, 2)  # of predicted delay, in the order of ROUTES


@dataclass(frozen=True)
class World:
    """What the checker's pods tell.

    Attributes:
        at: Unix time of its end.
        airlines: three that fly; the third has just signed.
        nowhere: an airline of which nothing is known.
        idle: one that has not asked for anything since before the history began; its counters stand still.
        refused: one whose requests have all failed, from the first.
        longer: one whose code begins with the first one's.
        versions: of the model, by pod; the small one tries the next.
        failures: the statuses that failed requests have.
        answers: the statuses that others have, beside 200.
        pods: by the ends of their names; the last is the one that nobody asks any more.
        elsewhere: of a pod in another namespace, where two of the airlines fly as well.
        gone: of a pod that was there until `ended`.
        ended: Unix time. What it told last is too old to be of now, for Prometheus: that looks back for 5 minutes.
    """

    at: int
    airlines: tuple[str, ...]
    nowhere: str
    idle: str
    refused: str
    longer: str
    versions: Mapping[str, str]
    failures: tuple[str, ...]
    answers: tuple[str, ...]
    pods: Mapping[str, Past]
    elsewhere: Past
    gone: Past
    ended: int

    def events(
        self, metric: str, airlines: Sequence[str], seconds: int, pods: Sequence[str] = ALL_PODS, **labels: str
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

    def lateness(
        self, airlines: Sequence[str], pods: Sequence[str] = ALL_PODS, seconds: int = RECENT
    ) -> dict[str, float]:
        """The mean predicted delay of recent flights by destination, in seconds."""
        return {
            dest: self.events(DELAY, airlines, seconds, pods, dest=dest)
            / self.events(DELAYS, airlines, seconds, pods, dest=dest)
            for dest in DESTINATIONS
        }


def draw(rng: random.Random, at: int, taken: Sequence[str] = ()) -> World:
    """A world of airlines that are not taken, and of which none is in its place by a hair."""
    free = (code for _ in range(1000) if (code := "".join(rng.choices(string.ascii_uppercase, k=3))) not in taken)
    codes = list(dict.fromkeys(next(free) for _ in range(40)))[:6]
    nowhere, idle, refused = codes[3:]
    longer = codes[0] + rng.choice(string.ascii_uppercase)
    windows, old = (RECENT, SPAN, PAST), rng.randint(10, 98)
    versions = {"a": str(old + 1), "b": str(old), "c": str(old)}
    failures = tuple(rng.sample(("500", *map(rng.choice, STATUSES)), len(FAILED_WITH)))
    answers = ("422", *map(rng.choice, ANSWERS))
    while True:
        newest = (RUSH, RUSH, CALM, (0.0,) * (RECENT // STEP), RUSH)
        paces = zip(newest, (0.1, 0.6, 0.5, 1, 1), strict=True)
        rhythms = [rhythm(rng, last, windows, PAST // STEP, older) for last, older in paces]
        pods = {pod: Past(own, RESTARTS.get(pod, ())) for pod, own in zip(ALL_PODS, rhythms, strict=False)}
        gone, ended = Past(rhythms[-1]), at - STEP * rng.choice(GONE)
        world = World(
            at, tuple(codes[:3]), nowhere, idle, refused, longer, versions, failures, answers, pods,
            Past(rhythms[-1]), gone, ended,
        )  # fmt: skip
        for airline, size, spent in zip(codes, SIZES, SPENT, strict=False):
            dests, fails = rng.sample(DESTINATIONS, len(DESTINATIONS)), dict.fromkeys(failures, rng.uniform(*spent))
            for pod in PODS:
                without = NOT_YET if airline == codes[2] else ()
                _fill(rng, pods[pod], pod, airline, size, dests, versions[pod], answers, fails, without=without)
            if airline != codes[2]:
                _fill_earlier(rng, pods[EARLIER], airline, size, dests)
        for pod in PODS:
            fails = dict.fromkeys(failures, 1.0)
            _fill(rng, pods[pod], pod, world.idle, 1.0, DESTINATIONS, versions[pod], answers, fails, pace=0)
            _refuse(rng, pods[pod], pod, world.refused, failures)
        fails = dict.fromkeys(failures, 4.0)
        _fill(rng, pods["b"], "b", longer, 1.2, rng.sample(DESTINATIONS, 7), versions["b"], answers, fails)
        for airline in codes[:2]:
            dests = rng.sample(DESTINATIONS, len(DESTINATIONS))
            fails = dict.fromkeys(failures, 1.0)
            _fill(rng, world.elsewhere, "b", airline, 1.7, dests, versions["b"], answers, fails)
            _leave(rng, gone, airline, versions["b"])
        ranked = [sorted(world.lateness(which).values(), reverse=True) for which in (codes[:1], codes[:2])]
        apart = all(each[place] > each[place + 1] * 1.04 for each in ranked for place in range(3))
        if apart and not any(_as_fast(world, seconds) for seconds in SHORTER):
            return world


def _as_fast(world: World, seconds: int) -> bool:
    """Were flights of the first airline answered about as fast in the last seconds as in all the five minutes?"""
    short, long = (world.events(ANSWERED, world.airlines[:1], each) / each for each in (seconds, RECENT))
    return abs(short / long - 1) < ABOUT


def _leave(rng: random.Random, past: Past, airline: str, version: str) -> None:
    """What a pod tells that is drained: it watches connections to its end, and nobody asks it any more."""
    past.counters.append(Counter(ANSWERED, {"airline": airline, "version": version}, 0.0, 50_000.0))
    watched = [rng.randint(40, 60) for _ in range(PAST // STEP + 1)]
    past.gauges.append(Gauge(WATCHED, {"airline": airline}, watched))


def _fill_earlier(rng: random.Random, past: Past, airline: str, size: float, dests: Sequence[str]) -> None:
    """What the pod tells that nobody asks any more: it was slow, and took others for late than the rest do."""
    requests = EARLIER_RATE * size * rng.uniform(0.9, 1.1)
    told: list[tuple[str, float, dict[str, str]]] = [
        (REQUESTS, requests, {"status": "200"}), (OFFERED, requests, {}), (ACCEPTED, requests * EARLIER_TAKEN, {}),
        ("answer_duration_seconds_count", requests, {}), ("answer_duration_seconds_sum", requests * 1.7, {}),
    ]  # fmt: skip
    told += [(BUCKETS, requests * share, {"le": le}) for le, share in zip(BOUNDS, EARLIER_UP_TO, strict=True)]
    for dest, minutes in zip(dests, EARLIER_MINUTES, strict=True):
        told += [(DELAYS, requests / 10, {"dest": dest}), (DELAY, requests * 6 * minutes, {"dest": dest})]
    for metric, rate, labels in told:
        past.counters.append(Counter(metric, {"airline": airline, **labels}, rate, rate * 60_000))


def _refuse(rng: random.Random, past: Past, pod: str, airline: str, failures: Sequence[str]) -> None:
    """Requests of an airline that all fail: there is no series of any other status."""
    for part, status in zip(FAILED_WITH, failures, strict=True):
        rate = 0.4 * WEIGHT[pod] * part * rng.uniform(0.9, 1.1)
        past.counters.append(Counter(REQUESTS, {"airline": airline, "status": status}, rate, rate * 60_000))


def _fill(
    rng: random.Random,
    past: Past,
    pod: str,
    airline: str,
    size: float,
    dests: Sequence[str],
    version: str,
    answers: Sequence[str],
    fails: Mapping[str, float],
    *,
    without: Sequence[str] = (),
    pace: float = 1.0,
) -> None:
    """One pod's series of one airline.

    Args:
        answers: the statuses that requests have which did not fail, beside 200.
        fails: by status, by what failures are multiplied; where that is 0 there is no such series.
        without: metrics of which it has no series.
        pace: of its counters, from the beginning of the history on.
    """

    def about(value: float, by: float = 0.1) -> float:
        return value * rng.uniform(1 - by, 1 + by)

    def count(metric: str, rate: float, age: float = 0, **labels: str) -> None:
        if metric not in without:
            base = rate * (age or about(60_000))
            past.counters.append(Counter(metric, {"airline": airline, **labels}, rate * pace, base))

    requests, failed = about(0.6 * WEIGHT[pod] * size), about(FAILED[pod]) / size**0.5
    shares = {status: failed * part * times for part, (status, times) in zip(FAILED_WITH, fails.items(), strict=True)}
    shares |= dict(zip(answers, ANSWERED_OTHERWISE, strict=True))
    for status, share in {"200": 1 - sum(shares.values()), **shares}.items():
        if share:
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
    # A fifth more than now on average, in a window of any length, and sometimes fewer.
    watched = [round(now * (1 + bool(slot) * (0.2 + 0.3 * math.sin(slot)))) for slot in range(PAST // STEP + 1)]
    past.gauges.append(Gauge(WATCHED, {"airline": airline}, watched))
