"""The learner's commands: list, start, check, watch, hint, solution, reset."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlops_lab.base.errors import ExitCode
from mlops_lab.cli.arguments import CheckName, lab_argument
from mlops_lab.labs.catalog import LEVELS, Exercise, about, abouts, exercises
from mlops_lab.learner.records import Progress, Records

if TYPE_CHECKING:
    from mlops_lab.learner.lifecycle import Begun
    from mlops_lab.learner.watch import Watch


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_labs(as_json: bool) -> None:
    """List the labs and how far you are.

    \b
    Examples:
      lab list
      lab list --json | jq '.[] | select(.state == "passed") | .lab'
    """
    known = exercises()
    descriptions = abouts(known)
    progress = Records().progress()
    stand = [progress.get(each.number, Progress()) for each in known]
    if as_json:
        rows = [
            {
                "lab": each.number,
                "name": each.name,
                "title": description.title,
                "level": description.level,
                "minutes": description.minutes,
                "summary": description.summary,
                "needs": list(description.needs),
                **vars(own),
            }
            for each, description, own in zip(known, descriptions, stand, strict=True)
        ]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    if not known:
        click.echo("There are no labs here.")
        return
    wide = max(len(each.name) for each in known)
    click.echo(f"    {'lab'.ljust(wide)}  {'level':12} {'min':>4}  {'status':8} {'best':>6}  about")
    for each, description, own in zip(known, descriptions, stand, strict=True):
        best = f"{own.best}/{own.possible}" if own.best is not None else "-"
        status = own.state + ("*" if own.revealed else "")
        click.echo(
            f"{each.number}  {each.name.ljust(wide)}  {LEVELS[description.level]:12} {description.minutes:4}  "
            f"{status:8} {best:>6}  {description.title}"
        )
    if any(own.revealed for own in stand):
        click.echo("\n* its solution was shown before it was passed")
    click.echo(f"\nnext: lab start {_next(known, stand)}")


@click.command()
@lab_argument
def start(exercise: Exercise) -> None:
    """Start a lab: its namespace and your files.

    Files that are there already are left as they are; starting again is safe.

    \b
    Examples:
      lab start 10
      lab start autoscale-on-cpu
    """
    from mlops_lab.labs.target import target
    from mlops_lab.learner import lifecycle

    description = about(exercise)
    begun = lifecycle.start(target(), exercise, Records())
    click.echo(f"Lab {exercise.number}: {description.title} (about {description.minutes} min)")
    _say_begun(exercise, begun)


@click.command()
@lab_argument
@click.argument("names", metavar="[CHECK]...", nargs=-1, type=CheckName())
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write the report as JUnit XML.")
@click.option("--within", type=click.FloatRange(min=1), help="Seconds for the whole run; what is not done then, waits.")
@click.pass_context
def check(
    ctx: click.Context,
    exercise: Exercise,
    names: tuple[str, ...],
    as_json: bool,
    junit: Path | None,
    within: float | None,
) -> None:
    """Check your work and show the report.

    With the names of checks, only those run, and what they need. Exit code: 0 all passed, 1 some did not, 2 usage,
    3 the environment was in the way.

    \b
    Examples:
      lab check 10
      lab check 10 scales_out_under_load
      lab check 10 --json
      lab check 10 --junit report.xml --within 300
    """
    from mlops_lab.checks import report
    from mlops_lab.cli.live import colours, live
    from mlops_lab.cli.output import write
    from mlops_lab.labs import running
    from mlops_lab.labs.checker import checks
    from mlops_lab.labs.rows import Rows
    from mlops_lab.labs.target import target
    from mlops_lab.labs.workspace import folder_of, parse_manifests
    from mlops_lab.learner import lifecycle

    title = about(exercise).title
    known = checks(exercise)
    asked = running.chosen(known, names)
    parse_manifests(folder_of(exercise))
    where = target()
    workspace = lifecycle.begun(where, exercise)
    lab = running.lab_object(where.kube, exercise, exercise.namespace, workspace, where.registry)
    environment = running.probe(where.kube, exercise, exercise.namespace)
    interrupted = False
    with live(sys.stderr, keep=False, results=False) as view:
        try:
            results = running.run(lab, asked, listener=Rows(asked, view), environment=environment, within=within)
        except running.Interrupted as early:
            results, interrupted = early.results, True
    Records().attempt(exercise.number, results, whole=len(asked) == len(known))
    if as_json:
        click.echo(report.as_json(exercise.number, title, results))
    else:
        click.echo(
            report.terminal(f"Lab {exercise.number}: {title}", results, colour=colours(sys.stdout), width=width())
        )
        click.echo(_after(exercise, report.exit_code(results), interrupted))
    if junit:
        write(junit, report.junit(exercise.number, title, results), "--junit")
    ctx.exit(130 if interrupted else report.exit_code(results))


@click.command()
@lab_argument
@click.pass_context
def watch(ctx: click.Context, exercise: Exercise) -> None:
    """Check again whenever something changes.

    Quick checks run again after each change in the namespace or in your files. Checks that make load start once all
    quick ones pass and nothing has changed for 3 seconds (at once, if the lab has no quick ones), or when you press
    Enter; what you apply or save while they run ends them, and all begins anew. Ctrl-C ends it: exit code 0 if all
    checks passed, else 1.

    \b
    Examples:
      lab watch 10
    """
    import asyncio

    from mlops_lab.checks import report
    from mlops_lab.cli.live import live
    from mlops_lab.labs import running
    from mlops_lab.labs.checker import checks
    from mlops_lab.labs.target import target
    from mlops_lab.learner import lifecycle
    from mlops_lab.learner.changes import Changes
    from mlops_lab.learner.watch import Watch

    known = checks(exercise)
    where = target()
    workspace = lifecycle.begun(where, exercise)
    records = Records()
    changes = Changes(where.kube, exercise.namespace, workspace, lambda change: watching.notify(change))
    click.echo(f"Lab {exercise.number}: {about(exercise).title}. Enter checks again, Ctrl-C ends.")
    with live(sys.stdout, keep=True, results=True) as view:
        watching = Watch(
            known,
            lambda: running.lab_object(where.kube, exercise, exercise.namespace, workspace, where.registry),
            running.probe(where.kube, exercise, exercise.namespace),
            changes.fingerprint,
            view,
            lambda results: records.attempt(exercise.number, results, whole=True),
        )
        changes.start()
        if sys.stdin.isatty():
            threading.Thread(target=_listen, args=(watching,), daemon=True).start()
        try:
            asyncio.run(watching.follow())
        except KeyboardInterrupt:
            pass
        finally:
            changes.stop()
    results = watching.results()
    click.echo(report.summary(results))
    ctx.exit(ExitCode.PASSED if report.exit_code(results) == ExitCode.PASSED else ExitCode.FAILED)


@click.command()
@lab_argument
def hint(exercise: Exercise) -> None:
    """Take the next hint.

    There are three: where to look, what to look for, and nearly the answer. Those you have taken are shown again.

    \b
    Examples:
      lab hint 10
    """
    from mlops_lab.labs.hints import TIERS
    from mlops_lab.learner.hints import next_hint

    taken = next_hint(exercise, Records())
    for number, text in enumerate(taken, 1):
        click.echo(f"Hint {number} of {TIERS}\n\n{text}\n")
    more = f"one more: lab hint {exercise.number}" if len(taken) < TIERS else "that was the last one"
    click.echo(f"next: lab check {exercise.number}, or {more}")


@click.command()
@lab_argument
@click.argument("name", required=False)
@click.option("--reveal", is_flag=True, help="Show it although the lab is not passed; the record keeps it.")
def solution(exercise: Exercise, name: str | None, reveal: bool) -> None:
    """Show a lab's solutions, after you passed it.

    \b
    Examples:
      lab solution 10
      lab solution 10 kustomize
      lab solution 10 --reveal
    """
    from mlops_lab.learner.hints import solution as solutions

    for own_name, files in solutions(exercise, Records(), reveal=reveal, name=name).items():
        click.echo(f"== solution {own_name} ({exercise.folder / 'solution' / own_name})")
        for file, text in files.items():
            click.echo(f"\n-- {file}\n")
            click.echo(text.rstrip())
        click.echo()


@click.command()
@lab_argument
def reset(exercise: Exercise) -> None:
    """Begin a lab anew; your files are kept aside.

    The workspace is copied beside itself under a dated name, the namespace is deleted with all that is in it, and the
    lab is started again. Your record stays.

    \b
    Examples:
      lab reset 10
    """
    from mlops_lab.labs.target import target
    from mlops_lab.learner import lifecycle

    about(exercise)
    click.echo(f"Resetting lab {exercise.number}: waiting until its namespace is gone ...", err=True)
    kept, begun = lifecycle.reset(target(), exercise, Records())
    if kept:
        click.echo(f"Your files are kept in {kept}")
    _say_begun(exercise, begun)


def _say_begun(exercise: Exercise, begun: Begun) -> None:
    folder = begun.files.folder
    click.echo(f"Your files: {folder}")
    for name in begun.files.written:
        click.echo(f"  new   {name}")
    for name in begun.files.kept:
        click.echo(f"  kept  {name} (you changed it; it is left as it is)")
    seeded = f", with {begun.seeded} objects in it" if begun.seeded else ""
    click.echo(f"Namespace: {exercise.namespace}{seeded}")
    click.echo(f"Task: {exercise.folder / 'README.md'}")
    start = exercise.folder / "start"  # in the workspace a program may have made more
    apply = "kubectl apply -k ." if (start / "kustomization.yaml").is_file() else "kubectl apply -f ."
    steps = [f"cd {folder}", f"export KUBECONFIG={begun.kubeconfig}", apply, f"lab check {exercise.number}"]
    if not any(file.name != "seed.yaml" for file in start.glob("*.y*ml")):  # the work is a program
        steps.remove(apply)
    click.echo("\nnext: " + "\n      ".join(steps))


def _after(exercise: Exercise, code: ExitCode, interrupted: bool) -> str:
    number = exercise.number
    if interrupted:
        return f"interrupted; next: lab check {number}"
    if code is ExitCode.PASSED:
        others = [each for each in exercises() if each.number > number]
        after = f"; then lab start {others[0].number}" if others else ""
        return f"next: compare with our solutions: lab solution {number}{after}"
    if code is ExitCode.ENVIRONMENT:
        return "next: the environment was in the way, not your work; see lab status"
    return (
        f"next: lab explain {number} shows what a failed check saw, lab hint {number} where to look; "
        f"to see it change while you work: lab watch {number}"
    )


def _next(known: list[Exercise], stand: list[Progress]) -> str:
    return next((each.number for each, own in zip(known, stand, strict=True) if own.state != "passed"), known[0].number)


def _listen(watching: Watch) -> None:
    """Enter checks again."""
    for _ in sys.stdin:
        watching.again()


def width() -> int:
    """The columns that a report may take."""
    return min(shutil.get_terminal_size((100, 24)).columns, 120)
