"""The tests: streams of flights on their way through a detector, and when it alarmed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from mlops_lab.kit.sandbox.process import STRANGE, Sandbox, Trouble

from .flights import AGAIN, FILED_LATER, IN_ORDER, LATEST, LOST, MIXED, SLOW, Event, Feed, Flights

WITHIN = int(os.environ.get("LABELS", "600"))  # labels of drifted flights, after which an alarm is too late
SHOWN = 2 * WITHIN  # how far a stream goes on, to tell late from never
FORGIVEN = 50  # in the first test: labels for each alarm before the drift, or it is ended
# A model that is replaced before anybody has heard an alarm, and how many flights after it went wrong. Who waits 210
# flights for labels has hardly looked at one by then; whoever goes on with them finds more than enough for an alarm.
UNHEARD, UNHEARD_OF = "unheard", (212, 222)
BESIDE = "beside"  # a stream in whose midst another one went wrong, beside it
DAYS = ("calm", "storm", "calm", "unsure", "calm", "storm")
BATCH = 400  # calls at once
ANSWERS_WITHIN = 20.0  # s for a batch
CPU_SECONDS = 150.0  # for all tests together: 0.25 ms and more for each call
IDLE_SECONDS = 30.0  # in which it neither computed nor waited for the CPU


class Detector:
    """The learner's detector, in the sandbox.

    Attributes:
        calls: how many it has taken in this test.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.calls = sandbox, 0

    def new(self) -> None:
        """Make a new one."""
        self._ask("new", [], "Detector()")

    def feed(self, calls: Sequence[Sequence[Any]]) -> tuple[int, bool]:
        """Make calls until one alarms: how many were made, and whether the last one did."""
        answer = self._ask("feed", calls, f"{len(calls)} calls")
        if "returned" in answer:
            raise Trouble(
                f"labelled returned {str(answer['returned'])[:80]} ({str(answer.get('kind'))[:40]})",
                self.sandbox.printed,
            )
        made, alarm = answer.get("made"), answer.get("alarm")
        if not isinstance(made, int) or not 0 < made <= len(calls) or not isinstance(alarm, bool):
            raise Trouble(STRANGE, self.sandbox.printed)
        self.calls += made
        return made, alarm

    def beside(self, calls: Sequence[Sequence[Any]]) -> None:
        """Make another one beside it, for a stream of its own, and make calls of that until it alarms."""
        self._ask("beside", calls, f"{len(calls)} calls of a second stream")

    def _ask(self, what: str, calls: Sequence[Sequence[Any]], named: str) -> dict[str, Any]:
        answer, spent = self.sandbox.ask((what, calls), within=ANSWERS_WITHIN, what=named), self.sandbox.spent
        if spent.cpu > CPU_SECONDS:
            raise Trouble(f"stopped: with the tests before it has used {CPU_SECONDS:.0f} s of CPU", [])
        if spent.idle > IDLE_SECONDS:
            raise Trouble(f"stopped: it has slept, or waited for something, for {IDLE_SECONDS:.0f} s in all", [])
        return answer


class Stream:
    """One stream on its way through a new detector.

    Attributes:
        labels, drifted: how many came, repeated ones too; how many drifted flights have theirs.
        false: the labels, by number, at which there was an alarm before the first drifted flight had its label.
        found: how many drifted flights had theirs at the first alarm after that.
        grown: bytes of memory that the detector came to need meanwhile, where that is looked at.
    """

    def __init__(self, detector: Detector, about: str, *, new: bool = True) -> None:
        self.detector, self.about, self.labels = detector, about, 0
        self.false: list[int] = []
        self.found: int | None = None
        self.before: int | None = None
        self.grown: int | None = None
        self._drifted: set[str] = set()
        if new:
            detector.new()

    @property
    def drifted(self) -> int:
        return len(self._drifted)

    @property
    def too_soon(self) -> bool:
        """Was there an alarm in the last labels before the drift, too?"""
        return any(self.before - WITHIN < label <= self.before for label in self.false if self.before is not None)

    def seen(self) -> dict[str, Any]:
        """The facts, as they go into the answer."""
        return {
            "about": self.about, "labels": self.labels, "before": self.before, "drifted": self.drifted,
            "false": self.false[:20], "alarms": len(self.false), "found": self.found, "too_soon": self.too_soon,
        }  # fmt: skip

    def run(self, events: Sequence[Event], *, each: Callable[[], None] = lambda: None, goes_on: bool = False) -> float:
        """Feed events until an alarm, or their end, or it is too late; when the last one was.

        Args:
            each: called after each batch.
            goes_on: an alarm before the drift is noted and followed by replaced().
        """
        place, last = 0, 0.0
        while place < len(events) and self.drifted < SHOWN:
            batch = events[place : place + BATCH]
            made, alarm = self.detector.feed([event[1:4] for event in batch])
            last = batch[made - 1].time
            for event in batch[:made]:
                if event.call == "labelled":
                    self.labels += 1
                    if event.drifted:
                        self.before = self.labels - 1 if self.before is None else self.before
                        self._drifted.add(event.flight)
            place += made
            each()
            if not alarm:
                continue
            if self._drifted:
                self.found = self.drifted
                break
            self.false.append(self.labels)
            if not goes_on or len(self.false) > 5 + self.labels / FORGIVEN:
                break
            self.detector.feed([["replaced"]])
        return last


Test = Callable[[Detector, Flights, np.random.Generator], Iterator[Stream]]


def finds(detector: Detector, flights: Flights, rng: np.random.Generator) -> Iterator[Stream]:
    """Drifts after histories of several lengths; some alarms before are forgiven."""
    for least in map(int, rng.permutation([500, 1000, 2000, 3000, 4000, 5000])):
        before, stream = some(rng, least, least + 1000), Stream(detector, "more")
        drawn = flights.draw(before + 2 * SHOWN)
        stream.run(flights.events(drawn, IN_ORDER, drift=before, kind="more"), goes_on=True)
        yield stream


def quiet(detector: Detector, flights: Flights, rng: np.random.Generator) -> Iterator[Stream]:
    """Nothing happens, for 10,000 labels. In the midst of one of the streams another one goes wrong, beside it."""
    with_another = int(rng.integers(4))
    for number in range(4):
        stream, events = Stream(detector, ""), flights.events(flights.draw(10_000), MIXED)
        if number == with_another:
            half = some(rng, 6_000, 14_000)
            stream.run(events[:half])
            if not stream.false:
                detector.beside(_gone_wrong(flights, rng))
                stream.about, events = BESIDE, events[half:]
        if not stream.false:
            stream.run(events)
        yield stream


def _gone_wrong(flights: Flights, rng: np.random.Generator) -> list[Sequence[Any]]:
    """The calls of a stream with a drift."""
    before = some(rng, 500, 800)
    events = flights.events(flights.draw(before + SHOWN), MIXED, drift=before, kind="more")
    return [event[1:4] for event in events]


def some(rng: np.random.Generator, least: int, most: int) -> int:
    """How many flights come before a drift."""
    return int(rng.integers(least, most, endpoint=True))


def then_drift(feed: Feed, least: int, most: int) -> Test:
    """Streams with a feed of their own, and a drift at the end."""

    def test(detector: Detector, flights: Flights, rng: np.random.Generator) -> Iterator[Stream]:
        for _ in range(2):
            before, stream = some(rng, least, most), Stream(detector, "more")
            stream.run(flights.events(flights.draw(before + 3 * SHOWN), feed, drift=before, kind="more"))
            yield stream

    return test


def blocks(*feeds: Feed) -> Test:
    """Calm and busy days in turn, as the model says they are, and at last a drift; a stream for each feed.

    In a storm there are many late flights; the log loss is highest on a day when each flight may be late or not.
    """

    def test(detector: Detector, flights: Flights, rng: np.random.Generator) -> Iterator[Stream]:
        for number in rng.permutation(len(feeds)):
            stream, feed = Stream(detector, "more"), feeds[number]
            days = [flights.draw(some(rng, 500, 900), group) for group in DAYS]
            drawn, before = [*days, flights.draw(2 * SHOWN)], sum(len(names) for names, _ in days)
            whole = [name for names, _ in drawn for name in names], np.concatenate([given for _, given in drawn])
            stream.run(flights.events(whole, feed, drift=before, kind="more"))
            yield stream

    return test


def kinds(detector: Detector, flights: Flights, rng: np.random.Generator) -> Iterator[Stream]:
    """Drifts that are not just more late flights."""
    for kind in map(str, rng.permutation(["fewer", "others"] * 2)):
        before, stream = some(rng, 1000, 2500), Stream(detector, kind)
        stream.run(flights.events(flights.draw(before + 2 * SHOWN), MIXED, drift=before, kind=kind))
        yield stream


def over(detector: Detector, flights: Flights, rng: np.random.Generator) -> Iterator[Stream]:
    """A drift; at the alarm the model is replaced, and labels for the old one still come; later another drift.

    Then once more, with a model that is replaced some flights after it went wrong, whether there is an alarm or not.
    """
    for about, flown in (("first", 2 * SHOWN), (UNHEARD, some(rng, *UNHEARD_OF))):
        before, stream = some(rng, 700, 1500), Stream(detector, about)
        events = flights.events(flights.draw(before + flown), MIXED, drift=before, kind="more")
        last = stream.run([event for event in events if event.time < before + flown])
        yield stream
        if about == "first" and stream.found is None:
            return
        yield _replaced(detector, flights, rng, events, last)


def _replaced(
    detector: Detector, flights: Flights, rng: np.random.Generator, events: Sequence[Event], last: float
) -> Stream:
    """The model's successor, which is right and then drifts; labels of events after the last one go on coming."""
    detector.feed([["replaced"]])
    stream = Stream(detector, "second", new=False)
    made = {event.flight for event in events if event.time <= last and event.call == "predicted"}
    left = [
        event._replace(drifted=False)
        for event in events
        if event.time > last and event.call == "labelled" and event.flight in made
    ]
    before = some(rng, 2000, 3500)
    fresh = flights.events(flights.draw(before + 2 * SHOWN), MIXED, drift=before, kind="more", start=last)
    stream.run(sorted(left + fresh, key=lambda event: event.time))
    return stream


def small(detector: Detector, flights: Flights, rng: np.random.Generator) -> Iterator[Stream]:
    """60,000 predictions without a label, then 100,000 whose labels come again much later, and at last a drift.

    All are of busy days, so that many are late, and as many at any time.
    """
    stream, memory = Stream(detector, "more"), detector.sandbox.memory
    most: list[int] = []
    never = Feed(lost=1.0)
    for feed in (MIXED, never):
        stream.run(flights.events(flights.draw(5000, "busy"), feed), goes_on=True)
    first = memory()
    for feed in [never] * 12 + [FILED_LATER] * 20:
        stream.run(flights.events(flights.draw(5000, "busy"), feed), each=lambda: most.append(memory()), goes_on=True)
    before = some(rng, 0, 2000)
    drawn = flights.draw(before + 2 * SHOWN, "busy")
    stream.run(flights.events(drawn, MIXED, drift=before, kind="more"), goes_on=True)
    stream.grown = max(most) - first
    yield stream


TESTS: dict[str, Test] = {
    "finds": finds,
    "quiet": quiet,
    "again": then_drift(AGAIN, 1500, 3500),  # labels of late flights come two or three times
    "lost": then_drift(LOST, 4000, 7000),  # every other label never comes
    "busy": blocks(MIXED, MIXED),  # labels come as they do
    "slow": blocks(SLOW, LATEST),  # the labels of late flights come later
    "kinds": kinds,
    "over": over,
    "small": small,
}
