"""Looks at the two nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mlops_lab.checks import Observation, expect, holds, is_ready
from mlops_lab.kit.pods import leaving
from mlops_lab.kube.client import Object
from mlops_lab.kube.objects import over
from mlops_lab.tasks import nodes
from mlops_lab.tasks.lab import TaskLab

_STEADY_FOR = 5.0  # s, in which a service that can't go on ends at least once
_TROUBLE = "node.kubernetes.io/"  # taints that come and go by themselves, such as node.kubernetes.io/not-ready


def for_sure(heard: Observation) -> Observation:
    """The same; a node that is not Ready any more is not one that a busy machine kept from speaking for a while."""
    known = heard.value[1]
    return heard if heard.ok or is_ready(known) else replace(heard, timed=False)


async def answers_the_api_server(lab: TaskLab, node: str, *, within: float) -> Observation:
    """Does a node's kubelet answer when the API server asks it, so many seconds at most?"""

    async def asked() -> bool:
        return bool(await nodes.kubelets_pods(lab, node))

    return await lab.time.eventually(
        asked,
        bool,
        expected="the kubelet answers the API server",
        shown=lambda said: "it does" if said else "no answer, or a refusal",
        within=within,
    )


async def steady(lab: TaskLab, node: str, service: str) -> Observation:
    """Does a service run, and not end and begin again and again?"""
    seen: list[dict[str, str]] = []
    for wait in (0.0, _STEADY_FOR):
        await lab.time.pause(wait)
        done = await lab.machines.run(node, "systemctl", "show", service, "--property=ActiveState,MainPID")
        seen.append(dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line))
    states = [each.get("ActiveState", "unknown") for each in seen]
    same = seen[0].get("MainPID") == seen[1].get("MainPID")
    said = states[1] if states[0] == states[1] else f"{states[0]}, then {states[1]}"
    return Observation(
        states == ["active", "active"] and same, f"service {service} is active, and stays so",
        said if same else f"{said}, and it has begun again meanwhile", what=f"after a restart service {service}",
    )  # fmt: skip


async def labels(lab: TaskLab, node: str) -> dict[str, str]:
    """A node's labels.

    Raises:
        Failure: there is no such node any more.
    """
    found = await lab.objects.named("Node", node).now()
    if found is None:
        expect(holds(False, f"a Node {node}", "there is none")).because("a node that was deleted joins anew, or not")
    assert found is not None
    return dict(found["metadata"].get("labels") or {})


def given(one: Mapping[str, str], other: Mapping[str, str]) -> dict[str, str]:
    """The labels that two nodes both have from the cluster, such as `kubernetes.io/os`: any other node has these."""
    return {key: value for key, value in one.items() if "kubernetes.io/" in key and other.get(key) == value}


async def unmarked(lab: TaskLab, node: str) -> Observation:
    """Has a node no taint but those that the cluster itself gives to one in trouble?"""
    found: Object = await lab.objects.named("Node", node).now() or {}
    taints = [each for each in (found.get("spec") or {}).get("taints") or [] if not each["key"].startswith(_TROUBLE)]
    said = ", ".join(
        each["key"] + (f"={each['value']}" if each.get("value") else "") + f":{each['effect']}" for each in taints
    )
    return holds(not taints, f"{node} has no taint", f"{node} has the taint {said}")


def at_work(pod: Object, node: str) -> bool:
    """Is it on that node, and is it to stay there?"""
    return bool(pod["spec"].get("nodeName") == node) and not over(pod) and not leaving(pod)
