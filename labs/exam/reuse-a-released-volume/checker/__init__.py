"""The checks."""

from pathlib import Path

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import deployments, presence
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.unchanged import ROLLOUT, unchanged
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"
# Of the Deployment, what is no part of its template.
_BOUND_WITHIN, _RUNS_WITHIN, _ANSWERS_WITHIN = 20, 40, 10  # s; the controller looks again every 15 s


@check(points=2, domains=("cka/storage",))
async def claim_gets_the_old_volume(lab: TaskLab) -> None:
    """The new claim is bound to the volume that the deleted claim has left."""
    why = "the Deployment's pod mounts it by this name"
    claim = await presence.exists(lab, "PersistentVolumeClaim", D.claim, why, others=True)
    size = ((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage", "0")
    expect(observe("it asks for", size, equal_to(f"{D.size}Mi"))).because(
        "a volume may be larger than the claim that it is bound to, and the claim says what is needed"
    )
    bound = await lab.objects.named("PersistentVolumeClaim", D.claim).until(
        lambda it: (it or {}).get("status", {}).get("phase") == "Bound",
        expected="Bound", shown=lambda it: (it or {}).get("status", {}).get("phase", "gone"), within=_BOUND_WITHIN,
    )  # fmt: skip
    must(
        bound,
        "a Released volume is bound to no claim while its claimRef names the one that was deleted; a UID there means "
        "that very claim, not a new one of the same name",
    )
    claim, volume = await lab.objects.named("PersistentVolumeClaim", D.claim).present(), await _volume(lab)
    path = _path(volume)  # in a new one's is the UID of the claim that it was made for
    old = path.endswith(f"_{lab.namespace}_{D.lost}") and claim["metadata"]["uid"] not in path
    old = old and path.rpartition("/")[2].startswith(f"{volume['metadata']['name']}_")
    left = f"bound to the volume that claim {D.lost} has left"
    expect(holds(old, left, f"bound to {volume['metadata']['name']}, a new one")).because(
        "the provisioner makes a new and empty volume for a claim that names none, while none that is there is free; "
        "one that is made by hand of the old one's folder has it together with that one"
    )


@check(points=2, needs=claim_gets_the_old_volume, domains=("cka/storage",))
async def shows_the_data(lab: TaskLab) -> None:
    """The Deployment has its pod again, which mounts the claim, and the Service shows the data on the volume."""
    found = await presence.exists(lab, "Deployment", D.app, "it was there; its pods show the data")
    expect(observe("pods wanted", found["spec"].get("replicas", 1), equal_to(1))).because(
        "it was stopped, so it has no pods until it is scaled up; one was wanted"
    )
    must(
        await deployments.rolled_out(lab, D.app, within=_RUNS_WITHIN),
        "a pod waits for the claims that it mounts: kubectl describe pod says for which, and why",
    )
    must(await unchanged(lab, _START, "Deployment", D.app, free=ROLLOUT), "the template was right, and was to stay")
    answer = await lab.traffic.first_answer(
        lambda: lab.traffic.get(D.app, f"/{D.file}.csv", within=3),
        lambda it: D.token in it.text,
        within=_ANSWERS_WITHIN,
    )
    shown = answer.text.strip()[:60] if answer.status == 200 else answer.shown
    expect(holds(D.token in answer.text, f"GET /{D.file}.csv shows the data", f"it gives {shown!r}")).because(
        "what was on the volume is to be there still: whoever deletes or fills it anew loses it"
    )


@check(points=1, needs=claim_gets_the_old_volume, domains=("cka/storage",))
async def volume_outlives_its_claim(lab: TaskLab) -> None:
    """The volume's reclaim policy keeps it when the new claim is deleted."""
    policy = (await _volume(lab))["spec"].get("persistentVolumeReclaimPolicy")
    expect(observe("the volume's reclaim policy", policy, equal_to("Retain"))).because(
        "with Delete the provisioner deletes the volume and all that is on it once its claim is gone"
    )


async def _volume(lab: TaskLab) -> Object:
    """The volume that the claim is bound to."""
    claim = await lab.objects.named("PersistentVolumeClaim", D.claim).present()
    return await lab.objects.named("PersistentVolume", claim["spec"].get("volumeName", "")).present()


def _path(volume: Object) -> str:
    """Its folder on the node, which the provisioner calls after the namespace and the claim that it was made for."""
    spec = volume["spec"]
    return str((spec.get("hostPath") or spec.get("local") or {}).get("path", ""))
