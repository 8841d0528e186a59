"""The end of a pod that is at work: two batches are under way when it is deleted.

How long a batch takes beyond the 0.1 s of each flight tells how slow the machine is: so much longer may the end take,
and where it takes much longer, what comes too late tells nothing of the image.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mlops_lab.checks import Lab, LabError, Observation, at_least
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.pods import containers_of
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.flights import numbers
from mlops_lab.measure.traffic.http import Answer

from .pods import state

LOOK_UP = 0.1  # s that the server takes for a flight of a batch
QUICKEST = 0.95  # of that; what answers sooner is another server
SHORT, LONG = 80, (118, 125)  # flights of the two batches
SINGLES = 12  # batches of one flight that are timed, one after the other
BATCH_WITHIN = 45.0  # s
ENDED_WITHIN = 22  # s, of the 30 s that the platform grants
SLOW = 1.3  # times LOOK_UP for a flight, from which on the machine is taken for a slow one
GRACE_OVER = 45  # s, after which the kubelet has killed what did not end
LOST_BY_THE_KILL = 25  # s after the deletion: what was lost then may have been killed at the end of the 30 s
IDLE = 10  # s: whoever still runs so long after the last answer does not act on the signal
KILLED = 137  # the exit code after SIGKILL


@dataclass(frozen=True)
class Batch:
    """A batch of so many flights, its answer, and when that was there (time.monotonic)."""

    rows: int
    answer: Answer
    at: float

    @property
    def nominal(self) -> float:
        """Seconds that it takes at least."""
        return self.rows * LOOK_UP

    @property
    def hurried(self) -> bool:
        """Was it answered sooner than the given server can?"""
        return self.answer.status == 200 and self.answer.seconds < QUICKEST * self.nominal

    @property
    def excess(self) -> float:
        """Seconds that it took longer; 0 without an answer."""
        return max(0.0, self.answer.seconds - self.nominal) if self.answer.status == 200 else 0.0


@dataclass
class Drain:
    """What became of a pod that was deleted at work.

    Attributes:
        begun: it said that it was at work.
        batches: with their answers.
        ended: s until its container had ended; None: never.
        killed: it was ended by SIGKILL.
    """

    begun: Observation
    batches: Sequence[Batch]
    ended: float | None
    killed: bool = False

    @property
    def limit(self) -> float:
        """Seconds in which it has to have ended."""
        return ENDED_WITHIN + max((each.excess for each in self.batches), default=0.0)


async def quickest(lab: Lab, pod: str) -> float | None:
    """Seconds that the quickest batch of one flight took; None where one was not answered."""
    body, least = lab.traffic.hidden_rows(1).body, BATCH_WITHIN
    for _ in range(SINGLES):
        answer = await lab.traffic.post(pod, "/batch", body)
        if answer.status != 200:  # of that tells another check
            return None
        least = min(least, answer.seconds)
    return least


def sizes(lab: Lab) -> tuple[int, int]:
    """How many flights the two batches have."""
    return SHORT, drawn(lab, "batches").randint(*LONG)


async def drained(lab: Lab, pod: str) -> Drain:
    """Begin batches, delete the pod when the server says that it is at them, and see both to their end.

    Args:
        pod: its name, and that of its Service.

    Raises:
        LabError: the machine was too busy: the batches had ended before the pod was told to, or it was so slow that
            what came too late tells nothing.
    """

    async def batch(rows: int) -> Batch:
        answer = await lab.traffic.post(pod, "/batch", lab.traffic.hidden_rows(rows).body, within=BATCH_WITHIN)
        return Batch(rows, answer, time.monotonic())

    under_way = [asyncio.create_task(batch(rows)) for rows in sizes(lab)]
    try:
        begun = await under_way_at(lab, pod, 1, within=12)
        if begun.ok:  # both, if one process has them; with more each tells of its own
            await under_way_at(lab, pod, len(under_way), within=2)
        counts = numbers([begun.value.fields_if_any.get("batches")]) is not None
        hurried = any(task.result().hurried for task in under_way if task.done())
        if not begun.ok and begun.value.status == 200 and (hurried or not counts):
            return Drain(begun, [], None)
        if not begun.ok:
            raise LabError(f"the batches did not begin: {begun.seen}", "the machine is busy: try again")
        since = time.monotonic()
        await lab.objects.kill(pod)
        (over, last), _ = await asyncio.gather(has_ended(lab, pod), asyncio.wait(under_way))
        heard = [task.result() for task in under_way]
        # The kubelet hears of it within a second; a batch that was done by then proves nothing.
        if any(each.answer.status == 200 and each.at < since + 2 and not each.hurried for each in heard):
            raise LabError("the batches were done before the pod was told to end", "the machine is busy: try again")
        took = None if over is None else min(over - since, seconds_to_end(last))
        found = Drain(begun, heard, took, exit_code(last) == KILLED)
        if slowness := too_slow(found, since):
            raise LabError(slowness, "the machine is busy: close other programs and check again")
        return found
    finally:
        for task in under_way:
            task.cancel()


def too_slow(drain: Drain, since: float) -> str:
    """Why what came too late may be the machine's doing; empty if nothing did, or it was the image's.

    Args:
        since: when the pod was deleted (time.monotonic).
    """
    answered = [each for each in drain.batches if each.answer.status == 200]
    slowest = max((each.answer.seconds / each.nominal for each in answered), default=0.0)
    if slowest < SLOW:
        return ""
    lost = any(each.answer.status == 0 and each.at > since + LOST_BY_THE_KILL for each in drain.batches)
    late = drain.ended is None or drain.ended > drain.limit
    idle = drain.killed and all(each.at + IDLE < since + (drain.ended or 0.0) for each in drain.batches)
    if not (lost or (late and not idle)):
        return ""
    return f"a batch took {slowest:.1f} times as long as it takes, so nothing can be said of how the pod ended"


async def under_way_at(lab: Lab, pod: str, batches: int, within: float) -> Observation:
    """Wait until the server says that it is at so many batches."""
    return await lab.time.eventually(
        lambda: lab.traffic.get(pod, "/healthz"),
        lambda answer: at_least(batches)(answer.fields_if_any.get("batches")),
        expected="the batches are under way", shown=lambda answer: answer.text[:100], within=within, every=0.2,
    )  # fmt: skip


async def has_ended(lab: Lab, pod: str) -> tuple[float | None, Object]:
    """When the container of the deleted pod was seen ended (time.monotonic; None: not in time), and the pod then."""
    last: list[Object] = []

    def over(item: Object | None) -> bool:
        last[:] = [item] if item else last
        return item is None or bool(_terminated(item))

    seen = await lab.objects.named("Pod", pod).until(over, expected="ended", shown=state, within=GRACE_OVER)
    return (time.monotonic() if seen.ok else None), (last or [{}])[0]


def exit_code(pod: Object) -> int | None:
    """With what a pod's container has ended; None where the pod does not say."""
    return next((each["exitCode"] for each in _terminated(pod)), None)


def seconds_to_end(pod: Object) -> float:
    """From the deletion of a pod to its container's end, by the cluster's clock; infinite where the pod does not say.

    A busy kubelet tells of the end much later.
    """
    meta = pod.get("metadata") or {}
    ends = [each["finishedAt"] for each in _terminated(pod) if each.get("finishedAt")]
    if not ends or not meta.get("deletionTimestamp"):
        return float("inf")
    # The time stamp is that at which the grace period is over.
    deleted = _moment(meta["deletionTimestamp"]) - float(meta.get("deletionGracePeriodSeconds") or 0)
    return max(0.0, max(map(_moment, ends)) - deleted)


def _terminated(pod: Object) -> list[Object]:
    states = [each.get("state") or {} for each in containers_of(pod)]
    return [each["terminated"] for each in states if "terminated" in each]


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
