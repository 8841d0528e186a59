"""load:v1, the program that makes load inside the cluster."""

from __future__ import annotations

from mlops_lab.base.paths import project
from mlops_lab.images.recipes import golang, kubernetes
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work, link

NAME = "mlops-lab/load:v1"
_FOLDER = project() / "images" / "load"


def build(sources: Sources) -> Step:
    """One static program in an otherwise empty image."""
    first = (kubernetes.programs(sources),)
    program = golang.programs(sources, "go/load", _FOLDER, (".",), seconds=6, heavy=False, after=first)
    dockerfile = _FOLDER / "Dockerfile"

    def make(work: Work) -> None:
        context = work.context()
        link(work.result(program) / "load", context / "load")
        work.image(context, dockerfile.read_text())

    return Step("image/load", make, (dockerfile,), needs=(program,), image=NAME, seconds=4, arch=sources.arch)


IMAGES = (Image(NAME, build, served=True),)
