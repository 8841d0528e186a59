"""`lab verify`: options in, progress and a table out; the proof itself is `mlops_lab.proof`."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlops_lab.base.errors import ExitCode, LabError, UsageError
from mlops_lab.cli.arguments import LabName
from mlops_lab.cli.terminal import say, write
from mlops_lab.labs.catalog import Exercise, exercises

if TYPE_CHECKING:
    from mlops_lab.checks.check import Check
    from mlops_lab.proof.ledger import Done
    from mlops_lab.proof.stage import Stage
    from mlops_lab.proof.turns import Turn
    from mlops_lab.proof.verify import Step


@click.command()
@click.argument("wanted", metavar="[LAB]...", nargs=-1, type=LabName())
@click.option("--all", "all_labs", is_flag=True, help="Every lab.")
@click.option("--resume", is_flag=True, help="Skip what was found honest with the same content; see above.")
@click.option("--once", is_flag=True, help="The short form: one solution once, one mistake, no outage.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 8),
    help="Labs side by side; quiet ones run alone, and so does what was not honest beside others. If not given: "
    "cores + 1, at most 4, and fewer where memory is short.",
)
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(["form", "start", "solutions", "wrong", "reset", "outage"]),
    help="Only these steps; may be given several times.",
)
@click.option(
    "--variant",
    "of",
    metavar="KIND/NAME",
    multiple=True,
    help="Only this variant of one lab, such as wrong/NAME or solution/NAME; may be given several times.",
)
@click.option(
    "--budget",
    metavar="MINUTES",
    type=click.FloatRange(0, min_open=True),
    help="By turns: labs that have changed since they were proved, then the oldest proofs, until MINUTES are used.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="Write the whole result to this file (- for standard output).",
)
@click.pass_context
def verify(
    ctx: click.Context,
    wanted: tuple[Exercise, ...],
    all_labs: bool,
    resume: bool,
    once: bool,
    jobs: int | None,
    only: tuple[str, ...],
    of: tuple[str, ...],
    budget: float | None,
    json_file: Path | None,
) -> None:
    """Prove on the cluster that labs are honest.

    An untouched start scores nothing, nor does start/ applied as it is; each solution gets full marks twice, from
    fresh, and a reset leaves nothing but the seed; each mistake fails exactly the check in its name; with the API
    server paused every verdict is error. It works in namespaces of its own, and takes minutes to hours. Exit code: 0
    honest, 1 not, 3 the environment was in the way.

    Each step's results are kept on this machine as soon as it ends. --resume takes those that were honest as they are,
    and does the rest: steps that were not honest, that the environment was in the way of, or that were not reached. It
    takes none once the lab's folder, what its checker imports, its charts and images, or the engine have changed;
    comments and docstrings of the program may. What is proved is written beside the lab for the repository, step by
    step: see lab proofs. --resume takes honest steps from there, too, whoever did them; a lab whose proof there holds
    is left out unless single steps are asked for.

    \b
    Examples:
      lab verify 10
      lab verify 10 --variant wrong/scales_out_under_load--no-cpu-request
      lab verify --all --resume
      lab verify --all --once --budget 12
      lab verify --all --only form
      lab verify --all --jobs 1
      lab verify 10 12 --only wrong --json verify.json
    """
    from mlops_lab.proof.ledger import DISHONEST, ENVIRONMENT, Ledger
    from mlops_lab.proof.together import lanes
    from mlops_lab.proof.verify import steps

    if not wanted and not all_labs:
        raise UsageError("no lab was named", "name some, as in: lab verify 10 12; or all: lab verify --all")
    ledger = Ledger()
    labs = exercises() if all_labs else list(wanted)
    if of and len(labs) != 1:
        raise UsageError("--variant is for one lab", "name it, as in: lab verify 10 --variant wrong/NAME")
    for option, given in (("--budget", budget is not None), ("--once", once)):
        if of and given:
            raise UsageError(f"--variant and {option} exclude each other", "leave out one of them")
    if of:
        steps(labs[0], only=only, of=of)  # says at once if there is no such variant
    left: list[Turn] = []
    done_before = _proved(labs, once) if resume and not only and not of and budget is None else []
    known = {turn.exercise.slug for turn in done_before}
    labs = [exercise for exercise in labs if exercise.slug not in known]
    at_once = (jobs or lanes()) if len(labs) > 1 else 1
    if budget is not None:
        found, left = _by_turns(labs, budget, at_once, once, only, resume)
    elif at_once > 1:
        beside = _beside(labs, at_once, once, only, resume)
        found = {exercise.slug: beside[exercise.slug] for exercise in labs}
    else:
        found = {exercise.slug: _verify(exercise, ledger, once, only, of, resume) for exercise in labs}
    outcomes = {done.outcome for steps in found.values() for done in steps}
    if json_file:
        _write(json_file, found, ledger, left, done_before)
    if str(json_file) != "-":
        _table(found)
        _left_out(left)
        click.echo(f"\nwhole results: {ledger.file}")
    ctx.exit(
        ExitCode.FAILED
        if DISHONEST in outcomes
        else ExitCode.ENVIRONMENT
        if ENVIRONMENT in outcomes
        else ExitCode.PASSED
    )


def _proved(labs: list[Exercise], once: bool) -> list[Turn]:
    """Labs that need no proof, since the repository has one that holds; it is said of each."""
    from mlops_lab.proof.proofs import SHORT, WHOLE
    from mlops_lab.proof.turns import proved

    found = proved(labs, SHORT if once else WHOLE)
    for turn in found:
        say(f"{turn.exercise.slug}: {turn}, and nothing has changed since")
    return found


def _by_turns(
    labs: list[Exercise], budget: float, jobs: int, once: bool, only: tuple[str, ...], resume: bool
) -> tuple[dict[str, list[Done]], list[Turn]]:
    """What was found of as many labs as there is time for, and which labs are left out."""
    from mlops_lab.proof.proofs import SHORT, WHOLE
    from mlops_lab.proof.together import Together, options
    from mlops_lab.proof.turns import UNKNOWN, fitting, turns

    queue = turns(labs, SHORT if once else WHOLE)
    chosen = fitting(queue, budget * 60, jobs)
    together = Together(
        jobs,
        options(once=once, resume=resume),
        _tell,
        within=budget * 60,
        takes={turn.exercise.slug: UNKNOWN if turn.seconds is None else turn.seconds for turn in chosen},
    )
    found = together.verify([turn.exercise for turn in chosen], only, outage=not once)
    return found, [turn for turn in queue if turn.exercise.slug not in found]


def _beside(labs: list[Exercise], jobs: int, once: bool, only: tuple[str, ...], resume: bool) -> dict[str, list[Done]]:
    from mlops_lab.proof.ledger import Ledger
    from mlops_lab.proof.together import Together, options

    # Longest first, so that none of them runs on alone at the end; what was never verified may be long.
    took = Ledger().seconds()
    labs = sorted(labs, key=lambda lab: -took.get(lab.slug, float("inf")))
    return Together(jobs, options(once=once, resume=resume), _tell).verify(labs, only, outage=not once)


def _tell(number: str, text: str) -> None:
    say(f"{number} | {text}")


def _verify(
    exercise: Exercise, ledger: Any, once: bool, only: tuple[str, ...], of: tuple[str, ...], resume: bool
) -> list[Done]:
    from mlops_lab.base.locking import alone
    from mlops_lab.kube.errors import Unreachable
    from mlops_lab.labs.checker import BrokenChecker
    from mlops_lab.proof.content import content_of
    from mlops_lab.proof.ledger import DISHONEST, ENVIRONMENT, Done
    from mlops_lab.proof.proofs import adopt
    from mlops_lab.proof.verify import steps
    from mlops_lab.proof.verify import verify as verified

    say(exercise.slug)
    try:
        # Two at once would work in the same namespaces.
        mine = alone(ledger.file.with_name(f"verify-{exercise.number}.lock"), f"lab {exercise.number}", say)
        with contextlib.nullcontext() if only == ("form",) else mine:
            if resume:
                whole = [step.name for step in steps(exercise)]
                if taken := adopt(exercise, content_of(exercise).key, ledger, whole):
                    say(f"  {len(taken)} of {len(whole)} steps taken as the repository has them")
            return verified(exercise, _live_stage, ledger, once=once, only=only, of=of, resume=resume, tell=_teller())
    except BrokenChecker as broken:  # its author is who verifies it
        say(f"  {broken.message}")
        return [Done("lab", DISHONEST, [broken.message, *broken.detail.splitlines()])]
    except Unreachable:
        raise  # no other lab would fare better
    except LabError as broken:
        say(f"  {broken.message}")
        return [Done("lab", ENVIRONMENT, [f"{broken.message}; {broken.hint}", *broken.detail.splitlines()])]


def _live_stage(exercise: Exercise, checks: list[Check]) -> Stage:
    from mlops_lab.labs import images
    from mlops_lab.labs.catalog import about
    from mlops_lab.proof.nodes_stage import live

    images.bring(about(exercise).images)
    return live(exercise, checks)


def _teller() -> Callable[[Step, Done | None, int, int], None]:
    """Says each step's begin and end, with the time left as the steps so far took it."""
    from mlops_lab.base.progress import spell

    took: list[float] = []
    shown: set[str] = set()

    def tell(step: Step, done: Done | None, number: int, of: int) -> None:
        if done is None:
            rest = f", about {spell(sum(took) / len(took) * (of - number + 1))} left" if len(took) > 2 else ""
            say(f"  {time.strftime('%H:%M:%S')} {number}/{of} {step.name} ...{rest}")
            return
        took.append(done.seconds)
        say(f"           {done.outcome} ({spell(done.seconds)})")
        for complaint in done.says:
            say(f"             {complaint}")
        # What a pass says has no gate: its author reads it, once for each solution.
        if step.of.startswith("solution/") and done.outcome == "honest" and step.of not in shown:
            shown.add(step.of)
            for result in done.results:
                say(f"             {result.check} passed: {result.seen or 'it says nothing'}")

    return tell


def _table(found: dict[str, list[Done]]) -> None:
    wide = max((len(done.step) for steps in found.values() for done in steps), default=4)
    for slug, steps in found.items():
        honest = sum(done.outcome == "honest" for done in steps)
        click.echo(f"\n{slug}: {honest} of {len(steps)} steps honest")
        for done in steps:
            says = f"  {done.says[0]}" if done.says else ""
            more = f" (and {len(done.says) - 1} more)" if len(done.says) > 1 else ""
            click.echo(f"  {done.step.ljust(wide)}  {done.outcome:11} {done.seconds:7.1f} s{says}{more}")


def _left_out(left: list[Turn]) -> None:
    if left:
        click.echo(f"\nleft out for want of time, {len(left)}:")
    for turn in left:
        click.echo(f"  {turn.exercise.slug}: {turn}")


def _write(file: Path, found: dict[str, list[Done]], ledger: Any, left: list[Turn], done_before: list[Turn]) -> None:
    known = ledger.read()["labs"]
    whole = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "labs": [
            {
                "lab": slug,
                "verified": bool(known.get(slug, {}).get("verified")),
                "key": known.get(slug, {}).get("key", ""),
                "steps": [done.plain() for done in steps],
            }
            for slug, steps in found.items()
        ],
        "left out": [turn.plain() for turn in left],
        "proved before": [turn.plain() for turn in done_before],
    }
    text = json.dumps(whole, indent=2, ensure_ascii=False)
    if str(file) == "-":
        click.echo(text)
        return
    write(file, text + "\n", "--json")
