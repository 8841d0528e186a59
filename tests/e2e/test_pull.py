"""The pull path: a registry of the project's own serves the published names, and a cluster comes up from it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_lab.engine.docker import architecture
from mlops_lab.images.catalog import CATALOG, sources
from mlops_lab.kube.client import Kube
from mlops_lab.kube.connection import connect
from tests.e2e.conftest import docker, lab

pytestmark = [pytest.mark.cluster, pytest.mark.second_cluster]

NAME = "mlops-lab-pull"
PORT = 5002


@pytest.fixture(scope="module")
def mirror(cluster: Kube) -> Iterator[str]:
    """The prefix of a registry that holds all images of the catalog that are published."""
    image = docker("inspect", "--format", "{{.Config.Image}}", "mlops-lab-registry")
    if docker("ps", "-aq", "--filter", f"name=^{NAME}-mirror$"):  # left by a run that was killed
        docker("rm", "-f", "-v", f"{NAME}-mirror")
    docker("run", "-d", "--name", f"{NAME}-mirror", "-p", f"127.0.0.1:{PORT}:5000", image)
    try:
        prefix = f"localhost:{PORT}"
        done = lab("images", "push", prefix, *(name for name, image in CATALOG.items() if image.published))
        assert done.returncode == 0, done.stderr
        yield prefix
    finally:
        docker("rm", "-f", "-v", f"{NAME}-mirror")


@pytest.fixture(scope="module")
def pulled(mirror: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a second cluster, brought up from the mirror alone with a cache of its own."""
    home = tmp_path_factory.mktemp("home")
    env = {"MLOPS_LAB_CLUSTER": NAME, "MLOPS_LAB_HOME": str(home), "MLOPS_LAB_MIRROR": mirror}
    lab("down", "--yes", env=env)  # what a run that was killed has left is another home's
    forget_what_was_pulled(mirror)
    try:
        done = lab("up", "--nodes", "small", "--images", "pull", env=env)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "pull/kindest/node" in done.stderr
        assert "go/kubernetes" not in done.stderr
        yield env
    finally:
        lab("down", env=env)
        forget_what_was_pulled(mirror)


def forget_what_was_pulled(mirror: str) -> None:
    """Let the engine pull again: an earlier run's images would do as well."""
    known = sources("pull", architecture(docker("info", "--format", "{{.Architecture}}")), mirror)
    there = docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    refs = [ref for name, image in CATALOG.items() if image.published and (ref := known.image(name).ref) in there]
    if refs:
        docker("rmi", *refs)


def test_a_pulled_cluster_is_well(pulled: dict[str, str]) -> None:
    kube = connect(f"kind-{NAME}")
    assert len(kube.list("Node")) == 1
    done = lab("status", env=pulled, within=60)
    assert done.returncode == 0, done.stdout


def test_nothing_is_left_of_it(pulled: dict[str, str]) -> None:
    assert lab("down", env=pulled, within=120).returncode == 0
    assert docker("ps", "-aq", "--filter", f"label=io.x-k8s.kind.cluster={NAME}") == ""
    again = lab("down", env=pulled, within=120)
    assert again.returncode == 0
    assert "Nothing to remove" in again.stdout


def test_the_catalog_says_that_it_was_pulled(pulled: dict[str, str]) -> None:
    times = json.loads((Path(pulled["MLOPS_LAB_HOME"]) / "cache" / "build" / "times.json").read_text())
    assert any(name.startswith("pull/") for name in times)
    assert os.environ.get("MLOPS_LAB_MIRROR") is None


def test_an_image_that_cannot_be_pulled_is_named(mirror: str, tmp_path: Path) -> None:
    env = {"MLOPS_LAB_CLUSTER": NAME, "MLOPS_LAB_HOME": str(tmp_path), "MLOPS_LAB_MIRROR": f"{mirror}/nothing-here"}
    done = lab("up", "--nodes", "small", "--images", "pull", env=env, within=120)
    assert done.returncode == 3
    assert "can't be pulled" in done.stderr and "next: " in done.stderr
    assert docker("ps", "-aq", "--filter", f"label=io.x-k8s.kind.cluster={NAME}") == ""
