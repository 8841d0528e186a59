"""Figures of nodes: asked of kubelets themselves, with tokens that are good for nothing else."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mlops_lab.classroom.grader import kubelets
from mlops_lab.classroom.grader.kubelets import Direct
from mlops_lab.kube import tokens
from mlops_lab.kube.client import Kube
from mlops_lab.kube.errors import Refused, Unreachable
from mlops_lab.kube.tokens import Token
from mlops_lab.measure.cluster.node_cpu import used
from mlops_lab.measure.pods.containers import cadvisor
from tests.unit.classroom import teaching

NS = "mlops-lab-class"
SUMMARY = b'{"node": {"cpu": {"time": "2026-01-01T00:00:00Z", "usageCoreNanoSeconds": 2000000000}}, "pods": []}'
METRICS = b"container_cpu_usage_seconds_total{} 1 2"


class Kubelet(http.server.ThreadingHTTPServer):
    """A kubelet with a certificate of its own; `statuses` are those of its next answers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str]] = []
        self.statuses: list[int] = []


class Handler(http.server.BaseHTTPRequestHandler):
    server: Kubelet

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Authorization"]))
        content = SUMMARY if self.path.startswith("/stats") else METRICS
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("kubelet") / "both.pem"
    file.write_text("".join(teaching.certificate("node-1")))
    return file


@pytest.fixture
def kubelet(certificate: Path) -> Iterator[Kubelet]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Kubelet() as served:
        served.socket = context.wrap_socket(served.socket, server_side=True)
        thread = threading.Thread(target=served.serve_forever, args=(0.01,))
        thread.start()
        yield served
        served.shutdown()
        thread.join()


def node(name: str, port: int, *addresses: tuple[str, str]) -> dict[str, Any]:
    status = {
        "addresses": [{"type": kind, "address": address} for kind, address in addresses],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }
    return {"kind": "Node", "metadata": {"name": name}, "status": status}


class Cluster(Direct):
    """The API server has nodes and the account's Secret; `made` are the tokens that it has given."""

    def __init__(self, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
        kube = SimpleNamespace(context="", kubeconfig=None, timeout=2, api_client=None, _discovery=Path())
        self.now, self.made = 0.0, list[str]()
        super().__init__(cast(Kube, kube), NS, lambda: self.now)
        self.nodes = {
            "node-1": node("node-1", port, ("Hostname", "node-1"), ("InternalIP", "127.0.0.1")),
            "node-2": node("node-2", port, ("Hostname", "node-2")),
        }

        def issue(kube: Kube, account: str, namespace: str, seconds: int, bound: dict[str, Any]) -> Token:
            assert (account, namespace, bound["metadata"]["name"]) == ("kubelets", NS, "kubelets")
            self.made.append(f"token-{len(self.made)}")
            return Token(self.made[-1], "")

        monkeypatch.setattr(tokens, "issue", issue)

    def get(self, kind: str, name: str, namespace: str | None = None, api_version: str | None = None) -> dict[str, Any]:
        return self.nodes[name] if kind == "Node" else {"kind": kind, "metadata": {"name": name, "uid": "1"}}

    def list(self, kind: str, *_: Any, **__: Any) -> list[dict[str, Any]]:
        return list(self.nodes.values())


@pytest.fixture
def cluster(kubelet: Kubelet, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(kubelet.server_port, monkeypatch)


def test_what_checks_measure_comes_from_the_kubelet_itself(cluster: Cluster, kubelet: Kubelet) -> None:
    seen = used(cluster, "node-1", "lab-04")
    assert seen and seen.node == 2 and cadvisor(cluster, "node-1") == METRICS.decode()
    assert kubelet.asked == [
        ("/stats/summary?only_cpu_and_memory=true", "Bearer token-0"), ("/metrics/cadvisor", "Bearer token-0"),
    ]  # fmt: skip


def test_all_else_is_asked_of_the_api_server(
    cluster: Cluster, kubelet: Kubelet, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(Kube, "raw", lambda self, path, what: asked.append(path))
    monkeypatch.setattr(Kube, "text", lambda self, path, what: asked.append(path))
    paths = ["/apis/metrics.k8s.io/v1beta1/nodes", "/api/v1/nodes/node-1/proxy/exec/a/b/c",
             "/api/v1/nodes/node-1/proxy/stats/summary/../../exec/a"]  # fmt: skip
    for path in paths:
        cluster.raw(path, "x")
        cluster.text(path, "x")
    assert sorted(asked) == sorted(paths * 2) and kubelet.asked == [] and cluster.made == []


def test_a_token_is_had_anew_before_it_ends_and_where_it_is_not_taken(cluster: Cluster, kubelet: Kubelet) -> None:
    for cluster.now in (0, 1799, 1801):
        cadvisor(cluster, "node-1")
    assert [token for _, token in kubelet.asked] == ["Bearer token-0", "Bearer token-0", "Bearer token-1"]
    kubelet.statuses = [401]
    assert cadvisor(cluster, "node-1") == METRICS.decode() and kubelet.asked[-1][1] == "Bearer token-2"
    kubelet.statuses = [401, 401]
    with pytest.raises(Refused, match="status 401"):
        cadvisor(cluster, "node-1")


def test_a_kubelet_that_refuses_or_does_not_answer_is_said(
    cluster: Cluster, kubelet: Kubelet, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubelet.statuses = [403, 503]
    with pytest.raises(Refused, match="status 403") as refused:
        cadvisor(cluster, "node-1")
    assert f"account kubelets in {NS}" in refused.value.hint
    with pytest.raises(Unreachable, match="status 503") as busy:
        cadvisor(cluster, "node-1")
    assert busy.value.transient
    with pytest.raises(Unreachable, match="node-2 has no address"):
        cadvisor(cluster, "node-2")
    monkeypatch.setattr(kubelets, "_LARGEST", 5)
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1 port"):
        cadvisor(cluster, "node-1")
    cluster.nodes["node-1"] = node("node-1", 1, ("InternalIP", "127.0.0.1"))
    with pytest.raises(Unreachable, match="does not answer"):
        cadvisor(cluster, "node-1")


def test_what_is_no_summary_is_said(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.unit.grader.test_kubelets.SUMMARY", b"<html>")
    with pytest.raises(Unreachable, match="something else"):
        used(cluster, "node-1", "lab-04")


def test_where_kubelets_are(cluster: Cluster, kubelet: Kubelet) -> None:
    assert kubelets.ways(cluster) == (("127.0.0.1", kubelet.server_port),)
    assert kubelets.address({"status": {"addresses": [{"type": "InternalIP", "address": "fd00::1"}]}}) == (
        "fd00::1", 10250,
    )  # fmt: skip
