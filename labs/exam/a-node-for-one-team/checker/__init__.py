"""The checks."""

from pathlib import Path

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import presence
from mlops_lab.kit.pods import name
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.kube.client import Object
from mlops_lab.tasks import nodes
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_DOMAINS = ("cka/workloads-and-scheduling",)
_START = Path(__file__).parents[1] / "start"
_READY_WITHIN, _LOOKED_AT_WITHIN = 20.0, 15.0
# How a node is, by its own controller, and not what somebody put on it.
_LIFE = "node.kubernetes.io/"
_OTHER_TAINTS = tuple(
    {**each, "effect": effect}
    for effect in ("NoSchedule", "NoExecute")
    for each in (
        {"key": "node-role.kubernetes.io/control-plane"},
        {"key": D.key, "value": "somebody-else"},
        {"key": "another-key", "value": D.value},
    )
)


@check(points=2, domains=_DOMAINS)
async def is_tainted(lab: TaskLab) -> None:
    """The worker has the taint that was wanted, and no other one."""
    await nodes.must_answer(lab)
    node = await presence.exists(lab, "Node", nodes.worker(lab), "the taint belongs on it")
    taints = [each for each in node["spec"].get("taints") or [] if not each["key"].startswith(_LIFE)]
    shown = ", ".join(sorted(f"{each['key']}={each.get('value', '')}:{each['effect']}" for each in taints)) or "none"
    expect(observe("its taints", shown, equal_to(f"{D.key}={D.value}:{D.effect}"))).because(
        "with NoSchedule no pod is placed that does not tolerate it; with NoExecute those that run there go, too"
    )


@check(points=3, needs=is_tainted, owns="pods", domains=_DOMAINS)
async def tolerates_it(lab: TaskLab) -> None:
    """The team's Deployment tolerates this taint alone, and its pods run on the worker, also one that is made anew."""
    found = await presence.exists(lab, "Deployment", D.app, "the team's pods are its own", others=True)
    tolerations = found["spec"]["template"]["spec"].get("tolerations") or []
    wanted = {"key": D.key, "value": D.value, "effect": D.effect}
    expect(
        holds(_tolerated(tolerations, wanted), "its template tolerates the taint", "it does not tolerate it")
    ).because("a toleration has the taint's key and value (or operator Exists), and its effect or none")
    more = [f"{each['key']}={each.get('value', '')}" for each in _OTHER_TAINTS if _tolerated(tolerations, each)]
    shown = ", ".join(dict.fromkeys(more))
    expect(holds(not more, "it tolerates no other one", f"it tolerates {shown} as well")).because(
        "operator Exists takes every value of a key, and without a key every taint there is"
    )
    others = [each for each in tolerations if not _tolerated([each], {**wanted, "effect": each.get("effect")})]
    strange = ", ".join(map(_shown, others))
    expect(holds(not strange, "it has no toleration of another taint", f"it has one of {strange}")).because(
        "each toleration opens a node to these pods, and this taint is all that they were to bear"
    )
    short = [each["tolerationSeconds"] for each in tolerations if each.get("tolerationSeconds") is not None]
    expect(holds(not short, "it tolerates it for good", f"for {min(short, default=0)} s")).because(
        "after its tolerationSeconds a pod has to leave the node, and one that is made anew after that as well"
    )
    why = "a pod that does not tolerate a node's taint waits: kubectl describe pod shows what the scheduler says"
    pods = await nodes.must_be_whole(lab, D.app, pods=2, within=_READY_WITHIN, why=why)
    await lab.objects.kill(name(pods[0]), grace=0)
    ended = str(pods[0]["metadata"]["uid"])
    pods = await nodes.must_be_whole(lab, D.app, pods=2, within=_READY_WITHIN, why=why, without=ended)
    where = sorted({str(pod["spec"].get("nodeName")) for pod in pods})
    expect(observe("its pods are on", ", ".join(where), equal_to(nodes.worker(lab)))).because("the node is theirs")


@check(points=1, needs=is_tainted, domains=_DOMAINS)
async def others_stay_away(lab: TaskLab) -> None:
    """The other Deployment is as it was, and a new pod that does not tolerate the taint is not placed on the worker."""
    expect(await unchanged(lab, _START, "Deployment", D.other)).because(
        "it belongs to another team; what is to become of its pod the taint decides"
    )
    expect(await nodes.stays_away(lab, nodes.worker(lab), within=_LOOKED_AT_WITHIN)).because(
        "that is what a taint is for"
    )


def _shown(toleration: Object) -> str:
    parts = [str(toleration[key]) for key in ("key", "value", "effect") if toleration.get(key)]
    return ":".join(parts) or "all there are"


def _tolerated(tolerations: list[Object], taint: Object) -> bool:
    """As the scheduler decides: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/"""
    for each in tolerations:
        if each.get("effect") not in (None, "", taint["effect"]):
            continue
        exists = each.get("operator") == "Exists"
        if not each.get("key"):
            if exists:
                return True
            continue
        if each["key"] == taint["key"] and (exists or each.get("value", "") == taint.get("value", "")):
            return True
    return False
