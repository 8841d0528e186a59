"""The platform's services: JSON over a port forward that may break, MLflow's and KFP's objects, a lab's own things."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mlops_lab.base.errors import Failure, LabError
from mlops_lab.checks.rooms.work import Work
from mlops_lab.cluster import port_forward
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.kube.client import Kube
from mlops_lab.labs import parts
from mlops_lab.measure.cluster import environment
from mlops_lab.measure.pods import script
from mlops_lab.measure.services.pipelines import Pipelines, package, tasks
from mlops_lab.measure.services.port_forwards import PortForwards
from mlops_lab.measure.services.rest import RefusedRequest, Rest
from mlops_lab.measure.services.tracking import Tracking


class Service:
    """A server that answers as told: `answers["GET /path"] = (status, body)`; what it was asked is kept."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.asked: list[tuple[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.asked.append((f"{self.command} {self.path}", json.loads(body) if body else None))
                path = self.path.partition("?")[0]
                status, said = outer.answers.get(f"{self.command} {path}", (404, {"error_code": "NOT_FOUND"}))
                text = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_DELETE = _answer

            def log_message(self, format: str, *args: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


class MadeUpForwards:
    """Says the addresses in turn; `lost` goes on to the next."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.kube = type("Timeout", (), {"timeout": 2.0})()

    def address(self, page: str) -> str:
        return self.addresses[0]

    def lost(self, page: str, address: str = "") -> None:
        assert address == self.addresses[0]
        if len(self.addresses) > 1:
            self.addresses.pop(0)


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.server.shutdown()
    made.server.server_close()


def forwards(*addresses: str) -> PortForwards:
    return cast(PortForwards, MadeUpForwards(*addresses))


NOWHERE = "http://127.0.0.1:9"


def test_a_way_that_broke_is_made_anew_whatever_is_asked(service: Service) -> None:
    service.answers["POST /a/b"] = (200, {"x": 1})
    assert Rest(forwards(NOWHERE, service.url), "mlflow", "/a").ask("POST", "b", {"y": 2}) == {"x": 1}
    assert service.asked == [("POST /a/b", {"y": 2})]


def test_a_port_of_this_machine_is_asked_without_the_users_proxy(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, NOWHERE)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    service.answers["GET /a"] = (200, {"x": 1})
    assert Rest(forwards(service.url), "mlflow").ask("GET", "a") == {"x": 1}


def test_nobody_there_is_the_environments_fault() -> None:
    with pytest.raises(LabError, match="mlflow does not answer") as caught:
        Rest(forwards(NOWHERE, NOWHERE), "mlflow").ask("GET", "x")
    assert caught.value.transient  # it may be about to start again


@pytest.mark.parametrize(
    ("program", "said"),
    [("sleep 9", "took 1 s and said nothing"), ("exit 1", "ended and said nothing"), ("echo no pod", "no pod")],
)
def test_a_port_forward_that_is_not_made_says_what_kubectl_did(program: str, said: str) -> None:
    def start(*_: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["sh", "-c", program], stdout=subprocess.PIPE)

    kubectl = cast(Kubectl, SimpleNamespace(start=start))
    with (
        pytest.raises(port_forward.ForwardFailed) as failed,
        port_forward.forwarding(kubectl, "a", "b", 1, 0, within=1),
    ):
        pass
    assert failed.value.message == f"b can't be reached: {'' if said == 'no pod' else 'kubectl port-forward '}{said}"
    assert ("too busy" in failed.value.hint) == (said != "no pod")


def test_a_port_forward_that_another_thread_made_anew_stays_and_none_is_left_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[int] = []

    @contextlib.contextmanager
    def forwarding(*_: Any) -> Iterator[tuple[Any, int]]:
        made.append(len(made) + 1)
        port = made[-1]
        yield SimpleNamespace(poll=lambda: None), port
        ended.append(port)

    made: list[int] = []
    monkeypatch.setattr(port_forward, "forwarding", forwarding)
    found = PortForwards(cast(Kube, SimpleNamespace(context="c", kubeconfig="k", timeout=1, version=lambda: "v1")))
    first = found.address("mlflow")
    found.lost("mlflow", first)
    second = found.address("mlflow")
    found.lost("mlflow", first)  # a second thread that was asking by the first port forward
    assert (found.address("mlflow"), made, ended) == (second, [1, 2], [1])
    found.close()
    assert ended == [1, 2]
    found.address("mlflow")  # who was interrupted puts back what it changed
    assert (made, ended) == ([1, 2, 3], [1, 2])
    del found
    assert ended == [1, 2, 3]


def test_a_kubectl_that_an_outage_holds_up_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kubectl").write_text("#!/bin/sh\nexec sleep 30\n")
    (tmp_path / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    kube = SimpleNamespace(context="c", kubeconfig="k", timeout=0.3, version=lambda: "v1")
    began = time.monotonic()
    with pytest.raises(LabError, match="can't be reached: kubectl port-forward took 1 s and said nothing"):
        PortForwards(cast(Kube, kube)).address("mlflow")
    assert time.monotonic() - began < 10


def test_an_error_status_carries_what_was_said(service: Service) -> None:
    service.answers["GET /x"] = (403, {"message": "not you"})
    with pytest.raises(RefusedRequest, match="status 403") as caught:
        Rest(forwards(service.url), "mlflow").ask("GET", "x")
    assert caught.value.status == 403 and not caught.value.transient
    assert "not you" in caught.value.body


def test_what_is_no_json_is_named(service: Service) -> None:
    service.answers["GET /x"] = (200, b"<html>")
    with pytest.raises(LabError, match="did not answer with JSON"):
        Rest(forwards(service.url), "mlflow").ask("GET", "x")


def test_an_experiment_that_is_deleted_or_not_there_is_none(service: Service) -> None:
    mlflow, path = Tracking(forwards(service.url)), "GET /api/2.0/mlflow/experiments/get-by-name"
    assert mlflow.experiment("lab-01") is None
    assert mlflow.runs("lab-01") == []
    service.answers[path] = (200, {"experiment": {"experiment_id": "3", "lifecycle_stage": "deleted"}})
    assert mlflow.experiment("lab-01") is None
    service.answers[path] = (200, {"experiment": {"experiment_id": "3", "lifecycle_stage": "active"}})
    found = [{"data": {"metrics": [{"key": "auc", "value": 0.7}]}}]
    service.answers["POST /api/2.0/mlflow/runs/search"] = (200, {"runs": found})
    assert mlflow.runs("lab-01") == found
    assert service.asked[-1][1]["experiment_ids"] == ["3"]


def test_an_alias_that_nobody_set_is_none_and_other_refusals_are_not(service: Service) -> None:
    mlflow, path = Tracking(forwards(service.url)), "GET /api/2.0/mlflow/registered-models/alias"
    service.answers[path] = (400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "Registered model alias x"})
    assert mlflow.by_alias("lab-09", "production") is None
    service.answers[path] = (500, {"error_code": "INTERNAL_ERROR"})
    with pytest.raises(RefusedRequest):
        mlflow.by_alias("lab-09", "production")


def test_a_removed_experiment_frees_its_name(service: Service) -> None:
    for path in ("experiments/update", "experiments/delete"):
        service.answers[f"POST /api/2.0/mlflow/{path}"] = (200, {})
    service.answers["GET /api/2.0/mlflow/experiments/get-by-name"] = (
        200, {"experiment": {"experiment_id": "3", "lifecycle_stage": "active"}},
    )  # fmt: skip
    Tracking(forwards(service.url)).remove("experiment", "lab-01")
    assert service.asked[1][1] == {"experiment_id": "3", "new_name": "removed/3/lab-01"}
    assert service.asked[2] == ("POST /api/2.0/mlflow/experiments/delete", {"experiment_id": "3"})


def test_a_run_is_started_in_its_experiment_and_removed_when_it_has_ended(service: Service) -> None:
    base = "/apis/v2beta1"
    service.answers |= {
        f"GET {base}/experiments": (200, {"experiments": []}),
        f"POST {base}/experiments": (200, {"experiment_id": "e"}),
        f"POST {base}/runs": (200, {"run_id": "r"}),
        f"GET {base}/runs/r": (200, {"state": "RUNNING"}),
        f"POST {base}/runs/r:terminate": (200, {}),
        f"DELETE {base}/runs/r": (200, b""),
    }
    pipelines = Pipelines(forwards(service.url))
    assert pipelines.start({"root": {}}, {"days": 3}, experiment="lab-08") == "r"
    started = dict(service.asked)[f"POST {base}/runs"]
    assert (started["experiment_id"], started["runtime_config"]) == ("e", {"parameters": {"days": 3}})
    pipelines.remove("runs", "r")
    assert [line for line, _ in service.asked][-2:] == [f"POST {base}/runs/r:terminate", f"DELETE {base}/runs/r"]


def test_a_pipeline_is_removed_with_its_versions(service: Service) -> None:
    service.answers["DELETE /apis/v2beta1/pipelines/p"] = (200, b"")
    Pipelines(forwards(service.url)).remove("pipelines", "p")
    assert service.asked == [("DELETE /apis/v2beta1/pipelines/p?cascade=true", None)]


@pytest.mark.parametrize("there", [True, False])
def test_an_experiment_that_another_made_meanwhile_is_taken(
    service: Service, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    pipelines, theirs = Pipelines(forwards(service.url)), {"experiment_id": "e", "display_name": "lab-08"}
    lists = iter([[], [theirs] if there else []])
    monkeypatch.setattr(pipelines, "all", lambda kind: next(lists))
    service.answers["POST /apis/v2beta1/experiments"] = (409, {"message": "already exists"})
    with contextlib.nullcontext() if there else pytest.raises(RefusedRequest, match="already exists"):
        assert pipelines.experiment("lab-08") == theirs


def test_every_page_of_a_collection_is_read_and_runs_are_named_by_their_experiment(service: Service) -> None:
    base = "/apis/v2beta1"
    service.answers |= {
        f"GET {base}/experiments": (200, {"experiments": [{"experiment_id": "e", "display_name": "lab-08"}]}),
        f"GET {base}/runs": (200, {"runs": [{"run_id": "r", "experiment_id": "e", "display_name": "first"}]}),
        f"GET {base}/recurringruns": (200, {}),
        f"GET {base}/pipelines": (200, {"pipelines": [{"pipeline_id": "p", "display_name": "lab-08-train"}]}),
    }
    assert Pipelines(forwards(service.url)).names() == [
        ("runs", "r", "lab-08/first"), ("pipelines", "p", "lab-08-train"), ("experiments", "e", "lab-08"),
    ]  # fmt: skip


def test_tasks_by_their_name() -> None:
    run = {"run_details": {"task_details": [{"display_name": "train", "state": "SUCCEEDED"}]}}
    assert tasks(run)["train"]["state"] == "SUCCEEDED"
    assert tasks({}) == {}


@pytest.mark.parametrize(
    ("name", "owned"),
    [
        ("experiment lab-08", True), ("lab-08/first", True), ("model lab-08-b", True), ("lab-08", True),
        ("experiment verify-lab-08", False), ("lab-081", False), ("lab-09", False), ("my lab-08x", False),
    ],
)  # fmt: skip
def test_what_bears_the_namespaces_name(name: str, owned: bool) -> None:
    assert parts.owned(name, "lab-08") is owned


def test_settings_name_what_clients_read_and_only_for_what_is_needed() -> None:
    assert parts.settings("lab-01", ["cluster"]) == {"LAB_NAMESPACE": "lab-01"}
    found = parts.settings("lab-01", ["cluster", "tracking", "pipelines", "monitoring"])
    assert found["MLFLOW_TRACKING_URI"] == "http://mlflow.mlops-lab-tracking:5000"
    assert found["MLFLOW_EXPERIMENT_NAME"] == found["MODEL_NAME"] == found["KFP_EXPERIMENT"] == "lab-01"
    assert found["KFP_ENDPOINT"] == "http://ml-pipeline.mlops-lab-pipelines:8888"
    assert found["PROMETHEUS_URL"] == "http://prometheus.mlops-lab-monitoring:9090"


class Cluster:
    """Lists and finds what it was given; a pod's wait gives it as it is."""

    def __init__(self, **objects: list[dict[str, Any]]) -> None:
        self.objects = objects
        self.deleted: list[str] = []
        self.applied: list[dict[str, Any]] = []
        self.phase: dict[str, Any] | None = None
        self.timeout = 1.0

    def list(self, kind: str, namespace: str | None = None, selector: str = "") -> list[dict[str, Any]]:
        found = self.objects.get(kind, [])
        return [item for item in found if namespace in (None, item["metadata"].get("namespace"))]

    def find(self, kind: str, name: str, *_: Any, **__: Any) -> dict[str, Any] | None:
        return next((item for item in self.objects.get(kind, []) if item["metadata"]["name"] == name), None)

    def apply(self, objects: list[dict[str, Any]]) -> None:
        self.applied += objects

    def wait(self, *_: Any, **__: Any) -> tuple[bool | None, dict[str, Any] | None]:
        return (True if self.phase and "terminated" in str(self.phase) else None), self.phase

    def logs(self, *_: Any, **__: Any) -> str:
        return "0.7\n"

    def events(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        return []

    def delete(self, kind: str, *_: Any, **__: Any) -> None:
        self.deleted.append(kind)


@pytest.mark.parametrize(
    ("states", "asked", "raises"),
    [(["FAILED"], False, False), (["RUNNING", "SUCCEEDED"], True, False), (["RUNNING", "RUNNING"], True, True)],
)
def test_a_run_that_has_ended_is_not_ended_again(
    service: Service, monkeypatch: pytest.MonkeyPatch, states: list[str], asked: bool, raises: bool
) -> None:
    pipelines, turns = Pipelines(forwards(service.url)), iter(states)
    monkeypatch.setattr(pipelines, "run", lambda run: {"state": next(turns)})
    path = "POST /apis/v2beta1/runs/r:terminate"
    service.answers[path] = (400, {"message": "it cannot be ended"})
    with pytest.raises(RefusedRequest, match="cannot be ended") if raises else contextlib.nullcontext():
        pipelines.end("r")
    assert service.asked == ([(path, None)] if asked else [])


def test_a_part_that_is_missing_or_not_ready_is_a_problem_of_the_environment() -> None:
    deployment = {
        "kind": "Deployment",
        "metadata": {"name": "mlflow", "namespace": "mlops-lab-tracking"},
        "spec": {"replicas": 1},
        "status": {"availableReplicas": 1},
    }
    well = Cluster(Deployment=[deployment])
    assert environment.problems(cast(Kube, well), ["mlops-lab-tracking"]) == []
    assert "not installed" in environment.problems(cast(Kube, well), ["mlops-lab-pipelines"])[0]
    deployment["status"] = {}
    assert "0 of 1 pods" in environment.problems(cast(Kube, well), ["mlops-lab-tracking"])[0]


def test_a_lab_says_which_part_it_lacks() -> None:
    cluster = Cluster(Namespace=[{"metadata": {"name": "mlops-lab-tracking"}}])
    parts.require_installed(cast(Kube, cluster), "08", ["cluster", "tracking"])
    with pytest.raises(LabError, match="needs pipelines") as caught:
        parts.require_installed(cast(Kube, cluster), "08", ["tracking", "pipelines"])
    assert caught.value.hint == "install it: lab up --with pipelines"


def test_a_script_gives_its_code_and_output_and_leaves_nothing() -> None:
    cluster = Cluster()
    ended = {"containerStatuses": [{"state": {"terminated": {"exitCode": 3}}}], "phase": "Failed"}
    cluster.phase = {"metadata": {"name": "script-1"}, "status": ended}
    found = script.run_script(
        cast(Kube, cluster), "localhost:5001/components:1", ["python3", "/checker/a.py"],
        files={"a.py": "print(0.7)"}, env={"A": "b"}, within=5,
    )  # fmt: skip
    assert (found.code, found.text) == (3, "0.7\n")
    with pytest.raises(LabError, match="ended with 3"):
        found.json()
    assert cluster.deleted == ["Pod", "ConfigMap"]
    pod = cluster.applied[1]["spec"]
    assert (pod["automountServiceAccountToken"], pod["activeDeadlineSeconds"]) == (False, 5)


def test_a_script_that_does_not_end_is_the_environments_fault_and_leaves_nothing() -> None:
    cluster = Cluster()
    cluster.phase = {"metadata": {"name": "script-1"}, "status": {"phase": "Pending"}}
    with pytest.raises(LabError, match="did not end within 5 s"):
        script.run_script(cast(Kube, cluster), "image", ["true"], files={}, env={}, within=5)
    assert cluster.deleted == ["Pod", "ConfigMap"]


def test_a_scripts_last_line_is_its_answer() -> None:
    assert script.Output(0, 'a warning\n100%\r{"auc": 0.7}\n').json() == {"auc": 0.7}
    for text in ("", "{}\nKilled", "{}\n{x", "{}\n[1]"):
        with pytest.raises(LabError, match="ended with 0") as caught:
            script.Output(0, text).json()
        assert caught.value.detail == text


def test_a_compiled_pipeline_is_read_with_its_settings_for_kubernetes() -> None:
    assert package("pipelineInfo: {name: p}") == {"pipelineInfo": {"name": "p"}}
    both = package("pipelineInfo: {name: p}\n---\nplatforms: {}\n")
    assert both == {"pipeline_spec": {"pipelineInfo": {"name": "p"}}, "platform_spec": {"platforms": {}}}
    for text in ("", "a: b", "- 1", "{"):
        with pytest.raises(ValueError, match=r"it (is no YAML|has no pipelineInfo)"):
            package(text)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("deep: " + "[" * 5000 + "]" * 5000, "nested too deep"),
        ("day: 2020-01-01", "no form for: Object of type date"),
        ("some: !!set {a}", "no form for: Object of type set"),
        ("2020-01-01: 1", "no form for: keys must be"),
        ("own: &a {x: *a}", "aliases"),
        (
            "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9))]),
            "aliases",
        ),
        ("long: " + "x" * 1_000_001, "characters"),
    ],
)
def test_a_strange_pipeline_is_read_in_bounded_time(more: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        package(f"pipelineInfo: {{name: p}}\n{more}\n")


def test_aliases_that_stay_small_are_read() -> None:
    assert package("pipelineInfo: &a {name: p}\nroot: [*a, *a]")["root"] == [{"name": "p"}] * 2


def test_a_pipeline_that_never_ends_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipeline.yaml")
    work = Work(tmp_path, "lab-08", "localhost:5001", {})
    with pytest.raises(Failure, match=r"pipeline\.yaml is a named pipe"):
        work.pipeline("pipeline.yaml")


def test_a_pipeline_that_is_missing_or_none_is_the_learners(tmp_path: Path) -> None:
    work = Work(tmp_path, "lab-08", "localhost:5001", {})
    with pytest.raises(Failure, match="No such file"):
        work.pipeline("pipeline.yaml")
    (tmp_path / "pipeline.yaml").write_text("kind: Deployment")
    with pytest.raises(Failure, match="no pipelineInfo"):
        work.pipeline("pipeline.yaml")
    (tmp_path / "pipeline.yaml").write_text("pipelineInfo: {name: p}")
    assert work.pipeline("pipeline.yaml") == {"pipelineInfo": {"name": "p"}}


def test_what_a_task_printed_is_text_and_empty_for_one_that_never_began(service: Service) -> None:
    service.answers["GET /apis/v2beta1/runs/r/tasks/t/log"] = (200, b'NameError: name "pd"')
    pipelines = Pipelines(forwards(service.url))
    assert pipelines.log("r", "t") == 'NameError: name "pd"'
    assert pipelines.log("r", "other") == ""
    service.answers["GET /apis/v2beta1/runs/r/tasks/u/log"] = (503, {})
    with pytest.raises(RefusedRequest):
        pipelines.log("r", "u")


def test_artifacts_of_a_run_come_by_their_id(service: Service) -> None:
    service.answers["GET /apis/v2beta1/runs/r/artifacts"] = (200, {"artifacts": [{"artifact_id": "a", "name": "rows"}]})
    assert Pipelines(forwards(service.url)).artifacts("r") == {"a": {"artifact_id": "a", "name": "rows"}}
    with pytest.raises(LabError, match="does not tell what a run made"):
        Pipelines(forwards(service.url)).artifacts("other")


def test_what_a_program_writes_in_a_copy_of_the_workspace_is_gone_afterwards(tmp_path: Path) -> None:
    (tmp_path / "compile").write_text("#!/bin/sh\necho 'pipelineInfo: {name: p}' > pipeline.yaml\n")
    (tmp_path / "compile").chmod(0o755)
    work = Work(tmp_path, "lab-08", "localhost:5001", {})
    with work.copy() as copy:
        assert asyncio.run(copy.command("compile", within=10)).code == 0
        assert copy.pipeline("pipeline.yaml") == {"pipelineInfo": {"name": "p"}}
    assert [path.name for path in tmp_path.iterdir()] == ["compile"]
    assert not copy.folder.exists()
