"""The bank's commands: which tasks there are; for authors: a new one, one that is drawn, the proof."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlops_lab.base.errors import ExitCode

if TYPE_CHECKING:
    from mlops_lab.tasks.task import Task


@click.command("tasks")
@click.argument("exam", metavar="[cka|ckad|mlops]", type=click.Choice(["cka", "ckad", "mlops"]), required=False)
@click.option("--missing", is_flag=True, help="Show the curricula's lines that no task practises.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_tasks(exam: str | None, missing: bool, as_json: bool) -> None:
    """List the bank's tasks by exam and domain.

    \b
    Examples:
      lab exam tasks
      lab exam tasks cka
      lab exam tasks --missing
    """
    from mlops_lab.exam.curriculum import by_domain, unpractised
    from mlops_lab.tasks.task import EXAMS, tasks

    bank = tasks()
    chosen = [exam] if exam else list(EXAMS)
    if missing:
        lines = {each: unpractised(each, bank) for each in chosen}
        if as_json:
            click.echo(json.dumps(lines, indent=2, ensure_ascii=False))
            return
        for each, unserved in lines.items():
            click.echo(f"{each}: {sum(map(len, unserved.values()))} of the curriculum's lines have no task")
            for domain, texts in unserved.items():
                for line in texts:
                    click.echo(f"  {domain}: {line}")
        return
    found = {each: by_domain(each, bank) for each in chosen}
    if as_json:
        rows = {
            each: {domain: [task.name for task in own] for domain, own in domains.items()}
            for each, domains in found.items()
        }
        click.echo(json.dumps(rows, indent=2))
        return
    for each, domains in found.items():
        click.echo(f"{each}: {sum(map(len, domains.values()))} tasks")
        for domain, own in domains.items():
            minutes = sum(task.about.minutes for task in own)
            click.echo(f"  {domain} ({EXAMS[each][domain]} %): {len(own)} tasks, {minutes} min")
            for task in own if exam else ():
                click.echo(f"    {task.name}: {task.about.title} ({task.about.minutes} min)")
    click.echo("\nnext: lab exam start cka, ckad or mlops")


@click.command("prove")
@click.argument("names", metavar="[TASK]...", nargs=-1)
@click.option("--only", type=click.Choice(["start", "solutions", "wrong"]), multiple=True, help="Only these steps.")
@click.option("--variant", "of", multiple=True, metavar="NAME", help="Only this one, such as wrong/CHECK--mistake.")
@click.option("--seed", type=int, help="Draw from this seed; each step draws with the next one.")
@click.option("--resume", is_flag=True, help="Leave out tasks that are as they were when they were proved.")
@click.pass_context
def prove_tasks(
    ctx: click.Context, names: Sequence[str], only: Sequence[str], of: Sequence[str], seed: int | None, resume: bool
) -> None:
    """For authors: prove on the cluster that tasks are honest; all of them without names.

    A second cluster and add-ons that tasks need go afterwards, so there is no exam at the same time, and no other proof
    of tasks that need the same.

    \b
    Examples:
      lab exam prove storage-class
      lab exam prove --resume
      lab exam prove storage-class --variant wrong/claim_is_bound--another-pod --seed 7
    """
    from mlops_lab.base.locking import alone
    from mlops_lab.base.paths import state
    from mlops_lab.cli.terminal import say
    from mlops_lab.proof import tasks as proof
    from mlops_lab.proof.ledger import HONEST, Done
    from mlops_lab.proof.verify import Step
    from mlops_lab.tasks import clusters
    from mlops_lab.tasks.task import named, tasks

    chosen = [task for task in ([named(name) for name in names] or tasks()) if not (resume and proof.holds(task))]
    dishonest = False

    def tell(step: Step, done: Done | None) -> None:
        if done is not None:
            click.echo(f"  {done.outcome:<11} {step.name} ({done.seconds:.0f} s)")
            for line in done.says:
                click.echo(f"      {line}")
            for result in done.results if "solutions" in step.kinds else ():
                click.echo(f"      {result.check}: {result.seen}")

    def prove(task: Task) -> list[Done]:
        # Two at once would work in the same namespaces.
        with alone(state() / f"prove-{task.name}.lock", f"task {task.name}", say):
            if resume and proof.holds(task):  # another command has proved it meanwhile
                return []
            click.echo(f"{task.name}: {task.about.title}")
            done = proof.prove(task, clusters.make([task])[task.about.cluster], only=only, of=of, tell=tell, **draws)
            click.echo(f"  {sum(each.seconds for each in done):.0f} s")
            return done

    draws = {} if seed is None else {"seed": seed}
    with _alone(chosen):
        try:
            for task in chosen:
                dishonest = any(each.outcome != HONEST for each in prove(task)) or dishonest
        finally:
            clusters.end(chosen)
    sys.stdout.flush()
    ctx.exit(ExitCode.FAILED if dishonest else ExitCode.PASSED)


@contextlib.contextmanager
def _alone(chosen: Sequence[Task]) -> Iterator[None]:
    """Let no exam begin, and no other proof, while tasks are proved on what both would share, and what is taken away
    afterwards.

    Raises:
        UsageError: an exam is under way.
        LabError: another command proves tasks that stand on the same.
    """
    from mlops_lab.base.errors import UsageError
    from mlops_lab.base.locking import alone
    from mlops_lab.base.paths import state
    from mlops_lab.cli.terminal import say
    from mlops_lab.exam.sitting import go_on, under_way
    from mlops_lab.exam.state import Store
    from mlops_lab.tasks.clusters import KINDS

    own: dict[str, str] = {task.about.cluster: "the second cluster" for task in chosen if KINDS[task.about.cluster].own}
    own |= {addon: f"the add-on {addon}" for task in chosen for addon in task.about.addons}
    if not own:
        yield
        return
    store = Store()
    with contextlib.ExitStack() as stack:
        stack.enter_context(store.no_work(say))
        if found := store.open():
            what = "and the proof would take away the second cluster or the add-ons that its tasks stand on"
            raise UsageError(f"{under_way(found)}, {what}", go_on(found))
        for name, what in own.items():
            stack.enter_context(alone(state() / f"proofs-on-{name}.lock", what, say, wait=False))
        yield


@click.command("render")
@click.argument("name", metavar="TASK")
@click.option("--seed", type=int, default=1, show_default=True, help="Draw from this seed.")
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    required=True,
    help="The folder in which one of the task's name is made anew.",
)
def render_task(name: str, seed: int, into: Path) -> None:
    """For authors: write a task as a candidate gets it, with what a seed draws.

    \b
    Examples:
      lab exam render storage-class --seed 7 --into /tmp/seen
    """
    from mlops_lab.tasks.rendering import render
    from mlops_lab.tasks.task import named

    done = render(named(name), seed, "amber", into / name)
    click.echo(f"{done.folder}")


@click.command("new")
@click.argument("name")
@click.option("--like", metavar="TASK", help="Begin with a copy of this task; of storage-class if not given.")
def new_task(name: str, like: str | None) -> None:
    """For authors: make the folder of a new task, a copy of another one.

    In task.toml, README.md, hints.md and the checker stands a line that says what to write. All else is the other
    task's until you replace it: draw.py, start/, setup/, solution/ and wrong/.

    \b
    Examples:
      lab exam new resize-a-claim
      lab exam new resize-a-claim --like static-volume
    """
    from mlops_lab.proof.task_skeleton import MODEL, make
    from mlops_lab.tasks.task import bank, named

    folder = make(name, bank(), named(like or MODEL))
    click.echo(f"Made {folder}")
    click.echo("next: write it anew (docs/add-a-task.md); without a cluster:")
    click.echo(f"  pytest tests/unit/test_exam_bank.py -vv -k {name}")
    click.echo(f"then, on the cluster: lab exam prove {name}")
