"""What the kernel says of a process in each container, and the manifest of those that run no longer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlops_lab.checks import Lab, Observation, holds
from mlops_lab.kit.inside import printed, settled
from mlops_lab.kit.pods import lasting
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn

from .draw import Drawn

_D = drawn(Drawn, __file__)
_FILTERS = "2"


@dataclass(frozen=True)
class Seen:
    """One container.

    Attributes:
        name: of pod and container.
        user, group: of a process in it.
        never_root: would the kubelet refuse it as root?
        root: how / is mounted, `ro` or `rw`.
        capabilities: the kernel's bounding set, `none` if it is empty.
        no_new_privileges: is that flag set?
        seccomp: the kind of its profile if the kernel filters by one; else `none`.
    """

    name: str
    user: str
    group: str
    never_root: bool
    root: str
    capabilities: str
    no_new_privileges: bool
    seccomp: str


async def looked_at(lab: Lab) -> list[Seen]:
    """Every container of the Deployment's pods, init containers as well.

    Raises:
        Failure: it does not roll out, or a container does not run.
    """
    pods = await settled(lab, _D.app, within=60)
    return [each for pod in pods for each in [*[await _look(lab, pod, one) for one in lasting(pod)], *_ended(pod)]]


async def _look(lab: Lab, pod: Object, container: Object) -> Seen:
    done = await printed(lab, pod, "cat", "/proc/self/status", "/proc/self/mounts", container=container["name"])
    status = dict(parts for line in done.lines if len(parts := line.split(":\t", 1)) == 2)
    bound = int(status.get("CapBnd", "0").strip() or "0", 16)
    return Seen(
        f"{name_of(pod)}/{container['name']}",
        _second(status, "Uid"),
        _second(status, "Gid"),
        bool(_effective(pod, container, "runAsNonRoot")),
        _root(done.lines),
        f"{bound:#x}" if bound else "none",
        status.get("NoNewPrivs", "").strip() == "1",
        _profile(pod, container) if _filtered(status) else "none",
    )


async def noted(lab: Lab, visit: str) -> Observation:
    """Whether a visit is in the file of the notes, in a container of the Deployment's pods."""
    file = f"{_D.folder}/{_D.notes}"
    told = [
        await printed(lab, pod, "cat", file, container=each["name"])
        for pod in await settled(lab, _D.app, within=60)
        for each in lasting(pod)
    ]
    noted_there = any(visit in each.lines for each in told)
    return holds(noted_there, f"the visit is in {file}", f"it is not: {' '.join(told[0].errors.split())[:100]}")


def _ended(pod: Object) -> list[Seen]:
    """The init containers that have ended, in which no process is any more: what the manifest says of them."""
    return [_told(pod, each) for each in pod["spec"].get("initContainers") or [] if each not in lasting(pod)]


def _told(pod: Object, container: Object) -> Seen:
    context = container.get("securityContext") or {}
    asked = context.get("capabilities") or {}
    bare = "ALL" in map(str.upper, asked.get("drop") or []) and not asked.get("add") and not context.get("privileged")
    return Seen(
        f"{name_of(pod)}/{container['name']}",
        str(_effective(pod, container, "runAsUser")),
        str(_effective(pod, container, "runAsGroup")),
        bool(_effective(pod, container, "runAsNonRoot")),
        "ro" if context.get("readOnlyRootFilesystem") else "rw",
        "none" if bare else "those of the container runtime",
        context.get("allowPrivilegeEscalation") is False,
        _profile(pod, container),
    )


def _second(status: Mapping[str, str], field: str) -> str:
    """The effective one of the real, effective, saved and file system's."""
    words = status.get(field, "").split()
    return words[1] if len(words) > 1 else "unknown"


def _filtered(status: Mapping[str, str]) -> bool:
    """Does the kernel filter system calls? Where it can't, it says nothing."""
    return status.get("Seccomp", _FILTERS).strip() == _FILTERS


def _root(lines: Sequence[str]) -> str:
    options = [words[3] for line in lines if len(words := line.split()) == 6 and words[1] == "/"]
    return options[-1].split(",")[0] if options else "unknown"


def _profile(pod: Object, container: Object) -> str:
    found = _effective(pod, container, "seccompProfile")
    return str(found.get("type")) if isinstance(found, dict) else "none"


def _effective(pod: Object, container: Object, field: str) -> object | None:
    """A field of the security context: the container's, else the pod's."""
    own = (container.get("securityContext") or {}).get(field)
    return own if own is not None else (pod["spec"].get("securityContext") or {}).get(field)
