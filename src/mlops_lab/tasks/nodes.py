"""Looks at the second cluster: what a candidate has broken there is a failure, with what was seen, and no error."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from mlops_lab.checks import LabError, Observation, absent, equal_to, expect, is_ready, observe
from mlops_lab.kit import deployments, presence
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object
from mlops_lab.kube.errors import NotFound, Refused
from mlops_lab.kube.objects import phase, scheduled
from mlops_lab.tasks.lab import TaskLab

_ANSWERS_WITHIN = 15.0
_TRIAL = "trial-of-the-checker"
_DOWN = "without it nobody sees or changes anything: crictl ps -a on the control plane, and the logs in /var/log/pods"


def control_plane(lab: TaskLab) -> str:
    """The name of the control plane's node."""
    return lab.machines.names[0]


def worker(lab: TaskLab) -> str:
    """The name of the other node."""
    return lab.machines.names[1]


async def printed(lab: TaskLab, node: str, *words: str, within: float = 30) -> str:
    """What a program on a node prints, without spaces around it; empty if it fails.

    Raises:
        LabError: this machine's engine does not answer, or the program took too long.
    """
    done = await lab.machines.run(node, *words, within=within)
    if done.code and "daemon" in done.stderr and "connect" in done.stderr.lower():
        raise LabError(f"node {node} can't be reached: {done.stderr.strip()[:200]}", "see: lab doctor")
    return done.stdout.strip() if done.code == 0 else ""


async def kubelets_pods(lab: TaskLab, node: str) -> list[Object]:
    """The pods of a node as its kubelet has them, with where each comes from, `file` or `api`; none if it is silent.

    https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-config-source

    Raises:
        LabError: this machine's engine does not answer.
    """
    config = "/etc/kubernetes/admin.conf"
    words = ("kubectl", "--kubeconfig", config, "get", "--raw", f"/api/v1/nodes/{node}/proxy/pods")
    said = await printed(lab, control_plane(lab), *words)
    return list(json.loads(said).get("items") or []) if said else []


async def answering(lab: TaskLab, within: float = _ANSWERS_WITHIN) -> Observation:
    """Does the API server answer?

    Args:
        within: seconds.
    """
    await printed(lab, control_plane(lab), "true")

    async def look() -> str:
        try:
            await lab.objects.all("Node")
        except LabError as down:
            return down.message
        return ""

    return await lab.time.eventually(
        look, lambda said: not said, expected="the API server answers", shown=lambda said: said or "it does",
        within=within,
    )  # fmt: skip


async def must_answer(lab: TaskLab) -> None:
    """What all other looks need.

    Raises:
        Failure: the API server does not answer.
    """
    must(await answering(lab), _DOWN)


async def must_be_whole(
    lab: TaskLab, deployment: str, *, pods: int, within: float, why: str, without: str = ""
) -> list[Object]:
    """The pods of a Deployment that wants so many and has them, up to date and ready, and no others.

    Args:
        within: seconds.
        why: what to say if it has not.
        without: the uid of a pod that was deleted, and is none of them.

    Raises:
        Failure: it is not there, wants another number, or does not have them.
    """
    found = await presence.exists(lab, "Deployment", deployment, "the task names it", others=True)
    must(observe(f"pods that Deployment {deployment} wants", found["spec"].get("replicas"), equal_to(pods)), why)
    expect(await deployments.rolled_out(lab, deployment, pods=pods, within=within)).because(why)

    def right(own: list[Object]) -> bool:
        return len(own) == pods and all(is_ready(each) and each["metadata"]["uid"] != without for each in own)

    seen = await lab.time.eventually(
        lambda: deployments.owned_pods(lab, deployment), right, expected=f"{pods} pods, all ready",
        shown=lambda own: f"{sum(map(is_ready, own))} of {len(own)} pods are ready", within=within,
    )  # fmt: skip
    must(seen, why)
    own: list[Object] = seen.value
    return own


async def speaks_again(lab: TaskLab, node: str, *, after: str, within: float) -> Observation:
    """Has the kubelet of a node told the API server that it lives, after a moment?

    Args:
        after: the moment, as `now` gives it.
        within: seconds.
    """

    async def look() -> tuple[str, Object | None]:
        lease = await lab.elsewhere("kube-node-lease").named("Lease", node).now()
        renewed = str(((lease or {}).get("spec") or {}).get("renewTime") or "")
        return renewed, await lab.objects.named("Node", node).now()

    def shown(seen: tuple[str, Object | None]) -> str:
        renewed, found = seen
        if found is None:
            return f"there is no Node {node}"
        return f"Ready is {_condition(found)}, and it was heard of last at {renewed[11:19] or 'no time'} UTC"

    return await lab.time.eventually(
        look, lambda seen: seen[0] > after and is_ready(seen[1]),
        expected=f"Node {node} is Ready, and its kubelet is heard of", shown=shown, within=within,
    )  # fmt: skip


def now() -> str:
    """This moment, as leases have it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def takes_a_pod(lab: TaskLab, node: str, *, tolerates: tuple[Object, ...] = (), within: float) -> Observation:
    """Does a new pod that the scheduler places run on a node?

    Args:
        tolerates: its tolerations.
        within: seconds.
    """
    expected = f"a new pod runs on {node}"
    try:
        async with standing(lab, [trial(lab, node, tolerates)], grace=0):
            return await lab.objects.named("Pod", _TRIAL).until(
                lambda pod: phase(pod) == "Running", expected=expected, shown=placed, within=within
            )
    except (NotFound, Refused) as refused:
        if refused.transient:
            raise
        return absent(expected, refused.message)


async def stays_away(lab: TaskLab, node: str, *, tolerates: tuple[Object, ...] = (), within: float) -> Observation:
    """Does the scheduler refuse to place a new pod on a node?

    Args:
        tolerates: its tolerations.
        within: seconds in which the scheduler has looked at it.
    """
    expected = f"a pod that does not tolerate it is not placed on {node}"
    try:
        async with standing(lab, [trial(lab, node, tolerates)], grace=0):
            return await lab.objects.named("Pod", _TRIAL).until(
                lambda pod: scheduled(pod).get("reason") == "Unschedulable",
                expected=expected, shown=placed, within=within,
            )  # fmt: skip
    except (NotFound, Refused) as refused:
        if refused.transient:
            raise
        return absent(expected, refused.message)


def trial(lab: TaskLab, node: str, tolerates: tuple[Object, ...] = ()) -> Object:
    """A pod of the checker's own that belongs on a node, and that the scheduler must place there."""
    container = {
        "name": "trial", "image": lab.platform.image("v1"), "command": ["sleep", "infinity"],
        "resources": {"requests": {"cpu": "5m", "memory": "8Mi"}},
    }  # fmt: skip
    spec: dict[str, Any] = {
        "containers": [container], "terminationGracePeriodSeconds": 0, "tolerations": list(tolerates),
        "nodeSelector": {"kubernetes.io/hostname": node},
    }  # fmt: skip
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": _TRIAL}, "spec": spec}


def placed(pod: Object | None) -> str:
    """Where a pod is, or what the scheduler says of it."""
    if pod is None:
        return "it is gone"
    where = pod["spec"].get("nodeName")
    if where:
        return f"{phase(pod)} on {where}"
    return f"{phase(pod)}, {scheduled(pod).get('message') or 'not looked at by a scheduler'}"[:200]


def _condition(node: Object) -> str:
    conditions = (node.get("status") or {}).get("conditions") or []
    return next((str(each.get("status")) for each in conditions if each.get("type") == "Ready"), "not said")
