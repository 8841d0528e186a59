"""The namespace's other pods, which a drain takes as well: may they go, do they in time, and do they stay away?"""

from __future__ import annotations

from collections.abc import Sequence

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.pods import leaving, made_by, name
from mlops_lab.kube.client import Object
from mlops_lab.kube.objects import over

from .scenario import COUNTED_WITHIN, DRAINED_WITHIN

CLOSED = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}  # the taint of a node that is closed
MAKERS = ("Job", "ReplicaSet", "ReplicationController", "StatefulSet")  # of pods by a template, wherever it says
GRACE = 30  # s, where a pod does not say how long it has to end


async def others_may_go(lab: Lab) -> Observation:
    """Whether the namespace's other pods, on whichever node they are, leave a node that is drained.

    Their evictions would be granted; none has longer to end than a drain may take, or comes back to a closed node.
    """
    others = await others_of(lab)
    kept = await of_a_node(lab, others)
    if stay := [f"{name(each)} {why}" for each in others if (why := holds_a_node(each) or kept.get(name(each)))]:
        expected = f"your other pods, if there are any, leave a closed node within {DRAINED_WITHIN} s, and stay away"
        return Observation(False, expected, stay[0], None, tuple(stay[1:8]))

    async def refused() -> list[str]:
        asked = [(name(each), await lab.nodes.evict(name(each), dry_run=True)) for each in await others_of(lab)]
        return [f"{pod}: {refusal}" for pod, refusal in asked if refusal]

    return await lab.time.eventually(
        refused,
        lambda refusals: not refusals,
        expected="evictions of your other pods, if there are any, are granted",
        shown=lambda refusals: f"{len(refusals)} refused: {refusals[0]}" if refusals else "none is refused",
        within=COUNTED_WITHIN,
    )


async def others_of(lab: Lab) -> list[Object]:
    """The pods that are not behind Service `model`, but for those that are leaving, or have ended."""
    own = {name(each) for each in await lab.objects.pods_of("model")}
    pods = [each for each in await lab.objects.all("Pod") if name(each) not in own]
    return [each for each in pods if not leaving(each) and not over(each)]


async def of_a_node(lab: Lab, pods: Sequence[Object]) -> dict[str, str]:
    """Of which pods the successor comes to the node that its template names, and why, in words; by their names.

    A pod that runs has the name of its node itself, so its maker is asked. No scheduler looks at the successor, and to
    the kubelet a closed node is as good as another.
    """
    kinds = {each["kind"] for pod in pods for each in pod["metadata"].get("ownerReferences") or []}
    makers = [each for kind in MAKERS if kind in kinds for each in await lab.objects.all(kind)]
    return {
        name(pod): f"is of a template with nodeName: {node}, and its successor comes to that node, closed or not"
        for pod in pods
        for each in makers
        if made_by(pod, each) and (node := each["spec"]["template"]["spec"].get("nodeName"))
    }


def holds_a_node(pod: Object) -> str:
    """Why a node is not empty of a pod that may be evicted, in words; empty where it is.

    What nobody has made does not come back, whatever it tolerates.
    """
    makers = [each["kind"] for each in pod["metadata"].get("ownerReferences") or [] if each.get("controller")]
    if "DaemonSet" in makers:
        return "is a DaemonSet's, and comes back to a closed node"
    if makers and any(map(tolerates_closed, pod["spec"].get("tolerations") or [])):
        return f"tolerates {CLOSED['key']}, and its successor may come to a closed node"
    grace = pod["spec"].get("terminationGracePeriodSeconds", GRACE)
    return f"has {grace} s to end (terminationGracePeriodSeconds)" if grace > DRAINED_WITHIN else ""


def tolerates_closed(toleration: Object) -> bool:
    """Does a toleration match the taint of a closed node? That has no value; without a key it matches every taint."""
    exists = toleration.get("operator") == "Exists"
    key, effect = toleration.get("key") or "", toleration.get("effect") or CLOSED["effect"]
    if effect != CLOSED["effect"] or (key != CLOSED["key"] and (key or not exists)):
        return False
    return exists or (toleration.get("operator") in (None, "", "Equal") and not toleration.get("value"))
