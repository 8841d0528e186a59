"""The engines that the suite runs against: one of this machine always, the cluster's with --long.

MLOPS_LAB_PIPELINES names another address, of whatever engine; then nothing is installed on the cluster. Which engine
answers is asked of it; tests/conformance/differences.py says what the real backend does otherwise.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kfp
import kfp_server_api
import pytest
import yaml
from kfp import compiler

from mlops_lab.base.quick_yaml import load_all
from mlops_lab.cluster import names
from tests.pipelines.engine import Engine, launcher, python

NAMESPACE = "mlops-lab-pipelines"


class Backend:
    """An engine, by the SDK's own client.

    Args:
        slow: are its steps pods of a cluster, which need some time to start?
    """

    def __init__(self, client: kfp.Client, *, slow: bool) -> None:
        self.client, self.slow = client, slow
        self.within = 300.0 if slow else 60.0  # seconds that a run may take
        try:  # one of the addresses that the embedded engine adds to KFP's API
            self._ask("runs/x/metrics")
            self.real = False
        except kfp_server_api.ApiException as error:
            self.real = "run x not found" not in str(error.body)

    def start(self, pipeline: Any, arguments: dict[str, Any] | None = None, *, cache: bool = False) -> str:
        """Start a run; without the cache for any of its tasks, those in branches and loops included."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "pipeline.yaml"
            compiler.Compiler().compile(pipeline, str(path))
            documents = load_all(path.read_text())
            for each in [documents[0]["root"], *documents[0]["components"].values()]:
                for task in each.get("dag", {}).get("tasks", {}).values():
                    task["cachingOptions"] = {"enableCache": True} if cache else {}
            path.write_text(yaml.safe_dump_all(documents))
            made = self.client.create_run_from_pipeline_package(str(path), arguments or {}, enable_caching=None)
        return str(made.run_id)

    def finish(self, run: str, *, within: float = 0) -> Any:
        """A run, once it and its tasks have ended: the real backend writes the run's end before its tasks'."""
        self.client.wait_for_run_completion(run, int(within or self.within), sleep_duration=0.2)
        end, seen = time.monotonic() + 60, None
        while True:
            found = self.client.get_run(run)
            known = states(found)
            unsettled = {state for each in known.values() for state in each} & {"PENDING", "RUNNING"}
            if known and not unsettled and (not self.real or known == seen):
                return found
            assert time.monotonic() < end, f"the tasks of a run that has ended: {known}"
            seen = known
            time.sleep(2 if self.real else 0.2)

    def warnings(self, run: str) -> list[str]:
        """What the embedded engine warns of, which is not in KFP's API and so not in its client."""
        return list(self._ask(f"runs/{run}").get("warnings", []))

    def _ask(self, path: str) -> Any:
        api = self.client._run_api.api_client
        return api.call_api(f"/apis/v2beta1/{path}", "GET", response_type="object", _return_http_data_only=True)


def states(run: Any) -> dict[str, list[str]]:
    """The states of a run's tasks by name, each sorted; the real backend lists some without name or state."""
    found: dict[str, list[str]] = {}
    for task in run.run_details.task_details or [] if run.run_details else []:
        if task.display_name:
            found.setdefault(task.display_name, []).append(task.state or "")
    return {name: sorted(each) for name, each in found.items()}


@pytest.fixture(
    scope="session", params=["local", pytest.param("cluster", marks=[pytest.mark.cluster, pytest.mark.long])]
)
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """The engine under test."""
    if request.param == "cluster":
        with Address() as address:
            yield Backend(kfp.Client(host=address), slow=True)
        return
    folder = tmp_path_factory.mktemp("conformance")
    engine = Engine(python(), launcher(folder), folder)
    yield Backend(engine.client, slow=False)
    engine.stop()


@pytest.fixture
def client(backend: Backend) -> kfp.Client:
    """The SDK's own client, unchanged."""
    return backend.client


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
