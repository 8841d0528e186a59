"""The authors' commands: verify, new, completion."""

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
from mlops_lab.cli.output import write
from mlops_lab.labs.catalog import Exercise, exercises, labs_folder

if TYPE_CHECKING:
    from mlops_lab.checks.check import Check
    from mlops_lab.proof.ledger import Done
    from mlops_lab.proof.stage import Stage
    from mlops_lab.proof.verify import Step


@click.command()
@click.argument("wanted", metavar="[LAB]...", nargs=-1, type=LabName())
@click.option("--all", "all_labs", is_flag=True, help="Every lab.")
@click.option("--resume", is_flag=True, help="Skip what was found honest with the same files and checker.")
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
    json_file: Path | None,
) -> None:
    """Prove on the cluster that labs are honest.

    An untouched start scores nothing; each solution gets full marks twice, from fresh, and a reset leaves nothing but
    the seed; each mistake fails exactly the check in its name; with the API server paused every verdict is error. It
    works in namespaces of its own, and takes minutes to hours: after an interruption go on with --resume. Exit code:
    0 honest, 1 not, 3 the environment was in the way.

    \b
    Examples:
      lab verify 10
      lab verify --all --resume
      lab verify --all --only form
      lab verify --all --jobs 1
      lab verify 10 12 --only wrong --json verify.json
    """
    from mlops_lab.proof.ledger import DISHONEST, ENVIRONMENT, Ledger
    from mlops_lab.proof.together import lanes

    if not wanted and not all_labs:
        raise UsageError("no lab was named", "name some, as in: lab verify 10 12; or all: lab verify --all")
    ledger = Ledger()
    labs = exercises() if all_labs else list(wanted)
    at_once = (jobs or lanes()) if len(labs) > 1 else 1
    if at_once > 1:
        beside = _beside(labs, at_once, once, only, resume)
        found = {exercise.slug: beside[exercise.slug] for exercise in labs}
    else:
        found = {exercise.slug: _verify(exercise, ledger, once, only, resume) for exercise in labs}
    outcomes = {done.outcome for steps in found.values() for done in steps}
    if json_file:
        _write(json_file, found, ledger)
    if str(json_file) != "-":
        _table(found)
        click.echo(f"\nwhole results: {ledger.file}")
    ctx.exit(
        ExitCode.FAILED
        if DISHONEST in outcomes
        else ExitCode.ENVIRONMENT
        if ENVIRONMENT in outcomes
        else ExitCode.PASSED
    )


@click.command()
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of labs; the project's own if not given.",
)
def new(name: str, into: Path | None) -> None:
    """Make the folder of a new lab.

    \b
    Examples:
      lab new batch-scoring
      lab new 30-batch-scoring --into ~/my-labs
    """
    from mlops_lab.proof.skeleton import make

    folder = make(name, into or labs_folder())
    number = folder.name[:2]
    before = f"MLOPS_LAB_LABS={into} " if into else ""
    click.echo(f"Made {folder}")
    click.echo(f"next: fill it (docs/add-a-lab.md), then: {before}lab verify {number}")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the shell's completion script.

    \b
    Examples:
      lab completion bash > ~/.local/share/bash-completion/completions/lab
      lab completion zsh > "${fpath[1]}/_lab"
      lab completion fish > ~/.config/fish/completions/lab.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "lab", "_LAB_COMPLETE").source())


def _beside(labs: list[Exercise], jobs: int, once: bool, only: tuple[str, ...], resume: bool) -> dict[str, list[Done]]:
    from mlops_lab.proof.ledger import Ledger
    from mlops_lab.proof.together import Together, options

    def tell(number: str, text: str) -> None:
        click.echo(f"{number} | {text}", err=True)

    # Longest first, so that none of them runs on alone at the end; what was never verified may be long.
    took = Ledger().seconds()
    labs = sorted(labs, key=lambda lab: -took.get(lab.slug, float("inf")))
    return Together(jobs, options(once=once, resume=resume), tell).verify(labs, only, outage=not once)


def _verify(exercise: Exercise, ledger: Any, once: bool, only: tuple[str, ...], resume: bool) -> list[Done]:
    from mlops_lab.base.locking import alone
    from mlops_lab.kube.errors import Unreachable
    from mlops_lab.labs.running import Interrupted
    from mlops_lab.proof.ledger import ENVIRONMENT, Done
    from mlops_lab.proof.verify import verify as verified

    click.echo(exercise.slug, err=True)
    try:
        # Two at once would work in the same namespaces.
        mine = alone(ledger.file.with_name(f"verify-{exercise.number}.lock"), f"lab {exercise.number}", _say)
        with contextlib.nullcontext() if only == ("form",) else mine:
            return verified(exercise, _live_stage, ledger, once=once, only=only, resume=resume, tell=_teller())
    except Interrupted:
        raise KeyboardInterrupt from None
    except Unreachable:
        raise  # no other lab would fare better
    except LabError as broken:
        click.echo(f"  {broken.message}", err=True)
        return [Done("lab", ENVIRONMENT, [f"{broken.message}; {broken.hint}", *broken.detail.splitlines()])]


def _say(text: str) -> None:
    click.echo(text, err=True)


def _live_stage(exercise: Exercise, checks: list[Check]) -> Stage:
    from mlops_lab.labs import images
    from mlops_lab.labs.catalog import about
    from mlops_lab.labs.target import target
    from mlops_lab.proof.stage import LiveStage

    images.bring(about(exercise).images)
    return LiveStage(target(), target(timeout=3), exercise, checks)


def _teller() -> Callable[[Step, Done | None, int, int], None]:
    """Says each step's begin and end, with the time left as the steps so far took it."""
    from mlops_lab.base.progress import spell

    took: list[float] = []

    def tell(step: Step, done: Done | None, number: int, of: int) -> None:
        if done is None:
            rest = f", about {spell(sum(took) / len(took) * (of - number + 1))} left" if len(took) > 2 else ""
            click.echo(f"  {time.strftime('%H:%M:%S')} {number}/{of} {step.name} ...{rest}", err=True)
            return
        took.append(done.seconds)
        click.echo(f"           {done.outcome} ({spell(done.seconds)})", err=True)
        for complaint in done.says:
            click.echo(f"             {complaint}", err=True)

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


def _write(file: Path, found: dict[str, list[Done]], ledger: Any) -> None:
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
    }
    text = json.dumps(whole, indent=2, ensure_ascii=False)
    if str(file) == "-":
        click.echo(text)
        return
    write(file, text + "\n", "--json")
