"""The rules of the monitoring chart, under promtool: every alert fires and keeps silent, every record has its value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_lab.base.paths import project
from tests.rules.promtool import RULES, promtool

HERE = Path(__file__).parent
FILES = sorted(path.name for path in RULES.glob("*.yaml"))
RUNBOOKS = project() / "docs" / "runbooks.md"


def rules(file: str) -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load((RULES / file).read_text())["groups"]:
        yield from group["rules"]


ALERTS = {rule["alert"]: rule for file in FILES for rule in rules(file) if "alert" in rule}
RECORDS = sorted({rule["record"] for file in FILES for rule in rules(file) if "record" in rule})


def cases(kind: str) -> list[dict[str, Any]]:
    """All tests of a kind (`alert_rule_test` or `promql_expr_test`) in this folder."""
    files = [yaml.safe_load(path.read_text()) for path in sorted(HERE.glob("*.yaml"))]
    return [case for file in files for test in file["tests"] for case in test.get(kind) or []]


def test_there_is_a_test_file_for_each_file_of_rules() -> None:
    assert FILES
    assert sorted(path.name for path in HERE.glob("*.yaml")) == FILES


@pytest.mark.parametrize("file", FILES)
def test_rules_are_well_formed(file: str) -> None:
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", file, cwd=RULES)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file", FILES)
def test_rules_do_what_their_tests_say(file: str) -> None:
    done = promtool("test", "rules", file, cwd=HERE)
    assert done.returncode == 0, done.stdout


DISCOVERIES = ("dns_sd_configs: [{names: [a], type: A, port: 9093}]", "file_sd_configs: [{files: [a.json]}]",
               "http_sd_configs: [{url: 'http://a'}]", "kubernetes_sd_configs: [{role: pod}]")  # fmt: skip


@pytest.mark.parametrize("discovery", DISCOVERIES)
def test_the_built_prometheus_knows_what_a_cluster_finds_targets_by(tmp_path: Path, discovery: str) -> None:
    config = f"scrape_configs: [{{job_name: a, {discovery}}}]\nalerting: {{alertmanagers: [{{{discovery}}}]}}\n"
    (tmp_path / "prometheus.yml").write_text(config)
    done = promtool("check", "config", "prometheus.yml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_is_shown_to_fire_and_to_keep_silent(alert: str) -> None:
    wanted = [bool(case.get("exp_alerts")) for case in cases("alert_rule_test") if case["alertname"] == alert]
    assert True in wanted, "no test in which it fires"
    assert alert == "Watchdog" or False in wanted, "no test in which it keeps silent"


@pytest.mark.parametrize("record", RECORDS)
def test_each_record_is_shown_to_have_its_value(record: str) -> None:
    name = re.compile(rf"(?<![\w:]){re.escape(record)}(?![\w:])")
    assert [case for case in cases("promql_expr_test") if name.search(case["expr"]) and case.get("exp_samples")]


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_says_how_bad_it_is_and_what_to_do(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in ("critical", "warning", "info", "none")
    assert alert == "Watchdog" or rule.get("for"), "it would fire on a single sample"
    notes = rule["annotations"]
    assert set(notes) == {"summary", "description", "runbook_url"}
    file, _, anchor = notes["runbook_url"].partition("#")
    assert project() / file == RUNBOOKS
    headings = re.findall(r"^## (\w+)$", RUNBOOKS.read_text(), re.MULTILINE)
    assert anchor in [heading.lower() for heading in headings]


def test_each_runbook_belongs_to_an_alert_and_says_what_to_do() -> None:
    sections = re.split(r"^## ", RUNBOOKS.read_text(), flags=re.MULTILINE)[1:]
    assert [section.partition("\n")[0] for section in sections] == sorted(ALERTS)
    for section in sections:
        name = section.partition("\n")[0]
        assert all(f"**{part}**" in section for part in ("Means.", "Look.", "Do.")), name


@pytest.mark.parametrize(
    ("file", "was", "becomes"),
    [
        ("model.yaml", "app_of:model_psi:2m{of=\"prediction\"} > 0.2", "app_of:model_psi:2m{of=\"prediction\"} > 0.3"),
        ("model.yaml", "increase2m >= 500\n        for: 30s", "increase2m >= 100\n        for: 30s"),
        ("serving.yaml", "|/readyz|/metrics\"}[1m]))\n      - record: app:", "\"}[1m]))\n      - record: app:"),
        ("cluster.yaml", "> 2\n", "> 90\n"),
    ],
)  # fmt: skip
def test_a_rule_that_was_spoilt_is_noticed(file: str, was: str, becomes: str, tmp_path: Path) -> None:
    text = (RULES / file).read_text()
    assert was in text
    for path in RULES.glob("*.yaml"):
        (tmp_path / path.name).write_text(path.read_text())
    (tmp_path / file).write_text(text.replace(was, becomes))
    (tmp_path / "tests.yaml").write_text((HERE / file).read_text().replace("../../charts/monitoring/rules/", ""))
    done = promtool("test", "rules", "tests.yaml", cwd=tmp_path)
    assert done.returncode != 0
    assert "FAILED" in done.stdout
