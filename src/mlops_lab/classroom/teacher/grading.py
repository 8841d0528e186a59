"""How a class comes to grade on its cluster: the grader's image in the registry, Kueue, and what the chart is told."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import msgspec

from mlops_lab.base.errors import LabError
from mlops_lab.base.progress import Progress
from mlops_lab.classroom.gradable import closed
from mlops_lab.classroom.grader import names
from mlops_lab.classroom.grader.settings import needs
from mlops_lab.classroom.teacher.place import NAMESPACE, RELEASE, Place, Told
from mlops_lab.cluster import kind, kueue, registry
from mlops_lab.cluster.kueue import Whose
from mlops_lab.cluster.names import REGISTRY_PREFIX
from mlops_lab.cluster.record import Cluster
from mlops_lab.cluster.status import Part
from mlops_lab.engine import start
from mlops_lab.engine.docker import Docker
from mlops_lab.images.build import bring
from mlops_lab.images.catalog import served_as
from mlops_lab.images.recipes import grader
from mlops_lab.images.recipes import kueue as kueue_image
from mlops_lab.labs.parts import needed
from mlops_lab.platform.install import Mode
from mlops_lab.platform.installed import installed
from mlops_lab.platform.releases import Release

GRADED = replace(RELEASE, images=(*RELEASE.images, grader.NAME))
BROUGHT = (grader.NAME, kueue_image.NAME)  # what grading needs besides the class's own
JOBS = f"{NAMESPACE}-grading"
_PARTS = ("tracking", "pipelines")  # of the platform, that submissions may use
_WITHOUT = "or have the class only collect: lab class up --roster roster.csv --no-grading"
_NO_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName")


class _Usable(msgspec.Struct):
    """Of what the chart tells graders."""

    parts: list[str] = []


def wanted(told: Told) -> bool:
    """Is the class to grade? It is, unless the teacher has said something else."""
    return told.value("grader", "enabled") is not False


def release(told: Told) -> Release:
    """The class's release, with the images that it has then."""
    return GRADED if wanted(told) else RELEASE


def ready(place: Place, told: Told, progress: Progress, mode: Mode = "auto") -> dict[str, Any]:
    """Have all be there that graders need, if the class is to grade; what the chart is told of it.

    Raises:
        LabError: the image or Kueue can't be had; says how, or how to do without.
    """
    if not wanted(told):
        return {"enabled": False}
    try:
        docker = start.ensure(progress.say)
    except LabError as absent:
        if place.cluster.is_kind:
            raise
        raise LabError(absent.message, f"{absent.hint}; {_WITHOUT}", absent.detail) from absent
    digest = _image(place.cluster, told, docker, progress, mode)
    kueue.up(progress, place.cluster, NAMESPACE)
    there = {name for name, each in installed(place.kubectl).items() if each.status == "deployed"}
    # Learners who share parts on this cluster must not share them with submissions.
    parts = [each for each in _PARTS if each in there and not told.shared]
    return {"enabled": True, "digest": digest, "parts": parts, "monitoring": "monitoring" in there}


def _image(cluster: Cluster, told: Told, docker: Docker, progress: Progress, mode: Mode) -> str:
    """The digest that the cluster's registry has of the image that grades."""
    name = served_as(grader.NAME)
    if not cluster.is_kind:
        said = str(told.value("grader", "digest"))
        return said or _pulled(f"{cluster.registry}/{name}", cluster.registry, docker, progress)
    # All that the class needs, at once: what takes longest begins first.
    every, mirror = [*RELEASE.images, *BROUGHT], os.environ.get("MLOPS_LAB_MIRROR", "")
    steps = bring(every, mode, docker, progress, mirror, (kueue_image.manifests,))
    if registry.serve(docker, name, steps[grader.NAME]):
        kind.forget_images(docker, [f"{REGISTRY_PREFIX}/{name}"])
        progress.say(f"  ok pushed {REGISTRY_PREFIX}/{name}")
    digest = registry.digest(name)
    if not digest:
        raise LabError(f"the cluster's registry does not have {name}", "see whether it is up: lab status; lab up")
    return digest


def _pulled(ref: str, prefix: str, docker: Docker, progress: Progress) -> str:
    """The digest of what a registry of the teacher's has, as the engine finds it: that one may be logged in there."""
    hint = f"push the project's images there (lab images push {prefix}); {_WITHOUT}"
    there = docker.inspect("image", ref)
    try:
        with progress.piece(f"asking the registry for {ref}"):
            docker.run("pull", ref, within=1800)
    except LabError as absent:
        raise LabError(f"the image {ref}, which grades, can't be had", hint, absent.detail) from absent
    repository = ref.rpartition(":")[0]
    found = (docker.inspect("image", ref) or {}).get("RepoDigests") or []
    digest = next((each.partition("@")[2] for each in found if each.startswith(f"{repository}@")), "")
    if there is None:
        docker.run("rmi", ref, check=False)
    if not digest:
        raise LabError(f"the engine does not say which digest {ref} has", "say it: grader.digest, with --values")
    return digest


# How it stands


def look(place: Place, told: Told) -> Part:
    """How the grader stands.

    Raises:
        LabError: the cluster does not answer.
    """
    if not wanted(told):
        return Part("grader", True, "none, as you have said; what is handed in waits")
    kubectl = place.kubectl
    if not kubectl.get("deployments", "-n", NAMESPACE, "-l", "app.kubernetes.io/component=grader"):
        return Part("grader", False, "there is none: what is handed in waits")
    own = kueue.whose(kubectl)
    if own is Whose.NOBODYS:
        return Part("grader", False, "Kueue is missing, so nothing has its turn")
    if own is Whose.OURS and (late := kueue.unready(kubectl)):
        return Part("grader", False, f"Kueue is not ready: {late[0]}")
    pods = kubectl.get("pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/component=grader")
    if absent := _without_image([*pods, *kubectl.get("pods", "-n", JOBS)]):
        return Part("grader", False, f"the image {absent} can't be had by the cluster's nodes")
    jobs = [each for each in kubectl.get("jobs", "-n", JOBS, "-l", f"{names.CLASS}={NAMESPACE}") if not _ended(each)]
    queued = sum(bool(each.get("spec", {}).get("suspend")) for each in jobs)
    return Part("grader", True, f"{len(jobs) - queued} Jobs at work, {queued} wait for their turn")


def lacking(place: Place, labs: Iterable[str]) -> dict[str, list[str]]:
    """The parts of the platform for want of which some of these labs are not graded, each with those labs' numbers.

    Empty where nothing grades: that is said by itself.

    Raises:
        LabError: the cluster does not answer.
    """
    found: dict[str, list[str]] = {}
    for file in place.kubectl.get("configmaps", "-n", NAMESPACE, "-l", "app.kubernetes.io/component=grader"):
        told = msgspec.json.decode(file["data"]["settings.json"], type=_Usable)
        for lab in sorted(set(labs)):
            for part in closed(needed(needs(lab)), told.parts):
                found.setdefault(part, []).append(lab)
    return found


def _without_image(pods: Iterable[dict[str, Any]]) -> str:
    for pod in pods:
        for container in pod.get("status", {}).get("containerStatuses") or []:
            if container.get("state", {}).get("waiting", {}).get("reason") in _NO_IMAGE:
                return str(container["image"])
    return ""


def _ended(job: dict[str, Any]) -> bool:
    ends = ("Complete", "Failed")
    conditions = job.get("status", {}).get("conditions") or []
    return any(each.get("type") in ends and each.get("status") == "True" for each in conditions)
