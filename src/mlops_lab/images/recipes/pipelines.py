"""pipelines:1, the embedded engine of Kubeflow Pipelines, and pipelines-launcher:1, what wraps each task's command."""

from __future__ import annotations

import shutil

from mlops_lab.base.paths import project
from mlops_lab.images.recipes import golang, pypi, python
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work, link

NAME = "mlops-lab/pipelines:1"
LAUNCHER = "mlops-lab/pipelines-launcher:1"
_FOLDER = project() / "images" / "pipelines"
# Of the packages: the tests of kfp and of its generated client lie beside the modules, and commands are of no use.
_LEFT_OUT = ("tests", "*_test.py", "test_data", "bin", "__pycache__", ".lock")


def build(sources: Sources) -> Step:
    """The SDK, the server's packages and the server."""
    site = pypi.site(sources, "pypi/pipelines", _FOLDER / "requirements.lock", seconds=20)
    start = sources.image(python.NAME)
    dockerfile, server = _FOLDER / "Dockerfile", _FOLDER / "embedded"

    def make(work: Work) -> None:
        context = work.context()
        left_out = shutil.ignore_patterns(*_LEFT_OUT)
        shutil.copytree(work.result(site) / "site", context / "site", copy_function=link, ignore=left_out)
        shutil.copytree(server, context / "embedded", copy_function=link, ignore=left_out)
        work.image(context, dockerfile.read_text(), "--build-arg", f"PYTHON={start.ref}", "--network", "none")

    return Step(
        *("image/pipelines", make, (dockerfile, server, str(_LEFT_OUT))),
        needs=(site, start), image=NAME, seconds=60, arch=sources.arch,
    )  # fmt: skip


def launcher(sources: Sources) -> Step:
    """One static program in an otherwise empty image."""
    folder = _FOLDER / "launcher"
    program = golang.programs(sources, "go/pipelines-launcher", folder, (".",), seconds=20, heavy=False)
    dockerfile = folder / "Dockerfile"

    def make(work: Work) -> None:
        context = work.context()
        link(work.result(program) / "launch", context / "launch")
        work.image(context, dockerfile.read_text())

    return Step(
        *("image/pipelines-launcher", make, (dockerfile,)),
        needs=(program,), image=LAUNCHER, seconds=4, arch=sources.arch,
    )  # fmt: skip


IMAGES = (Image(NAME, build, served=True), Image(LAUNCHER, launcher, served=True))
