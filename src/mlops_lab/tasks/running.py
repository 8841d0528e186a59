"""One run of a task's checks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlops_lab.base.errors import LabError
from mlops_lab.checks.check import Check
from mlops_lab.checks.run import Environment
from mlops_lab.checks.verdicts import Result
from mlops_lab.labs import running
from mlops_lab.labs.rows import Rows
from mlops_lab.measure.cluster.starvation import Starvation, Window
from mlops_lab.tasks.lab import task_lab
from mlops_lab.tasks.place import Place
from mlops_lab.tasks.rendering import Rendered


def check(
    place: Place,
    rendered: Rendered,
    checks: Sequence[Check],
    workspace: Path,
    *,
    mistake: str = "",
    listener: Rows | None = None,
) -> list[Result]:
    """Run checks of a task (`labs.checker.checks`); parameters and errors as `labs.running.run`.

    Args:
        mistake: in the proof of a mistake, the check that it must fail; else empty.
    """
    lab = task_lab(place, rendered, workspace, mistake)
    if place.breakable:
        lab.machine = Watch(place.kube, rendered.namespace)
    return running.run(lab, checks, listener=listener, environment=environment(place, rendered))


def environment(place: Place, rendered: Rendered) -> Environment:
    """The look at the cluster, before the checks and after a failure. Where nodes may be broken none can be made: there
    what a check finds is the candidate's, and a check says by itself what it could not do.
    """
    if place.breakable:
        return list
    return running.probe(place.kube, rendered, rendered.namespace)


class Watch(Starvation):
    """Watches the machine for checks on nodes that may be broken. One that does not say what it uses is no excuse: the
    candidate may have stopped its kubelet or the API server.
    """

    def why(self, windows: Sequence[Window], *, programs: bool) -> str:
        """As `Starvation.why`; empty where a node does not answer."""
        if self.read() is None:
            return ""
        try:
            return super().why(windows, programs=programs)
        except LabError:
            return ""
