"""Every query of every dashboard: promtool can read it, and all metrics in it are recorded here or known exporters'."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from mlops_lab.base.paths import project
from mlops_lab.platform.dashboard.answers import queries
from mlops_lab.platform.dashboard.boards import boards
from tests.rules.promtool import RULES, promtool

BOARDS = {**boards(), **boards(project() / "charts" / "classroom" / "dashboards")}
# What Prometheus, kubelets, kube-state-metrics, node-exporter, Alertmanager, MLflow and the model server export.
EXPORTED = {
    *("up", "ALERTS", "prometheus_tsdb_head_series", "alertmanager_notifications_total", "node_load1"),
    *("node_pressure_cpu_waiting_seconds_total", "container_network_receive_bytes_total", "kube_job_failed"),
    *("container_cpu_usage_seconds_total", "container_memory_working_set_bytes", "kube_node_status_condition"),
    *("kube_pod_info", "kube_pod_status_phase", "kube_pod_status_ready", "kube_pod_container_status_restarts_total"),
    *(f"kube_horizontalpodautoscaler_{each}" for each in ("status_current_replicas", "status_desired_replicas")),
    *("kube_horizontalpodautoscaler_spec_max_replicas", "kubelet_volume_stats_used_bytes"),
    *(
        "kubelet_volume_stats_capacity_bytes",
        "mlflow_http_request_total",
        "mlflow_http_request_duration_seconds_bucket",
    ),
    *("http_requests_total", "http_request_duration_seconds_bucket", "http_request_duration_seconds_count"),
    # What a class's server exports; tests/classroom asks it.
    *(f"classroom_{each}" for each in ("learners", "learners_passed", "learners_stuck", "submissions")),
    *(f"classroom_{each}" for each in ("queue_oldest_seconds", "results_total", "checks_total")),
    *("classroom_database_up", "classroom_records_whole"),
    *("classroom_grading_seconds_bucket", "classroom_http_request_duration_seconds_bucket"),
    *("model_prediction_probability_bucket", "model_prediction_probability_count", "model_info"),
}
RECORDED = {
    rule["record"]
    for path in RULES.glob("*.yaml")
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
    if "record" in rule
}


def metrics(expr: str) -> set[str]:
    """The names of the metrics in a query: what stands before braces or alone, and is no function, label or word."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expr)
    bare = re.sub(r"\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", "", bare)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", bare)
    words = re.findall(r"(?<![\w:.])[a-zA-Z_][\w:]*(?!\w|\s*\()", bare)
    return {word for word in words if word not in ("and", "or", "unless", "offset", "bool")}


def test_metrics_are_found_in_a_query() -> None:
    expr = 'sum by (x) (rate(a_total{b="c and d"}[5m])) / on (x) group_left (y) max(e:f:g) or vector(0) > 2e3'
    assert metrics(expr) == {"a_total", "e:f:g"}


@pytest.mark.parametrize("uid", BOARDS)
def test_promtool_reads_every_query(uid: str, tmp_path: Path) -> None:
    board = BOARDS[uid]
    asked = [expr for number in board.panels for expr in queries(board, number, {}, 3600)]
    asked += [
        f"group({variable.series.replace('$namespace', 'x').replace('$app', 'x')})"
        for variable in board.variables
        if variable.label
    ]
    rules = [{"record": f"query:{number}", "expr": expr} for number, expr in enumerate(asked)]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "x", "rules": rules}]}))
    done = promtool("check", "rules", tmp_path / "rules.yaml")
    assert done.returncode == 0, done.stdout
    assert f"{len(asked)} rules found" in done.stdout


@pytest.mark.parametrize("uid", BOARDS)
def test_every_metric_is_one_that_there_is(uid: str) -> None:
    board = BOARDS[uid]
    asked = [expr for number in board.panels for expr in queries(board, number, {}, 3600)]
    asked += [variable.series for variable in board.variables if variable.label]
    strange = {name for expr in asked for name in metrics(expr)} - EXPORTED - RECORDED
    assert not strange
