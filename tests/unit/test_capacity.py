"""Whose fault it is that a pod finds no room."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, cast

from mlops_lab.kube.client import Kube
from mlops_lab.measure.cluster import capacity, environment

Object = dict[str, Any]


class Cluster:
    """Lists what it was given."""

    def __init__(self, *objects: Object) -> None:
        self.objects = objects

    def list(self, kind: str, namespace: str | None = None, selector: str = "", **_: Any) -> list[Object]:
        return [
            item
            for item in self.objects
            if item["kind"] == kind and namespace in (None, item["metadata"].get("namespace"))
        ]

    def find(self, *_: Any, **__: Any) -> None:
        return None


def node(name: str, cpu: str = "2", taint: str = "") -> Object:
    return {
        "kind": "Node",
        "metadata": {"name": name},
        "spec": {"taints": [{"key": "any", "effect": taint}]} if taint else {},
        "status": {
            "allocatable": {"cpu": cpu, "memory": "4Gi"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def container(cpu: str, **more: str) -> Object:
    return {"resources": {"requests": {"cpu": cpu}}, **more}


def pod(namespace: str, cpu: str, on: str = "", missing: str = "cpu", phase: str = "Running") -> Object:
    unplaced = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": f"0/2 nodes are available: 2 Insufficient {missing}.",
    }
    return {
        "kind": "Pod",
        "metadata": {"name": f"of-{namespace}", "namespace": namespace},
        "spec": {"containers": [container(cpu)], **({"nodeName": on} if on else {})},
        "status": {"phase": phase} if on else {"phase": "Pending", "conditions": [unplaced]},
    }


def found(*objects: Object, own: tuple[str, ...] = ("lab-10",)) -> list[str]:
    return capacity.pending_because_of_others(cast(Kube, Cluster(*objects)), own, {"mlops-lab-tracking"})


def test_room_that_another_lab_takes_is_the_environments_fault_and_named() -> None:
    (said,) = found(node("one"), pod("lab-12", "1500m", "one"), pod("lab-10", "1"))
    assert "of-lab-10" in said and "lab-12" in said and "lab reset" in said


def test_room_that_the_lab_itself_takes_or_asks_for_in_excess_is_the_learners() -> None:
    other = pod("lab-12", "100m", "one")
    assert found(node("one"), other, pod("lab-10", "1500m", "one"), pod("lab-10", "1")) == []
    assert found(node("one"), other, pod("lab-10", "3")) == []


def test_what_belongs_to_the_cluster_and_the_platform_counts_as_given() -> None:
    given = [pod(name, "600m", "one") for name in ("kube-system", "mlops-lab-tracking")]
    assert found(node("one"), *given, pod("lab-10", "1")) == []
    assert found(node("one"), *given, pod("lab-12", "100m", "one"), pod("lab-10", "900m")) == []
    assert found(node("one"), *given, pod("lab-12", "100m", "one"), pod("lab-10", "800m"))


def test_pods_that_have_ended_closed_nodes_and_other_reasons_say_nothing() -> None:
    other, stuck = pod("lab-12", "1500m", "one"), pod("lab-10", "1")
    assert found(node("one"), pod("lab-12", "1500m", "one", phase="Succeeded"), stuck) == []
    assert found(node("one", taint="NoSchedule"), other, stuck) == []
    assert found(node("one", taint="PreferNoSchedule"), other, stuck)
    assert found(node("one"), other, pod("lab-10", "1", missing="example.com/gpu")) == []
    assert found(node("one"), other, pod("lab-10", "1", "one")) == []


def test_pods_that_a_part_runs_for_the_lab_are_looked_at_too() -> None:
    stuck = pod("mlops-lab-pipelines", "1")
    assert found(node("one"), pod("lab-12", "1500m", "one"), stuck, own=("lab-10", "mlops-lab-pipelines"))


def test_a_pod_requests_what_the_scheduler_counts() -> None:
    whole = {
        "spec": {
            "containers": [container("100m"), container("50m")],
            "initContainers": [container("200m", restartPolicy="Always"), container("300m"), container("10m")],
        }
    }
    assert capacity.requests(whole) == {"cpu": Fraction(1, 2), "memory": 0}  # the second one beside the sidecar
    whole["spec"]["initContainers"][1] = container("20m")
    assert capacity.requests(whole)["cpu"] == Fraction(35, 100)  # the containers and the sidecar
    assert capacity.requests({"spec": {"containers": [{}]}}) == {"cpu": 0, "memory": 0}


def test_what_a_pod_requests_as_a_whole_counts_instead_of_its_containers_and_overhead_is_added() -> None:
    both = pod("lab-10", "500m")
    both["spec"] |= {"resources": {"requests": {"cpu": "2"}}, "overhead": {"cpu": "250m", "memory": "1Mi"}}
    assert capacity.requests(both) == {"cpu": Fraction(9, 4), "memory": 1 << 20}
    too_large, other = pod("lab-10", "10m"), pod("lab-12", "10m", "one")
    too_large["spec"]["resources"] = {"requests": {"cpu": "640"}}
    assert found(node("one"), other, too_large) == []
    other["spec"]["resources"] = {"requests": {"cpu": "1500m"}}
    (said,) = found(node("one"), other, pod("lab-10", "1"))
    assert "lab-12" in said


def test_a_node_that_the_pod_does_not_take_has_no_room_for_it() -> None:
    here, elsewhere = node("one"), node("two")
    here["metadata"]["labels"] = {"disk": "fast"}
    wants = pod("lab-10", "1500m")
    wants["spec"]["nodeSelector"] = {"disk": "fast"}
    own, other = pod("lab-10", "1", "one"), pod("lab-12", "1", "two")
    assert found(here, elsewhere, own, other, wants) == []
    (said,) = found(here, elsewhere, pod("lab-12", "1", "one"), wants)
    assert "lab-12" in said


def test_it_is_a_problem_of_the_environment() -> None:
    cluster = Cluster(node("one"), pod("lab-12", "1500m", "one"), pod("lab-10", "1"))
    (problem,) = environment.problems(cast(Kube, cluster), lab="lab-10")
    assert "no node has room" in problem
    assert environment.problems(cast(Kube, cluster), lab="lab-12") == []
