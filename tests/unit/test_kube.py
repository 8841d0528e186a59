"""What the API server's refusals become, and the kubeconfig that a learner's commands get."""

from __future__ import annotations

import base64
import http.server
import json
import os
import socket
import threading
import time
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.exceptions import DynamicApiError, api_exception
from urllib3.exceptions import ReadTimeoutError

from mlops_lab.kube.client import Kube
from mlops_lab.kube.connection import connect
from mlops_lab.kube.errors import NotFound, Refused, Unreachable, translated
from mlops_lab.kube.kubeconfig import for_namespace
from mlops_lab.measure.pods.evidence import pod_state


def refusal(status: int, message: str) -> ApiException:
    error = ApiException(status=status, reason="reason")
    error.body = json.dumps({"message": message})
    return error


@pytest.mark.parametrize(("status", "kind"), [(404, NotFound), (403, Refused), (422, Refused), (503, Unreachable)])
def test_an_answer_of_the_api_keeps_its_reason_and_the_objects_name(status: int, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r"Deployment model: it says no"), translated("Deployment model"):
        raise refusal(status, "it says no")


def test_silence_is_the_environments_fault() -> None:
    with pytest.raises(Unreachable, match="the API server does not answer"), translated("Pod a"):
        raise ReadTimeoutError(cast(Any, None), "/", "timed out")


@pytest.mark.parametrize(("status", "passing"), [(403, False), (422, False), (429, True), (500, True), (503, True)])
def test_an_api_server_that_has_trouble_of_its_own_may_be_asked_again(status: int, passing: bool) -> None:
    with pytest.raises((Refused, Unreachable)) as caught, translated("the metric of pods"):
        raise refusal(status, "unable to fetch metrics")
    assert caught.value.transient is passing


def test_the_learners_failures_pass_through_untouched() -> None:
    with pytest.raises(ZeroDivisionError), translated("Pod a"):
        raise ZeroDivisionError


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="there is no kubeconfig at") as caught:
        connect(kubeconfig=tmp_path / "none")
    assert "lab up" in caught.value.hint


KUBECONFIG = {
    "clusters": [{"name": "one", "cluster": {"server": "https://127.0.0.1:1"}}, {"name": "two", "cluster": {}}],
    "users": [{"name": "me", "user": {"token": "t"}}, {"name": "you", "user": {}}],
    "contexts": [
        {"name": "kind-one", "context": {"cluster": "one", "user": "me"}},
        {"name": "other", "context": {"cluster": "two", "user": "you"}},
    ],
    "current-context": "other",
}


def kube(tmp_path: Path, context: str) -> Kube:
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(KUBECONFIG))
    return cast(Kube, SimpleNamespace(kubeconfig=file, context=context))


def test_a_learners_kubeconfig_holds_one_context_and_its_namespace(tmp_path: Path) -> None:
    made = yaml.safe_load(for_namespace(kube(tmp_path, "kind-one"), "lab-10"))
    assert made["current-context"] == "kind-one"
    assert [each["context"] for each in made["contexts"]] == [{"cluster": "one", "user": "me", "namespace": "lab-10"}]
    assert [each["name"] for each in made["clusters"] + made["users"]] == ["one", "me"]


def test_a_context_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="no whole context gone"):
        for_namespace(kube(tmp_path, "gone"), "lab-10")


def test_a_learners_kubeconfig_is_made_of_all_files_of_the_users_and_stands_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ca.crt").write_text("certificate")
    cluster = {"name": "far", "cluster": {"server": "https://127.0.0.1:2", "certificate-authority": "ca.crt"}}
    context = {"name": "shared", "context": {"cluster": "far", "user": "me"}}
    (tmp_path / "second").write_text(
        yaml.safe_dump({"kind": "Config", "apiVersion": "v1", "clusters": [cluster], "contexts": [context]})
    )
    kube(tmp_path, "kind-one")  # writes the first file, which has the user
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'config'}{os.pathsep}{tmp_path / 'second'}")
    found = connect("shared")
    assert found.kubeconfig is None
    made = yaml.safe_load(for_namespace(found, "lab-10"))
    assert [each["name"] for each in made["contexts"]] == ["shared"]
    assert made["contexts"][0]["context"]["namespace"] == "lab-10"
    assert made["users"] == [{"name": "me", "user": {"token": "t"}}]
    assert base64.b64decode(made["clusters"][0]["cluster"]["certificate-authority-data"]) == b"certificate"


def test_a_pods_state_reads_as_kubectl_shows_it() -> None:
    crashed = {
        "metadata": {},
        "status": {
            "phase": "Running",
            "containerStatuses": [
                {
                    "ready": False,
                    "restartCount": 3,
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                    "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
                }
            ],
        },
    }
    assert pod_state(crashed) == "CrashLoopBackOff, last exit code 137 (OOMKilled), 3 restarts"
    assert pod_state({"metadata": {"deletionTimestamp": "now"}}) == "Terminating"
    ready = {"metadata": {}, "status": {"phase": "Running", "containerStatuses": [{"ready": True}]}}
    assert pod_state(ready) == "Running, ready"


class MadeUpApi:
    """Answers as the API server does, for one kind."""

    def __init__(self, **objects: dict[str, Any]) -> None:
        self.objects = objects
        self.events: list[list[dict[str, Any]]] = []  # of one watch after the other
        self.resources = SimpleNamespace(get=lambda **wanted: self)

    def get(self, *, serialize: bool, name: str = "", **where: Any) -> Any:
        assert not serialize
        whole = {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}}
        found = self.objects.get(name) if name else {**whole, "items": list(self.objects.values()) or None}
        return SimpleNamespace(data=json.dumps(found).encode())

    def watch(self, *, resource_version: str, timeout: int, **where: Any) -> Any:
        assert resource_version == "7" and timeout >= 1
        yield from self.events.pop(0) if self.events else []


def event(kind: str, name: str, phase: str = "") -> dict[str, Any]:
    return {"type": kind, "raw_object": {"metadata": {"name": name}, "status": {"phase": phase}}}


def connected(api: MadeUpApi) -> Kube:
    kube = Kube(None, "context", Path("config"), Path("discovery"))
    kube._dynamic = api
    return kube


def test_objects_of_a_list_say_their_kind_as_single_ones_do() -> None:
    pod = {"metadata": {"name": "a"}, "spec": {"items": ["1"]}}
    kube = connected(MadeUpApi(a={"kind": "Pod", "apiVersion": "v1", **pod}))
    assert kube.get("Pod", "a") == kube.list("Pod")[0]
    assert connected(MadeUpApi(a=pod)).list("Pod") == [{"kind": "Pod", "apiVersion": "v1", **pod}]
    assert connected(MadeUpApi()).list("Pod") == []


def test_all_objects_are_watched_together_until_they_are_as_wanted() -> None:
    api = MadeUpApi(a={"metadata": {"name": "a"}, "status": {"phase": "Pending"}})
    gone = {"type": "ERROR", "raw_object": {"code": 410}}
    api.events = [
        [event("ADDED", "b", "Running"), gone],  # begins again with what is there
        [event("MODIFIED", "a", "Running"), event("ADDED", "c", "Pending"), event("DELETED", "c")],
    ]
    looks: list[dict[str, str]] = []

    def both_run(pods: list[dict[str, Any]]) -> str | None:
        looks.append({pod["metadata"]["name"]: pod["status"]["phase"] for pod in pods})
        return "done" if len(looks) > 3 and looks[-1] == {"a": "Running"} else None

    done, seen = connected(api).wait_all("Pod", "lab-04", both_run, within=30)
    assert done == "done"
    assert [pod["metadata"]["name"] for pod in seen] == ["a"]
    assert looks == [
        {"a": "Pending"},
        {"a": "Pending", "b": "Running"},
        {"a": "Pending"},
        {"a": "Running"},
    ]


class ExpiredApi(MadeUpApi):
    """Refuses the first watches with 410 Gone, as the API server does for a version that it no longer keeps."""

    def __init__(self, error: type[Exception], **objects: dict[str, Any]) -> None:
        super().__init__(**objects)
        self.error = error
        self.refused = 0

    def watch(self, **where: Any) -> Any:
        if self.refused < 2:
            self.refused += 1
            answer = ApiException(status=410, reason="Expired: too old resource version: 7 (9)")
            answer.body = json.dumps({"message": answer.reason})
            raise api_exception(answer) if self.error is DynamicApiError else answer
        yield from super().watch(**where)


@pytest.mark.parametrize("error", [ApiException, DynamicApiError])
def test_a_watch_from_a_version_no_longer_kept_begins_again(error: type[Exception]) -> None:
    pod = {"metadata": {"name": "a", "resourceVersion": "7"}, "status": {"phase": "Pending"}}
    runs = {"type": "MODIFIED", "raw_object": {**pod, "status": {"phase": "Running"}}}

    def running(item: dict[str, Any] | None) -> str | None:
        return "runs" if item and item["status"]["phase"] == "Running" else None

    def one_runs(items: list[dict[str, Any]]) -> str | None:
        return running(items[0])

    api = ExpiredApi(error, a=pod)
    api.events = [[runs]]
    assert connected(api).wait("Pod", "a", "lab-04", running, within=30) == ("runs", runs["raw_object"])
    api = ExpiredApi(error, a=pod)
    api.events = [[runs]]
    assert connected(api).wait_all("Pod", "lab-04", one_runs, within=30)[0] == "runs"
    api = ExpiredApi(error, a=pod)
    api.events = [[runs]]
    seen = connected(api).watch("Pod", "lab-04", within=30)
    assert [next(seen)[1]["status"]["phase"] for _ in range(4)] == ["Pending"] * 3 + ["Running"]
    assert api.refused == 2


def test_a_watch_that_is_refused_otherwise_says_so() -> None:
    api = ExpiredApi(ApiException, a={"metadata": {"name": "a", "resourceVersion": "7"}})
    api.watch = lambda **where: raising(ApiException(status=403, reason="Forbidden"))  # type: ignore[method-assign]
    with pytest.raises(Refused, match="Forbidden"):
        connected(api).wait("Pod", "a", "lab-04", lambda item: None, within=30)


def raising(error: Exception) -> Any:
    raise error


def test_what_is_created_is_told_apart_from_what_was_there_and_from_a_refusal() -> None:
    item = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}
    api: Any = SimpleNamespace()
    api.resources = SimpleNamespace(get=lambda **wanted: api)
    there = {**item, "metadata": {"name": "a", "uid": "u"}}
    api.create = lambda body, field_manager, serialize: SimpleNamespace(data=json.dumps(there))
    assert connected(api).create(item) == there
    api.create = lambda **_: raising(ApiException(status=409, reason="Conflict"))
    assert connected(api).create(item) is None
    for status, error in ((403, Refused), (503, Unreachable)):
        api.create = lambda status=status, **_: raising(ApiException(status=status, reason="no"))
        with pytest.raises(error):
            connected(api).create(item)


def test_a_wait_for_all_objects_ends_when_its_time_is_over_or_nobody_waits() -> None:
    api = MadeUpApi(a={"metadata": {"name": "a"}})
    api.events = [[event("MODIFIED", "a")] for _ in range(1000)]
    assert connected(api).wait_all("Pod", None, lambda pods: None, within=0)[0] is None
    stop = Event()
    stop.set()
    done, seen = connected(api).wait_all("Pod", None, lambda pods: None, within=30, stop=stop)
    assert done is None and len(seen) == 1


def test_an_api_server_that_accepts_and_says_nothing_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"http://127.0.0.1:{silent.getsockname()[1]}"
        file = tmp_path / "config"
        file.write_text(
            yaml.safe_dump(
                {
                    "clusters": [{"name": "one", "cluster": {"server": server}}],
                    "users": [{"name": "me", "user": {"token": "t"}}],
                    "contexts": [{"name": "silent", "context": {"cluster": "one", "user": "me"}}],
                    "current-context": "silent",
                }
            )
        )
        began = time.monotonic()
        with pytest.raises(Unreachable, match="does not answer") as caught:
            connect("silent", file, timeout=0.5).list("Pod", "default")
        assert time.monotonic() - began < 5 and not caught.value.transient
    with pytest.raises(Unreachable, match="does not answer") as caught:  # nobody listens there any more
        connect("silent", file, timeout=0.5).list("Pod", "default")
    assert caught.value.transient


def test_a_log_that_is_json_comes_as_it_was_written(tmp_path: Path) -> None:
    line = b'{"rows": 3, "said": "caf\xc3\xa9"}\n'
    asked: list[str] = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(line)

        def log_message(self, *_: object) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.handle_request, daemon=True)
        thread.start()
        file = tmp_path / "config"
        here = f"http://127.0.0.1:{server.server_port}"
        contexts = [{"name": "here", "context": {"cluster": "one", "user": "me"}}]
        file.write_text(
            yaml.safe_dump(
                {
                    "clusters": [{"name": "one", "cluster": {"server": here}}],
                    "users": [{"name": "me", "user": {"token": "t"}}],
                    "contexts": contexts,
                    "current-context": "here",
                }
            )
        )
        assert connect("here", file, timeout=5).logs("pod", "default", tail=None, limit=99) == line.decode()
        thread.join(5)
        assert "limitBytes=99" in asked[-1] and "tailLines" not in asked[-1]
