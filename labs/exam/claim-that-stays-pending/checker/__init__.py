"""The checks."""

from pathlib import Path

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import deployments, presence
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.kube.client import Object
from mlops_lab.kube.objects import phase
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"
_BOUND_WITHIN, _RUNS_WITHIN, _ANSWERS_WITHIN = 20, 40, 10  # s; the controller looks again every 15 s
_PLUGIN = "loopback"  # which every node has
# On a volume that was nobody's when the controller bound it; one that was reserved by hand is without it.
_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"


@check(points=2, domains=("cka/storage",))
async def claim_is_bound(lab: TaskLab) -> None:
    """The claim is bound to the volume that was made for it."""
    why = "the Deployment's pod mounts it by this name"
    await presence.exists(lab, "PersistentVolumeClaim", D.claim, why, others=True)
    seen = await lab.objects.named("PersistentVolumeClaim", D.claim).until(
        lambda it: phase(it) == "Bound", expected="Bound", shown=phase, within=_BOUND_WITHIN
    )
    must(
        seen,
        "a claim takes a volume of its own class, that has its access modes and its selector's labels, and is large "
        "enough; kubectl describe pvc says what the controller sees",
    )
    bound = (await lab.objects.named("PersistentVolumeClaim", D.claim).present())["spec"].get("volumeName")
    expect(observe("bound to", bound, equal_to(D.volume))).because(
        "the volume that was made for it has the data; of a class that has a provisioner a claim gets a new volume"
    )


@check(points=1, needs=claim_is_bound, domains=("cka/storage",))
async def volume_is_as_it_was(lab: TaskLab) -> None:
    """The volume and the spare one have the class, size, access mode, label, folder and policy that they had.

    Neither was reserved for a claim by hand.
    """
    for name, size, use, folder in (
        (D.volume, D.size, D.use, "/opt/cni/bin"), (D.spare, D.size - 10, "spare", "/opt/cni"),
    ):  # fmt: skip
        volume = await presence.exists(lab, "PersistentVolume", name, "it was there, and was to stay")
        other = [part for part, (was, now) in _compared(volume, size, use, folder).items() if was != now]
        other += ["its claimRef, which the controller writes where a claim fits"] * _reserved(volume)
        seen = holds(not other, f"{name} has all that it had", f"changed: {', '.join(other)}")
        expect(seen).because("it was right: what did not fit it was the claim, which is all that was to be changed")


@check(points=2, needs=claim_is_bound, domains=("cka/storage",))
async def lists_the_plugins(lab: TaskLab) -> None:
    """Deployment and Service are as they were: its pod mounts the claim, and lists the plugins of its node."""
    for kind in ("Deployment", "Service"):
        expect(await unchanged(lab, _START, kind, D.app)).because("it was right, and was to stay as it was")
    must(
        await deployments.rolled_out(lab, D.app, within=_RUNS_WITHIN),
        "a pod waits for the claims that it mounts: kubectl describe pod says for which, and why",
    )
    answer = await lab.traffic.first_answer(
        lambda: lab.traffic.get(D.app, "/", within=3), lambda it: _PLUGIN in it.text, within=_ANSWERS_WITHIN
    )
    listed = f"GET / lists {_PLUGIN}, and others"
    expect(holds(_PLUGIN in answer.text, listed, f"GET / gives {answer.shown}")).because(
        "the volume is the folder of the node in which the plugins are"
    )


def _reserved(volume: Object) -> bool:
    """Was a volume reserved for a claim by hand?"""
    marks = volume["metadata"].get("annotations") or {}
    return bool(volume["spec"].get("claimRef")) and _BY_CONTROLLER not in marks


def _compared(volume: Object, size: int, use: str, folder: str) -> dict[str, tuple[object, object]]:
    """What a volume had and has, by name; the claim that it is bound to, or was, is none of it."""
    spec = volume["spec"]
    return {
        "its class": (D.kind, spec.get("storageClassName")),
        "its size": (f"{size}Mi", (spec.get("capacity") or {}).get("storage")),
        "its access modes": (["ReadOnlyMany"], spec.get("accessModes")),
        "its labels": ({"use": use}, volume["metadata"].get("labels")),
        "its folder": (folder, (spec.get("hostPath") or {}).get("path")),
        "its reclaim policy": ("Retain", spec.get("persistentVolumeReclaimPolicy")),
    }
