"""The checks."""

from pathlib import Path

from mlops_lab.checks import check, equal_to, expect, holds, is_ready, observe
from mlops_lab.kit import presence
from mlops_lab.kit.pods import leaving, name
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.kube.client import Object
from mlops_lab.tasks import nodes
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_DOMAINS = ("cka/cluster-architecture",)
_START = Path(__file__).parents[1] / "start"
_READY_WITHIN, _EMPTY_WITHIN = 20.0, 12.0
# Pods that a node has as long as it is there: a DaemonSet's, and static ones.
_STAY = ("DaemonSet", "Node")
_EVERYWHERE = ""  # as the API has all namespaces


@check(points=3, domains=_DOMAINS)
async def is_empty(lab: TaskLab) -> None:
    """The worker takes no new pods, and has none but those of DaemonSets."""
    await nodes.must_answer(lab)
    worker = nodes.worker(lab)
    node = await presence.exists(lab, "Node", worker, "a node that is to come back is emptied, not deleted")
    closed = bool(node["spec"].get("unschedulable"))
    expect(holds(closed, f"{worker} is cordoned", f"{worker} takes new pods")).because(
        "kubectl drain cordons first, and only kubectl uncordon opens a node again"
    )

    async def left() -> list[str]:
        found = await lab.elsewhere(_EVERYWHERE).all("Pod")
        return sorted(name(pod) for pod in found if _on(pod, worker) and not _stays(pod))

    seen = await lab.time.eventually(
        left, lambda names: not names, expected=f"{worker} has only pods of DaemonSets",
        shown=lambda names: f"on it: {', '.join(names) or 'none else'}", within=_EMPTY_WITHIN,
    )  # fmt: skip
    expect(seen).because(
        "a cordon is for new pods alone; kubectl drain evicts the others, and says what it leaves and with which "
        "option it would not"
    )


@check(points=1, needs=is_empty, domains=_DOMAINS)
async def app_runs_elsewhere(lab: TaskLab) -> None:
    """Both pods of the Deployment are ready on another node, and its budget was as it is all the time."""
    pods = await nodes.must_be_whole(
        lab, D.app, pods=2, within=_READY_WITHIN, why="an evicted pod is made anew where there is room"
    )
    where = {str(pod["spec"].get("nodeName")) for pod in pods}
    expect(holds(nodes.worker(lab) not in where, "none is on the worker", "one is on the worker")).because(
        "it was to be emptied"
    )
    why = "drain waits for the budget by itself: it evicts a pod once another one is ready"
    await _must_be_the_given(lab, "PodDisruptionBudget", D.app, why)


@check(points=1, needs=is_empty, domains=_DOMAINS)
async def daemons_stay(lab: TaskLab) -> None:
    """The DaemonSet was as it is all the time, and has its pod on the worker."""
    why = "its pods are on every node as long as the node is there; drain leaves them with --ignore-daemonsets"
    await _must_be_the_given(lab, "DaemonSet", D.agent, why)
    own = [pod for pod in await lab.objects.all("Pod", f"app={D.agent}") if is_ready(pod) and not leaving(pod)]
    there = [pod for pod in own if _on(pod, nodes.worker(lab)) and _stays(pod)]
    expect(observe("its ready pods on the worker", len(there), equal_to(1))).because(why)


async def _must_be_the_given(lab: TaskLab, kind: str, named: str, why: str) -> None:
    """An object is as it was given, and was so all the time.

    It is older than the Deployment, which was made after it when the task began, and each change of its spec would have
    given it another generation: metadata, status and the same manifest once more do not.
    """
    item = await presence.exists(lab, kind, named, why)
    expect(await unchanged(lab, _START, kind, named)).because(why)
    changes = int(item["metadata"].get("generation") or 1) - 1
    expect(observe(f"changes of {kind} {named}", changes, equal_to(0))).because(why)
    app = await lab.objects.deployment(D.app).now()
    first = app is None or item["metadata"]["creationTimestamp"] <= app["metadata"]["creationTimestamp"]
    expect(holds(first, f"{kind} {named} was there all the time", "it was made anew")).because(why)


def _on(pod: Object, node: str) -> bool:
    return bool(pod["spec"].get("nodeName") == node)


def _stays(pod: Object) -> bool:
    return any(each.get("kind") in _STAY for each in pod["metadata"].get("ownerReferences") or [])
