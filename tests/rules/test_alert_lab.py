"""Lab 17's normal day and faults under promtool, with its solutions' rules; and the images that its files name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.base.paths import project
from mlops_lab.base.versions import pin
from tests.lab_programs import loaded
from tests.rules.promtool import promtool

LAB = project() / "labs" / "17-alert-that-matters"
TARGETS = [{"job": "model", "instance": f"10.0.0.{number}:8080", "pod": f"model-{number}"} for number in range(3)]


day = loaded("17", "day")


def replayed(rules: Path, at: Path) -> dict[str, list[Any]]:
    replays = day.replays(TARGETS, [{"job": "prometheus", "instance": "localhost:9090"}], str(rules))
    (at / "replays.json").write_text(json.dumps(replays))
    return dict(day.fired(promtool("test", "rules", "replays.json", cwd=at).stdout))


@pytest.mark.parametrize("name", ["window", "burn-rate"])
def test_a_solution_is_silent_all_day_and_fires_for_each_fault(name: str, tmp_path: Path) -> None:
    found = replayed(LAB / "solution" / name / "rules.yaml", tmp_path)
    assert found.pop("normal", []) == []
    assert set(found) == set(day.TRIALS)
    for fault, alerts in found.items():
        assert {each.labels["severity"] for each in alerts} == {day.TRIALS[fault].severity}
        assert all(0 < each.since <= 100 for each in alerts)


def test_what_always_fires_is_seen_as_one_alert_from_midnight_on(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("groups: [{name: a, rules: [{alert: Always, expr: vector(1)}]}]")
    found = replayed(tmp_path / "rules.yaml", tmp_path)
    (alert,) = found["normal"]
    assert (alert.labels, alert.since, alert.lasted) == ({"alertname": "Always"}, day.STEP, day.DAY)
    assert all(each.since <= 0 for name in day.TRIALS for each in found[name]), "it fired before the fault"
    assert day.story(day.HICCUP).startswith("15:10: for 10 s")


@pytest.mark.parametrize("hint", ["ask {team}", "see expr: rate", "error: rate", 'a "quote" and }', "\N{FIRE}"])
def test_an_alert_is_seen_whatever_its_labels_and_annotations_say(hint: str, tmp_path: Path) -> None:
    noise = {"alert": "Noise", "expr": "vector(1)", "labels": {"hint": hint}, "annotations": {"summary": hint}}
    rules = {"groups": [{"name": "a", "rules": [noise]}]}
    (tmp_path / "rules.json").write_text(json.dumps(rules, ensure_ascii=False))
    replays = day.replays([{**each, "hint": hint} for each in TARGETS], [], "rules.json", 1)
    (tmp_path / "replays.json").write_text(json.dumps({**replays, "tests": replays["tests"][:1]}, ensure_ascii=False))
    (alert,) = day.fired(promtool("test", "rules", "replays.json", cwd=tmp_path).stdout)["normal"]
    assert (alert.labels["alertname"], alert.lasted) == ("Noise", day.HOUR)


def test_published_images_are_those_of_versions_toml() -> None:
    files = [file for file in LAB.rglob("*.yaml") if "image: quay.io" in file.read_text()]
    named = {name for file in files for name in re.findall(r"image: (quay.io/\S+)", file.read_text())}
    assert named == {pin("images.prometheus.name"), pin("images.alertmanager.name")}
