"""What the embedded engine asks of the cluster, against a server that speaks a little of Kubernetes' API."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from embedded import cluster
from embedded.manifests import ATTEMPT, RUN
from embedded.mounts import FOR_RUNS
from embedded.pods import Refused, Unreachable
from embedded.settings import Settings
from kubernetes import client

Answer = tuple[int, dict[str, Any]]


class Api(ThreadingHTTPServer):
    """Answers as told, and keeps what it was asked."""

    answer: Answer = (200, {})

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.asked: list[tuple[str, str, str]] = []


class Asked(BaseHTTPRequestHandler):
    """One request."""

    server: Api

    def do_GET(self) -> None:
        self.server.asked.append((self.command, self.path, self.headers["Accept"]))
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        code, body = self.server.answer
        content = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with Api() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def inside() -> None:
            settings = client.Configuration(host=f"http://127.0.0.1:{server.server_port}")
            monkeypatch.setattr(client.Configuration, "_default", settings)

        monkeypatch.setattr(cluster.config, "load_incluster_config", inside)
        yield server
        server.shutdown()


def test_of_a_secret_only_what_is_written_about_it_is_asked(api: Api) -> None:
    about = {"name": "mine", "labels": {FOR_RUNS: "true"}}
    api.answer = (200, {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": about})
    assert cluster.Cluster(Settings(namespace="here")).secret("mine") == {FOR_RUNS: "true"}
    accepted = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    assert api.asked == [("GET", "/api/v1/namespaces/here/secrets/mine", accepted)]


def test_a_secret_without_labels_and_one_that_is_not_there(api: Api) -> None:
    api.answer = (200, {"metadata": {"name": "plain"}})
    assert cluster.Cluster(Settings()).secret("plain") == {}
    api.answer = (404, {"message": "not found"})
    assert cluster.Cluster(Settings()).secret("none") is None


def test_a_pod_is_seen_as_soon_as_it_was_made(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """An API server answers resourceVersion=0 with what it has at hand, which may be older."""
    about = {"name": "run-1", "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {}}
    made = {"items": [{"metadata": about, "status": {"phase": "Pending"}}]}

    def answer(asked: Asked) -> None:
        asked.server.answer = (200, {"items": []} if "resourceVersion=0" in asked.path else made)
        plain(asked)

    plain = Asked.do_GET
    monkeypatch.setattr(Asked, "do_GET", answer)
    assert set(cluster.Cluster(Settings()).seen()) == {"run-1"}


@pytest.mark.parametrize(("code", "error"), [(403, Refused), (400, Refused), (500, Unreachable), (401, Unreachable)])
def test_a_look_that_fails(api: Api, code: int, error: type[Exception]) -> None:
    api.answer = (code, {"message": "secrets is forbidden"})
    with pytest.raises(error, match="secrets is forbidden"):
        cluster.Cluster(Settings()).secret("mine")


@pytest.mark.parametrize(("there", "refused"), [("one", False), ("two", True), ("", False)])
def test_a_pod_that_is_there_is_left_if_it_is_the_same(
    api: Api, monkeypatch: pytest.MonkeyPatch, there: str, refused: bool
) -> None:
    labels = {RUN: "r", ATTEMPT: "one"}
    found = [{"metadata": {"name": "it", "labels": {**labels, ATTEMPT: there}}}] if there else []

    def answer(asked: Asked) -> None:
        exists = {"reason": "AlreadyExists", "message": 'pods "it" already exists'}
        asked.server.answer = (409, exists) if asked.command == "POST" else (200, {"items": found})
        plain(asked)

    plain = Asked.do_GET
    monkeypatch.setattr(Asked, "do_GET", answer)
    monkeypatch.setattr(Asked, "do_POST", answer)
    pod = {"metadata": {"name": "it", "labels": labels}}
    if refused:
        with pytest.raises(Refused, match="the name it is that of another pod") as caught:
            cluster.Cluster(Settings()).create(pod)
        assert not caught.value.final, "it may be gone later"
    else:
        cluster.Cluster(Settings()).create(pod)
    assert api.asked[-1][:2] == ("GET", "/api/v1/namespaces/default/pods?fieldSelector=metadata.name%3Dit")


@pytest.mark.parametrize(
    ("code", "message"),
    [(413, "Request entity too large: limit is 3145728"), (500, "etcdserver: request is too large")],
)
def test_a_pod_that_is_too_large_for_the_cluster_is_refused_for_good(api: Api, code: int, message: str) -> None:
    api.answer = (code, {"message": message})
    with pytest.raises(Refused, match="too large") as caught:
        cluster.Cluster(Settings()).create({"metadata": {"name": "large"}})
    assert caught.value.final
