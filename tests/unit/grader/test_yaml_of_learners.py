"""YAML of learners that grows when it is read, or fetches: a grader hands it on to kubectl in the third place."""

from __future__ import annotations

import json
import threading
import time
import tracemalloc
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from mlops_lab.base.processes import find, run
from mlops_lab.classroom.grader import stage
from mlops_lab.classroom.grader.apart.place import Place, Ran
from mlops_lab.kube.client import Kube
from mlops_lab.labs.workspace import parse_manifests

API = ("10.0.0.1", 6443)


def bomb(levels: int) -> str:
    """A ConfigMap whose aliases, written out, are nine times more at each level."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(["apiVersion: v1", "kind: ConfigMap", "metadata: {name: bomb}", *lines, ""])


class Recorded:
    """The third place, of which only is kept what it is asked to run."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def run(self, folder: Path, words: list[str], **_: Any) -> Ran:
        self.words = words
        return Ran(1, "error", 0.1)


def put_to_work(folder: Path) -> list[str]:
    place = Recorded()
    stage.put_to_work(cast(Place, place), folder, "the kubeconfig")
    return place.words


def test_aliases_that_grow_are_kubectls_to_read(tmp_path: Path) -> None:
    (tmp_path / "bomb.yaml").write_text(bomb(10))
    tracemalloc.start()
    began = time.process_time()
    try:
        assert put_to_work(tmp_path) == ["kubectl", "apply", "-f", "bomb.yaml"]
        parse_manifests(tmp_path)  # what `lab check` does with it on a learner's own machine
        assert tracemalloc.get_traced_memory()[1] < 8 << 20 and time.process_time() - began < 5
    finally:
        tracemalloc.stop()


def test_who_writes_them_out_has_nine_times_more_at_each_level() -> None:
    def size(levels: int) -> int:
        return len(json.dumps(yaml.safe_load(bomb(levels))))

    assert len(bomb(10)) < 1000 and size(5) > 8 * size(4) > 64 * size(3)


class Asked(BaseHTTPRequestHandler):
    """A server elsewhere, which keeps what it is asked for."""

    paths: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.paths.append(self.path)
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def elsewhere() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Asked)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    Asked.paths.clear()
    yield f"http://127.0.0.1:{server.server_port}/manifests.yaml"
    server.shutdown()
    server.server_close()
    thread.join(10)


def test_a_kustomization_that_fetches_runs_where_only_the_api_server_is_reached(tmp_path: Path, elsewhere: str) -> None:
    (tmp_path / "kustomization.yaml").write_text(f"resources: [{elsewhere}]\n")
    assert put_to_work(tmp_path) == ["kubectl", "apply", "-k", "."] and Asked.paths == []
    place = Place(cast(Kube, None), "g-7-1-apart", "registry/grader:1", api=[API], dns={"k8s-app": "kube-dns"})
    (policy,) = [each for each in place.objects("p", 30, {}, talks=True) if each["kind"] == "NetworkPolicy"]
    blocks = [to["ipBlock"]["cidr"] for way in policy["spec"]["egress"] for to in way["to"] if "ipBlock" in to]
    assert blocks == [f"{API[0]}/32"] and policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert all(way.get("to") for way in policy["spec"]["egress"]), "a way without a `to` leads everywhere"


def test_kubectl_itself_fetches_it(tmp_path: Path, elsewhere: str) -> None:
    (tmp_path / "kustomization.yaml").write_text(f"resources: [{elsewhere}]\n")
    kubectl = find("kubectl")
    assert kubectl
    assert run([kubectl, "kustomize", tmp_path], within=60, check=False).code != 0
    assert "/manifests.yaml" in Asked.paths
