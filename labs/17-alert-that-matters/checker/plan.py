"""What happens on the normal day and in the faults, as it is drawn for a run: times, shares, and which pod.

Most is near the limits of the README's table, on either side. Times are seconds; a day begins at midnight UTC.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

STEP = 10  # s between two scrapes, and between two evaluations
MINUTE, HOUR = 60, 3600
DAY = 24 * HOUR
WEEKEND = {2: "Saturday", 3: "Sunday"}  # days after the first one, 1 January 1970, which was a Thursday
WORKING = (0, 1, 4, 5, 6)
NIGHT, EVENING = 5 * HOUR, 20 * HOUR  # until when nearly nobody asks, and from when on fewer and fewer do
RARE = 2 * MINUTE  # from one request to the next at night
LEAD, FAULT = 20 * MINUTE, 6 * MINUTE  # before a fault, and how long it lasts
LONG = 70 * MINUTE  # that answers are slow by day: what is critical once that has lasted for a while fires by then
RESOLVED_WITHIN = 90  # s from the end of a fault, or of an alert, to the message about it
ENDS_WITHIN = (
    150  # s from the end of a replayed fault: these are larger, and take longer to leave a window of two minutes
)
FIRST = 2 * MINUTE  # of a fault that gets worse
TURN = 2 * MINUTE  # from the replacement of one pod to that of the next
PODS = 3
SLOTS = range(7, 19)  # hours of the day in which something happens, at most one thing in each
# The usual ones of 5xx, and others: a rule that lists those misses these. One that leaves out a block, as `50.` and
# `5[0-2].` do, misses the higher ones or the highest.
USUAL, HIGHER, HIGHEST = ("500", "502", "503", "504"), ("511", "520", "524"), ("598", "599")
OTHERS = ("501", "505", "507", *HIGHER, *HIGHEST)
AFTER = 5 * MINUTE  # for so long what happened may still be seen
RUSH_MEMORY, RUSH_AT_WORK = 3.8e8, 24  # of each pod at the rush hour: bytes of a limit of 4e8, and requests
KINDS = ("errors", "errors-few", "errors-all"), ("slow", "slow-few"), ("gone", "hanging")  # of faults
OF_THE_TAKEN = 0.054  # of what is not refused so much fails while a partner sends rubbish: about 2 % of all


@dataclass(frozen=True)
class Moment:
    """What comes in within a step.

    Attributes:
        rate: requests a second, on all pods together.
        errors, slow, refused: the shares of them that are answered with `status`, that take `takes` seconds, and that
            are answered with 422.
        brisk: the share that takes 0.4 s.
        cpu: cores that each pod uses.
        memory: bytes that each pod uses.
        at_work: requests that each pod is at work on when it is scraped.
        up: of each pod: 1, 0 where a scrape fails, None where there is no pod.
        only: all requests of this step come to the pod of this number; -1 where they are spread.
        lost: the numbers of the pods whose scrapes fail.
        also: the status of every second request that fails; empty where all have the same.
        worst: the number of the pod that all requests which fail or are slow come to; -1 where they are spread.
        away: the number of a pod that is gone, and is no target any more; -1 for none.
    """

    rate: float
    errors: float = 0.005
    slow: float = 0.005
    refused: float = 0.01
    cpu: float = 0.3
    memory: float = 1.6e8
    at_work: int = 0
    up: int | None = 1
    only: int = -1
    status: str = "500"
    takes: float = 1.5
    brisk: float = 0.0
    lost: tuple[int, ...] = ()
    also: str = ""
    worst: int = -1
    away: int = -1


@dataclass(frozen=True)
class Trial:
    """A fault: the severity of its alert, what it is, when its replay begins, and what is seen before, in and after it.

    Attributes:
        worse: what is seen once its alert has to fire; None where it stays as it is.
        replaced: whether it comes with new pods, which have counted nothing yet.
        lasts: for how long.
    """

    severity: str
    what: str
    begins: int
    before: Moment
    during: Moment
    worse: Moment | None = None
    replaced: bool = False
    lasts: int = FAULT

    def moment(self, at: int) -> Moment:
        """A moment of its replay; what is seen afterwards is what was seen before."""
        if not LEAD < at <= LEAD + self.lasts:
            return self.before
        if self.worse and at > LEAD + FIRST:
            return self.worse
        return self.during


class Event(NamedTuple):
    """Something that happens on the normal day: of a kind, from when on, for how long, in words, and how large."""

    kind: str
    at: int
    lasts: int
    said: str
    size: float = 0.0


class Plan:
    """A normal day and seven faults.

    Attributes:
        events: of the day, in the order of time.
        trials: the faults, by a short name.
    """

    def __init__(self, chance: random.Random) -> None:
        self._crawl = round(chance.uniform(2, 8), 1)
        self.events = tuple(sorted(_events(chance, self._crawl), key=lambda each: each.at))
        self.trials = _trials(chance)
        self._night_status, self._day_status = _status(chance), _status(chance)
        self._worst = chance.randrange(PODS)

    @property
    def deploys(self) -> list[int]:
        """When the pods are replaced."""
        return [each.at for each in self.events if each.kind == "deploy"]

    def event(self, at: int, after: int = 0) -> Event | None:
        """What happens at a time, or did until so many seconds before it."""
        found = [each for each in self.events if each.at <= at < each.at + each.lasts + after]
        return found[-1] if found else None

    def normal(self, at: int) -> Moment:
        """A moment of the normal day."""
        event = self.event(at)
        kind, size = (event.kind, event.size) if event else ("", 0.0)
        if at < NIGHT:
            if at % RARE or kind == "nobody":
                return Moment(0, cpu=0.01)
            failed, slow = int(kind == "lonely-error"), int(kind == "lonely-wait")
            only = 0 if failed or slow else at // RARE % PODS
            return Moment(1 / STEP, failed, slow, 0, cpu=0.01, only=only, status=self._night_status)
        rate = usual(at)
        calm = Moment(rate, cpu=round(0.015 * rate, 3), status=self._day_status)
        changes: dict[str, Callable[[], Moment]] = {
            "hiccup": lambda: Moment(rate, errors=size, status=self._day_status),
            "failing": lambda: Moment(rate, errors=size, status=self._day_status, worst=self._worst),
            "lasting": lambda: Moment(rate, errors=size, slow=2 * size, takes=0.8, status=self._day_status),
            "pause": lambda: Moment(rate, slow=size),
            "sluggish": lambda: Moment(rate, slow=size, takes=0.8, worst=self._worst),
            "crawling": lambda: Moment(rate, slow=size, takes=self._crawl),
            "brisk": lambda: Moment(rate, brisk=size),
            "partner": lambda: Moment(rate, errors=beside_refused(size), refused=size, status=self._day_status),
            "rush": lambda: Moment(size, cpu=0.95, memory=RUSH_MEMORY, at_work=RUSH_AT_WORK),
            "lost": lambda: Moment(rate, lost=(int(size),)),
            "alone": lambda: Moment(rate, lost=tuple(each for each in range(PODS) if each != int(size))),
            "fewer": lambda: Moment(rate, away=int(size)),
            "blink": lambda: Moment(rate, up=0),
        }
        return changes.get(kind, lambda: calm)()

    def story(self, at: int) -> str:
        """What went on at a time of the normal day."""
        event = self.event(at, AFTER)
        if event is None:
            asked = "the night, with a request every two minutes" if at < NIGHT else "one request in 200 fails"
            return f"{clock(at)}: {asked}"
        return f"{clock(event.at)}: {event.said}"


def clock(at: int) -> str:
    """A time of the day."""
    return f"{at // HOUR:02}:{at % HOUR // MINUTE:02}"


def beside_refused(refused: float) -> float:
    """The share of all requests that fails while so large a share is refused."""
    return round(OF_THE_TAKEN * (1 - refused), 4)


def usual(at: int) -> float:
    """Requests a second by day: more every hour in the morning, fewer in the evening."""
    return 2.0 + 4 * min(4, (at - NIGHT) // HOUR) if at < EVENING else 18.0 - 5 * min(3, (at - EVENING) // HOUR)


def _status(chance: random.Random, among: tuple[str, ...] = USUAL + OTHERS) -> str:
    return chance.choice(among)


def _events(chance: random.Random, crawl: float) -> list[Event]:
    """Of the normal day: a night, nearly two hours close to a fault, a thing an hour by day, and an evening.

    Args:
        crawl: s that an answer takes where some take long.
    """
    error, wait = (RARE * step for step in chance.sample(range(10, 85, 8), 2))
    night, nobody = 3 * HOUR + STEP * chance.randrange(0, 240), 3 * HOUR + 50 * MINUTE + STEP * chance.randrange(0, 60)
    found = [
        Event("lonely-error", error, STEP, "one request failed; it was the only one in two minutes"),
        Event("lonely-wait", wait, STEP, "one request took 2 s; it was the only one in two minutes"),
        Event("deploy", night, 3 * TURN, "the pods were replaced, one after the other, while nobody asked"),
        Event("nobody", nobody, HOUR, "for an hour of the night no request came at all"),
    ]
    lasting, lasts = chance.uniform(0.035, 0.04), STEP * chance.randrange(6 * 95, 6 * 105)
    near = f"{lasting:.1%} of the requests failed, and {2 * lasting:.1%} of the answers took 0.8 s"
    begins = NIGHT + STEP * chance.randrange(0, 60)
    found.append(Event("lasting", begins, lasts, f"for {lasts // MINUTE} minutes {near}", lasting))
    hiccup, pause, failing = chance.uniform(0.3, 0.42), chance.uniform(0.5, 0.7), chance.uniform(0.03, 0.04)
    sluggish, crawling = chance.uniform(0.07, 0.08), chance.uniform(0.07, 0.08)
    brisk, refused = chance.uniform(0.2, 0.4), chance.uniform(0.55, 0.65)
    rush, pod = chance.randrange(36, 45), chance.randrange(PODS)
    found += _evening(chance, pod)
    long, short = 20 * MINUTE, STEP
    by_day = [
        ("deploy", 3 * TURN, "the pods were replaced, one after the other", 0.0),
        (
            "partner",
            long,
            f"a partner sent rubbish: {refused:.0%} of the answers were 422, and {beside_refused(refused):.1%} failed",
            refused,
        ),
        (
            "rush",
            long,
            f"the rush hour: {rush} requests a second, one in 200 fails; each pod uses 0.95 cores and "
            f"{RUSH_MEMORY / 1e6:.0f} MB, and is at work on {RUSH_AT_WORK} requests",
            rush,
        ),
        ("hiccup", short, f"for 10 s, {hiccup:.0%} of the requests failed", hiccup),
        ("pause", short, f"for 10 s, {pause:.0%} of the requests took longer than a second", pause),
        ("failing", long, f"for 20 minutes {failing:.1%} of the requests failed, all on one pod", failing),
        (
            "sluggish",
            long,
            f"for 20 minutes {sluggish:.1%} of the answers took 0.8 s, all on one pod: less than 10 %",
            sluggish,
        ),
        (
            "crawling",
            long,
            f"for 20 minutes {crawling:.1%} of the answers took {crawl:g} s: less than 10 %",
            crawling,
        ),
        ("brisk", long, f"for 20 minutes {brisk:.0%} of the answers took 0.4 s: less than 0.5 s", brisk),
        ("blink", short, "for 10 s, no pod of the model could be scraped", 0.0),
    ]
    for hour, (kind, lasts, said, size) in zip(chance.sample(SLOTS, len(by_day)), by_day, strict=True):
        found.append(Event(kind, hour * HOUR + STEP * chance.randrange(0, 180), lasts, said, size))
    return found


def _evening(chance: random.Random, pod: int) -> list[Event]:
    """One pod can't be scraped for hours, for 20 minutes another one neither; and then there are two until midnight.

    Args:
        pod: the number of the first.
    """
    begins, lasts = EVENING + STEP * chance.randrange(0, 360), STEP * chance.randrange(6 * 90, 6 * 150)
    alone, fewer = begins + STEP * chance.randrange(6 * 30, 6 * 60), begins + lasts + STEP * chance.randrange(30, 60)
    one = f"for {lasts // MINUTE} minutes one of the three pods could not be scraped; the others served"
    two = "for 20 minutes two of the three pods could not be scraped; the third one could"
    three = "one of the three pods was taken away, as two were enough until midnight"
    return [
        Event("lost", begins, lasts, one, pod),
        Event("alone", alone, 20 * MINUTE, two, (pod + chance.randrange(1, PODS)) % PODS),
        Event("fewer", fewer, DAY - fewer, three, chance.randrange(PODS)),
    ]


def _trials(chance: random.Random) -> dict[str, Trial]:
    """The seven faults."""

    def by_day() -> int:
        return chance.randrange(5, 24) * HOUR

    def at_night() -> int:
        return chance.randrange(0, NIGHT // HOUR) * HOUR

    def share(least: float, most: float) -> float:
        return round(chance.uniform(least, most), 4)

    many, few, slow, calm = share(0.065, 0.09), share(0.065, 0.09), share(0.13, 0.18), Moment(10)
    first, also, second = _status(chance, HIGHER), _status(chance, USUAL), _status(chance, HIGHEST)
    slow_few, away, lost = share(0.13, 0.18), chance.randrange(PODS), chance.randrange(PODS)
    most, crawl = share(0.85, 0.97), round(chance.uniform(2, 8), 1)
    quiet, whole = Moment(1, errors=0, cpu=0.03), _status(chance)
    found = {
        "errors": Trial("critical", f"{many:.1%} of the answers are {first} and {also}, at 10 requests a second, while "
                        "one of the three pods can't be scraped, as before", by_day(), Moment(10, lost=(lost,)),
                        Moment(10, errors=many, status=first, also=also, lost=(lost,))),
        "errors-few": Trial("critical", f"{few:.1%} of the answers are {second}, at one request a second, at night",
                            at_night(), quiet, Moment(1, errors=few, cpu=0.03, status=second)),
        "errors-all": Trial("critical", f"a new release, all of whose answers are {whole} from the first one on, at 10 "
                            "requests a second", by_day(), calm,
                            Moment(10, errors=1, slow=0, refused=0, status=whole), replaced=True),
        "slow": Trial("warning", f"{slow:.1%} of the answers take 0.8 s, two minutes later {most:.0%} take {crawl:g} s"
                      " for more than an hour, while one of the three pods can't be scraped, as before", by_day(),
                      Moment(10, lost=(lost,)),
                      Moment(10, slow=slow, takes=0.8, lost=(lost,)), Moment(10, slow=most, takes=crawl, lost=(lost,)),
                      lasts=LONG),
        "slow-few": Trial("warning", f"{slow_few:.1%} of the answers take 0.8 s, at one request a second, at night",
                          at_night(), quiet, Moment(1, errors=0, slow=slow_few, takes=0.8, cpu=0.03)),
        "gone": Trial("critical", "all pods are gone, and their targets with them, at night", at_night(), quiet,
                      Moment(0, up=None)),
        "hanging": Trial("critical", "one pod is gone, and the others are there and answer nothing, not even a scrape",
                         by_day(), calm, Moment(0, up=0, away=away)),
    }  # fmt: skip
    days = {name: day for kind in KINDS for name, day in zip(kind, _days(chance, len(kind)), strict=True)}
    return {name: _on(trial, days[name]) for name, trial in found.items()}


def _days(chance: random.Random, count: int) -> list[int]:
    """So many days, of which one is of a weekend, and one is not."""
    days = [chance.choice([*WEEKEND]), *(chance.choice(WORKING) for _ in range(count - 1))]
    return chance.sample(days, count)


def _on(trial: Trial, day: int) -> Trial:
    """A fault on another day than the first."""
    what = f"{trial.what}, on a {WEEKEND[day]}" if day in WEEKEND else trial.what
    return replace(trial, what=what, begins=day * DAY + trial.begins)
