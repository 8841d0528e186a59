"""What somebody may have made for the four outside of the lab's namespace."""

from __future__ import annotations

from pathlib import Path

from mlops_lab.checks import Lab, Observation, holds
from mlops_lab.cluster.names import REGISTRY_PREFIX
from mlops_lab.kit import pushed
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.given import in_manifests
from mlops_lab.kit.pods import images, leaving
from mlops_lab.kit.prerequisites import must
from mlops_lab.kube.client import Object
from mlops_lab.kube.errors import Refused

from .why import OUTSIDE

START = Path(__file__).parents[1] / "start"
NO_CLASS = in_manifests(START, "PersistentVolumeClaim", "book")["spec"]["storageClassName"]
_COLLECTOR: Object = in_manifests(START, "Deployment", "collector")["spec"]["template"]["spec"]["containers"][0]
MISSPELT = _COLLECTOR["image"].rpartition(":")[2]  # a tag that the registry does not have
# A claim bears one of the first two as soon as a volume is to be made for it, and that volume bears the third.
PROVISIONED = (
    "volume.kubernetes.io/storage-provisioner",
    "volume.beta.kubernetes.io/storage-provisioner",
    "pv.kubernetes.io/provisioned-by",
)
FORBIDDEN = 403


async def must_have_a_volume_of_the_clusters(lab: Lab) -> None:
    """The book's volumes are of this namespace, and of what the cluster had when the lab began; no news then.

    Raises:
        Failure: a claim is of the class that there was none of, of one that was made since, or of none, so that
            somebody has made its volume by hand; somebody has done so since; or a volume is a folder of the node.
    """
    for pod in await owned_pods(lab, "book"):
        for each in pod["spec"].get("volumes") or []:
            must(holds("hostPath" not in each, "no folder of the node", f"volume {each['name']} is one"), OUTSIDE)
            claim = (each.get("persistentVolumeClaim") or {}).get("claimName")
            found: Object = (await lab.objects.named("PersistentVolumeClaim", claim).now() if claim else None) or {}
            of = (found.get("spec") or {}).get("storageClassName", "?")
            own = not found or of not in (NO_CLASS, "")
            seen = f"claim {claim} is of class {of}" if of else f"claim {claim} is of no class"
            must(holds(own, "a claim of a class that the cluster has", seen), OUTSIDE)
            made = await made_since(lab, found) if found else ""
            must(holds(not made, "a class and a volume of before, or a volume of such a class", made), OUTSIDE)


async def made_since(lab: Lab, claim: Object) -> str:
    """What somebody has made for a claim since the lab began, in words: its class, or its volume by hand; else empty.

    A volume that a class's provisioner makes is nobody's work, and a class or a volume that was there before is the
    cluster's, whoever made it.
    """
    began = await _begun(lab)
    spec = claim.get("spec") or {}
    of, named = spec.get("storageClassName"), spec.get("volumeName")
    storage_class = await _of_the_cluster(lab, "StorageClass", of)
    volume = await _of_the_cluster(lab, "PersistentVolume", named)
    by_hand = not any(key in _marks(each) for key in PROVISIONED for each in (claim, volume or {}))
    if storage_class and _younger(storage_class, began):
        return f"class {of} was made after the lab had begun"
    if storage_class == {} and not by_hand:
        return f"a volume that was made by class {of}, and there is no such class"
    if volume and by_hand and _younger(volume, began):
        return f"volume {named} was made by hand after the lab had begun"
    return ""


async def _begun(lab: Lab) -> str:
    """When the lab's namespace was made: the ConfigMap of certificates that each has, the oldest of all, tells."""
    times = [str(each["metadata"].get("creationTimestamp") or "") for each in await lab.objects.all("ConfigMap")]
    return min(filter(None, times), default="")


async def _of_the_cluster(lab: Lab, kind: str, name: str | None) -> Object | None:
    """An object that is in no namespace, empty if there is none of that name; None without one, or where the checker
    may not read it, as in a class.
    """
    if not name:
        return None
    try:
        return await lab.objects.named(kind, name).now() or {}
    except Refused as refused:
        if refused.status != FORBIDDEN:
            raise
        return None


def _younger(item: Object, began: str) -> bool:
    """Was an object made after that time? Where that is not known it counts as older."""
    return bool(began) and str(item["metadata"].get("creationTimestamp") or "") > began


def _marks(item: Object) -> Object:
    return (item.get("metadata") or {}).get("annotations") or {}


async def of_an_image_that_was_there(lab: Lab, release: str) -> Observation:
    """Are the collector's pods of the image of a release that the registry had, by its tag or by its digest?

    Somebody may have pushed another one since, or the same by another tag. Of a registry that is not this machine's it
    is known of the misspelt tag alone.
    """
    pods = [pod for pod in await owned_pods(lab, "collector") if not leaving(pod)]
    other = sorted({each for each in (images(pod)[0] for pod in pods) if not await _was_there(lab, each, release)})
    expected = f"the collector has the image of release {release} that was there when the lab began"
    return holds(not other, expected, f"it has {', '.join(other)}")


async def _was_there(lab: Lab, image: str, release: str) -> bool:
    tagged, _, digest = image.partition("@")
    if lab.platform.registry != REGISTRY_PREFIX:
        return bool(digest) or tagged.rpartition(":")[2] != MISSPELT
    if not digest:
        return tagged == lab.platform.image(release)
    known = await pushed.digest(lab, lab.platform.image(release).rpartition("/")[2])
    # A grader in the cluster does not reach this machine's registry.
    return known in (digest, "") or await _of_one_image(lab, digest, known)


async def _of_one_image(lab: Lab, *digests: str) -> bool:
    """Does a node know one image by all of these digests? It has one for each tag by which it has pulled it."""
    known = [
        each.get("names") or [] for node in await lab.objects.all("Node") for each in node["status"].get("images") or []
    ]
    return any({*digests} <= {name.rpartition("@")[2] for name in names} for names in known)
