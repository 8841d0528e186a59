"""registry:3, the registry beside the cluster: distribution's own program with file storage only."""

from __future__ import annotations

from mlops_lab.base.paths import project
from mlops_lab.base.versions import pin
from mlops_lab.images.recipes import golang, kubernetes
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work

NAME = str(pin("images.registry.name"))
_FOLDER = project() / "images" / "registry"


def build(sources: Sources) -> Step:
    """The same command line, configuration path and storage path as the published image."""
    first = (kubernetes.programs(sources),)
    program = golang.programs(sources, "go/registry", _FOLDER, (".",), seconds=15, heavy=False, after=first)

    def make(work: Work) -> None:
        work.image(work.context(_FOLDER, work.result(program)), (_FOLDER / "Dockerfile").read_text())

    return Step("image/registry", make, (_FOLDER,), needs=(program,), image=NAME, seconds=5, arch=sources.arch)


IMAGES = (Image(NAME, build, published=True),)
