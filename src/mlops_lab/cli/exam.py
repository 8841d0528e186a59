"""`lab exam`: practice for CKA, CKAD and MLOps against the clock; the commands of a sitting."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from mlops_lab.cli.exam_bank import list_tasks, new_task, prove_tasks, render_task
from mlops_lab.cli.exam_now import graded, made, now
from mlops_lab.cli.exam_practice import check, hint, reset
from mlops_lab.cli.exam_sheets import history, show_sheet, solution
from mlops_lab.cli.terminal import agree, complain, console, into

if TYPE_CHECKING:
    from mlops_lab.exam.sitting import Exams, Look
    from mlops_lab.exam.state import Seat, Sitting


@click.group()
def exam() -> None:
    """Practise for CKA, CKAD and MLOps against the clock.

    \b
    Examples:
      lab exam start cka
      lab exam start ckad --quick --practice
      lab exam task 3
      lab exam submit
      lab exam sheet
    """


@exam.command()
@click.argument("name", metavar="cka|ckad|mlops", type=click.Choice(["cka", "ckad", "mlops"]))
@click.option("--minutes", type=click.IntRange(15, 240), help="The time; 120 if not given.")
@click.option("--seed", type=click.IntRange(min=0), help="Draw this exam: the same seed is the same one, for a class.")
@click.option("--practice", is_flag=True, help="Checks and hints at any time.")
@click.option("--quick", is_flag=True, help="Four tasks in 25 minutes.")
@click.option("--task", "only", multiple=True, metavar="NAME", help="To practise: this task; may be given again.")
@click.pass_context
def start(
    ctx: click.Context, name: str, minutes: int | None, seed: int | None, practice: bool, quick: bool,
    only: tuple[str, ...],
) -> None:  # fmt: skip
    """Draw an exam, make its tasks on the cluster, and start the clock.

    The same seed, with the same bank of tasks, is the same exam. Your labs are not touched. All tasks of the bank: lab
    exam tasks.

    \b
    Examples:
      lab exam start cka
      lab exam start ckad --seed 7
      lab exam start mlops --quick --practice
      lab exam start cka --practice --task storage-class
    """
    from mlops_lab.base.errors import UsageError
    from mlops_lab.exam.drawing import MINUTES
    from mlops_lab.tasks.task import tasks

    if quick and minutes:
        raise UsageError("--quick has 25 minutes", "leave out one of --quick and --minutes")
    if only and (quick or minutes or not practice):
        raise UsageError("--task is for --practice alone", "lab exam start EXAM --practice --task NAME")
    exams = made()
    try:
        sitting = exams.start(
            name, tasks(), minutes=minutes or MINUTES, seed=seed, practice=practice, quick=quick, only=only
        )
    except KeyboardInterrupt:
        if not exams.store.open():
            raise
        click.echo(err=True)  # ends the line with ^C
        complain("interrupted", "go on with it: lab exam resume; give it up: lab exam stop")
        ctx.exit(130)
    kind = ", for practice" if practice else ""
    click.echo(
        f"Exam {sitting.number}: {name}{kind}, seed {sitting.seed}. {len(sitting.seats)} tasks in {sitting.minutes} "
        "minutes, 66 % pass. The clock runs.\n"
    )
    _show(exams, sitting, sitting.seat(1))
    click.echo("next: lab exam status shows all tasks, lab exam task 2 the second one")


@exam.command()
@click.pass_context
def status(ctx: click.Context) -> None:
    """Show the time left and all tasks.

    \b
    Examples:
      lab exam status
    """
    from rich.table import Table

    _, look = now(ctx)
    sitting = look.sitting
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column, side in (
        ("", "right"),
        ("%", "right"),
        ("min", "right"),
        ("", "left"),
        ("task", "left"),
        ("domain", "left"),
    ):
        table.add_column(column, justify=side, no_wrap=column not in ("task", "domain"))  # type: ignore[arg-type]
    if sitting.practice:
        table.add_column("checked", justify="right")
    for seat in sitting.seats:
        mark = ("> " if seat.number == sitting.current else "") + ("flagged" if seat.flagged else "")
        title = seat.title + (f"\n  note: {seat.note}" if seat.note else "")
        row = [str(seat.number), str(seat.weight), str(seat.minutes), mark, title, seat.domain]
        if sitting.practice:
            row.append(f"{seat.checked[0]} of {seat.checked[1]}" if seat.checked else "")
        table.add_row(*row)
    click.echo(f"Exam {sitting.number}: {sitting.exam}, seed {sitting.seed}. {_left(look)}\n")
    console().print(table)
    click.echo(f"\nnext: lab exam task {sitting.current}")


@exam.command()
@click.argument("number", metavar="[N]", type=int, required=False)
@click.pass_context
def task(ctx: click.Context, number: int | None) -> None:
    """Show a task: its text, where it is, its weight and minutes.

    Without N the one that was shown last.

    \b
    Examples:
      lab exam task 3
    """
    exams, look = now(ctx)
    sitting = look.sitting
    seat = exams.show(sitting, sitting.current if number is None else number)
    _show(exams, sitting, seat)
    click.echo(_left(look))


@exam.command()
@click.argument("number", metavar="N", type=int)
@click.pass_context
def flag(ctx: click.Context, number: int) -> None:
    """Flag a task to come back to, or take the flag away.

    \b
    Examples:
      lab exam flag 3
    """
    exams, look = now(ctx)
    seat = exams.flag(look.sitting, number)
    click.echo(f"Task {number} is {'flagged' if seat.flagged else 'not flagged any more'}. {_left(look)}")


@exam.command()
@click.argument("number", metavar="N", type=int)
@click.argument("text", metavar="[TEXT]...", nargs=-1)
@click.pass_context
def note(ctx: click.Context, number: int, text: tuple[str, ...]) -> None:
    """Keep a note at a task; without TEXT, take it away.

    \b
    Examples:
      lab exam note 3 the claim is bound, the pod is not
    """
    exams, look = now(ctx)
    seat = exams.note(look.sitting, number, " ".join(text))
    click.echo(f"Task {number}: {seat.note or 'no note any more'}. {_left(look)}")


@exam.command()
@click.pass_context
def time(ctx: click.Context) -> None:
    """Show the time left.

    \b
    Examples:
      lab exam time
    """
    _, look = now(ctx)
    click.echo(_left(look))


@exam.command()
@click.option("--yes", is_flag=True, help="Without asking.")
@click.option(
    "--as-it-is", is_flag=True, help="Also where less than half of it could be graded; it is then not passed."
)
@click.pass_context
def submit(ctx: click.Context, yes: bool, as_it_is: bool) -> None:
    """Hand the exam in: grade it, show the sheet, and take it away.

    What was interrupted goes on. Exit code: 0 passed, 1 not passed, 3 the environment has a problem.

    \b
    Examples:
      lab exam submit
      lab exam submit --yes
    """
    exams = made()
    sitting = exams.required(graded=True)
    if sitting.phase == "running":
        look = exams.look()
        if look.left > 0:
            agree(f"Hand in exam {sitting.number}? {_left(look)}", yes)
    graded(ctx, exams, as_it_is=as_it_is)


@exam.command()
@click.pass_context
def resume(ctx: click.Context) -> None:
    """Go on with an exam, whatever has happened.

    Makes what is not on the cluster (any more): after a killed command, another cluster, a deleted namespace. The time
    that this takes does not count.

    \b
    Examples:
      lab exam resume
    """
    exams = made()
    if exams.required().phase == "running":
        now(ctx)  # when the time is over, it is graded
    sitting = exams.resume()
    _show(exams, sitting, sitting.seat(sitting.current))
    from mlops_lab.exam.clock import spelled

    click.echo(f"{spelled(sitting.clock.left)} left")


@exam.command()
@click.option("--yes", is_flag=True, help="Without asking.")
@click.option("--leave", is_flag=True, help="Leave on the cluster what does not go, and say what.")
def stop(yes: bool, leave: bool) -> None:
    """Give an exam up: nothing is graded, and all of it is taken away.

    Your files are kept in a folder with the date in its name. An exam that is graded already keeps its sheet.

    \b
    Examples:
      lab exam stop
    """
    exams = made()
    sitting = exams.required(graded=True)
    if sitting.phase not in ("clearing", "stopping"):
        agree(f"Give up exam {sitting.number} ({sitting.exam})? It is not graded.", yes)
    kept = exams.stop(leave=leave)
    click.echo(f"Exam {sitting.number} is taken away" + (f"; your files are in {kept}" if kept else ""))


@exam.command("shell")
@click.argument("number", metavar="[N]", type=int, required=False)
@click.pass_context
def open_shell(ctx: click.Context, number: int | None) -> None:
    """Open a shell on the exam's base host: `ssh NODE` leads to root on a node, and `k` and completion are there.

    With N it begins in the folder of that task, with its namespace. `exit` leaves it.

    \b
    Examples:
      lab exam shell
      lab exam shell 3
    """
    from mlops_lab.cluster import shell
    from mlops_lab.exam.state import workspace

    kubeconfig = ""
    if number is None:
        found = made().store.open()
        if found and found.phase == "running":
            now(ctx)  # when the time is over, it is graded
    else:
        exams, look = now(ctx)
        seat = exams.show(look.sitting, number)
        folder = workspace(seat)
        kubeconfig = str(folder / ".lab" / "kubeconfig")
        again = f"make the task anew: lab exam reset {number}; or " if look.sitting.practice else ""
        into(folder, f"{again}work without it: lab exam shell")
        shell.show(f"task {number} {seat.namespace}")
    shell.enter(kubeconfig)


def _show(exams: Exams, sitting: Sitting, seat: Seat) -> None:
    from mlops_lab.exam.state import workspace

    folder = workspace(seat)
    flagged = ", flagged" if seat.flagged else ""
    click.echo(f"Task {seat.number} of {len(sitting.seats)}: {seat.weight} %, about {seat.minutes} min{flagged}\n")
    click.echo(exams.text(sitting, seat).rstrip() + "\n")
    if seat.note:
        click.echo(f"Your note: {seat.note}\n")
    click.echo(f"Namespace {seat.namespace}, files in {folder}")
    there, kubeconfig = shlex.quote(str(folder)), shlex.quote(f"{folder}/.lab/kubeconfig")
    click.echo(f"  cd {there}; export KUBECONFIG={kubeconfig}\n")


def _left(look: Look) -> str:
    from mlops_lab.exam.clock import spelled

    return f"{spelled(look.left)} left" + (", and the clock stands" if look.trouble else "")


for each in (
    check, hint, reset, show_sheet, solution, history, list_tasks, new_task, prove_tasks, render_task,
):  # fmt: skip
    exam.add_command(each)
