"""A pod of the task's that asks a Service all the time and writes down how many requests were lost.

Its program prints a line `asked=120 lost=0` now and then, the newest one last, from the first answer on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from mlops_lab.checks import Lab, LabError, Observation, absent
from mlops_lab.kit.pods import restarts
from mlops_lab.kube.client import Object
from mlops_lab.kube.errors import Unreachable

_SAID = re.compile(r"asked=(\d+) lost=(\d+)")
_MADE_WITHIN = 180.0  # s from the namespace's beginning: a task is set up by then


async def nothing_lost(lab: Lab, pod: str, *, namespace: str) -> Observation:
    """Whether the pod has asked from the task's beginning on and has lost no request.

    Args:
        pod: its name.
        namespace: the task's, which is as old as the task.
    """
    expected = f"Pod {pod} has asked all the time, and lost no request"
    space = await lab.objects.named("Namespace", namespace).now()
    found = await lab.objects.named("Pod", pod).now()
    if found is None or space is None:
        return absent(expected, f"Pod {pod} is gone")
    if (late := _age(space) - _age(found)) > _MADE_WITHIN:
        return absent(expected, f"Pod {pod} was made anew {late:.0f} s after the task's beginning")
    if count := restarts(found):
        return absent(expected, f"Pod {pod} was started anew {count} times")
    try:
        said = _SAID.findall(await lab.objects.logs(pod, tail=5))
    except LabError as trouble:
        if trouble.transient or isinstance(trouble, Unreachable):
            raise
        return absent(expected, f"Pod {pod} has no log")
    if not said:
        return absent(expected, f"Pod {pod} has had no answer yet")
    asked, lost = map(int, said[-1])
    return Observation(not lost, expected, f"{lost} of {asked} requests lost", lost, timed=False)


async def older_than_the_rollout(lab: Lab, pod: str, *, old: Callable[[Object], bool]) -> Observation:
    """Whether the pod was there before the first ReplicaSet that is not of the old release, as at the task's beginning.

    Args:
        pod: its name.
        old: is a ReplicaSet of the old release?
    """
    expected = f"Pod {pod} was there before the rollout began"
    found = await lab.objects.named("Pod", pod).now()
    if found is None:
        return absent(expected, f"Pod {pod} is gone")
    later = [_made(each) for each in await lab.objects.all("ReplicaSet") if not old(each)]
    after = (_made(found) - min(later, default=_made(found))).total_seconds()
    return Observation(after <= 0, expected, f"it was made {after:.0f} s later" if after > 0 else "it was", timed=False)


def _age(item: Object) -> float:
    """Seconds since an object was made."""
    made = _made(item)
    return (datetime.now(made.tzinfo) - made).total_seconds()


def _made(item: Object) -> datetime:
    return datetime.fromisoformat(item["metadata"]["creationTimestamp"])
