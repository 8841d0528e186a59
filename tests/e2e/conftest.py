"""The real cluster, brought up once by `lab up`; later runs find it there."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.base.progress import spell
from mlops_lab.kube.client import Kube
from mlops_lab.kube.connection import connect
from mlops_lab.labs import namespaces

CLUSTER = "mlops-lab"
# What `lab verify` found of the labs whose turn it was, for the summary.
BY_TURNS = pytest.StashKey[dict[str, Any]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test's fixture waits for images to be built, where there are none; it has a limit of its own."""
    for item in items:
        if item.get_closest_marker("cluster") and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(900, func_only=True))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which labs were verified, and of those that were left out how fresh their proofs are."""
    told = config.stash.get(BY_TURNS, None)
    if told is None:
        return
    terminalreporter.section("labs by turns")
    for each in told["labs"]:
        took = sum(step["seconds"] for step in each["steps"])
        outcomes = sorted({step["outcome"] for step in each["steps"]})
        terminalreporter.line(f"verified  {each['lab']}: {', '.join(outcomes)} ({spell(took)})")
    for each in told["left out"]:
        terminalreporter.line(f"left out  {each['lab']}: {each['in words']}")
    terminalreporter.line("commit what was proved: labs/*/proof.json and docs/proofs.md")


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
def cluster(request: pytest.FixtureRequest) -> Kube:
    """A connection to the cluster that `lab up` made, or found, with the parts that tests of this run want.

    They are brought here, once: a part that is built in the middle of a test would be in its way.
    """
    wanted = {part for item in request.session.items for mark in item.iter_markers("parts") for part in mark.args}
    done = lab("up", *(["--with", ",".join(sorted(wanted))] if wanted else []), within=4500)
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
