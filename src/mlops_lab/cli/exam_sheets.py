"""What is left of exams: sheets, solutions, history."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlops_lab.base.errors import UsageError
from mlops_lab.cli.terminal import colours, painter, width, write

if TYPE_CHECKING:
    from mlops_lab.exam.sheet import Sheet, TaskScore


@click.command("sheet")
@click.argument("number", metavar="[EXAM]", type=int, required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write it as JUnit XML.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write it as one page, to print.")
def show_sheet(number: int | None, as_json: bool, junit: Path | None, html: Path | None) -> None:
    """Show an exam's sheet: the score, what was lost and why, and how each task is solved.

    Without EXAM, the last one's.

    \b
    Examples:
      lab exam sheet
      lab exam sheet 2 --html sheet.html
      lab exam sheet --json | jq .score
    """
    import msgspec

    from mlops_lab.exam.handing_in import sheet_of
    from mlops_lab.exam.junit import junit as as_junit
    from mlops_lab.exam.page import page
    from mlops_lab.exam.state import Store

    found = sheet_of(Store(), number)
    if html:
        write(html, page(found), "--html")
    if junit:
        write(junit, as_junit(found), "--junit")
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    elif not (html or junit):
        click.echo(shown(found))
        for task in found.tasks:
            click.echo(f"\n== Task {task.number}: {task.title}\n\n{_solved(task)}", nl=False)


@click.command()
@click.argument("number", metavar="N", type=int)
@click.option("--exam", "which", type=int, metavar="EXAM", help="Of this exam; of the last one if not given.")
def solution(number: int, which: int | None) -> None:
    """After an exam: show a task's text and its solutions.

    \b
    Examples:
      lab exam solution 3
      lab exam solution 3 --exam 2
    """
    from mlops_lab.exam.handing_in import sheet_of
    from mlops_lab.exam.state import Store

    store = Store()
    if which is None and (running := store.open()) is not None and running.phase not in ("clearing", "stopping"):
        raise UsageError("an exam has no solutions before its end", "hand it in: lab exam submit")
    found = sheet_of(store, which)
    for task in found.tasks:
        if task.number == number:
            click.echo(f"Exam {found.number} ({found.exam}), task {number}\n\n{task.text.rstrip()}\n")
            click.echo(_solved(task), nl=False)
            return
    raise UsageError(f"exam {found.number} had no task {number}", f"it had tasks 1 to {len(found.tasks)}")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def history(as_json: bool) -> None:
    """Show all exams, and draw the scores over time.

    \b
    Examples:
      lab exam history
      lab exam history --json | jq '.[].score'
    """
    from mlops_lab.exam.handing_in import sheets
    from mlops_lab.exam.history import drawn, rows
    from mlops_lab.exam.state import Store

    store = Store()
    graded = sheets(store)
    if as_json:
        click.echo(json.dumps(rows(store, graded), indent=2))
        return
    if not store.numbers():
        click.echo("There were no exams yet.\nnext: lab exam start cka, ckad or mlops")
        return
    for row in rows(store, graded):
        kind = "".join(f", {word}" for word in ("practice", "quick") if row[word])
        score = (
            f"{row['score']:5.1f} %  {'passed' if row['passed'] else 'not passed'}"
            if row["score"] is not None
            else row["phase"]
        )
        click.echo(
            f"{row['number']:3}  {row['begun'][:10] or '-':10}  {row['exam']:5}  {score}  (seed {row['seed']}{kind})"
        )
    if len(graded) > 1:
        click.echo("\n" + drawn(graded, width(), colours(sys.stdout)))
    click.echo("\nnext: lab path says what to practise")


def shown(sheet: Sheet) -> str:
    """A sheet for the terminal, without solutions."""
    from mlops_lab.checks import report
    from mlops_lab.exam.clock import spelled
    from mlops_lab.exam.sheet import ENOUGH, results_of

    paint = painter(sys.stdout)
    verdict = paint("PASSED", "pass") if sheet.passed else paint("NOT PASSED", "fail")
    kind = "".join(f", {word}" for word, is_ in (("practice", sheet.practice), ("quick", sheet.quick)) if is_)
    lines = []
    for task in sheet.tasks:
        points = f"{task.earned:g} of {task.weight} %"
        if task.possible < task.weight:
            points += f", {round(task.weight - task.possible, 2):g} left out"
        title = f"Task {task.number}: {task.title} ({points}; {task.domain})"
        body = report.terminal(title, results_of(task), paint=paint, width=width()).splitlines()
        lines += [body[0], *body[2:-2], ""]
    lines += ["By domain"]
    wide = max(len(each.domain) for each in sheet.domains)
    lines += [f"  {each.domain.ljust(wide)}  {each.earned:6g} of {each.possible:g}" for each in sheet.domains]
    lines += [
        "",
        f"Exam {sheet.number}, {sheet.exam}{kind}, seed {sheet.seed}: {sheet.score} %, {verdict} "
        f"({sheet.needed} % pass)",
        f"{spelled(sheet.used)} of {spelled(sheet.minutes * 60)} used" + _times(sheet, spelled),
    ]
    if sheet.possible < 100:
        lines.append(
            f"{round(100 - sheet.possible, 2):g} of 100 points could not be graded, through no fault of yours; the "
            f"score is {sheet.earned:g} of the other {sheet.possible:g}"
            + (", which are too few to pass" if sheet.possible < ENOUGH else "")
        )
    return "\n".join(lines)


def _times(sheet: Sheet, spelled: Callable[[float], str]) -> str:
    given = f", {spelled(sheet.given_back)} given back" if sheet.given_back >= 1 else ""
    late = f", graded {spelled(sheet.late)} after the end" if sheet.late >= 1 else ""
    return given + late


def _solved(task: TaskScore) -> str:
    lines = []
    for name, files in task.solutions.items():
        lines.append(f"-- solution {name}")
        for file, text in files.items():
            lines += ["", f"   {file}", "", text.rstrip(), ""]
    return "\n".join(lines) + "\n"
