"""The pod of the Job: its worker, its sidecar, and what that printed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import yaml

from mlops_lab.checks import LabError, Observation, absent, holds
from mlops_lab.kit import presence
from mlops_lab.kit.jobs import pods_of
from mlops_lab.kit.kubectl import kubectl
from mlops_lab.kit.pods import every_container, newest
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.unchanged import changes
from mlops_lab.kube.client import Object
from mlops_lab.kube.errors import Unreachable
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

_D = drawn(Drawn, __file__)
_GIVEN = Path(__file__).parents[1] / "start" / "job.yaml"
_MADE_BY = 20.0


async def pod_of_the_job(lab: TaskLab) -> Object:
    """The Job's newest pod.

    Raises:
        Failure: there is no such Job, or it has no pod.
    """
    await presence.exists(lab, "Job", _D.job, "job.yaml has it; kubectl apply -f makes it", others=True)
    seen = await lab.time.eventually(
        lambda: pods_of(lab, _D.job), bool, expected=f"Job {_D.job} has a pod",
        shown=lambda pods: f"it has {len(pods)}", within=_MADE_BY,
    )  # fmt: skip
    must(seen, "kubectl describe job says in its events why it makes none")
    found = newest(seen.value)
    assert found is not None
    return found


def as_given(pod: Object) -> Observation:
    """Is the worker the one of the given file?"""
    template = yaml.safe_load(_GIVEN.read_text(encoding="utf-8"))["spec"]["template"]["spec"]
    (given,) = template["containers"]
    found = next((each for each in pod["spec"]["containers"] if each["name"] == _D.worker), None)
    if found is None:
        return absent(f"container {_D.worker} in the Job's pod", "there is none")
    differs = changes({"spec": found}, {"spec": given}, ("image",))
    differs += [] if found["image"].rpartition("/")[2] == given["image"].rpartition("/")[2] else ["image"]
    return holds(not differs, f"container {_D.worker} is as it was given", f"its {', '.join(differs)} differ")


def same_image(pod: Object) -> Observation:
    """Has the container that prints the worker's image?"""
    images = {each["name"]: each["image"] for each in every_container(pod["spec"])}
    same = images.get(_D.shipper) == images[_D.worker]
    return holds(same, f"container {_D.shipper} has the image of {_D.worker}", f"it has {images.get(_D.shipper)}")


def sidecar(pod: Object) -> bool:
    """Is the container one that Kubernetes takes for a sidecar?"""
    found = [each for each in pod["spec"].get("initContainers") or [] if each["name"] == _D.shipper]
    return any(each.get("restartPolicy") == "Always" for each in found)


async def printed_lines(lab: TaskLab, pod: Object) -> list[str]:
    """The lines that the container has printed, without those of tail about the file itself.

    Raises:
        Failure: the pod has no such container.
    """
    names = [each["name"] for each in every_container(pod["spec"])]
    there = holds(_D.shipper in names, f"the pod has a container {_D.shipper}", f"it has {', '.join(names)}")
    must(there, "the task names it, and its log is read")
    try:
        log = await lab.objects.logs(pod["metadata"]["name"], _D.shipper, tail=None, limit=20_000)
    except LabError as not_yet:
        if not_yet.transient or isinstance(not_yet, Unreachable):
            raise
        return []  # it has not begun
    return [line for line in log.splitlines() if not line.startswith("tail: ")]


async def printed_over(lab: TaskLab, pod: Object, lines: Sequence[str]) -> float:
    """The seconds between the first and the last of these lines of the container, as the container runtime got them."""
    done = await kubectl(lab, "logs", pod["metadata"]["name"], "--container", _D.shipper, "--timestamps")
    if done.code != 0:
        raise LabError(f"kubectl logs: {done.output[-200:].strip()}", "check again", transient=True)
    stamped = [line.partition(" ") for line in done.output.splitlines()]
    times = [datetime.fromisoformat(stamp) for stamp, _, text in stamped if text in lines]
    return (times[-1] - times[0]).total_seconds() if times else 0.0
