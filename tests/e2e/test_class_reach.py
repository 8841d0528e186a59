"""What learners try on the class itself, its graders, MLflow and the registry: refused, and done without the guard.

As in test_class_walls the policies and rights are the chart's own, and each learner acts by the kubeconfig of a kit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from mlops_lab.cluster import names
from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.errors import Refused
from tests import class_attempts as attempts
from tests.e2e.class_on_cluster import Classroom, until
from tests.e2e.conftest import docker
from tests.e2e.test_class_walls import reaches, server

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.parts("monitoring", "tracking")]


@dataclass(frozen=True)
class Place:
    """A class, and what stands for its graders at work.

    Attributes:
        jobs: the namespace of graders' Jobs, with a submission's Secret.
        sandbox: the namespace of another learner's submission.
        apart: one that the platform lets in, as it does the project's own, and that has no walls.
    """

    klass: Classroom
    jobs: str
    sandbox: str
    apart: str

    @property
    def own(self) -> str:
        return self.klass.space(self.klass.ada)


@pytest.fixture(scope="module")
def at(cluster: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    klass = Classroom(cluster, tmp_path_factory.mktemp("class"))
    found = Place(klass, f"{klass.namespace}-grading", f"g-{klass.mark}-1-lab-04", f"test-apart-{klass.mark}")
    try:
        klass.open()
        for name in (found.jobs, found.sandbox, found.apart):
            labels = {"app.kubernetes.io/managed-by": "mlops-lab"} if name == found.apart else {"x": "y"}
            cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        cluster.apply([attempts.secret(stringData={"token": "t"})], found.jobs)
        cluster.apply([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "tried"}}], found.sandbox)
        yield found
    finally:
        for name in (found.jobs, found.sandbox, found.apart):
            cluster.delete("Namespace", name)
        klass.close()


def job(name: str = "tried") -> Object:
    template = {"spec": {**attempts.pod()["spec"], "restartPolicy": "Never"}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": template}}


# What is asked of the API server, and the right with which it would be done.
GRADERS: dict[str, tuple[Callable[[Kube, Place], object], tuple[str, str, str]]] = {
    "a submission's token": (lambda kube, at: kube.get("Secret", "tried", at.jobs), ("", "secrets", "get")),
    "who is being graded": (lambda kube, at: kube.list("Job", at.jobs), ("batch", "jobs", "list")),
    "a Job among the graders": (
        lambda kube, at: kube.apply([at.klass.spelled(job())], at.jobs, dry_run=True),
        ("batch", "jobs", "create patch"),
    ),
    "a grader's pod, from inside": (
        lambda kube, at: kube.apply([at.klass.spelled(attempts.pod())], at.jobs, dry_run=True),
        ("", "pods", "create patch"),
    ),
    "another's work in its sandbox": (lambda kube, at: kube.list("ConfigMap", at.sandbox), ("", "configmaps", "list")),
    "a file of the own submission, changed while it is graded": (
        lambda kube, at: kube.patch("ConfigMap", "tried", {"data": {"x": "y"}}, at.sandbox),
        ("", "configmaps", "get patch"),
    ),
    "what turns graders have": (
        lambda kube, at: kube.list("Event", at.jobs, api_version="v1"), ("", "events", "list"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GRADERS)
def test_graders_are_out_of_reach_and_would_not_be_with_the_right(name: str, at: Place) -> None:
    call, (group, resources, verbs) = GRADERS[name]
    ada = at.klass.learner(at.klass.ada)
    with pytest.raises(Refused) as refused:
        call(ada, at)
    assert refused.value.status == 403
    rule = {"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split()}
    back = at.klass.grant(at.klass.ada, [rule])
    try:
        until(lambda: _is_done(call, ada, at), within=15)
    finally:
        back()
    until(lambda: not _is_done(call, ada, at), within=15)


def _is_done(call: Callable[[Kube, Place], object], kube: Kube, at: Place) -> bool:
    try:
        call(kube, at)
    except Refused as refused:
        if refused.status != 403:
            raise
        return False
    return True


@pytest.fixture(scope="module")
def pods(at: Place) -> dict[str, str]:
    """A pod that asks and serves in a learner's namespace, in the class's own, and in the one without walls."""
    found = {}
    for space in (at.own, at.klass.namespace, at.apart):
        at.klass.kube.apply([at.klass.spelled(server())], space)
    for space in (at.own, at.klass.namespace, at.apart):
        address, seen = at.klass.kube.wait("Pod", "server", space, _ready, within=120)
        assert address, seen
        found[space] = str(address)
    return found


def _ready(pod: Object | None) -> str | None:
    status: dict[str, Any] = (pod or {}).get("status") or {}
    ready = any((each["type"], each["status"]) == ("Ready", "True") for each in status.get("conditions") or [])
    return str(status["podIP"]) if ready else None


def registry() -> str:
    """The registry's address on the nodes' network."""
    form = f'{{{{(index .NetworkSettings.Networks "{names.NETWORK}").IPAddress}}}}'
    return docker("inspect", "--format", form, names.REGISTRY)


def test_the_classs_own_pods_are_reached_from_elsewhere_alone(at: Place, pods: dict[str, str]) -> None:
    """Its server and database are behind policies of their own besides; the learner's pods don't come so far."""
    address = pods[at.klass.namespace]
    assert reaches(at.klass.kube, at.apart, address, 8080, 20)
    assert not reaches(at.klass.kube, at.own, address, 8080, 3)


def test_mlflow_and_the_runs_of_others_are_reached_from_elsewhere_alone(at: Place, pods: dict[str, str]) -> None:
    host = "mlflow.mlops-lab-tracking.svc"
    assert reaches(at.klass.kube, at.apart, host, 5000, 20), "the platform lets namespaces of the project's in"
    assert not reaches(at.klass.kube, at.own, host, 5000, 3)


def test_nobodys_image_is_pushed_over_as_the_registry_is_not_reached(at: Place, pods: dict[str, str]) -> None:
    """Whoever reaches it may push any name, such as `load:v1`: it asks for no token."""
    assert reaches(at.klass.kube, at.apart, registry(), 5000, 20)
    assert not reaches(at.klass.kube, at.own, registry(), 5000, 3)


def test_a_labs_part_of_the_platform_is_refused_unless_it_is_shared(at: Place) -> None:
    from mlops_lab.classroom.operator.requests import REFUSED, Lab, states

    at.klass.ask(at.klass.bob, lab_01=Lab())
    name = f"learner-{at.klass.bob}"
    found = until(lambda: states(at.klass.kube.find("ConfigMap", name, at.klass.namespace)).get("lab-01"))
    assert found and found.state == REFUSED and "tracking" in found.why
