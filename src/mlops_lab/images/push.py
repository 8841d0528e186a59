"""Put images of the catalog into a registry: a mirror for other machines, or what a shared cluster pulls from."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from mlops_lab.engine.docker import Docker
from mlops_lab.images.bundle.loaded import loaded
from mlops_lab.images.catalog import CATALOG, served_as
from mlops_lab.images.steps import Step


def names(prefix: str) -> dict[str, str]:
    """For each image of the catalog the name that it gets under a prefix.

    Published images keep their own path, so the prefix serves as a mirror (MLOPS_LAB_MIRROR); ours lose `mlops-lab/`,
    so that it serves as the registry of a shared cluster (`lab up --context NAME --registry PREFIX`).
    """
    prefix = prefix.rstrip("/")
    return {name: f"{prefix}/{served_as(name)}" for name in CATALOG}


def fetch(docker: Docker, steps: dict[str, Step], registry: str) -> None:
    """Have those images in the engine, too, that a bundle has brought to the cluster's registry alone.

    Raises:
        LabError: the registry does not give one.
    """
    bundle = loaded()
    for name, step in steps.items():
        if bundle and step.ref in bundle.refs and docker.inspect("image", step.ref) is None:
            there = f"{registry}/{served_as(name)}"
            hint = f"see that the cluster is up: lab up --bundle {shlex.quote(bundle.file)}"
            docker.run("pull", there, within=1800, hint=hint)
            docker.run("tag", there, step.ref)
            docker.run("rmi", there, check=False)


def push(docker: Docker, steps: dict[str, Step], prefix: str) -> Iterator[str]:
    """Push the images that `steps` made and yield each one's new name; no tag is left behind in the engine.

    Raises:
        LabError: the registry does not take one.
    """
    targets = names(prefix)
    for name, step in steps.items():
        hint = f"log in if it asks for that: docker login {prefix}"
        docker.push(step.ref, targets[name], within=1800, hint=hint)
        yield targets[name]
