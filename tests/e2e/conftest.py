"""The real cluster, brought up once by `lab up`; later runs find it there."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_lab.kube.client import Kube
from mlops_lab.kube.connection import connect
from mlops_lab.labs import namespaces

CLUSTER = "mlops-lab"


def lab(*words: str, within: float = 1800, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The `lab` command as a user runs it; its output is kept."""
    program = Path(sys.executable).parent / "lab"
    return subprocess.run(
        [str(program), *words],
        capture_output=True,
        text=True,
        timeout=within,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(env or {})},
        check=False,
    )


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=300, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="session")
def cluster() -> Kube:
    """A connection to the cluster that `lab up` made, or found."""
    done = lab("up", within=3600)
    assert done.returncode == 0, done.stdout + done.stderr
    return connect(f"kind-{CLUSTER}")


@pytest.fixture(scope="session")
def deleted(cluster: Kube) -> Iterator[list[str]]:
    """Namespaces whose deletion has begun; at the end they are gone."""
    names: list[str] = []
    yield names
    all_gone(cluster, names)


def all_gone(cluster: Kube, names: list[str]) -> None:
    """Wait until these namespaces are gone, and forget them."""
    while names:
        cluster.wait_gone("Namespace", names.pop(), within=120)


@pytest.fixture
def namespace(cluster: Kube, deleted: list[str]) -> Iterator[str]:
    """A namespace of the test's own; it goes while the next test begins."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    namespaces.make(cluster, name)
    yield name
    cluster.delete("Namespace", name)
    deleted.append(name)
