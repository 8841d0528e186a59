"""What a request costs in CPU time: the learner's service and the first one, in turns."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mlops_lab.checks import LabError
from mlops_lab.checks.rooms.usage import CpuTime

from .stage import WARM, Address, Stage

GATE = 5.0  # times the requests per CPU second
THEIRS, MINE = 64, 256  # requests of a round
MOST_ROUNDS = 6
NEAR_THE_GATE = 1.25  # within so many times of it another round is worth its seconds


@dataclass(frozen=True)
class Cost:
    """CPU seconds of a request, for each round: the baseline's and the learner's; and requests per CPU second."""

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
    """CPU time a request of both, in turns; at least so many rounds, and more near the gate."""
    lab = stage.lab
    pods = [pod for pod in await lab.objects.all("Pod") if pod.get("status", {}).get("phase") == "Running"]
    rounds: list[tuple[float, float]] = []
    before = await stage.restarts()
    await stage.crowd(stage.address, WARM, [1])
    async with lab.usage.cpu_time([stage.baseline.seen]) as theirs, lab.usage.cpu_time(pods) as mine:
        while len(rounds) < MOST_ROUNDS:
            a = await cost(stage, theirs, stage.baseline_address, THEIRS, "the service to compare with")
            try:
                b = await cost(stage, mine, stage.address, MINE, "")
            except LabError:
                if await stage.restarts() <= before:
                    raise
                b = math.inf  # its container ended, and with it what counted
            rounds.append((a, b))
            times = Cost(tuple(rounds)).times
            if len(rounds) >= least and not GATE / NEAR_THE_GATE < times < GATE * NEAR_THE_GATE:
                break
    return Cost(tuple(rounds))


async def cost(stage: Stage, clock: CpuTime, address: Address, requests: int, own: str) -> float:
    """CPU seconds for each right answer of a crowd; infinite when there was none. `own` names a server of ours."""
    before = await clock.seconds()
    seen = await stage.crowd(address, requests, [1])
    used = await clock.seconds() - before
    right = seen["ended"] - seen["wrong"]
    if right and used <= 0:
        raise LabError(
            f"{right} right answers, and no CPU time used by {own or 'any container of the lab'}",
            "the kernel's count in /sys/fs/cgroup must be the container's own; see that nothing is mounted over it",
        )
    if own and right < requests:
        raise LabError(f"{own} answered {right} of {requests} requests right", "the machine is too busy; check again")
    return used / right if right else math.inf


def milliseconds(seconds: float) -> str:
    """A request's CPU time in words; infinite where none was answered right."""
    return "none answered right" if math.isinf(seconds) else f"{1000 * seconds:.2f} ms"
