"""Deployments: is there one, which pods are its own, are those behind a Service, and how many it has over time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit import presence
from mlops_lab.kit.logs import last_lines
from mlops_lab.kit.pods import images, leaving, made_by, newest
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kit.selectors import selects
from mlops_lab.kube.client import Object
from mlops_lab.kube.objects import over

NOTHING_RUNS = "nothing runs before it is applied: "


async def exists(lab: Lab, name: str = "model", *, apply: str = "kubectl apply -k .", why: str = "") -> Object:
    """The Deployment of that name.

    Args:
        apply: the command by which the learner makes it.
        why: what to say if it is not there, instead of that nothing runs before it is applied.

    Raises:
        Failure: there is none.
    """
    said = why or f"{NOTHING_RUNS}{apply}, then kubectl get deployments"
    return await presence.exists(lab, "Deployment", name, said)


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
    found = await lab.objects.deployment(name).now()
    if found is None:
        return []
    labels = ",".join(f"{key}={value}" for key, value in selector(found).items())
    pods = await lab.objects.all("Pod", labels)
    if not found["spec"]["selector"].get("matchExpressions"):
        return pods
    return [each for each in pods if selects(found["spec"]["selector"], each["metadata"].get("labels") or {})]


async def owned_pods(lab: Lab, name: str = "model") -> list[Object]:
    """The pods that a Deployment's ReplicaSets have made, those that are being deleted too; labels alone make none.

    One that has ended, as by a node's eviction, has a successor and is none: nobody deletes what is left of it.
    """
    deployment = await lab.objects.deployment(name).now()
    if deployment is None:
        return []
    sets = [each for each in await lab.objects.all("ReplicaSet") if made_by(each, deployment)]
    pods = [each for each in await lab.objects.all("Pod") if not over(each)]
    return [each for each in pods if any(made_by(each, one) for one in sets)]


async def all_its_own(lab: Lab, deployment: Object, service: str, *, image: str) -> Observation:
    """Whether all pods behind a Service were made by a Deployment's ReplicaSets, and their first container of an image.

    Args:
        image: the image's name.
    """
    own = {name_of(each) for each in await owned_pods(lab, name_of(deployment))}
    others = []
    for pod in await lab.objects.pods_of(service):
        if name_of(pod) not in own:
            others.append(f"{name_of(pod)}: not of this Deployment")
        elif images(pod)[0].partition("@")[0] != image:
            others.append(f"{name_of(pod)}: its first container runs {images(pod)[0]}")
    expected = f"all pods behind Service {service} are of Deployment {name_of(deployment)} and run {image}"
    seen = "they are" if not others else f"{len(others)} that {'is' if len(others) == 1 else 'are'} not"
    return Observation(not others, expected, seen, len(others), tuple(others[:6]))


@contextlib.asynccontextmanager
async def followed(
    lab: Lab, take: Callable[[Object | None], None], deployment: str = "model", *, within: float
) -> AsyncIterator[None]:
    """Give each state of a Deployment to `take` while the block runs.

    Args:
        take: called in another thread, with None while there is no Deployment.
        within: seconds at most.
    """

    def taken(item: Object | None) -> bool:
        take(item)
        return False

    watched = lab.objects.deployment(deployment)
    watch = asyncio.create_task(watched.until(taken, expected="", shown=pod_counts, within=within))
    try:
        yield
    finally:
        watch.cancel()
        ended = (await asyncio.gather(watch, return_exceptions=True))[0]
    if isinstance(ended, Exception):  # what came afterwards nobody has seen
        raise ended


def status_count(item: Object | None, field: str) -> int:
    """A number in an object's status; 0 where it is not set, as the API leaves out zeros."""
    return int(((item or {}).get("status") or {}).get(field) or 0)


def alone(item: Object | None) -> bool:
    """Does a Deployment want exactly one pod, and is that there and ready?"""
    if item is None or item["spec"].get("replicas") != 1:
        return False
    return status_count(item, "replicas") == status_count(item, "readyReplicas") == 1


def pod_counts(item: Object | None) -> str:
    """A Deployment's pods in words."""
    if item is None:
        return "no Deployment"
    pods = status_count(item, "replicas")
    return f"{pods} pod{'s' if pods != 1 else ''}, {status_count(item, 'readyReplicas')} ready"


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
