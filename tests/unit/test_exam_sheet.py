"""What is kept of an exam: its sheet as a page and by the schema, in records and path; and how a page reads one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast

import jsonschema
import msgspec
import pytest

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.checks.verdicts import Result, Verdict
from mlops_lab.cli.main import main
from mlops_lab.cluster import shell
from mlops_lab.exam import drawing, handing_in
from mlops_lab.exam.clock import Clock
from mlops_lab.exam.grading import Paper
from mlops_lab.exam.history import scored
from mlops_lab.exam.page import page
from mlops_lab.exam.sheet import SCHEMA, CheckScore, DomainScore, Sheet, TaskScore, record, schema
from mlops_lab.exam.sheet import sheet as made
from mlops_lab.exam.sitting import Exams
from mlops_lab.exam.state import Seat, Sitting, Store, workspace
from mlops_lab.exam.view import Current
from mlops_lab.learner.path import Course, Practise, Scored, practise
from mlops_lab.tasks.rendering import Rendered
from mlops_lab.tasks.task import EXAMS, Description, Task, tasks
from tests.command import lab
from tests.made_up_exams import MadeUpStage, MadeUpTime, made_up_bank

EVIL = '<script>alert("x")</script> & {{ 7 * 7 }} ]]>'


def sheet(**other: Any) -> Sheet:
    """A sheet with half of the points, and texts as a candidate might write them."""
    checks = [
        CheckScore("first", "The first", "pass", 1, 1, 0.5),
        CheckScore("second", EVIL, "fail", 1, 0, 0.5, EVIL, EVIL, EVIL, [EVIL]),
    ]
    task = TaskScore(
        1, "claim", EVIL, "storage", 100, 6, "amber", 50, 100, False, 1, checks, f"# {EVIL}", {"file": {EVIL: EVIL}}
    )
    domain = DomainScore("storage", 10, 100, 50, 100)
    whole: dict[str, Any] = {
        "schema": SCHEMA, "learner": "", "number": 1, "exam": "cka", "seed": 7, "bank": "abc", "minutes": 120,
        "practice": False, "quick": False, "begun": "2026-01-01T10:00:00+00:00",
        "submitted": "2026-01-01T11:00:00+00:00", "used": 3600.0, "given_back": 30.0, "late": 0.0, "score": 50.0,
        "needed": 66, "passed": False, "earned": 50.0, "possible": 100.0, "domains": [domain], "tasks": [task],
    }  # fmt: skip
    return Sheet(**{**whole, **other})


def test_the_page_stands_alone_and_nothing_in_it_runs() -> None:
    text = page(sheet())
    assert "<script" not in text
    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt; &amp; {{ 7 * 7 }} ]]&gt;" in text
    assert not re.findall(r"(?:src|href)=\"(?!data:)", text)
    assert "url(" not in text
    assert "@media print" in text
    assert "prefers-color-scheme: dark" in text
    assert "50.0 %" in text
    assert "not passed" in text


def test_the_page_says_what_was_left_out_given_back_and_late() -> None:
    text = page(sheet(possible=80.0, earned=40.0, late=61.0, passed=True))
    assert "40 of 80 points: 20 could not be graded" in text
    assert "0:00:30 given back" in text
    assert "graded 0:01:01 after the end" in text


@pytest.mark.parametrize(
    ("weights", "points", "score", "passed"),
    [
        ([33, 33, 34], [(2, 3), (2, 3), (2, 3)], 66.7, True),
        ([50, 50], [(33, 50), (33, 50)], 66.0, True),
        ([100], [(13191, 20000)], 66.0, True),  # 65.955, and 66.0 is what is shown
        ([100], [(13189, 20000)], 65.9, False),
        # a sum of rounded parts would be 66.33
        ([1] * 100, [(2, 3)] * 99 + [(0, 3)], 66.0, True),
    ],
)
def test_the_score_is_summed_exactly_rounded_once_and_decides_as_it_is_shown(
    tmp_path: Path, weights: list[int], points: list[tuple[int, int]], score: float, passed: bool
) -> None:
    (tmp_path / "README.md").write_text("# A task")
    (tmp_path / "solution").mkdir()
    rendered = Rendered(tmp_path, "a", "a", task=Task(tmp_path, Description("A", {}, 1, 1, ["a"])), seed=1, space="a")
    papers, results = [], {}
    for number, (weight, (earned, whole)) in enumerate(zip(weights, points, strict=True), 1):
        papers.append(Paper(Seat(number, "a", "A", "storage", weight, 1, 1, "a"), rendered, []))
        results[number] = [
            Result("first", "The first", Verdict.PASS, earned, ()),
            Result("second", "The second", Verdict.FAIL, whole - earned, ()),
        ]
    found = made(Sitting(1, "cka", 1, 60, "abc", Clock(3600.0)), papers, results)
    assert (found.score, found.passed) == (score, passed)
    assert (found.passed, found.needed) == (found.score >= found.needed, 66)
    assert found.earned == found.domains[0].earned == pytest.approx(score, abs=0.05)


def test_what_records_print_keeps_to_the_schema_and_has_no_solutions() -> None:
    line = record(sheet(), "ada")
    found = json.loads(line)
    jsonschema.Draft202012Validator(schema()).validate(found)
    assert found["learner"] == "ada"
    assert found["tasks"][0]["solutions"] == {}
    assert "\n" not in line
    assert found["schema"] == "mlops-lab/exam/1"


def test_what_to_practise_is_the_weakest_domain_with_labs_and_tasks() -> None:
    course = Course([], {}, {}, {}, [])
    found = practise(
        course,
        [*[Scored("cka/storage", 5, 10)] * 2, Scored("ckad/deployment", 2, 20), Scored("cka/x", 9, 9)],
        {"cka/storage": {"a": frozenset(), "claim": frozenset({"pv"})}, "ckad/deployment": {}},
        ["claim"],
    )  # fmt: skip
    both = ("claim", "a")
    assert found == [Practise("ckad/deployment", 10, (), (), ()), Practise("cka/storage", 50, (), both, both)]


def test_tasks_that_collide_are_not_to_be_practised_at_once() -> None:
    claims = {"a": frozenset({"node"}), "b": frozenset({"node", "dns"}), "c": frozenset({"dns"}), "d": frozenset({"x"})}
    (found,) = practise(Course([], {}, {}, {}, []), [Scored("cka/storage", 5, 10)], {"cka/storage": claims}, ["b", "a"])
    assert (found.tasks, found.at_once) == (("a", "b", "c", "d"), ("a", "c", "d"))


def test_of_the_real_bank_an_exam_of_what_is_to_be_practised_can_be_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    all_lost = [Scored(f"{exam}/{domain}", 0, 10) for exam in EXAMS for domain in EXAMS[exam]]
    monkeypatch.setattr("mlops_lab.exam.history.scored", lambda sheets: (all_lost, []))
    assert lab("path", "--json") == 0
    found = {each["domain"]: each["at_once"] for each in json.loads(capsys.readouterr().out)["exams"]}
    assert found.keys() == {each.domain for each in all_lost}
    for domain, names in found.items():
        exam, bank = domain.partition("/")[0], tasks()
        assert len(drawing.seats(exam, bank, 120, 1, only=names)) == len(names) >= 2


def test_only_the_last_three_exams_of_each_kind_count() -> None:
    graded = [sheet(number=number) for number in range(5)]
    domains, lost = scored(graded)
    assert domains == [Scored("cka/storage", 50, 100)] * 3
    assert lost == ["claim"]


@pytest.fixture
def exams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Exams:
    made_up_bank(tmp_path / "labs/exam", each=1)
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLOPS_LAB_LABS", str(tmp_path / "labs"))
    monkeypatch.setenv("MLOPS_LAB_WORKSPACE", str(tmp_path / "work"))
    return Exams(MadeUpStage(), Store(), moment=MadeUpTime())


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(words)
    return int(end.value.code or 0), *capsys.readouterr()


def test_records_and_path_know_exams(exams: Exams, capsys: pytest.CaptureFixture[str]) -> None:
    exams.start("cka", tasks(), minutes=24, seed=3)
    handing_in.hand_in(exams, lambda found: None)
    code, out, _ = printed(capsys, "records", "--exams", "--learner", "ada")
    assert code == 0
    assert msgspec.json.decode(out, type=Sheet).learner == "ada"
    assert json.loads(printed(capsys, "records", "--exams", "--schema")[1])
    weak = json.loads(printed(capsys, "path", "--json")[1])["exams"]
    assert {each["domain"]: each["percent"] for each in weak}["cka/storage"] == 0
    assert weak[0]["tasks"]


def test_the_cluster_is_not_deleted_under_an_exam(exams: Exams, capsys: pytest.CaptureFixture[str]) -> None:
    exams.start("cka", tasks(), minutes=24, seed=3)
    code, _, err = printed(capsys, "down")
    assert code == 2
    assert "exam 1 (cka) is under way" in err
    assert "its work would be lost" in err


def test_single_tasks_are_practised_in_their_own_time(exams: Exams) -> None:
    with pytest.raises(UsageError, match="exam cka has no task 'storag'") as raised:
        exams.start("cka", tasks(), only=["storag"])
    assert "storage-0" in raised.value.hint
    sitting = exams.start("cka", tasks(), practice=True, only=["storage-0", "troubleshooting-0"])
    assert [(seat.task, seat.weight) for seat in sitting.seats] == [("storage-0", 25), ("troubleshooting-0", 75)]
    assert sitting.clock.limit == 60 * (3 + 6)


def test_a_page_reads_an_exam_from_its_start_to_its_sheet(exams: Exams, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(shell, "to_nodes", lambda: asked.append(True) or {"PATH": "/nodes"})
    current = Current(exams)
    assert current() is None
    sitting = exams.start("cka", tasks(), minutes=24, seed=3, practice=True)
    view = current()
    assert view is not None
    assert view is current()
    assert (view.name, view.practice, view.seconds_left(), view.sheet()) == ("cka", True, 24 * 60, None)
    view.flag(2, True)
    view.flag(2, True)
    view.write_note(2, "again")
    task = view.tasks()[1]
    assert (task.flagged, task.note, task.number) == (True, "again", 2)
    assert task.text.startswith("# The ")
    assert task.kubeconfig == workspace(sitting.seats[1]) / ".lab/kubeconfig"
    assert not asked
    assert (task.environment, len(asked)) == ({"PATH": "/nodes"}, 1), "only a terminal asks the engine"
    assert [result.verdict for result in view.check(1)] == ["fail", "fail"]
    assert view.hints(1) == ["Hint 1."]
    stage = cast(MadeUpStage, exams.stage)
    stage.down = "the API server does not answer"
    assert (view.seconds_left(), view.standing) == (24 * 60, stage.down)
    stage.down = ""
    assert (view.seconds_left(), view.standing) == (24 * 60, "")
    stage.refuses = {"storage-0"}
    with pytest.raises(LabError, match=r"storage-0 does not go; your files are in .*/exam\.2"):
        view.submit()
    assert view.sheet() is not None
    assert not view.ended()
    stage.refuses = set()
    view.submit()
    view.submit()
    assert view.ended()
    assert view.seconds_left() == 0
    scores = view.sheet()
    assert scores is not None
    assert (scores.score, scores.passed, scores.tasks[0].left_out) == (0, False, False)
    assert list(scores.tasks[0].solution) == ["answer"]
    assert current() is view
    other = exams.start("cka", tasks(), minutes=24, seed=4)
    after = current()
    assert after is not None
    assert after is not view
    after.submit()
    after.submit()
    assert after.kept is not None
    assert (after.kept / other.seats[0].slug / "notes.txt").is_file()


def test_that_a_sheet_is_damaged_or_gone_is_told_and_no_exam_that_is_not_graded(exams: Exams) -> None:
    exams.start("cka", tasks(), minutes=24, seed=3)
    view = Current(exams)()
    assert view is not None
    view.submit()
    file = exams.store.folder(1) / "sheet.json"
    file.write_text("{")
    with pytest.raises(LabError, match="the sheet of exam 1 is damaged"):
        view.sheet()
    file.unlink()
    with pytest.raises(LabError, match="its sheet is gone"):
        view.sheet()
