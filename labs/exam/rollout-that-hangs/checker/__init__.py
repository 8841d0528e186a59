"""The checks."""

from pathlib import Path

from mlops_lab.checks import check, equal_to, expect, observe
from mlops_lab.kit import deployments, presence
from mlops_lab.kit.endpoints import answered_by, leaves_when_not_ready, some_pod
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.kit.witness import nothing_lost, older_than_the_rollout
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .guards import waited_for_the_store

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"
_LEFT_WITHIN = 40.0  # s; a probe that says nothing of its times takes up to 30


@check(points=3, domains=("cka/troubleshooting", "ckad/deployment"))
async def rollout_has_ended(lab: TaskLab) -> None:
    """Two pods of the new release answer for the Service, and nobody else."""
    found = await deployments.exists(lab, D.name, why="the Service's pods are this Deployment's")
    expect(observe("pods that it wants", found["spec"].get("replicas", 1), equal_to(2))).because(
        "two pods served before, and were to serve after"
    )
    expect(await deployments.rolled_out(lab, D.name, pods=2, within=25)).because(
        "with maxUnavailable 0 no old pod goes before a new one is ready: see why there is none, why it does not "
        "begin, or why it is not ready (kubectl describe)"
    )
    expect(await answered_by(lab, D.name, D.name, within=15)).because("the new pods are to answer for the Service")
    answers = [await lab.traffic.get(D.name, "/release") for _ in range(6)]
    said = ", ".join(sorted({each.text.strip() if each.status == 200 else each.shown for each in answers}))
    expect(observe("releases that answer", said, equal_to(D.new))).because(
        "a rollout that was undone has ended, too, where it began"
    )


@check(points=2, needs=rollout_has_ended, domains=("cka/troubleshooting", "ckad/deployment"))
async def no_request_is_lost(lab: TaskLab) -> None:
    """The pod that asks all the time is that of the beginning, and has lost no request."""
    expect(await older_than_the_rollout(lab, "caller", old=_is_old)).because(
        "a pod that is made anew has forgotten what the one before has lost: leave it as it is"
    )
    expect(await nothing_lost(lab, "caller", namespace=lab.namespace)).because(
        "old pods served on while the rollout hung: who deletes them, or scales them to none, takes the service away "
        "until new pods are ready"
    )


def _is_old(revision: Object) -> bool:
    """Is a ReplicaSet of the old release?"""
    containers = revision["spec"]["template"]["spec"]["containers"]
    said = [each.get("value") for one in containers for each in one.get("env") or [] if each["name"] == "RELEASE"]
    return said == [D.old]


@check(
    points=2,
    needs=rollout_has_ended,
    owns="a pod",
    domains=("cka/troubleshooting", "ckad/observability-and-maintenance"),
)
async def guards_stay(lab: TaskLab) -> None:
    """A pod waits for the store before it begins, and gets requests only while its file is there."""
    pod = await some_pod(lab, D.name)
    expect(await waited_for_the_store(lab, D, pod)).because(
        "the init container keeps a pod from beginning before what it needs is there: let it wait for the right name"
    )
    expect(await leaves_when_not_ready(lab, D.name, D.name, pod, file="/tmp/www/ready", within=_LEFT_WITHIN)).because(
        "the readiness probe keeps requests from a pod that can't serve: without it a rollout goes on whatever the new "
        "pods do"
    )


@check(points=1, needs=rollout_has_ended, domains=("cka/troubleshooting",))
async def quota_stays(lab: TaskLab) -> None:
    """The namespace's quota is as it was."""
    quota = await presence.exists(lab, "ResourceQuota", "pods", "it was there, and was to stay", others=True)
    hard = (quota["spec"].get("hard") or {}).get("pods", "none")
    expect(observe("pods that the quota allows", hard, equal_to(D.quota))).because(
        "a rollout can do without room for more pods: maxSurge 0, and one pod less for a while"
    )
    must(await unchanged(lab, _START, "ResourceQuota", "pods"), "it was to stay as it is")
