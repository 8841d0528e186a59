"""git:1, Python with Git and the API's client: what a repository in the cluster is served by, and followed with.

The published Python image with a compiler has Git in it; where it can't be pulled, both are Debian's.
"""

from __future__ import annotations

import shutil

from mlops_lab.base.paths import project
from mlops_lab.images.recipes import containerise, debian, pypi
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work, link

NAME = "mlops-lab/git:1"
ROOT = "image/git-root"
_FOLDER = project() / "images" / "git"
_PYTHON = project() / "images" / "python"
_PACKAGES = ("python3-minimal", "python3", "git", "openssl", "ca-certificates", "tzdata", "dash", "coreutils")
_LEFT_OUT = ("tests", "__pycache__", "bin", ".lock")  # nothing imports them


def base(sources: Sources) -> Step:
    """Python with Git: the published image, or a Debian root."""
    if sources.mode == "pull":
        return sources.image(containerise.WHOLE)
    root = debian.root(sources, "debian/git", _PACKAGES, links={"/usr/bin/python": "python3"}, seconds=50)

    def make(work: Work) -> None:
        work.image(work.result(root), (_PYTHON / "Dockerfile").read_text())

    return sources.once(
        ROOT, lambda: Step(ROOT, make, (_PYTHON,), needs=(root,), image="git-root:1", seconds=10, arch=sources.arch)
    )


def build(sources: Sources) -> Step:
    """The packages on Python with Git."""
    site = pypi.site(sources, "pypi/git", _FOLDER / "requirements.lock", seconds=10)
    start, dockerfile = base(sources), _FOLDER / "Dockerfile"

    def make(work: Work) -> None:
        context, left_out = work.context(), shutil.ignore_patterns(*_LEFT_OUT)
        shutil.copytree(work.result(site) / "site", context / "site", copy_function=link, ignore=left_out)
        work.image(context, dockerfile.read_text(), "--build-arg", f"PYTHON={start.ref}", "--network", "none")

    return Step(
        "image/git", make, (dockerfile, str(_LEFT_OUT)),
        needs=(site, start), image=NAME, seconds=20, arch=sources.arch,
    )  # fmt: skip


IMAGES = (Image(NAME, build, served=True),)
