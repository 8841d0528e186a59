"""Whether the program that a lab gives is what runs: images, commands, files, and Services."""

from __future__ import annotations

import asyncio
import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import Failure
from mlops_lab.kit.given import around_is_given, differences, given_runs, given_service, in_manifests, must_be_given
from mlops_lab.kube.client import Object
from tests.made_up import NothingThere, made_up_lab

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: model}
spec:
  template:
    spec:
      containers:
        - name: server
          image: localhost:5001/workbench:1
          command: [python3, /lab/server.py]
          env: [{name: MODEL_LOAD_SECONDS, value: "20"}]
          volumeMounts: [{name: server, mountPath: /lab}]
      volumes: [{name: server, configMap: {name: server}}]
---
apiVersion: v1
kind: Service
metadata: {name: model}
spec:
  selector: {app: model}
  ports: [{name: http, port: 80, targetPort: http}]
"""
SERVER = "print('listening')\n"
FILLED_IN = {
    "clusterIP": "10.96.0.7",
    "type": "ClusterIP",
    "sessionAffinity": "None",
    "internalTrafficPolicy": "Cluster",
}


@pytest.fixture
def start(tmp_path: Path) -> Path:
    (tmp_path / "deployment.yaml").write_text(MANIFEST)
    (tmp_path / "kustomization.yaml").write_text("resources: [deployment.yaml]\n")
    (tmp_path / "server.py").write_text(SERVER)
    return tmp_path


def spec(start: Path, **changes: Any) -> Object:
    """A pod's spec as given, with a token's mount as the API server adds it, and with changes to its container."""
    found: Object = copy.deepcopy(in_manifests(start, "Deployment", "model")["spec"]["template"]["spec"])
    token = {"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    found["containers"][0]["volumeMounts"].append(token)
    found["containers"][0].update(changes)
    found["volumes"][0]["configMap"]["name"] = "server-4h7k"
    return found


def given(start: Path) -> Object:
    found: Object = in_manifests(start, "Deployment", "model")["spec"]["template"]["spec"]
    return found


LOAD = {"name": "MODEL_LOAD_SECONDS", "value": "20"}
AT_LAB = {"name": "server", "mountPath": "/lab"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"env": [LOAD, {"name": "OMP_NUM_THREADS", "value": "1"}, {"name": "PYTHONUNBUFFERED", "value": "1"}]}, []),
        ({"env": [LOAD, {"name": "HOST_IP", "value": "10.0.0.1"}, {"name": "HOSTNAME", "value": "a"}]}, []),
        ({"volumeMounts": [AT_LAB, {"name": "alive", "mountPath": "/alive"}]}, []),
        ({"livenessProbe": {"exec": {"command": ["true"]}}, "lifecycle": {}}, []),
        ({"image": "v1"}, ["image v1, not localhost:5001/workbench:1"]),
        ({"command": ["sleep", "9"]}, ["command sleep 9, not python3 /lab/server.py"]),
        ({"args": ["--quick"]}, ["args --quick, not none"]),
        ({"env": []}, ["MODEL_LOAD_SECONDS none, not 20"]),
        ({"env": [LOAD | {"value": "2"}]}, ["MODEL_LOAD_SECONDS 2, not 20"]),
        ({"env": [LOAD, {"name": "PORT", "value": "8081"}]}, ["a variable PORT, by which it becomes another program"]),
        ({"env": [LOAD, {"name": "PYTHONPATH", "value": "/alive"}]},
         ["a variable PYTHONPATH, by which it becomes another program"]),
        ({"volumeMounts": [AT_LAB, {"name": "x", "mountPath": "/app/server"}]},
         ["something mounted at /app/server, over what is there"]),
        ({"volumeMounts": [AT_LAB, {"name": "x", "mountPath": "/tmp/.local/lib/python3.11/site-packages"}]},
         ["something mounted at /tmp/.local/lib/python3.11/site-packages, over what is there"]),
    ],
)  # fmt: skip
def test_what_makes_another_program_is_told(start: Path, changes: Any, said: list[str]) -> None:
    assert differences(spec(start, **changes), given(start)) == said


class Objects(NothingThere):
    """One pod of Deployment `model` from a spec, and a ConfigMap with the program's files."""

    def __init__(self, pod_spec: Object, data: Any, written: str = "2026-01-01T10:00:00Z", service: Any = None) -> None:
        running = {"running": {"startedAt": "2026-01-01T10:00:05Z"}}
        self.pod: Object = {
            "metadata": {"name": "model-1", "ownerReferences": [{"controller": True, "uid": "rs"}]},
            "spec": pod_spec,
            "status": {"containerStatuses": [{"name": "beside", "state": {}}, {"name": "server", "state": running}]},
        }
        metadata = {"name": "server-4h7k", "managedFields": [{"time": written}, {}]}
        self.found: Object = {"metadata": metadata, "data": data}
        self.spec = service

    def named(self, kind: str, name: str) -> Any:
        async def now() -> Object | None:
            if kind == "Deployment":
                return {"metadata": {"name": name, "uid": "deployment"}}
            return self.found if (kind, name) == ("ConfigMap", "server-4h7k") else None

        return SimpleNamespace(now=now)

    async def all(self, kind: str, selector: str = "") -> list[Object]:
        made: Object = {"metadata": {"uid": "rs", "ownerReferences": [{"controller": True, "uid": "deployment"}]}}
        return [made] if kind == "ReplicaSet" else [self.pod]

    async def service(self, name: str) -> Object:
        return {"spec": self.spec}


def runs(start: Path, objects: Objects) -> Any:
    return asyncio.run(given_runs(made_up_lab(objects=objects), start, files={"server.py": start / "server.py"}))


def test_the_given_files_in_a_config_map_of_any_name_are_right(start: Path) -> None:
    assert runs(start, Objects(spec(start), {"server.py": SERVER})).ok


@pytest.mark.parametrize(
    ("data", "written", "said"),
    [
        ({"server.py": SERVER + "#"}, "", "in ConfigMap server-4h7k another server.py"),
        ({}, "", "in ConfigMap server-4h7k another server.py"),
        ({"server.py": SERVER, "uvicorn.py": ""}, "", "in ConfigMap server-4h7k another uvicorn.py"),
        ({"server.py": SERVER}, "2026-01-01T10:00:09Z",
         "pod model-1 was started before ConfigMap server-4h7k was written (kubectl rollout restart)"),
    ],
)  # fmt: skip
def test_files_that_are_others_or_were_when_the_pod_began_are_told(
    start: Path, data: Any, written: str, said: str
) -> None:
    seen = runs(start, Objects(spec(start), data, written))
    assert (seen.ok, seen.seen) == (False, said)


def test_a_part_of_the_files_or_something_over_them_is_told(start: Path) -> None:
    part = spec(start)
    part["containers"][0]["volumeMounts"][0]["subPath"] = "server.py"
    assert runs(start, Objects(part, {"server.py": SERVER})).seen == "no ConfigMap mounted as a whole at /lab"
    over = spec(start)
    over["containers"][0]["volumeMounts"].append({"name": "x", "mountPath": "/lab/flight_delay"})
    seen = runs(start, Objects(over, {"server.py": SERVER}))
    assert "something mounted at /lab/flight_delay" in (seen.seen, *seen.evidence)


def test_another_program_is_the_learners_failure(start: Path) -> None:
    lab = made_up_lab(objects=Objects(spec(start, command=["true"]), {}))
    with pytest.raises(Failure, match="as it was given") as failure:
        asyncio.run(must_be_given(lab, start, why="leave it"))
    assert "around it; leave it. Compare" in failure.value.why


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({}, "it is"),
        ({"sessionAffinity": "ClientIP"}, "another sessionAffinity"),
        ({"selector": {"app": "model", "pod-template-hash": "x"}}, "another selector"),
        ({"publishNotReadyAddresses": True}, "another publishNotReadyAddresses"),
        ({"ports": [{"name": "http", "port": 80, "targetPort": 9}]}, "another ports"),
        ({"internalTrafficPolicy": "Local"}, "another internalTrafficPolicy"),
    ],
)
def test_a_given_service_is_as_it_was(start: Path, changes: Any, seen: str) -> None:
    now = in_manifests(start, "Service", "model")["spec"] | FILLED_IN | changes
    now["ports"] = [{"protocol": "TCP"} | each for each in now["ports"]]
    found = asyncio.run(given_service(made_up_lab(objects=Objects({}, {}, service=now)), start))
    assert (found.ok, found.seen) == (seen == "it is", seen)


def test_a_manifest_that_is_not_there_is_an_error(start: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no Deployment other"):
        in_manifests(start, "Deployment", "other")


AROUND = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: model}
spec:
  replicas: 2
  strategy: {type: Recreate}
  template:
    spec:
      automountServiceAccountToken: false
      containers:
        - name: server
          image: localhost:5001/workbench:1
          resources: {requests: {cpu: 50m}}
          readinessProbe: {httpGet: {path: /readyz, port: http}}
"""
FILLED_IN_AROUND = {"restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "terminationGracePeriodSeconds": 30}


def around(tmp_path: Path, change: Any = None, free: tuple[str, ...] = ()) -> Any:
    """What is said of a Deployment as the API server has it, after a change to its spec."""
    (tmp_path / "deployment.yaml").write_text(AROUND)
    now = copy.deepcopy(in_manifests(tmp_path, "Deployment", "model"))
    pod = now["spec"]["template"]["spec"]
    pod.update(FILLED_IN_AROUND)
    pod["containers"][0] |= {"terminationMessagePath": "/dev/termination-log", "imagePullPolicy": "IfNotPresent"}
    pod["containers"][0]["readinessProbe"] |= {"periodSeconds": 10}
    if change:
        change(now["spec"], pod, pod["containers"][0])

    async def present() -> Object:
        return now

    lab = made_up_lab(objects=SimpleNamespace(deployment=lambda _: SimpleNamespace(present=present)))
    return asyncio.run(around_is_given(lab, tmp_path, free=free))


def test_a_deployment_is_as_given_with_what_the_api_server_fills_in(tmp_path: Path) -> None:
    assert around(tmp_path).ok
    assert around(tmp_path, lambda spec, pod, server: server.update(env=[{"name": "A", "value": "b"}])).ok


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda spec, pod, server: spec.update(replicas=3), "replicas"),
        (lambda spec, pod, server: spec.update(strategy={"type": "RollingUpdate"}), "strategy"),
        (lambda spec, pod, server: pod.update(priorityClassName="high"), "priorityClassName"),
        (lambda spec, pod, server: pod.update(automountServiceAccountToken=True), "automountServiceAccountToken"),
        (lambda spec, pod, server: pod["containers"].append({"name": "watchdog"}), "containers (server, watchdog)"),
        (lambda spec, pod, server: server.pop("readinessProbe"), "readinessProbe"),
        (lambda spec, pod, server: server.update(resources={"requests": {"cpu": "2"}}), "resources"),
    ],
)
def test_what_is_changed_around_the_program_is_named(tmp_path: Path, change: Any, field: str) -> None:
    found = around(tmp_path, change)
    assert not found.ok and field in found.seen


def test_what_is_the_learners_may_be_another(tmp_path: Path) -> None:
    assert around(tmp_path, lambda spec, pod, server: server.pop("readinessProbe"), free=("readinessProbe",)).ok
    assert around(tmp_path, lambda spec, pod, server: server.pop("resources"), free=("resources",)).ok


@pytest.mark.parametrize(
    ("path", "over"),
    [
        ("/opt/probes", False),
        ("/etc/probes", False),
        ("/srv/x", False),
        ("/probes", False),
        ("/opt", True),
        ("/etc/ld.so.preload", True),
        ("/usr/local/bin", True),
        ("/app/joblib", True),
        ("/", True),
    ],
)
def test_a_mount_in_a_folder_of_its_own_lies_over_nothing(start: Path, path: str, over: bool) -> None:
    now = spec(start)
    now["containers"][0]["volumeMounts"].append({"name": "more", "mountPath": path})
    given = in_manifests(start, "Deployment", "model")["spec"]["template"]["spec"]
    assert bool(differences(now, given)) is over
