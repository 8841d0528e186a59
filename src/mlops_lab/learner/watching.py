"""A learner's lab that is watched: its checks, its changes, its cluster and the records put together for one view."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

from mlops_lab.checks.check import Check
from mlops_lab.checks.verdicts import Result
from mlops_lab.labs.catalog import Exercise
from mlops_lab.labs.held import held_now
from mlops_lab.labs.rows import View
from mlops_lab.learner import lifecycle
from mlops_lab.learner.changes import Changes
from mlops_lab.learner.records import Records
from mlops_lab.learner.watch import Watch
from mlops_lab.tasks import grounds


@contextlib.contextmanager
def watched(
    exercise: Exercise, checks: Sequence[Check], records: Records, view: View, kept: Callable[[], None] = lambda: None
) -> Iterator[Watch]:
    """A watch that hears of changes while the block runs; whole rounds go into the records.

    Args:
        kept: called when a round has gone there.

    Raises:
        LabError: there is no cluster, the lab is not started on it, or the records can't be written.
    """
    where = grounds.find(exercise)
    workspace = lifecycle.begun(where, exercise)
    records.ready()

    def keep(results: list[Result]) -> None:
        records.attempt(exercise.number, results, whole=True)
        kept()

    changes = Changes(
        where.kube, exercise.namespace, workspace, lambda change: watching.notify(change),
        nodes=grounds.of_its_own(where),
    )  # fmt: skip
    watching = Watch(
        checks,
        lambda: grounds.lab_object(where, exercise, exercise.namespace, workspace),
        grounds.probe(where, exercise, exercise.namespace),
        changes.fingerprint,
        view,
        keep,
        lambda: held_now(where, exercise),
    )
    changes.start()
    try:
        yield watching
    finally:
        changes.stop()
