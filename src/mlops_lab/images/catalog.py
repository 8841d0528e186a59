"""The catalog: every image that the cluster needs, once, by the name that charts use.

To add an image: write `recipes/NAME.py` with a tuple `IMAGES`, and list the module here.
"""

from __future__ import annotations

from mlops_lab.images.recipes import (
    components,
    containerise,
    flight_delay,
    kfp_python,
    load,
    metrics_server,
    mlflow,
    monitoring,
    node,
    pipelines,
    postgres,
    python,
    registry,
    serving,
    tensorflow,
    traefik,
    victoria_logs,
    workbench,
)
from mlops_lab.images.sources import Image, Mode, Sources

_RECIPES = (
    node,
    registry,
    python,
    metrics_server,
    load,
    flight_delay,
    postgres,
    mlflow,
    kfp_python,
    components,
    serving,
    monitoring,
    pipelines,
    workbench,
    tensorflow,
    containerise,
    traefik,
    victoria_logs,
)

CATALOG: dict[str, Image] = {image.name: image for recipe in _RECIPES for image in recipe.IMAGES}


def sources(mode: Mode, arch: str, mirror: str = "") -> Sources:
    """The steps of all images, in one mode."""
    return Sources(CATALOG, mode, arch, mirror)
