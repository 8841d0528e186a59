"""The catalog: every image that the cluster needs, once, by the name that charts use.

To add an image: write `recipes/NAME.py` with a tuple `IMAGES`, and list the module here.
"""

from __future__ import annotations

from mlops_lab.images.recipes import (
    classroom,
    components,
    containerise,
    debian,
    flight_delay,
    flight_delay_pytorch,
    git,
    grader,
    kfp_python,
    kueue,
    load,
    metrics_server,
    mlflow,
    monitoring,
    node,
    pipelines,
    postgres,
    python,
    pytorch,
    rag,
    registry,
    serving,
    tensorflow,
    traefik,
    victoria_logs,
    workbench,
)
from mlops_lab.images.sources import Image, Mode, Sources, repository

_RECIPES = (
    node,
    registry,
    python,
    metrics_server,
    kueue,
    grader,
    load,
    flight_delay,
    flight_delay_pytorch,
    postgres,
    mlflow,
    kfp_python,
    components,
    serving,
    monitoring,
    pipelines,
    workbench,
    tensorflow,
    pytorch,
    rag,
    containerise,
    git,
    traefik,
    classroom,
    victoria_logs,
)

CATALOG: dict[str, Image] = {image.name: image for recipe in _RECIPES for image in recipe.IMAGES}


def sources(mode: Mode, arch: str, mirror: str = "", offline: bool = False) -> Sources:
    """The steps of all images, in one mode; arguments as `Sources`."""
    return Sources(CATALOG, mode, arch, mirror, offline)


def all_here() -> list[str]:
    """The names of all images that this host can bring."""
    return [name for name, image in CATALOG.items() if debian.can_be_built() or not image.of_debian]


def served_as(name: str) -> str:
    """What an image is called in the cluster's registry: ours by their short name, others by their own path."""
    return name.rpartition("/")[2] if CATALOG[name].served else repository(name)
