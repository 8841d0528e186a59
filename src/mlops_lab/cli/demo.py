"""lab demo: one of a lab's own solutions, applied and checked."""

from __future__ import annotations

import sys

import click

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.cli.arguments import lab_argument
from mlops_lab.cli.terminal import painter, say, width
from mlops_lab.labs.catalog import Exercise, about


@click.command()
@lab_argument
@click.argument("name", metavar="[SOLUTION]", required=False)
@click.pass_context
def demo(ctx: click.Context, exercise: Exercise, name: str | None) -> None:
    """Run a lab's own solution and check it.

    Applies the solution in a separate namespace, checks it as it would check your work, and removes it. This shows what
    a pass looks like and whether the cluster works; your files and your progress are not touched. Exit codes as for
    `lab check`.

    \b
    Examples:
      lab demo 10
      lab demo 10 kustomize
    """
    from mlops_lab.base.locking import alone
    from mlops_lab.base.paths import state
    from mlops_lab.checks import report
    from mlops_lab.cli.live import live
    from mlops_lab.labs import images
    from mlops_lab.labs.checker import checks
    from mlops_lab.labs.rows import Rows
    from mlops_lab.labs.variants import solutions
    from mlops_lab.proof.nodes_stage import live as live_stage

    title, known = about(exercise).title, checks(exercise)
    ready = {variant.name: variant for variant in solutions(exercise)}
    if not ready:
        raise LabError(f"lab {exercise.number} has no solution", "write one: docs/add-a-lab.md")
    if name and name not in ready:
        raise UsageError(f"there is no solution {name!r} of lab {exercise.number}", f"it has: {', '.join(ready)}")
    chosen = ready[name] if name else next(iter(ready.values()))
    stage = live_stage(exercise, known, prefix="demo")
    say(f"Lab {exercise.number}: {title}. Applying its solution {chosen.name!r}.")
    # Two at once would use the same namespaces.
    with alone(state() / f"demo-{exercise.number}.lock", f"a demo of lab {exercise.number}", say):
        images.bring(about(exercise).images)
        try:
            stage.fresh()
            stage.work(chosen)
            with live(sys.stderr, keep=False, results=False) as view:
                results = stage.checked(listener=Rows(known, view))
        finally:
            stage.clear()
    paint = painter(sys.stdout)
    click.echo(report.terminal(f"Lab {exercise.number}: {title}", results, paint=paint, width=width()))
    click.echo(f"\nnext: do it yourself: lab start {exercise.number}")
    ctx.exit(report.exit_code(results))
