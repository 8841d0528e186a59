"""The end of a rollout: no pods of a template before, and which are of the template of now."""

from __future__ import annotations

from typing import Literal

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.deployments import status_count
from mlops_lab.kit.pods import leaving, made_by
from mlops_lab.kube.client import Object

Kind = Literal["Deployment", "DaemonSet", "StatefulSet"]
# Where a status has the number of pods, and of those that are of the template of now.
_COUNTED = {
    "Deployment": ("replicas", "updatedReplicas"),
    "DaemonSet": ("currentNumberScheduled", "updatedNumberScheduled"),
    "StatefulSet": ("replicas", "updatedReplicas"),
}


async def rollout_over(lab: Lab, name: str = "model", *, kind: Kind = "Deployment", within: float) -> Observation:
    """Wait until all its pods are of the template of now; there is nothing to wait for where it is not there.

    In a rollout there is a moment after each step in which all pods are ready, those of the template before, too: what
    these do says nothing of the template, and more are there than afterwards. Those that are being deleted are left
    out: `deployments.old_pods_gone` waits for their end.

    Args:
        within: seconds.
    """
    return await lab.objects.named(kind, name).until(
        lambda item: of_one_template(item, kind), expected="no pods of a template before",
        shown=lambda item: _counts(item, kind), within=within,
    )  # fmt: skip


def of_one_template(item: Object | None, kind: Kind = "Deployment") -> bool:
    """Has the controller seen the newest spec, and are all pods of that one's template? So where it is gone."""
    if item is None:
        return True
    pods, updated = (status_count(item, each) for each in _COUNTED[kind])
    return status_count(item, "observedGeneration") >= item["metadata"]["generation"] and pods == updated


async def pods_of_now(lab: Lab, deployment: Object | None) -> list[Object]:
    """The pods of a Deployment's template of now, but for those that leave; none until its controller has seen it.

    A pod of a template before may end again and again for a while after that was put right.
    """
    if deployment is None or status_count(deployment, "observedGeneration") < deployment["metadata"]["generation"]:
        return []
    sets = [each for each in await lab.objects.all("ReplicaSet") if made_by(each, deployment)]
    last = max(sets, key=_revision, default=None)
    if last is None:
        return []
    return [each for each in await lab.objects.all("Pod") if made_by(each, last) and not leaving(each)]


def _counts(item: Object | None, kind: Kind) -> str:
    pods, updated = (status_count(item, each) for each in _COUNTED[kind])
    return f"{updated} of {pods} pods are of the template of now"


def _revision(replica_set: Object) -> int:
    return int((replica_set["metadata"].get("annotations") or {}).get("deployment.kubernetes.io/revision", 0))
