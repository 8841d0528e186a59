"""The checks."""

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import deployments
from mlops_lab.kit.debuggers import undebugged
from mlops_lab.kit.endpoints import answered_by
from mlops_lab.kit.pods import every_container, leaving, made_by
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.witness import nothing_lost, older_than_the_rollout
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .revisions import is_old

D = drawn(Drawn, __file__)


@check(points=3, domains=("cka/troubleshooting", "ckad/deployment"))
async def rollout_has_ended(lab: TaskLab) -> None:
    """All pods, and the next ones, are of the new image, and each answers for the Service with the new version."""
    found = await deployments.exists(lab, D.name, why="the Service's pods are this Deployment's")
    expect(observe("pods that it wants", found["spec"].get("replicas", 1), equal_to(D.pods))).because(
        "so many pods served before, and were to serve after"
    )
    expect(await deployments.rolled_out(lab, D.name, pods=D.pods, within=25)).because(
        "kubectl describe pod has the image's whole name and what the registry said: a tag or a name that it does not "
        "know, or a registry that does not answer"
    )
    pods = [pod for pod in await deployments.owned_pods(lab, D.name) if not leaving(pod)]
    containers = [each for pod in pods for each in every_container(undebugged(pod["spec"]))]
    names = ", ".join(sorted({each["name"] for each in containers}))
    expect(observe("its containers", names, equal_to("prepare, server"))).because(
        "a container whose image can't be pulled is still needed: kubectl rollout history --revision=1 shows both"
    )
    images = {each["image"].partition("@")[0] for each in containers}
    expect(observe("images of its containers", ", ".join(sorted(images)), equal_to(lab.platform.image("v2")))).because(
        "a rollout that was undone has ended, too, where it began"
    )
    template = found["spec"]["template"]["spec"]
    next_ones = {each["image"].partition("@")[0] for each in every_container(template)}
    must(
        observe("images of the next pod", ", ".join(sorted(next_ones)), equal_to(lab.platform.image("v2"))),
        "an image that is changed in a pod (kubectl set image pod) is that pod's alone: the Deployment makes the next "
        "one of its template",
    )
    expect(await answered_by(lab, D.name, D.name, within=15)).because("the new pods are to answer for the Service")
    answers = [await lab.traffic.get(D.name, "/version") for _ in range(6)]
    said = ", ".join(sorted({each.text.strip() if each.status == 200 else each.shown for each in answers}))
    expect(observe("versions that answer", said, equal_to("v2"))).because("the pods say which image they were made of")


@check(points=2, needs=rollout_has_ended, domains=("cka/troubleshooting", "ckad/deployment"))
async def no_request_is_lost(lab: TaskLab) -> None:
    """The pod that asks all the time is that of the beginning, and has lost no request."""
    expect(await older_than_the_rollout(lab, "caller", old=lambda each: is_old(lab, each))).because(
        "a pod that is made anew has forgotten what the one before has lost: leave it as it is"
    )
    expect(await nothing_lost(lab, "caller", namespace=lab.namespace)).because(
        "pods of the old image served on while the new one could not be pulled: who deletes them, or scales them to "
        "none, takes the service away until new pods are ready"
    )


@check(points=1, needs=rollout_has_ended, domains=("cka/troubleshooting", "ckad/deployment"))
async def way_back_stays(lab: TaskLab) -> None:
    """The Deployment still has a revision of the old image to go back to."""
    found = await deployments.exists(lab, D.name, why="the Service's pods are this Deployment's")
    sets = [each for each in await lab.objects.all("ReplicaSet") if made_by(each, found)]
    old = [each for each in sets if is_old(lab, each)]
    seen = f"{len(sets)} revisions, none of them with v1 alone"
    expect(holds(bool(old), "a revision whose containers are all of v1", otherwise=seen)).because(
        "kubectl rollout undo goes back to a ReplicaSet that is still there: who makes the Deployment anew, or sets "
        "revisionHistoryLimit to 0, has none"
    )
