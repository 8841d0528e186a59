"""Which requests of a load were lost, and what in a pod template may explain it."""

from __future__ import annotations

from typing import Any

from mlops_lab.kit.losses import kinds, none_lost, readiness_path, waits_before_end
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.report import LoadReport, Request


def report(*statuses: int, error: str = "refused") -> LoadReport:
    rows = [Request(i / 10, 0, 0.02, each, "v1", "" if each else error) for i, each in enumerate(statuses)]
    return LoadReport(tuple(rows), len(rows), len(rows), 0, 1.0)


def template(**container: Any) -> Object:
    return {"spec": {"containers": [container, {"readinessProbe": {"httpGet": {"path": "/other"}}}]}}


def test_each_way_to_fail_is_counted() -> None:
    assert kinds(report(200, 503, 503, 0, 200)) == ["2 x status 503", "1 x refused"]
    assert kinds(report(200)) == []
    many = LoadReport(tuple(Request(0, 0, 0, 0, "", name) for name in "abbcccd"), 7, 7, 0, 1.0)
    assert kinds(many, most=2) == ["3 x c", "2 x b"]


def test_one_failed_request_is_one_too_many() -> None:
    assert none_lost(report(200, 200)).ok
    seen = none_lost(report(200, 500))
    assert not seen.ok and seen.value == 1
    assert seen.seen == "1 of 2 requests failed; half were answered within 20 ms"
    assert none_lost(report(0)).seen == "1 of 1 requests failed"


def test_the_first_containers_probe_is_what_counts() -> None:
    assert readiness_path(template(readinessProbe={"httpGet": {"path": "/readyz"}})) == "/readyz"
    assert readiness_path(template(readinessProbe={"tcpSocket": {"port": 1}})) == ""
    assert readiness_path(template()) is None
    assert waits_before_end(template(lifecycle={"preStop": {"sleep": {"seconds": 5}}}))
    assert not waits_before_end(template(lifecycle={"postStart": {}})) and not waits_before_end(template())
