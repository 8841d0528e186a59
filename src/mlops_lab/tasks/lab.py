"""The `lab` object that a task's checks get: a lab's rooms, and what is outside of the task's namespace."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mlops_lab.base.errors import LabError
from mlops_lab.base.processes import Completed, run
from mlops_lab.checks.current import in_thread
from mlops_lab.checks.lab import Lab
from mlops_lab.checks.rooms.objects import Objects
from mlops_lab.checks.rooms.traffic import Traffic
from mlops_lab.kube import reviews
from mlops_lab.kube.client import Kube
from mlops_lab.labs import parts
from mlops_lab.tasks.place import Place
from mlops_lab.tasks.rendering import Rendered


class Machines:
    """The nodes of the second cluster as machines, for what the API server does not tell or can't tell any more."""

    def __init__(self, place: Place) -> None:
        self._place = place

    @property
    def names(self) -> list[str]:
        """The nodes' names, the control plane's first."""
        return list(self._place.nodes)

    async def run(self, node: str, *words: str, within: float = 30) -> Completed:
        """Run a program on a node as root; its exit code and what it printed.

        Args:
            within: seconds.

        Raises:
            LabError: the node is not this machine's, does not run, or the program took too long.
        """
        container = self._place.nodes.get(node)
        if container is None:
            raise LabError(f"node {node} is not this machine's", "the task needs a cluster that lab exam made")
        return await in_thread(run, [self._place.engine, "exec", container, *words], within=within, check=False)


@dataclass(eq=False)
class TaskLab(Lab):
    """A task on its cluster.

    Attributes:
        namespace: the task's own.
        machines: the nodes as machines, on the second cluster.
    """

    namespace: str = ""
    machines: Machines = field(default_factory=lambda: Machines(Place(None, "")))  # type: ignore[arg-type]
    _kube: Kube | None = None

    def elsewhere(self, namespace: str) -> Objects:
        """The objects of another namespace; objects of no namespace are in `lab.objects` as well."""
        return Objects(self._kube_now, namespace)

    def traffic_from(self, namespace: str) -> Traffic:
        """Requests to the Services of another namespace."""
        return Traffic(self._kube_now, namespace, self.elsewhere(namespace))

    async def allowed(
        self,
        who: str,
        verb: str,
        resource: str,
        *,
        group: str = "",
        name: str = "",
        namespace: str = "",
        subresource: str = "",
        groups: tuple[str, ...] = (),
    ) -> bool:
        """May somebody do this? As `kubectl auth can-i --as` asks the API server (SubjectAccessReview).

        Args:
            who: a user, or `system:serviceaccount:NAMESPACE:NAME`.
            resource: in the plural, such as `pods`.
            group: of the API; empty for the core.
            name: of one object; empty for any.
            namespace: the task's own if none is given; `*` for a resource without namespaces.
        """
        attributes = {
            "verb": verb, "resource": resource, "group": group, "name": name, "subresource": subresource,
            "namespace": "" if namespace == "*" else namespace or self.namespace,
        }  # fmt: skip
        spec = {"user": who, "groups": list(groups), "resourceAttributes": attributes}
        return await in_thread(reviews.allowed, self._kube_now, spec)

    @property
    def _kube_now(self) -> Kube:
        assert self._kube is not None
        return self._kube


def task_lab(place: Place, rendered: Rendered, workspace: Path, mistake: str = "") -> TaskLab:
    """The `lab` of one run of a task's checks.

    Args:
        mistake: in the proof of a mistake, the check that it must fail; else empty.
    """
    settings = parts.settings(rendered.namespace, rendered.task.about.needs)
    lab = TaskLab.on(place.kube, rendered.namespace, rendered.number, workspace, place.registry, settings, mistake)
    assert isinstance(lab, TaskLab)
    lab.namespace, lab.machines, lab._kube = rendered.namespace, Machines(place), place.kube
    lab.seed = rendered.seed
    return lab
