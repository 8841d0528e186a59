"""The label moved to another node, and pods of the first Deployment put on every node; all is put back afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

from mlops_lab.checks import Observation, holds
from mlops_lab.kit import deployments, presence
from mlops_lab.kit.node_affinity import asks_for, named_values, tempting
from mlops_lab.kit.pods import is_running, leaving, made_by
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.replicas import scaled
from mlops_lab.kit.restore import insist
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object
from mlops_lab.kube.objects import over, own_taints
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_PODS = 2
_PLACED_WITHIN, _DECIDED_WITHIN, _GONE_WITHIN = 30.0, 15.0, 20.0  # s
_HASH, _COST = "pod-template-hash", "controller.kubernetes.io/pod-deletion-cost"


async def placed(lab: TaskLab, name: str) -> None:
    """A Deployment has the pods that it had, and all of them run.

    Raises:
        Failure: it has not.
    """
    found = await presence.exists(lab, "Deployment", name, "it was there, and was to stay")
    wanted = found["spec"].get("replicas", 1)
    must(holds(wanted == _PODS, f"Deployment {name} has {_PODS} pods", f"{wanted} are wanted"), "it was to keep them")
    seen = await deployments.rolled_out(lab, name, pods=_PODS, within=_PLACED_WITHIN)
    must(seen, "a pod for which no node is right stays Pending: kubectl describe pod says why the scheduler takes none")
    must(await deployments.old_pods_gone(lab, name, within=_GONE_WITHIN), "pods of the template before still run")


async def nodes_as_they_were(lab: TaskLab) -> Observation:
    """Whether two nodes have the label, a value each, and nobody has tainted them."""
    had = [each for each in await lab.objects.all("Node") if D.key in (each["metadata"].get("labels") or {})]
    values = sorted(each["metadata"]["labels"][D.key] for each in had)
    tainted = [f"a taint {taint['key']} on {name_of(each)}" for each in had for taint in own_taints(each)]
    labels = "" if values == sorted([D.value, D.other]) else f"values of {D.key}: {', '.join(values) or 'none'}"
    wanted = f"{D.key} is {D.value} on one node and {D.other} on another one, without taints"
    return holds(not (tainted or labels), wanted, "; ".join([*tainted, *([labels] if labels else [])]))


async def on_labelled_nodes(lab: TaskLab) -> Observation:
    """Whether all pods of the first Deployment are on nodes with the label."""
    right = {name_of(each) for each in await _nodes(lab, D.value)}
    where = [_node(pod) for pod in await _pods(lab, D.fixed)]
    outside = [node for node in where if node not in right]
    on = f"all pods of {D.fixed} are on nodes with {D.key}={D.value}"
    return holds(bool(where) and not outside, on, f"{len(outside)} of {len(where)} are on {', '.join(set(outside))}")


@contextlib.asynccontextmanager
async def label_taken_away(lab: TaskLab) -> AsyncIterator[list[Object]]:
    """No node has the label with the wanted value, and the second Deployment no pods, which would be in the way.

    Yields:
        The nodes that had the label before, with any value.
    """
    had = [each for each in await lab.objects.all("Node") if D.key in (each["metadata"].get("labels") or {})]
    async with scaled(lab, D.shy, 0):
        try:
            for each in had:
                if each["metadata"]["labels"][D.key] == D.value:
                    await _label(lab, each, None)
            yield had
        finally:
            await insist(lambda: _put_back(lab, had))


async def new_one_waits(lab: TaskLab) -> Observation:
    """Whether a new pod of the first Deployment finds no node."""
    async with scaled(lab, D.fixed, _PODS + 1):
        return await _waits(lab, D.fixed, _PODS + 1, f"no node has {D.key}={D.value}")


async def follows_the_label(lab: TaskLab, nodes: Sequence[Object]) -> Observation:
    """Whether a new pod of the first Deployment runs on a node that did not have the right label before."""
    other = next((each for each in nodes if each["metadata"]["labels"][D.key] != D.value), None)
    must(
        holds(other is not None, f"a node with another value of {D.key}", "there is none any more"),
        "the nodes were to stay as they were",
    )
    assert other is not None
    must(await _none_left(lab, D.shy), "its pods must end first")
    await _label(lab, other, D.value)
    async with scaled(lab, D.fixed, _PODS + 1):
        seen = await lab.time.eventually(
            lambda: _pods(lab, D.fixed), lambda pods: name_of(other) in map(_node, pods),
            expected="a new pod there", shown=lambda pods: f"{len(pods)} pods", within=_DECIDED_WITHIN, every=0.5,
        )  # fmt: skip
        for pod in seen.value:
            if _node(pod) == name_of(other):  # that one goes when the Deployment has its own number of pods again
                await lab.objects.patch("Pod", name_of(pod), {"metadata": {"annotations": {_COST: "-1000"}}})
    follows = f"once {name_of(other)} has {D.key}={D.value}, a new pod of {D.fixed} runs there"
    return holds(seen.ok, follows, f"{name_of(other)} has it now, and no new pod of {D.fixed} runs there")


async def takes_no_other(lab: TaskLab) -> Observation:
    """Whether the first Deployment's template takes no node without the label, and none with another value of it.

    No node may have that value yet: those that the template names are tried, and one that nobody knows.
    """
    spec = (await lab.objects.deployment(D.fixed).present())["spec"]["template"]["spec"]
    node = (await _nodes(lab, D.value))[0]
    without = {key: value for key, value in node["metadata"]["labels"].items() if key != D.key}
    values = {D.other, f"{D.other}-{D.value}", *named_values(spec, D.key)} - {D.value}
    labels: list[dict[str, str]] = [{}, *({D.key: each} for each in sorted(values))]
    wrong = [
        ", ".join(f"{key}={value}" for key, value in (has | label).items() if without.get(key) != value) or "no labels"
        for has, name in [(without, name_of(node)), *tempting(spec, without, name_of(node), but=D.key)]
        for label in labels
        if asks_for(spec, has | label, name)
    ]
    takes = f"the template of {D.fixed} takes no node without {D.key}={D.value}"
    return holds(not wrong, takes, f"it would also take one that has {'; one that has '.join(dict.fromkeys(wrong))}")


async def apart(lab: TaskLab) -> Observation:
    """Whether no node has pods of both."""
    first, second = [{_node(pod) for pod in await _pods(lab, name)} for name in (D.fixed, D.shy)]
    both = sorted(first & second)
    none = f"no node has pods of both {D.fixed} and {D.shy}"
    return holds(not both, none, f"both have pods on {', '.join(both)}")


async def while_they_are_everywhere(lab: TaskLab) -> list[Observation]:
    """Whether a new pod of the second Deployment waits while each node has a pod like the first one's, and no longer.

    The node that has none then has the label.
    """
    template = (await lab.objects.deployment(D.fixed).present())["spec"]["template"]
    nodes = await lab.nodes.workers(1)
    async with label_taken_away(lab):  # nothing may depend on it
        must(await _none_left(lab, D.shy), "its pods must end first")
        doubles = [_double(lab, f"double-{number}", template, node) for number, node in enumerate(nodes)]
        async with standing(lab, doubles, grace=0):
            for each in doubles:
                running = await lab.objects.named("Pod", name_of(each)).until(
                    _running, expected="a pod like those of the Deployment runs", shown=_phase, within=_PLACED_WITHIN
                )
                must(running, "such a pod must be able to start on each node")
            async with scaled(lab, D.shy, 1):
                waits = await _waits(lab, D.shy, 1, f"each node has a pod like those of {D.fixed}")
                taken = {_node(pod) for pod in await _pods(lab, D.fixed)}
                free = [
                    each for each in zip(nodes, doubles, strict=True)
                    if name_of(each[0]) not in taken and D.key in (each[0]["metadata"].get("labels") or {})
                ]  # fmt: skip
                return [waits, await _starts_without(lab, *free[0])] if waits.ok and free else [waits]


async def _starts_without(lab: TaskLab, node: Object, double: Object) -> Observation:
    """Whether the pod that waits starts on a node with the label once its double is gone."""
    await _label(lab, node, D.value)
    await lab.objects.kill(name_of(double), grace=0)
    seen = await lab.time.eventually(
        lambda: _pods(lab, D.shy), lambda pods: name_of(node) in map(_node, pods),
        expected="it starts there", shown=lambda pods: f"{len(pods)} pods", within=_DECIDED_WITHIN, every=0.3,
    )  # fmt: skip
    starts = f"once a node with {D.key}={D.value} has no such pod, the one of {D.shy} starts there"
    return holds(seen.ok, starts, f"{name_of(node)} has none, and it does not start there")


def _running(pod: Object | None) -> bool:
    return pod is not None and is_running(pod)


def _phase(pod: Object | None) -> str:
    return str((pod or {}).get("status", {}).get("phase", "gone"))


def _double(lab: TaskLab, name: str, template: Object, node: Object) -> Object:
    """A pod on a certain node that has a Deployment's labels and what its pods say of others, and is none of its."""
    container = {
        "name": "double", "image": lab.platform.image("v1"), "command": ["sleep", "infinity"],
        "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}},
    }  # fmt: skip
    said = template["spec"].get("affinity") or {}
    apart = {"podAntiAffinity": said["podAntiAffinity"]} if said.get("podAntiAffinity") else {}
    spec = {
        "nodeName": name_of(node), "terminationGracePeriodSeconds": 0, "containers": [container], "affinity": apart,
    }  # fmt: skip
    labels = {key: value for key, value in (template["metadata"].get("labels") or {}).items() if key != _HASH}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}


async def _waits(lab: TaskLab, name: str, pods: int, when: str) -> Observation:
    """Whether one of so many pods of a Deployment finds no node."""
    seen = await lab.time.eventually(
        lambda: _pods(lab, name),
        lambda them: len(them) >= pods and (all(map(_node, them)) or any(map(_unschedulable, them))),
        expected="the scheduler has decided", shown=lambda them: f"{len(them)} pods", within=_DECIDED_WITHIN, every=0.3,
    )  # fmt: skip
    waits, where = f"a new pod of {name} waits while {when}", sorted(set(map(_node, seen.value)) - {""})
    return holds(
        any(map(_unschedulable, seen.value)), waits, f"it does not: its pods are on {', '.join(where) or 'none'}"
    )


async def _none_left(lab: TaskLab, name: str) -> Observation:
    return await lab.time.eventually(
        lambda: deployments.pods_of(lab, name), lambda pods: all(map(over, pods)),
        expected=f"no pods of {name}", shown=lambda pods: f"{len(pods)} pods", within=_GONE_WITHIN, every=0.3,
    )  # fmt: skip


async def _nodes(lab: TaskLab, value: str) -> list[Object]:
    return [
        each for each in await lab.objects.all("Node") if (each["metadata"].get("labels") or {}).get(D.key) == value
    ]


async def _label(lab: TaskLab, node: Object, value: str | None) -> None:
    await lab.objects.patch("Node", name_of(node), {"metadata": {"labels": {D.key: value}}})


async def _put_back(lab: TaskLab, nodes: Sequence[Object]) -> None:
    for each in nodes:
        await _label(lab, each, each["metadata"]["labels"][D.key])


async def _pods(lab: TaskLab, name: str) -> list[Object]:
    """The pods that a Deployment's ReplicaSets have made, but for those that leave, or that a node has refused."""
    deployment = await lab.objects.deployment(name).present()
    sets = [each for each in await lab.objects.all("ReplicaSet") if made_by(each, deployment)]
    pods = [each for each in await lab.objects.all("Pod") if any(made_by(each, one) for one in sets)]
    return [each for each in pods if not leaving(each) and not over(each)]


def _node(pod: Object) -> str:
    return str(pod["spec"].get("nodeName") or "")


def _unschedulable(pod: Object) -> bool:
    return any(
        each["type"] == "PodScheduled" and each.get("reason") == "Unschedulable"
        for each in pod.get("status", {}).get("conditions") or []
    )
