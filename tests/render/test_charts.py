"""Every chart with every profile, rendered by helm without a cluster and held against the rules of `gates`."""

from __future__ import annotations

import fnmatch
import os
import subprocess
from pathlib import Path

import pytest

from mlops_lab.base.paths import project
from tests.render import gates, readmes, values
from tests.render.charts import CHARTS, REGISTRY, Chart, charts, helm, template

every_chart = pytest.mark.parametrize("chart", charts(), ids=lambda chart: chart.name)


@every_chart
@pytest.mark.parametrize("gate", gates.GATES, ids=lambda gate: gate.__name__)
def test_a_chart_keeps_to_the_rule(chart: Chart, gate: gates.Gate) -> None:
    complaints = {case: gate(chart, objects) for case, objects in chart.all()}
    assert {case: says for case, says in complaints.items() if says} == {}


@every_chart
def test_a_change_of_profile_leaves_volumes_alone(chart: Chart) -> None:
    assert gates.volumes(chart) == []


@every_chart
def test_pages_are_ports_of_the_chart(chart: Chart) -> None:
    assert gates.pages(chart, chart.render(chart.cases()["defaults"])) == []


@every_chart
def test_a_chart_renders_for_the_oldest_and_the_pinned_kubernetes(chart: Chart) -> None:
    for case, files in chart.cases().items():
        for kube in ("v1.29.0", "v1.37.0"):
            assert chart.render(files), case
            assert template(chart.folder, files, kube).returncode == 0, (case, kube)


@every_chart
def test_helm_lint_finds_nothing(chart: Chart) -> None:
    for files in chart.cases().values():
        words = [word for file in files for word in ("--values", str(file))]
        lint = subprocess.run(
            [helm(), "lint", "--strict", str(chart.folder), *words],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert lint.returncode == 0, lint.stdout + lint.stderr


@every_chart
def test_the_schema_names_every_key_and_type(chart: Chart) -> None:
    assert values.lax(chart) == []


@every_chart
def test_helm_refuses_unknown_keys_and_wrong_types(chart: Chart, tmp_path: Path) -> None:
    assert values.not_refused(chart, tmp_path) == []


@every_chart
def test_every_value_is_read_and_described(chart: Chart) -> None:
    assert values.unread(chart) == []
    assert values.undescribed(chart) == []


@every_chart
def test_every_pod_pulls_with_the_secrets_that_are_named(chart: Chart, tmp_path: Path) -> None:
    assert values.pull_secrets(chart, tmp_path) == []


@pytest.mark.parametrize(
    ("host", "answered"),
    [
        ("localhost:15000", True), ("127.0.0.1:5000", True), ("mlflow:5000", True), ("10.244.1.17:5000", True),
        ("192.168.0.9:30500", True), ("172.16.0.1:5000", True), ("172.31.255.254", True), ("10.0.0.12", True),
        ("172.32.0.1:5000", False), ("11.0.0.1:5000", False), ("10.example.com:5000", False), ("10.example.com", False),
        ("192.168.0.1.example.com:5000", False), ("172.16.example.com:500", False), ("mlflow.example.com:5000", False),
    ],
)  # fmt: skip
def test_mlflow_answers_private_addresses_and_no_strangers_name(host: str, answered: bool) -> None:
    deployment = next(each for each in Chart(CHARTS / "mlflow").render() if each.name == "Deployment mlflow")
    (hosts,) = (
        word.partition("=")[2] for word in deployment.containers[0]["args"] if word.startswith("--allowed-hosts=")
    )
    # As MLflow's server/security_utils.py compares them; mlflow-skinny comes without it.
    matches = [fnmatch.fnmatch(host, each) if "*" in each else host == each for each in hosts.split(",")]
    assert any(matches) is answered


def test_mlflow_may_copy_its_database_before_an_update(tmp_path: Path) -> None:
    chart = Chart(CHARTS / "mlflow")
    (tmp_path / "values.yaml").write_text("backend: {copies: 5}\n")
    for files, copies in (((), "2"), ((tmp_path / "values.yaml",), "5")):
        objects = {each.name: each for each in chart.render(files)}
        (server,) = objects["Deployment mlflow"].containers
        assert {"name": "DATABASE_COPIES", "value": copies} in server["env"]
        probe = server["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] >= 900  # a copy and a migration are not ended midway
        database = objects["ConfigMap postgresql"].body["data"]
        assert "ALTER ROLE mlflow CREATEDB" in database["start.sh"]
        assert "host all mlflow all scram-sha-256" in " ".join(database["pg_hba.conf"].split())


@pytest.mark.parametrize("name", ["inference", "mlflow"])
def test_own_images_are_pulled_when_it_is_said(name: str, tmp_path: Path) -> None:
    chart = Chart(CHARTS / name)
    (tmp_path / "values.yaml").write_text("imagePullPolicy: Always\n")
    for case, files in chart.cases().items():
        for more, policy in (((), None), ((tmp_path / "values.yaml",), "Always")):
            found = [each for one in chart.render((*files, *more)) for each in one.containers]
            ours = [each.get("imagePullPolicy") for each in found if each["image"].startswith(f"{REGISTRY}/")]
            assert len(ours) > 1 and set(ours) == {policy}, case


@every_chart
def test_with_secrets_that_are_there_every_render_is_the_same(chart: Chart) -> None:
    assert values.repeatable(chart) == []


@every_chart
def test_no_password_is_a_value(chart: Chart) -> None:
    assert values.passwords(chart) == []


@every_chart
def test_the_readmes_commands_and_values_are_right(chart: Chart) -> None:
    assert readmes.readme(chart) == []


def test_runbooks_name_values_that_there_are() -> None:
    assert readmes.misnamed(Chart(CHARTS / "monitoring"), (project() / "docs" / "runbooks.md").read_text()) == []


@every_chart
def test_the_readmes_table_is_the_values(chart: Chart) -> None:
    """`UPDATE_TABLES=1 pytest tests/render -k table` writes it."""
    if os.environ.get("UPDATE_TABLES"):
        (chart.folder / "README.md").write_text(values.with_table(chart))
    assert values.table(chart) in (chart.folder / "README.md").read_text(), f"\n{values.table(chart)}"
