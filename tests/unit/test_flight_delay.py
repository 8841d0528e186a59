"""The model's training and its server, run as they are in the image: in an environment made from the lock file, the
server as a process. The data is small and made up, so that the suite needs no image and no download of the flights."""

import contextlib
import csv
import io
import json
import os
import random
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.base.paths import project
from tests.environments import environment

FOLDER = project() / "images" / "flight-delay"
FLIGHT = {
    "month": 7, "day": 4, "weekday": 3, "hour": 17, "carrier": "UA", "origin": "EWR", "dest": "ORD", "distance": 719,
    "temp": 80.1, "wind_speed": 9.2, "precip": 0.0, "visib": 10.0,
}  # fmt: skip


@pytest.fixture(scope="session")
def python() -> Path:
    """The Python of an environment with what the lock file says."""
    return environment("flight-delay", FOLDER / "requirements.lock")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A year in which rain makes flights late, and so does the carrier AA; some flights never arrived."""
    folder = tmp_path_factory.mktemp("data")
    flights, weather = io.StringIO(), io.StringIO()
    flight_rows, weather_rows = csv.writer(flights), csv.writer(weather)
    names = ("year", "month", "day", "arr_delay", "carrier", "origin", "dest", "distance", "hour", "time_hour")
    flight_rows.writerow(names)
    weather_rows.writerow(["origin", "time_hour", "temp", "wind_speed", "precip", "visib"])
    dice = random.Random(13)
    for number in range(6000):
        month, day, hour = dice.randint(1, 12), dice.randint(1, 28), dice.randint(5, 23)
        carrier, wet = dice.choice(("AA", "UA", "B6")), dice.random() < 0.3
        at = f"2013-{month:02}-{day:02}T{hour:02}:{number:04}Z"
        delay = "NA" if number % 50 == 0 else 40 if wet or (carrier == "AA" and dice.random() < 0.4) else -3
        flight_rows.writerow([2013, month, day, delay, carrier, "EWR", ("ORD", "MIA")[number % 2], 719, hour, at])
        weather_rows.writerow(["EWR", at, "NA" if number % 90 == 0 else 60, 9, 0.4 if wet else 0, 10])
    (folder / "weather.csv").write_text(weather.getvalue())
    with zipfile.ZipFile(folder / "flights.csv.zip", "w") as archive:
        archive.writestr("flights.csv", flights.getvalue())
    return folder


def train(python: Path, data: Path, out: Path) -> Path:
    command = [python, FOLDER / "train.py", "--data", data, "--out", out]
    environment = {**os.environ, "PYTHONPATH": str(FOLDER)}
    subprocess.run(command, check=True, timeout=120, env=environment, capture_output=True)
    return out


@pytest.fixture(scope="session")
def trained(python: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(python, data, tmp_path_factory.mktemp("trained"))


def test_training_is_deterministic(python: Path, data: Path, trained: Path, tmp_path: Path) -> None:
    again = train(python, data, tmp_path)
    for name in ("hidden.json", "v1/metadata.json", "v2/metadata.json"):
        assert (again / name).read_bytes() == (trained / name).read_bytes()


def test_weather_makes_the_second_version_better(trained: Path) -> None:
    metadata = {version: json.loads((trained / version / "metadata.json").read_text()) for version in ("v1", "v2")}
    assert 0.5 < metadata["v1"]["auc"] < metadata["v2"]["auc"] - 0.05
    assert metadata["v1"]["rows_trained"] + metadata["v1"]["rows_tested"] == 6000 - 120  # those that arrived
    hidden = json.loads((trained / "hidden.json").read_text())
    assert hidden["auc"] == {version: facts["auc"] for version, facts in metadata.items()}
    assert len(hidden["rows"]) == len(hidden["probabilities"]["v1"]) == len(hidden["probabilities"]["v2"]) == 500


class Server:
    """The server as a process; `ask` returns status and body."""

    def __init__(self, python: Path, model: Path, **settings: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [python, "-m", "server"],
            env={"PYTHONPATH": str(FOLDER), "MODEL_DIR": str(model), "HOST": "127.0.0.1", "PORT": str(self.port),
                 **settings},
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ask(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                status, text, got = answer.status, answer.read(), dict(answer.headers)
        except urllib.error.HTTPError as answer:
            status, text, got = answer.code, answer.read(), dict(answer.headers)
        return status, json.loads(text) if text.startswith(b"{") else text.decode(), got

    def until(self, path: str, status: int, within: float = 30) -> Any:
        end = time.monotonic() + within
        seen: Any = None
        while time.monotonic() < end:
            try:
                seen = self.ask(path)
                if seen[0] == status:
                    return seen[1]
            except OSError as down:
                seen = down
            time.sleep(0.05)
        raise AssertionError(f"{path} is not {status} within {within} s; last seen: {seen}")

    def stop(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        return self.process.communicate(timeout=20)[0]


@contextlib.contextmanager
def serving(python: Path, model: Path) -> Iterator[Server]:
    running = Server(python, model)
    try:
        running.until("/readyz", 200)
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()


@pytest.fixture(scope="module")
def server(python: Path, trained: Path) -> Iterator[Server]:
    """One server for all tests that only ask."""
    with serving(python, trained / "v2") as running:
        yield running


@pytest.fixture
def mortal(python: Path, trained: Path) -> Iterator[Server]:
    """A server of its own for a test that ends it."""
    with serving(python, trained / "v2") as running:
        yield running


def test_answers_what_training_foresaw(server: Server, trained: Path) -> None:
    hidden = json.loads((trained / "hidden.json").read_text())
    status, answer, headers = server.ask("/predict", {"rows": hidden["rows"]}, **{"X-Request-ID": "abc-1"})
    assert (status, answer["model_version"], headers["x-request-id"]) == (200, "v2", "abc-1")
    assert answer["probabilities"] == pytest.approx(hidden["probabilities"]["v2"], abs=1e-12)
    assert server.ask("/version")[1] == {"model_version": "v2", "pod": socket.gethostname()}


@pytest.mark.parametrize(
    "body",
    [
        {"rows": []},
        {"rows": [{**FLIGHT, "month": 13}]},
        {"rows": [{**FLIGHT, "temperature": 70}]},
        {"rows": [{**FLIGHT, "temp": float("nan")}]},
        {"rows": [{**FLIGHT, "carrier": float("nan")}]},
        {"rows": [{key: value for key, value in FLIGHT.items() if key != "carrier"}]},
        {"rows": [FLIGHT] * 1001},
        {"row": [FLIGHT]},
    ],
)
def test_refuses_bad_input(server: Server, body: Any) -> None:
    status, answer, _ = server.ask("/predict", body)
    assert status == 422
    assert all(set(each) == {"loc", "type", "msg"} for each in answer["detail"]), "where and why, not the input"


def test_weather_and_categories_may_be_unknown(server: Server) -> None:
    rows = [{**FLIGHT, "temp": None, "carrier": "ZZ"}, {k: v for k, v in FLIGHT.items() if k not in ("temp", "precip")}]
    status, answer, _ = server.ask("/predict", {"rows": rows})
    assert status == 200
    assert all(0 <= probability <= 1 for probability in answer["probabilities"])


def test_metrics_count_what_was_asked(server: Server) -> None:
    def metrics() -> dict[str, float]:
        lines = [line.rsplit(" ", 1) for line in server.ask("/metrics")[1].splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines}

    before = metrics()
    for path, body in (("/predict", {"rows": [FLIGHT, FLIGHT]}), ("/predict", {"rows": []}), ("/wp-admin/x", None)):
        server.ask(path, body)
    after = metrics()
    for name, more in {
        'http_requests_total{route="/predict",status="200"}': 1,
        'http_requests_total{route="/predict",status="422"}': 1,
        'http_requests_total{route="other",status="404"}': 1,
        'http_request_duration_seconds_count{route="/predict"}': 2,
        "model_prediction_probability_count": 2,
    }.items():
        assert after[name] - before.get(name, 0) == more, name
    assert after["model_load_seconds"] > 0
    assert any(name.startswith("model_info{") and 'version="v2"' in name for name in after)
    assert not any("wp-admin" in name for name in after)  # labels stay few, whatever is asked


def test_logs_requests_as_json_and_finishes_what_is_under_way(mortal: Server) -> None:
    mortal.ask("/predict", {"rows": [FLIGHT]}, **{"X-Request-ID": "abc-2"})
    large = {"rows": [FLIGHT] * 1000}
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(mortal.ask, "/predict", large) for _ in range(8)]
        time.sleep(0.1)
        log = mortal.stop()
        statuses = []
        for one in asked:
            try:
                statuses.append(one.result()[0])
            except OSError:
                statuses.append(0)  # came after the listener was closed
    assert 200 in statuses
    assert set(statuses) <= {0, 200}
    lines = [json.loads(line) for line in log.splitlines()]
    (told,) = [line for line in lines if line.get("request_id") == "abc-2"]
    assert (told["method"], told["path"], told["status"]) == ("POST", "/predict", 200)
    assert [line["event"] for line in (lines[0], lines[-1])] == ["listening", "stopping"]


def test_listens_before_the_model_is_loaded(python: Path, trained: Path) -> None:
    running = Server(python, trained / "v1", MODEL_LOAD_SECONDS="1")
    try:
        running.until("/healthz", 200)
        assert running.ask("/readyz")[0] == 503
        status, answer, _ = running.ask("/predict", {"rows": [FLIGHT]})
        assert (status, answer["detail"]) == (503, "the model is still loading")
        running.until("/readyz", 200)
        assert running.ask("/predict", {"rows": [FLIGHT]})[0] == 200
    finally:
        running.stop()


def test_a_broken_model_is_never_ready_but_alive(python: Path, trained: Path) -> None:
    running = Server(python, trained / "v3-broken")
    try:
        running.until("/healthz", 200)
        end = time.monotonic() + 20
        while "can't be loaded" not in (said := running.ask("/readyz")[1])["detail"]:
            assert time.monotonic() < end, said
            time.sleep(0.1)
        assert running.ask("/predict", {"rows": [FLIGHT]})[0] == 503
        assert running.ask("/healthz")[0] == 200
        assert running.ask("/version")[1]["model_version"] == "v3"
    finally:
        running.stop()
