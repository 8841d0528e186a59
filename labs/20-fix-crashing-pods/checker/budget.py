"""The memory that pods may take at most, from the limits of their containers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from mlops_lab.checks import Lab, Observation, quantity
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.next_pods import next_pod
from mlops_lab.kit.pods import leaving, name
from mlops_lab.kube.client import Object

PARTS = ("book", "model", "collector", "board")
MIB = Decimal(2**20)


async def accounted(lab: Lab) -> tuple[Observation, Decimal, tuple[str, ...]]:
    """Has each container a limit; what the pods of the four may take in bytes, all together; and each pod in a line."""
    pods = [each for part in PARTS for each in await _pods(lab, part)]
    # A pod's limits can be changed while it runs; the next one has the template's again.
    without = [f"{name(one)}: {each}" for pair in pods for one in pair for each in unlimited(one["spec"])]
    free = list(dict.fromkeys(without))
    most = {name(pod): max(limit(pod["spec"]), limit(following["spec"])) for pod, following in pods}
    lines = tuple(
        f"Pod {pod}: {float(bytes_ / MIB):g}Mi{f' ({by})' if by else ''}" for pod, (bytes_, by) in sorted(most.items())
    )
    expected = "a memory limit for each container"
    seen = f"none for {', '.join(free)}" if free else f"all containers of {len(pods)} pods have one"
    total = sum((bytes_ for bytes_, _ in most.values()), Decimal())
    return Observation(not free, expected, seen, None, lines), total, lines


async def _pods(lab: Lab, part: str) -> list[tuple[Object, Object]]:
    """A Deployment's pods that may take memory, each with the next one; that alone where there is no pod."""
    there = [pod for pod in await owned_pods(lab, part) if not leaving(pod)]
    following = await next_pod(lab, part)
    return [(pod, following) for pod in there or [following]]


def unlimited(spec: Object) -> list[str]:
    """The containers of a pod's spec without a memory limit; none where the pod itself has one."""
    if _memory(spec) is not None:
        return []
    containers = [*spec["containers"], *(spec.get("initContainers") or [])]
    return [str(each["name"]) for each in containers if _memory(each) is None]


def limit(spec: Object) -> tuple[Decimal, str]:
    """What a pod may take in bytes: its own limit, or the larger of what runs at the same time, before and after.

    And whose limit that is, where its containers do not add up to it.

    https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
    """
    whole = _memory(spec)
    if whole is not None:
        return whole, "limit of the pod"
    beside, before, by = Decimal(), Decimal(), ""
    for each in spec.get("initContainers") or []:
        own = _memory(each) or Decimal()
        if beside + own > before:
            before, by = beside + own, f"init container {each['name']}{', and those beside it' if beside else ''}"
        beside += own if each.get("restartPolicy") == "Always" else 0
    after = beside + sum((_memory(each) or Decimal() for each in spec["containers"]), Decimal())
    return (before, by) if before > after else (after, "")


def _memory(limited: Mapping[str, Object]) -> Decimal | None:
    """The limit that is set; a limit of 0 is none, as the kubelet takes it."""
    limits = (limited.get("resources") or {}).get("limits") or {}
    return (quantity(limits["memory"]) or None) if "memory" in limits else None
