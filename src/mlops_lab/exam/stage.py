"""What a sitting needs of its clusters: tasks stand there, are checked, and go."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from mlops_lab.base.errors import LabError
from mlops_lab.checks.check import Check
from mlops_lab.checks.verdicts import Result
from mlops_lab.cluster import record, second
from mlops_lab.cluster.holder import EXAM
from mlops_lab.labs import namespaces, parts
from mlops_lab.labs.rows import Rows
from mlops_lab.labs.workspace import put_kubeconfig
from mlops_lab.tasks import clusters, running, standing
from mlops_lab.tasks.clusters import KINDS
from mlops_lab.tasks.place import Place
from mlops_lab.tasks.rendering import SETUP, Rendered
from mlops_lab.tasks.task import MAIN, Task


class Stage(Protocol):
    """Clusters for tasks."""

    def trouble(self) -> str:
        """Why the cluster does not answer, in words; empty if it does."""

    def identity(self) -> str:
        """Which cluster it is: an id that no other has. Empty if there is none.

        Raises:
            LabError: it does not answer.
        """

    def taken(self, kind: str, name: str) -> bool:
        """Is there such an object?"""

    def installed(self, tasks: Sequence[Task]) -> None:
        """See that the parts of the platform that tasks need are there.

        Raises:
            LabError: one is not; says how to install it.
        """

    def make(self, tasks: Sequence[Task]) -> None:
        """Have the clusters and add-ons that tasks need.

        Raises:
            LabError: something can't be made.
        """

    def begin(self, rendered: Rendered, workspace: Path) -> None:
        """Make a task as the candidate finds it."""

    def there(self, rendered: Rendered) -> bool:
        """Is the task's namespace there? Where the cluster may be broken and does not answer, it is taken to be."""

    def remove(self, rendered: Rendered, workspace: Path, *, stood: bool) -> None:
        """Take a task away, with all that its work has made outside of its namespace.

        Args:
            stood: it was made whole, so its set-up is taken back although its namespace may be gone.
        """

    def goes(self, task: Task) -> bool:
        """Does the task stand on a cluster that `end` takes away, with all that is there?"""

    def end(self, tasks: Sequence[Task], *, lost: bool = False, addons: bool = False) -> None:
        """Take away the clusters and add-ons that were made for these tasks.

        Args:
            lost: and all clusters that are an exam's own: which they were made for can't be told any more.
            addons: and, for the same reason, all add-ons.
        """

    def check(
        self, rendered: Rendered, checks: Sequence[Check], workspace: Path, listener: Rows | None = None
    ) -> list[Result]:
        """Run checks of a task."""

    def wake(self, tasks: Sequence[Task]) -> None:
        """Start the nodes of an exam's own clusters that stand still: a restart of the engine stops them.

        Raises:
            LabError: one does not start.
        """

    def problems(self, rendered: Rendered) -> str:
        """What is wrong with the task's cluster, in words, such as that a node is not Ready; empty if nothing is.

        What is wrong with a cluster that may be broken is the candidate's, and not said.
        """

    def broken(self, task: Task) -> str:
        """What the candidate has broken of a cluster that may be broken, in words; empty if it answers.

        Where its nodes stand still that is no candidate's work, and nothing is known of it.
        """


class Clusters:
    """The real ones. Each is found once, but for those that are an exam's own: another exam has another one."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._lock = threading.Lock()

    def trouble(self) -> str:
        try:
            self._main().kube.version()
        except LabError as down:
            self._places.clear()  # it may be another one when it answers again
            return down.message
        return ""

    def identity(self) -> str:
        if record.named() is None and record.made() is None:
            return ""
        return str(self._main().kube.get("Namespace", "kube-system")["metadata"]["uid"])

    def taken(self, kind: str, name: str) -> bool:
        return standing.found(self._main().kube, kind, name)

    def installed(self, tasks: Sequence[Task]) -> None:
        kube, needs = self._main().kube, parts.needed([need for task in tasks for need in task.about.needs])
        missing = [part for part in needs if kube.find("Namespace", *parts.namespaces([part])) is None]
        if missing:
            raise LabError(
                f"tasks of this exam need {' and '.join(missing)}, which this cluster does not have",
                f"install it: lab up --with {','.join(missing)}",
            )

    def make(self, tasks: Sequence[Task]) -> None:
        self._places |= {kind: place for kind, place in clusters.make(tasks).items() if not KINDS[kind].own}

    def begin(self, rendered: Rendered, workspace: Path) -> None:
        standing.begin(self._place(rendered.task.about.cluster), rendered, workspace)

    def there(self, rendered: Rendered) -> bool:
        place = self._place(rendered.task.about.cluster)
        try:
            found = place.kube.find("Namespace", rendered.namespace)
        except LabError:
            if place.breakable:  # the API server may be what is broken
                return True
            raise
        return found is not None and not found["metadata"].get("deletionTimestamp")

    def remove(self, rendered: Rendered, workspace: Path, *, stood: bool) -> None:
        place = self._place(rendered.task.about.cluster)
        workspace.mkdir(parents=True, exist_ok=True)
        put_kubeconfig(workspace, place.kube, rendered.namespace)
        undo = stood and (rendered.folder / SETUP / "undo.sh").is_file()
        if undo and not place.breakable and not self.there(rendered):
            namespaces.create(place.kube, rendered, rendered.namespace)  # what takes the set-up back runs in it
        standing.remove(place, rendered, workspace, stood=stood)

    def goes(self, task: Task) -> bool:
        return KINDS[task.about.cluster].own

    def end(self, tasks: Sequence[Task], *, lost: bool = False, addons: bool = False) -> None:
        clusters.end(tasks, lost=lost, addons=addons)
        self._places.clear()

    def check(
        self, rendered: Rendered, checks: Sequence[Check], workspace: Path, listener: Rows | None = None
    ) -> list[Result]:
        return running.check(self._place(rendered.task.about.cluster), rendered, checks, workspace, listener=listener)

    def wake(self, tasks: Sequence[Task]) -> None:
        for kind in dict.fromkeys(task.about.cluster for task in tasks):
            if _still(kind):
                KINDS[kind].make()

    def problems(self, rendered: Rendered) -> str:
        if KINDS[rendered.task.about.cluster].own:
            return ""
        try:
            return "; ".join(running.environment(self._place(rendered.task.about.cluster), rendered)())
        except LabError as trouble:
            return trouble.message

    def broken(self, task: Task) -> str:
        if not KINDS[task.about.cluster].own or _still(task.about.cluster):
            return ""
        try:
            self._place(task.about.cluster).kube.version()
        except LabError as down:
            return down.message
        return ""

    def _main(self) -> Place:
        return self._place(MAIN)

    def _place(self, kind: str) -> Place:
        with self._lock:
            if (place := self._places.get(kind)) is None:
                place = KINDS[kind].find()
                if not KINDS[kind].own:
                    self._places[kind] = place
            return place


def _still(kind: str) -> list[str]:
    """Nodes of an exam's own cluster that do not run; none where it is not there (any more)."""
    return second.stopped() if KINDS[kind].own and second.found(EXAM) else []
