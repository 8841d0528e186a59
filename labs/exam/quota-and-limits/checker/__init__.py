"""The checks."""

from pathlib import Path

from mlops_lab.checks import check, expect, holds
from mlops_lab.kit import deployments, presence
from mlops_lab.kit.pods import leaving
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.rollouts import rollout_over
from mlops_lab.kit.unchanged import AROUND, unchanged
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from . import trials
from .draw import Drawn

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"
# Of the Deployment, what is no part of its containers.
_PODS = 3
_ROLLED_OUT_WITHIN = 30  # s
_DOMAINS = ("cka/workloads-and-scheduling", "ckad/environment-configuration-and-security")


@check(points=2, owns="the quota", domains=_DOMAINS)
async def fills_in_what_is_not_said(lab: TaskLab) -> None:
    """A container that says nothing of resources gets the wanted requests and limits."""
    await presence.exists(lab, "LimitRange", D.limits, "it says what a container gets that says nothing", others=True)
    expect(await trials.defaults(lab)).because(
        "default fills in limits, defaultRequest requests; without defaultRequest a container requests its limits"
    )


@check(points=1, needs=fills_in_what_is_not_said, owns="the quota", domains=_DOMAINS)
async def bounds_each_container(lab: TaskLab) -> None:
    """A container with the largest memory limit is let in, and one with a MiB more is refused."""
    expect(await trials.largest_container(lab)).because(
        "max bounds what a container may have as its limit, and refuses a pod that asks for more"
    )


@check(points=3, needs=fills_in_what_is_not_said, owns="the quota", domains=_DOMAINS)
async def bounds_all_together(lab: TaskLab) -> None:
    """Pods are let in up to the wanted sums of requests and the wanted number, whatever their limits, and no more."""
    await presence.exists(lab, "ResourceQuota", D.quota, "it says what all pods together may request", others=True)
    await rollout_over(lab, D.app, within=_ROLLED_OUT_WITHIN)  # of point 4; that it ends is its own check's
    for kind in ("cpu", "memory"):
        expect(await trials.sum_of(lab, kind)).because(
            f"requests.{kind} of a ResourceQuota bounds the sum over all pods that have not ended"
        )
    expect(await trials.number_of_pods(lab)).because(
        "pods of a ResourceQuota bounds the number that have not ended; with limits.cpu or limits.memory it refuses "
        "pods that request little and may use more"
    )


@check(points=2, needs=fills_in_what_is_not_said, domains=_DOMAINS)
async def pods_have_their_share(lab: TaskLab) -> None:
    """The Deployment's three pods run with the requests and limits that were filled in."""
    await presence.exists(lab, "Deployment", D.app, "it was there, and was to stay")
    must(
        await unchanged(lab, _START, "Deployment", D.app, free=AROUND),
        "its containers were to stay as they are, and say nothing of resources",
    )
    must(
        await deployments.rolled_out(lab, D.app, pods=_PODS, within=_ROLLED_OUT_WITHIN),
        "a pod that the quota has no room for is not made: kubectl describe replicaset says so in its events",
    )
    pods = [each for each in await deployments.owned_pods(lab, D.app) if not leaving(each)]
    without = [each for each in pods if not trials.has_defaults(each)]
    all_have = f"{len(pods)} pods of {D.app} have the requests and limits"
    expect(holds(not without, all_have, f"{len(without)} of {len(pods)} have not")).because(
        "they are filled in when a pod is made; pods that are there already must be made anew"
    )
