"""serving:1 and serving-bentoml:1, the model server that takes its model from an MLflow registry, in two flavours."""

from __future__ import annotations

import shutil

from mlops_lab.base.paths import project
from mlops_lab.images.recipes import pypi, python
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work, link

FLAVOURS = {"fastapi": "mlops-lab/serving:1", "bentoml": "mlops-lab/serving-bentoml:1"}
_FOLDER = project() / "images" / "serving"
_LEFT_OUT = ("tests", "*.pyx", "*.pxd", "__pycache__")  # nothing imports them


def _image(flavour: str, lock: str, dockerfile: str) -> Image:
    name = FLAVOURS[flavour]

    def build(sources: Sources) -> Step:
        site = pypi.site(sources, f"pypi/serving-{flavour}", _FOLDER / lock, seconds=30)
        start, file = sources.image(python.NAME), _FOLDER / dockerfile
        # The HTTP interface, the encoding and the form of a model's files are the flight-delay server's own.
        server, serving = project() / "images" / "flight-delay" / "server", _FOLDER / "serving"

        def make(work: Work) -> None:
            context, left_out = work.context(), shutil.ignore_patterns(*_LEFT_OUT)
            shutil.copytree(work.result(site) / "site", context / "site", copy_function=link, ignore=left_out)
            for package in (server, serving):
                shutil.copytree(package, context / "app" / package.name, copy_function=link, ignore=left_out)
            work.image(context, file.read_text(), "--build-arg", f"PYTHON={start.ref}", "--network", "none")

        return Step(
            f"image/serving-{flavour}",
            make,
            (file, server, serving, str(_LEFT_OUT)),
            needs=(site, start),
            image=name,
            seconds=45,
            arch=sources.arch,
        )

    return Image(name, build, served=True)


IMAGES = (
    _image("fastapi", "requirements.lock", "Dockerfile"),
    _image("bentoml", "requirements-bentoml.lock", "bentoml.Dockerfile"),
)
