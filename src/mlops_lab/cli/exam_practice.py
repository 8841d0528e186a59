"""Commands of an exam for practice: check, hint, reset."""

from __future__ import annotations

import sys

import click

from mlops_lab.cli.exam_now import now
from mlops_lab.cli.terminal import painter, say, width


@click.command()
@click.argument("number", metavar="N", type=int)
@click.pass_context
def check(ctx: click.Context, number: int) -> None:
    """In an exam for practice: check a task now.

    Exit code: 0 all passed, 1 some did not, 3 the environment has a problem.

    \b
    Examples:
      lab exam check 3
    """
    from mlops_lab.checks import report
    from mlops_lab.cli.live import live
    from mlops_lab.exam import practice
    from mlops_lab.labs.rows import Rows
    from mlops_lab.labs.running import Interrupted

    exams, look = now(ctx)
    practice.only(look.sitting, "checks")
    seat = look.sitting.seat(number)
    known = practice.checks(exams, look.sitting, number)
    with live(sys.stderr, keep=False, results=False) as view:
        try:
            results, interrupted = practice.check(exams, look.sitting, number, known, Rows(known, view)), False
        except Interrupted as early:
            results, interrupted = early.results, True
    click.echo(report.terminal(f"Task {number}: {seat.title}", results, paint=painter(sys.stdout), width=width()))
    ctx.exit(130 if interrupted else report.exit_code(results))


@click.command()
@click.argument("number", metavar="N", type=int)
@click.pass_context
def hint(ctx: click.Context, number: int) -> None:
    """In an exam for practice: show a task's next hint.

    \b
    Examples:
      lab exam hint 3
    """
    from mlops_lab.exam import practice
    from mlops_lab.labs.hints import TIERS

    exams, look = now(ctx)
    for place, text in enumerate(practice.hint(exams, look.sitting, number), 1):
        click.echo(f"Hint {place} of {TIERS}\n\n{text}\n")


@click.command()
@click.argument("number", metavar="N", type=int)
@click.pass_context
def reset(ctx: click.Context, number: int) -> None:
    """In an exam for practice: make a task as it was in the beginning.

    Your files of it are kept in a folder with the date in its name. The clock goes on.

    \b
    Examples:
      lab exam reset 3
    """
    from mlops_lab.exam import practice

    exams, look = now(ctx)
    practice.only(look.sitting, "reset, as a real one,")
    say(f"Making task {number} anew ...")
    seat = practice.reset(exams, look.sitting, number)
    click.echo(f"Task {number} is as it was in Namespace {seat.namespace}")
