"""How long requests take: under the same load as the reference, and one at a time; and what is answered meanwhile."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import Counter
from dataclasses import dataclass, replace

from mlops_lab.checks import Lab, LabError, Observation
from mlops_lab.kit.probabilities import own_values
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.report import LoadReport

RATE, ROWS_EACH = 50, 40
LOAD_WITHIN = 5  # s; who is not answered by then counts as never answered
DURATION, SHORT = 10, 4  # s; the short one where another check is in question
TRIES, AT_MOST = 3, 5  # those that tell something, and all
TIMES, GRANTED = 3, 0.030  # the limit: so many times the reference's p99, or so many seconds if that is more
HOPELESS = 10  # times the reference's median: that is a queue
ASIDE, EVERY = (100, 300), 0.5  # which hidden flights are asked about while a load runs, and after how many s again
BUSY = 0.5  # s; of a reference slower than that no failure is concluded
COSTS_ASKED = 3  # requests about one flight, and as many about more
SURELY = 2  # but where so many times the limit was not enough


@dataclass(frozen=True)
class Try:
    """Both under the same load, in seconds.

    Attributes:
        mine, reference: the 99th percentile of each.
        median, usual: what half of the requests kept, of the learner's and of the reference's.
        failures: what became of the learner's requests that were not answered with 200.
        wrong: what was wrong with answers of the learner's meanwhile, which had the status 200.
        asked: requests of the checker's to the reference, in this try and those before it.
    """

    mine: float
    reference: float
    median: float
    usual: float
    failures: tuple[str, ...]
    wrong: tuple[str, ...] = ()
    asked: int = 0

    def right(self) -> Observation:
        """Whether what was asked beside the load was answered right."""
        return Observation(
            not self.wrong,
            f"at {RATE} requests a second the model's own probabilities, as without them",
            f"{len(self.wrong)} answers were others: {self.wrong[0]}" if self.wrong else "they are",
            evidence=self.wrong[:8],
            timed=False,
        )

    def unseen(self, own: Costs, theirs: Costs) -> Observation:
        """Whether flights that were never asked about are answered as fast, when nobody else asks."""
        limit = max(min(self.limit, BUSY), TIMES * theirs.many)  # how busy it was under the load says nothing here
        return Observation(
            own.many <= limit,
            f"{ROWS_EACH} flights that were never asked about, when nobody else asks: at most {milliseconds(limit)}",
            milliseconds(own.many),
            timed=True,
        )

    def seen(self, *evidence: str) -> Observation:
        """How the learner's fared."""
        return Observation(
            self.ok,
            f"p99 at {RATE} requests a second: at most {milliseconds(self.limit)} ({TIMES} times the reference's "
            f"{milliseconds(self.reference)}, or {milliseconds(GRANTED)})",
            f"{milliseconds(self.mine)}, the reference {milliseconds(self.reference)}",
            evidence=(*self.failures, *evidence),
            what="p99",
        )

    @property
    def limit(self) -> float:
        """What is granted, in seconds."""
        return max(TIMES * self.reference, GRANTED)

    @property
    def ok(self) -> bool:
        """Was it fast enough? Where the machine stalls, it stalls for both; but somebody must have been served."""
        return self.mine <= self.limit < math.inf

    @property
    def hopeless(self) -> bool:
        """Most requests wait in a queue, and the reference has none: no stall of the machine does that."""
        return self.median > max(HOPELESS * self.usual, 1.0)

    @property
    def sound(self) -> bool:
        """Would a failure be the server's? Not where the reference is as slow as a machine without a free moment is."""
        queue = self.hopeless and self.usual <= BUSY and self.mine >= SURELY * self.limit
        return self.reference <= BUSY or queue


async def best_of_tries(lab: Lab, seconds: float) -> Try:
    """Compare both until the learner's is fast enough, or surely is not; the best try of those that tell something.

    Args:
        seconds: that each load takes.

    Raises:
        LabError: the reference was so slow that none of them tells anything.
    """
    tries: list[Try] = []
    while len(tries) < AT_MOST and sum(each.sound for each in tries) < TRIES:
        if tries:
            await lab.time.pause(2)
        tries.append(await compared(lab, seconds))
        if tries[-1].wrong:
            return tries[-1]
        if tries[-1].ok or sum(each.hopeless and each.sound for each in tries) == 2:
            break
    conclusive = [each for each in tries if each.ok or each.sound]
    if not conclusive:
        raise LabError(
            f"the reference itself needed {milliseconds(tries[-1].reference)} at {RATE} requests a second: nothing can "
            "be compared with that",
            "the machine is too busy to measure; close what else runs on it and check again",
        )
    best = min(conclusive, key=lambda each: each.mine / each.limit)
    return replace(best, asked=sum(each.asked for each in tries))


async def compared(lab: Lab, seconds: float) -> Try:
    """Put both under the same load at the same time, so that the machine's own stalls meet both."""
    body = unseen(lab, ROWS_EACH)
    theirs, own = (
        lab.traffic.load(
            service, rate=RATE, duration=seconds, body=body, answer_within=LOAD_WITHIN, late_at_most=LOAD_WITHIN
        )
        for service in ("reference", "model")
    )
    async with theirs as other, own as load:
        _, _, (wrong, aside) = await asyncio.gather(other.finished(), load.finished(), asked_aside(lab, seconds))
    mine, reference = load.report, other.report
    counts = Counter(str(each.status or each.error) for each in mine.requests if each.status != 200)
    failures = tuple(f"{number} requests: {what}" for what, number in counts.most_common(3))
    p99, median = 0.99, 0.5
    figures = (latency(mine, p99), latency(reference, p99), latency(mine, median), latency(reference, median))
    return Try(*figures, failures, wrong, reference.sent + aside)


async def asked_aside(lab: Lab, seconds: float) -> tuple[tuple[str, ...], int]:
    """Ask both about other hidden flights now and then: what the learner's answers have wrong, and how many there were.

    They are as many as in the load: another number may be another shape, for which some libraries compile. An answer
    that does not come, or has another status, says nothing here: the load counts such.
    """
    first, last = ASIDE
    hidden = lab.traffic.hidden_rows(last)
    own, end = hidden.probabilities("v1"), time.monotonic() + seconds
    wrong: list[str] = []
    asked = 0
    while time.monotonic() < end:
        at = random.randint(first, last - ROWS_EACH)
        picked = slice(at, at + ROWS_EACH)
        body = {"rows": list(hidden.rows[picked])}
        _, answer = await asyncio.gather(
            *(lab.traffic.post(service, "/predict", body, within=LOAD_WITHIN) for service in ("reference", "model"))
        )
        asked += 1
        said = own_values(answer, own[picked], f"{ROWS_EACH} flights")
        if answer.status == 200 and not said.ok:
            wrong.append(f"for {ROWS_EACH} flights {said.seen}")
        await lab.time.pause(EVERY)
    return tuple(wrong), asked


def unseen(lab: Lab, count: int) -> Object:
    """The body of a question that nobody has asked before: hidden flights, each with a distance of its own."""
    rows = lab.traffic.hidden_rows(count).rows
    return {"rows": [{**row, "distance": round(random.uniform(80, 2600), 3)} for row in rows]}


def latency(report: LoadReport, share: float) -> float:
    """What this share of the requests kept; one that failed was never answered."""
    ordered = sorted(each.latency if each.status == 200 else math.inf for each in report.requests)
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else math.inf


@dataclass(frozen=True)
class Costs:
    """What a request takes when nothing else is asked, in seconds: for one flight, and for as many as the load has."""

    one: float
    many: float

    def __str__(self) -> str:
        return f"1 flight {milliseconds(self.one)}, {ROWS_EACH} flights {milliseconds(self.many)}"


async def costs(lab: Lab, service: str) -> Costs:
    """The best of three each, about other flights each time."""
    best = []
    for count in (1, ROWS_EACH):
        answers = [
            await lab.traffic.post(service, "/predict", unseen(lab, count), within=LOAD_WITHIN)
            for _ in range(COSTS_ASKED)
        ]
        best.append(min((each.seconds for each in answers if each.status == 200), default=math.inf))
    return Costs(*best)


def milliseconds(seconds: float) -> str:
    """A latency in words."""
    return f"{seconds * 1000:.0f} ms" if seconds < math.inf else f"no good answer within {LOAD_WITHIN} s"
