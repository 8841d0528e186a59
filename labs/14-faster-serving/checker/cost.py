"""What a request costs in CPU time: the learner's service and the first one, in turns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlops_lab.checks import Lab, LabError
from mlops_lab.checks.rooms.usage import CpuTime
from mlops_lab.kit.pods import leaving
from mlops_lab.kit.side_by_side import together
from mlops_lab.measure.pods.cpu_time import Spent

from .stage import WARM, Stage

GATE = 5.0  # times the requests per CPU second
THEIRS, MINE = 64, 320  # requests of a round
MOST_ROUNDS = 8
LEAVES_WITHIN = 40  # s; a pod that is deleted has 30 s
NEAR_THE_GATE = 1.25  # within so many times of it more rounds are worth their seconds


@dataclass(frozen=True)
class Cost:
    """CPU seconds of a request, for each measurement: the baseline's and the learner's; and requests per CPU second.

    Attributes:
        rounds: one for each measurement, each of some rounds of requests.
    """

    rounds: tuple[tuple[float, float], ...]

    @property
    def theirs(self) -> float:
        """Requests per CPU second of the first service."""
        return len(self.rounds) / sum(theirs for theirs, _ in self.rounds)

    @property
    def mine(self) -> float:
        """Requests per CPU second of the learner's."""
        return len(self.rounds) / max(1e-9, sum(mine for _, mine in self.rounds))

    @property
    def times(self) -> float:
        """The learner's as a multiple of the first service's."""
        return self.mine / self.theirs


async def costs(stage: Stage, least: int) -> Cost:
    """CPU time a request of both, in turns; so many rounds, and as many again near the gate.

    The kubelet measures every 10 to 15 s, so each measurement begins and ends with a pause in which nobody asks.
    """
    theirs, mine = stage.lab.usage.cpu_time(stage.baseline.seen), stage.lab.usage.cpu_time()
    measured: list[tuple[float, float]] = []
    done = 0
    await stage.crowd(stage.address, WARM, [1])
    await nobody_leaves(stage.lab)
    while done < MOST_ROUNDS:
        right = await rounds(stage, theirs, mine, least)
        used = await together(theirs.spent(), mine.spent())
        done += least
        measured.append(cost(used, right))
        times = Cost(tuple(measured)).times
        if not GATE / NEAR_THE_GATE < times < GATE * NEAR_THE_GATE:
            break
    return Cost(tuple(measured))


async def nobody_leaves(lab: Lab) -> None:
    """Wait until no pod of the lab's is being deleted any more: of one that ends nobody knows what it used at last."""
    await lab.time.eventually(
        lambda: lab.objects.all("Pod"), lambda pods: not any(map(leaving, pods)), expected="no pod on its way out",
        shown=lambda pods: f"{sum(map(leaving, pods))} of {len(pods)}", within=LEAVES_WITHIN,
    )  # fmt: skip


async def rounds(stage: Stage, theirs: CpuTime, mine: CpuTime, count: int) -> tuple[int, int]:
    """Crowds for both in turns; how many right answers each gave."""
    right = [0, 0]
    await together(theirs.begin(), mine.begin())
    for _ in range(count):
        for place, (address, requests) in enumerate(((stage.baseline_address, THEIRS), (stage.address, MINE))):
            seen = await stage.crowd(address, requests, [1])
            right[place] += seen["ended"] - seen["wrong"]
            await mine.look()  # what ends now has a count
    if right[0] < count * THEIRS:
        raise LabError(
            f"the service to compare with answered {right[0]} of {count * THEIRS} requests right",
            "the machine is too busy; check again",
        )
    return right[0], right[1]


def cost(used: Sequence[Spent], right: tuple[int, int]) -> tuple[float, float]:
    """CPU seconds for each right answer of both services; the learner's is infinite when there was none.

    So it is when a container of the learner's ended meanwhile: what it used at last nobody knows.
    """
    theirs, mine = used
    if theirs.ended or theirs.seconds <= 0:
        raise LabError("the service to compare with ended, or used no CPU time", "check again")
    if not right[1] or mine.ended:
        return theirs.seconds / right[0], math.inf
    if mine.seconds <= 0:
        raise LabError(
            f"{right[1]} right answers, and no CPU time used by any container of the lab",
            "see what is wrong with the cluster: lab status",
        )
    return theirs.seconds / right[0], mine.seconds / right[1]


def milliseconds(seconds: float) -> str:
    """A request's CPU time in words; infinite where none was answered right, or a container ended."""
    return "none answered right, or a container ended" if math.isinf(seconds) else f"{1000 * seconds:.2f} ms"
