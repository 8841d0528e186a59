"""The learner's way through the labs: progress, explain, records."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlops_lab.base.errors import UsageError
from mlops_lab.cli.arguments import CheckName, LabName, Words, lab_argument
from mlops_lab.cli.terminal import colours, console, width, write
from mlops_lab.labs.catalog import Exercise
from mlops_lab.labs.checker import checks
from mlops_lab.learner.records import Progress, Records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from mlops_lab.learner.path import Course, Share

_GAP = 3  # columns between those of a table
_BAR, _SHORTEST_BAR = 30, 8  # columns
_LAST, _LAST_OF_NARROW = 8, 3  # attempts at a lab whose points are shown, also on a terminal of less than 80 columns


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
    names = max(len(each.name) for each in [*levels, *domains]) if course.labs else 0
    shown.print(_shares(levels, names))
    shown.print("\nBy exam domain: points of checks that you have passed at least once")
    shown.print(_shares(domains, names))
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
@click.option("--learner", type=Words(), default="", help="The name to write into each record.")
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


def _shares(shares: Sequence[Share], names: int) -> Table:
    """Levels or domains; where the terminal is narrow, bars are shorter or left out, and names take more lines.

    Args:
        names: columns that the longest name takes, of other tables, too.
    """
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    rows = [(each, f"{each.earned} of {each.possible} points") for each in shares]
    room = width() - max((len(points) for _, points in rows), default=0) - _GAP
    bar = min(room - names - _GAP, _BAR)
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, _GAP, 0, 0))
    table.add_column(width=max(min(names, room), 1), overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    for each, points in rows:
        bars = [ProgressBar(total=each.possible or 1, completed=each.earned, width=bar)] if bar >= _SHORTEST_BAR else []
        table.add_row(each.name, points, *bars)
    return table


def _attempts(course: Course) -> Table:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, _GAP, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_column(no_wrap=True)
    last = _LAST if width() >= 80 else _LAST_OF_NARROW
    for each in course.labs:
        stand = course.progress.get(each.number, Progress())
        own = [kept for kept in course.kept if kept.lab == each.number and kept.whole]
        hints = f", {stand.hints} hints" if stand.hints else ""
        points = " ".join(str(kept.points) for kept in own[-last:])
        earlier = "... " if len(own) > last else ""
        table.add_row(each.slug, stand.state + hints, f"{earlier}{points} of {own[-1].possible}" if own else "")
    return table
