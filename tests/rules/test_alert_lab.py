"""Lab 17's normal day and faults under promtool, with its solutions' rules; and the images that its files name."""

from __future__ import annotations

import json
import random
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_lab.base.paths import project
from mlops_lab.base.versions import pin
from mlops_lab.labs.catalog import resolve
from mlops_lab.labs.variants import Variant, lay_out, wrongs
from tests.lab_programs import loaded
from tests.mistakes import one_of_each_check
from tests.rules.promtool import promtool

LAB = project() / "labs" / "17-alert-that-matters"
RULES = ("silent_through_a_normal_day", "fires_for_each_fault")
TARGETS = [{"job": "model", "instance": f"10.0.0.{number}:8080", "pod": f"model-{number}"} for number in range(3)]


checks, day, plan = loaded("17"), loaded("17", "day"), loaded("17", "plan")


def planned(seed: int) -> Any:
    return plan.Plan(random.Random(seed))


def wrong(variant: Path, found: dict[str, list[Any]], seed: int = 1) -> list[str]:
    """The faults whose alerts are not right, and the alerts that lack labels or annotations."""
    text = yaml.safe_load((variant / "rules.yaml").read_text())
    groups = [
        {
            "interval": 60 * int(str(group.get("interval", "0m")).removesuffix("m")),
            "rules": [
                {
                    **rule,
                    "type": "alerting" if "alert" in rule else "recording",
                    "name": rule.get("alert", ""),
                    "query": rule["expr"],
                }
                for rule in group["rules"]
            ],
        }
        for group in text["groups"]
    ]
    missed = [
        name for name, trial in planned(seed).trials.items() if checks.wrong(name, trial, found.get(name, []), groups)
    ]
    return missed + checks.unlabelled(groups, TARGETS, found)


def replayed(rules: Path, at: Path, seed: int = 1) -> dict[str, list[Any]]:
    replays = day.replays(planned(seed), TARGETS, [{"job": "prometheus", "instance": "localhost:9090"}], str(rules))
    (at / "replays.json").write_text(json.dumps(replays))
    return dict(day.fired(promtool("test", "rules", "replays.json", cwd=at).stdout))


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", ["window", "burn-rate"])
def test_a_solution_is_silent_all_day_and_fires_for_each_fault(name: str, seed: int, tmp_path: Path) -> None:
    found, trials = replayed(LAB / "solution" / name / "rules.yaml", tmp_path, seed), planned(seed).trials
    assert [(each.labels["alertname"], planned(seed).story(each.since)) for each in found.pop("normal", [])] == []
    assert set(found) == set(trials)
    for fault, alerts in found.items():
        assert {each.labels["severity"] for each in alerts} == {trials[fault].severity}
        assert all(0 < each.since <= 110 for each in alerts), (trials[fault].what, alerts)
    assert wrong(LAB / "solution" / name, found, seed) == []
    assert checks.lingering(trials, found) == []


@pytest.mark.long
def test_a_critical_alert_may_be_kept_for_a_minute(tmp_path: Path) -> None:
    text = (LAB / "solution" / "window" / "rules.yaml").read_text()
    (tmp_path / "rules.yaml").write_text(re.sub(r"( +)for: .+\n", r"\g<0>\1keep_firing_for: 1m\n", text))
    found = replayed(tmp_path / "rules.yaml", tmp_path)
    assert found.pop("normal", []) == wrong(tmp_path, found) == checks.lingering(planned(1).trials, found) == []


def test_a_metronome_is_there_for_each_fault_and_before_it(tmp_path: Path) -> None:
    labels = "labels: {severity: critical, service: model}"
    rule = f"{{alert: Drill, expr: vector(time() % 100) < 20, {labels}}}"
    (tmp_path / "rules.yaml").write_text(f"groups: [{{name: a, rules: [{rule}]}}]")
    found = replayed(tmp_path / "rules.yaml", tmp_path)
    for name, trial in planned(1).trials.items():
        if trial.severity == "critical":
            assert any(0 < each.since <= 120 for each in checks.answers(trial, found[name]))
            assert any(each.since <= 0 for each in checks.answers(trial, found[name]))


KEPT = "resolves--keeps-firing-when-nobody-answered"
MISTAKES = [each for each in wrongs(resolve("17")) if each.check in RULES or each.name == KEPT]


# A day takes seconds to replay.
@pytest.mark.parametrize("variant", one_of_each_check({each.name: [each] for each in MISTAKES}))
def test_a_mistake_in_the_rules_fails_its_check_and_no_other(variant: Variant, tmp_path: Path) -> None:
    lay_out(variant, tmp_path)
    found = replayed(tmp_path / "rules.yaml", tmp_path)
    assert bool(found.pop("normal", [])) == (variant.check == "silent_through_a_normal_day")
    assert bool(wrong(tmp_path, found)) == (variant.check == "fires_for_each_fault")
    assert bool(checks.lingering(planned(1).trials, found)) == (variant.check == "resolves")


def test_a_day_is_drawn_and_drawn_again() -> None:
    one, same, other = planned(1), planned(1), planned(2)
    assert one.events == same.events != other.events
    assert one.trials == same.trials != other.trials
    for each in one.events:
        assert one.story(each.at).endswith(each.said)
    assert 0.05 < one.trials["errors"].during.errors < 0.1
    assert one.trials["errors"].during.status in plan.HIGHER
    shares = {each.kind: each.size for each in one.events}
    kinds = {each.kind: each for each in one.events}
    away, alone, fewer, nobody = (kinds[kind] for kind in ("lost", "alone", "fewer", "nobody"))
    assert away.lasts >= 90 * plan.MINUTE and away.at + away.lasts < fewer.at < plan.DAY - 20 * plan.MINUTE
    assert away.at < alone.at < alone.at + alone.lasts < away.at + away.lasts
    assert [len(one.normal(each.at).lost) for each in (away, alone, fewer)] == [1, 2, 0]
    assert away.size != alone.size and one.normal(fewer.at).away == fewer.size
    assert not any(one.normal(at).rate for at in range(nobody.at, nobody.at + nobody.lasts, plan.STEP))
    assert nobody.at + nobody.lasts <= plan.NIGHT
    lasting, sluggish = kinds["lasting"], kinds["sluggish"]
    assert lasting.at >= plan.NIGHT and lasting.at + lasting.lasts + plan.AFTER <= plan.SLOTS.start * plan.HOUR
    assert lasting.lasts >= 90 * plan.MINUTE and one.normal(sluggish.at).worst in range(plan.PODS)
    moment = one.normal(lasting.at)
    assert 0.03 < moment.errors < 0.05 and 0.06 < moment.slow < 0.1
    slow = one.trials["slow"]
    assert slow.moment(plan.LEAD + 60).slow < 0.2 and slow.moment(plan.LEAD + plan.FAULT).slow > 0.8
    assert 0.03 <= shares["failing"] < 0.05 and 0.07 <= shares["sluggish"] < 0.1


def test_of_each_kind_of_fault_one_is_at_a_weekend_and_another_is_not() -> None:
    for seed in range(20):
        trials = planned(seed).trials
        assert sorted(trials) == sorted(name for kind in plan.KINDS for name in kind)
        for kind in plan.KINDS:
            days = [datetime.fromtimestamp(trials[name].begins, UTC).strftime("%A") for name in kind]
            assert sum(each in plan.WEEKEND.values() for each in days) == 1
            assert [each in trials[name].what for each, name in zip(days, kind, strict=True)].count(True) == 1


def test_what_always_fires_is_seen_as_one_alert_from_midnight_on(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("groups: [{name: a, rules: [{alert: Always, expr: vector(1)}]}]")
    found = replayed(tmp_path / "rules.yaml", tmp_path)
    (alert,) = found["normal"]
    assert (alert.labels, alert.since, alert.lasted) == ({"alertname": "Always"}, plan.STEP, plan.DAY)
    assert all(each.since <= 0 for name in planned(1).trials for each in found[name]), "it fired before the fault"


def test_what_tells_nobody_is_seen_and_is_no_noise(tmp_path: Path) -> None:
    rules = [{"alert": name, "expr": "vector(1)", "labels": {"severity": name}} for name in ("info", "none", "warning")]
    (tmp_path / "rules.json").write_text(json.dumps({"groups": [{"name": "a", "rules": rules}]}))
    replays = day.replays(planned(1), TARGETS, [], "rules.json", 1)
    (tmp_path / "replays.json").write_text(json.dumps({**replays, "tests": replays["tests"][:1]}))
    found = day.fired(promtool("test", "rules", "replays.json", cwd=tmp_path).stdout)["normal"]
    assert {each.labels["alertname"] for each in found} == {"info", "none", "warning"}
    assert [each.labels["alertname"] for each in checks.told(found)] == ["warning"]


@pytest.mark.parametrize("hint", ["ask {team}", "see expr: rate", "error: rate", 'a "quote" and }', "\N{FIRE}"])
def test_an_alert_is_seen_whatever_its_labels_and_annotations_say(hint: str, tmp_path: Path) -> None:
    noise = {"alert": "Noise", "expr": "vector(1)", "labels": {"hint": hint}, "annotations": {"summary": hint}}
    rules = {"groups": [{"name": "a", "rules": [noise]}]}
    (tmp_path / "rules.json").write_text(json.dumps(rules, ensure_ascii=False))
    replays = day.replays(planned(1), [{**each, "hint": hint} for each in TARGETS], [], "rules.json", 1)
    (tmp_path / "replays.json").write_text(json.dumps({**replays, "tests": replays["tests"][:1]}, ensure_ascii=False))
    (alert,) = day.fired(promtool("test", "rules", "replays.json", cwd=tmp_path).stdout)["normal"]
    assert (alert.labels["alertname"], alert.lasted) == ("Noise", plan.HOUR)


def test_published_images_are_those_of_versions_toml() -> None:
    files = [file for file in LAB.rglob("*.yaml") if "image: quay.io" in file.read_text()]
    named = {name for file in files for name in re.findall(r"image: (quay.io/\S+)", file.read_text())}
    assert named == {pin("images.prometheus.name"), pin("images.alertmanager.name")}
