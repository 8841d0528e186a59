"""The exam's task alert-on-errors under promtool: its solutions and its mistakes with several draws."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_lab.labs.checker import load
from mlops_lab.labs.variants import lay_out, solutions, wrongs
from mlops_lab.tasks.rendering import Rendered, render
from mlops_lab.tasks.task import bank, named
from tests.rules.promtool import promtool

FIRES, SILENT = "fires_when_users_are_harmed", "is_silent_otherwise"
SEEDS = (2, *(pytest.param(each, marks=pytest.mark.long) for each in (3, 5)))


@pytest.fixture(params=SEEDS)
def task(request: pytest.FixtureRequest, tmp_path: Path) -> Rendered:
    return render(named("alert-on-errors", bank()), request.param, "exam-1", tmp_path / "alert-on-errors")


def replayed(task: Rendered, rules: str, folder: Path) -> Any:
    """What the checker makes of a rule file."""
    name = load(task).__name__
    histories, reader = (importlib.import_module(f"{name}.{each}") for each in ("histories", "rules"))
    drawn = task.drawn
    folder.mkdir()
    (folder / reader.KEY).write_text(rules)
    tests = histories.tests(reader.KEY, drawn["alert"], drawn["share"], drawn["hold"])
    (folder / "tests.json").write_text(json.dumps(tests))
    return reader.read(promtool("test", "rules", "tests.json", cwd=folder).stdout)


def verdict(task: Rendered, found: Any) -> str:
    """The check that fails; none if all pass."""
    if not found.readable.ok:
        return "has_the_alert"
    hold, histories = task.drawn["hold"], importlib.import_module(f"{load(task).__name__}.histories")
    if any(min(found.minutes[name], default=0) < hold for name in histories.FIRES):
        return FIRES
    if any(float(hold + 2) not in found.minutes[name] for name in histories.FIRES):
        return FIRES
    return SILENT if any(found.minutes[name] for name in histories.SILENT) else ""


def rules_of(variant: Any, folder: Path) -> str:
    folder.mkdir()
    lay_out(variant, folder)
    if (folder / "rules.yaml").is_file():
        return str(yaml.safe_load((folder / "rules.yaml").read_text())["data"]["errors.yaml"])
    found = re.search(r"<<'EOF'\n(.*?)EOF\n", (folder / "answer.sh").read_text(), re.DOTALL)
    assert found
    return found[1]


def test_solutions_pass_and_mistakes_fail_their_check(task: Rendered, tmp_path: Path) -> None:
    seen, expected = {}, {}
    for number, variant in enumerate([*solutions(task), *wrongs(task)]):
        rules = rules_of(variant, tmp_path / f"files-{number}")
        expected[variant.name] = variant.check
        seen[variant.name] = verdict(task, replayed(task, rules, tmp_path / f"tests-{number}"))
    for each in ("has_the_alert--another-severity", f"{FIRES}--looked-at-every-five-minutes"):
        expected[each] = ""  # promtool does not mind
    assert seen == expected


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ("summary: ", "runbook: 'error: see /errors.yaml: err: '\n      summary: ", ""),
        ("for: ", "keep_firing_for: 5m\n    for: ", SILENT),
        ("5..", "500|502|503|504", FIRES),
        ("5..", "50.", FIRES),
        ("}[1m])) >", ", status!~'4..'}[1m])) >", SILENT),
        ("rate(", "increase(", ""),
        ("- name: errors", "- interval: 1m\n  name: errors", ""),
    ],
)
def test_other_rules(task: Rendered, old: str, new: str, check: str, tmp_path: Path) -> None:
    (given,) = [each for each in solutions(task) if each.name == "manifests"]
    rules = yaml.safe_dump(yaml.safe_load(rules_of(given, tmp_path / "files")), width=1000)
    assert old in rules
    assert verdict(task, replayed(task, rules.replace(old, new), tmp_path / "tests")) == check
