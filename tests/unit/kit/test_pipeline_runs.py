"""What a run made, told by both engines: the embedded one's API, and ML Metadata behind Kubeflow's pages.

Answers of ML Metadata are written here byte by byte, by the numbers of its own proto file. What they hold is what
drivers and launchers of Kubeflow Pipelines 2.17 write.
"""

from __future__ import annotations

import asyncio
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import project
from mlops_lab.checks import Lab
from mlops_lab.kit import metadata_store
from mlops_lab.kit.pipeline_runs import PAGES, Artifact, Step, progress, record
from mlops_lab.measure.pods.script import Output
from mlops_lab.measure.services.rest import RefusedRequest
from mlops_lab.platform.releases import RELEASES
from tests.made_up import Room, made_up_lab

ENDPOINT = "http://ml-pipeline.mlops-lab-pipelines:8888"


def number(value: int) -> bytes:
    """A varint."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def wired(*fields: tuple[int, Any]) -> bytes:
    """A message of the wire format: integers, floats, texts, and messages as bytes, by their fields' numbers."""
    made = b""
    for key, value in fields:
        if isinstance(value, float):
            made += number(key << 3 | 1) + struct.pack("<d", value)
        elif isinstance(value, int):
            made += number(key << 3) + number(value)
        else:
            content = value.encode() if isinstance(value, str) else value
            made += number(key << 3 | 2) + number(len(content)) + content
    return made


def told(place: int, **values: Any) -> list[tuple[int, bytes]]:
    """Custom properties as entries of the map in a field: int_value 1, double_value 2, string_value 3, struct 4."""
    kinds = {int: 1, float: 2, str: 3, bytes: 4}
    return [(place, wired((1, name), (2, wired((kinds[type(value)], value))))) for name, value in values.items()]


def execution(key: int, state: int, **properties: Any) -> tuple[int, bytes]:
    return 1, wired((1, key), (2, 3), (3, state), *told(5, **properties), (8, 1795800000000))


def task(key: int, state: int, name: str, shown: str = "", pod: str = "") -> tuple[int, bytes]:
    return execution(
        key, state, task_name=name, display_name=shown or name, parent_dag_id=1, **({"pod_name": pod} if pod else {})
    )


def event(kind: int, where: int, what: int, name: str) -> tuple[int, bytes]:
    return 1, wired((1, what), (2, where), (3, wired((1, wired((2, name))))), (4, kind))


def artifact(key: int, kind: int, name: str, uri: str, **metadata: Any) -> tuple[int, bytes]:
    metadata = {"display_name": name, "store_session_info": "{}"} | metadata
    return 1, wired((1, key), (2, kind), (3, uri), *told(5, **metadata), (6, 2))


def framed(message: bytes, status: int = 0) -> bytes:
    trailers = f"grpc-status: {status}\r\ngrpc-message: \r\n".encode()
    parts = ((0, message), (0x80, trailers)) if status == 0 else ((0x80, trailers),)
    return b"".join(bytes([kind]) + struct.pack(">I", len(content)) + content for kind, content in parts)


ROOT = "minio://mlpipeline/v2/artifacts/first-pipeline/run-7"
TYPES = wired(
    *(
        (1, wired((1, key), (2, name)))
        for key, name in ((4, "system.Dataset"), (5, "system.Model"), (6, "system.Metrics"), (7, "system.Artifact"))
    )
)
# Of a run whose prepare came from the cache, whose train ran under another name, and whose evaluate was killed.
ANSWERS: dict[str, list[bytes]] = {
    "GetContextByTypeAndName": [wired((1, wired((1, 12), (3, "run-7"))))],
    "GetExecutionsByContext": [
        wired(task(23, 2, "evaluate", pod="first-pipeline-x-33"), task(22, 3, "fit", "train", "first-pipeline-x-22"),
              (2, "more")),
        wired(execution(1, 2, display_name=""), task(21, 5, "prepare"), task(24, 6, "condition-1")),
    ],
    "GetEventsByExecutionIDs": [
        wired(event(4, 21, 101, "rows"), event(4, 21, 102, "executor-logs"), event(3, 22, 101, "rows"),
              event(4, 22, 103, "model"), event(3, 23, 103, "model"), event(4, 23, 104, "metrics"))
    ],
    "GetArtifactTypes": [TYPES],
    "GetArtifactsByID": [
        wired(
            artifact(101, 4, "rows", f"{ROOT}/prepare/ab/rows", rows=8300.0),
            artifact(103, 5, "model", "s3://elsewhere/model"),
            artifact(104, 6, "metrics", f"{ROOT}/evaluate/ab cd/metrics", auc=0.71, note="fit", curve=wired((1, b""))),
        )
    ],
}  # fmt: skip
LOG = (
    "I1126 10:00:05.1 1 launcher_v2.go:180] publishing\n"
    "Traceback (most recent call last):\nNameError: name 'pd' is not defined\n"
    'time="2026-11-26T10:00:06Z" level=info msg="sub-process exited" argo=true error="<nil>"\n'
)


class Kubeflow:
    """Kubeflow's API and pages under one address."""

    def __init__(self) -> None:
        self.answers = {method: [framed(each) for each in messages] for method, messages in ANSWERS.items()}
        self.failures: list[int] = []  # statuses of HTTP that come first
        self.asked: list[tuple[str, bytes]] = []
        self.log = LOG
        world = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                method = self.path.rpartition("/")[2]
                if self.path != f"/ml_metadata.MetadataStoreService/{method}" or not self.headers["X-Grpc-Web"]:
                    return self.answer(b"", 404)
                if world.failures:
                    return self.answer(b"Error occurred while trying to proxy", world.failures.pop(0))
                world.asked.append((method, body[5:]))
                known = world.answers[method]
                return self.answer(known.pop(0) if len(known) > 1 else known[0])

            def do_GET(self) -> None:
                pod = "/apis/v1alpha1/runs/run-7/nodes/first-pipeline-x-33/log"
                self.answer(world.log.encode() if self.path == pod else b"", 200 if self.path == pod else 404)

            def answer(self, content: bytes, status: int = 200) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def kubeflow() -> Iterator[Kubeflow]:
    found = Kubeflow()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata_store, "PATIENCE", 1.0)


def test_a_run_as_ml_metadata_has_it(kubeflow: Kubeflow) -> None:
    found = metadata_store.record(kubeflow.url, kubeflow.url, "run-7")
    assert [(each["name"], each["state"], each["cached"]) for each in found["steps"]] == [
        ("prepare", "SUCCEEDED", True), ("train", "SUCCEEDED", False), ("evaluate", "RUNNING", False),
        ("condition-1", "SKIPPED", False),
    ]  # fmt: skip
    assert [each["outputs"] for each in found["steps"]] == [{"rows": ["101"]}, {"model": ["103"]},
                                                           {"metrics": ["104"]}, {}]  # fmt: skip
    assert [each["inputs"] for each in found["steps"]] == [{}, {"rows": ["101"]}, {"model": ["103"]}, {}]
    assert {key: (each["name"], each["type"]) for key, each in found["artifacts"].items()} == {
        "101": ("rows", "system.Dataset"), "103": ("model", "system.Model"), "104": ("metrics", "system.Metrics"),
    }  # fmt: skip
    metrics = found["artifacts"]["104"]
    assert (metrics["metadata"]["auc"], metrics["metadata"]["note"]) == (0.71, "fit")
    assert "curve" not in metrics["metadata"]


def test_what_is_asked_of_ml_metadata(kubeflow: Kubeflow) -> None:
    metadata_store.record(kubeflow.url, kubeflow.url, "run-7")
    options = (2, wired((1, 100)))
    assert kubeflow.asked == [
        ("GetContextByTypeAndName", wired((1, "system.PipelineRun"), (2, "run-7"))),
        ("GetExecutionsByContext", wired((1, 12), options)),
        ("GetExecutionsByContext", wired((1, 12), (2, wired((1, 100), (3, "more"))))),
        ("GetEventsByExecutionIDs", wired((1, 21), (1, 22), (1, 23), (1, 24))),
        ("GetArtifactTypes", b""),
        ("GetArtifactsByID", wired((1, 101), (1, 103), (1, 104))),
    ]


def test_where_content_is_had(kubeflow: Kubeflow) -> None:
    found = metadata_store.record(kubeflow.url, kubeflow.url, "run-7")["artifacts"]
    place = "artifacts/minio/mlpipeline/v2/artifacts/first-pipeline/run-7"
    assert found["101"]["url"] == f"{kubeflow.url}/{place}/prepare/ab/rows"
    assert found["104"]["url"] == f"{kubeflow.url}/{place}/evaluate/ab%20cd/metrics"
    assert found["103"]["url"] == ""  # in a store that is not the engine's


def test_a_step_that_did_not_end_has_what_it_printed(kubeflow: Kubeflow) -> None:
    *_, evaluate, _ = metadata_store.record(kubeflow.url, kubeflow.url, "run-7")["steps"]
    assert evaluate["log"] == ["Traceback (most recent call last):", "NameError: name 'pd' is not defined"]
    assert evaluate["error"] == metadata_store.CUT_OFF


def test_a_log_that_is_gone_is_no_log(kubeflow: Kubeflow) -> None:
    kubeflow.log = '{"error_message":"Failed to read logs for run run-7","error_details":"..."}'
    assert metadata_store.record(kubeflow.url, kubeflow.url, "run-7")["steps"][2]["log"] == []
    assert metadata_store.log(kubeflow.url, "another", "pod") == []


@pytest.mark.parametrize("context", [framed(b""), framed(b"", status=5)], ids=["nothing", "not found"])
def test_a_run_that_no_driver_has_begun_has_nothing(kubeflow: Kubeflow, context: bytes) -> None:
    kubeflow.answers["GetContextByTypeAndName"] = [context]
    assert metadata_store.record(kubeflow.url, kubeflow.url, "run-7") == {"steps": [], "artifacts": {}}


def test_a_server_that_is_not_ready_is_asked_again(kubeflow: Kubeflow) -> None:
    kubeflow.failures = [504]
    kubeflow.answers["GetArtifactTypes"].insert(0, framed(b"", status=14))
    assert len(metadata_store.record(kubeflow.url, kubeflow.url, "run-7")["steps"]) == 4


@pytest.mark.parametrize("answer", [framed(b"", status=13), b"", framed(TYPES)[:20], framed(TYPES)[:-9]],
                         ids=["refused", "empty", "cut", "cut in its trailers"])  # fmt: skip
def test_an_answer_without_a_good_end_is_an_error(
    kubeflow: Kubeflow, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata_store, "PATIENCE", 0.0)
    kubeflow.answers["GetArtifactTypes"] = [answer]
    with pytest.raises(OSError, match=r"GetArtifactTypes: |cut off"):
        metadata_store.record(kubeflow.url, kubeflow.url, "run-7")


# Both engines, as labs ask them.


def row(name: str, state: str, **more: Any) -> dict[str, Any]:
    known = {"run_id": "run-7", "task_id": f"task-{name}", "display_name": name, "state": state, "kind": "pod"}
    return known | more


EMBEDDED = {
    "state": "FAILED", "error": {"code": 13, "message": "evaluate failed\nwith more"},
    "run_details": {"task_details": [
        row("prepare", "SUCCEEDED", cached=True, outputs={"rows": {"artifact_ids": ["101"]}}),
        row("train", "SUCCEEDED", cached=False, inputs={"rows": {"artifact_ids": ["101"]}},
            outputs={"model": {"artifact_ids": ["103"]}}, pod_name="train-1"),
        row("evaluate", "FAILED", cached=False, inputs={"model": {"artifact_ids": ["103"]}}, pod_name="evaluate-1",
            error={"code": 13, "message": "exit code 1"}),
    ]},
}  # fmt: skip
MADE = {"artifacts": [
    {"artifact_id": "101", "name": "rows", "type": "system.Dataset", "uri": "store://rows", "metadata": {"rows": 8300}},
    {"artifact_id": "103", "name": "model", "type": "system.Model", "uri": "store://model"},
]}  # fmt: skip
# As the real API lists a run that has ended: the end before its tasks' states, rows without name and state (the
# cache's), the rows of drivers and pods around steps, whole seconds, 1970 for what is to come.
LATER = {
    "create_time": "2026-11-26T10:00:00Z",
    "start_time": "2026-11-26T10:00:01Z",
    "end_time": "1970-01-01T00:00:00Z",
}
REAL = {
    "state": "FAILED", "finished_at": "2026-11-26T10:01:15Z",
    "run_details": {"task_details": [
        {"run_id": "run-7", "task_id": "a", "create_time": "2026-11-26T10:00:30Z", "execution_id": "21"},
        *({"run_id": "run-7", "task_id": name, "display_name": name, "state": state, **LATER} for name, state in (
            ("first-pipeline-x", "FAILED"), ("root-driver", "SUCCEEDED"), ("root", "RUNNING"),
            ("prepare-driver", "SUCCEEDED"), ("prepare", "SUCCEEDED"), ("executor", "SKIPPED"),
            ("fit", "RUNNING"), ("fit-driver(0)", "SUCCEEDED"))),
    ]},
}  # fmt: skip


class Engine(Room):
    """The lab's runs."""

    def __init__(self, run: dict[str, Any], made: dict[str, Any] | int) -> None:
        self.answer, self.made = run, made

    async def run(self, run_id: str) -> dict[str, Any]:
        return self.answer

    async def ask(self, method: str, path: str) -> dict[str, Any]:
        assert (method, path) == ("GET", "runs/run-7/artifacts")
        if isinstance(self.made, int):
            raise RefusedRequest("no such address", self.made, "Not Found")
        return self.made

    async def log(self, run_id: str, task_id: str) -> str:
        assert task_id == "task-evaluate"
        return "\n".join(f"line {each}" for each in range(20)) + "\n\n"


class Programs(Room):
    """Runs what would run in a pod, against what is here."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.env: dict[str, str] = {}

    async def run(
        self, image: str, *words: str, files: Mapping[str, str], env: Mapping[str, str], within: float
    ) -> Output:
        assert (image, words) == ("components:1", ("python3", "/checker/metadata_store.py"))
        self.env = dict(env)
        here = {"KFP_RUN": env["KFP_RUN"], "KFP_PAGES": self.url, "KFP_ENDPOINT": self.url}
        done = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-I", "-c", files["metadata_store.py"]], env=here, capture_output=True,
            text=True, timeout=60,
        )  # fmt: skip
        return Output(done.returncode, done.stdout + done.stderr)


def a_lab(run: dict[str, Any], made: dict[str, Any] | int, programs: Any = None) -> Lab:
    platform = SimpleNamespace(settings={"KFP_ENDPOINT": ENDPOINT}, pipelines=Engine(run, made))
    return made_up_lab("08", platform=platform, programs=programs or Room())


def test_a_run_as_the_embedded_engine_has_it() -> None:
    found = asyncio.run(record(a_lab(EMBEDDED, MADE), "run-7"))
    assert found.steps["prepare"] == Step("prepare", "SUCCEEDED", True, {}, {"rows": ["101"]})
    assert found.steps["train"] == Step("train", "SUCCEEDED", False, {"rows": ["101"]}, {"model": ["103"]})
    url = f"{ENDPOINT}/apis/v2beta1/artifacts/101/content"
    assert found.artifacts["101"] == Artifact("rows", "system.Dataset", url, {"rows": 8300})
    assert found.artifacts["103"].metadata == {}
    assert found.failure == ["evaluate: exit code 1", *[f"line {each}" for each in range(12, 20)]]
    warned = asyncio.run(record(a_lab(EMBEDDED | {"warnings": ["Kubeflow Pipelines would refuse it"]}, MADE), "run-7"))
    assert warned.failure[-1] == "a warning: Kubeflow Pipelines would refuse it"


def test_a_run_of_kubeflows_is_told_by_ml_metadata(kubeflow: Kubeflow) -> None:
    programs = Programs(kubeflow.url)
    found = asyncio.run(record(a_lab(REAL, 404, programs), "run-7"))
    assert programs.env["KFP_PAGES"] == f"http://{PAGES}.mlops-lab-pipelines"
    assert found.steps["prepare"] == Step("prepare", "SUCCEEDED", True, {}, {"rows": ["101"]}, "", [])
    assert found.steps["train"] == Step("train", "SUCCEEDED", False, {"rows": ["101"]}, {"model": ["103"]}, "", [])
    assert found.artifacts["101"].type == "system.Dataset" and found.artifacts["101"].metadata["rows"] == 8300
    assert found.failure == [f"evaluate: {metadata_store.CUT_OFF}", "Traceback (most recent call last):",
                             "NameError: name 'pd' is not defined"]  # fmt: skip


def test_an_engine_that_does_not_answer_is_no_fault_of_the_learners(kubeflow: Kubeflow) -> None:
    with pytest.raises(LabError):
        asyncio.run(record(a_lab(REAL, 500), "run-7"))
    kubeflow.server.shutdown()
    kubeflow.server.server_close()
    source = Path(metadata_store.__file__).read_text().replace("PATIENCE = 20.0, 30.0", "PATIENCE = 1.0, 0.0")
    assert source.count("PATIENCE = 1.0, 0.0") == 1
    programs = Programs(kubeflow.url)
    given = programs.run

    async def hurriedly(*words: str, files: Mapping[str, str], **more: Any) -> Output:
        return await given(*words, files={"metadata_store.py": source}, **more)

    programs.run = hurriedly  # type: ignore[method-assign]
    with pytest.raises(LabError, match="own program ended with 1"):
        asyncio.run(record(a_lab(REAL, 404, programs), "run-7"))


def test_a_run_in_words() -> None:
    assert progress(EMBEDDED) == "FAILED (prepare succeeded, train succeeded, evaluate failed): evaluate failed"
    assert progress(REAL) == "FAILED (first-pipeline-x failed, prepare succeeded, fit running)"
    assert progress({"run_details": None}) == "PENDING (no step yet)"


def test_a_run_that_has_ended_in_words_is_what_it_left() -> None:
    left = asyncio.run(record(a_lab(EMBEDDED, MADE), "run-7"))
    assert progress(REAL, left) == "FAILED (prepare succeeded, train succeeded, evaluate failed)"


def test_steps_may_be_called_as_kubeflows_rows_are() -> None:
    run = {
        "state": "RUNNING",
        "run_details": {"task_details": [row("executor", "RUNNING"), row("my-driver", "FAILED")]},
    }
    assert progress(run) == "RUNNING (executor running, my-driver failed)"


def test_the_pages_are_where_the_chart_has_them() -> None:
    engines = [engine for release in RELEASES if release.part == "pipelines" for engine in release.engines]
    assert (PAGES, 80) in [(page.service, page.port) for engine in engines for page in engine.pages]
    configured = (project() / "charts/pipelines/templates/runner/configmap-launcher.yaml").read_text()
    assert "defaultPipelineRoot: minio://mlpipeline/" in configured


def test_the_program_is_one_file_of_the_images_packages() -> None:
    assert "mlops_lab" not in Path(metadata_store.__file__).read_text()
    assert "protobuf==" in (project() / "images/components/requirements.lock").read_text()
