"""flight-delay-pytorch:v1, the flight-delay server round a network that is trained with PyTorch when it is built."""

from __future__ import annotations

import shutil

from mlops_lab.base.paths import project
from mlops_lab.images.recipes import components, pytorch
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work, link

NAME = "mlops-lab/flight-delay-pytorch:v1"
_FOLDER = project() / "images" / "flight-delay-pytorch"


def build(sources: Sources) -> Step:
    """Trains in a stage of its own, as PyTorch is in the image and not on the host; the flights stay behind."""
    days, start = components.days(sources), sources.image(pytorch.NAME)
    dockerfile, network = _FOLDER / "Dockerfile", _FOLDER / "network"
    server = project() / "images" / "flight-delay" / "server"

    def make(work: Work) -> None:
        context, left_out = work.context(), shutil.ignore_patterns("__pycache__")
        for folder in (server, network):
            shutil.copytree(folder, context / folder.name, copy_function=link, ignore=left_out)
        shutil.copytree(work.result(days) / "days", context / "days", copy_function=link)
        work.image(context, dockerfile.read_text(), "--build-arg", f"PYTORCH={start.ref}", "--network", "none")

    return Step(
        "image/flight-delay-pytorch",
        make,
        (dockerfile, network, server),
        needs=(days, start),
        image=NAME,
        seconds=60,
        arch=sources.arch,
    )


IMAGES = (Image(NAME, build, served=True, of_debian=True),)
