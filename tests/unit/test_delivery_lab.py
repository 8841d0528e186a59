"""Lab 29: what the team commits, and the lab played on this machine with each solution and mistake."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Callable
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
    "mistake",
    [each for each in wrongs(EXERCISE) if each.check != "has_few_rights"],  # what may be done only an API server knows
    ids=lambda each: each.folder.name,
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


def test_what_one_gate_or_another_misses_is_always_played() -> None:
    kinds = [some for kinds in loaded("29", "faults").FAULTS.values() for some in kinds]
    alone = {some[0].__name__ for some in kinds if len(some) == 1}
    assert {"one_too_few", "other_name", "no_secret", "wrong_for_few", "fails_for_some", "ends_at_once"} <= alone
    assert len(kinds) == 16  # README says so


def test_models_come_near_to_both_limits_that_the_readme_names() -> None:
    checker, readme = loaded("29", "scenario"), (LAB / "README.md").read_text()
    assert "what comes is at most 0.006 higher, or at least 0.015" in readme
    assert 0.005 < min(checker.JUST) < max(checker.JUST) < 0.006 - 1e-4
    assert 0.015 + 1e-4 < min(checker.WORSE) < max(checker.WORSE) < 0.0175
    assert max(checker.WORSE) + max(checker.SAME) <= 0.022  # the check says so


def test_two_of_six_changes_for_ci_have_a_key_in_clear_and_each_in_another_field() -> None:
    checker = loaded("29", "ci")
    assert len(checker.KINDS) == 6 and [*checker.KINDS.values()].count(True) == 2  # README says so
    for kind, field in (("a Secret in clear", "stringData"), ("a Secret in base64", "data")):
        for seed in range(6):
            clear = checker._how(Random(seed), kind, "m-1")["clear"]
            assert [*clear["values"]] == [field] and not checker.KINDS[kind]
            assert clear["json"] is (field == "data")


def test_a_right_change_for_ci_brings_files_before_the_others_or_after_them() -> None:
    checker, begins = loaded("29", "ci"), set[bool]()
    for seed in range(20):
        how = checker._how(Random(seed), "more pods, a ConfigMap and a Service", "m-1")
        assert how["replicas"] >= 3 and how["extra"]["text"]
        begins.add(how["extra"]["name"] < "deployment")
        assert how["extra"]["name"] < "deployment" or how["extra"]["name"] > "weights"
    assert begins == {True, False}


def test_hands_change_and_delete_both_what_pods_are_given_and_what_leads_to_them() -> None:
    changes = loaded("29", "hands").changes
    wanted = {"weights": "w", "program": "p", "key": "k", "image": "x:v1"}
    for seed in range(30):
        found = changes(Random(seed), wanted)
        assert len(found) == 9  # README says so
        for kind in ("Deployment", "Service", "Secret", "ConfigMap"):
            assert ["deleted" in each.what for each in found if each.kind == kind].count(True) == 1
        assert [each.kind for each in found].count("Deployment") == 3
        for kind in ("Service", "Secret", "ConfigMap"):
            assert [each.kind for each in found].count(kind) == 2


def test_a_slow_gate_gets_one_fault_of_each_word_first() -> None:
    faults, orders = loaded("29", "faults"), set()
    for seed in range(20):
        found = faults.in_turn(Random(seed))
        assert {word for word, _ in found[: len(faults.FAULTS)]} == set(faults.FAULTS)
        kinds = [(word, some) for word, kinds in faults.FAULTS.items() for some in kinds]
        for word, some in kinds:
            assert len([each for of, each in found if of == word and each in {one.__name__ for one in some}]) == 1
        assert len(found) == len(kinds)
        rest = [word == "answers" for word, _ in found[len(faults.FAULTS) :]]
        assert rest == sorted(rest, reverse=True)
        orders.add(tuple(word for word, _ in found))
    assert len(orders) > 15


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


@pytest.mark.parametrize(("data", "seen"), [
    ({"API_KEY": "aw==", "TOWER_CODE": "dA==", "more": "eA=="}, "it has"), (None, "not there"),
    ({"API_KEY": "aw=="}, "TOWER_CODE is not there"), ({"API_KEY": "aw==", "TOWER_CODE": "aw=="}, "something else"),
])  # fmt: skip
def test_a_secret_has_all_that_was_sealed(data: Any, seen: str) -> None:
    async def now() -> Any:
        return None if data is None else {"data": data}

    lab = made_up_lab("29", objects=Room(named=lambda kind, name: SimpleNamespace(now=now)))
    found = asyncio.run(loaded("29", "stage").sealed_in(lab, "k", {"API_KEY": "k", "TOWER_CODE": "t"}))
    assert found.ok is (seen == "it has") and seen in found.seen


@pytest.mark.parametrize(("ago", "within"), [(10, 110), (119, 20), (500, 20)])
def test_note_and_service_have_one_limit(ago: float, within: float, monkeypatch: pytest.MonkeyPatch) -> None:
    async def eventually(look: Any, test: Any, *, within: float, expected: str, **more: Any) -> Observation:
        return Observation(True, f"{expected} within {within:g} s", "")

    checker = loaded("29", "stage")
    team = checker.Team(made_up_lab("29", time=Room(eventually=eventually)), Notes(""))
    asyncio.run(team.change())
    began = checker.time.monotonic()
    monkeypatch.setattr(checker.time, "monotonic", lambda: began + ago)
    seen = asyncio.run(team.serves_in_time("key", "m-1"))
    assert f"that is within {within} s" in seen.expected


class Notes:
    """A team whose repository says always the same."""

    def __init__(self, text: str) -> None:
        self.text = text

    async def ask(self, said: Any, *, within: float) -> Any:
        return {"notes": [self.text]}


class Answers:
    """A team that sees these answers of the service, one after the other."""

    def __init__(self, *answers: Any) -> None:
        self.left = list(answers)

    async def ask(self, said: Any, *, within: float) -> Any:
        times = said["ask"]["times"]
        now, self.left = self.left[:times], self.left[times:]
        return {"answers": now}


NEW, OLD, REFUSED = [200, "m-2"], [200, "m-1"], [401, "None"]


@pytest.mark.parametrize(("answers", "serves", "refuses", "asked"), [
    ([NEW] * 40, True, False, 40), ([OLD] * 40, False, False, 8), ([REFUSED] * 40, False, True, 8),
    ([*[NEW] * 8, OLD] * 5, False, False, 16),  # none of one pod's among the first, by chance
    ([*[REFUSED] * 8, NEW] * 5, False, False, 8),
])  # fmt: skip
def test_all_pods_are_asked_before_it_is_believed_who_serves(
    answers: list[Any], serves: bool, refuses: bool, asked: int
) -> None:
    async def host(service: str) -> Any:
        return SimpleNamespace(address="model", port=80)

    checker = loaded("29", "stage")
    checker._at = lambda host: "model"
    lab = made_up_lab("29", traffic=Room(host=host))
    sees = Answers(*answers)
    assert asyncio.run(checker.Team(lab, sees).serves("key", "m-2")).ok is serves
    assert len(answers) - len(sees.left) == asked
    assert asyncio.run(checker.Team(lab, Answers(*answers)).refuses("key")).ok is refuses


@pytest.mark.parametrize(("text", "wanted", "ok"), [
    ("accepted", "accepted", True), ("accepted\n\nby me", "accepted", True), ("accepted: yes", "accepted", True),
    ("acceptedly", "accepted", False), ("Accepted", "accepted", False), ("", "accepted", False),
    ("refused: start, it ends", "refused: start", True), ("refused: start\n\nit ends", "refused: start", True),
    ("refused: start", "refused: start", False), ("refused: start, ", "refused: start", False),
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


@pytest.mark.parametrize(
    "trouble",
    [
        "RuntimeError: git fetch: fatal: unable to access 'http://git/delays.git/': Connection refused",
        "TimeoutExpired: Command '['git', 'fetch']' timed out after 60.0 seconds",
        "RuntimeError: git clone: fetch-pack: unexpected disconnect; fatal: early EOF",
    ],
)
def test_a_server_that_was_away_for_a_moment_is_nobodys_failure(trouble: str) -> None:
    async def ask(said: Any, *, within: float) -> Any:
        return {"trouble": trouble}

    async def get(*given: Any, **more: Any) -> Answer:
        return Answer(200, {}, b"", 0.1, "", "")

    team = loaded("29", "stage").Team(made_up_lab("29", traffic=Room(get=get)), SimpleNamespace(ask=ask))
    with pytest.raises(LabError, match="Git server"):
        asyncio.run(team.do("tip"))


def test_the_forms_that_the_lab_gives_take_the_same_steps() -> None:
    steps = {tuple(read((LAB / "start" / "ci" / name).read_text())) for name, read in FORMS.items()}
    assert steps == {("python3 ci/steps.py check",)}


def test_what_a_desktop_leaves_is_no_part_of_ci(tmp_path: Path) -> None:
    lab = made_up_lab("29", work=SimpleNamespace(folder=tmp_path))
    for name, content in (("steps.py", b"pass\n"), (".DS_Store", b"\0\xff\xfe"), (".ruff_cache/a", b"\xff")):
        (tmp_path / "ci" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "ci" / name).write_bytes(content)
    assert loaded("29", "ci").program(lab) == {"ci/steps.py": "pass\n"}
    (tmp_path / "ci" / "logo.png").write_bytes(b"\xff")
    with pytest.raises(Failure, match="logo"):
        loaded("29", "ci").program(lab)


@pytest.mark.parametrize("text", ["", "import time; time.sleep(60)", "print('x' * 10**6)", "import sys; sys.exit(3)"])
def test_steps_that_are_strange_are_ended_and_cut(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checker = loaded("29", "ci_run")
    monkeypatch.setattr(checker, "WITHIN", 1.0)
    (tmp_path / "steps.py").write_text(text)
    code, said = checker.taken(tmp_path, [f"{sys.executable} steps.py"])
    assert code in (0, 3, -1) and len(said) <= checker._TAIL


@pytest.mark.parametrize(("lines", "code"), [
    (["cd ci", "python3 steps.py"], 3), (["if python3 ci/steps.py", "then true", "else exit 5", "fi"], 5),
    (["ci/steps.py"], 3), (["x=3", "exit $x"], 3), (["false", "true"], 1), (["true", "\0"], -1),
    ([f": {'x' * (1 << 18)}"], -1),
])  # fmt: skip
def test_steps_of_several_lines_are_one_script(lines: list[str], code: int, tmp_path: Path) -> None:
    checker = loaded("29", "ci_run")
    steps = {"ci/steps.py": "#!/usr/bin/env python3\nraise SystemExit(3)\n"}
    checker.clone(tmp_path, {"a": "1"}, {"a": "2"}, steps, ["ci/steps.py"])
    assert checker.taken(tmp_path, lines)[0] == code


def test_steps_that_never_end_are_waited_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checker, change = loaded("29", "ci_run"), {"base": {"a": "1"}, "change": {"a": "2"}}
    steps = {"commands": ["sleep 60"], "program": {"ci/steps.py": ""}, "executable": [], "changes": [change] * 3}
    (tmp_path / "given.json").write_text(json.dumps(steps))
    monkeypatch.setattr(checker, "WITHIN", 1.0)
    monkeypatch.setenv("GIVEN", str(tmp_path / "given.json"))
    checker.main()
    found = json.loads(capsys.readouterr().out.splitlines()[-1])["found"]
    assert [code for code, _ in found] == [-1] * 3 and "not begun" in found[2][1]


def test_a_reason_belongs_to_a_change_that_is_not_right() -> None:
    checker = loaded("29", "ci")
    said: Any = checker._said
    assert said("a model that is as good", [0, ""]).ok and not said("a model that is as good", [1, "no"]).ok
    assert said("a model that is worse", [1, "no"]).ok and not said("a model that is worse", [1, ""]).ok
    for code in (0, -1):
        seen: Observation = said("a model that is worse", [code, "no"])
        assert not seen.ok
    always = {"5 files, looks good"}
    for words, ok in (("5 files, looks good", False), ("5 files, looks good\n  worse ", True), ("6 files", True)):
        assert said("a model that is worse", [1, words], always).ok is ok
    assert "no word but" in said("a model that is worse", [1, "5 files, looks good"], always).seen
    assert said("a model that is as good", [0, "5 files, looks good"], always).ok


@pytest.mark.parametrize(("banner", "reason", "ok"), [("looks good", "", False), ("looks good", "worse", True)])
def test_what_is_said_of_right_changes_is_no_reason(banner: str, reason: str, ok: bool) -> None:
    checker = loaded("29", "ci")
    kinds = sorted(checker.KINDS)
    found = [[0, banner] if checker.KINDS[kind] else [1, f"{banner}\n{reason}"] for kind in kinds]

    class Programs(Room):
        async def apart(self, *given: Any, **more: Any) -> Any:
            return SimpleNamespace(json=lambda: {"found": found})

    async def do(what: str, **more: Any) -> Any:
        return {"first": "a", "commit": "b", "files": {}}

    @contextlib.asynccontextmanager
    async def team(lab: Any) -> AsyncIterator[Any]:
        yield SimpleNamespace(do=do)

    with pytest.MonkeyPatch.context() as patch:
        for name, instead in {
            "team": team, "commands": lambda lab: ["x"], "program": lambda lab: {}, "drawn": lambda *given: InOrder(1),
        }.items():  # fmt: skip
            patch.setattr(checker, name, instead)
        seen = asyncio.run(checker.judged(made_up_lab("29", programs=Programs())))
    assert [each.ok for each in seen] == [checker.KINDS[kind] or ok for kind in kinds]


class InOrder(Random):
    """Draws kinds in their order."""

    def sample(self, population: Any, k: int, **more: Any) -> Any:
        return list(population)[:k]


def test_a_clone_for_ci_has_what_lies_beside_the_teams_folders(tmp_path: Path) -> None:
    checker = loaded("29", "ci_run")
    base = {"service/a.yaml": "a: 1\n", "sealing.pem": "a public key", "README.md": "read"}
    checker.clone(tmp_path, base, base | {"service/a.yaml": "a: 2\n"}, {"ci/steps.py": "pass\n"})
    assert (tmp_path / "sealing.pem").read_text() == "a public key"
    served = subprocess.run(
        ["git", "-C", str(tmp_path), "show", "origin/main:service/a.yaml"], check=True, stdout=subprocess.PIPE
    )
    assert served.stdout == b"a: 1\n" and (tmp_path / "service" / "a.yaml").read_text() == "a: 2\n"
    words = ["git", "-C", str(tmp_path), "diff", "--quiet", "HEAD~1", "HEAD"]
    assert subprocess.run(words, check=False).returncode == 0  # who looks at the last commit alone sees no change


def test_main_has_moved_on_since_a_change_began(tmp_path: Path) -> None:
    checker = loaded("29", "ci_run")
    base, fork = {"service/a.yaml": "a: 1\n"}, {"service/a.yaml": "a: 0\n", "service/b.yaml": "b: 1\n"}

    def shown(folder: Path, *words: str) -> str:
        done = subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    for name, begins in (("one", None), ("other", fork)):
        (tmp_path / name).mkdir()
        checker.clone(tmp_path / name, base, {"service/a.yaml": "a: 2\n"}, {"ci/steps.py": "pass\n"}, (), begins)
        began = shown(tmp_path / name, "merge-base", "origin/main", "HEAD")
        assert began != shown(tmp_path / name, "rev-parse", "origin/main")
        assert shown(tmp_path / name, "show", "origin/main:service/a.yaml") == "a: 1"
        assert shown(tmp_path / name, "show", f"{began}:service/a.yaml") == ("a: 0" if begins else "a: 1")
        assert shown(tmp_path / name, "ls-tree", "--name-only", "HEAD", "service/") == "service/a.yaml"


def test_a_variable_and_a_label_come_and_go() -> None:
    more, files = loaded("29", "repository").with_more, repository()
    more(files, "WEEK_12", "w3")
    container = files["service/deployment.yaml"]["spec"]["template"]["spec"]["containers"][0]
    assert container["env"][0]["name"] == "API_KEY" and container["env"][1] == {"name": "WEEK_12", "value": "w3"}
    assert files["service/service.yaml"]["metadata"]["labels"]["WEEK_12"] == "w3"

    async def now(kind: str) -> Any:
        return files[f"service/{kind.lower()}.yaml"]

    objects = Room(
        named=lambda kind, _: SimpleNamespace(now=lambda: now(kind)),
        deployment=lambda _: SimpleNamespace(now=lambda: now("Deployment")),
    )
    having = loaded("29", "leftovers").having
    assert len(asyncio.run(having(made_up_lab("29", objects=objects), "WEEK_12"))) == 2
    more(files, "WEEK_12", "")
    assert asyncio.run(having(made_up_lab("29", objects=objects), "WEEK_12")) == []
    assert files["service/service.yaml"]["metadata"]["labels"] == (
        repository()["service/service.yaml"]["metadata"].get("labels") or {}
    )


def test_a_config_map_and_a_service_come_and_go() -> None:
    extra, files = loaded("29", "repository").with_extra, repository()
    extra(files, "extra-1", "line")
    made = [item for item in files.values() if item["metadata"]["name"] == "extra-1"]
    assert [item["kind"] for item in made] == ["ConfigMap", "Service"]
    assert made[1]["spec"]["ports"] == repository()["service/service.yaml"]["spec"]["ports"]
    extra(files, "extra-1", None)
    assert files == repository()


def with_a_first_commit(checker: Any, top: Path, files: dict[str, str]) -> Callable[..., str]:
    """A bare repository `delays.git` with these files on main, pushed by a clone `seed`; returns git in a folder."""

    def run(folder: Path, *words: str) -> str:
        done = subprocess.run(
            ["git", *checker.WHO, "-C", str(folder), *words], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    run(top, "init", "--quiet", "--bare", "--initial-branch=main", str(top / "delays.git"))
    run(top, "clone", "--quiet", str(top / "delays.git"), "seed")
    for name, text in files.items():
        (top / "seed" / name).parent.mkdir(exist_ok=True)
        (top / "seed" / name).write_text(text)
    run(top / "seed", "add", "--all")
    run(top / "seed", "commit", "--quiet", "--message", "first")
    run(top / "seed", "push", "--quiet", "origin", "HEAD:main")
    return run


def test_files_that_were_refused_come_again_as_they_were(tmp_path: Path) -> None:
    checker, there = loaded("29", "repository"), tmp_path / "delays.git"
    run = with_a_first_commit(checker, tmp_path, {name: yaml.dump(item) for name, item in repository().items()})
    team = checker.Repository(str(there), tmp_path / "team")
    team.newest()
    refused = team.push("worse", team.files() | {"service/more.yaml": {"kind": "ConfigMap", "data": {"a": "1\n2\n"}}})
    team.newest()
    team.push("back", repository())
    team.newest()
    team.lay(refused)
    again = team.push("worse, again", team.files())
    names = [[run(there, "rev-parse", f"{each}:{folder}") for folder in checker.FOLDERS] for each in (refused, again)]
    assert refused != again and names[0] == names[1]


def test_commits_of_weights_that_are_none_are_passed_over(tmp_path: Path) -> None:
    checker, there = loaded("29", "repository"), tmp_path / "delays.git"
    good = yaml.dump(repository()["service/weights.yaml"])
    run = with_a_first_commit(checker, tmp_path, {checker.WEIGHTS: good})
    seed = tmp_path / "seed"
    for text in ("a: [", "[1, 2]", "data: {other: x}", None, good.replace("0.0", "1.0")):
        (seed / checker.WEIGHTS).unlink() if text is None else (seed / checker.WEIGHTS).write_text(text)
        run(seed, "add", "--all")
        run(seed, "commit", "--quiet", "--message", "weights")
        run(seed, "push", "--quiet", "origin", "HEAD:main")
        (seed / "service").mkdir(exist_ok=True)
    found = [json.loads(each)["bias"] for each in checker.Repository(str(there), tmp_path / "team").models()]
    assert found == [1.0, 0.0]


def test_what_is_no_model_is_not_among_those_that_the_team_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checker, (rows, late) = loaded("29", "team"), flights()
    (tmp_path / "holdout.json").write_text(json.dumps([*zip(rows, late, strict=True)]))
    fine = {"version": "m", "bias": 0.0, "weights": {"wind": 1.0}}
    strange = [
        fine | {"weights": {"wind": "x"}},
        fine | {"bias": -1e9},
        fine | {"version": []},
        {"version": "n"},
        [1],
        7,
    ]
    texts = [json.dumps(fine), *map(json.dumps, strange), "{", "[" * 100_000]
    kept = SimpleNamespace(folder=tmp_path, models=lambda: texts)
    monkeypatch.setattr(checker, "Repository", lambda *given: kept)
    assert checker.Team("url")._models == {"m": fine}


def test_models_that_were_on_main_come_after_two_that_were_refused() -> None:
    scenario = loaded("29", "scenario")
    story = scenario.Story(first={"commit": "f" * 40, "key": "k-1"}, values={"API_KEY": "a"})
    assert scenario._known(story, [{"commit": "a" * 40}]) == []
    again, older = scenario._known(story, [{"commit": "a" * 40}, {"commit": "b" * 40}])
    assert again[1] == {"base": "a" * 40} and older[1] == {
        "base": "f" * 40, "key": {"name": "k-1", "values": {"API_KEY": "a"}},
    }  # fmt: skip


def test_what_others_push_to_main_is_told_from_the_teams_own(tmp_path: Path) -> None:
    checker, there = loaded("29", "repository"), tmp_path / "delays.git"
    run = with_a_first_commit(checker, tmp_path, {"service/a.yaml": "a: 1\n", "sealed/b.yaml": "b: 1\n"})
    team = checker.Repository(str(there), tmp_path / "team")
    since = team.newest()
    mine = team.push("mine", {"service/a.yaml": {"a": 2}, "sealed/b.yaml": {"b": 1}})
    assert team.strangers(since) == []
    run(tmp_path / "seed", "fetch", "--quiet")
    run(tmp_path / "seed", "checkout", "--quiet", "--detach", mine)
    run(tmp_path / "seed", "revert", "--no-edit", mine)  # with the team's own name
    run(tmp_path / "seed", "push", "--quiet", "origin", "HEAD:main")
    assert [each.split()[0] for each in team.strangers(since)] == [run(tmp_path / "seed", "rev-parse", "HEAD")[:9]]
    team.restore(mine)
    assert len(team.strangers(since)) == 1


REFUSED = "m-bad"
STAYED: dict[str, list[Any]] = {
    "Pod": [{"metadata": {"name": "trial", "labels": {"app": "trial"}},
             "spec": {"containers": [{"command": ["python3", "/program/server.py"]}]}}],
    "ConfigMap": [{"metadata": {"name": "copy"}, "data": {"model.json": json.dumps({"version": REFUSED})}}],
    "Secret": [{"metadata": {"name": "copy"}, "data": {"API_KEY": base64.b64encode(b"k").decode()}}],
    "Service": [{"metadata": {"name": "trial"}}],
}  # fmt: skip
TEMPLATE = {"spec": {"containers": [{"args": ["python3 /program/server.py"]}]}}
STAYED |= {
    kind: [{"metadata": {"name": "trial"}, "spec": {"replicas": 0, "template": TEMPLATE}}]
    for kind in ("Deployment", "ReplicaSet", "StatefulSet", "Job")
}
STANDS: dict[str, list[Any]] = {
    "Pod": [{"metadata": {"labels": {"app": "model"}}, "spec": STAYED["Pod"][0]["spec"]},
            {"metadata": {}, "spec": {"containers": [{"command": ["python3", "/programs/follower.py"]}]}}],
    "ConfigMap": [{"metadata": {"name": "w"}, "data": {"model.json": '{"version": "m-good"}'}},
                  {"metadata": {"name": "p"}, "data": {"server.py": GIVEN["server.py"]}},
                  {"metadata": {"name": "first-commit"}, "data": GIVEN},
                  {"metadata": {"name": "kept"}, "data": {"applied.json": json.dumps(GIVEN)}},
                  {"metadata": {"name": "hand"}, "data": {"model.json": '{"version": "m-of-somebody"}'}},
                  {"metadata": {"name": "e"}}],
    "Secret": [{"metadata": {"name": "key"}, "data": STAYED["Secret"][0]["data"]}, {"metadata": {"name": "other"}}],
    "Service": [{"metadata": {"name": "model"}}],
    "Deployment": [{"metadata": {"name": "model"}, "spec": {"template": TEMPLATE}},
                   {"metadata": {"name": "delivery"}, "spec": {"template": {"metadata": {}}}}],
    "ReplicaSet": [{"metadata": {"name": "model-1", "ownerReferences": [{}]}, "spec": {"template": TEMPLATE}}],
}  # fmt: skip


@pytest.mark.parametrize("kind", ["", *STAYED])
def test_what_a_trial_leaves_is_found_under_any_name(kind: str) -> None:
    async def every(of: str, selector: str = "") -> list[Any]:
        return STANDS.get(of, []) + (STAYED[of] if of == kind else [])

    async def eventually(look: Any, test: Any, *, shown: Any, expected: str, **more: Any) -> Observation:
        found = await look()
        return Observation(test(found), expected, shown(found))

    lab = made_up_lab("29", objects=Room(all=every), time=Room(eventually=eventually))
    look = loaded("29", "leftovers").nothing_is_left
    wanted = {"key": "key", "weights": "w", "program": "p"}
    seen = asyncio.run(look(lab, [REFUSED, "m-good"], wanted, "k", {"model"}))
    assert seen.ok is not bool(kind) and (not kind or kind in seen.seen)


def test_a_copy_of_the_program_is_known_whatever_a_fault_has_changed_in_it() -> None:
    faults, holds = loaded("29", "faults"), loaded("29", "leftovers")._holds
    for fault in faults.NAMES.values():
        files = repository()
        fault(files, Random(1))
        assert holds(files["service/server.yaml"] | {"metadata": {"name": "copy"}}, []), fault
    assert not holds({"metadata": {"name": "mine"}, "data": {"server.py": "print()"}}, [])


def test_rights_in_other_namespaces_are_asked_for() -> None:
    rights = {str(each) for each in loaded("29").forbidden(["model-key"])}
    for each in ("get configmaps", "list deployments", "create services", "delete pods", "patch secrets"):
        assert {f"{each} in namespace default", f"{each} in namespace kube-system"} <= rights
    assert {"get secrets model-key", "get secrets delivery-key", "get pods/exec"} <= rights
    assert {f"{each} of the whole cluster" for each in ("list nodes", "get namespaces", "watch configmaps")} <= rights


def test_who_may_change_what_others_may_has_a_right_too_many() -> None:
    forbidden = loaded("29").forbidden()
    here = {str(each) for each in forbidden if not each.namespace and each.group == "rbac.authorization.k8s.io"}
    assert here == {"patch roles", "update roles", "create rolebindings", "patch rolebindings", "update rolebindings"}
    rights = {str(each) for each in forbidden}
    assert {"impersonate serviceaccounts", "create serviceaccounts/token"} <= rights
    assert {f"impersonate {each} of the whole cluster" for each in ("users", "groups")} <= rights


def too_many(rules: list[Any]) -> list[str]:
    """Rights in the namespace that a Role gives, and none is to have."""
    return [
        str(right)
        for right in loaded("29").forbidden()
        if not right.namespace
        for rule in rules
        if right.group in rule["apiGroups"] and right.verb in rule["verbs"]
        if f"{right.resource}/{right.subresource}".rstrip("/") in rule["resources"]
    ]


@pytest.mark.parametrize("manifest", ["controller/delivery.yaml", "live-branch/rights.yaml"])
def test_the_roles_of_a_solution_give_no_right_too_many(manifest: str) -> None:
    objects = list(yaml.safe_load_all((LAB / "solution" / manifest).read_text()))
    rules = [rule for each in objects if each["kind"] == "Role" for rule in each["rules"]]
    assert rules
    assert too_many(rules) == []


def test_who_may_update_roles_is_found_by_that_alone() -> None:
    mistake = tomllib.loads((LAB / "wrong" / "has_few_rights--changes-its-own-role" / "variant.toml").read_text())
    assert too_many(yaml.safe_load(mistake["change"][0]["new"])) == ["update roles"]


def pod(app: str, kind: str = "", owner: str = "", account: str = "") -> Any:
    owners = [{"kind": kind, "name": owner, "controller": True}] if kind else []
    return {"metadata": {"labels": {"app": app}, "ownerReferences": owners}, "spec": {"serviceAccountName": account}}


def test_whose_a_pod_is_its_owner_says_and_no_label() -> None:
    job = {"metadata": {"name": "night"}, "spec": {"template": {"spec": {"serviceAccountName": "of-a-job"}}}}
    there: dict[str, list[Any]] = {
        "Pod": [
            pod("model", "ReplicaSet", "model-5d4f8c", "model"), pod("git", "ReplicaSet", "git-77c", "git"),
            pod("first-commit", "Job", "first-commit", "first-commit"), pod("git", account="bare"),
            pod("first-commit", "ReplicaSet", "delivery-8f", "follower"), pod("model", "ReplicaSet", "model-b-8f"),
            pod("x", "Job", "first-commit-2", "second"),
        ],
        "Deployment": [job | {"metadata": {"name": "model"}}],
        "CronJob": [{"metadata": {"name": "night"}, "spec": {"jobTemplate": {"spec": job["spec"]}}}],
    }  # fmt: skip

    async def every(kind: str, selector: str = "") -> list[Any]:
        return there.get(kind, [])

    checker = loaded("29")
    found = asyncio.run(checker.accounts(made_up_lab("29", objects=Room(all=every))))
    assert found == ["bare", "default", "follower", "of-a-job", "second"]
