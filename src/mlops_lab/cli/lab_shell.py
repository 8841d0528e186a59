"""lab shell: where a lab's nodes are reached as in the exam."""

from __future__ import annotations

import click

from mlops_lab.cli.arguments import lab_argument
from mlops_lab.cli.terminal import into
from mlops_lab.labs.catalog import Exercise


@click.command()
@lab_argument
def shell(exercise: Exercise) -> None:
    """Open a shell for a lab; `ssh NODE` leads to its nodes.

    It begins in your folder, with the lab's namespace. `k` and completion are there, and `ssh` takes the names of the
    clusters' nodes, as `kubectl get nodes` shows them. `exit` leaves it.

    \b
    Examples:
      lab shell 24
    """
    from mlops_lab.cluster import shell as base_host
    from mlops_lab.learner import lifecycle
    from mlops_lab.tasks import grounds

    folder = lifecycle.workspace(grounds.find(exercise), exercise)
    into(folder, f"make it again: lab start {exercise.number}")
    base_host.show(f"lab {exercise.number} {exercise.namespace}")
    base_host.enter(str(folder / ".lab" / "kubeconfig"))
