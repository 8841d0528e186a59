"""The checks."""

from pathlib import Path

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import deployments, presence
from mlops_lab.kit.node_affinity import asked_of_nodes
from mlops_lab.kit.pods import leaving
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.kube.client import Object
from mlops_lab.measure.cluster.capacity import requests
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"
_BY_ITSELF = "kubernetes.io/"  # in the labels that a node has of its own


@check(points=3, domains=("cka/troubleshooting",))
async def all_pods_run(lab: TaskLab) -> None:
    """All pods of the Deployment are there, and run."""
    found = await deployments.exists(lab, D.name, why="its pods are what is missing")
    expect(observe("pods that it wants", found["spec"].get("replicas", 1), equal_to(D.pods))).because(
        "fewer pods are no repair: so many were wanted"
    )
    expect(await deployments.rolled_out(lab, D.name, pods=D.pods, within=20)).because(
        "kubectl describe pod tells why the scheduler finds no node; a pod that a quota refuses is not even made, and "
        "the events of the ReplicaSet tell so"
    )
    wants = D.label in (found["spec"]["template"]["spec"].get("nodeSelector") or {})
    lost = wants and not await _labelled(lab)  # one that has it is the last check's
    expect(holds(not lost, "new pods find a node, too", f"no node has the label {D.label}")).because(
        "pods stay when a node loses its label, and the next ones find none: what was wrong is the Deployment"
    )


@check(
    points=2,
    needs=all_pods_run,
    domains=("cka/troubleshooting", "ckad/environment-configuration-and-security"),
)
async def asks_for_what_it_needs(lab: TaskLab) -> None:
    """Each pod asks for the CPU and the memory that its program was measured to need."""
    wanted = f"{D.cpu}m and {D.memory}Mi"
    pods = [pod for pod in await deployments.owned_pods(lab, D.name) if not leaving(pod)]
    asked = {name_of(pod): _asked(pod) for pod in pods}
    others = [f"{name}: {what}" for name, what in asked.items() if what != wanted]
    expect(holds(not others, f"each pod asks for {wanted}", otherwise="; ".join(others))).because(
        "the scheduler keeps for a pod what it asks for: with less it may land where there is too little, with more it "
        "takes from others what it does not use"
    )
    template = (await lab.objects.deployment(D.name).present())["spec"]["template"]
    resized = any(_says_otherwise(template, pod) for pod in pods)
    must(
        holds(not resized, f"the next pod asks for {wanted}, too", f"the template asks for {_asked(template)}"),
        "what is changed in a pod (--subresource resize) is that pod's alone: the Deployment makes the next one of its "
        "template",
    )


@check(points=1, needs=all_pods_run, domains=("cka/troubleshooting",))
async def quota_and_nodes_stay(lab: TaskLab) -> None:
    """The quota is as it was, and no node has got a label for these pods."""
    quota = await presence.exists(lab, "ResourceQuota", f"{D.name}-share", "it was there, and was to stay", others=True)
    hard = (quota["spec"].get("hard") or {}).get("requests.cpu", "none")
    expect(observe("CPU that the quota allows", hard, equal_to(f"{D.share}m"))).because(
        "a quota is the cluster's promise to other namespaces; who hits it asks for less, or asks the administrator"
    )
    must(
        await unchanged(lab, _START, "ResourceQuota", f"{D.name}-share"),
        "a quota with scopes allows as much as before, and counts only the pods that these are about",
    )
    labelled = await _labelled(lab)
    expect(holds(not labelled, f"no node has a label {D.label}", otherwise=f"it is on {', '.join(labelled)}")).because(
        "a label says what a node has; one that only lets a pod in says what is not so"
    )
    found = await lab.objects.deployment(D.name).present()
    others = [each for each in asked_of_nodes(found["spec"]["template"]["spec"]) if _BY_ITSELF not in each]
    must(
        holds(not others, "its pods ask for no label that nodes don't have by themselves", f"for {', '.join(others)}"),
        "that label was on no node for these pods' sake, and on which nodes they run does not matter",
    )


async def _labelled(lab: TaskLab) -> list[str]:
    """The nodes that have the label."""
    return [name_of(node) for node in await lab.objects.all("Node") if D.label in (node["metadata"]["labels"] or {})]


def _says_otherwise(template: Object, pod: Object) -> bool:
    """Does a template ask for another amount than a pod? What it does not say a LimitRange may have said."""
    asked = requests(pod)
    return any(amount not in (0, asked[name]) for name, amount in requests(template).items())


def _asked(pod: Object) -> str:
    """What a pod asks for, as the task writes it."""
    found = requests(pod)
    return f"{float(found['cpu'] * 1000):g}m and {float(found['memory'] / 2**20):g}Mi"
