"""The model server follows an alias with no failed request, refuses a version that is broken, and ends its waits.

Run as it is in the image: a process, with the registry's REST interface before it. The BentoML flavour runs in an
environment made from its lock.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from delays import bundle, registry

from tests.environments import environment
from tests.unit.components.conftest import ROOT
from tests.unit.components.mlflow_server import Server, serving

MODEL = "flight-delay"
FOLDERS = [ROOT / "images" / "serving", ROOT / "images" / "flight-delay"]
FLIGHT = {
    "month": 7, "day": 4, "weekday": 3, "hour": 17, "carrier": "UA", "origin": "EWR", "dest": "ORD", "distance": 719,
    "temp": 80.1, "wind_speed": 9.2, "precip": 0.0, "visib": None,
}  # fmt: skip


class Running:
    """A server process; its output is kept."""

    def __init__(self, words: list[str], folder: Path, uri: str, **env: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        settings = {
            "MLFLOW_TRACKING_URI": uri, "MODEL_POLL_SECONDS": "0.3", "SCRATCH": str(folder), "HOST": "127.0.0.1",
            "PORT": str(self.port), "PYTHONPATH": os.pathsep.join(map(str, FOLDERS)), "BENTOML_DO_NOT_TRACK": "1",
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "BENTOML_HOME": str(folder / "bento"), "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        self.log = folder / "server.log"
        words = [word.replace("PORT", str(self.port)) for word in words]
        with self.log.open("wb") as sink:
            self.process = subprocess.Popen(
                words,
                env={**os.environ, **settings, **env},
                stdout=sink,
                stderr=sink,
                cwd=folder,
                start_new_session=True,
            )

    def ask(self, path: str, body: object = None) -> tuple[int, str]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()
        except OSError as trouble:
            return 0, str(trouble)

    def until(self, fits: Callable[[], bool], within: float = 180) -> None:
        end = time.monotonic() + within
        while not fits():
            assert time.monotonic() < end, self.log.read_text()[-3000:]
            time.sleep(0.1)

    def version(self) -> str:
        status, text = self.ask("/version")
        return str(json.loads(text)["model_version"]) if status == 200 else ""

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(40)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)


def log_version(tracking: str, folder: Path, spring: pd.DataFrame, seed: int, broken: bool = False) -> str:
    """Register a version as training logs it, or one whose file was cut short."""
    made, unseen = bundle.train(spring.head(3000), seed, trees=4)
    files = folder / f"model-{seed}" / "bundle"
    bundle.write(files, made, {"model_version": "x", "auc": 0.7}, spring.head(3000), unseen)
    if broken:
        joblib = files / "model.joblib"
        joblib.write_bytes(joblib.read_bytes()[:500])
    client = registry.connect(tracking)
    mlflow.set_experiment("servers")  # another test's may be set still, of a store that is gone
    with mlflow.start_run() as run:
        logged = mlflow.pyfunc.log_model(
            name="model", loader_module="delays.bundle", data_path=str(files), pip_requirements=["scikit-learn"]
        )
    model = {"run_id": run.info.run_id, "model_id": logged.model_id}
    return str(registry.register(client, MODEL, model, {}).version)


@pytest.fixture
def store(tracking: str) -> Iterator[Server]:
    registry.connect(tracking)
    with serving(tracking) as server:
        yield server


FASTAPI = [sys.executable, "-m", "serving"]
BENTOML = ["-m", "bentoml", "serve", "serving.bento:FlightDelay", "--host", "127.0.0.1", "--port", "PORT"]


def test_it_follows_the_alias_with_no_failed_request(
    tracking: str, store: Server, tmp_path: Path, spring: pd.DataFrame
) -> None:
    versions = [log_version(tracking, tmp_path, spring, seed, broken=seed == 2) for seed in (1, 2, 3)]
    running = Running(FASTAPI, tmp_path, store.uri)
    follow(running, store, versions)


def follow(running: Running, store: Server, versions: list[str]) -> None:
    """None, the first, a broken one that is refused, the third; a registry that fails for a while; under load."""

    def alias(version: str) -> None:
        store.client.set_registered_model_alias(MODEL, "production", version)

    try:
        running.until(lambda: running.ask("/healthz")[0] == 200)
        assert running.ask("/readyz")[0] == 503
        status, text = running.ask("/predict", {"rows": [FLIGHT]})
        assert status == 503, text
        alias(versions[0])
        running.until(lambda: running.ask("/readyz")[0] == 200)
        seen: list[tuple[int, str]] = []
        done = threading.Event()

        def load() -> None:
            while not done.wait(0.02):
                status, text = running.ask("/predict", {"rows": [FLIGHT]})
                seen.append((status, json.loads(text)["model_version"] if status == 200 else text))

        threads = [threading.Thread(target=load, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        alias(versions[1])
        running.until(lambda: "\nmodel_reload_failures_total 0" not in running.ask("/metrics")[1])
        assert running.version() == versions[0], "the broken one is left out"
        store.broken = True
        time.sleep(1)
        assert running.ask("/readyz")[0] == 200, "a registry that fails changes nothing"
        store.broken = False
        alias(versions[2])
        running.until(lambda: running.version() == versions[2])
        time.sleep(0.3)
        done.set()
        for thread in threads:
            thread.join(20)
        assert {status for status, _ in seen} == {200}, [each for each in seen if each[0] != 200][:3]
        order = [version for _, version in seen]
        assert set(order) == {versions[0], versions[2]}
        text = running.ask("/metrics")[1]
        assert f'model_info{{version="{versions[2]}"' in text.replace('auc="0.7",', "")
        assert 'model_feature_value_bucket{feature="temp"' in text
        assert 'model_reference_fraction{above="-Inf",le="0.05",of="prediction"}' in text
        assert 'http_requests_total{route="/predict",status="200"}' in text
    finally:
        running.stop()


def test_a_value_that_is_a_bound_is_counted_below_it_as_in_training() -> None:
    """Wind comes in whole knots, so most values are bounds; as 32-bit numbers some are rounded up, some down."""
    sys.path[:0] = [str(folder) for folder in FOLDERS if str(folder) not in sys.path]
    from delays.drift import number_reference
    from serving.seen import Seen

    knots = [knots * 1.15078 for knots in range(3, 8)]
    kept = number_reference(np.repeat(np.array(knots), 50).astype("float32"))
    seen = Seen()
    seen.begin({"features": {"wind_speed": kept}})
    seen.observe([{"wind_speed": value} for value in knots * 50])
    values, fractions = seen.collect()
    counted = [sample.value for sample in values.samples if sample.name.endswith("_bucket")]
    bins = np.diff([0, *counted]) / counted[-1]
    assert bins == pytest.approx([sample.value for sample in fractions.samples])


def test_a_fixed_version_is_served_whatever_the_alias_says(
    tracking: str, store: Server, tmp_path: Path, spring: pd.DataFrame
) -> None:
    versions = [log_version(tracking, tmp_path, spring, seed) for seed in (1, 2)]
    store.client.set_registered_model_alias(MODEL, "production", versions[0])
    running = Running(FASTAPI, tmp_path, store.uri, MODEL_VERSION=versions[1])
    try:
        running.until(lambda: running.ask("/readyz")[0] == 200)
        assert running.version() == versions[1]
        asked = store.asked
        time.sleep(1)
        assert store.asked == asked, "it has what it needs"
        assert running.ask("/predict", {"rows": [{**FLIGHT, "wheels": 3}]})[0] == 422
    finally:
        assert running.stop() in (0, -signal.SIGTERM)


def test_a_registry_that_has_nothing_ends_the_process_with_the_reason(store: Server, tmp_path: Path) -> None:
    running = Running(FASTAPI, tmp_path, store.uri, MODEL_WITHIN_SECONDS="2")
    assert running.process.wait(60) == 1
    last = json.loads(running.log.read_text().strip().splitlines()[-2])
    assert last["event"] == "gave up"
    assert MODEL in last["reason"]


def test_without_an_address_it_does_not_start(tmp_path: Path) -> None:
    running = Running(FASTAPI, tmp_path, "")
    assert running.process.wait(30) == 1
    assert "MLFLOW_TRACKING_URI is not set" in running.log.read_text()


def test_rows_are_counted_on_the_reference_bins() -> None:
    sys.path.insert(0, str(FOLDERS[0]))
    from serving.seen import Seen

    seen = Seen()
    seen.begin({"features": {"temp": {"edges": [10.0, 20.0], "shares": [0.25, 0.5, 0.05, 0.2]}, "carrier": {}}})
    seen.observe([{"temp": 10.0}, {"temp": 10.5}, {"temp": None}, {"temp": 99}, {}])
    values, fractions = seen.collect()
    buckets = {sample.labels["le"]: sample.value for sample in values.samples if sample.name.endswith("_bucket")}
    assert buckets == {"10.0": 1, "20.0": 2, "+Inf": 3}
    shares = {(sample.labels["above"], sample.labels["le"]): sample.value for sample in fractions.samples}
    assert shares == pytest.approx({("-Inf", "10.0"): 0.3125, ("10.0", "20.0"): 0.625, ("20.0", "+Inf"): 0.0625})
    seen.begin({})
    assert [metric.samples for metric in seen.collect()] == [[], []]


def pins(lock: Path) -> dict[str, str]:
    lines = (line.split(" ")[0] for line in lock.read_text().splitlines() if "==" in line)
    return dict(line.split("==", 1) for line in lines)


@pytest.mark.parametrize("package", ["numpy", "scipy", "scikit-learn", "joblib"])
def test_what_reads_a_model_has_one_version_everywhere(package: str) -> None:
    images = ROOT / "images"
    locks = [
        images / "flight-delay" / "requirements.lock", images / "components" / "requirements.lock",
        images / "serving" / "requirements.lock", images / "serving" / "requirements-bentoml.lock",
        images / "workbench" / "requirements.lock",
    ]  # fmt: skip
    assert len({pins(lock)[package] for lock in locks}) == 1


@pytest.mark.parametrize("package", ["kfp", "mlflow-skinny", "numpy", "pandas", "river", "scikit-learn", "scipy"])
def test_the_tests_run_what_the_components_image_has(package: str) -> None:
    locked = {}
    for name in ("kfp-python", "components"):
        locked |= pins(ROOT / "images" / name / "requirements.lock")
    assert importlib.metadata.version(package) == locked[package]


@pytest.fixture(scope="session")
def bentoml() -> Path:
    """The Python of an environment with what the lock says."""
    return environment("bentoml", FOLDERS[0] / "requirements-bentoml.lock")


@pytest.mark.long  # an environment of its own, as those below, and three versions served one after the other
def test_the_bentoml_flavour_keeps_the_same_contract(
    tracking: str, store: Server, tmp_path: Path, spring: pd.DataFrame, bentoml: Path
) -> None:
    versions = [log_version(tracking, tmp_path, spring, seed, broken=seed == 2) for seed in (1, 2, 3)]
    follow(Running([str(bentoml), *BENTOML], tmp_path, store.uri), store, versions)


@pytest.mark.long
def test_bentoml_scores_batches(
    tracking: str, store: Server, tmp_path: Path, spring: pd.DataFrame, bentoml: Path
) -> None:
    version = log_version(tracking, tmp_path, spring, 1)
    running = Running([str(bentoml), *BENTOML], tmp_path, store.uri, MODEL_VERSION=version)
    try:
        running.until(lambda: running.ask("/readyz")[0] == 200)
        _, text = running.ask("/predict", {"rows": [FLIGHT, {**FLIGHT, "carrier": "AA"}]})
        status, scores = running.ask("/score", {"rows": [FLIGHT, {**FLIGHT, "carrier": "AA"}]})
        assert status == 200, scores
        assert json.loads(scores) == pytest.approx(json.loads(text)["probabilities"])
        assert running.ask("/predict", {"rows": [{**FLIGHT, "wheels": 3}]})[0] == 422
        assert running.ask("/score", {"rows": [{**FLIGHT, "wheels": 3}]})[0] == 400
    finally:
        running.stop()


@pytest.mark.long
def test_bentoml_ends_too_when_there_is_nothing(store: Server, tmp_path: Path, bentoml: Path) -> None:
    running = Running([str(bentoml), *BENTOML], tmp_path, store.uri, MODEL_WITHIN_SECONDS="2")
    running.process.wait(60)
    assert "gave up" in running.log.read_text()
    assert running.ask("/healthz")[0] == 0


def test_the_server_package_knows_nothing_of_what_training_needs() -> None:
    text = "".join(path.read_text() for path in (FOLDERS[0] / "serving").glob("*.py"))
    assert not any(f"import {name}" in text for name in ("pandas", "kfp", "river", "delays"))
