"""The monitoring chart on the live cluster: known metrics go in, and every panel's queries give back what they must.

`exporter.py` runs in a pod of its own as the model service `shop`, first with predictions that have drifted.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.base.paths import project
from mlops_lab.base.progress import Progress
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.port_forward import PortForward
from mlops_lab.kube.client import Kube
from mlops_lab.labs import namespaces
from mlops_lab.platform.dashboard.answers import series
from mlops_lab.platform.dashboard.boards import boards
from mlops_lab.platform.dashboard.prometheus import Prometheus
from tests.e2e import exporter
from tests.e2e.conftest import CLUSTER, lab
from tests.e2e.test_cluster import REGISTRY

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(1500)]

SPACE = "mlops-lab-monitoring"
KUBECTL = Kubectl(f"kind-{CLUSTER}")
BOARDS = boards()
WINDOW = 120  # s: the longest window that values below are taken over
PSI = 0.27465307216702745  # of shares 0.25 and 0.75 against 0.5 and 0.5
Found = dict[str, float]
Check = Callable[[Found, list[dict[str, Any]]], None]


@pytest.fixture(scope="module")
def space(cluster: Kube) -> Iterator[str]:
    """A namespace for all tests here, gone afterwards."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    namespaces.make(cluster, name)
    yield name
    cluster.delete("Namespace", name)
    cluster.wait_gone("Namespace", name, within=180)


@pytest.fixture(scope="module")
def monitoring(cluster: Kube, space: str) -> Iterator[Any]:
    """helm on the cluster, with the part installed and the exporter among those who hear of alerts."""
    from mlops_lab.platform import helm as wrapper

    done = lab("up", "--with", "monitoring", within=3600)
    assert done.returncode == 0, done.stdout + done.stderr
    helm = wrapper.Helm(wrapper.program(Progress()), KUBECTL.context)
    receiver = {
        "name": "test",
        "url": f"http://shop.{space}.svc/alerts",
        "matchers": [f'namespace="{space}"', 'alertname="PredictionDrift"'],
        "sendResolved": True,
    }
    number = helm.history(SPACE)[-1].number
    chart = project() / "charts" / "monitoring"
    words = ("upgrade", SPACE, chart, "--namespace", SPACE, "--reuse-values", "--wait", "--timeout", "180s")
    helm.run(*words, "--set-json", f"alertmanager.receivers={json.dumps([receiver])}", within=200)
    yield helm
    helm.rollback(SPACE, number)


@pytest.fixture(scope="module")
def prometheus(monitoring: Any) -> Iterator[Prometheus]:
    with PortForward(KUBECTL, SPACE, "prometheus", 9090) as forward:
        yield Prometheus(forward.address, forward.lost)


def pod(name: str, command: list[str], **more: Any) -> dict[str, Any]:
    """A pod's spec on the model server's image, as restricted namespaces want it."""
    container = {
        "name": name,
        "image": f"{REGISTRY}/flight-delay:v1",
        "command": command,
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"cpu": "200m", "memory": "128Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        **more,
    }
    safe = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    return {"containers": [container], "securityContext": safe, "terminationGracePeriodSeconds": 1}


def objects() -> list[dict[str, Any]]:
    """The service `shop` with an autoscaler on requests, a job that fails and a pod that ends again and again."""
    labels = {"app": "shop"}
    scraped = {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"}
    shop = pod(
        "shop",
        ["python3", "/exporter/exporter.py", "8080"],
        ports=[{"name": "http", "containerPort": 8080}],
        readinessProbe={"httpGet": {"path": "/metrics", "port": "http"}, "periodSeconds": 1},
        volumeMounts=[{"name": "exporter", "mountPath": "/exporter"}],
    ) | {"volumes": [{"name": "exporter", "configMap": {"name": "exporter"}}]}
    metric = {"metric": {"name": "http_requests_per_second"}, "target": {"type": "AverageValue", "averageValue": "1k"}}
    fails = ["python3", "-c", "raise SystemExit(1)"]
    return [
        {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "exporter"},
            "data": {"exporter.py": Path(exporter.__file__).read_text()},
        },
        {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels, "annotations": scraped}, "spec": shop},
            },
        },
        {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": "http"}]},
        },
        {
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "shop"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
                "minReplicas": 1, "maxReplicas": 2, "metrics": [{"type": "Pods", "pods": metric}],
            },
        },
        {
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "fails"},
            "spec": {"backoffLimit": 0, "template": {"spec": pod("fails", fails) | {"restartPolicy": "Never"}}},
        },
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "again"}, "spec": pod("again", fails)},
    ]  # fmt: skip


@pytest.fixture(scope="module")
def shop(cluster: Kube, space: str, prometheus: Prometheus) -> str:
    """The namespace with the service, scraped for as long as the windows of the rules are."""
    cluster.apply(objects(), space)
    done, seen = cluster.wait(
        "Deployment", "shop", space,
        lambda item: True if item and item.get("status", {}).get("readyReplicas") else None, within=120,
    )  # fmt: skip
    assert done, seen
    tell(cluster, space, "/set?mode=drift")
    metric = f'app_of:model_rows:increase2m{{namespace="{space}", of="prediction"}}'
    rows = WINDOW * exporter.PREDICTIONS
    until(lambda: value(prometheus, metric), lambda found: found == pytest.approx(rows, rel=0.03), 240)
    metric = f'app_of:model_psi:2m{{namespace="{space}", of="prediction"}}'
    until(lambda: value(prometheus, metric), lambda found: found == pytest.approx(PSI, rel=0.05), 240)
    return space


def tell(cluster: Kube, namespace: str, path: str) -> str:
    """What the exporter answers."""
    name = cluster.list("Pod", namespace, "app=shop")[0]["metadata"]["name"]
    code = "import sys,urllib.request as r; print(r.urlopen(sys.argv[1], timeout=5).read().decode())"
    with cluster.exec(name, namespace, ["python3", "-c", code, f"http://127.0.0.1:8080{path}"]) as command:
        return "".join(line for line in command.lines(within=20) if line)


def until(look: Callable[[], Any], wanted: Callable[[Any], bool], within: float) -> Any:
    """Look until it is what is wanted; the last thing seen is in the failure."""
    end = time.monotonic() + within
    while not wanted(seen := look()):
        assert time.monotonic() < end, f"not within {within:g} s; last seen: {seen}"
        time.sleep(2)
    return seen


def value(prometheus: Prometheus, query: str, at: float | None = None) -> float | None:
    found = prometheus.query(query, at)
    return found[0].points[0][1] if found else None


# What each panel must give, by dashboard and title. {name of the series: value}, or a check of one's own.


def by_name(wanted: Found) -> Check:
    """Just these series, with these values within 4%."""

    def check(found: Found, _: list[dict[str, Any]]) -> None:
        assert found == pytest.approx(wanted, rel=0.04, abs=0.005)

    return check


def one(wanted: float, rel: float = 0.04) -> Check:
    """One series of that value, whatever its name."""

    def check(found: Found, _: list[dict[str, Any]]) -> None:
        assert list(found.values()) == pytest.approx([wanted], rel=rel, abs=0.005)

    return check


def between(least: float, most: float = float("inf"), *names: str) -> Check:
    """Series within bounds; those that are named are there."""

    def check(found: Found, _: list[dict[str, Any]]) -> None:
        assert found and all(least <= each <= most for each in found.values()), found
        assert set(names) <= set(found)

    return check


def labelled(wanted: dict[str, str], least: float = 0) -> Check:
    """A series with these labels and at least that value."""

    def check(_: Found, drawn: list[dict[str, Any]]) -> None:
        rows = [each for each in drawn if wanted.items() <= each["labels"].items()]
        assert rows and all(each["points"][-1][1] >= least for each in rows), drawn

    return check


def maybe(found: Found, _: list[dict[str, Any]]) -> None:
    """Nothing on a cluster whose storage does not tell how full it is."""
    assert all(0 <= each <= 1 for each in found.values())


def expected(space: str, nodes: list[str]) -> dict[str, dict[str, Check]]:
    shares = {"prediction ≤ 0.5": 0.25, "prediction ≤ 1.0": 0.75} | {f"distance ≤ {le}": 0.25 for le in exporter.BINS}
    reference = shares | {"prediction ≤ 0.5": 0.5, "prediction ≤ 1.0": 0.5}
    rows = WINDOW * exporter.PREDICTIONS
    p99 = 0.1 + 0.4 * (9.9 - 9.8) / (9.95 - 9.8)
    here = f"{space}/shop"
    share = between(0.0001, 1)
    return {
        "cluster": {
            "Nodes ready": one(len(nodes)),
            "Pods running": one(2),
            "Pods not ready": one(1),
            "Alerts": between(1),
            "Targets down": between(0),
            "Series": between(1000),
            "CPU": between(0.0001, 1.1),
            "Memory": share,
            "Disk": share,
            "CPU requested": between(0.0001, 2, *nodes),
            "CPU by node": between(0.0001, 1.1, *nodes),
            "Memory by node": between(0.0001, 1, *nodes),
            "Load and pressure": between(0, 1000, *(f"load {node}" for node in nodes)),
            "Network by namespace": between(1, 1e9, space),
            "CPU by namespace": between(0.0001, 2, space),
            "Memory by namespace": between(5e6, 2.6e8, space),
            "Restarts": labelled({"namespace": space, "pod": "again", "container": "again"}, 0.5),
            "Firing alerts": labelled({"namespace": space, "alertname": "PredictionDrift", "app": "shop"}, 1),
        },
        "serving": {
            "Requests": one(10),
            "Failed": one(0.1),
            "p99": one(p99),
            "Pods": one(1),
            "Requests by app": by_name({here: 10}),
            "Requests by status": by_name(exporter.REQUESTS),
            "Requests by version": by_name({"shop 7": 10}),
            "Failed requests": by_name({"shop 1m": 0.1, "shop 5m": 0.1}),
            "Latency": by_name({"shop quantile 0.5": 0.00625, "shop quantile 0.95": 0.085, "shop quantile 0.99": p99}),
            "Latency by bucket": by_name(exporter.LATENCY),
            "In progress": by_name({here: exporter.IN_PROGRESS}),
            "CPU by pod": between(0.001, 20),
            "Autoscalers": by_name({"shop there": 1, "shop wanted": 1, "shop at most": 2}),
            "Memory and throttling": between(0, 1),
            "Routes": labelled({"namespace": space, "app": "shop", "route": "/predict", "status": "500"}, 0.95),
        },
        "model": {
            "Predictions": one(exporter.PREDICTIONS),
            "Mean probability": one(exporter.MEAN),
            "Predicted late": between(0.5, 0.76),  # over 5 minutes, the first of which were calm
            "Rows in the window": one(rows),
            "PSI of predictions": one(PSI),
            "PSI": by_name({"shop prediction": PSI, "shop distance": 0}),
            "PSI now": by_name({"prediction": PSI, "distance": 0}),
            "Shares now": by_name(shares),
            "Shares in the reference": by_name(reference),
            "Distribution of predictions": by_name({"0.5": rows * 0.25, "1.0": rows, "+Inf": rows}),
            "Level of predictions": between(0.5, 0.76, "shop mean", "shop late"),
            "Predictions by app": by_name({here: exporter.PREDICTIONS}),
            "Models in service": labelled({"app": "shop", "version": "7", "auc": "0.71"}, 1),
        },
        "pipelines": {
            "Pods running": one(2),
            "Pods waiting": one(0),
            "Pods failed": one(1),
            "Jobs failed": one(1),
            "Alerts sent": between(0),
            "Tracking server": between(0, 1),
            "Pods by phase": between(0, 2, "Running", "Pending", "Failed", "Succeeded", "Unknown"),
            "Drift and retraining": between(0, 60, "PredictionDrift", "sent"),
            "CPU by pod": between(0, 2),
            "Memory by pod": between(1e5, 2e8),
            "Failed pods and jobs": labelled({"namespace": space, "job_name": "fails"}, 1),
            "Volumes": maybe,
            "Requests to MLflow": between(0, 1e6, "299"),
            "Latency of MLflow": between(0, 60, "p50", "p95"),
        },
        "business": {
            "Predictions": one(rows),
            "Predicted late": between(0.5, 0.76),
            "Answered": one(0.9),
            "Within half a second": one(0.995),
            "Error budget left": one(0),
            "CPU cost": between(1e-9, 1),
            "CPU cost of 1000 predictions": between(1e-9, 1),
            "Predictions per minute": by_name({here: 60 * exporter.PREDICTIONS}),
            "Predicted late by app": between(0.5, 0.76),
            "Cost per hour": between(1e-9, 1, space),
            "By app": labelled({"namespace": space, "app": "shop"}, rows * 0.95),
        },
    }


def test_the_charts_own_test_passes(monitoring: Any) -> None:
    monitoring.run("test", SPACE, "--namespace", SPACE, "--timeout", "180s", within=200)


def test_the_namespace_is_restricted_and_its_pods_run(cluster: Kube, monitoring: Any) -> None:
    labels = cluster.get("Namespace", SPACE)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    phases = {item["status"]["phase"] for item in cluster.list("Pod", SPACE)}
    assert phases and phases <= {"Running", "Succeeded"}


@pytest.mark.parametrize("uid", BOARDS)
def test_every_panel_gives_what_was_put_in(cluster: Kube, prometheus: Prometheus, shop: str, uid: str) -> None:
    board = BOARDS[uid]
    nodes = [node["metadata"]["name"] for node in cluster.list("Node")]
    checks = expected(shop, nodes)[uid]
    assert set(checks) == {panel["title"] for panel in board.panels.values()}
    chosen = {"namespace": [shop], "app": ["shop"]}
    failed: dict[str, str] = {}
    end = time.monotonic() + 120  # kube-state-metrics and the autoscaler may be a little behind
    while True:
        failed.clear()
        for number, panel in board.panels.items():
            answer = series(board, number, chosen, WINDOW, prometheus)
            found = {each["name"]: each["points"][-1][1] for each in answer["series"]}
            try:
                assert answer["errors"] == []
                checks[panel["title"]](found, answer["series"])
            except AssertionError as error:
                failed[panel["title"]] = f"{answer['queries']}: {error}"
        if not failed or time.monotonic() > end:
            break
        time.sleep(5)
    assert not failed


def alerts() -> list[dict[str, Any]]:
    """What Alertmanager holds as active."""
    with (
        PortForward(KUBECTL, SPACE, "alertmanager", 9093) as forward,
        urllib.request.urlopen(f"{forward.address()}/api/v2/alerts?active=true", timeout=10) as answer,
    ):
        return list(json.load(answer))


def test_an_alert_fires_reaches_its_receiver_and_resolves(cluster: Kube, prometheus: Prometheus, shop: str) -> None:
    def mine() -> list[dict[str, Any]]:
        wanted = {"alertname": "PredictionDrift", "namespace": shop, "app": "shop"}
        return [each for each in alerts() if wanted.items() <= each["labels"].items()]

    (alert,) = until(mine, bool, 120)
    assert alert["annotations"]["runbook_url"].endswith("docs/runbooks.md#predictiondrift")
    assert alert["labels"]["severity"] == "warning"

    def told() -> list[str]:
        return [message["status"] for message in json.loads(tell(cluster, shop, "/alerts"))]

    assert until(told, bool, 60) == ["firing"], "one drift is one message"
    tell(cluster, shop, "/set?mode=calm")
    until(mine, lambda found: not found, 300)
    assert until(told, lambda found: len(found) > 1, 120) == ["firing", "resolved"]
    psi = f'app_of:model_psi:2m{{namespace="{shop}", of="prediction"}}'
    until(lambda: value(prometheus, psi), lambda found: found is not None and found < 0.01, 180)


def test_the_custom_metrics_api_gives_requests_per_second(cluster: Kube, shop: str) -> None:
    metric = "http_requests_per_second?labelSelector=app%3Dshop"
    url = f"/apis/custom.metrics.k8s.io/v1beta2/namespaces/{shop}/pods/*/{metric}"

    def asked() -> list[float]:
        done = KUBECTL.run("get", "--raw", url, check=False)
        return [quantity(item["value"]) for item in json.loads(done.stdout)["items"]] if done.code == 0 else []

    until(asked, lambda found: found == pytest.approx([10], rel=0.1), 60)

    def scaled() -> str:
        metrics = cluster.get("HorizontalPodAutoscaler", "shop", shop).get("status", {}).get("currentMetrics") or [{}]
        return str(metrics[0].get("pods", {}).get("current", {}).get("averageValue", ""))

    assert quantity(until(scaled, bool, 90)) == pytest.approx(10, rel=0.1)


def quantity(text: str) -> float:
    """A Kubernetes quantity such as 9998m or 10."""
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


def test_samples_outlive_the_pod(cluster: Kube, prometheus: Prometheus, shop: str) -> None:
    query, before = f'app:http_requests:rate1m{{namespace="{shop}"}}', time.time()
    assert value(prometheus, query, before) == pytest.approx(10, rel=0.04)
    uid = cluster.get("Pod", "prometheus-0", SPACE)["metadata"]["uid"]
    cluster.delete("Pod", "prometheus-0", SPACE)

    def ready(item: Any) -> bool | None:
        new = item and item["metadata"]["uid"] != uid
        conditions = (item or {}).get("status", {}).get("conditions") or []
        return (
            True if new and any(each["type"] == "Ready" and each["status"] == "True" for each in conditions) else None
        )

    done, seen = cluster.wait("Pod", "prometheus-0", SPACE, ready, within=180)
    assert done, seen
    # The same connection: the way to the new pod is made by itself.
    assert value(prometheus, query, before) == pytest.approx(10, rel=0.04)


def test_lab_dashboard_draws_from_the_cluster(shop: str) -> None:
    program = Path(sys.executable).parent / "lab"
    child = subprocess.Popen(
        [program, "dashboard", "--port", "0"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        assert child.stdout
        address = ""
        for line in child.stdout:
            if found := re.search(r"http://127\.0\.0\.1:\d+/", line):
                address = found.group()
                break
        assert address, "it ended without an address"
        url = f"{address}api/boards/serving/panels/1?span=300&var-namespace={shop}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            (drawn,) = json.load(answer)["series"]
        assert drawn["points"][-1][1] == pytest.approx(10, rel=0.1)
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 0
    finally:
        child.kill()
        child.wait()
