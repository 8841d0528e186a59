"""The tests: streams of flights on their way through a detector, and when it alarmed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mlops_lab.kit.sandbox.process import STRANGE, Sandbox, Trouble

from .flights import AGAIN, FILED_LATER, IN_ORDER, LATEST, LEAST, LOST, MIXED, SLOW, Event, Feed, Flights, drifted

WITHIN = int(os.environ.get("LABELS", "600"))  # labels of drifted flights, after which an alarm is too late
SHOWN = 2 * WITHIN  # how far a stream goes on, to tell late from never
FORGIVEN = 50  # in the first test: labels for each alarm before the drift, or it is ended
# A model that is replaced before anybody has heard an alarm, and how many flights after it went wrong. Who waits 210
# flights for labels has hardly looked at one by then; whoever goes on with them finds more than enough for an alarm.
UNHEARD, UNHEARD_OF = "unheard", (212, 222)
BESIDE, OTHER = "beside", "other"  # a stream beside which another one goes wrong, and that one
# Days, and how many flights of each. Where hardly a flight is late there are more: as many labels say less there.
DAYS = ("calm", "storm", "safe", "unsure", "calm", "storm")
MANY = {"safe": (1300, 1500)}
BETWEEN = 100  # calls of one detector, and then of the other, where two are at work
AFTERWARDS = 1_200  # calls of the other one after it has alarmed
# Of flights from this probability on, another model may say so much less (times the odds) that no less is than 0.02.
LOW_FROM, LOW_BY = 0.12, 6.0
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
        return self._fed("feed", calls, f"{len(calls)} calls")

    def _fed(self, what: str, calls: Sequence[Sequence[Any]], named: str) -> tuple[int, bool]:
        answer = self._ask(what, calls, named)
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

    def beside(self, calls: Sequence[Sequence[Any]]) -> tuple[int, bool]:
        """The same with another one beside it, which is made with its first calls."""
        return self._fed("beside", calls, f"{len(calls)} calls of a second stream")

    def _ask(self, what: str, calls: Sequence[Sequence[Any]], named: str) -> dict[str, Any]:
        answer, spent = self.sandbox.ask((what, calls), within=ANSWERS_WITHIN, what=named), self.sandbox.spent
        if spent.cpu > CPU_SECONDS:
            raise Trouble(f"stopped: with the tests before it has used {CPU_SECONDS:.0f} s of CPU", [])
        if spent.idle > IDLE_SECONDS:
            raise Trouble(f"stopped: it has slept, or waited for something, for {IDLE_SECONDS:.0f} s in all", [])
        return answer


class Beside:
    """The detector beside another one, for a stream of its own."""

    def __init__(self, detector: Detector) -> None:
        self.feed = detector.beside

    def new(self) -> None:
        """It is made with its first calls."""


class Stream:
    """One stream on its way through a new detector.

    Attributes:
        labels, drifted: how many came, repeated ones too; how many drifted flights have theirs.
        false: the labels, by number, at which there was an alarm before the first drifted flight had its label.
        found: how many drifted flights had theirs at the first alarm after that.
        grown: bytes of memory that the detector came to need meanwhile, where that is looked at.
    """

    def __init__(self, detector: Detector | Beside, about: str, *, new: bool = True) -> None:
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

    def drain(self, events: Sequence[Event]) -> int:
        """Feed events whatever is said to them, and note nothing; how many there were."""
        place = 0
        while place < len(events):
            place += self.detector.feed([event[1:4] for event in events[place:]])[0]
        return len(events)


Test = Callable[[Detector, Flights, np.random.Generator], Iterator[Stream]]


def finds(detector: Detector, flights: Flights, rng: np.random.Generator) -> Iterator[Stream]:
    """Drifts after histories of several lengths; some alarms before are forgiven."""
    for least in map(int, rng.permutation([500, 1000, 2000, 3000, 4000, 5000])):
        before, stream = some(rng, least, least + 1000), Stream(detector, "more")
        drawn = flights.draw(before + 2 * SHOWN)
        stream.run(flights.events(drawn, IN_ORDER, drift=before, kind="more"), goes_on=True)
        yield stream


def quiet(detector: Detector, flights: Flights, rng: np.random.Generator) -> Iterator[Stream]:
    """Nothing happens, for 10,000 labels. Beside one of the streams another one goes wrong, of the same flights."""
    with_another = int(rng.integers(4))
    for number in range(4):
        if number == with_another:
            yield from two(detector, flights, rng)
            continue
        stream = Stream(detector, "")
        stream.run(flights.events(flights.draw(10_000), MIXED))
        yield stream


def two(detector: Detector, flights: Flights, rng: np.random.Generator) -> tuple[Stream, Stream]:
    """The streams of two models that are asked about the same flights, by turns; the second one goes wrong."""
    one, other = Stream(detector, BESIDE), Stream(Beside(detector), OTHER)
    names, given = (np.asarray(each) for each in flights.draw(20_000))
    likely = np.flatnonzero(given >= LOW_FROM)[:10_000]
    names, given = names[likely].tolist(), given[likely]
    both = some(rng, 2_000, 5_000)
    wrong = both + some(rng, 500, 800)
    less = dict(zip(names[wrong:], drifted(given[wrong:], "fewer", rng.uniform(LEAST, LOW_BY)).tolist(), strict=True))
    shared, events, after = {*names[both:]}, flights.events((names, given), MIXED), 0
    for place in range(0, len(events), BETWEEN):
        part = events[place : place + BETWEEN]
        if not one.false:
            one.run(part)
        beside = [of_another_model(event, less) for event in part if event.flight in shared]
        if not other.false and other.found is None:
            other.run(beside)
        elif other.found is not None and after < AFTERWARDS:  # an alarm that is not heard yet is no end of it
            after += other.drain(beside)
    return one, other


def of_another_model(event: Event, says: Mapping[str, float]) -> Event:
    """What the other model's detector is told: another probability of some flights."""
    if event.flight not in says:
        return event
    return event._replace(drifted=True, value=says[event.flight] if event.call == "predicted" else event.value)


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

    In a storm there are many late flights; the log loss is highest on a day when each flight may be late or not. Once
    hardly a flight is late.
    """

    def test(detector: Detector, flights: Flights, rng: np.random.Generator) -> Iterator[Stream]:
        for number in rng.permutation(len(feeds)):
            stream, feed = Stream(detector, "more"), feeds[number]
            days = [flights.draw(some(rng, *MANY.get(group, (500, 900))), group) for group in DAYS]
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
    """A drift; at the alarm the model is replaced, and the old one's labels go on for long; later another drift.

    At the alarm about that the model is replaced again, and a third one goes wrong, too. Then once more, with a model
    that is replaced some flights after it went wrong, whether there is an alarm or not, and its successor.
    """
    for about, flown, feed, later in (
        ("first", 2 * SHOWN, SLOW, (500, 800)), (UNHEARD, some(rng, *UNHEARD_OF), MIXED, (2000, 3500))
    ):  # fmt: skip
        before, stream = some(rng, 700, 1500), Stream(detector, about)
        right = flights.events(flights.draw(before), MIXED)
        wrong = flights.events(flights.draw(flown), feed, drift=0, kind="more", start=before)
        events = sorted(right + wrong, key=lambda event: event.time)
        last = stream.run([event for event in events if event.time < before + flown])
        yield stream
        if about == "first" and stream.found is None:
            return
        second, events, last = _replaced(detector, flights, rng, events, last, some(rng, *later))
        yield second
        if about == "first" and second.found is not None:
            yield _replaced(detector, flights, rng, events, last, some(rng, 2000, 3500))[0]


def _replaced(
    detector: Detector,
    flights: Flights,
    rng: np.random.Generator,
    events: Sequence[Event],
    last: float,
    before: int,
) -> tuple[Stream, list[Event], float]:
    """The model's successor, which is right for so many flights; labels of events after the last one go on coming.

    Also its events, and the time of the last one that the detector heard of.
    """
    detector.feed([["replaced"]])
    stream = Stream(detector, "second", new=False)
    made = {event.flight for event in events if event.time <= last and event.call == "predicted"}
    left = [
        event._replace(drifted=False)
        for event in events
        if event.time > last and event.call == "labelled" and event.flight in made
    ]
    fresh = flights.events(flights.draw(before + 2 * SHOWN), MIXED, drift=before, kind="more", start=last)
    events = sorted(left + fresh, key=lambda event: event.time)
    return stream, events, stream.run(events)


def small(detector: Detector, flights: Flights, rng: np.random.Generator) -> Iterator[Stream]:
    """60,000 predictions without a label, then 100,000 whose labels come again much later, and at last a drift.

    All are of busy days, so that many are late, and as many at any time; those that drift are as everywhere.
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
    (names, given), (later, then) = flights.draw(before, "busy"), flights.draw(2 * SHOWN)
    drawn = [*names, *later], np.concatenate([given, then])
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
