"""The learner's way through the labs: path, progress, explain, records."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlops_lab.base.errors import UsageError
from mlops_lab.cli.arguments import CheckName, LabName, lab_argument
from mlops_lab.cli.terminal import colours, console, width, write
from mlops_lab.labs.catalog import LEVELS, Exercise
from mlops_lab.labs.checker import checks
from mlops_lab.learner.records import Progress, Records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from mlops_lab.learner.path import Course, Failed, Practise, Share

_SHOWN = 5  # failed checks, and labs of a row
_FEW = 2  # labs and tasks that are named for a domain


@click.command()
@click.option("--level", type=click.Choice(list(LEVELS.values())), help="Only this level.")
@click.option("--domain", help="Only exam domains that begin so, such as cka/troubleshooting or cka.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def path(level: str | None, domain: str | None, as_json: bool) -> None:
    """Suggest what to do next, by level, exam domain and failed checks.

    \b
    Examples:
      lab path
      lab path --level beginner
      lab path --domain cka/troubleshooting
      lab path --level intermediate --domain cka/troubleshooting
      lab path --json | jq -r .next
    """
    from mlops_lab.learner import path as paths

    course = paths.course()
    if domain and not any(_begins(each.name, domain) for each in paths.domains(course)):
        known = ", ".join(each.name for each in paths.domains(course))
        raise UsageError(f"there is no exam domain {domain!r}", f"there are: {known}")
    levels, domains = paths.levels(_of_level(course, level)), _domains(course, level, domain or "")
    shares = domains if domain else levels
    failed, following, exams = paths.failed(course), paths.next_lab(course), _exams(course, domain or "")
    if level or domain:
        following = next((lab for each in shares for lab in each.labs), None)
    if as_json:
        rows = {
            "next": following, "levels": [vars(each) for each in levels], "domains": [vars(each) for each in domains],
            "failed": [vars(each) for each in failed], "exams": [vars(each) for each in exams],
        }  # fmt: skip
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    if not course.labs:
        click.echo("There are no labs here.")
        return
    shown = console()
    if level and not shares:
        shown.print(_no_lab(course, level, domain), soft_wrap=True)
        return
    shown.print(_next(course, following), soft_wrap=True)
    if failed and not level and not domain:
        shown.print("\nWhat failed last")
        for each in failed[:_SHOWN]:
            shown.print(_failed(each), soft_wrap=True)
    if exams and not level:
        shown.print("\nFor exams, by the last ones, the weakest domain first")
        for weak in exams[:_SHOWN]:
            shown.print(_practise(weak), soft_wrap=True)
    if domain is None:
        shown.print("\nBy level")
        shown.print(_shares(levels, course, bar=False))
    if level is None or domain:
        shown.print("\nBy exam domain, first the labs with most points still to get")
        shown.print(_shares(domains, course, bar=False))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def progress(as_json: bool) -> None:
    """Show your progress by level, exam domain and lab.

    \b
    Examples:
      lab progress
      lab progress --json
    """
    from mlops_lab.learner import path as paths

    course = paths.course()
    levels, domains = paths.levels(course), paths.domains(course)
    if as_json:
        rows = {
            "levels": [vars(each) for each in levels],
            "domains": [vars(each) for each in domains],
            "labs": [
                {"lab": each.number, "name": each.name, **vars(course.progress.get(each.number, Progress()))}
                for each in course.labs
            ],
        }
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    shown = console()
    passed = sum(course.passed(each.number) for each in course.labs)
    shown.print(f"{passed} of {len(course.labs)} labs passed, {len(course.kept)} attempts\n")
    shown.print(_shares(levels, course, bar=True))
    shown.print("\nBy exam domain: points of checks that you have passed at least once")
    shown.print(_shares(domains, course, bar=True))
    shown.print("\nBy lab: the points of each attempt")
    shown.print(_attempts(course))
    shown.print("\nnext: lab path")


@click.command()
@lab_argument
@click.argument("name", metavar="[CHECK]", required=False, type=CheckName())
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(exercise: Exercise, name: str | None, as_json: bool) -> None:
    """Show what a failed check sent and what came back.

    Shows the requests and their answers, the load with its latencies, and the events of the objects involved, as the
    last `lab check` recorded them; nothing is measured again. Without CHECK, it explains the first that failed.

    \b
    Examples:
      lab explain 04
      lab explain 04 survives_a_kill
      lab explain 04 survives_a_kill --json | jq .trace.loads
    """
    from mlops_lab.learner.explain import explained

    records = Records()
    number = exercise.number
    last = {each["check"]: each for each in records.results(number)}
    if not last:
        raise UsageError(f"lab {number} was not checked yet", f"check it first: lab check {number}")
    failed = [check for check, each in last.items() if each["verdict"] == "fail"]
    plain = (name or "").replace("-", "_")
    if name and plain not in {item.name for item in checks(exercise)}:
        known = ", ".join(item.name for item in checks(exercise))
        raise UsageError(f"there is no check {name!r} in this lab", f"it has: {known}")
    if (name and plain not in failed) or not failed:
        verdict = last[plain]["verdict"] if plain in last else "not known yet"
        what = f"the last verdict of {plain} is {verdict}" if name else "no check failed last"
        hint = f"failed checks: {', '.join(failed)}" if failed else f"see the report: lab check {number}"
        raise UsageError(f"{what}; so there is no failure to explain", hint)
    chosen = plain or failed[0]
    trace = records.trace(number, chosen)
    if as_json:
        click.echo(json.dumps({**last[chosen], "trace": trace}, indent=2, ensure_ascii=False))
        return
    click.echo(explained(last[chosen], trace, width=width(), colour=colours(sys.stdout)))
    others = [check for check in failed if check != chosen]
    more = f"; also failed: {', '.join(others)}" if others else ""
    click.echo(f"\nnext: lab hint {number}, then lab check {number} {chosen}{more}")


@click.command()
@click.argument("lab", metavar="[LAB]", required=False, type=LabName())
@click.option("--learner", default="", help="The name to write into each record.")
@click.option("--exams", is_flag=True, help="Print your graded exams instead of your attempts at labs.")
@click.option("--schema", "as_schema", is_flag=True, help="Print the JSON Schema of a record instead.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")
def records(lab: Exercise | None, learner: str, exams: bool, as_schema: bool, out: Path | None) -> None:
    """Print your attempts as JSON lines that a teacher can collect.

    \b
    Examples:
      lab records
      lab records 04 --learner ada --out ada.jsonl
      lab records | jq -r 'select(.passed) | .lab' | sort -u
      lab records --exams --learner ada
      lab records --schema
    """
    from mlops_lab.learner.attempts import attempts, line, schema

    if exams and lab:
        raise UsageError("--exams prints exams, not attempts at a lab", "leave out one of them")
    if exams:
        text = _exam_records(learner, as_schema)
    elif as_schema:
        text = json.dumps(schema(), indent=2) + "\n"
    else:
        found = attempts(Records(), learner, lab.number if lab else "")
        text = "".join(f"{line(each)}\n" for each in found)
    if out is None:
        click.echo(text, nl=False)
        return
    write(out, text, "--out")


def _exam_records(learner: str, as_schema: bool) -> str:
    from mlops_lab.exam.handing_in import sheets
    from mlops_lab.exam.sheet import record, schema
    from mlops_lab.exam.state import Store

    if as_schema:
        return json.dumps(schema(), indent=2) + "\n"
    return "".join(f"{record(each, learner)}\n" for each in sheets(Store()))


def _exams(course: Course, beginning: str) -> list[Practise]:
    """What to practise for exams, of the domains whose names begin so."""
    from mlops_lab.exam.handing_in import sheets
    from mlops_lab.exam.history import scored
    from mlops_lab.exam.state import Store
    from mlops_lab.learner import path as paths
    from mlops_lab.tasks.task import tasks

    known, lost = scored(sheets(Store()))
    if not known:
        return []
    bank: dict[str, list[str]] = {}
    for task in tasks():
        for exam, domain in task.about.exams.items():
            bank.setdefault(f"{exam}/{domain}", []).append(task.name)
    return [each for each in paths.practise(course, known, bank, lost) if _begins(each.domain, beginning)]


def _practise(each: Practise) -> str:
    labs = f"lab start {' or '.join(each.labs[:_FEW])}" if each.labs else ""
    exam = each.domain.partition("/")[0]
    tasks = " ".join(f"--task {name}" for name in each.tasks[:_FEW])
    ways = [labs, f"lab exam start {exam} --practice {tasks}" if tasks else ""]
    return f"  {each.domain}, {each.percent} %: {'; '.join(way for way in ways if way)}"


def _of_level(course: Course, level: str | None) -> Course:
    """The same course with the labs of one level; None leaves all."""
    if level is None:
        return course
    own = [each for each in course.labs if LEVELS[course.abouts[each.number].level] == level]
    return replace(course, labs=own)


def _domains(course: Course, level: str | None, beginning: str) -> list[Share]:
    """The exam domains whose names begin so, with what the labs of one level have of them; None takes all levels."""
    from mlops_lab.learner import path as paths

    return [each for each in paths.domains(_of_level(course, level)) if _begins(each.name, beginning)]


def _no_lab(course: Course, level: str, domain: str | None) -> str:
    """Says that a level has no labs (of a domain), and which levels have some."""
    others = [
        other
        for other in LEVELS.values()
        if (_domains(course, other, domain) if domain else _of_level(course, other).labs)
    ]
    of, more = (f" for the exam domain {domain}", f" --domain {domain}") if domain else ("", "")
    return (
        f"The level {level} has no labs{of} yet; these levels have: {', '.join(others)}\n"
        f"next: lab path --level {others[0]}{more}"
    )


def _next(course: Course, number: str | None) -> str:
    if number is None:
        return "next: you have passed all of these; lab list shows all labs"
    about = course.abouts[number]
    stand = course.progress.get(number, Progress())
    how = f", {stand.best} of {stand.possible} points so far" if stand.best is not None else ""
    verb = "check" if stand.state in ("started", "tried") else "start"
    return f"next: lab {verb} {number}   {about.title} (about {about.minutes} min{how})\n      {about.summary}"


def _failed(each: Failed) -> str:
    practise = f"; to practise the same: lab start {' or '.join(each.practise)}" if each.practise else ""
    return f"  lab {each.lab}, {each.check}: lab explain {each.lab} {each.check}{practise}"


def _shares(shares: Sequence[Share], course: Course, *, bar: bool) -> Table:
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 2))
    table.add_column(no_wrap=True, min_width=46)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for each in shares:
        points = f"{each.earned} of {each.possible} points"
        if bar:
            table.add_row(each.name, points, ProgressBar(total=each.possible or 1, completed=each.earned, width=30))
        else:
            more = " ..." if len(each.labs) > _SHOWN else ""
            table.add_row(each.name, points, f"lab {' '.join(each.labs[:_SHOWN])}{more}" if each.labs else "all passed")
    return table


def _attempts(course: Course) -> Table:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 2))
    table.add_column(no_wrap=True)
    for column in ("state", "points"):
        table.add_column(column, no_wrap=True)
    for each in course.labs:
        stand = course.progress.get(each.number, Progress())
        own = [kept for kept in course.kept if kept.lab == each.number and kept.whole]
        hints = f", {stand.hints} hints" if stand.hints else ""
        points = " ".join(str(kept.points) for kept in own[-8:])
        earlier = "... " if len(own) > 8 else ""
        table.add_row(each.slug, stand.state + hints, f"{earlier}{points} of {stand.possible}" if own else "")
    return table


def _begins(name: str, beginning: str) -> bool:
    """Does the name of an exam domain begin so? `cka` is an exam, and not the beginning of `ckad`."""
    return name.startswith(f"{beginning}/" if beginning in {"cka", "ckad"} else beginning)
