"""The checks."""

from pathlib import Path

from mlops_lab.checks import check, equal_to, expect, holds, is_ready, observe
from mlops_lab.kit import presence
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.selectors import selects
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"
_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
_BOUND_WITHIN, _RUNS_WITHIN, _ANSWERS_WITHIN = 20, 40, 10  # s; the controller looks again every 15 s


@check(points=2, domains=("cka/storage",))
async def volume_is_as_wanted(lab: TaskLab) -> None:
    """The PersistentVolume has the wanted folder, size, class, access mode and label, and outlives its claim."""
    found = await presence.exists(lab, "PersistentVolume", D.volume, "nobody else makes a volume of this class")
    spec = found["spec"]
    path = str((spec.get("hostPath") or {}).get("path", "no hostPath"))
    expect(observe("folder of the node", path.rstrip("/"), equal_to("/etc/ssl/certs"))).because(
        "hostPath is a folder of the node that the pod is on"
    )
    must(
        holds(
            not spec.get("nodeAffinity"), "a volume of whatever node the pod is on", "its nodeAffinity says of which"
        ),
        "what a provisioner makes is on one node, and its nodeAffinity keeps pods there; a folder that each node has "
        "needs none",
    )
    expect(observe("size", (spec.get("capacity") or {}).get("storage", "0"), equal_to(f"{D.size}Mi"))).because(
        "capacity is what the volume offers; Mi are 1,048,576 bytes each"
    )
    expect(observe("class", spec.get("storageClassName", ""), equal_to(D.kind))).because(
        "a claim takes volumes of its own class only; the name need not be a StorageClass's"
    )
    made = await lab.objects.named("StorageClass", D.kind).now()
    must(
        holds(made is None, f"no StorageClass {D.kind}", "there is one"),
        "the class is a name that volumes and claims share; the task has it that no StorageClass has that name",
    )
    expect(observe("access modes", ", ".join(spec.get("accessModes") or []), equal_to("ReadOnlyMany"))).because(
        "reading only, by pods on many nodes, is ReadOnlyMany"
    )
    expect(observe("reclaim policy", spec.get("persistentVolumeReclaimPolicy"), equal_to("Retain"))).because(
        "Retain keeps a volume whose claim is deleted; what is made by hand has it unless something else is said"
    )
    label = (found["metadata"].get("labels") or {}).get(D.key, "none")
    expect(observe(f"label {D.key}", label, equal_to(D.value))).because("it is by this label that the claim finds it")


@check(points=2, needs=volume_is_as_wanted, domains=("cka/storage",))
async def claim_finds_it_by_its_label(lab: TaskLab) -> None:
    """The claim is bound to that volume, asks for what was wanted, and would take no volume without the label."""
    claim = await presence.exists(lab, "PersistentVolumeClaim", D.claim, "the pod names it and waits", others=True)
    spec = claim["spec"]
    size = ((spec.get("resources") or {}).get("requests") or {}).get("storage", "0")
    expect(observe("it asks for", size, equal_to(f"{D.asked}Mi"))).because(
        "a volume may be larger than the claim that it is bound to, and the claim says what is needed"
    )
    selector = spec.get("selector") or {}
    right = {"fits": "yes", D.key: D.value}
    found = await presence.exists(lab, "PersistentVolume", D.volume, "it was there a moment ago")
    takes = selects(selector, found["metadata"].get("labels") or {})
    others = [labels for labels in ({}, {D.key: D.other}, {**right, D.key: "another"}) if selects(selector, labels)]
    asks = f"its selector asks for {D.key}={D.value}"
    said = "it has none" if not selector else "it selects other volumes, too" if others else "it does not select it"
    expect(holds(bool(selector) and takes and not others, asks, said)).because(
        "a claim without a selector takes the smallest volume that fits, whatever its labels"
    )
    seen = await lab.objects.named("PersistentVolumeClaim", D.claim).until(
        lambda it: (it or {}).get("status", {}).get("phase") == "Bound",
        expected="Bound", shown=lambda it: (it or {}).get("status", {}).get("phase", "gone"), within=_BOUND_WITHIN,
    )  # fmt: skip
    must(seen, "class, size, access modes and labels must all fit: kubectl describe pvc says what the controller sees")
    claim = await lab.objects.named("PersistentVolumeClaim", D.claim).present()
    bound = claim["spec"].get("volumeName")
    expect(observe("bound to", bound, equal_to(D.volume))).because("once bound, a claim stays with its volume")
    found_it = _BY_CONTROLLER in (claim["metadata"].get("annotations") or {})
    expect(holds(found_it, "the controller has found the volume", "the claim named the volume itself")).because(
        "a claim with volumeName waits for that one volume, and would wait for it if there were others that fit"
    )


@check(points=1, needs=claim_finds_it_by_its_label, domains=("cka/storage",))
async def pod_reads_through_it(lab: TaskLab) -> None:
    """The pod that waited runs, mounts the claim, and shows its node's certificates."""
    pod = await presence.exists(lab, "Pod", D.pod, "it was there, and was to stay")
    mounted = [(each.get("persistentVolumeClaim") or {}).get("claimName") for each in pod["spec"].get("volumes") or []]
    expect(holds(D.claim in mounted, f"it mounts {D.claim}", "it does not mount the claim")).because(
        "it was right as it was, and was to stay so"
    )
    seen = await lab.objects.named("Pod", D.pod).until(
        is_ready, expected="runs, and is ready",
        shown=lambda it: (it or {}).get("status", {}).get("phase", "gone"), within=_RUNS_WITHIN,
    )  # fmt: skip
    must(
        await unchanged(lab, _START, "Pod", D.pod),
        "the pod was right as it was, and was to stay so",
    )
    must(seen, "it waits until its claim is bound: kubectl describe pod says what the scheduler and the kubelet see")
    answer = await lab.traffic.first_answer(
        lambda: lab.traffic.get(D.pod, "/ca-certificates.crt", within=3), within=_ANSWERS_WITHIN
    )
    shown = "BEGIN CERTIFICATE" in answer.text
    expect(holds(shown, "it shows its node's certificates", f"it gives {answer.text[:60] or answer.shown!r}")).because(
        "the volume is the folder of the node, and the pod shows what is in it"
    )
