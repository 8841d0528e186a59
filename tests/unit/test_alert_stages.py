"""Lab 17: what the checker reads of logs and messages, and how its stages wait for each other."""

from __future__ import annotations

import asyncio
from typing import Any

from mlops_lab.checks import LabError
from tests.lab_programs import loaded
from tests.made_up import NothingThere, made_up_lab

checks = loaded("17")


def test_a_complaint_is_told_without_the_folder_that_a_configmap_lies_in() -> None:
    line = 'ts=1 level=error msg="x" err="parsing \\"/etc/p/..2026_01_01_10.5/rules.yaml\\": unclosed left parenthesis"'
    assert checks.complaint(line) == 'parsing "/etc/p/rules.yaml": unclosed left parenthesis'


def pod(name: str, made: str, restarts: int, ready: bool = False) -> dict[str, Any]:
    states = [{"restartCount": restarts, "ready": ready}]
    return {"metadata": {"name": name, "creationTimestamp": made}, "status": {"containerStatuses": states}}


def test_a_container_that_was_started_three_times_ends_again_and_again() -> None:
    assert checks.ends_again([pod("a", "1", 2)])
    assert not checks.ends_again([pod("a", "1", 1), pod("b", "2", 5, ready=True), {"metadata": {}}])


def test_the_newest_pod_complains_of_its_run_before_or_else_of_this_one() -> None:
    asked: list[tuple[str, bool]] = []

    async def logs(name: str, *, tail: int, previous: bool) -> str:
        asked.append((name, previous))
        if previous:
            raise LabError("no previous container", "")
        return "started\nlevel=error err=bad\n"

    lab = made_up_lab("17", objects=NothingThere(logs=logs))
    assert asyncio.run(checks.complaints(lab, [pod("old", "1", 0), pod("new", "2", 0)])) == ("bad",)
    assert asked == [("new", True), ("new", False)]
    assert asyncio.run(checks.complaints(lab, [])) == ()


def test_a_rule_file_is_made_of_what_prometheus_has_loaded() -> None:
    recording = {"type": "recording", "name": "a:b", "query": "sum(x)"}
    alerting = {"type": "alerting", "name": "A", "query": "a:b > 1", "duration": 30.0, "labels": {"severity": "info"}}
    assert checks.rule_file([{"name": "g", "rules": [recording, alerting]}]) == {
        "groups": [
            {
                "name": "0-g",
                "rules": [
                    {"record": "a:b", "expr": "sum(x)", "labels": {}},
                    {
                        "alert": "A",
                        "expr": "a:b > 1",
                        "labels": {"severity": "info"},
                        "annotations": {},
                        "for": "30s",
                        "keep_firing_for": "0s",
                    },
                ],
            }
        ]
    }


def test_where_an_alert_went_that_did_not_go_where_it_should() -> None:
    message = {"alerts": [{"status": "firing", "labels": {"severity": "critical"}}]}
    assert checks.Notifications().elsewhere("critical") == "it came to nobody"
    assert checks.Notifications(notes_all=[message]).elsewhere("critical") == "it came to the chat alone"
