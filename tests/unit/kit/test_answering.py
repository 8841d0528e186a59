"""Who answers for a Service: which pods are a Deployment's own, and what else may stand behind it."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import Failure, LabError
from mlops_lab.checks.rooms.objects import Printed
from mlops_lab.kit.answering import _LISTENS, must_answer, own_answers
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kube.client import Object
from mlops_lab.kube.execs import NotStarted
from tests.made_up import NothingThere, made_up_lab

SERVER: Object = {"name": "server", "image": "v1", "ports": [{"name": "http", "containerPort": 8080}]}


def owner(kind: str, uid: str) -> Object:
    return {"kind": kind, "name": f"{kind.lower()}-{uid}", "uid": uid, "controller": True}


def item(name: str, *owners: Object, **more: Any) -> Object:
    return {"metadata": {"name": name, "uid": name, "ownerReferences": list(owners)}, **more}


def pod(name: str, address: str, by: Object, **spec: Any) -> Object:
    return item(name, by, spec={"containers": [SERVER], **spec}, status={"podIP": address, "phase": "Running"})


class Objects(NothingThere):
    """A Deployment `model` with a ReplicaSet, pods, and a Service that leads to some addresses."""

    def __init__(self, *pods: Object, addresses: list[str], listens: str = "listens", **service: Any) -> None:
        self.pods, self.addresses, self.listens = list(pods), addresses, listens
        self.spec = {"selector": {"app": "model"}, "ports": [{"port": 80, "targetPort": "http"}], **service}
        self.asked: list[Any] = []

    def deployment(self, name: str) -> Any:
        async def now() -> Object | None:
            return item(name) if name == "model" else None

        return SimpleNamespace(now=now)

    async def service(self, name: str) -> Object:
        return {"spec": self.spec}

    async def all(self, kind: str, selector: str = "") -> list[Object]:
        if kind == "ReplicaSet":
            return [item("rs", owner("Deployment", "model")), item("other-rs", owner("Deployment", "other"))]
        if kind == "EndpointSlice":
            assert selector == "kubernetes.io/service-name=model"
            left = {"addresses": ["10.0.0.8"], "conditions": {"ready": False, "terminating": True}}
            return [{"endpoints": [left, *({"addresses": [each]} for each in self.addresses)]}, {"endpoints": None}]
        return self.pods

    async def run_in(self, pod: str, *command: str, container: str) -> Printed:
        self.asked.append((pod, command[-1], container))
        return Printed(0, [self.listens], "")


def seen(objects: Objects) -> Any:
    return asyncio.run(own_answers(made_up_lab(objects=objects)))


OWN = pod("own", "10.0.0.1", owner("ReplicaSet", "rs"))
OTHER = pod("other", "10.0.0.2", owner("ReplicaSet", "other-rs"))


def test_pods_are_the_deployments_own_by_who_made_them_until_they_have_ended() -> None:
    ended = [OWN | {"status": {"phase": phase}} for phase in ("Failed", "Succeeded")]
    objects = Objects(OWN, *ended, OTHER, item("bare", status={}, spec={}), addresses=[])
    assert [each["metadata"]["name"] for each in asyncio.run(owned_pods(made_up_lab(objects=objects)))] == ["own"]
    assert asyncio.run(owned_pods(made_up_lab(objects=objects), "nobody")) == []


def test_its_own_pods_alone_are_right_and_nothing_is_run_in_them() -> None:
    objects = Objects(OWN, OTHER, addresses=["10.0.0.1"])
    assert seen(objects).ok and not objects.asked


@pytest.mark.parametrize(
    ("addresses", "said"),
    [
        (["10.0.0.1", "10.0.0.2"], "also pod other of ReplicaSet replicaset-other-rs, at 10.0.0.2"),
        (["10.0.0.9"], "also something that is no pod of this namespace, at 10.0.0.9"),
    ],
)
def test_addresses_of_others_are_told(addresses: list[str], said: str) -> None:
    found = seen(Objects(OWN, OTHER, addresses=addresses))
    assert (found.ok, found.seen) == (False, said)


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ({"type": "ExternalName", "externalName": "reference"}, "it is another name for reference (type ExternalName)"),
        ({"sessionAffinity": "ClientIP"}, "it leads each client to the same pod again and again (sessionAffinity)"),
        (
            {"internalTrafficPolicy": "Local"},
            "who asks from a node gets the pods of that node (internalTrafficPolicy: Local)",
        ),
        (
            {"trafficDistribution": "PreferSameNode"},
            "who asks from a node gets the pods of that node (trafficDistribution: PreferSameNode)",
        ),
        ({"trafficDistribution": "PreferSameZone", "internalTrafficPolicy": "Cluster"}, "them alone"),
    ],
)
def test_a_service_leads_to_all_its_pods_alike(service: Any, said: str) -> None:
    assert seen(Objects(OWN, addresses=["10.0.0.1"], **service)).seen == said


def sidecar(**more: Any) -> Object:
    return {"name": "quick", "image": "v1", **more}


@pytest.mark.parametrize(
    "spec",
    [
        {"containers": [SERVER, sidecar(ports=[{"containerPort": 9000}])]},
        {"initContainers": [sidecar(restartPolicy="Always")]},
        {"ephemeralContainers": [sidecar()]},
    ],
)
def test_beside_a_second_container_the_first_one_must_hold_the_port(spec: Any) -> None:
    both = pod("own", "10.0.0.1", owner("ReplicaSet", "rs"), **spec)
    good = Objects(both, addresses=["10.0.0.1"])
    assert seen(good).ok and good.asked == [("own", "8080", "server")]
    bad = seen(Objects(both, addresses=["10.0.0.1"], listens="does not"))
    assert bad.seen == "in pod own it is not container server alone that listens on port 8080"


def test_the_program_that_looks_who_listens_tells_its_own_socket_from_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        there = subprocess.run([sys.executable, "-c", _LISTENS, str(port)], capture_output=True, text=True, check=True)
    gone = subprocess.run([sys.executable, "-c", _LISTENS, str(port)], capture_output=True, text=True, check=True)
    assert (there.stdout, gone.stdout) == ("listens\n", "does not\n")


def test_an_init_container_that_ends_is_no_second_one() -> None:
    prepared = pod("own", "10.0.0.1", owner("ReplicaSet", "rs"), initContainers=[sidecar()])
    objects = Objects(prepared, addresses=["10.0.0.1"])
    assert seen(objects).ok and not objects.asked


@pytest.mark.parametrize("target", ["quick", 8081])
def test_a_sidecar_with_the_services_port_answers_in_the_first_ones_place(target: Any) -> None:
    quick = sidecar(restartPolicy="Always", ports=[{"name": "quick", "containerPort": 8081}])
    both = pod("own", "10.0.0.1", owner("ReplicaSet", "rs"), initContainers=[quick])
    ports = [{"port": 80, "targetPort": target}]
    found = seen(Objects(both, addresses=["10.0.0.1"], ports=ports))
    assert found.seen == f"in pod own container quick has port {target}, not server alone"


def test_the_failure_is_the_learners_and_says_where_to_look() -> None:
    objects = Objects(OWN, OTHER, addresses=["10.0.0.2"])
    with pytest.raises(Failure, match="behind Service model the pods of Deployment model alone"):
        asyncio.run(must_answer(made_up_lab(objects=objects)))


NO_PYTHON: list[LabError | Printed] = [
    NotStarted("python3 in pod own could not be run", ""),
    *(Printed(code, [], "") for code in (126, 127)),
]


def without_python(monkeypatch: pytest.MonkeyPatch, objects: Objects, how: LabError | Printed) -> Objects:
    """Container server of these pods has no Python."""
    run_in = objects.run_in

    async def run(pod: str, *command: str, container: str) -> Printed:
        if container != "server":
            return await run_in(pod, *command, container=container)
        if isinstance(how, LabError):
            raise how
        return how

    monkeypatch.setattr(objects, "run_in", run)
    return objects


@pytest.mark.parametrize("how", NO_PYTHON)
@pytest.mark.parametrize(("listens", "ok"), [("does not", True), ("listens", False)])
def test_for_a_container_without_python_the_others_say_whether_they_have_the_port(
    monkeypatch: pytest.MonkeyPatch, how: LabError | Printed, listens: str, ok: bool
) -> None:
    both = pod("own", "10.0.0.1", owner("ReplicaSet", "rs"), containers=[SERVER, sidecar()])
    objects = without_python(monkeypatch, Objects(both, addresses=["10.0.0.1"], listens=listens), how)
    assert (seen(objects).ok, objects.asked) == (ok, [("own", "8080", "quick")])


def test_a_container_that_has_ended_listens_on_nothing_and_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    both = pod("own", "10.0.0.1", owner("ReplicaSet", "rs"), ephemeralContainers=[sidecar()])
    both["status"]["ephemeralContainerStatuses"] = [{"name": "quick", "state": {"terminated": {"exitCode": 0}}}]
    objects = without_python(monkeypatch, Objects(both, addresses=["10.0.0.1"]), NO_PYTHON[0])
    assert seen(objects).ok and not objects.asked
    both["status"]["containerStatuses"] = [{"name": "server", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]
    assert not seen(objects).ok and not objects.asked
