"""The checks."""

from pathlib import Path

from mlops_lab.checks import check, equal_to, expect, holds, observe, quantity
from mlops_lab.kit import presence
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .trial import deleted_claim, own_volume_stays

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"
# Either makes a default.
_DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
_PROVISIONER = "rancher.io/local-path"


@check(points=1, domains=("cka/storage",))
async def made_when_needed(lab: TaskLab) -> None:
    """The StorageClass uses the cluster's provisioner and makes a volume when a pod needs it, not before."""
    found = await presence.exists(lab, "StorageClass", D.storage_class, "a claim names its class")
    expect(observe("provisioner", found.get("provisioner"), equal_to(_PROVISIONER))).because(
        "nobody makes volumes for a class whose provisioner does not run; kubectl get storageclass shows one that does"
    )
    expect(observe("volumeBindingMode", found.get("volumeBindingMode"), equal_to("WaitForFirstConsumer"))).because(
        "a local volume must be on the node where the pod will run, which is known only once the pod is scheduled"
    )


@check(points=1, needs=made_when_needed, domains=("cka/storage",))
async def stays_the_default(lab: TaskLab) -> None:
    """The cluster's default class is the one that it was, and the only one."""
    classes = await lab.objects.all("StorageClass")
    names = sorted(
        each["metadata"]["name"]
        for each in classes
        if "true" in [(each["metadata"].get("annotations") or {}).get(key) for key in _DEFAULT]
    )
    expect(observe("default classes", ", ".join(names), equal_to("standard"))).because(
        "a claim that names no class gets the default one; with two of them it gets the one that was made last"
    )


@check(points=2, needs=made_when_needed, domains=("cka/storage",))
async def claim_is_bound(lab: TaskLab) -> None:
    """The claim asks for what was wanted, has its volume, and the pod that was there runs with it."""
    claim = await presence.exists(lab, "PersistentVolumeClaim", D.claim, "the pod names it and waits", others=True)
    asked = claim["spec"]
    expect(observe("its class", asked.get("storageClassName"), equal_to(D.storage_class))).because(
        "without the name of a class the default one makes the volume"
    )
    expect(observe("its access modes", ", ".join(asked.get("accessModes") or []), equal_to("ReadWriteOnce"))).because(
        "one node at a time, for reading and writing, is ReadWriteOnce; ReadWriteOncePod is one pod at a time"
    )
    size = ((asked.get("resources") or {}).get("requests") or {}).get("storage", "0")
    expect(holds(quantity(size) == D.size * 2**20, f"it asks for {D.size}Mi", otherwise=f"it asks for {size}")).because(
        "Mi are 1,048,576 bytes each, M a million"
    )
    must(
        await unchanged(lab, _START, "Pod", D.pod),
        "the pod was right as it was, and was to stay so",
    )
    seen = await lab.objects.named("Pod", D.pod).until(
        lambda pod: (pod or {}).get("status", {}).get("phase") == "Running",
        expected=f"Pod {D.pod} runs", shown=lambda pod: (pod or {}).get("status", {}).get("phase", "gone"), within=60,
    )  # fmt: skip
    expect(seen).because("it waits until its claim is bound: kubectl describe shows what the scheduler says")


@check(points=2, needs=made_when_needed, domains=("cka/storage",))
async def volumes_outlive_their_claims(lab: TaskLab) -> None:
    """A volume that the class makes for another claim outlives that; the claim's own has the same policy."""
    expect(await deleted_claim(lab, D.storage_class)).because(
        "a class hands its reclaimPolicy to the volumes that it makes; Delete, which is meant where nothing is said, "
        "deletes them with their claims"
    )
    must(
        await own_volume_stays(lab, D.claim, D.storage_class),
        "a volume has the policy that its class had when it was made; a class that is made anew changes none of them",
    )
