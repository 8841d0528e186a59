"""What lab 24 plays once: the worker is drained of the lab's pods while somebody asks Service `board`."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_lab.checks import LabError, Observation, holds
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.pods import leaving, name
from mlops_lab.kit.selectors import selects
from mlops_lab.kit.side_by_side import together
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object
from mlops_lab.kube.objects import phase
from mlops_lab.tasks import nodes
from mlops_lab.tasks.lab import TaskLab

from .placement import by_node, role_tolerated
from .trials import placed, trial

COUNTED_WITHIN = 20  # s until the disruption controller has counted pods that have just become ready
DRAINED_WITHIN = 60  # s from the first eviction
AT_ONCE = 4  # s between two evictions that count as made at once
AGAIN = 1.0  # s between two tries
ASKED_FOR = 15  # s at least for which somebody asks: 60 requests
LOST_ONE_OF = 50
ASKED_AT_LEAST = 25
BACK_WITHIN = 90  # s until all is ready again once the node is open
_RUNS_WITHIN = 40
_SAYS_WITHIN = 15  # s from the end of the asking
DEPLOYMENTS = ("board", "model", "retrain")
_ASK = (Path(__file__).parent / "ask.py").read_text(encoding="utf-8")
_NOT_YET = Observation(False, "the drain before this", "it did not come to this")


@dataclass
class Drain:
    """What came of it; what did not happen is not met."""

    granted: Observation = _NOT_YET
    held: Observation = _NOT_YET
    emptied: Observation = _NOT_YET
    lost: Observation = _NOT_YET
    spread: Observation = _NOT_YET


async def drained(lab: TaskLab, board: Sequence[Object]) -> Drain:
    """Drain the worker, and open it again.

    Args:
        board: the ready pods of Deployment `board`.

    Raises:
        LabError: the checker's own pod does not run, or the API server is too slow.
    """
    found, worker = Drain(), nodes.worker(lab)
    address = (await lab.objects.service("board"))["spec"].get("clusterIP")
    pod = trial(lab, "who asks for board", node=nodes.control_plane(lab), tolerates=[role_tolerated()])
    try:
        async with standing(lab, [pod], grace=0):
            asker = await _running(lab, pod)
            asks = asyncio.create_task(_asked(lab, asker, f"http://{address}/"))
            try:
                began = time.monotonic()
                async with lab.nodes.cordoned(worker):
                    await _evictions(lab, board, worker, found)
                    if found.held.ok:
                        found.emptied = await _emptied(lab, worker)
                if found.emptied.ok:
                    await lab.time.pause(max(0.0, ASKED_FOR - (time.monotonic() - began)))
                    await lab.objects.run_in(asker, "touch", "/tmp/end", within=15)
                    found.lost = lost(*await asyncio.wait_for(asks, _SAYS_WITHIN))
            finally:
                asks.cancel()
                await asyncio.gather(asks, return_exceptions=True)
    finally:
        if found.granted.ok:  # something had to go
            await _back(lab)
            found.spread = spread([pod for pod in await owned_pods(lab, "board") if not leaving(pod)])
    return found


async def _running(lab: TaskLab, pod: Object) -> str:
    seen = await lab.objects.named("Pod", name(pod)).until(
        lambda it: phase(it) == "Running", expected="the checker's own pod runs", shown=placed, within=_RUNS_WITHIN
    )
    if not seen.ok:
        raise LabError(f"the checker's own pod: {seen.seen}", "check again; lab reset 24 makes the cluster anew")
    return name(pod)


async def _asked(lab: TaskLab, pod: str, address: str) -> tuple[int, int]:
    """How many requests there were until the file was there, and how many were lost."""
    done = await lab.objects.run_in(pod, "python3", "-c", _ASK, address, within=300)
    try:
        said = json.loads(done.lines[-1])
        return int(said["asked"]), int(said["lost"])
    except (IndexError, ValueError, KeyError) as broken:
        raise LabError(f"who asked for board said nothing: {done.errors[-200:]}", "check again") from broken


async def _evictions(lab: TaskLab, board: Sequence[Object], worker: str, found: Drain) -> None:
    """The eviction of one pod of `board` on the worker, and, at once, whether all others could go, too."""
    here = [name(pod) for pod in board if pod["spec"].get("nodeName") == worker]
    others = [name(pod) for pod in board if name(pod) not in here[:1]]
    if not here:
        raise LabError("board has no pod on the worker any more", "check again when it has one on each node")
    end = time.monotonic() + COUNTED_WITHIN
    while (refusal := await lab.nodes.evict(here[0])) and time.monotonic() < end:
        await lab.time.pause(AGAIN)
    found.granted = Observation(
        not refusal, "the eviction of board's pod on the worker is granted",
        f"refused for {COUNTED_WITHIN} s: {refusal}" if refusal else "granted", timed=False,
    )  # fmt: skip
    if refusal:
        return
    began = time.monotonic()
    refused = [said for pod in others if (said := await lab.nodes.evict(pod, dry_run=True))]
    if (took := time.monotonic() - began) > AT_ONCE:
        raise LabError(f"the API server took {took:.0f} s for evictions", "the machine is busy; check again")
    found.held = held(refused, len(others))


async def _emptied(lab: TaskLab, worker: str) -> Observation:
    """Evict what the namespace has on the worker until it is all gone."""
    began, refusal = time.monotonic(), ""
    while True:
        pods = [pod for pod in await lab.objects.all("Pod") if pod["spec"].get("nodeName") == worker]
        here = [pod for pod in pods if not _stays(pod)]
        took = time.monotonic() - began
        if not here or took > DRAINED_WITHIN:
            break
        for pod in here:
            if not leaving(pod):
                refusal = await lab.nodes.evict(name(pod)) or refusal
        await lab.time.pause(AGAIN)
    seen = f"left: {', '.join(sorted(map(name, here)))}; last refusal: {refusal or 'none'}" if here else "empty"
    return Observation(
        not here, f"{worker} is empty of this namespace's pods within {DRAINED_WITHIN} s", f"{seen} after {took:.0f} s",
        took, what="the drained node", timed=True,
    )  # fmt: skip


async def _back(lab: TaskLab) -> None:
    """Wait until the pods that had to go have successors."""
    await together(*(lab.objects.deployment(each).rolled_out(within=BACK_WITHIN) for each in DEPLOYMENTS))


def held(refused: Sequence[str], others: int) -> Observation:
    """Whether of all pods at least one would have stayed.

    Args:
        refused: what was said to those that had to stay.
        others: how many there are beside the first one, which was evicted.
    """
    expected = "while it goes, not all other pods of board may go, too"
    if refused:
        return Observation(True, expected, f"refused: {refused[0]}", timed=False)
    return Observation(False, expected, f"granted for {others} more: all of them at once", timed=False)


def lasting(budgets: Iterable[Object], template: Object) -> Observation:
    """Whether a budget selects the pods of a Deployment's next release, too, which have all labels but the hash.

    Args:
        template: of its pods.
    """
    labels = template["metadata"].get("labels") or {}
    good = [name(each) for each in budgets if selects(each["spec"].get("selector"), labels)]
    expected = "a PodDisruptionBudget for board's pods of any release"
    return holds(bool(good), expected, f"none selects {', '.join(f'{key}={value}' for key, value in labels.items())}")


def spread(board: Sequence[Object]) -> Observation:
    """Whether both nodes have pods of `board`."""
    nodes_ = {pod["spec"].get("nodeName") for pod in board} - {None}
    return Observation(len(nodes_) >= 2, "once the worker is open again, board has a pod on each node", by_node(board))


def lost(asked: int, gone: int) -> Observation:
    """Whether few enough requests were lost.

    Raises:
        LabError: there were too few to tell. Where none is answered, each takes its time, and few say enough.
    """
    if asked < ASKED_AT_LEAST and not asked == gone > 1:
        raise LabError(f"board was asked {asked} times in {ASKED_FOR} s", "the machine is busy; check again")
    return Observation(
        gone <= max(1, asked // LOST_ONE_OF), f"of the requests to board at most 1 of {LOST_ONE_OF} is lost meanwhile",
        f"{gone} of {asked} lost", gone, timed=True,
    )  # fmt: skip


def _stays(pod: Object) -> bool:
    """A DaemonSet's pod is on a node as long as the node is there, and a pod that has ended is no more."""
    owners = pod["metadata"].get("ownerReferences") or []
    return any(each.get("kind") == "DaemonSet" for each in owners) or phase(pod) in ("Succeeded", "Failed")
