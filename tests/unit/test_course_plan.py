"""The plan of the course: each lab has its place in it, a week has time for its labs, and docs/path.md says so."""

from __future__ import annotations

import json
import os
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_lab.base.errors import UsageError
from mlops_lab.base.paths import project
from mlops_lab.checks.verdicts import Result, Verdict
from mlops_lab.cli.path import exam_command
from mlops_lab.labs.catalog import LEVELS, About, Exercise, abouts, exercises
from mlops_lab.labs.parts import needed
from mlops_lab.learner import plan as plans
from mlops_lab.learner.plan import Plan, Sitting, Week, spelt
from mlops_lab.learner.records import Records
from mlops_lab.proof.skeleton import make
from mlops_lab.tasks.task import EXAMS
from tests.command import lab

PAGE = project() / "docs" / "path.md"
LABS = exercises(project() / "labs")
ABOUTS = {each.slug: about for each, about in zip(LABS, abouts(LABS), strict=True)}
PLAN = plans.plan(project() / "labs")
_WRITE = "then UPDATE_TABLES=1 pytest tests/unit/test_course_plan.py writes docs/path.md"


def wrong(plan: Plan, labs: Mapping[str, About]) -> list[str]:
    """What is wrong with a plan of these labs, and what to do about it."""
    order, found = list(LEVELS), []
    weeks: dict[str, list[int]] = {}
    for number, week in enumerate(plan.week, 1):
        for name in week.labs:
            weeks.setdefault(name, []).append(number)
        strange = [each.exam for each in week.exams if each.exam not in EXAMS]
        found += [f"labs/path.toml, week {number}: there is no exam {each}" for each in strange]
    levels = [{labs[name].level for name in week.labs if name in labs} for week in plan.week]
    for name, about in labs.items():
        if name not in weeks:
            own = ", ".join(str(number) for number, has in enumerate(levels, 1) if about.level in has) or "a new one"
            found.append(
                f"lab {name} has no place in the course: put it into a week of its level, {LEVELS[about.level]} "
                f"({own}), in labs/path.toml, {_WRITE}"
            )
    found += [f"labs/path.toml names {name}, and there is no such lab" for name in weeks if name not in labs]
    found += [f"labs/path.toml has {name} in weeks {each}" for name, each in weeks.items() if len(each) > 1]
    before = 0
    for number, (week, has) in enumerate(zip(plan.week, levels, strict=True), 1):
        if len(has) != 1:
            found.append(f"labs/path.toml, week {number}: it has labs of {len(has)} levels, and not of one")
            continue
        if (place := order.index(next(iter(has)))) < before:
            found.append(f"labs/path.toml, week {number}: {LEVELS[next(iter(has))]} comes after a higher level")
        before = max(before, place)
        takes = plan.takes(sum(labs[name].minutes for name in week.labs if name in labs), week.exams)
        if takes > plan.hours * 60:
            found.append(
                f"labs/path.toml, week {number}: it takes {spelt(takes)} of {plan.hours} h; move a lab or an exam to "
                f"another week of its level, {_WRITE}"
            )
    return found


def page(plan: Plan, labs: Mapping[str, About]) -> str:
    """The part of docs/path.md that is made of the plan and the labs."""
    times = [sum(labs[name].minutes for name in week.labs) for week in plan.week]
    level = [LEVELS[labs[week.labs[0]].level] for week in plan.week]
    whole = [plan.takes(time, week.exams) for time, week in zip(times, plan.week, strict=True)]
    lines = ["| week | level | labs | labs' time | in all |", "|---|---|---|---|---|"]
    for number, week in enumerate(plan.week, 1):
        numbers = ", ".join(name[:2] for name in week.labs)
        at = f"week-{number}-{re.sub('[^a-z ]', '', week.title.lower()).replace(' ', '-')}"
        lines.append(
            f"| [{number} {week.title}](#{at}) | {level[number - 1]} | {numbers} | {spelt(times[number - 1])} | "
            f"{spelt(whole[number - 1])} |"
        )
    lines.append(f"| all | | {len(labs)} | {spelt(sum(times))} | {spelt(sum(whole))} |")
    for number, week in enumerate(plan.week, 1):
        able = textwrap.wrap(f"Afterwards you can {week.able}.", 120)
        lines += ["", f"### Week {number}: {week.title}", "", *able, ""]
        lines += ["| lab | time | |", "|---|---|---|"]
        for name in week.labs:
            about = labs[name]
            lines.append(f"| [{name}](../labs/{name}/README.md) | {spelt(about.minutes)} | {about.title} |")
        for each in week.exams:
            lines.append(f"| `{exam_command(each)}` | {spelt(each.minutes)} | [an exam](exam.md) to practise |")
        needs = needed(sorted({need for name in week.labs for need in labs[name].needs}))
        if needs:
            lines += ["", f"Needs `lab up --with {','.join(needs)}`."]
    return "\n".join(lines) + "\n"


def test_each_lab_has_its_place_in_a_week_that_has_the_time() -> None:
    assert "\n".join(wrong(PLAN, ABOUTS)) == ""
    assert len(PLAN.week) == 8


def test_the_documents_plan_is_the_plan() -> None:
    """`UPDATE_TABLES=1 pytest tests/unit/test_course_plan.py` writes it."""
    made = page(PLAN, ABOUTS)
    text = PAGE.read_text()
    if os.environ.get("UPDATE_TABLES"):
        before, after = text[: text.index("| week |")], text[text.index("\n## Before week 1") :]
        PAGE.write_text(before + made + after)
    assert made in PAGE.read_text(), f"docs/path.md is not what the labs say: {_WRITE.removeprefix('then ')}"


def about(level: str, minutes: int = 60) -> About:
    return About("T", level, minutes, "s", ())


SMALL = {"01-a": about("B"), "02-b": about("I"), "03-c": about("I")}
GOOD = Plan(3, 0.5, (Week("A", "do a", ("01-a",)), Week("B", "do b", ("02-b", "03-c"))))


def with_week(number: int, **values: object) -> Plan:
    weeks = list(GOOD.week)
    weeks[number - 1] = replace(weeks[number - 1], **values)  # type: ignore[arg-type]
    return replace(GOOD, week=tuple(weeks))


@pytest.mark.parametrize(
    ("plan", "labs", "said"),
    [
        (GOOD, SMALL | {"28-new": about("I")},
         "lab 28-new has no place in the course: put it into a week of its level, intermediate (2), in labs/path.toml"),
        (GOOD, SMALL | {"28-new": about("S")}, "its level, senior (a new one), in labs/path.toml"),
        (with_week(2, labs=("02-b", "03-c", "04-d")), SMALL, "names 04-d, and there is no such lab"),
        (with_week(2, labs=("02-b", "03-c", "03-c")), SMALL, "has 03-c in weeks [2, 2]"),
        (with_week(1, labs=("01-a", "03-c")), SMALL, "week 1: it has labs of 2 levels"),
        (with_week(1, exams=(Sitting("cks", 25),)), SMALL, "week 1: there is no exam cks"),
        (with_week(2, exams=(Sitting("cka", 25),)), SMALL, "week 2: it takes 3 h 25 min of 3 h; move a lab"),
        (replace(GOOD, week=GOOD.week[::-1]), SMALL, "week 2: beginner comes after a higher level"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_plan_is_said(plan: Plan, labs: Mapping[str, About], said: str) -> None:
    assert wrong(GOOD, SMALL) == []
    assert said in "\n".join(wrong(plan, labs))


def labs(*slugs: str) -> list[Exercise]:
    return [Exercise(Path(slug), slug[:2], slug[3:]) for slug in slugs]


def test_labs_come_in_the_plans_order_and_those_without_a_place_last(tmp_path: Path) -> None:
    known: Sequence[Exercise] = labs("01-a", "02-b", "03-c", "04-d")
    assert plans.ordered(known, tmp_path) == known  # there is no plan
    (tmp_path / "path.toml").write_text('[[week]]\ntitle = "T"\nable = "do"\nlabs = ["03-c", "01-a", "09-z"]\n')
    assert [each.number for each in plans.ordered(known, tmp_path)] == ["03", "01", "02", "04"]
    assert plans.plan(tmp_path).week == (Week("T", "do", ("03-c", "01-a", "09-z")),)


@pytest.mark.parametrize(
    ("text", "said"),
    [("hours = ", "path.toml: Invalid value"), ('hours = "ten"', "Expected `int`, got `str`"),
     ('[[week]]\ntitle = "T"', "missing required field `able`"), (b"\xff", "path.toml: 'utf-8'")],
)  # fmt: skip
def test_a_broken_plan_is_a_usage_error(tmp_path: Path, text: str | bytes, said: str) -> None:
    (tmp_path / "path.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError) as error:
        plans.plan(tmp_path)
    assert said in error.value.message
    assert str(tmp_path / "path.toml") in error.value.message


@pytest.mark.parametrize(("minutes", "text"), [(0, "0 min"), (40, "40 min"), (60, "1 h"), (135, "2 h 15 min")])
def test_minutes_are_spelt(minutes: int, text: str) -> None:
    assert spelt(minutes) == text


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three labs, of which the second comes last and the third has no week."""
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLOPS_LAB_LABS", str(tmp_path / "labs"))
    for name in ("10-first", "11-capstone", "12-second"):
        make(name, tmp_path / "labs")
    file = tmp_path / "labs" / "path.toml"
    file.write_text(
        'hours = 2\nreading = 0.5\n[[week]]\ntitle = "Begin"\nable = "begin"\nlabs = ["10-first", "12-second"]\n'
        'exams = [{ exam = "cka", minutes = 25 }]\n[[week]]\ntitle = "End"\nable = "end"\nlabs = ["11-capstone"]\n'
    )
    return file


def passed(*numbers: str) -> None:
    for number in numbers:
        Records().attempt(number, [Result("two_pods_are_ready", "Two pods.", Verdict.PASS, 2)], whole=True)


def rows(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_path_shows_the_week_with_its_times_and_what_comes_next(
    course: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert lab("path") == 0
    shown = rows(capsys)
    assert "By week: 0 of 3 labs passed, 1 h 30 min in all, 1 h 30 min to come" in shown
    start = shown.index("1 Begin 0 of 2 passed 1 h")
    assert shown[start : start + 6] == [
        "1 Begin 0 of 2 passed 1 h", "10 first new 30 min beginner", "12 second new 30 min beginner",
        "lab exam start cka --quick 25 min to practise", "in all, with time to read 1 h 55 min of 2 h",
        "2 End 0 of 1 passed 30 min lab 11",
    ]  # fmt: skip
    assert "beginner 0 of 6 points 1 h 30 min to come lab 10 12 11" in shown
    assert lab("path", "--all") == 0
    assert "11 capstone new 30 min beginner" in rows(capsys)


def test_the_plans_order_says_what_is_next_here_and_in_the_list(
    course: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    passed("10")
    assert lab("path", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["next"] == "12"
    times = [[week[key] for key in ("week", "minutes", "left", "planned", "to_do")] for week in told["weeks"]]
    assert times == [[1, 60, 30, 115, ["12"]], [2, 30, 30, 45, ["11"]]]
    assert [(lab["lab"], lab["minutes"], lab["state"]) for lab in told["weeks"][0]["labs"]] == [
        ("10", 30, "passed"), ("12", 30, "new"),
    ]  # fmt: skip
    assert told["weeks"][0]["exams"] == [{"exam": "cka", "minutes": 25}]
    assert [(level["minutes"], level["left"]) for level in told["levels"]] == [(90, 60)]
    assert lab("list") == 0
    assert rows(capsys)[-1] == "next: lab start 12"
    passed("12")
    assert lab("path") == 0
    assert "1 Begin 2 of 2 passed 1 h all passed" in rows(capsys)


def test_one_week_is_shown_alone(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lab("path", "--week", "2") == 0
    shown = rows(capsys)
    assert shown[0].startswith("next: lab start 11")
    assert "11 capstone new 30 min beginner" in shown
    assert not any("Begin" in row or row.startswith("By level") for row in shown)
    assert lab("path", "--week", "3") == 2
    assert "the course has no week 3" in capsys.readouterr().err
    course.unlink()
    assert lab("path", "--week", "1") == 2
    assert "these labs have no weeks" in capsys.readouterr().err


def test_a_lab_without_a_week_is_shown_and_so_is_a_course_without_a_plan(
    course: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    course.write_text(course.read_text().replace('"11-capstone"', ""))
    assert lab("path") == 0
    assert "Labs that have no week yet 0 of 1 passed 30 min lab 11" in rows(capsys)
    course.unlink()
    assert lab("path") == 0
    shown = rows(capsys)
    assert not any(row.startswith("By week") for row in shown)
    assert "beginner 0 of 6 points 1 h 30 min to come lab 10 11 12" in shown


@pytest.mark.parametrize(
    ("sitting", "command"),
    [(Sitting("cka", 120), "lab exam start cka"), (Sitting("ckad", 25), "lab exam start ckad --quick"),
     (Sitting("mlops", 60), "lab exam start mlops --minutes 60")],
)  # fmt: skip
def test_an_exams_command_has_its_minutes(sitting: Sitting, command: str) -> None:
    assert exam_command(sitting) == command
