"""workbench:1, what a learner's own model server runs in: web frameworks, BentoML, ONNX Runtime, and the models."""

from __future__ import annotations

import shutil

from mlops_lab.base.paths import project
from mlops_lab.images.recipes import flight_delay, pypi, python
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work, link

NAME = "mlops-lab/workbench:1"
VERSIONS = ("v1", "v2")
_FOLDER = project() / "images" / "workbench"
_LEFT_OUT = ("tests", "*.pyx", "*.pxd", "__pycache__")  # nothing imports them


def build(sources: Sources) -> Step:
    """Packages, the models of lab 12, and the code that reads a model, as package `flight_delay`."""
    site = pypi.site(sources, "pypi/workbench", _FOLDER / "requirements.lock", seconds=40)
    model, start = flight_delay.train(sources), sources.image(python.NAME)
    dockerfile = _FOLDER / "Dockerfile"
    server = project() / "images" / "flight-delay" / "server"
    # The HTTP interface stays out: it is what learners write.
    read = [server / name for name in ("__init__.py", "features.py", "model.py")]

    def make(work: Work) -> None:
        context, left_out = work.context(), shutil.ignore_patterns(*_LEFT_OUT)
        shutil.copytree(work.result(site) / "site", context / "site", copy_function=link, ignore=left_out)
        (context / "app" / "flight_delay").mkdir(parents=True)
        for file in read:
            link(file, context / "app" / "flight_delay" / file.name)
        for version in VERSIONS:
            shutil.copytree(work.result(model) / version, context / "model" / version, copy_function=link)
        work.image(context, dockerfile.read_text(), "--build-arg", f"PYTHON={start.ref}", "--network", "none")

    return Step(
        "image/workbench",
        make,
        (dockerfile, *read, str(_LEFT_OUT)),
        needs=(site, model, start),
        image=NAME,
        seconds=60,
        arch=sources.arch,
    )


IMAGES = (Image(NAME, build, served=True),)
