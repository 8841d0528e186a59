"""python-build:1 and python-run:1, what lab 03's images are made of: with pip, a compiler and packages, and without.

The packages lie in the image as wheels, so that `pip install` works in a build without a network. The model is a
package of its own, published as source: with a module in C, which pip compiles.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from mlops_lab.base.paths import project
from mlops_lab.base.versions import pin
from mlops_lab.images.recipes import debian, flight_delay, pypi, python
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work, link

BUILD, RUN = "mlops-lab/python-build:1", "mlops-lab/python-run:1"
WHOLE = str(pin("images.python-whole.name"))
VERSION = "v1"
_FOLDER = project() / "images" / "python-build"
_PYTHON = project() / "images" / "python"
_PACKAGES = (
    *("python3", "python3-pip", "python3-venv", "python3-dev", "gcc", "libc6-dev"),
    *("ca-certificates", "tzdata", "dash", "coreutils"),
)
_PLATFORMS = {"amd64": "x86_64", "arm64": "aarch64"}
_GLIBC = ("manylinux_2_17", "manylinux2014", "manylinux_2_27", "manylinux_2_28")


def whole(sources: Sources) -> Step:
    """Python with pip, headers and a C compiler, where the published image can't be pulled."""
    root = debian.root(sources, "debian/python-whole", _PACKAGES, links={"/usr/bin/python": "python3"}, seconds=60)

    def make(work: Work) -> None:
        work.image(work.result(root), (_PYTHON / "Dockerfile").read_text())

    return Step("image/python-whole", make, (_PYTHON,), needs=(root,), image=WHOLE, seconds=15, arch=sources.arch)


def wheels(sources: Sources) -> Step:
    """A folder step with `wheels/`: what the server needs, and in `tools/` what packages are built with."""
    locks = {"": _FOLDER / "requirements.lock", "tools": _FOLDER / "tools.lock"}

    def make(work: Work) -> None:
        pip = work.out / "pip"
        work.run([*pypi.installer(), "--target", pip, "--no-deps", "--require-hashes", "-r", locks["tools"]])
        cpu = _PLATFORMS[work.arch]
        platforms = [word for glibc in _GLIBC for word in ("--platform", f"{glibc}_{cpu}")]
        for folder, lock in locks.items():
            words: list[str | Path] = [sys.executable, pip / "pip", "download", "--quiet", "--no-deps"]
            words += ["--only-binary", ":all:", "--require-hashes", "--python-version", "3.11", *platforms]
            work.run([*words, "--dest", work.out / "wheels" / folder, "-r", lock])
        shutil.rmtree(pip)

    return Step("pypi/python-build", make, (*locks.values(), *_GLIBC), seconds=15, arch=sources.arch)


def build(sources: Sources) -> Step:
    """The wheels and the model's package on Python with a compiler."""
    packages, model = wheels(sources), flight_delay.train(sources)
    server, base = flight_delay.base(sources), sources.image(WHOLE)
    dockerfile, export, package = (_FOLDER / name for name in ("Dockerfile", "export.py", "package"))
    features = project() / "images" / "flight-delay" / "server" / "features.py"

    def make(work: Work) -> None:
        context = work.context()
        shutil.copytree(work.result(packages) / "wheels", context / "wheels", copy_function=link)
        shutil.copytree(work.result(model) / VERSION, context / "model", copy_function=link)
        shutil.copytree(package, context / "package", ignore=shutil.ignore_patterns("__pycache__"))
        link(features, context / "package" / "flight_delay" / "features.py")
        link(export, context / "export.py")
        arguments = [f"SERVER={server.ref}", f"PYTHON={base.ref}"]
        words = [word for each in arguments for word in ("--build-arg", each)]
        work.image(context, dockerfile.read_text(), *words, "--network", "none")

    return Step(
        *("image/python-build", make, (dockerfile, export, package, features)),
        needs=(packages, model, server, base), image=BUILD, seconds=30, arch=sources.arch,
    )  # fmt: skip


def run(sources: Sources) -> Step:
    """The base of all Python images under a name of its own."""
    start, dockerfile = sources.image(python.NAME), _FOLDER / "run.Dockerfile"

    def make(work: Work) -> None:
        work.image(work.context(), dockerfile.read_text(), "--build-arg", f"PYTHON={start.ref}", "--network", "none")

    return Step("image/python-run", make, (dockerfile,), needs=(start,), image=RUN, seconds=5, arch=sources.arch)


IMAGES = (Image(WHOLE, whole, published=True), Image(BUILD, build, served=True), Image(RUN, run, served=True))
