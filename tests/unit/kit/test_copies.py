"""The copy of a learner's pod: what of the pod it has, what it answers until when, and that nothing of it is left."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mlops_lab.checks import Lab, LabError
from mlops_lab.kit.copies import Copy, copied, of_pod
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.http import Answer

TOKEN = {"name": "kube-api-access-x", "mountPath": "/var/run"}
POD: Object = {
    "metadata": {"name": "model-1", "labels": {"app": "model"}},
    "spec": {
        "nodeName": "a",
        "nodeSelector": {"disk": "ssd"},
        "affinity": {"podAntiAffinity": {}},
        "topologySpreadConstraints": [{}],
        "serviceAccountName": "default",
        "containers": [
            {"name": "server", "readinessProbe": {}, "volumeMounts": [TOKEN, {"name": "app", "mountPath": "/work"}]}
        ],
        "initContainers": [{"name": "fetch"}],
        "volumes": [{"name": "app"}, {"name": TOKEN["name"]}],
    },
}
SERVICE: Object = {"spec": {"ports": [{"port": 9000}, {"port": 80, "targetPort": "http"}]}}


def note(container: Object) -> None:
    container["env"] = [{"name": "NOTE", "value": "1"}]


def test_a_copy_has_what_the_template_says_and_the_change() -> None:
    pod, service = of_pod(POD, SERVICE, "copy", change=note, volumes=[{"name": "more"}])
    spec = pod["spec"]
    assert (pod["metadata"]["name"], spec["serviceAccountName"]) == ("copy", "default")
    assert spec["volumes"] == [{"name": "app"}, {"name": "more"}]
    assert spec["containers"] == [
        {"name": "server", "volumeMounts": [{"name": "app", "mountPath": "/work"}],
         "env": [{"name": "NOTE", "value": "1"}]}
    ]  # fmt: skip
    assert spec["initContainers"][0]["env"] == [{"name": "NOTE", "value": "1"}]
    assert service["spec"]["ports"] == [{"port": 80, "targetPort": "http"}]
    assert service["spec"]["selector"] == pod["metadata"]["labels"] != POD["metadata"]["labels"]


def test_a_copy_may_run_on_any_node_and_not_for_ever_and_the_pod_stays_as_it_is() -> None:
    spec = of_pod(POD, SERVICE, "copy", change=note)[0]["spec"]
    assert not {"nodeName", "nodeSelector", "affinity", "topologySpreadConstraints"} & spec.keys()
    assert (spec["restartPolicy"], spec["activeDeadlineSeconds"]) == ("Never", 600)
    assert "env" not in POD["spec"]["containers"][0]
    assert POD["spec"]["nodeName"] == "a"


@pytest.mark.parametrize(
    ("kind", "policy", "kept"),
    [("initContainers", "Always", True), ("initContainers", "OnFailure", False), ("containers", "Always", False)],
)
def test_no_container_but_a_sidecar_is_restarted_and_that_holds_up_what_follows(
    kind: str, policy: str, kept: bool
) -> None:
    rules = [{"action": "Restart", "exitCodes": {"operator": "In", "values": [1]}}]
    probes: Object = {"livenessProbe": {}, "readinessProbe": {}, "startupProbe": {"periodSeconds": 1}}
    spec = POD["spec"] | {kind: [{"name": "one", "restartPolicy": policy, "restartPolicyRules": rules, **probes}]}
    (one,) = of_pod(POD | {"spec": spec}, SERVICE, "copy", change=note)[0]["spec"][kind]
    left = {"restartPolicy": policy, "startupProbe": {"periodSeconds": 1}} if kept else {}
    assert {key: value for key, value in one.items() if key not in ("name", "env", "volumeMounts")} == left


def test_a_copy_has_the_host_name_of_the_pod() -> None:
    named = POD | {"spec": POD["spec"] | {"hostname": "alone", "subdomain": "models"}}
    for pod, host in ((POD, "model-1"), (named, "alone")):
        spec = of_pod(pod, SERVICE, "copy", change=note)[0]["spec"]
        assert spec["hostname"] == host and "subdomain" not in spec


class Cluster:
    """Objects by kind and name, and what was done to them."""

    def __init__(self, *phases: str, pods: int = 1, **status: Any) -> None:
        self.there: dict[tuple[str, str], Object] = {("Service", "model"): SERVICE}
        self.done: list[str] = []
        self._phases, self._pods, self._status = list(phases), pods, status

    def lab(self) -> Lab:
        rooms = SimpleNamespace(objects=self, traffic=self, time=self)
        return cast(Lab, rooms)

    def named(self, kind: str, name: str) -> Any:
        async def now() -> Object | None:
            found = self.there.get((kind, name))
            if found and kind == "Pod" and self._phases:
                phase = self._phases.pop(0) if len(self._phases) > 1 else self._phases[0]
                return found | {"status": {"phase": phase, **self._status}}
            return found

        return SimpleNamespace(now=now)

    async def pods_of(self, service: str) -> list[Object]:
        return [POD] * self._pods

    async def apply(self, objects: list[Object]) -> None:
        self.there |= {(item["kind"], item["metadata"]["name"]): item for item in objects}
        self.done += [f"apply {item['kind']}" for item in objects]

    async def delete(self, kind: str, name: str, grace: int | None = None) -> None:
        self.there.pop((kind, name), None)
        self.done.append(f"delete {kind}")

    async def kill(self, pod: str, grace: int | None = None) -> None:
        self.there.pop(("Pod", pod), None)
        self.done.append(f"kill {pod}")

    async def gone(self, kind: str, name: str, *, within: float) -> None:
        assert (kind, name) not in self.there

    async def get(self, service: str, path: str, *, within: float) -> Answer:
        return Answer(503, {}, b"no model", 0.01, "", f"http://{service}{path}")

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(0.001)


def test_what_a_check_that_was_cut_off_has_left_goes_first_and_nothing_stays() -> None:
    cluster = Cluster()
    cluster.there["Pod", "copy"] = POD

    async def run() -> None:
        beside = {"kind": "ConfigMap", "metadata": {"name": "copy"}}
        async with copied(cluster.lab(), "copy", change=note, beside=[beside]) as copy:
            assert copy.name == "copy"
            raise KeyError

    with pytest.raises(KeyError):
        asyncio.run(run())
    assert cluster.done[:4] == ["kill copy", "apply ConfigMap", "apply Pod", "apply Service"]
    assert list(cluster.there) == [("Service", "model")]


def test_without_a_pod_there_is_nothing_to_copy() -> None:
    async def run() -> None:
        async with copied(Cluster(pods=0).lab(), "copy", change=note):
            pass

    with pytest.raises(LabError, match="behind Service model went away"):
        asyncio.run(run())


def answered(*phases: str, within: float, **status: Any) -> tuple[list[int], Copy]:
    """The statuses that a copy answers while its pod goes through these phases."""

    async def run() -> tuple[list[int], Copy]:
        cluster = Cluster(*phases, **status)
        cluster.there["Pod", "copy"] = POD
        copy = Copy(cluster.lab(), "copy")
        return [answer.status async for answer in copy.answers("/readyz", within=within)], copy

    return asyncio.run(run())


def test_a_copy_answers_until_its_program_has_ended() -> None:
    statuses, copy = answered("Pending", "Running", "Failed", within=5)
    assert statuses == [503, 503]
    assert copy.ended is not None


def test_a_copy_that_runs_answers_until_the_time_is_over() -> None:
    statuses, copy = answered("Running", within=0.05)
    assert set(statuses) == {503}
    assert copy.ended is None


def test_a_copy_that_finds_no_room_is_the_environments_fault() -> None:
    with pytest.raises(LabError, match=r"copy of the pod is Pending after 0\.05 s"):
        answered("Pending", within=0.05)


@pytest.mark.parametrize("kind", ["initContainerStatuses", "containerStatuses"])
def test_a_copy_whose_first_container_takes_its_time_has_found_room(kind: str) -> None:
    began: dict[str, Any] = {kind: [{"state": {"running": {}}}]}
    statuses, copy = answered("Pending", within=0.05, **began)
    assert set(statuses) == {503} and copy.ended is None
    with pytest.raises(LabError, match="Pending"):
        answered("Pending", within=0.05, **{kind: [{"state": {"waiting": {"reason": "PodInitializing"}}}]})


def test_a_copy_that_is_never_restarted_is_not_restarted_for_its_size_either() -> None:
    policy = [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]
    sized = {"name": "server", "resizePolicy": policy}
    spec = POD["spec"] | {"containers": [sized], "initContainers": [sized | {"name": "fetch"}]}
    spec = of_pod(POD | {"spec": spec}, SERVICE, "copy", change=note)[0]["spec"]
    assert not any("resizePolicy" in each for each in (*spec["containers"], *spec["initContainers"]))
