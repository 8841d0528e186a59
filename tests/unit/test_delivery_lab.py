"""Lab 29: what the team commits, and the lab played on this machine with each solution and mistake."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from mlops_lab.base.errors import Failure, LabError
from mlops_lab.checks import Observation
from mlops_lab.checks.check import Check
from mlops_lab.checks.run import run_checks
from mlops_lab.checks.verdicts import Result
from mlops_lab.kit.ci_forms import FORMS
from mlops_lab.kit.given import in_manifests
from mlops_lab.labs.catalog import Exercise
from mlops_lab.labs.variants import Variant, solutions, wrongs
from mlops_lab.measure.traffic.http import Answer
from tests.delivery_cluster import LAB, delivered
from tests.lab_programs import loaded
from tests.made_up import Room, made_up_lab

EXERCISE = Exercise(LAB, "29", "delivery-by-git")
RIGHTS = ("has_few_rights--admin-of-the-namespace",)  # only an API server knows


def results(variant: Variant, folder: Path, times: int = 1) -> list[Result]:
    """What the checks say of programs that run here."""
    found: list[Result] = []
    with delivered(variant, folder) as (checker, place):
        checks = [each for each in vars(checker._modules[0]).values() if isinstance(each, Check)]
        for _ in range(times):
            found += asyncio.run(run_checks(place.lab(variant.check), checks))
    return found


@pytest.mark.long
@pytest.mark.parametrize("way", solutions(EXERCISE), ids=lambda way: way.name)
def test_each_solution_has_full_marks_twice(way: Variant, tmp_path: Path) -> None:
    found = results(way, tmp_path, times=2)
    assert [(each.check, each.seen, each.why) for each in found if each.earned < each.points] == []
    assert sum(each.points for each in found) == 2 * 20


@pytest.mark.long
@pytest.mark.parametrize(
    "mistake", [each for each in wrongs(EXERCISE) if each.folder.name not in RIGHTS], ids=lambda each: each.folder.name
)
def test_each_mistake_fails_its_check_alone(mistake: Variant, tmp_path: Path) -> None:
    found = results(mistake, tmp_path)
    assert [each.check for each in found if each.verdict.value in ("fail", "error")] == [mistake.check]
    assert "error" not in {each.verdict.value for each in found}


def flights(count: int = 200) -> tuple[list[Any], list[bool]]:
    draw = Random(4)
    rows = [{name: draw.choice((None, draw.gauss(0, 1))) for name in ("wind", "sight")} for _ in range(count)]
    return rows, [draw.random() < 1 / (1 + 2.7 ** -((row["wind"] or 0) - (row["sight"] or 0))) for row in rows]


def test_models_are_as_much_worse_as_is_asked_for() -> None:
    checker, (rows, late) = loaded("29", "models"), flights()
    best = checker.best(rows, late)
    for number, much in enumerate((0.0005, 0.006, 0.015, 0.04)):
        other = checker.worse_by(best, much, rows, late, Random(number))
        assert checker.loss(other, rows, late) - checker.loss(best, rows, late) == pytest.approx(much, abs=2e-4)


GIVEN = in_manifests(LAB / "start", "ConfigMap", "first-commit")["data"]


def repository() -> dict[str, Any]:
    """The team's files, as the Job of the seed makes them."""
    given = GIVEN
    text = given["deployment.yaml"]
    for name in ("SERVER", "WEIGHTS", "KEY"):
        text = text.replace(f"{{{{{name}}}}}", name.lower())
    model = {"version": "m", "bias": 0.0, "weights": {"wind": 1.0}}
    return {
        "service/deployment.yaml": yaml.safe_load(text), "service/service.yaml": yaml.safe_load(given["service.yaml"]),
        "service/server.yaml": {"metadata": {"name": "s"}, "data": {"server.py": given["server.py"]}},
        "service/weights.yaml": {"metadata": {"name": "w"}, "data": {"model.json": json.dumps(model)}},
        "sealed/key.yaml": {"metadata": {"name": "k"}, "sealed": {"API_KEY": base64.b64encode(b"x" * 256).decode()}},
    }  # fmt: skip


def test_each_fault_changes_something_and_the_program_still_compiles() -> None:
    faults, names = loaded("29", "faults"), loaded("29", "repository").named_by_content
    for kind, kinds in faults.FAULTS.items():
        for fault in (each for some in kinds for each in some):
            right, files = repository(), repository()
            fault(files, Random(1))
            assert files != right, fault
            compile(files["service/server.yaml"]["data"]["server.py"], "server.py", "exec")
            names(files)
            if kind != "manifest":
                json.dumps(files)
    files = repository()
    names(files)
    assert files["service/weights.yaml"]["metadata"]["name"].startswith("weights-")


def test_a_key_is_found_however_it_is_written(tmp_path: Path) -> None:
    checker, keys = loaded("29", "repository"), [f"{Random(7).randrange(1 << 128):032x}"]
    key, there = keys[0], tmp_path / "one"

    def run(*words: str) -> None:
        subprocess.run(["git", *checker.WHO, "-C", str(there), *words], check=True, capture_output=True)

    url = f"file://{there}"  # a path alone would copy what no ref leads to, too
    there.mkdir()
    run("init", "--quiet", "--initial-branch=main")
    (there / "a").write_text("nothing")
    run("add", "a")
    run("commit", "--quiet", "--message", "one")
    assert checker.in_clear(url, tmp_path / "copy", keys) == []
    for number, text in enumerate((key, *(base64.b64encode(f"{'x' * n}{key}yz".encode()).decode() for n in range(4)))):
        run("notes", "--ref=delivery", "add", "--force", "--message", f"accepted {text}", "HEAD")
        assert checker.in_clear(url, tmp_path / f"copy{number}", keys), text
    run("update-ref", "-d", "refs/notes/delivery")
    run("tag", "--annotate", "--message", key.encode().hex(), "t")
    assert "tag" in checker.in_clear(url, tmp_path / "copy9", keys)[0]


def test_what_passengers_are_told_is_held_against_the_model() -> None:
    checker = loaded("29", "passengers")
    models = {"m": {"version": "m", "bias": 0.0, "weights": {"wind": 1.0}}}
    rows = [{"wind": None}, {"wind": 0.0}]
    right = {"model_version": "m", "probabilities": [0.5, 0.5]}
    assert checker.wrong(200, right, rows, models) == ""
    strange: list[Any] = [
        None, [], 3, "text", {}, right | {"model_version": ["m"]}, right | {"model_version": "n"},
        right | {"probabilities": 1}, right | {"probabilities": [0.5]}, right | {"probabilities": [0.5, None]},
        right | {"probabilities": [0.5, True]}, right | {"probabilities": [0.5, float("nan")]},
        right | {"probabilities": [50.0, 50.0]}, right | {"probabilities": [10**400, 0.5]},
    ]  # fmt: skip
    assert all(checker.wrong(200, each, rows, models) for each in strange)
    assert checker.wrong(500, right, rows, models)


class Notes:
    """A team whose repository says always the same."""

    def __init__(self, text: str) -> None:
        self.text = text

    async def ask(self, said: Any, *, within: float) -> Any:
        return {"notes": [self.text]}


@pytest.mark.parametrize(("text", "wanted", "ok"), [
    ("accepted", "accepted", True), ("accepted\n\nby me", "accepted", True), ("accepted: yes", "accepted", True),
    ("acceptedly", "accepted", False), ("Accepted", "accepted", False), ("", "accepted", False),
    ("refused: start, it ends", "refused: start", True), ("refused: start", "refused: start", True),
    ("refused: started", "refused: start", False), ("refused: ready", "refused: start", False),
    ("\x00\ufffd" * 900, "accepted", False),
])  # fmt: skip
def test_a_note_says_by_its_first_line(text: str, wanted: str, ok: bool) -> None:
    checker = loaded("29", "stage")
    found = asyncio.run(checker.Team(made_up_lab("29"), Notes(text)).told("abc", "a commit", wanted))
    assert found.ok is ok and len(found.seen) < 1500


@pytest.mark.parametrize(("status", "kind"), [(200, Failure), (0, LabError)])
def test_a_repository_that_was_changed_is_the_learners_and_a_server_that_is_away_is_not(
    status: int, kind: type[Exception]
) -> None:
    async def ask(said: Any, *, within: float) -> Any:
        return {"trouble": "ValueError: server.py of the repository has no x"}

    async def get(*given: Any, **more: Any) -> Answer:
        return Answer(status, {}, b"", 0.1, "", "")

    team = loaded("29", "stage").Team(made_up_lab("29", traffic=Room(get=get)), SimpleNamespace(ask=ask))
    with pytest.raises(kind):
        asyncio.run(team.do("tip"))


def test_the_forms_that_the_lab_gives_take_the_same_steps() -> None:
    steps = {tuple(read((LAB / "start" / "ci" / name).read_text())) for name, read in FORMS.items()}
    assert steps == {("python3 ci/steps.py check",)}


@pytest.mark.parametrize("text", ["", "import time; time.sleep(60)", "print('x' * 10**6)", "import sys; sys.exit(3)"])
def test_steps_that_are_strange_are_ended_and_cut(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checker = loaded("29", "ci_run")
    monkeypatch.setattr(checker, "WITHIN", 1.0)
    (tmp_path / "steps.py").write_text(text)
    code, said = checker.taken(tmp_path, [f"{sys.executable} steps.py"])
    assert code in (0, 3, -1) and len(said) < 500


def test_a_reason_belongs_to_a_change_that_is_not_right() -> None:
    checker = loaded("29", "ci")
    said: Any = checker._said
    assert said("a model that is as good", [0, ""]).ok and not said("a model that is as good", [1, "no"]).ok
    assert said("a model that is worse", [1, "no"]).ok and not said("a model that is worse", [1, ""]).ok
    for code in (0, -1):
        seen: Observation = said("a model that is worse", [code, "no"])
        assert not seen.ok
