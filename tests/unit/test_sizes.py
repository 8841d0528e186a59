"""What lab 06 decides about requests, and about pods that are refused; and that its programs say what they hold."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mlops_lab.base.paths import project
from mlops_lab.kube.client import Object
from mlops_lab.labs.catalog import Exercise
from mlops_lab.labs.variants import solutions, texts, wrongs
from tests.lab_programs import loaded
from tests.made_up import NothingThere, made_up_lab

LAB = Exercise(project() / "labs" / "06-requests-and-limits", "06", "requests-and-limits")


@pytest.fixture(scope="module")
def lab06() -> Any:
    """The lab's checker."""
    return loaded("06")


@pytest.mark.parametrize(
    ("requested", "right"), [(0.0, False), (0.079, False), (0.081, True), (0.2, True), (0.201, False)]
)
def test_a_request_fits_from_eight_tenths_to_twice_the_use(lab06: Any, requested: float, right: bool) -> None:
    seen = lab06.fits("feed", "CPU", requested, 0.1, lab06.milli, "on average")
    assert seen.ok is right
    assert seen.expected == "feed requests 80m to 200m of CPU, 0.8 to 2 times its use"


def test_what_the_machine_kept_from_a_program_narrows_nothing(lab06: Any) -> None:
    wanted = lab06.known_work("feed")
    assert wanted == pytest.approx(0.1)
    assert [lab06.known_work(each, 5) for each in ("model", "history")] == pytest.approx([0.225, 0.1])
    starved = [
        lab06.fits("feed", "CPU", each * wanted, 0.6 * wanted, lab06.milli, "", wanted) for each in (0.5, 1.9, 2.1)
    ]
    assert [each.ok for each in starved] == [True, True, False]


@pytest.mark.parametrize(
    ("limit", "right"), [("90m", False), ("0.099", False), ("100m", True), ("0.1", True), ("2", True)]
)
def test_a_limit_of_feed_reaches_its_even_work(lab06: Any, limit: str, right: bool) -> None:
    assert lab06.reaches(limit, lab06.known_work("feed")) is right


def test_a_container_that_used_nothing_fits_no_request(lab06: Any) -> None:
    assert not lab06.fits("feed", "CPU", 0.1, 0.0, lab06.milli, "on average").ok


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ([], ""),
        ([{"type": "Available", "status": "True", "message": "fine"}], ""),
        ([{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}], "exceeded quota"),
    ],
)
def test_a_deployment_says_that_its_pod_is_refused(lab06: Any, conditions: list[Any], said: str) -> None:
    assert lab06.refusal({"status": {"conditions": conditions}}) == said
    assert lab06.refusal(None) == ""


def test_sizes_are_shown_as_kubernetes_writes_them(lab06: Any) -> None:
    assert (lab06.milli(0.2649), lab06.mebibytes(448 * 1024 * 1024)) == ("265m", "448Mi")


def test_every_variant_changes_nothing_but_sizes() -> None:
    given = {name: text for way in solutions(LAB)[:1] for name, text in texts(way).items() if "programs/" in name}
    assert len(given) == 5
    others = [each for each in wrongs(LAB) if each.name != "runs--another-program"]
    for each in (*solutions(LAB), *others):
        assert {name: text for name, text in texts(each).items() if "programs/" in name} == given


@pytest.mark.parametrize(
    ("pod", "right"),
    [
        ({"command": ["python3", "/lab/history.py"]}, False),
        ({"command": ["sh", "-c", "exec python3 /lab/model.py"]}, False),
        ({"command": ["python3", "history.py"]}, False),
        ({"command": ["sh", "-c", "cd /lab && exec python3 history.py"]}, False),
        ({"command": ["python3", "-m", "history"]}, False),
        ({"command": ["python3.14", "-X", "dev", "-Bum", "history"]}, False),
        ({"command": ["sh", "-c", "cd /lab && exec python3 -u -mfeed; date"]}, False),
        ({"command": ["python3", "-m", "model.tools"]}, True),
        ({"command": ["python3", "-m", "http.server"]}, True),
        ({"command": ["grep", "-m", "model", "/lab/notes"]}, True),
        ({"command": ["python3", "/srv/data_model.py"]}, True),
        ({"labels": {"app": "feed"}}, False),
        ({"command": ["python3", "/lab/history.py"], "phase": "Failed"}, True),
        ({"command": ["python3", "/lab/load.py"], "labels": {"app": "load"}}, True),
        ({"command": ["sh"]}, True),
        ({"command": ["python3", "/lab/history.py"], "own": True}, True),
    ],
)
def test_no_other_pod_does_the_same_work(pod: dict[str, Any], right: bool) -> None:
    lab06 = loaded("06")
    found: Object = {
        "metadata": {"name": "one", "labels": pod.get("labels")},
        "spec": {"containers": [{"name": "a", "command": pod.get("command")}]},
        "status": {"phase": pod.get("phase", "Running")},
    }

    async def owned_pods(lab: Any, name: str) -> list[Object]:
        return [found] if pod.get("own") else []

    async def listed(kind: str, selector: str = "") -> list[Object]:
        return [found] if kind == "Pod" else []

    lab06.owned_pods = owned_pods
    assert asyncio.run(lab06.nobody_beside(made_up_lab(objects=NothingThere(all=listed)))).ok is right


@pytest.mark.parametrize(
    ("kind", "name", "labels", "command", "right"),
    [
        ("CronJob", "still-there", {"app": "model"}, ["curl"], False),
        ("CronJob", "at-night", {"app": "test"}, ["python3", "/lab/history.py"], False),
        ("CronJob", "at-night", {"app": "test"}, ["curl"], True),
        ("Deployment", "standby", {"app": "standby"}, ["python3", "/lab/history.py"], False),
        ("Deployment", "history", {"app": "history"}, ["python3", "/lab/history.py"], True),
        ("StatefulSet", "history", {"app": "history"}, ["sh"], False),
        ("Job", "load-x", {"app": "load"}, ["python3", "/lab/load.py"], True),
        ("Job", "over", {"app": "model"}, ["sh"], True),
    ],
)
def test_nothing_makes_a_pod_at_another_time(
    kind: str, name: str, labels: Object, command: list[str], right: bool
) -> None:
    template: Object = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "a", "command": command}]},
    }
    spec: Object = {"template": template}
    item: Object = {"metadata": {"name": name}, "spec": {"jobTemplate": {"spec": spec}} if kind == "CronJob" else spec}
    if name == "over":
        item["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}

    async def listed(asked: str, selector: str = "") -> list[Object]:
        return [item] if asked == kind else []

    seen = asyncio.run(loaded("06").nobody_beside(made_up_lab(objects=NothingThere(all=listed))))
    assert seen.ok is right
    assert right or f"those of {kind} {name}" in seen.seen


@pytest.mark.parametrize(
    ("more", "right"),
    [
        ({}, True),
        ({"ephemeralContainers": [{"name": "debugger-x"}]}, True),
        ({"containers": [{"name": "a"}, {"name": "b"}]}, False),
        ({"initContainers": [{"name": "b"}]}, False),
        ({"initContainers": [{"name": "b", "restartPolicy": "Always"}]}, False),
    ],
)
def test_what_kubectl_debug_has_added_is_no_second_container(more: Object, right: bool) -> None:
    lab06 = loaded("06")

    async def only_pod(lab: Any, name: str) -> Object:
        return {"spec": {"containers": [{"name": "a"}], **more}}

    lab06.only_pod = only_pod
    assert asyncio.run(lab06.one_container_each(made_up_lab())).ok is right


def test_a_container_has_no_variable_and_no_mount_more(lab06: Any) -> None:
    given = lab06.in_manifests(lab06.START, "Deployment", "model")["spec"]["template"]["spec"]["containers"][0]
    assert lab06._more("model", given) == []
    more = {"env": [*given["env"], {"name": "MALLOC_ARENA_MAX", "value": "1"}], "volumeMounts": [{"mountPath": "/tmp"}]}
    assert lab06._more("model", more) == ["variable MALLOC_ARENA_MAX", "mount /tmp"]


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({}, []),
        ({"initialDelaySeconds": 0, "successThreshold": 1}, []),
        ({"initialDelaySeconds": 20}, ["readinessProbe.initialDelaySeconds 20, not 0"]),
        ({"failureThreshold": 60}, ["readinessProbe.failureThreshold 60, not 6"]),
    ],
)
def test_a_probe_keeps_its_numbers(lab06: Any, numbers: dict[str, int], said: list[str]) -> None:
    given = lab06._given("history")
    probe = {**given["readinessProbe"], **numbers}
    assert lab06._other_probe("history", {**given, "readinessProbe": probe}) == said
    assert lab06._other_probe("history", {}) == []
