"""tensorflow:1, workbench:1 with TensorFlow: brought only for what asks for it, since it is a gigabyte more."""

from __future__ import annotations

import shutil

from mlops_lab.base.paths import project
from mlops_lab.images.recipes import pypi, workbench
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work, link

NAME = "mlops-lab/tensorflow:1"
_FOLDER = project() / "images" / "tensorflow"
# Headers to compile against, and the library that reads them, are for those who write TensorFlow's own operations.
_LEFT_OUT = ("tests", "include", "clang", "__pycache__")


def build(sources: Sources) -> Step:
    """TensorFlow's packages before the workbench's own."""
    site = pypi.site(sources, "pypi/tensorflow", _FOLDER / "requirements.lock", seconds=120)
    start, dockerfile = sources.image(workbench.NAME), _FOLDER / "Dockerfile"

    def make(work: Work) -> None:
        context, left_out = work.context(), shutil.ignore_patterns(*_LEFT_OUT)
        shutil.copytree(work.result(site) / "site", context / "site", copy_function=link, ignore=left_out)
        work.image(context, dockerfile.read_text(), "--build-arg", f"WORKBENCH={start.ref}", "--network", "none")

    return Step(
        "image/tensorflow",
        make,
        (dockerfile, str(_LEFT_OUT)),
        needs=(site, start),
        image=NAME,
        seconds=150,
        arch=sources.arch,
    )


IMAGES = (Image(NAME, build, served=True),)
