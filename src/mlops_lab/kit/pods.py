"""Pods: which are leaving, which are ready, how often their containers were started anew, and each in a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlops_lab.checks import Lab, LabError, is_ready
from mlops_lab.kube.client import Object
from mlops_lab.kube.errors import Unreachable

MESSAGE = 200  # characters of what a container waits for


def name(pod: Object) -> str:
    """Its name."""
    return str(pod["metadata"]["name"])


def leaving(pod: Object) -> bool:
    """Is it being deleted?"""
    return bool(pod["metadata"].get("deletionTimestamp"))


async def gone_meanwhile(lab: Lab, pod: str, trouble: LabError) -> bool:
    """Whether a command in a pod failed since the pod is deleted, and not for the cluster's sake.

    Args:
        pod: its name.
        trouble: what the command failed with.

    Raises:
        LabError: the API server does not answer.
    """
    if isinstance(trouble, Unreachable):
        return False
    now = await lab.objects.named("Pod", pod).now()
    return now is None or leaving(now)


def ready(pods: Iterable[Object]) -> list[Object]:
    """The pods whose condition Ready is true, which makes them endpoints."""
    return [pod for pod in pods if is_ready(pod)]


def restarts(*pods: Object) -> int:
    """How often the containers of these pods were started anew, all together."""
    return sum(int(each.get("restartCount") or 0) for pod in pods for each in containers_of(pod))


def images(pod: Object) -> list[str]:
    """The images of the containers of a pod, or of a pod template."""
    return [each["image"] for each in pod["spec"]["containers"]]


def runs(pod: Object, image: str) -> bool:
    """Is a container of the pod made of that image?"""
    return image in images(pod)


def is_running(pod: Object) -> bool:
    """Is its phase Running? Its containers were started then, whether they are ready or not."""
    return bool((pod.get("status") or {}).get("phase") == "Running")


def containers_of(pod: Object) -> Sequence[Object]:
    """What a pod's status says of its containers; init containers are not among them."""
    return (pod.get("status") or {}).get("containerStatuses") or []


def lasting(pod: Object) -> list[Object]:
    """The containers that run as long as their pod: also init containers that are restarted always, the sidecars.

    https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/
    """
    sidecars = [each for each in pod["spec"].get("initContainers") or [] if each.get("restartPolicy") == "Always"]
    return [*pod["spec"]["containers"], *sidecars]


def newest(pods: Iterable[Object]) -> Object | None:
    """The pod that was made last; None if there is none."""
    return max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), default=None)


def states(pods: Iterable[Object]) -> tuple[str, ...]:
    """Each pod in a line: ready or not, and what its containers wait for."""
    lines = []
    for pod in pods:
        words = ["ready" if is_ready(pod) else "not ready", pod.get("status", {}).get("phase", "Unknown")]
        for each in containers_of(pod):
            waiting = each.get("state", {}).get("waiting") or {}
            words += [f"{waiting['reason']} {waiting.get('message', '')[:MESSAGE]}".strip()] if waiting else []
        lines.append(f"{pod['metadata']['name']}: {', '.join(words)}")
    return tuple(lines)


def labels(pod: Object) -> str:
    """A pod's labels, as kubectl prints them."""
    return ",".join(f"{key}={value}" for key, value in sorted((pod["metadata"].get("labels") or {}).items()))


def lives_long(spec: Object) -> list[Object]:
    """The containers of a pod's spec that run as long as the pod does, its first one first.

    Sidecars that are init containers which are always restarted are among them, and what kubectl debug has added.
    """
    always = [each for each in spec.get("initContainers") or [] if each.get("restartPolicy") == "Always"]
    return [*spec["containers"], *always, *(spec.get("ephemeralContainers") or [])]


def every_container(spec: Object) -> list[Object]:
    """All containers of a pod's spec, those that only prepare something too."""
    init = [each for each in spec.get("initContainers") or [] if each.get("restartPolicy") != "Always"]
    return [*lives_long(spec), *init]


def made_by(item: Object, owner: Object) -> bool:
    """Was an object made by that one, as its controller?"""
    owners = item["metadata"].get("ownerReferences") or []
    return any(each.get("controller") and each["uid"] == owner["metadata"]["uid"] for each in owners)
