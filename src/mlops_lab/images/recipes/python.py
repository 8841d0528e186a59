"""The base of Python images, by its published name; where it can't be pulled, Debian's Python in a small root."""

from __future__ import annotations

from mlops_lab.base.paths import project
from mlops_lab.base.versions import pin
from mlops_lab.images.recipes import debian
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work

NAME = str(pin("images.python.name"))
_FOLDER = project() / "images" / "python"
_PACKAGES = ("python3-minimal", "python3", "libgomp1", "ca-certificates", "tzdata", "dash", "coreutils")


def build(sources: Sources) -> Step:
    """The same name from Debian packages; `python` and `python3` are on PATH, as in the published image."""
    root = debian.root(sources, "debian/python", _PACKAGES, seconds=40)

    def make(work: Work) -> None:
        work.image(work.result(root), (_FOLDER / "Dockerfile").read_text())

    return Step("image/python", make, (_FOLDER,), needs=(root,), image=NAME, seconds=10, arch=sources.arch)


IMAGES = (Image(NAME, build, published=True),)
