"""The engines that the suite runs against: one of this machine always, the cluster's with --long.

MLOPS_LAB_PIPELINES names another address, of whatever engine; then nothing is installed on the cluster.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import kfp
import pytest

from mlops_lab.cluster import names
from tests.pipelines.engine import Engine, environment, launcher

NAMESPACE = "mlops-lab-pipelines"


@pytest.fixture(
    scope="session", params=["here", pytest.param("cluster", marks=[pytest.mark.cluster, pytest.mark.long])]
)
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[kfp.Client]:
    """The SDK's own client, unchanged."""
    if request.param == "cluster":
        with Address() as address:
            yield kfp.Client(host=address)
        return
    folder = tmp_path_factory.mktemp("conformance")
    engine = Engine(environment(folder / "python"), launcher(folder), folder)
    yield engine.client
    engine.stop()


@pytest.fixture
def within(request: pytest.FixtureRequest) -> float:
    """Seconds that a run may take: pods of a cluster need some to start."""
    return 300 if "cluster" in request.node.name else 60


class Address:
    """The live engine's address: given, or its Service forwarded to a port of this machine, once `lab up` has brought
    it."""

    def __enter__(self) -> str:
        self._forward: subprocess.Popen[bytes] | None = None
        if given := os.environ.get("MLOPS_LAB_PIPELINES"):
            return given
        lab = [str(Path(sys.executable).parent / "lab"), "up", "--with", "pipelines"]
        brought = subprocess.run(
            lab, capture_output=True, text=True, timeout=3600, stdin=subprocess.DEVNULL, check=False
        )
        assert brought.returncode == 0, brought.stdout + brought.stderr
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        kubectl = Path(os.environ.get("KUBECTL", "kubectl"))
        self._forward = subprocess.Popen(
            [kubectl, "--context", names.context(), "-n", NAMESPACE, "port-forward", "svc/ml-pipeline", f"{port}:8888"],
            stdout=subprocess.DEVNULL,
        )
        end = time.monotonic() + 30
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return f"http://127.0.0.1:{port}"
            assert self._forward.poll() is None and time.monotonic() < end, "no port-forward to the pipelines' Service"
            time.sleep(0.2)

    def __exit__(self, *_: object) -> None:
        if self._forward:
            self._forward.terminate()
            self._forward.wait(10)
