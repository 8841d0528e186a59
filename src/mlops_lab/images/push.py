"""Put images of the catalog into a registry: a mirror for other machines, or what a shared cluster pulls from."""

from __future__ import annotations

from collections.abc import Iterator

from mlops_lab.engine.docker import Docker
from mlops_lab.images.catalog import CATALOG
from mlops_lab.images.sources import repository
from mlops_lab.images.steps import Step


def names(prefix: str) -> dict[str, str]:
    """For each image of the catalog the name that it gets under a prefix.

    Published images keep their own path, so the prefix serves as a mirror (MLOPS_LAB_MIRROR); ours lose `mlops-lab/`,
    so that it serves as the registry of a shared cluster (`lab up --context NAME --registry PREFIX`).
    """
    prefix = prefix.rstrip("/")
    return {
        name: f"{prefix}/{name.rpartition('/')[2] if image.served else repository(name)}"
        for name, image in CATALOG.items()
    }


def push(docker: Docker, steps: dict[str, Step], prefix: str) -> Iterator[str]:
    """Push the images that `steps` made and yield each one's new name; no tag is left behind in the engine.

    Raises:
        LabError: the registry does not take one.
    """
    targets = names(prefix)
    for name, step in steps.items():
        target = targets[name]
        docker.run("tag", step.ref, target)
        try:
            docker.run("push", target, within=1800, hint=f"log in if it asks for that: docker login {prefix}")
        finally:
            docker.run("rmi", target, check=False)
        yield target
