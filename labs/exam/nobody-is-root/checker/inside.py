"""What the kernel says of a process in each container."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlops_lab.checks import Lab
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
    """Every container of the Deployment's pods.

    Raises:
        Failure: it does not roll out, or a container does not run.
    """
    pods = await settled(lab, _D.app, within=60)
    return [await _look(lab, pod, each) for pod in pods for each in lasting(pod)]


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
