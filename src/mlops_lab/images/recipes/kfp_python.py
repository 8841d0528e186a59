"""python:3.11, the image of the SDK's default component, where it can't be pulled: Python with pip and kfp.

It is also what `components:1` stands on. It stands in under the published name only where no image registry answers:
elsewhere that name means what its publisher put there, and pip gets kfp from a package index.
"""

from __future__ import annotations

import shutil

from mlops_lab.base.paths import project
from mlops_lab.base.versions import pin
from mlops_lab.images.recipes import pypi, python
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work, link

NAME = str(pin("images.kfp-python.name"))
_FOLDER = project() / "images" / "kfp-python"
_LEFT_OUT = ("*_test.py", "test_data", "*.exe", "__pycache__", "bin", ".lock")  # nothing imports them


def build(sources: Sources) -> Step:
    """The packages on the base of Python images, where that Python finds them whatever PYTHONPATH says."""
    site = pypi.site(sources, "pypi/kfp", _FOLDER / "requirements.lock", seconds=5)
    dockerfile, start = _FOLDER / "Dockerfile", sources.image(python.NAME)

    def make(work: Work) -> None:
        context, left_out = work.context(), shutil.ignore_patterns(*_LEFT_OUT)
        shutil.copytree(work.result(site) / "site", context / "site", copy_function=link, ignore=left_out)
        work.image(context, dockerfile.read_text(), "--build-arg", f"PYTHON={start.ref}", "--network", "none")

    return Step(
        *("image/kfp-python", make, (dockerfile, str(_LEFT_OUT))),
        needs=(site, start), image=NAME, seconds=15, arch=sources.arch,
    )  # fmt: skip


IMAGES = (Image(NAME, build, stands_in=True),)
