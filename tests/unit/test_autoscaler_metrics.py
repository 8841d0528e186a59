"""What the metrics APIs say of pods, and what it means when they say nothing."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from kubernetes.client.exceptions import ApiException

from mlops_lab.kube.client import Kube
from mlops_lab.kube.errors import NotFound, Unreachable
from mlops_lab.measure.cluster.autoscaler_metrics import Use, cpu, custom_metric


def kube(answers: dict[str, Any]) -> Kube:
    """A connection whose API server answers these paths: an object, or a status and a message."""

    def call_api(path: str, method: str, **named: Any) -> Any:
        assert method == "GET" and named["_request_timeout"] == 10.0
        answer = answers[path]
        if isinstance(answer, tuple):
            error = ApiException(status=answer[0], reason="reason")
            error.body = json.dumps({"message": answer[1]})
            raise error
        return answer

    return Kube(SimpleNamespace(call_api=call_api), "kind-one", cast(Any, None), cast(Any, None))


RATES = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/lab-11/pods/*/http_requests_per_second"
PODS = "/apis/metrics.k8s.io/v1beta1/namespaces/lab-11/pods"


def test_a_custom_metric_comes_by_pod_and_by_value() -> None:
    items = [{"describedObject": {"name": "a"}, "value": "1499m"}, {"describedObject": {"name": "b"}, "value": "6"}]
    assert custom_metric(kube({RATES: {"items": items}}), "lab-11", "http_requests_per_second") == {"a": 1.499, "b": 6}


def test_a_metric_that_no_pod_has_is_no_error() -> None:
    said = (404, "the server could not find the metric http_requests_per_second for pods")
    assert custom_metric(kube({RATES: said}), "lab-11", "http_requests_per_second") == {}


@pytest.mark.parametrize(
    ("said", "kind"), [((404, "page not found"), NotFound), ((503, "unable to handle the request"), Unreachable)]
)
def test_a_custom_metrics_api_that_is_away_is_the_environments_fault(
    said: tuple[int, str], kind: type[Exception]
) -> None:
    with pytest.raises(kind, match="the metric http_requests_per_second of pods"):
        custom_metric(kube({RATES: said}), "lab-11", "http_requests_per_second")


def test_the_cpu_of_a_pod_is_that_of_all_its_containers() -> None:
    containers = [{"usage": {"cpu": "36200000n", "memory": "1Ki"}}, {"usage": {"cpu": "1m"}}, {"usage": {}}]
    item = {"metadata": {"name": "a"}, "timestamp": "2026-11-24T22:00:00Z", "containers": containers}
    found = cpu(kube({PODS: {"items": [item]}}), "lab-11")
    assert found == {"a": Use(pytest.approx(0.0372), "2026-11-24T22:00:00Z")}
