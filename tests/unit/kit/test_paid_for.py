"""Which pods cost money beside those that an autoscaler asks for."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.kit import paid_for
from mlops_lab.kube.client import Object
from tests.made_up import NothingThere, made_up_lab

IMAGE = "localhost:5001/flight-delay:v1"


def of(name: str, container: dict[str, Any], phase: str = "Running", **more: Any) -> Object:
    return {"metadata": {"name": name}, "spec": {"containers": [container], **more}, "status": {"phase": phase}}


@pytest.mark.parametrize(
    "container",
    [
        {"image": IMAGE},
        {"image": IMAGE, "args": ["--verbose"]},
        {"image": "registry.example:5000/team/flight-delay:v2"},
        {"image": f"{IMAGE}@sha256:{'0' * 64}"},
        {"image": "localhost:5001/flight-delay-pytorch:v1", "command": ["python3", "-m", "network"]},
        {"image": IMAGE, "command": ["python3", "-m", "server"]},
        {"image": IMAGE, "command": ["python3"], "args": ["-m", "server"]},
        {"image": IMAGE, "command": ["timeout", "50", "python3", "-mserver"]},
        {"image": IMAGE, "command": ["python3", "-um", "server"]},
        {"image": IMAGE, "command": ["python3", "-c", "from server.__main__ import main; main()"]},
        {"image": IMAGE, "command": ["python3", "-c", "os.execvp('python3', ['python3', '-m', 'server'])"]},
        {"image": IMAGE, "command": ["sh", "-c", "python3 -m 'server'"]},
        {"image": IMAGE, "command": ["sh", "-c", "exec python3 -m server >/dev/null"]},
        {"image": IMAGE, "command": ["uvicorn", "--factory", "server.app:create"]},
        {"image": IMAGE, "command": ["python3", "/app/server/__main__.py"]},
        {"image": IMAGE, "command": ["python3", "server"]},
        {"image": IMAGE, "command": ["sh", "-c", "cd /app; exec python3.13 -u ./server"]},
        {"image": IMAGE, "command": ["python3", "-c", "import runpy; runpy.run_module('server', run_name='__main__')"]},
        {"image": IMAGE, "command": ["sh", "-c", "$START"], "env": [{"name": "START", "value": "python3 -m server"}]},
    ],
)
def test_the_models_server_is_one_however_it_is_started(container: dict[str, Any]) -> None:
    assert paid_for.runs_server(of("a", container))
    assert not paid_for.runs_server(of("a", container, "Succeeded"))
    other = {"image": "busybox:1"}
    assert paid_for.runs_server(of("a", other, initContainers=[container]))
    assert paid_for.runs_server(of("a", other, initContainers=[container | {"restartPolicy": "Always"}]))


@pytest.mark.parametrize(
    "container",
    [
        {"image": IMAGE, "command": ["python3", "-c", "..."]},
        {"image": IMAGE, "command": ["python3", "/scaler/scaler.py"]},
        {"image": IMAGE, "command": ["python3", "-m", "http.server"]},
        {"image": IMAGE, "command": ["python3", "/scaler/scaler.py", "--warm", "server"]},
        {"image": IMAGE, "command": ["sh", "-c", "echo of the server; python3 -m server.features"]},
        {"image": "localhost:5001/load:v1"},
        {"image": "localhost:5001/flight-delay-load:v1"},
        {"image": "busybox:1", "command": ["sh", "-c", "python3 -m server"]},
    ],
)
def test_another_program_is_no_server(container: dict[str, Any]) -> None:
    assert not paid_for.runs_server(of("a", container))


@pytest.mark.parametrize(
    ("script", "server"),
    [
        ("curl -s http://model/readyz\nexec python3 -m server\n", True),
        ("# waits for python3 -m server\nexec python3 /scaler/scaler.py\n", False),
        ("import time\n", False),
    ],
)
@pytest.mark.parametrize("by", ["configMap", "projected"])
def test_a_script_that_is_mounted_may_start_it(script: str, server: bool, by: str) -> None:
    source = {"configMap": {"name": "start"}}
    volume = source if by == "configMap" else {"projected": {"sources": [source]}}
    container = {"image": IMAGE, "command": ["sh", "/scripts/start.sh"]}
    assert paid_for.runs_server(of("a", container, volumes=[volume]), {"start": script}) is server
    assert not paid_for.runs_server(of("a", container), {"start": script})
    assert not paid_for.runs_server(of("a", container | {"image": "busybox:1"}, volumes=[volume]), {"start": script})


@pytest.mark.parametrize(
    ("pod", "by_cron_job", "suspended", "seen"),
    [
        ({"image": "busybox:1"}, {"image": IMAGE, "command": ["python3"]}, False, ""),
        ({"image": IMAGE}, {"image": "busybox:1"}, False, "it runs in other, too"),
        ({"image": "busybox:1"}, {"image": IMAGE}, False, "it runs in pods of CronJob warm, too"),
        ({"image": "busybox:1"}, {"image": IMAGE}, True, ""),
    ],
)
def test_the_server_runs_in_the_deployments_pods_alone(
    pod: Object, by_cron_job: Object, suspended: bool, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = {"spec": {"template": {"spec": {"containers": [by_cron_job]}}}}
    leaves = of("leaves", {"image": IMAGE})
    leaves["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    here: dict[str, list[Object]] = {
        "Pod": [of("own", {"image": IMAGE}), of("other", pod), leaves],
        "CronJob": [{"metadata": {"name": "warm"}, "spec": {"jobTemplate": job, "suspend": suspended}}],
    }

    async def owned_pods(lab: Any, deployment: str) -> list[Object]:
        assert deployment == "model"
        return here["Pod"][:1]

    async def every(kind: str) -> list[Object]:
        return here[kind]

    monkeypatch.setattr(paid_for, "owned_pods", owned_pods)
    lab: Any = SimpleNamespace(objects=SimpleNamespace(all=every))
    found = asyncio.run(paid_for.no_other_server(lab))
    assert found.ok is (not seen) and (found.ok or found.seen == seen)


@pytest.mark.parametrize(("command", "asked"), [([], 0), (["sh", "/scripts/start.sh"], 1)])
def test_scripts_are_read_only_where_a_command_may_run_one(
    monkeypatch: pytest.MonkeyPatch, command: list[str], asked: int
) -> None:
    token = {"projected": {"sources": [{"configMap": {"name": "kube-root-ca.crt"}}]}}
    pod = of("other", {"image": IMAGE, **({"command": command} if command else {})}, volumes=[token])
    plain, kinds = of("plain", {"image": "busybox:1", "command": ["sh"]}, volumes=[token]), list[str]()

    async def owned_pods(lab: Any, deployment: str) -> list[Object]:
        return []

    async def every(kind: str) -> list[Object]:
        kinds.append(kind)
        return [pod, plain] if kind == "Pod" else []

    monkeypatch.setattr(paid_for, "owned_pods", owned_pods)
    lab: Any = SimpleNamespace(objects=SimpleNamespace(all=every))
    assert asyncio.run(paid_for.no_other_server(lab)).ok is bool(command)
    assert kinds.count("ConfigMap") == asked * kinds.count("Pod")


def test_a_pod_of_the_deployments_own_that_is_made_between_two_lists_is_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, new = [of("own", {"image": IMAGE})], of("new", {"image": IMAGE})

    async def owned_pods(lab: Any, deployment: str) -> list[Object]:
        found = list(made)
        made[1:] = [new]
        return found

    async def every(kind: str) -> list[Object]:
        return list(made) if kind == "Pod" else []

    monkeypatch.setattr(paid_for, "owned_pods", owned_pods)
    lab: Any = SimpleNamespace(objects=SimpleNamespace(all=every))
    assert asyncio.run(paid_for.no_other_server(lab)).ok


def test_pods_that_were_told_to_go_have_ended() -> None:
    leaves = of("leaves", {"image": IMAGE})
    leaves["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

    class Objects(NothingThere):
        def __init__(self, *pods: Object) -> None:
            self.pods = list(pods)

        def deployment(self, name: str) -> Any:
            async def now() -> Object:
                return {"spec": {"selector": {"matchLabels": {"app": name}}}}

            return SimpleNamespace(now=now)

        async def all(self, kind: str, selector: str = "") -> list[Object]:
            assert (kind, selector) == ("Pod", "app=model")
            return self.pods

    for pods, ok in (([of("stays", {"image": IMAGE})], True), ([leaves], False)):
        seen = asyncio.run(paid_for.ended(made_up_lab(objects=Objects(*pods)), within=1))
        assert seen.ok is ok and seen.expected == "pods that are told to go have ended within 1 s"
