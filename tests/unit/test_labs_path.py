"""What to do next, how far one is, and the records that a teacher collects."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.checks.check import Check
from mlops_lab.checks.verdicts import Result, Verdict
from mlops_lab.labs.catalog import About, Exercise
from mlops_lab.learner import path as paths
from mlops_lab.learner.attempts import Attempt, attempts, line, schema
from mlops_lab.learner.path import Course
from mlops_lab.learner.records import Records
from mlops_lab.proof.skeleton import make
from tests.command import lab

PODS, NETS = "cka/workloads-and-scheduling", "cka/services-and-networking"


async def nothing(lab: Any) -> None: ...


def check(name: str, points: int, *domains: str) -> Check:
    return Check(name, f"{name}.", nothing, points, (), domains)


CHECKS = {
    "01": [check("answers", 2, NETS), check("survives", 4, PODS)],
    "02": [check("scales", 3, PODS)],
    "20": [check("repairs", 5, NETS), check("finds", 1, PODS)],
}
LEVEL = {"01": "B", "02": "B", "20": "E"}


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "records.sqlite")


def attempt(records: Records, lab: str, whole: bool = True, **verdicts: Verdict) -> None:
    known = {each.name: each for each in CHECKS[lab]}
    records.attempt(
        lab,
        [Result(name, f"{name}.", verdict, known[name].points, known[name].domains, "two", "one")
         for name, verdict in verdicts.items()],
        whole=whole,
    )  # fmt: skip


def course(records: Records) -> Course:
    labs = [Exercise(Path(f"{number}-x"), number, "x") for number in CHECKS]
    about = {number: About("T", level, 5, "s", ()) for number, level in LEVEL.items()}
    return Course(labs, about, CHECKS, records.progress(), records.attempts())


def test_who_begins_is_sent_to_the_first_lab(records: Records) -> None:
    begun = course(records)
    assert paths.next_lab(begun) == "01"
    assert [(each.name, each.earned, each.possible, each.labs) for each in paths.levels(begun)] == [
        ("beginner", 0, 9, ("01", "02")), ("exam", 0, 6, ("20",)),
    ]  # fmt: skip
    assert paths.failed(begun) == []


def test_a_lab_that_was_begun_comes_before_a_new_one(records: Records, tmp_path: Path) -> None:
    records.start("20", tmp_path)
    assert paths.next_lab(course(records)) == "20"
    attempt(records, "02", scales=Verdict.FAIL)
    assert paths.next_lab(course(records)) == "02"
    attempt(records, "02", scales=Verdict.PASS)
    assert paths.next_lab(course(records)) == "20"


def test_domains_count_checks_that_ever_passed_and_send_to_where_most_is_left(records: Records) -> None:
    attempt(records, "01", answers=Verdict.PASS, survives=Verdict.FAIL)
    attempt(records, "01", answers=Verdict.FAIL, survives=Verdict.BLOCKED)
    found = {each.name: each for each in paths.domains(course(records))}
    assert (found[NETS].earned, found[NETS].possible, found[NETS].labs) == (2, 7, ("20",))
    assert (found[PODS].earned, found[PODS].possible, found[PODS].labs) == (0, 8, ("01", "02", "20"))


def test_what_failed_last_comes_with_labs_that_practise_the_same(records: Records) -> None:
    attempt(records, "01", answers=Verdict.FAIL, survives=Verdict.FAIL)
    attempt(records, "01", whole=False, answers=Verdict.PASS)
    (failed,) = paths.failed(course(records))
    assert (failed.lab, failed.check, failed.practise) == ("01", "survives", ("02", "20"))


def test_when_all_is_passed_nothing_is_next(records: Records) -> None:
    for number, own in CHECKS.items():
        attempt(records, number, **{each.name: Verdict.PASS for each in own})
    assert paths.next_lab(course(records)) is None
    assert [each.labs for each in paths.levels(course(records))] == [(), ()]


def test_a_record_says_what_was_checked_and_fits_its_schema(records: Records) -> None:
    attempt(records, "01", answers=Verdict.PASS, survives=Verdict.ERROR)
    attempt(records, "02", scales=Verdict.FAIL)
    attempt(records, "01", answers=Verdict.PASS, survives=Verdict.PASS)
    records.take_hint("01", 3)
    lines = [line(each) for each in attempts(records, "ada")]
    read = [msgspec.json.decode(text, type=Attempt) for text in lines]
    assert [(each.lab, each.attempt, each.passed, each.points, each.hints) for each in read] == [
        ("01", 1, False, 2, 1), ("02", 1, False, 0, 0), ("01", 2, True, 6, 1),
    ]  # fmt: skip
    first = json.loads(lines[0])
    assert (first["schema"], first["learner"]) == ("mlops-lab/attempt/1", "ada")
    assert [(each["verdict"], each["earned"]) for each in first["checks"]] == [("pass", 2), ("error", 0)]
    wanted = schema()["$defs"]["Attempt"]
    assert sorted(wanted["required"]) == sorted(wanted["properties"]) == sorted(first)
    assert all("description" in each or "$ref" in each for each in wanted["properties"].values())
    assert [each.lab for each in attempts(records, lab="02")] == ["02"]


def test_an_attempt_that_ends_while_the_records_are_read_is_no_trouble(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be the first one at its lab."""
    attempt(records, "01", answers=Verdict.PASS)
    for name in ("progress", "attempts"):
        read = getattr(Records, name)

        def and_then(self: Records, *given: Any, read: Any = read) -> Any:
            found = read(self, *given)
            attempt(records, "02", scales=Verdict.PASS)
            return found

        monkeypatch.setattr(Records, name, and_then)
    assert [each.lab for each in attempts(records)] == ["01"]
    assert {each.lab for each in attempts(records)} == {"01", "02"}


def test_the_documented_fields_are_those_of_the_schema() -> None:
    from mlops_lab.base.paths import project

    text = (project() / "docs" / "records.md").read_text()
    for struct in ("Attempt", "CheckRecord"):
        for name in schema()["$defs"][struct]["properties"]:
            assert f"| `{name}` |" in text, f"docs/records.md has no row for {name} of {struct}"


def test_traces_are_those_of_the_last_verdict(records: Records) -> None:
    failed = Result("answers", "A.", Verdict.FAIL, 2, trace={"requests": [1]})
    records.attempt("01", [failed], whole=False)
    assert records.trace("01", "answers") == {"requests": [1]}
    assert "trace" not in records.results("01")[0]
    attempt(records, "01", whole=False, answers=Verdict.PASS)
    assert records.trace("01", "answers") == {}


def test_a_file_of_an_older_version_is_taken_over(tmp_path: Path) -> None:
    file = tmp_path / "old.sqlite"
    with sqlite3.connect(file) as db:
        db.executescript(
            "CREATE TABLE started (lab TEXT PRIMARY KEY, at TEXT NOT NULL, workspace TEXT NOT NULL);"
            "CREATE TABLE attempts (id INTEGER PRIMARY KEY, lab TEXT NOT NULL, at TEXT NOT NULL,"
            "whole INTEGER NOT NULL, passed INTEGER NOT NULL, points INTEGER NOT NULL,"
            "possible INTEGER NOT NULL, results TEXT NOT NULL);"
            "INSERT INTO attempts VALUES (1, '01', 'then', 1, 1, 6, 6, '[]'); PRAGMA user_version = 1;"
        )
    records = Records(file)
    attempt(records, "01", answers=Verdict.FAIL)
    assert [each.points for each in records.attempts()] == [6, 0]


@pytest.fixture
def labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Records:
    """Two labs, of which the learner has failed the first."""
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLOPS_LAB_LABS", str(tmp_path / "labs"))
    make("10-scale", tmp_path / "labs")
    make("11-more", tmp_path / "labs")
    kept = Records()
    result = Result(
        "two_pods_are_ready", "Two pods.", Verdict.FAIL, 2, ("ckad/deployment",), "two", "one", "because",
        trace={"requests": [], "loads": [], "objects": ["Deployment/model"], "events": ["10:00 BackOff"]},
    )  # fmt: skip
    kept.attempt("10", [result], whole=True)
    return kept


def test_path_progress_and_explain_as_the_learner_sees_them(labs: Records, capsys: pytest.CaptureFixture[str]) -> None:
    assert lab("path") == 0
    out = capsys.readouterr().out
    assert out.startswith("next: lab check 10   Scale (about 30 min, 0 of 2 points so far)")
    assert "lab explain 10 two_pods_are_ready; to practise the same: lab start 11" in out
    assert lab("path", "--domain", "ckad/deployment", "--json") == 0
    assert json.loads(capsys.readouterr().out)["next"] == "10"
    assert lab("path", "--domain", "ckad", "--json") == 0
    assert json.loads(capsys.readouterr().out)["next"] == "10"
    assert lab("path", "--domain", "cka") == 2  # is no beginning of ckad
    capsys.readouterr()
    assert lab("progress") == 0
    out = capsys.readouterr().out
    assert "0 of 2 labs passed, 1 attempts" in out
    assert ["10-scale", "tried", "0", "of", "2"] in [line.split() for line in out.splitlines()]
    assert lab("explain", "10") == 0
    out = capsys.readouterr().out
    assert "10:00 BackOff" in out
    assert "What it looked at: Deployment/model" in out
    assert lab("explain", "10", "two-pods-are-ready", "--json") == 0
    assert json.loads(capsys.readouterr().out)["trace"]["events"] == ["10:00 BackOff"]


def levelled(folder: Path, level: str) -> None:
    """Put a lab on another level."""
    file = folder / "lab.toml"
    file.write_text(file.read_text().replace('level = "B"', f'level = "{level}"'))


def test_a_level_without_labs_says_which_levels_have_some(
    labs: Records, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    levelled(tmp_path / "labs/11-more", "S")
    assert lab("path", "--level", "exam") == 0
    out = capsys.readouterr().out
    assert "The level exam has no labs yet; these levels have: beginner, senior" in out
    assert "next: lab path --level beginner" in out
    assert lab("path", "--level", "exam", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["next"], told["levels"], told["domains"]) == (None, [], [])


def test_a_level_and_a_domain_together_give_a_lab_that_is_in_both(
    labs: Records, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    levelled(tmp_path / "labs/11-more", "S")
    nets = make("12-nets", tmp_path / "labs")
    levelled(nets, "S")
    (nets / "checker/__init__.py").write_text(
        (nets / "checker/__init__.py").read_text().replace("ckad/deployment", NETS)
    )

    def following(*words: str) -> str | None:
        assert lab("path", *words, "--json") == 0
        return json.loads(capsys.readouterr().out)["next"]

    assert following("--level", "senior") == "11"
    assert following("--level", "senior", "--domain", NETS) == "12"
    assert following("--level", "senior", "--domain", "ckad/deployment") == "11"
    assert following("--domain", "ckad/deployment") == "10"
    assert following("--level", "beginner", "--domain", NETS) is None
    assert lab("path", "--level", "beginner", "--domain", NETS) == 0
    out = capsys.readouterr().out
    assert f"The level beginner has no labs for the exam domain {NETS} yet; these levels have: senior" in out
    assert lab("path", "--level", "senior", "--domain", "ckad/deployment") == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["ckad/deployment", "0", "of", "2", "points", "lab", "11"] in rows


def test_who_asks_for_a_check_that_is_not_there_hears_of_all_that_are(
    labs: Records, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "labs/10-scale/checker/__init__.py"
    file.write_text(file.read_text() + '\n\n@check(points=1)\nasync def late(lab: Lab) -> None:\n    """Late."""\n')
    assert lab("explain", "10", "nothing") == 2
    assert "it has: two_pods_are_ready, late" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("explain", "11"), "lab 11 was not checked yet"),
        (("explain", "10", "nothing"), "there is no check 'nothing' in this lab"),
        (("path", "--domain", "cooking"), "there is no exam domain 'cooking'"),
        (("path", "--domain", "mlops"), "no lab counts for the exam domain 'mlops'"),
        (("explain", "99"), "99"),
    ],
)
def test_what_cannot_be_said_is_a_usage_error(
    labs: Records, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert lab(*words) == 2
    assert said in capsys.readouterr().err


def test_a_check_that_passed_has_nothing_to_explain(labs: Records, capsys: pytest.CaptureFixture[str]) -> None:
    labs.attempt("10", [Result("two_pods_are_ready", "Two.", Verdict.PASS, 2)], whole=True)
    assert lab("explain", "10", "two_pods_are_ready") == 2
    assert "the last verdict of two_pods_are_ready is pass" in capsys.readouterr().err


def test_on_a_narrow_terminal_no_figure_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the project's own labs, whose names and weeks are as long as they are."""
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    attempt = [Result("a", "A.", Verdict.PASS, 10), Result("b", "B.", Verdict.FAIL, 4)]
    for _ in range(3):
        Records().attempt("04", attempt, whole=True)
    for _ in range(3):
        Records().take_hint("04", 3)

    def figures(columns: int, *words: str) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        assert lab(*words) == 0
        out = capsys.readouterr().out
        table = out[out.index("\n", out.index("By ")) :].splitlines()
        assert not any("…" in line for line in table)
        assert max(map(len, table)) <= columns
        return sorted(re.findall(r"\d+ of \d+|(?:\d+ h )?\d+ min|\d+ h\b|\b\d\d\b", "\n".join(table)))

    for words in (("path",), ("path", "--all"), ("progress",)):
        wide = figures(120, *words)
        assert len(wide) > 30
        assert figures(80, *words) == figures(60, *words) == wide


def test_records_go_to_a_file(labs: Records, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "class/ada.jsonl"
    assert lab("records", "10", "--learner", "ada", "--out", str(file)) == 0
    assert json.loads(file.read_text())["learner"] == "ada"
    assert lab("records", "--out", str(file / "below")) == LabError.exit_code
    assert "cannot be written" in capsys.readouterr().err
    assert lab("records", "--learner", "ad\udce4") == UsageError.exit_code  # a command line of another encoding
    assert "--learner has bytes that are not UTF-8" in capsys.readouterr().err
    assert lab("records", "--schema") == 0
    assert json.loads(capsys.readouterr().out)["$defs"]["Attempt"]["properties"]["lab"]
