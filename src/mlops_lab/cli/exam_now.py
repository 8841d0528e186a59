"""The exam under way, for its commands: looked at first, and graded when its time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlops_lab.base.errors import ExitCode
from mlops_lab.cli.terminal import say

if TYPE_CHECKING:
    from mlops_lab.exam.sitting import Exams, Look


def made() -> Exams:
    """What exams are kept with."""
    from mlops_lab.exam.sitting import Exams

    return Exams(say=say)


def now(ctx: click.Context) -> tuple[Exams, Look]:
    """The exam under way, and its clock. When the time is over, what is there is graded, and the command ends."""
    exams = made()
    look = exams.look()
    if look.left <= 0:
        say("the time is over, so what is there is graded now")
        graded(ctx, exams)
    return exams, look


def graded(ctx: click.Context, exams: Exams, *, as_it_is: bool = False) -> None:
    """Hand the exam in, show its sheet, and end the command: 0 passed, 1 not; `as_it_is` as for `hand_in`."""
    from mlops_lab.cli.exam_sheets import shown
    from mlops_lab.exam.handing_in import hand_in, page_of, sheet_of
    from mlops_lab.exam.sheet import Sheet

    number = exams.required(graded=True).number

    def show(sheet: Sheet) -> None:
        click.echo(shown(sheet))
        say("taking the exam away ...")

    kept = hand_in(exams, show, as_it_is=as_it_is)
    if kept:
        click.echo(f"Your files are in {kept}")
    click.echo(f"The sheet to print: {page_of(exams.store, number)}")
    click.echo("next: lab exam solution 1 shows how the first task is solved; lab path what to practise")
    ctx.exit(ExitCode.PASSED if sheet_of(exams.store, number).passed else ExitCode.FAILED)
