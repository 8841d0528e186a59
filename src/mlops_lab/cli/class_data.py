"""lab class, what there is of one: status, grades, certificate, backup, restore, down."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlops_lab.base.errors import ExitCode, UsageError
from mlops_lab.cli.arguments import class_option, lab_numbers
from mlops_lab.cli.terminal import agree, console, say

if TYPE_CHECKING:
    from mlops_lab.classroom.roster import Learner
    from mlops_lab.classroom.teacher.ending import Plan
    from mlops_lab.classroom.teacher.standing import Stand

_FOLDER = click.Path(file_okay=False, path_type=Path)
_READABLE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@class_option
def status(context: str) -> None:
    """Show whether the class is well, and who waits.

    Also who is stuck, and what memory it takes.

    Exit code: 0 well, 3 if something is not.

    \b
    Examples:
      lab class status
    """
    from mlops_lab.classroom.teacher import place, standing

    seen = standing.look(place.of(context))
    width = max(len(part.what) for part in seen.parts)
    for part in seen.parts:
        click.echo(f"{'ok  ' if part.healthy else 'FAIL'} {part.what.ljust(width)}  {part.seen}")
    if seen.stand:
        _show_stand(seen.stand)
    if not seen.well:
        click.echo("next: lab class up --roster roster.csv repairs it; for what was not graded: lab class map")
        sys.exit(ExitCode.ENVIRONMENT)


@click.command()
@click.option("--csv", "form", flag_value="csv", help="CSV: a line for each learner, as learning platforms take it.")
@click.option("--long", "form", flag_value="long", help="CSV: a line for each learner and lab.")
@click.option("--json", "form", flag_value="json", help="JSON.")
@click.option("--records", "form", flag_value="records", help="The signed results, for lab class verify.")
@class_option
def grades(form: str | None, context: str) -> None:
    """Print the gradebook.

    \b
    Examples:
      lab class grades
      lab class grades --csv >grades.csv
      lab class grades --json
      lab class grades --records >records.jsonl
    """
    from mlops_lab.classroom.teacher import place
    from mlops_lab.classroom.teacher.asking import asking
    from mlops_lab.classroom.teacher.grades import Book

    paths = {"csv": "grades.csv", "long": "grades.csv?form=long", "json": "grades", "records": "records.jsonl"}
    with asking(place.of(context)) as server:
        if form:
            content = server.text("GET", paths[form])
            click.echo(content if content.endswith(b"\n") else content + b"\n", nl=False)
            return
        book = server.get("grades", Book)
    from rich.table import Table

    labs = [f"{each.lab} ({each.possible})" if each.possible else each.lab for each in book.labs]
    table = Table("learner", "name", *labs, "total", box=None, pad_edge=False)
    for row in book.rows():
        table.add_row(*row)
    console().print(table)
    click.echo("* counted in part after the lab was due; the page has it all: lab class map")


@click.command()
@click.argument("learner", required=False)
@click.option("--labs", metavar="NN,...", help="Labs that are to be passed; without it, those that the learner has.")
@click.option("--out", type=_FOLDER, default=Path("certificates"), show_default=True, help="The folder for the files.")
@class_option
def certificate(learner: str | None, labs: str | None, out: Path, context: str) -> None:
    """Write a certificate for each learner who has passed, or for one.

    A file is a page to print, and holds an Open Badges 3.0 credential that is signed with the class's key. Anybody who
    has the public key proves it with lab class verify FILE.

    \b
    Examples:
      lab class certificate
      lab class certificate ada --labs 04,10
    """
    from mlops_lab.classroom.teacher import awarding, place

    def done(whose: Learner, file: Path | None, said: str) -> None:
        if file:
            click.echo(f"{file}  {whose.name}: lab {said}")
        elif learner:
            raise UsageError(said, "see what is missing: lab class grades")
        else:
            say(said)

    awarding.award(place.of(context), learner, lab_numbers(labs), out, done)


@click.command()
@click.option("--data", is_flag=True, help="Delete the gradebook and the class's key, too.")
@click.option("--backup", "file", type=click.Path(dir_okay=False, path_type=Path), help="Where the backup goes.")
@click.option("--no-backup", is_flag=True, help="Make none.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@class_option
def down(data: bool, file: Path | None, no_backup: bool, yes: bool, context: str) -> None:
    """End the class: delete what it has made, after a backup.

    Lists it, asks, and deletes the class's programs, learners' namespaces, and Kueue if the class has brought it. The
    gradebook and the class's key stay on the cluster for the next `lab class up`, unless you say --data.

    \b
    Examples:
      lab class down
      lab class down --data --backup autumn.tar
    """
    from mlops_lab.base.progress import Progress
    from mlops_lab.classroom.teacher import backup, ending, place

    progress, klass = Progress(), place.at(context)
    plan = ending.planned(klass, data)
    _show_plan(plan, klass.cluster.context)
    if plan.is_empty:
        return
    if plan.release and not no_backup:
        backup.require_own_database(klass.told(), "lab class down --no-backup")
        file = file or Path(f"class-{datetime.now():%Y-%m-%d-%H%M%S}.tar")
        click.echo(f"Before that, a backup: {file}")
    elif plan.own and not no_backup:
        raise UsageError(
            "the class does not run, so no backup of its gradebook can be made; nothing was deleted",
            "bring it up (lab class up --roster roster.csv), or delete it without: --no-backup",
        )
    agree("Delete this?", yes)
    if plan.release and file and not no_backup:
        backup.make(klass, file, progress)
        click.echo(f"The backup is in {file}, which only you can read; keep it as you keep a key")
    ending.end(klass, plan, progress)
    click.echo("The class has ended" + ("; its gradebook stays for the next lab class up" if plan.stays else ""))


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@class_option
def save(file: Path, context: str) -> None:
    """Write a backup of the gradebook and the class's key.

    Learners go on meanwhile. Whoever has FILE can write any grade: only you can read it.

    \b
    Examples:
      lab class backup autumn.tar
    """
    from mlops_lab.base.progress import Progress
    from mlops_lab.classroom.teacher import backup, place

    made = backup.make(place.of(context), file, Progress())
    click.echo(f"wrote {file} ({file.stat().st_size / 2**20:.1f} MiB), signed with the key {made.key}")
    click.echo("next: copy it to another machine, and keep it as you keep a key")


@click.command()
@click.argument("file", type=_READABLE)
@click.option("--yes", is_flag=True, help="Do not ask.")
@class_option
def restore(file: Path, yes: bool, context: str) -> None:
    """Put a backup in the place of the gradebook.

    Its key and tokens come with it, so kits of that time work again. The class has to be up (lab class up). If the
    backup is not whole, all stays as it is.

    \b
    Examples:
      lab class restore autumn.tar
    """
    from mlops_lab.base.progress import Progress
    from mlops_lab.classroom.teacher import backup, place
    from mlops_lab.classroom.teacher import restore as restoring

    klass = place.of(context)
    with backup.opened(file) as content:
        at = content.backup.at
    agree(f"Replace the gradebook in {klass.cluster.context} by that of {at}? What came later is lost.", yes)
    made = restoring.put(klass, file, Progress())
    click.echo(f"The gradebook is as of {made.at}; kits of that time work again, as far as they have not ended")
    click.echo("next: lab class status")


COMMANDS = (status, grades, certificate, save, restore, down)


def _show_plan(plan: Plan, context: str) -> None:
    from mlops_lab.classroom.teacher.place import NAMESPACE

    if plan.is_empty:
        click.echo(f"Nothing to delete: there is no class in {context}")
    else:
        click.echo(f"To be deleted in {context}:")
    if plan.release:
        click.echo(f"  the class's programs, roles and policies (release {NAMESPACE})")
    for each in (*plan.graders, *plan.spaces):
        click.echo(f"  {each}, with all that is in it")
    if plan.kueue:
        click.echo("  Kueue, which the class has brought")
    if plan.own:
        click.echo(f"  {plan.own}, with the gradebook and the class's key")
    if plan.stays:
        click.echo(f"  stays, {plan.stays}: Namespace {NAMESPACE}")
    if plan.queues:
        click.echo(f"  stays, as others have queues in it: Kueue ({', '.join(plan.queues)})")
    for name in plan.others:
        click.echo(f"  stays, as the class does not name its own so: Namespace {name}")


def _show_stand(stand: Stand) -> None:
    for each in stand.waiting:
        click.echo(f"     waits, place {each.place}: {each.learner}, lab {each.lab}, submission {each.number}")
    for open_ in stand.working:
        click.echo(f"     is graded, for {open_.lasts}: {open_.learner}, lab {open_.lab}, submission {open_.number}")
    for open_ in stand.given_up:
        click.echo(
            f"     could not be graded: {open_.learner}, lab {open_.lab}, submission {open_.number}: {open_.why}"
        )
    for at in stand.learners:
        if at.state == "stuck":
            click.echo(f"     stuck for {at.seconds // 60} min: {at.name}, lab {at.lab}, {at.check} ({at.tries} times)")
