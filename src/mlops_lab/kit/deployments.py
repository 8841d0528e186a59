"""Deployments of the learner's: is there one, are its pods ready, and which pods are its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mlops_lab.checks import Lab, Observation, absent, expect
from mlops_lab.kit.logs import last_lines
from mlops_lab.kit.pods import leaving, newest
from mlops_lab.kube.client import Object

NOTHING_RUNS = "nothing runs before it is applied: "


async def exists(lab: Lab, name: str = "model", *, apply: str = "kubectl apply -k .", why: str = "") -> Object:
    """The Deployment of that name.

    Args:
        apply: the command by which the learner makes it.
        why: what to say if it is not there, instead of that nothing runs before it is applied.

    Raises:
        Failure: there is none.
    """
    found = await lab.objects.deployment(name).now()
    if found is None:
        expect(absent(f"a Deployment named {name}", "there is none in this namespace")).because(
            why or f"{NOTHING_RUNS}{apply}, then kubectl get deployments"
        )
    assert found is not None
    return found


async def rolled_out(lab: Lab, name: str = "model", *, pods: int = 1, within: float) -> Observation:
    """Wait until all its pods, `pods` at least, are up to date and available; else with what the newest one logged.

    Args:
        within: seconds.
    """
    seen = await lab.objects.deployment(name).rolled_out(pods=pods, within=within)
    if seen.ok:
        return seen
    one = newest(await pods_of(lab, name))
    lines = [f"its log: {line}" for line in await last_lines(lab, one)] if one else []
    return replace(seen, evidence=(*seen.evidence, *lines))


def selector(item: Object | None) -> Mapping[str, str]:
    """The labels by which a Deployment knows its pods; none where there is no Deployment."""
    found: Mapping[str, str] = ((item or {}).get("spec") or {}).get("selector", {}).get("matchLabels") or {}
    return found


async def pods_of(lab: Lab, name: str = "model") -> list[Object]:
    """All pods with the labels that the Deployment selects, those that are being deleted too; none without one."""
    labels = selector(await lab.objects.deployment(name).now())
    return await lab.objects.all("Pod", ",".join(f"{key}={value}" for key, value in labels.items())) if labels else []


async def old_pods_gone(lab: Lab, name: str = "model", *, within: float) -> Observation:
    """Wait until none of its pods is being deleted any more: until then they may still get requests.

    Args:
        within: seconds.
    """
    return await lab.time.eventually(
        lambda: pods_of(lab, name),
        lambda pods: not any(map(leaving, pods)),
        expected="no pods of the program before",
        shown=lambda pods: f"{sum(map(leaving, pods))} of {len(pods)} pods are being deleted",
        within=within,
    )
