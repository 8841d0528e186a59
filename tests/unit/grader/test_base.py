"""What the dispatcher makes once: the namespace of the Jobs, its queues, and whom Jobs reach."""

from __future__ import annotations

from typing import cast

import msgspec
import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.classroom.grader import dispatcher
from mlops_lab.kube.client import Kube
from mlops_lab.kube.errors import NotFound
from mlops_lab.labs import parts
from tests.unit.grader.world import JOBS, NS, SETTINGS, Cluster


def test_the_namespace_of_the_jobs_has_queues_and_is_closed() -> None:
    kube = Cluster()
    for _ in range(2):
        dispatcher.base(cast(Kube, kube), SETTINGS, "CA", [("10.0.0.1", 6443), ("fd00::2", 10250)])
    labels = kube.get("Namespace", JOBS)["metadata"]["labels"]
    assert labels["mlops-lab/queued"] == "true" and labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert "mlops-lab/lab" not in labels  # no policy for learners' work is asked about Jobs
    assert kube.named("LocalQueue", JOBS) == ["alone", "any"]
    assert kube.find("ConfigMap", "server-ca", JOBS)["data"] == {"ca.crt": "CA"}  # type: ignore[index]
    (right,) = kube.list("RoleBinding", JOBS)
    assert right["roleRef"]["name"] == f"{NS}-dispatcher-jobs"
    spec = kube.get("NetworkPolicy", "jobs", JOBS)["spec"]
    assert spec["podSelector"] == {} and spec["ingress"] == []
    reached, dns, api, kubelet = spec["egress"]
    assert NS in reached["to"][0]["namespaceSelector"]["matchExpressions"][0]["values"]
    assert {each["port"] for each in dns["ports"]} == {53} and api["to"] == [{"ipBlock": {"cidr": "10.0.0.1/32"}}]
    assert kubelet == {"to": [{"ipBlock": {"cidr": "fd00::2/128"}}], "ports": [{"protocol": "TCP", "port": 10250}]}


def test_without_kueue_it_says_so() -> None:
    class Without(Cluster):
        def apply(self, objects: list[dict], namespace: str | None = None) -> None:  # type: ignore[type-arg]
            if any(each["kind"] == "LocalQueue" for each in objects):
                raise NotFound("LocalQueue any: the cluster has no such kind", "")
            super().apply(objects, namespace)

    with pytest.raises(LabError, match="no queues") as missing:
        dispatcher.base(cast(Kube, Without()), SETTINGS, "", [])
    assert "Kueue" in missing.value.hint


def test_a_namespace_of_somebody_elses_is_left_alone() -> None:
    kube = Cluster()
    kube.put({"kind": "Namespace", "metadata": {"name": JOBS}})
    with pytest.raises(LabError, match="not this class's"):
        dispatcher.base(cast(Kube, kube), SETTINGS, "", [])
    assert kube.writes == [f"create Namespace {JOBS}"]


def test_parts_that_submissions_may_use_are_reached() -> None:
    kube = Cluster()
    dispatcher.base(cast(Kube, kube), msgspec.structs.replace(SETTINGS, parts=["tracking"]), "", [])
    reached = kube.get("NetworkPolicy", "jobs", JOBS)["spec"]["egress"][0]["to"][0]["namespaceSelector"]
    assert set(parts.namespaces(["tracking"])) <= set(reached["matchExpressions"][0]["values"])
