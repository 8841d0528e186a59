"""The learner's commands: list, start, check, watch, hint, solution, reset."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shlex
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlops_lab.base.errors import ExitCode, LabError
from mlops_lab.cli.arguments import CheckName, lab_argument, no_labs
from mlops_lab.cli.terminal import painter, say, width, write
from mlops_lab.labs.catalog import LEVELS, Exercise, about, abouts, exercises
from mlops_lab.learner.records import Progress, Records

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_lab.checks.verdicts import Result
    from mlops_lab.learner.lifecycle import Begun
    from mlops_lab.learner.watch import Watch

_BEHIND = 0.5  # s between two looks whether a watch is still in the background


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_labs(as_json: bool) -> None:
    """List the labs and your progress.

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
        click.echo(no_labs())
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
    following = _next(known, progress)
    all_passed = "you have passed all labs; practise for an exam: lab exam start cka, ckad or mlops"
    click.echo(f"\nnext: {f'lab start {following}' if following else all_passed}")


@click.command()
@lab_argument
def start(exercise: Exercise) -> None:
    """Start a lab: create its namespace and your files.

    Files that exist already are kept, so it is safe to start a lab twice. A lab that breaks nodes gets a cluster of its
    own first, which takes a minute.

    \b
    Examples:
      lab start 10
      lab start autoscale-on-cpu
    """
    from mlops_lab.labs.held import held
    from mlops_lab.learner import lifecycle
    from mlops_lab.tasks import grounds

    description = about(exercise)
    where, records = grounds.make(exercise), Records()
    records.ready()
    with held(where, exercise, say):
        begun = lifecycle.start(where, exercise, records)
    click.echo(f"Lab {exercise.number}: {description.title} (about {description.minutes} min)")
    _say_begun(exercise, begun)


@click.command()
@lab_argument
@click.argument("names", metavar="[CHECK]...", nargs=-1, type=CheckName())
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write the report as JUnit XML.")
@click.option(
    "--within",
    type=click.FloatRange(min=1),
    help="Limit for the whole run, in seconds; unfinished checks stay waiting.",
)
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

    With names of checks, only those run, and the checks that they need. Exit code: 0 all passed, 1 some did not, 2
    wrong usage, 3 the environment has a problem.

    \b
    Examples:
      lab check 10
      lab check 10 scales_out_under_load
      lab check 10 --json
      lab check 10 --junit report.xml --within 300
    """
    from mlops_lab.checks import report
    from mlops_lab.cli.live import live
    from mlops_lab.labs import running
    from mlops_lab.labs.checker import checks
    from mlops_lab.labs.held import held
    from mlops_lab.labs.rows import Rows
    from mlops_lab.labs.workspace import folder_of, parse_manifests
    from mlops_lab.learner import lifecycle
    from mlops_lab.tasks import grounds

    title = about(exercise).title
    known = checks(exercise)
    selected = running.chosen(known, names)
    parse_manifests(folder_of(exercise))
    where, records = grounds.find(exercise), Records()
    records.ready()
    interrupted = False
    with held(where, exercise, say):
        workspace = lifecycle.begun(where, exercise)
        lab = grounds.lab_object(where, exercise, exercise.namespace, workspace)
        environment = grounds.probe(where, exercise, exercise.namespace)
        with live(sys.stderr, keep=False, results=False) as view:
            listener = Rows(selected, view)
            try:
                results = running.run(lab, selected, listener=listener, environment=environment, within=within)
            except running.Interrupted as early:
                results, interrupted = early.results, True
    unrecorded: LabError | None = None
    try:
        records.attempt(exercise.number, results, whole=len(selected) == len(known))
    except LabError as trouble:  # after the report, which took minutes to find
        unrecorded = trouble
    if as_json:
        click.echo(report.as_json(exercise.number, title, results))
    else:
        paint = painter(sys.stdout)
        click.echo(report.terminal(f"Lab {exercise.number}: {title}", results, paint=paint, width=width()))
        click.echo(_after(exercise, results, interrupted, {} if unrecorded else records.progress()))
    if junit:
        write(junit, report.junit(exercise.number, title, results), "--junit")
    if unrecorded:
        raise unrecorded
    ctx.exit(130 if interrupted else report.exit_code(results))


@click.command()
@lab_argument
@click.pass_context
def watch(ctx: click.Context, exercise: Exercise) -> None:
    """Check again whenever something changes.

    Quick checks run again after each change in the namespace or in your files. Checks that send load run when all quick
    checks pass and nothing has changed for 3 seconds, or when you press Enter; in a lab without quick checks they start
    at once. If you apply or save something while they run, they stop, and all checks start again. Ctrl-C ends the
    watch: exit code 0 if all checks passed, else 1.

    \b
    Examples:
      lab watch 10
    """
    import asyncio

    from mlops_lab.checks import report
    from mlops_lab.cli.live import live
    from mlops_lab.labs.checker import checks
    from mlops_lab.learner.watching import watched

    known = checks(exercise)
    click.echo(f"Lab {exercise.number}: {about(exercise).title}. Press Enter to check again, Ctrl-C to end.")
    with live(sys.stdout, keep=True, results=True) as view, watched(exercise, known, Records(), view) as watching:
        if sys.stdin.isatty():
            threading.Thread(target=_listen, args=(watching,), daemon=True).start()
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(watching.follow())
    results = watching.results()
    click.echo(report.summary(results))
    ctx.exit(ExitCode.PASSED if report.exit_code(results) == ExitCode.PASSED else ExitCode.FAILED)


@click.command()
@lab_argument
def hint(exercise: Exercise) -> None:
    """Show the next hint.

    There are three: where to look, what to look for, and nearly the answer. Hints that you have taken are shown again.

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
@click.option("--reveal", is_flag=True, help="Show it before you have passed the lab; your record will say so.")
def solution(exercise: Exercise, name: str | None, reveal: bool) -> None:
    """Show a lab's solutions once you have passed it.

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
@click.option("--end", is_flag=True, help="Don't start it again.")
def reset(exercise: Exercise, end: bool) -> None:
    """Reset a lab to its start; your files are backed up.

    Copies your folder to one with the date in its name, deletes the namespace with everything in it (and the lab's own
    cluster, if it has one), and starts the lab again. Your record stays.

    \b
    Examples:
      lab reset 10
      lab reset 10 --end
    """
    from mlops_lab.labs.held import held
    from mlops_lab.learner import lifecycle
    from mlops_lab.tasks import grounds

    about(exercise)
    where, records = grounds.find(exercise, to_go=True) if end else grounds.make(exercise), Records()
    records.ready()
    with held(where, exercise, say):
        if end:
            lifecycle.end(where, exercise, click.echo)
            click.echo(f"Lab {exercise.number} is taken away; next: lab list")
            return
        say(f"Resetting lab {exercise.number}: waiting until its namespace is gone ...")
        begun = lifecycle.reset(where, exercise, records, click.echo)
    _say_begun(exercise, begun)


def _say_begun(exercise: Exercise, begun: Begun) -> None:
    folder = begun.files.folder
    click.echo(f"Your files: {folder}")
    for name in begun.files.written:
        click.echo(f"  new   {name}")
    for name in begun.files.kept:
        click.echo(f"  kept  {name} (it differs from the lab's own, so it stays as it is)")
    seeded = f", with {begun.seeded} objects in it" if begun.seeded else ""
    click.echo(f"Namespace: {exercise.namespace}{seeded}")
    click.echo(f"Task: {exercise.folder / 'README.md'}")
    start = exercise.folder / "start"  # in the workspace a program may have made more
    apply = "kubectl apply -k ." if (start / "kustomization.yaml").is_file() else "kubectl apply -f ."
    way = [f"cd {shlex.quote(str(folder))}", f"export KUBECONFIG={shlex.quote(str(begun.kubeconfig))}"]
    if begun.nodes:
        click.echo(f"Nodes: {', '.join(begun.nodes)} (ssh leads there from lab shell {exercise.number})")
        way = [f"lab shell {exercise.number}"]
    steps = [*way, apply, f"lab check {exercise.number}"]
    if not any(file.name != "seed.yaml" for file in start.glob("*.y*ml")):  # the work is a program
        steps.remove(apply)
    click.echo("\nnext: " + "\n      ".join(steps))


def _after(exercise: Exercise, results: Sequence[Result], interrupted: bool, progress: Mapping[str, Progress]) -> str:
    from mlops_lab.checks import report

    number, code = exercise.number, report.exit_code(results)
    if interrupted:
        return f"interrupted; next: lab check {number}"
    if code is ExitCode.PASSED:
        following = _next([each for each in exercises() if each.number != number], progress)
        after = f"; then lab start {following}" if following else ""
        return f"next: compare with our solutions: lab solution {number}{after}"
    if code is ExitCode.ENVIRONMENT:
        return "next: the environment has a problem, not your work: lab status"
    if not any(each.verdict == "fail" for each in results):
        return f"next: give the checks more time: lab check {number}, without --within or with a longer one"
    return (
        f"next: lab explain {number} shows what a failed check saw, lab hint {number} where to look; "
        f"lab watch {number} checks while you work"
    )


def _next(known: Sequence[Exercise], progress: Mapping[str, Progress]) -> str | None:
    """The first lab in the plan's order that is not passed; None if all are."""
    from mlops_lab.learner.plan import ordered

    return next(
        (each.number for each in ordered(known) if progress.get(each.number, Progress()).state != "passed"), None
    )


def _listen(watching: Watch) -> None:
    """Enter checks again. In the background what is typed is the shell's, and who reads it there is stopped."""
    with contextlib.suppress(OSError):  # the terminal is gone
        while select.select([sys.stdin], [], []):
            if os.tcgetpgrp(sys.stdin.fileno()) != os.getpgrp():
                time.sleep(_BEHIND)
            elif sys.stdin.readline():
                watching.again()
            else:
                return
