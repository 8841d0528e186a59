"""The Deployment's revisions: which is the old one."""

from mlops_lab.kit.pods import every_container
from mlops_lab.kube.client import Object
from mlops_lab.tasks.lab import TaskLab


def is_old(lab: TaskLab, revision: Object) -> bool:
    """Are all containers of a ReplicaSet of the old image?"""
    images = {each["image"] for each in every_container(revision["spec"]["template"]["spec"])}
    return images == {lab.platform.image("v1")}
