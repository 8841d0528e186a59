"""mlops-lab/mlflow:VERSION, MLflow's tracking server with the drivers for PostgreSQL and S3, on the Python image."""

from __future__ import annotations

import shutil

from mlops_lab.base.paths import project
from mlops_lab.images.recipes import pypi, python
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work

_FOLDER = project() / "images" / "mlflow"
_LOCK = _FOLDER / "requirements.lock"
NAME = f"mlops-lab/mlflow:{pypi.locked(_LOCK, 'mlflow')}"


def build(sources: Sources) -> Step:
    """The packages, compiled, and `start.py`, which is the image's program, with what it does to the database."""
    whole = pypi.site(sources, "pypi/mlflow", _LOCK, seconds=40)
    site, base = pypi.slim(sources, "mlflow/site", whole), sources.image(python.NAME)
    dockerfile, programs = _FOLDER / "Dockerfile", (_FOLDER / "start.py", _FOLDER / "database_schema.py")

    def make(work: Work) -> None:
        context = work.context(work.result(site))
        for each in programs:
            shutil.copy2(each, context / each.name)
        work.image(context, dockerfile.read_text(), "--build-arg", f"PYTHON={base.ref}", "--network", "none")

    return Step(
        *("image/mlflow", make, (dockerfile, *programs)),
        needs=(site, base), image=NAME, seconds=90, arch=sources.arch,
    )  # fmt: skip


IMAGES = (Image(NAME, build, served=True),)
