"""The digest that the tag means, and whether containers run by it."""

from collections.abc import Sequence

from mlops_lab.checks import Lab, LabError, Observation
from mlops_lab.cluster import registry
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object

_REPOSITORY, _TAG = "components", "1"
_NAME = "which-image"
_RUNS_WITHIN = 60.0


async def meant(lab: Lab) -> list[str]:
    """The digests by which the image is known that the tag means: as a node says that has just pulled it, and as the
    cluster's registry does.

    Raises:
        LabError: a pod with that tag does not run.
    """
    image = f"{lab.platform.registry}/{_REPOSITORY}:{_TAG}"
    container = {
        "name": "which", "image": image, "imagePullPolicy": "Always", "command": ["sleep", "infinity"],
        "resources": {"requests": {"cpu": "5m", "memory": "8Mi"}},
    }  # fmt: skip
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": _NAME},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }  # fmt: skip
    async with standing(lab, [pod], grace=0):
        seen = await lab.objects.named("Pod", _NAME).until(
            lambda it: bool(_digest(it)), expected="it runs", shown=lambda it: _digest(it) or "it does not",
            within=_RUNS_WITHIN,
        )  # fmt: skip
        found = _digest(await lab.objects.named("Pod", _NAME).now())
    if not seen.ok or not found:
        raise LabError(f"a pod of {image} does not run", "see what is wrong with the cluster: lab status")
    own = await lab.time.in_thread(registry.digest, f"{_REPOSITORY}:{_TAG}")
    return list(dict.fromkeys(each for each in (found, own) if each))


def by_digest(lab: Lab, containers: Sequence[Object], digests: Sequence[str]) -> Observation:
    """Does each of these containers have the image by one of its digests?"""
    repository = f"{lab.platform.registry}/{_REPOSITORY}"
    wanted = f"{', '.join(str(each['name']) for each in containers)}: {repository}@{digests[0]}"
    other = []
    for each in containers:
        named, at, digest = str(each["image"]).partition("@")
        if not at or digest not in digests or named not in (repository, f"{repository}:{_TAG}"):
            other.append(f"{each['name']}: {each['image']}")
    return Observation(not other, wanted, "; ".join(other) or wanted)


def _digest(pod: Object | None) -> str:
    """By its status, the digest of what a pod's container runs; empty while it does not run."""
    told = ((pod or {}).get("status") or {}).get("containerStatuses") or []
    running = [each for each in told if "running" in (each.get("state") or {})]
    return str(running[0].get("imageID", "")).rpartition("@")[2] if running else ""
