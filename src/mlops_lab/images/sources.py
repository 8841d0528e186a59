"""An image of the catalog, and how each one comes in a run: pulled by its published name, or built from packages.

A recipe asks `Sources` for what it stands on (`sources.image(python.NAME)`) and never knows which
way that came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from mlops_lab.base.errors import LabError
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work

Mode = Literal["pull", "build"]


@dataclass(frozen=True)
class Image:
    """One entry of the catalog.

    Args:
        name: name:tag as charts and labs use it.
        build: makes the step that builds it.
        digest: for a published image, the pinned digest (`sha256:...`) where its source gives one.
        published: can it be pulled? Images of ours can't: they are built in every mode.
        served: it is pushed to the cluster's registry, so that nodes get it from there.
        stands_in: it takes a published image's place under its name, for who names it in work of his own, where that
            one can't be pulled. It is another image, built in every mode; where the nodes can pull, it is not brought.
        of_debian: it is built of Debian's packages in every mode, so on Debian and Ubuntu only.
    """

    name: str
    build: Callable[[Sources], Step]
    digest: str = ""
    published: bool = False
    served: bool = False
    stands_in: bool = False
    of_debian: bool = False

    def pull_ref(self, mirror: str = "") -> str:
        """What to pull. A mirror is trusted by its tags: it may hold images that were built, with other digests."""
        if mirror:
            return f"{mirror.rstrip('/')}/{repository(self.name)}"
        return f"{self.name}@{self.digest}" if self.digest else self.name


def repository(name: str) -> str:
    """An image's name without its registry's host, as a mirror serves it: `metrics-server/metrics-server:v0.9.0`."""
    if host(name):
        return name.partition("/")[2]
    return name if "/" in name else f"library/{name}"


def host(name: str) -> str:
    """An image's registry as its name has it: `ghcr.io`; empty for Docker's own."""
    first, _, rest = name.partition("/")
    return first if rest and ("." in first or ":" in first or first == "localhost") else ""


def full(name: str) -> str:
    """An image's name as containerd stores it."""
    return name if repository(name) == name.partition("/")[2] else f"docker.io/{repository(name)}"


class Sources:
    """The steps that bring the catalog's images in one run.

    Args:
        images: the catalog, by name.
        mode: pull what is published, or build everything.
        arch: the engine's architecture, such as arm64.
        mirror: a registry prefix to pull from instead of each image's own registry.
        offline: nodes can't pull from anywhere but the cluster's registry, however the images come there.
    """

    def __init__(
        self, images: Mapping[str, Image], mode: Mode, arch: str, mirror: str = "", offline: bool = False
    ) -> None:
        self._images, self.mode, self.arch, self._mirror = images, mode, arch, mirror
        self._alone = mode == "build" or bool(mirror) or offline
        self._steps: dict[str, Step] = {}

    def image(self, name: str) -> Step:
        """The step that brings the image of that name; the same step each time."""
        return self.once(name, lambda: self._make(name))

    def brings(self, name: str) -> bool:
        """Is the image of that name brought, or do the nodes pull a published one that it would stand in for?"""
        image = self._images.get(name)
        return image is None or not image.stands_in or self._alone

    def once(self, name: str, make: Callable[[], Step]) -> Step:
        """A step that several recipes share (a compiled program, say): made at the first call, by name."""
        if name not in self._steps:
            self._steps[name] = make()
        return self._steps[name]

    def _make(self, name: str) -> Step:
        if name not in self._images:
            raise LabError(f"no image {name!r} in the catalog", "`lab images list` shows the names")
        image = self._images[name]
        if self.mode == "pull" and image.published:
            return _pulled(image, image.pull_ref(self._mirror), self.arch)
        return image.build(self)


def _pulled(image: Image, ref: str, arch: str) -> Step:
    def pull(work: Work) -> None:
        there = work.docker.inspect("image", ref)
        try:
            work.run(["docker", "pull", "--platform", f"linux/{arch}", ref])
        except LabError as error:
            hint = "check the network and the name of the mirror, or build the images instead: --images build"
            raise LabError(f"the image {ref} can't be pulled", hint, error.detail) from error
        work.run(["docker", "tag", ref, work.step.ref])
        if not there:  # the project's own tag is enough, and goes when the cache is cleared
            work.docker.run("rmi", ref, check=False)

    return Step(f"pull/{image.name}", pull, (ref,), image=image.name, seconds=30, within=1800, arch=arch)
