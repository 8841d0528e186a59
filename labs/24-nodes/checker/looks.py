"""Looks at the two nodes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from mlops_lab.checks import Observation, expect, holds, is_ready
from mlops_lab.kit.pods import leaving
from mlops_lab.kube.client import Object
from mlops_lab.tasks.lab import TaskLab

_STEADY_FOR = 5.0  # s, in which a service that can't go on ends at least once
_ENDED = ("Succeeded", "Failed")


def control_plane(lab: TaskLab) -> str:
    """The name of the control plane's node."""
    return lab.machines.names[0]


def worker(lab: TaskLab) -> str:
    """The name of the other node."""
    return lab.machines.names[1]


def now() -> str:
    """This moment, as leases have it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def heard_of(lab: TaskLab, node: str, *, after: str, within: float) -> Observation:
    """Is a node Ready, and has its kubelet said after a moment that it lives?

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
        return f"its condition Ready is {condition(found)}, and it was heard of last at {renewed[11:19] or '?'} UTC"

    return await lab.time.eventually(
        look, lambda seen: seen[0] > after and is_ready(seen[1]),
        expected=f"Node {node} is Ready, and its kubelet is heard of", shown=shown, within=within,
    )  # fmt: skip


def for_sure(heard: Observation) -> Observation:
    """The same; a node that is not Ready any more is not one that a busy machine kept from speaking for a while."""
    known = heard.value[1]
    return heard if heard.ok or is_ready(known) else replace(heard, timed=False)


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


def condition(node: Object) -> str:
    """What a node's condition Ready is."""
    conditions = (node.get("status") or {}).get("conditions") or []
    return next((str(each.get("status")) for each in conditions if each.get("type") == "Ready"), "not there")


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


def at_work(pod: Object, node: str) -> bool:
    """Is it on that node, and is it to stay there?"""
    ended = (pod.get("status") or {}).get("phase") in _ENDED
    return bool(pod["spec"].get("nodeName") == node) and not ended and not leaving(pod)
