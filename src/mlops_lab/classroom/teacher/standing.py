"""How a class stands: is all of it well, who waits, what it takes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import msgspec

from mlops_lab.base.errors import LabError
from mlops_lab.classroom.operator import names
from mlops_lab.classroom.teacher import grading
from mlops_lab.classroom.teacher.asking import asking
from mlops_lab.classroom.teacher.place import NAMESPACE, RELEASE, Place
from mlops_lab.cluster.status import Part
from mlops_lab.kube.quantity import quantity
from mlops_lab.platform.installed import unready


class Waiting(msgspec.Struct):
    """A submission that waits."""

    learner: str
    lab: str
    number: int
    place: int | None = None


class Open(msgspec.Struct):
    """A submission that is being graded, or that could not be."""

    id: int
    learner: str
    lab: str
    number: int
    lasts: str = ""
    why: str = ""


class At(msgspec.Struct):
    """Where a learner is."""

    learner: str
    name: str = ""
    lab: str = ""
    state: str = ""
    check: str = ""
    seconds: int = 0
    tries: int = 0


class Stand(msgspec.Struct, rename={"title": "class"}):
    """What the server says."""

    title: str
    broken: str
    learners: list[At]
    waiting: list[Waiting]
    working: list[Open]
    given_up: list[Open]
    counts: dict[str, int]


@dataclass(frozen=True)
class Standing:
    """How a class stands.

    Attributes:
        parts: what it consists of, and whether that is well.
        stand: what the server says; None if it does not answer.
    """

    parts: list[Part] = field(default_factory=list)
    stand: Stand | None = None

    @property
    def well(self) -> bool:
        """Is all of it?"""
        return all(each.healthy for each in self.parts)


def look(place: Place) -> Standing:
    """See how a class stands.

    Raises:
        LabError: its cluster does not answer.
    """
    told, release = place.told(), place.release()
    kind = f"learners work there, at {told.value('cluster', 'address')}" if told.shared else "learners have their own"
    parts = [Part("cluster", True, f"{place.cluster.context}; {kind}"), Part("address", True, told.address)]
    if release and release.status != "deployed":
        parts.append(Part("release", False, f"it is {release.status}"))
    items = place.kubectl.get("deployments,statefulsets", "-n", NAMESPACE)
    late = unready(items, RELEASE)
    parts.append(Part("pods", not late, ", ".join(late) or f"{len(items)} are ready"))
    parts.append(grading.look(place, told))
    stand: Stand | None = None
    try:
        with asking(place) as server:
            stand = server.get("status", Stand)
    except LabError as trouble:
        parts.append(Part("server", False, trouble.message))
    if stand:
        parts += _of(stand)
        parts += _lacking(place, stand)
    if memory := _memory(place):
        parts.append(Part("memory", True, memory))
    return Standing(parts, stand)


def _of(stand: Stand) -> list[Part]:
    counts = [f"{count} {state}" for state, count in stand.counts.items() if count]
    parts = [
        Part("server", True, f"serves {stand.title!r}"),
        Part("records", not stand.broken, stand.broken or "whole, as they were signed"),
        Part("learners", True, f"{len(stand.learners)}: {', '.join(counts)}" if counts else str(len(stand.learners))),
        Part("queue", True, f"{len(stand.waiting)} wait, {len(stand.working)} are being graded"),
    ]
    if stand.given_up:
        seen = f"{len(stand.given_up)} submissions could not be; lab class map has a button for each"
        parts.append(Part("not graded", False, seen))
    return parts


def _lacking(place: Place, stand: Stand) -> list[Part]:
    """What waits for a part of the platform that graders may not use: without end, unless somebody is told."""
    return [
        Part(f"part {part}", False, f"lab {', '.join(labs)} waits for it; docs/class-grading.md: Install")
        for part, labs in grading.lacking(place, (each.lab for each in stand.waiting)).items()
    ]


def _memory(place: Place) -> str:
    """What the class's own pods take now, and those of learners; empty where no metrics are."""
    own = _used(place, f"/apis/metrics.k8s.io/v1beta1/namespaces/{NAMESPACE}/pods")
    if own is None:
        return ""
    spaces = place.kubectl.get("namespaces", "-l", f"{names.CLASS}={NAMESPACE},{names.LEARNER}")
    if not spaces:
        return f"{own / 2**20:.0f} MiB"
    there = {each["metadata"]["name"] for each in spaces}
    of_learners = _used(place, "/apis/metrics.k8s.io/v1beta1/pods", there) or 0
    return f"{own / 2**20:.0f} MiB, and {of_learners / 2**20:.0f} MiB in {len(there)} namespaces of learners"


def _used(place: Place, path: str, spaces: set[str] | None = None) -> float | None:
    done = place.kubectl.run("get", "--raw", path, check=False)
    if done.code != 0:
        return None
    items: list[dict[str, Any]] = json.loads(done.stdout).get("items") or []
    return float(sum(
        quantity(container["usage"]["memory"])
        for item in items if spaces is None or item["metadata"]["namespace"] in spaces
        for container in item["containers"]
    ))  # fmt: skip
