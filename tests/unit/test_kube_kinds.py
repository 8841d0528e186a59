"""Kinds by their names alone: Kubernetes' own are meant, whatever else the cluster serves by that name."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import ApiClient, Configuration

from mlops_lab.base.errors import LabError
from mlops_lab.kube.client import Kube
from mlops_lab.kube.requests import _API_VERSIONS

ROOT = Path(__file__).parents[2]
RBAC, OTHER, BROKEN = "rbac.authorization.k8s.io", "authorization.openshift.io", "metrics.example"
_ASKED = re.compile(r'\b(?:\w*kube|objects|elsewhere\([^)]*\))\.\w+\(\s*"([A-Z]\w+)"([^)]*)\)')


def served(*kinds: str) -> dict[str, Any]:
    return {
        "kind": "APIResourceList",
        "resources": [
            {"name": f"{kind.lower()}s", "kind": kind, "namespaced": True, "verbs": ["get"]} for kind in kinds
        ],
    }


def group(name: str) -> dict[str, Any]:
    version = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [version], "preferredVersion": version}


ANSWERS: dict[str, Any] = {
    "/version": {"gitVersion": "v1.37.0"},
    "/apis": {"kind": "APIGroupList", "groups": [group(name) for name in (OTHER, RBAC, BROKEN)]},
    "/api/v1": served("Pod"),
    f"/apis/{RBAC}/v1": served("Role"),
    f"/apis/{OTHER}/v1": served("Role", "Pod", "Gate"),
    f"/apis/{BROKEN}/v1": served("Gate"),
    f"/apis/{RBAC}/v1/namespaces/lab-22/roles/reader": {"apiVersion": f"{RBAC}/v1", "kind": "Role"},
    "/api/v1/namespaces/lab-22/pods/model-1": {"apiVersion": "v1", "kind": "Pod"},
}


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def kube(tmp_path: Path, asked: list[str]) -> Iterator[Kube]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            found = ANSWERS.get(self.path)
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(found or {"message": "not found"}).encode())

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        configuration = Configuration()
        configuration.host = f"http://127.0.0.1:{server.server_port}"
        yield Kube(ApiClient(configuration), "here", None, tmp_path / "discovery.json")
        server.shutdown()


def test_a_kind_of_kubernetes_is_meant_where_another_group_has_one_of_its_name(kube: Kube, asked: list[str]) -> None:
    assert kube.get("Role", "reader", "lab-22")["apiVersion"] == f"{RBAC}/v1"
    assert kube.get("Pod", "model-1", "lab-22")["apiVersion"] == "v1"
    assert not any(OTHER in path or BROKEN in path for path in asked)


def test_a_kind_that_several_groups_have_is_to_be_asked_for_with_its_group(kube: Kube) -> None:
    with pytest.raises(LabError, match="Gate front: several API groups have that kind") as raised:
        kube.find("Gate", "front", "lab-22")
    assert "apiVersion" in raised.value.hint
    assert kube.find("Gate", "front", "lab-22", f"{OTHER}/v1") is None


def test_all_kinds_that_are_asked_for_by_name_alone_are_known() -> None:
    files = [*ROOT.glob("src/**/*.py"), *ROOT.glob("labs/**/checker/**/*.py")]
    found = [match for file in files for match in _ASKED.findall(file.read_text("utf-8"))]
    alone = {kind for kind, more in found if "api" not in more.lower()}
    assert len(alone) > 15
    assert alone <= set(_API_VERSIONS)
