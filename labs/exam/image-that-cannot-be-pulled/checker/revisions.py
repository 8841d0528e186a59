"""The Deployment's revisions: which is the old one, and what was there before the others."""

from datetime import datetime

from mlops_lab.checks import Observation, absent
from mlops_lab.kit.pods import every_container
from mlops_lab.kube.client import Object
from mlops_lab.tasks.lab import TaskLab


def is_old(lab: TaskLab, revision: Object) -> bool:
    """Are all containers of a ReplicaSet of the old image?"""
    images = {each["image"] for each in every_container(revision["spec"]["template"]["spec"])}
    return images == {lab.platform.image("v1")}


async def older_than_the_rollout(lab: TaskLab, pod: str) -> Observation:
    """Whether a pod was there before the first ReplicaSet that is not of the old image, as it was at the beginning."""
    expected = f"Pod {pod} was there before the image was to change"
    found = await lab.objects.named("Pod", pod).now()
    if found is None:
        return absent(expected, f"Pod {pod} is gone")
    later = [_made(each) for each in await lab.objects.all("ReplicaSet") if not is_old(lab, each)]
    after = (_made(found) - min(later, default=_made(found))).total_seconds()
    return Observation(after <= 0, expected, f"it was made {after:.0f} s later" if after > 0 else "it was", timed=False)


def _made(item: Object) -> datetime:
    return datetime.fromisoformat(item["metadata"]["creationTimestamp"])
