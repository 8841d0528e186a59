"""A claim of the checker's own: bound, deleted, and what became of its volume; and the volume of the wanted claim."""

from mlops_lab.base.errors import LabError
from mlops_lab.checks import Observation, holds
from mlops_lab.kit.standing import remove_leftover
from mlops_lab.tasks.lab import TaskLab

_NAME = "trial-of-the-class"
_BOUND_WITHIN, _RELEASED_WITHIN = 90.0, 30.0


async def deleted_claim(lab: TaskLab, storage_class: str) -> Observation:
    """Is the volume of a deleted claim still there?"""
    await remove_leftover(lab, _NAME)
    await lab.objects.delete("PersistentVolumeClaim", _NAME)
    await lab.objects.gone("PersistentVolumeClaim", _NAME, within=_RELEASED_WITHIN)
    claim = {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": _NAME},
        "spec": {
            "storageClassName": storage_class, "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "8Mi"}},
        },
    }  # fmt: skip
    container = {
        "name": "holder", "image": lab.platform.image("v1"), "command": ["sleep", "infinity"],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }  # fmt: skip
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": _NAME}}]
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": _NAME},
        "spec": {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 0},
    }  # fmt: skip
    volume = ""
    try:
        await lab.objects.apply([claim, pod])
        bound = await lab.objects.named("PersistentVolumeClaim", _NAME).until(
            lambda it: (it or {}).get("status", {}).get("phase") == "Bound",
            expected="a claim of the checker's is bound", shown=_phase, within=_BOUND_WITHIN,
        )  # fmt: skip
        if not bound.ok:
            return bound
        volume = (await lab.objects.named("PersistentVolumeClaim", _NAME).present())["spec"]["volumeName"]
        await lab.objects.kill(_NAME, grace=0)
        await lab.objects.delete("PersistentVolumeClaim", _NAME)
        await lab.objects.gone("PersistentVolumeClaim", _NAME, within=_RELEASED_WITHIN)
        return await lab.objects.named("PersistentVolume", volume).until(
            lambda it: _phase(it) == "Released" and it["spec"]["persistentVolumeReclaimPolicy"] == "Retain",  # type: ignore[index]
            expected="the volume of a deleted claim is Released, and stays", shown=_phase, within=_RELEASED_WITHIN,
        )  # fmt: skip
    finally:
        left = await lab.objects.named("PersistentVolumeClaim", _NAME).now()
        volume = volume or str(((left or {}).get("spec") or {}).get("volumeName") or "")
        try:
            await lab.objects.delete("Pod", _NAME, grace=0)
        finally:
            await lab.objects.delete("PersistentVolumeClaim", _NAME)
        if volume and await lab.objects.named("PersistentVolume", volume).now():
            await _delete_with_its_folder(lab, volume)


async def own_volume_stays(lab: TaskLab, claim: str, storage_class: str) -> Observation:
    """Does the volume of the candidate's claim outlive it? One that is not made yet gets what the class says then."""
    found = await lab.objects.named("PersistentVolumeClaim", claim).now()
    made = found["spec"].get("volumeName") if found and found["spec"].get("storageClassName") == storage_class else None
    volume = await lab.objects.named("PersistentVolume", made).now() if made else None
    policy = volume["spec"].get("persistentVolumeReclaimPolicy") if volume else "Retain"
    return holds(policy == "Retain", f"the volume of claim {claim} outlives it", f"its reclaim policy is {policy}")


async def _delete_with_its_folder(lab: TaskLab, volume: str) -> None:
    """The provisioner removes the folder on the node once the volume may be deleted."""
    try:
        await lab.objects.patch("PersistentVolume", volume, {"spec": {"persistentVolumeReclaimPolicy": "Delete"}})
    except LabError as gone:
        if gone.transient:
            raise


def _phase(item: dict | None) -> str:  # type: ignore[type-arg]
    return str((item or {}).get("status", {}).get("phase", "gone"))
