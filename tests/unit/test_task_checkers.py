"""What checkers of tasks decide without a cluster: other right works pass, and what stays as it is stays so."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import copy
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from mlops_lab.checks import Failure, Observation
from mlops_lab.checks.rooms.work import Command, Work
from mlops_lab.kit.admission import Admission, gated
from mlops_lab.kit.given import in_manifests
from mlops_lab.kit.unchanged import AROUND, ROLLOUT, changes
from mlops_lab.labs.checker import load
from mlops_lab.measure.cluster.capacity import requests
from mlops_lab.tasks.lab import TaskLab
from mlops_lab.tasks.rendering import render
from mlops_lab.tasks.task import bank, named
from tests.lab_programs import Checker
from tests.made_up import READY, NothingThere, NoTime, NoTraffic, Platform, Room

_SPACE = "spaceless"
_HERE = "template.spec.containers"
_FILES = ("deployment", "service", "kustomization")  # of the base that an overlay is of


@pytest.fixture
def checker(tmp_path: Path) -> Callable[[str], Any]:
    """The checker of a task as one module; its `start` is the folder that a candidate begins with."""

    def of(task: str) -> Any:
        rendered = render(named(task, bank()), 1, _SPACE, tmp_path / task)
        found = Checker(load(rendered))
        found.__dict__["start"] = rendered.folder / "start"
        return found

    return of


def lab(**rooms: Any) -> TaskLab:
    known: dict[str, Any] = {
        "objects": NothingThere(), "traffic": NoTraffic(), "work": Work(Path(), "lab", Platform.registry, {}),
        "platform": Platform(), "programs": Room(), "nodes": Room(), "usage": Room(), "time": NoTime(),
    }  # fmt: skip
    return TaskLab("00", namespace=_SPACE, **(known | rooms))


def gives(value: Any) -> Callable[..., Any]:
    """A method that always returns this."""

    async def answer(*given: Any, **more: Any) -> Any:
        return value

    return answer


def there(monkeypatch: pytest.MonkeyPatch, **data: str) -> None:
    """The candidate's ConfigMap, whichever it is, has these data."""

    async def exists(*given: Any, **more: Any) -> Any:
        return {"data": data}

    monkeypatch.setattr("mlops_lab.kit.presence.exists", exists)


@pytest.mark.parametrize(
    ("cron", "right"),
    [
        ("0 {minute} {hour} * * *", True),
        ("0 {minute} {hour} ? * *", True),
        ("0 {minute} {hour} */1 * mon-sun", True),
        ("0 {minute} {hour} 1-31 * 0-6", True),
        ("0 {minute} {hour} 1/1 1/1 *", True),
        ("0 {minute} {hour} 2/1 * *", False),
        ("0 {minute} {hour} 1-6 * *", False),
        ("00 {minute:02} {hour:02} * * ?", True),
        ("{minute} {hour} * * *", False),
        ("0 {minute} * * * *", False),
        ("0 {minute} {hour} * * 1", False),
        ("", False),
    ],
)
def test_six_fields_are_every_day_and_five_are_not(checker: Callable[[str], Any], cron: str, right: bool) -> None:
    it = checker("retrain-on-schedule")
    told = {"cron_schedule": {"cron": cron.format(minute=it.D.minute, hour=it.D.hour)}}
    assert it.at(told, it.D.hour, it.D.minute).ok is right


@pytest.mark.parametrize(
    ("more", "right"),
    [
        ({"start_time": "2020-01-01T00:00:00Z"}, True),
        ({"start_time": "1970-01-01T00:00:00Z", "end_time": "1970-01-01T00:00:00Z"}, True),
        ({"start_time": None, "end_time": None}, True),
        ({"start_time": "2999-01-01T00:00:00Z"}, False),
        ({"end_time": "2999-01-01T00:00:00Z"}, False),
    ],
)
def test_every_day_is_from_now_on_and_without_an_end(checker: Callable[[str], Any], more: Any, right: bool) -> None:
    it = checker("retrain-on-schedule")
    told = {"cron_schedule": {"cron": f"0 {it.D.minute} {it.D.hour} * * *", **more}}
    assert it.at(told, it.D.hour, it.D.minute).ok is right


@pytest.mark.parametrize("states", [("SUCCEEDED",), ("CANCELED", "SUCCEEDED"), ("RUNNING", "SUCCEEDED", "FAILED")])
def test_a_run_that_succeeded_counts_though_a_newer_one_did_not(
    checker: Callable[[str], Any], states: tuple[str, ...]
) -> None:
    it = checker("retrain-on-schedule")
    config = {"parameters": {"days": it.D.days, "trees": it.D.more}}
    known = [{"run_id": str(number), "state": each, "runtime_config": config} for number, each in enumerate(states)]

    async def constant(*given: Any) -> Any:
        return "pipeline"

    async def runs(*given: Any) -> Any:
        return known

    async def run(key: str) -> Any:
        return known[int(key)]

    async def left(*given: Any) -> Any:
        logged = SimpleNamespace(metadata={"trees": it.D.more})
        return SimpleNamespace(failure=(), artifacts={"metrics": logged}, tasks={})

    it.pipeline_id, it.runs_of, it.record, it.progress = constant, runs, left, lambda *given: "a state"
    pipelines = SimpleNamespace(run=run, over=lambda one: one["state"] in ("SUCCEEDED", "FAILED", "CANCELED"))
    asyncio.run(it.ran_now.run(lab(platform=SimpleNamespace(pipelines=pipelines))))


@pytest.mark.parametrize("end", ["", "\n"])
def test_what_comes_from_files_may_end_with_a_newline(
    checker: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    it = checker("three-runs")
    best = it.Trained(Observation(True, "", ""), ["run-7"], {"auc": 0.71})
    there(monkeypatch, rate=f"{it._BEST}{end}", run_id=f"run-7{end}", auc=f"0.71{end}")

    async def runs(*given: Any) -> Any:
        return {it._BEST: best}

    it.runs = runs
    asyncio.run(it.names_the_best.run(lab()))

    it = checker("which-data-made-it")
    there(monkeypatch, version=f"{it.D.served}{end}", run_id=f"r{end}", digest=f"{it._DIGEST}{end}")

    async def versions() -> Any:
        return [{"version": str(it.D.served), "run_id": "r"}]

    mlflow = SimpleNamespace(versions=versions)
    asyncio.run(it.says_what_made_it.run(lab(platform=SimpleNamespace(mlflow=mlflow))))
    there(monkeypatch, recalled=f"{it.D.affected}{end}")
    asyncio.run(it.names_what_is_recalled.run(lab()))


def test_a_weight_that_is_not_said_is_one(checker: Callable[[str], Any]) -> None:
    it = checker("shares-by-weight")
    rule = {"backendRefs": [{"name": "a", "weight": 9}, {"name": "b"}, {"name": "c", "weight": 0}]}
    assert it._weights(rule) == {"a": 9, "b": 1, "c": 0}
    assert it._weights({}).total() == 0


def test_a_sidecar_of_another_image_is_seen(checker: Callable[[str], Any]) -> None:
    it = checker("sidecar-that-ships-logs")
    beside = {"name": it.D.shipper, "image": "flight-delay:v1"}
    pod = {"spec": {"containers": [{"name": it.D.worker, "image": "flight-delay:v1"}], "initContainers": [beside]}}
    assert it.same_image(pod).ok
    beside["image"] = "flight-delay:v2"
    assert not it.same_image(pod).ok


@pytest.mark.parametrize(("stops", "enough"), [(2.0, False), (4.1, False), (5.0, True), (60.0, True)])
@pytest.mark.parametrize("takes", [0.02, 0.5])
def test_a_deleted_pod_answers_for_as_long_as_nodes_may_be_late(
    checker: Callable[[str], Any], stops: float, enough: bool, takes: float
) -> None:
    """On a slow machine, too, where each request takes half a second."""
    it, now, asked = checker("scale-and-survive"), [0.0], []

    async def get(*given: Any, **more: Any) -> Any:
        alive = now[0] + takes / 2 < stops and len(asked) != 3  # one request is lost by chance
        asked.append(now[0])
        now[0] += takes
        return SimpleNamespace(status=200 if alive else 0)

    async def pause(seconds: float) -> None:
        now[0] += seconds

    it.time = SimpleNamespace(monotonic=lambda: now[0])
    made = lab(traffic=Room(get=get), time=Room(pause=pause))
    assert (asyncio.run(it._answers_until(made, 0.0)) >= it._STANDS) is enough


def _server(item: Any) -> Any:
    return item["spec"]["template"]["spec"]["containers"][0]


def _scaled(item: Any) -> None:
    item["spec"]["replicas"] = 3
    item["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "4"}
    again = {"kubectl.kubernetes.io/restartedAt": "now"}
    item["spec"]["template"]["metadata"]["annotations"] = again


def _surviving(item: Any) -> None:
    _scaled(item)
    item["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 30
    _server(item).update(resources={"requests": {"cpu": "100m"}}, lifecycle={"preStop": {"sleep": {"seconds": 8}}})


# Task, its free fields, what right works change, and then: the field that a wrong one changes.
STAYS: list[tuple[str, str, Callable[[Any], None], str, str]] = [
    ("scale-and-survive", "model", _surviving, "readinessProbe", f"{_HERE}[server].readinessProbe"),
    ("scale-and-survive", "model", _surviving, "command", f"{_HERE}[server].command"),
    ("reuse-a-released-volume", "app", _scaled, "env", f"{_HERE}[web].env"),
    ("scrape-the-model", "model", _scaled, "ports", f"{_HERE}[server].ports"),
    ("quota-and-limits", "app", _scaled, "resources", f"{_HERE}[program].resources"),
]


@pytest.mark.parametrize(("task", "name", "right", "field", "seen"), STAYS)
def test_what_is_not_the_candidates_stays(
    checker: Callable[[str], Any], task: str, name: str, right: Callable[[Any], None], field: str, seen: str
) -> None:
    it = checker(task)
    given = in_manifests(it.start, "Deployment", getattr(it.D, name))
    now, free = copy.deepcopy(given), ROLLOUT if task == "reuse-a-released-volume" else getattr(it, "_FREE", AROUND)
    right(now)
    assert changes(now, given, free) == []
    _server(now)[field] = {"a": {"b": "c"}}
    (one,) = {each[: len(seen)] for each in changes(now, given, free)}
    assert one == seen


def test_a_container_that_gets_more_than_its_request_is_seen(checker: Callable[[str], Any]) -> None:
    it = checker("scale-by-itself")
    given = in_manifests(it.start, "Deployment", it.D.app)
    now = copy.deepcopy(given)
    _server(given)["resources"] = {"requests": {"cpu": f"{it.D.cpu}m"}}
    _server(now)["resources"] = {"requests": {"cpu": f"0.{it.D.cpu:03}"}}
    _scaled(now)
    assert changes(now, given, AROUND) == []
    _server(now)["resources"]["limits"] = {"cpu": "1"}
    assert changes(now, given, AROUND) == [f"{_HERE}[web].resources.limits"]


@pytest.mark.parametrize("rest", ["", f".{_SPACE}", f".{_SPACE}.svc.cluster.local", f".{_SPACE}.svc.cluster.local."])
def test_an_init_container_that_only_says_so_is_seen(checker: Callable[[str], Any], rest: str) -> None:
    it = checker("rollout-that-hangs")
    (wait,) = in_manifests(it.start, "Deployment", it.D.name)["spec"]["template"]["spec"]["initContainers"]

    async def log(*given: Any, **more: Any) -> str:
        return f"found {it.D.store}{rest}\n"

    async def present() -> Any:
        return {"spec": {"initContainers": [wait]}}

    objects = Room(named=lambda *given: SimpleNamespace(present=present), logs=log)
    assert asyncio.run(it.waited_for_the_store(lab(objects=objects), it.D, "a-pod")).ok
    wait["command"] = ["echo", f"found {it.D.store}"]
    assert not asyncio.run(it.waited_for_the_store(lab(objects=objects), it.D, "a-pod")).ok


def test_a_volume_of_a_claim_of_another_class_is_another_checks(checker: Callable[[str], Any]) -> None:
    it = checker("storage-class")
    claim = {"storageClassName": it.D.storage_class, "volumeName": "v"}
    known: dict[str, Any] = {
        "PersistentVolumeClaim": {"spec": claim},
        "PersistentVolume": {"spec": {"persistentVolumeReclaimPolicy": "Delete"}},
    }

    def named_one(kind: str, name: str) -> Any:
        async def now() -> Any:
            return known[kind]

        return SimpleNamespace(now=now)

    def seen() -> bool:
        made = lab(objects=Room(named=named_one))
        return bool(asyncio.run(it.own_volume_stays(made, it.D.claim, it.D.storage_class)).ok)

    assert not seen()
    claim["storageClassName"] = "standard"
    assert seen()
    claim.update(storageClassName=it.D.storage_class, volumeName="")
    assert seen()


def test_the_pipelines_parameters_stay(checker: Callable[[str], Any]) -> None:
    it = checker("try-it-again")
    source = {"defaultValue": f"http://{it.D.source}.{_SPACE}", "isOptional": True}
    known = {"batch": {"parameterType": "STRING"}, "source": source}

    def same(parameters: Any) -> bool:
        return bool(it.parameters_as_given({"root": {"inputDefinitions": {"parameters": parameters}}}).ok)

    assert same(known)
    assert not same({"batch": {}})
    assert not same({**known, "more": {}})
    assert not same({**known, "source": {"defaultValue": "http://elsewhere"}})
    assert not same({"batch": {"defaultValue": "one"}, "source": source})
    assert not it.parameters_as_given({}).ok


@pytest.mark.parametrize(
    ("name", "given", "right"),
    [
        ("source", {"componentInputParameter": "source"}, True),
        ("source", {"runtimeValue": {"constant": "{{$.inputs.parameters['pipelinechannel--source']}}"}}, True),
        ("source", {"runtimeValue": {"constant": "http://elsewhere"}}, False),
        ("rows", {"runtimeValue": {"constant": 3.0}}, False),
        ("another", {"runtimeValue": {"constant": 3.0}}, True),
    ],
)
def test_the_pipelines_parameters_are_handed_on(
    checker: Callable[[str], Any], name: str, given: Any, right: bool
) -> None:
    task = {"componentRef": {"name": "comp-publish"}, "inputs": {"parameters": {name: given}}}
    inside = {"components": {"comp-condition-1": {"dag": {"tasks": {"publish": task}}}}}
    assert checker("try-it-again").handed_on({"pipeline_spec": inside}).ok is right


@pytest.mark.parametrize(
    ("old", "new", "right"),
    [
        ("", "", True),
        ("Hand the batch over.", "Hand the batch over, once.", True),
        ('    """Hand the batch over."""\n', "", True),
        ("    import urllib.request\n\n    request", "    import urllib.request  # no more\n    request", True),
        ("timeout=20", "timeout=5", False),
        ("def publish", "def hand_over", False),
    ],
)
def test_what_two_steps_do_stays(checker: Callable[[str], Any], old: str, new: str, right: bool) -> None:
    it = checker("try-it-again")
    text = (it.start / "pipeline.py").read_text()
    executors = {"exec": {"container": {"command": ["sh", "-c", "exec", text.replace(old, new) if old else text]}}}
    assert it.as_given({"pipeline_spec": {"deploymentSpec": {"executors": executors}}}).ok is right


@pytest.mark.parametrize(
    ("old", "new", "right"),
    [
        ("", "", True),
        ("\n\n", "\n", True),
        ("depth: int = 4", "depth: int = 5", False),
        ("    train(rate=rate, depth=depth)\n", "", False),
        ('if __name__ == "__main__":\n', 'if __name__ == "__main__":\n    print("compiled")\n', False),
    ],
)
def test_the_program_that_is_run_three_times_stays(
    checker: Callable[[str], Any], tmp_path: Path, old: str, new: str, right: bool
) -> None:
    it = checker("three-runs")
    text = (it.start / "train.py").read_text().replace("localhost:5001/", f"{Platform.registry}/")
    (tmp_path / "train.py").write_text(text.replace(old, new))
    assert it.program_stays(lab(work=Work(tmp_path, "lab", Platform.registry, {}))).ok is right


@pytest.mark.parametrize("seed", range(5))
def test_columns_are_near_the_limit_on_both_sides_of_it(checker: Callable[[str], Any], seed: int) -> None:
    it, draw = checker("measure-drift"), random.Random(seed)
    most, below, above, much = (it.psi(it._limit(draw, each), it.D.quantiles, it.D.floor) for each in range(4))
    assert 0.85 * it.D.limit < below < it.D.limit < above < 1.12 * it.D.limit < much < most


@pytest.mark.parametrize(
    ("selector", "right"),
    [
        ({"matchLabels": {"team": "TEAM"}}, True),
        ({"matchExpressions": [{"key": "team", "operator": "In", "values": ["TEAM"]}]}, True),
        ({"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["A", "B"]}]}, False),
        ({"matchLabels": {"kubernetes.io/metadata.name": "A"}}, False),
        ({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["other"]}]}, False),
    ],
)
def test_a_namespace_is_let_in_by_its_label_alone(
    checker: Callable[[str], Any], selector: dict[str, Any], right: bool
) -> None:
    it = checker("only-the-frontend-may-ask")
    told = json.dumps(selector).replace("TEAM", it.D.team).replace('"A"', f'"{it.D.other}"')
    peer = {"namespaceSelector": json.loads(told), "podSelector": {"matchLabels": {"app": it.D.monitor}}}
    front = {"podSelector": {"matchLabels": {it.D.key: it.D.front}}}

    async def policies(kind: str) -> Any:
        return [{"spec": {"podSelector": {}, "ingress": [{"from": [front]}, {"from": [peer]}]}}, {"spec": {}}]

    assert asyncio.run(it.by_the_label(lab(objects=Room(all=policies)))).ok is right


@pytest.mark.parametrize(
    ("probe", "seconds"),
    [
        ({"periodSeconds": 4}, 12),
        ({"periodSeconds": 5, "failureThreshold": 2}, 10),
        ({"initialDelaySeconds": 5}, 30),
        ({"initialDelaySeconds": 5, "periodSeconds": 2, "failureThreshold": 3}, 9),
        ({"initialDelaySeconds": 30, "periodSeconds": 2, "failureThreshold": 2}, 32),
    ],
)
def test_a_probe_takes_all_its_periods_at_worst(checker: Callable[[str], Any], probe: Any, seconds: int) -> None:
    assert longest(checker, {"livenessProbe": probe}) == seconds


@pytest.mark.parametrize(
    ("starting", "seconds"),
    [
        ({"periodSeconds": 1, "failureThreshold": 30}, 4),
        ({"httpGet": {"path": "PATH"}, "periodSeconds": 1, "failureThreshold": 30}, 4),
        ({"httpGet": {"path": "PATH"}, "periodSeconds": 5, "failureThreshold": 2}, 5),
        ({"httpGet": {"path": "PATH"}, "periodSeconds": 5, "failureThreshold": 6}, 25),
        ({"exec": {"command": ["ask", "http://localhost:8080PATH"]}}, 20),
        ({"httpGet": {"path": "/"}}, 12),
        ({"initialDelaySeconds": 30}, 42),
    ],
)
def test_the_other_probe_waits_for_the_startup_probe(
    checker: Callable[[str], Any], starting: Any, seconds: int
) -> None:
    path = f"/{checker('one-pod-on-every-node').D.path}"
    told = json.loads(json.dumps(starting).replace("PATH", path))
    often = {"httpGet": {"path": path}, "periodSeconds": 2, "failureThreshold": 2}
    assert longest(checker, {"livenessProbe": often, "startupProbe": told}) == seconds


@pytest.mark.parametrize(
    ("pod", "probe", "seconds"), [(30, {}, 33), (1, {}, 4), (5, {}, 8), (30, {"terminationGracePeriodSeconds": 1}, 4)]
)
def test_what_a_container_that_hangs_gets_to_end_is_counted(
    checker: Callable[[str], Any], pod: Any, probe: Any, seconds: int
) -> None:
    often = {"periodSeconds": 2, "failureThreshold": 2}
    found = longest(checker, {"livenessProbe": {**often, **probe}}, ends_within=pod)
    assert found == seconds


def longest(checker: Callable[[str], Any], container: Any, *, ends_within: int = 1) -> float:
    async def present() -> Any:
        return {"spec": {"containers": [container], "terminationGracePeriodSeconds": ends_within}}

    made = lab(objects=Room(named=lambda *given: SimpleNamespace(present=present)))
    seconds: float = asyncio.run(checker("one-pod-on-every-node").longest(made, "a-pod"))
    return seconds


@pytest.mark.parametrize(
    ("more", "free"),
    [
        ({}, True),
        ({"policyTypes": ["Ingress"], "egress": [{"ports": [{"port": 53}]}]}, True),
        ({"policyTypes": ["Egress"]}, False),
        ({"egress": [{"ports": [{"port": 53}]}, {"to": [{"podSelector": {}}]}]}, False),
        ({"egress": [{"to": [{"podSelector": {}, "namespaceSelector": {}}]}]}, False),
        ({"egress": [{"ports": [{"port": 53}]}, {}]}, True),
        ({"egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]}, True),
        ({"egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]}]}, False),
        ({"egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]}, False),
        ({"podSelector": {"matchLabels": {"app": "another"}}, "policyTypes": ["Egress"]}, True),
    ],
)
def test_who_asks_freely_is_bounded_by_no_list(checker: Callable[[str], Any], more: Any, free: bool) -> None:
    it = checker("only-the-frontend-may-ask")
    known = [{"metadata": {"name": "one"}, "spec": {"podSelector": {"matchLabels": {"app": it.D.server}}, **more}}]

    async def policies(kind: str) -> Any:
        return known

    assert asyncio.run(it.asks_whom_it_likes(lab(objects=Room(all=policies)))).ok is free
    known.append({"metadata": {"name": "all"}, "spec": {"podSelector": {}, "egress": [{}]}})
    assert asyncio.run(it.asks_whom_it_likes(lab(objects=Room(all=policies)))).ok


@pytest.mark.parametrize(
    ("spec", "free"),
    [
        ({"podSelector": {"matchLabels": {"app": "SERVER"}}}, True),
        ({"podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["SERVER"]}]}}, True),
        ({"podSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["STORE"]}]}}, False),
        ({"podSelector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}}, False),
        ({"podSelector": {}}, False),
        ({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}, True),
        ({"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}, False),
        ({"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]}, True),
    ],
)
def test_who_asks_other_pods_is_bounded_by_no_policy(checker: Callable[[str], Any], spec: Any, free: bool) -> None:
    it = checker("only-the-frontend-may-ask")
    told = json.loads(json.dumps(spec).replace("SERVER", it.D.server).replace("STORE", it.D.store))
    known = [{"metadata": {"name": "one"}, "spec": told}]
    made = lab(objects=Room(all=gives(known)))
    assert asyncio.run(it.others_are_asked_freely(made)).ok is free
    known.append({"metadata": {"name": "all"}, "spec": {"podSelector": {}, "ingress": [{}]}})
    assert asyncio.run(it.others_are_asked_freely(made)).ok


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([{"apiGroups": [""], "resources": ["nodes", "persistentvolumes"], "verbs": ["get", "list"]}], ""),
        ([{"apiGroups": ["", "apps"], "resources": ["nodes"], "verbs": ["list"]}], ""),
        ([{"apiGroups": [""], "resources": ["nodes", "namespaces"], "verbs": ["get"]}], "get namespaces"),
        ([{"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]}], "get nodes/metrics"),
        ([{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "impersonate"]}], "impersonate nodes"),
        ([{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}], "/metrics"),
    ],
)
def test_the_viewers_role_says_nothing_else(checker: Callable[[str], Any], rules: Any, said: str) -> None:
    it = checker("rights-by-aggregation")

    async def there(*given: Any) -> Any:
        return {"rules": rules}

    async def as_wanted(*given: Any) -> None: ...

    it._there, it._as_wanted = there, as_wanted
    with pytest.raises(Failure, match=said) if said else contextlib.nullcontext():
        asyncio.run(it.group_in_the_cluster.run(lab()))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "it has no others"),
        ([{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}], "it has no others"),
        ([{"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get"]}], "get services"),
        ([{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}], "/metrics"),
    ],
)
def test_the_teams_role_has_the_rights_of_both_alone(checker: Callable[[str], Any], more: Any, said: str) -> None:
    it = checker("rights-by-aggregation")
    of_pods = {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]}
    of_batch = {"apiGroups": ["batch"], "resources": [it.D.resource], "verbs": ["get", "create", "delete"]}
    role = {"rules": [of_pods, of_batch, *more]}

    async def until(test: Any, *, expected: str, shown: Any, within: float) -> Observation:
        return Observation(test(role), expected, shown(role))

    made = lab(objects=Room(named=lambda *given: SimpleNamespace(until=until)))
    seen = asyncio.run(it.has_no_more(made, it._PARTS[it.D.one] | it._PARTS[it.D.two]))
    assert seen.ok is (said == "it has no others") and said in seen.seen


@pytest.mark.parametrize(
    ("check", "asked"),
    [
        ("user_in_one_namespace", {("watch", "pods", ""), ("list", "configmaps", ""), ("list", "nodes", "*")}),
        ("group_in_the_cluster", {("list", "pods", ""), ("list", "pods", "*")}),
    ],
)
def test_rights_that_other_bindings_give_are_asked_for(
    checker: Callable[[str], Any], check: str, asked: set[tuple[str, str, str]]
) -> None:
    it, no = checker("rights-by-aggregation"), set[tuple[str, str, str]]()

    async def as_wanted(lab: Any, who: str, groups: Any, wanted: Any, expected: str) -> None:
        no.update((verb, what, place) for (verb, what, _, _, place), may in wanted.items() if not may)

    it._as_wanted, it._there = as_wanted, gives({"rules": []})
    it.one_that_comes = lambda lab: contextlib.nullcontext(READY)
    made = lab(time=Room(eventually=gives(READY)))
    asyncio.run(getattr(it, check).run(made))
    assert asked <= no


@pytest.mark.parametrize(("groups", "right"), [([""], True), (["", "apps"], True), (["", "metrics.k8s.io"], False)])
def test_nodes_of_another_group_are_other_things(checker: Callable[[str], Any], groups: list[str], right: bool) -> None:
    """A rule for every group is one for metrics.k8s.io as well."""
    it, made = checker("rights-by-aggregation"), lab()
    it._there = gives({"rules": []})

    async def allowed(who: str, verb: str, what: str, *, group: str = "", **more: Any) -> bool:
        own = what in ("nodes", "persistentvolumes") and verb in ("get", "list") and not more.get("subresource")
        return own and group in groups and it.D.group in more["groups"]

    made.__dict__["allowed"] = allowed
    with contextlib.nullcontext() if right else pytest.raises(Failure, match=r"may get nodes\.metrics"):
        asyncio.run(it.group_in_the_cluster.run(made))


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("check", ["goes_by_header", "path_is_changed"])
def test_who_shares_a_rule_by_weight_is_seen(
    checker: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, check: str, shared: bool
) -> None:
    """Of each request one of ten comes elsewhere."""
    it = checker("routes-by-header")
    strange = SimpleNamespace(status=200, headers={}, fields={}, shown="another")

    async def exists(*given: Any) -> Any:
        return {"spec": {"parentRefs": [{"name": it.D.gateway}]}}

    def answer(ask: Any) -> Any:
        below = ask.path.removeprefix(f"/{it.D.path}")
        if below not in it._BELOW:
            app = it.D.beta if ask.headers == it._WITH else it.D.stable
            return SimpleNamespace(fields={"app": app, "path": ask.path}, shown="")
        there = {"location": f"http://{it.D.host}/{it.D.target}"}
        fields = {"app": it.D.stable, "path": f"/{it.D.target}{below}"}
        return SimpleNamespace(status=it.D.status, headers=there, fields=fields, shown="")

    async def asked(lab: Any, asks: Any, right: Any, *, expected: str, times: int = 1, **more: Any) -> Any:
        said = [strange if shared and number % 10 == 9 else answer(ask) for number in range(times) for ask in asks]
        return Observation(not right(said), expected, right(said))

    monkeypatch.setattr("mlops_lab.kit.gateways.exists", exists)
    it.asked = asked
    with pytest.raises(Failure, match="another") if shared else contextlib.nullcontext():
        asyncio.run(getattr(it, check).run(lab()))


@pytest.mark.parametrize(
    ("seed", "only", "said"),
    [
        (1, ("", "/7"), "/41/lines"),
        (1, ("", "/7", "/41/lines"), ""),
        (2, ("", "/7"), "/41/lines"),
        (2, ("", "/7", "/41/lines"), ""),
    ],
)
def test_a_path_that_is_not_in_the_readme_is_below_it_too(
    tmp_path: Path, seed: int, only: tuple[str, ...], said: str
) -> None:
    """One seed is of a redirect, one of a path that is written anew."""
    it = Checker(load(render(named("routes-by-header", bank()), seed, _SPACE, tmp_path)))

    def answer(ask: Any) -> Any:
        below = ask.path.removeprefix(f"/{it.D.path}")
        there = {"location": f"http://{it.D.host}/{it.D.target}"}
        fields = {"app": it.D.stable, "path": f"/{it.D.target if below in only else it.D.path}{below}"}
        return SimpleNamespace(status=it.D.status if below in only else 404, headers=there, fields=fields, shown="")

    async def asked(lab: Any, asks: Any, right: Any, *, expected: str, times: int = 1, **more: Any) -> Any:
        wrong = right([answer(ask) for _ in range(times) for ask in asks])
        return Observation(not wrong, expected, wrong)

    it.asked = asked
    with pytest.raises(Failure, match=said) if said else contextlib.nullcontext():
        asyncio.run(it.path_is_changed.run(lab()))


def test_a_header_whose_value_only_ends_alike_is_another(
    checker: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    it = checker("routes-by-header")
    monkeypatch.setattr("mlops_lab.kit.gateways.exists", gives({"spec": {"parentRefs": [{"name": it.D.gateway}]}}))

    async def asked(lab: Any, asks: Any, right: Any, *, expected: str, times: int = 1, **more: Any) -> Any:
        beta = [each.headers.get(it.D.header, "").endswith(it.D.value) for each in asks]
        said = [
            SimpleNamespace(fields={"app": it.D.beta if new else it.D.stable, "path": ask.path}, shown="there")
            for ask, new in zip(asks, beta, strict=True)
        ]
        return Observation(not right(said * times), expected, right(said * times))

    it.asked = asked
    with pytest.raises(Failure, match=f"not-{it.D.value}: there"):
        asyncio.run(it.goes_by_header.run(lab()))


@pytest.mark.parametrize(
    ("task", "check"),
    [("rollout-that-hangs", "guards_stay"), ("service-without-answer", "only_ready_pods_are_asked")],
)
def test_a_probe_without_times_of_its_own_takes_out_a_pod_in_time(
    checker: Callable[[str], Any], task: str, check: str
) -> None:
    """Kubernetes asks each 10 s, and three times."""
    it, given = checker(task), []

    async def leaves(*objects: Any, within: float, **more: Any) -> Any:
        given.append(within)
        return READY

    it.leaves_when_not_ready, it.some_pod = leaves, gives("a-pod")
    it.waited_for_the_store = it.replaced = gives(READY)
    it.by_the_template = lambda *given: READY
    deployment = SimpleNamespace(present=gives({}))
    asyncio.run(getattr(it, check).run(lab(objects=Room(service=gives({}), deployment=lambda name: deployment))))
    assert min(given) > 3 * 10 + 5


@pytest.mark.parametrize(
    ("more", "seen"),
    [
        ({"env": [{"name": "MORE", "value": "yes"}]}, ".env[MORE]"),
        ({"command": ["sh"]}, ".command"),
        ({"image": "another"}, ".image"),
        ({"readinessProbe": {"tcpSocket": {"port": 80}}}, ".readinessProbe"),
    ],
)
def test_a_revision_is_its_whole_template_and_no_more(checker: Callable[[str], Any], more: Any, seen: str) -> None:
    it = checker("roll-back-a-release")
    now, was = it._as_it_was(), it._as_it_was()
    _scaled(now)
    now["spec"]["revisionHistoryLimit"] = 1
    web = _server(now)
    web["env"].reverse()
    assert changes(now, was, it._FREE) == []
    web |= more | {"env": [*web["env"], *more.get("env", [])]}
    assert all(each.startswith(f"{_HERE}[web]{seen}") for each in changes(now, was, it._FREE))
    assert changes(now, was, it._FREE)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, ""),
        ({"selector": {"app": "a", "pod-template-hash": "5d8f"}}, "it selects pod-template-hash=5d8f"),
        ({"clusterIP": "10.96.0.9"}, "the Service has a cluster IP"),
    ],
)
def test_a_name_stands_for_the_next_revisions_pods_as_well(checker: Callable[[str], Any], spec: Any, said: str) -> None:
    it = checker("names-that-do-not-resolve")
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "client"}]}}
    service = {"spec": {"clusterIP": "None", "selector": {"app": "a"}, **spec}}
    deployment = SimpleNamespace(present=gives({"spec": {"template": template}}))
    named = SimpleNamespace(now=gives(service))
    rooms = Room(deployment=lambda name: deployment, named=lambda *given: named)
    seen = asyncio.run(it.goes_by_a_name(lab(objects=rooms), it.D))
    assert seen.ok is not bool(spec) and (seen.ok or said in seen.seen)


def test_names_resolve_up_to_svc(checker: Callable[[str], Any]) -> None:
    it, asked = checker("names-that-do-not-resolve"), list[str]()

    async def unresolved(lab: Any, drawn: Any, names: list[str]) -> Observation:
        asked.extend(names)
        return Observation(True, "", "")

    it.unresolved = unresolved
    asyncio.run(it.resolves_as_others_do.run(lab()))
    assert {name.removeprefix(it.D.store) for name in asked} == {
        "", f".{_SPACE}", f".{_SPACE}.svc", "kubernetes.default",
    }  # fmt: skip


@pytest.mark.parametrize(("states", "ended"), [(("FAILED", "SUCCEEDED", "FAILED"), "1"), (("FAILED", "CANCELED"), "0")])
def test_a_run_to_a_good_end_counts_though_a_newer_one_has_none(
    checker: Callable[[str], Any], states: tuple[str, ...], ended: str
) -> None:
    it = checker("mend-a-pipeline")
    arguments = {"count": it.D.count, "limit": it.D.limit}
    config = {"parameters": arguments}
    known = [{"run_id": str(number), "state": each, "runtime_config": config} for number, each in enumerate(states)]
    looked: list[str] = []

    async def nothing(*given: Any) -> Any:
        return {}

    async def runs() -> Any:
        return known

    async def run(key: str) -> Any:
        return known[int(key)]

    async def record(lab: Any, key: str) -> Any:
        looked.append(key)
        return SimpleNamespace(failure=(), steps={})

    it._compiled, it._spec_of, it.record, it.progress = nothing, nothing, record, lambda *given: "a state"
    pipelines = SimpleNamespace(runs=runs, run=run, over=lambda one: True)
    found = asyncio.run(it.wanted_run(lab(platform=SimpleNamespace(pipelines=pipelines)), arguments))
    assert (looked, found.ended.ok) == ([ended], "SUCCEEDED" in states)


@pytest.mark.parametrize("number", range(4))
def test_one_value_of_many_is_less_than_the_least_share_in_the_reference(
    checker: Callable[[str], Any], number: int
) -> None:
    it, draw = checker("measure-drift"), random.Random(number)
    column = it._rare(draw, number)
    assert 0 < column.reference.count(None) / len(column.reference) < it.D.floor
    assert len(column.reference) == len(set(column.reference)) <= 25_000
    shares = it._shares
    it._shares = lambda values, cuts, floor: (
        [share or floor for share in shares(values, cuts, 0)] if values is column.reference
        else shares(values, cuts, floor)
    )  # fmt: skip
    half = it.psi(column, it.D.quantiles, it.D.floor)
    it._shares = shares
    assert abs(half - it.psi(column, it.D.quantiles, it.D.floor)) > 1e-5


# What an overlay does with the base's Service and container, and what it lacks then of what is added to the base.
OVERLAYS: list[tuple[Callable[[Any, Any], None], str]] = [
    (lambda service, container: None, ""),
    (lambda service, container: service.update(sessionAffinity="None", ports=[{"port": 8123}]), ""),
    (lambda service, container: container.update(image="v2", env=[{"name": "MORE", "value": "yes"}]), ""),
    (lambda service, container: service.clear(), "a field of the base's Service"),
    (lambda service, container: container.clear(), "a field of the base's container"),
]


@pytest.mark.parametrize(("change", "lacks"), OVERLAYS)
def test_what_an_overlay_writes_out_lacks_what_the_base_gets(
    checker: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, change: Callable[[Any, Any], None], lacks: str
) -> None:
    it = checker("overlay-with-kustomize")

    async def command(work: Work, *words: str, within: float) -> Command:
        read = {each: yaml.safe_load((work.folder / "base" / f"{each}.yaml").read_text()) for each in _FILES}
        (container,) = read["deployment"]["spec"]["template"]["spec"]["containers"]
        change(read["service"]["spec"], container)
        for each in ("deployment", "service"):
            read[each]["metadata"]["name"] = f"{it.D.prefix}-{it.D.app}"
        (config,) = read["kustomization"]["configMapGenerator"]
        data = dict(each.split("=") for each in config["literals"])
        read["kustomization"] = {"kind": "ConfigMap", "metadata": {"name": "words"}, "data": data}
        return Command(0, yaml.safe_dump_all(read.values()), 0.1)

    monkeypatch.setattr(Work, "command", command)
    it.find = lambda name: Path(name)
    made = lab(work=Work(it.start, "lab", Platform.registry, {}))
    seen = asyncio.run(it.follows_the_base(made))
    assert (seen.ok, seen.seen.removeprefix("the overlay lacks ")) == (not lacks, lacks or seen.expected)


@pytest.mark.parametrize(
    ("written", "given"),
    [
        ({}, True),
        ({".service.yaml.swp": b"b0VIM 9.1\x00\xe9"}, True),
        ({"service.yaml~": b"kind: Service\n"}, True),
        ({"service.yaml": b"kind: Service\n"}, False),
        ({"service.yaml": b"\xe9"}, False),
    ],
)
def test_what_an_editor_puts_beside_the_bases_files_changes_none_of_them(
    checker: Callable[[str], Any], tmp_path: Path, written: dict[str, bytes], given: bool
) -> None:
    it = checker("overlay-with-kustomize")
    own = shutil.copytree(it.start, tmp_path / "own")
    for name, content in written.items():
        (own / "base" / name).write_bytes(content)
    assert it.base_is_given(lab(work=Work(own, "lab", Platform.registry, {}))) is given


@pytest.mark.parametrize(("options", "cached"), [({}, False), ({"enableCache": True}, True)])
def test_a_step_may_come_from_the_cache_inside_of_a_condition(
    checker: Callable[[str], Any], options: Any, cached: bool
) -> None:
    def task(name: str, **more: Any) -> Any:
        return {"dag": {"tasks": {name: {"componentRef": {"name": f"comp-{name}"}, **more}}}}

    register, evaluate = (
        task("register-2", cachingOptions=options),
        task("evaluate", cachingOptions={"enableCache": True}),
    )
    spec = {"root": evaluate, "components": {"comp-condition-1": register, "comp-register": {"executorLabel": "e"}}}
    assert list(checker("gate-the-registration")._cached(spec)) == [cached]


@pytest.mark.parametrize(
    ("task", "kept_out", "meant"),
    [("deny-by-default", "closed", ("web", "store")), ("only-the-frontend-may-ask", "refused", ("front",))],
)
def test_a_pod_with_the_labels_key_and_another_value_is_kept_out(
    checker: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, task: str, kept_out: str, meant: Any
) -> None:
    it, here = checker(task), NothingThere()
    key = getattr(it.D, "key", "app")
    beyond = Room(service=gives({"spec": {"clusterIP": "10.96.0.1"}}))
    monkeypatch.setattr(TaskLab, "elsewhere", lambda lab, namespace: beyond)
    it.address_behind, it.tried, it._address = gives("10.0.0.1"), gives({}), gives("10.0.0.2")
    it.standing = lambda *given, **more: contextlib.nullcontext()
    seen = asyncio.run(it.asked(lab(objects=here, traffic=Room(host=gives("a-host")))))
    tried = [way.probe.labels for way in getattr(seen, kept_out) if way.probe.objects is here]
    assert {labels[key] for labels in tried if key in labels} - {getattr(it.D, each) for each in meant}


@pytest.mark.parametrize("app", ["web", "store"])
def test_what_may_ask_or_be_asked_reaches_nothing_outside_of_the_namespace(
    checker: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, app: str
) -> None:
    it, here = checker("deny-by-default"), NothingThere()
    beyond = Room(service=gives({"spec": {"clusterIP": "10.96.0.1"}}))
    monkeypatch.setattr(TaskLab, "elsewhere", lambda lab, namespace: beyond)
    addresses = iter(["10.0.0.1", "10.0.0.2", "10.0.1.1"])  # the web's, the store's, and the far one's

    async def address_behind(*given: Any) -> str:
        return next(addresses)

    it.address_behind, it.tried, it._address = address_behind, gives({}), gives("10.0.0.3")
    it.standing = lambda *given, **more: contextlib.nullcontext()
    closed = asyncio.run(it.asked(lab(objects=here))).closed
    own = [
        way.target for way in closed if way.probe.labels == {"app": getattr(it.D, app)} and way.probe.objects is here
    ]
    assert {f"http://10.0.1.1:{it.D.far_port}/", "tcp:10.96.0.1:443"} <= {*own}
    reached = [way.target for way in closed if way.probe.objects is beyond]
    assert {f"http://10.0.0.2:{each}/" for each in (it.D.port, it.D.admin)} <= {*reached}


@pytest.mark.parametrize(
    ("labelled", "wanted", "right"), [(False, True, False), (True, True, True), (False, False, True)]
)
def test_a_label_that_no_node_has_any_more_keeps_the_next_pods_away(
    checker: Callable[[str], Any], labelled: bool, wanted: bool, right: bool
) -> None:
    it = checker("deployment-without-its-pods")
    label = {it.D.label: "yes"}
    pod = {"nodeSelector": label} if wanted else {}
    found = {"spec": {"replicas": it.D.pods, "template": {"spec": pod}}}
    it.deployments = SimpleNamespace(exists=gives(found), rolled_out=gives(READY))
    nodes = [{"metadata": {"name": "a", "labels": label if labelled else {}}}]
    with contextlib.nullcontext() if right else pytest.raises(Failure, match="no node has the label"):
        asyncio.run(it.all_pods_run.run(lab(objects=Room(all=gives(nodes)))))


def _asks(*terms: Any, **selector: str) -> Any:
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [*terms]}}
    return {"nodeSelector": selector, **({"affinity": {"nodeAffinity": required}} if terms else {})}


def _that(*rules: Any) -> Any:
    return {"matchExpressions": [{"key": key, "operator": how, "values": [*values]} for key, how, *values in rules]}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (_asks(KEY="VALUE"), ""),
        (_asks(_that(("KEY", "In", "VALUE"))), ""),
        (_asks(_that(("KEY", "In", "VALUE"), ("kubernetes.io/os", "Exists"))), ""),
        (_asks(_that(("KEY", "In", "VALUE", "spare")), KEY="VALUE"), ""),
        (_asks(_that(("KEY", "Exists"), ("KEY", "NotIn", "OTHER")), _that(("KEY", "In", "VALUE"))), "KEY=OTHER-VALUE"),
        (_asks(_that(("KEY", "Exists"), ("KEY", "NotIn", "OTHER"))), "KEY=OTHER-VALUE"),
        (_asks(_that(("KEY", "In", "VALUE", "spare"))), "KEY=spare"),
        (_asks(_that(("KEY", "In", "VALUE")), _that(("disk", "In", "ssd"))), "disk=ssd"),
        (_asks(_that(("KEY", "In", "VALUE")), _that(("KEY", "DoesNotExist"))), "no labels"),
    ],
)
def test_a_node_with_another_value_of_the_label_is_none_of_those_that_were_meant(
    checker: Callable[[str], Any], spec: Any, said: str
) -> None:
    it = checker("run-on-the-right-node")

    def told(text: str) -> str:
        for name in ("key", "value", "other"):
            text = text.replace(name.upper(), getattr(it.D, name))
        return text

    found = {"spec": {"template": {"spec": json.loads(told(json.dumps(spec)))}}}
    node = {"metadata": {"name": "a", "labels": {it.D.key: it.D.value, "kubernetes.io/os": "linux"}}}
    here = Room(deployment=lambda name: SimpleNamespace(present=gives(found)), all=gives([node]))
    seen = asyncio.run(it.takes_no_other(lab(objects=here)))
    assert seen.ok is not bool(said) and told(said) in seen.seen


@pytest.mark.parametrize(("phase", "on"), [("Running", "2 of 2"), ("Failed", "1 of 1"), ("Succeeded", "1 of 1")])
def test_a_pod_that_a_node_has_refused_is_on_no_node(checker: Callable[[str], Any], phase: str, on: str) -> None:
    it = checker("run-on-the-right-node")

    def pod(phase: str) -> Any:
        made = {"name": phase, "ownerReferences": [{"controller": True, "uid": "set"}]}
        return {"metadata": made, "spec": {"nodeName": "b"}, "status": {"phase": phase}}

    async def every(kind: str, selector: str = "") -> list[Any]:
        one = {"metadata": {"uid": "set", "ownerReferences": [{"controller": True, "uid": "deployment"}]}}
        node = {"metadata": {"name": "a", "labels": {it.D.key: it.D.value}}}
        return {"Pod": [pod("Pending"), pod(phase)], "ReplicaSet": [one], "Node": [node]}[kind]

    found = {"metadata": {"uid": "deployment"}}
    here = Room(deployment=lambda name: SimpleNamespace(present=gives(found)), all=every)
    seen = asyncio.run(it.on_labelled_nodes(lab(objects=here)))
    assert seen.seen == f"{on} are on b"


@pytest.mark.parametrize(("phase", "gone"), [("Running", False), ("Failed", True)])
def test_what_is_left_of_a_refused_pod_holds_up_no_trial(checker: Callable[[str], Any], phase: str, gone: bool) -> None:
    it = checker("run-on-the-right-node")
    found = {"spec": {"selector": {"matchLabels": {"app": "a"}}}}
    left = [{"metadata": {"name": "x"}, "status": {"phase": phase}}]
    here = Room(deployment=lambda name: SimpleNamespace(now=gives(found)), all=gives(left))
    assert asyncio.run(it._none_left(lab(objects=here), "a")).ok is gone


@pytest.mark.parametrize(
    ("pod", "keys"),
    [
        ({}, []),
        ({"nodeSelector": {"disk": "yes", "kubernetes.io/os": "linux"}}, ["disk", "kubernetes.io/os"]),
        ({"affinity": {"podAntiAffinity": {}}}, []),
        (
            {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "disk", "operator": "Exists"}]}, {}]
            }}}},
            ["disk"],
        ),
    ],
)  # fmt: skip
def test_what_pods_demand_of_a_node(checker: Callable[[str], Any], pod: Any, keys: list[str]) -> None:
    assert checker("deployment-without-its-pods").asked_of_nodes(pod) == keys


@pytest.mark.parametrize(
    ("label", "scopes", "said"),
    [
        ("kubernetes.io/os", None, ""), ("another-disk", None, "for another-disk"),
        ("kubernetes.io/os", ["Terminating"], "scopes"),
    ],
)  # fmt: skip
def test_a_quota_and_nodes_stay(checker: Callable[[str], Any], label: str, scopes: Any, said: str) -> None:
    it = checker("deployment-without-its-pods")
    quota = in_manifests(it.start, "ResourceQuota", f"{it.D.name}-share")
    quota["spec"] |= {"scopes": scopes} if scopes else {}
    deployment = {"spec": {"template": {"spec": {"nodeSelector": {label: "yes"}}}}}
    objects = NothingThere(
        named=lambda *given: SimpleNamespace(now=gives(quota)), all=gives([]),
        deployment=lambda name: SimpleNamespace(present=gives(deployment)),
    )  # fmt: skip
    it.presence = SimpleNamespace(exists=gives(quota))
    with pytest.raises(Failure, match=said) if said else contextlib.nullcontext():
        asyncio.run(it.quota_and_nodes_stay.run(lab(objects=objects)))


def _by_code(action: str) -> Any:
    return {"podFailurePolicy": {"rules": [{"action": action, "onExitCodes": {"operator": "NotIn", "values": [0]}}]}}


@pytest.mark.parametrize(
    ("job", "pod", "right"),
    [
        ({}, {"restartPolicy": "Never"}, True),
        ({"activeDeadlineSeconds": 600}, {}, True),
        ({"activeDeadlineSeconds": 100}, {}, False),
        ({}, {"restartPolicy": "Never", "activeDeadlineSeconds": 20}, True),
        ({}, {"restartPolicy": "Never", "activeDeadlineSeconds": 4}, False),
        ({}, {"restartPolicy": "OnFailure", "activeDeadlineSeconds": 20}, False),
        (_by_code("FailJob"), {}, False),
        (_by_code("Ignore"), {}, False),
        (_by_code("Count"), {}, True),
        ({"podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "x"}]}]}}, {}, True),
    ],
)
def test_nothing_else_ends_a_jobs_tries(checker: Callable[[str], Any], job: Any, pod: Any, right: bool) -> None:
    assert (checker("every-so-often").short_of_tries({**job, "template": {"spec": pod}}, 3) == "") is right


@pytest.mark.parametrize(
    ("of", "beside", "said"), [("", 0, ""), ("-copy", 0, "they mount another one"), ("", 1, "containers of a pod")]
)
def test_one_container_sends_a_report_by_the_given_program(
    checker: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, of: str, beside: int, said: str
) -> None:
    it = checker("every-so-often")
    sends = {"name": "report", "image": Platform().image("v1"), "command": ["python3", "/program/report.py"]}
    volume = {"name": "program", "configMap": {"name": f"{it.D.program}{of}"}}
    pod = {"containers": [sends], "initContainers": [sends] * beside, "volumes": [volume]}
    job = {"backoffLimit": it.D.tries, "template": {"spec": pod}}
    monkeypatch.setattr("mlops_lab.kit.presence.exists", gives({"spec": {"jobTemplate": {"spec": job}}}))

    @contextlib.asynccontextmanager
    async def started(*given: Any) -> AsyncIterator[str]:
        yield "a-job"

    it.started_from, it.ended, it.unchanged = started, gives(READY), gives(READY)
    it.pods_of = gives([{"metadata": {"name": "a-pod"}}])
    made = lab(traffic=Room(get=gives(SimpleNamespace(text=f"{it.D.word} of a-pod"))))
    with pytest.raises(Failure, match=said) if said else contextlib.nullcontext():
        asyncio.run(it.sends_a_report.run(made))


@pytest.mark.parametrize(
    ("name", "old", "new", "right"),
    [
        ("evaluate", "", "", True),
        ("evaluate", '"""How good the model is."""', "", True),
        ("evaluate", "return quality", "return quality if quality > 0.7 else 0.0", False),
        ("register", "repr(metric)", "str(metric)", False),
        ("register", "def register(", "def note(", True),
    ],
)
def test_the_given_steps_do_what_they_did(
    checker: Callable[[str], Any], name: str, old: str, new: str, right: bool
) -> None:
    it = checker("gate-the-registration")
    program = (it.start / "pipeline.py").read_text()
    (function,) = (each for each in ast.parse(program).body if isinstance(each, ast.FunctionDef) and each.name == name)
    step = str(ast.get_source_segment(program, function)).replace(old, new)
    command = ["sh", "-ec", 'printf "%s" "$0" >program.py', f"import kfp\nfrom kfp import dsl\n\n{step}\n"]
    spec = {"deploymentSpec": {"executors": {f"exec-{name}": {"container": {"command": command}}}}}
    with contextlib.nullcontext() if right else pytest.raises(Failure, match=f"another {name}"):
        it._must_have_given_steps({"pipeline_spec": spec, "platform_spec": {}})


def registered(it: Any, tag: Callable[[float, float, int], float | None]) -> dict[str, int]:
    """How many versions are new by each run of gate-the-registration's.

    Args:
        tag: the metric that the run's version is tagged with, by what `evaluate` has returned, by the quality and the
            number of versions that there are; None where it registers none.
    """
    versions = list[Any]()

    async def started(lab: Any, spec: Any, quality: float) -> str:
        auc = tag(spec.get("returns", quality), quality, len(versions))
        if auc is not None:
            versions.append({"version": str(len(versions)), "tags": [{"key": "auc", "value": repr(auc)}]})
        return "a-run"

    it.compiled, it._started, it._ended = gives({"root": {}}), started, gives((READY, None))
    it._evaluating = lambda spec, metric: {"returns": metric}
    platform = SimpleNamespace(mlflow=SimpleNamespace(versions=lambda: gives(list(versions))()))
    return {name: run.registered for name, run in asyncio.run(it.runs(lab(platform=platform))).items()}


@pytest.mark.parametrize("again", [True, False])
def test_a_version_with_another_tag_is_the_bad_models_if_there_is_one_each_time(
    checker: Callable[[str], Any], again: bool
) -> None:
    it = checker("gate-the-registration")

    def tag(metric: float, quality: float, there: int) -> float | None:
        if metric != it.D.below:
            return metric
        return quality if again or not there else None

    assert registered(it, tag) == {"below": int(again), "bound": 1, "above": 1}


@pytest.mark.parametrize("by_quality", [True, False])
def test_a_version_of_a_good_model_has_what_evaluate_returned(checker: Callable[[str], Any], by_quality: bool) -> None:
    it = checker("gate-the-registration")

    def tag(metric: float, quality: float, there: int) -> float | None:
        return (quality if by_quality else metric) if metric >= it.D.bound else None

    assert registered(it, tag) == {"below": 0, "bound": 1, "above": int(not by_quality)}


@pytest.mark.parametrize(
    ("old", "new", "other"),
    [
        ('    """Tell the airports."""\n', "", []),
        ("if mean > limit:", "if mean > limit + 5:", ["judge"]),
        ("collect(count=count)", "collect(count=40)", ["collect"]),
        ("limit=limit)\n", "limit=limit)\n    release(name='more')\n", ["release-2"]),
    ],
)
def test_the_three_steps_are_those_that_were_given(
    checker: Callable[[str], Any], tmp_path: Path, old: str, new: str, other: list[str]
) -> None:
    it = checker("mend-a-pipeline")
    program = tmp_path / "pipeline.py"
    program.write_text((it.start / "pipeline.py").read_text().replace(old, new))
    subprocess.run([sys.executable, program], check=True, timeout=60)
    spec = yaml.safe_load((tmp_path / "pipeline.yaml").read_text())
    assert it.other_steps(spec) == it.other_steps({"pipeline_spec": spec, "platform_spec": {}}) == other


@pytest.mark.parametrize(
    ("more", "right"),
    [
        ({}, True),
        ({"suspend": False}, True),
        ({"suspend": True}, False),
        ({"schedule": "* * * * *"}, False),
        ({"timeZone": "Etc/UTC"}, True),
        ({"timeZone": "Asia/Tokyo"}, False),
    ],
)
def test_a_cronjob_makes_its_jobs_when_it_did(
    checker: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, more: Any, right: bool
) -> None:
    it = checker("images-by-digest")
    cronjob = in_manifests(it.start, "CronJob", it.D.nightly)
    cronjob["spec"].update(more)
    monkeypatch.setattr("mlops_lab.kit.presence.exists", gives(cronjob))

    @contextlib.asynccontextmanager
    async def started(*given: Any) -> AsyncIterator[str]:
        yield "a-job"

    monkeypatch.setattr("mlops_lab.kit.jobs.started_from", started)
    monkeypatch.setattr("mlops_lab.kit.jobs.ended", gives(READY))
    monkeypatch.setattr("mlops_lab.kit.jobs.pods_of", gives([{}]))
    it.meant, it.by_digest, it.last_lines = gives(["sha256:1"]), lambda *given: READY, gives([it.D.release])
    with contextlib.nullcontext() if right else pytest.raises(Failure, match="when it makes Jobs"):
        asyncio.run(it.nightly_runs_by_digest.run(lab()))


@pytest.mark.parametrize(("beside", "right"), [("ephemeralContainers", True), ("initContainers", False)])
def test_what_kubectl_debug_has_added_is_in_no_template(
    checker: Callable[[str], Any], beside: str, right: bool
) -> None:
    it = checker("images-by-digest")
    image = f"{Platform.registry}/components@sha256:1"
    spec = {"containers": [{"name": "server", "image": image}], beside: [{"name": "look", "image": "busybox"}]}
    owned = gives([{"metadata": {"name": "a-pod"}, "spec": spec}])
    found = {"spec": {"template": {"spec": {"containers": spec["containers"]}}}}
    it.deployments = SimpleNamespace(exists=gives(found), rolled_out=gives(READY), owned_pods=owned)
    it.meant = gives(["sha256:1"])
    answer = gives(SimpleNamespace(text=it.D.release, shown=""))
    with contextlib.nullcontext() if right else pytest.raises(Failure, match="look: busybox"):
        asyncio.run(it.server_runs_by_digest.run(lab(traffic=Room(first_answer=answer))))


def _pods_changed_by_hand(it: Any, template: Any, pod: Any) -> Any:
    """A Deployment that has rolled out, and whose pods were changed since."""
    found = {"spec": {"replicas": getattr(it.D, "pods", 1), "template": {"spec": template}}}
    owned = gives([{"metadata": {"name": "a-pod"}, "spec": pod}])
    it.deployments = SimpleNamespace(exists=gives(found), rolled_out=gives(READY), owned_pods=owned)
    return Room(deployment=lambda name: SimpleNamespace(present=gives(found)))


@pytest.mark.parametrize("right", [True, False])
def test_an_image_that_was_changed_in_a_pod_is_not_the_next_ones(checker: Callable[[str], Any], right: bool) -> None:
    it = checker("images-by-digest")
    names = [f"{Platform.registry}/components{each}" for each in ("@sha256:1", ":1")]
    by_digest, by_tag = ({"containers": [{"name": "server", "image": each}]} for each in names)
    _pods_changed_by_hand(it, by_digest if right else by_tag, by_digest)
    it.meant = gives(["sha256:1"])
    answer = gives(SimpleNamespace(text=it.D.release, shown=""))
    with contextlib.nullcontext() if right else pytest.raises(Failure, match="is that pod's alone"):
        asyncio.run(it.server_runs_by_digest.run(lab(traffic=Room(first_answer=answer))))


@pytest.mark.parametrize(("tag", "right"), [("v2", True), ("v2@sha256:1", True), ("v2.0", False)])
def test_a_rollout_has_not_ended_for_the_next_pod(checker: Callable[[str], Any], tag: str, right: bool) -> None:
    def of(tag: str) -> Any:
        image = f"{Platform.registry}/flight-delay:{tag}"
        return {
            f"{kind}ontainers": [{"name": name, "image": image}]
            for kind, name in (("c", "server"), ("initC", "prepare"))
        }

    it = checker("image-that-cannot-be-pulled")
    _pods_changed_by_hand(it, of(tag), of("v2"))
    it.answered_by = gives(READY)
    answer = gives(SimpleNamespace(status=200, text="v2\n", shown=""))
    with contextlib.nullcontext() if right else pytest.raises(Failure, match="images of the next pod"):
        asyncio.run(it.rollout_has_ended.run(lab(traffic=Room(get=answer))))


@pytest.mark.parametrize(("cpu", "right"), [("CPU", True), (None, True), ("1m", False)])
def test_a_pod_that_was_resized_is_not_the_next_one(checker: Callable[[str], Any], cpu: Any, right: bool) -> None:
    it = checker("deployment-without-its-pods")
    asks = {"cpu": f"{it.D.cpu}m", "memory": f"{it.D.memory}Mi"}
    said = asks | {"cpu": asks["cpu"] if cpu == "CPU" else cpu}
    pod, template = (
        {"containers": [{"resources": {"requests": {name: value for name, value in each.items() if value}}}]}
        for each in (asks, said)
    )
    here = _pods_changed_by_hand(it, template, pod)
    with contextlib.nullcontext() if right else pytest.raises(Failure, match="the template asks for 1m"):
        asyncio.run(it.asks_for_what_it_needs.run(lab(objects=here)))


@pytest.mark.parametrize(
    ("limits", "right"),
    [({"memory": "72Mi"}, True), ({"memory": 75497472}, True), ({}, True), ({"memory": "24Mi"}, False)],
)
def test_a_container_has_the_memory_that_the_next_one_gets(
    checker: Callable[[str], Any], limits: Any, right: bool
) -> None:
    it = checker("crashing-container")
    template, pod = (
        {"containers": [{"name": "server", "resources": {"limits": each}}]} for each in (limits, {"memory": "72Mi"})
    )
    seen = it._as_it_is_made(template, [{"spec": pod}])
    assert seen.ok is right and ("limits.memory 72Mi, and 24Mi" in seen.seen) is not right


@pytest.mark.parametrize("number", range(4))
def test_a_value_of_0_is_not_a_missing_one(checker: Callable[[str], Any], number: int) -> None:
    it = checker("measure-drift")
    column = it._missing(random.Random(number), number)
    without = it.Column(*([each or None for each in values] for values in (column.reference, column.now)))
    right, wrong = (it.psi(each, it.D.quantiles, it.D.floor) for each in (column, without))
    assert abs(right - wrong) > 1e-5


def test_a_slower_route_begins_like_the_one_that_is_asked_for(checker: Callable[[str], Any]) -> None:
    it = checker("figures-for-the-board")
    for minute in it.HISTORIES:
        named = [each["series"] for each in it._series(minute, it.D.minutes, it.D.means)]
        routes = {each.partition('route="')[2].partition('"')[0] for each in named if "route=" in each}
        assert {each for each in routes if each.startswith("/predict")} == {"/predict", "/predictions"}
        assert len(named) == len(set(named))


def test_the_program_has_its_time_for_as_many_rows_as_the_readme_says(checker: Callable[[str], Any]) -> None:
    it = checker("measure-drift")
    for number in range(4):
        column = it._plain(random.Random(number), number)
        assert [len(column.reference), len(set(column.reference)), len(column.now)] == [25_000] * 3


def test_a_mean_of_predictions_is_none_of_requests(checker: Callable[[str], Any]) -> None:
    it = checker("figures-for-the-board")
    steps = it.D.minutes * 60 // it.STEP

    def grown(minute: int, series: str) -> list[float]:
        told = {each["series"]: each["values"].split() for each in it._series(minute, it.D.minutes, it.D.means)}
        return [float(told[each][-1]) - float(told[each][-steps]) for each in sorted(told) if each.startswith(series)]

    for minute in (20, 21):
        made, sums = (grown(minute, f"model_prediction_probability_{each}") for each in ("count", "sum"))
        asked = grown(minute, 'http_request_duration_seconds_bucket{route="/predict", le="+Inf"')
        right = it.mean(minute, it.D.minutes, it.D.means)
        assert sum(sums) / sum(made) == pytest.approx(right)
        means = [each / count for each, count in zip(sums, made, strict=True)]
        by_requests = sum(each * count for each, count in zip(means, asked, strict=True)) / sum(asked)
        for wrong in (sum(sums) / sum(asked), by_requests):
            assert abs(wrong - right) > 2 * it._WITHIN * right


@pytest.mark.parametrize(("more", "right"), [("", True), ("www.", False), ("*.", False)])
def test_an_ingress_has_no_host_beside_the_one_that_was_wanted(
    checker: Callable[[str], Any], more: str, right: bool
) -> None:
    it = checker("ingress-by-host-and-path")
    it.asked = gives(READY)
    rules = [{"host": it.D.host}, {"host": f"{more}{it.D.host}"}]
    made = lab(objects=Room(all=gives([{"spec": {"rules": rules}}, {"spec": {}}])))
    with contextlib.nullcontext() if right else pytest.raises(Failure, match="hosts of"):
        asyncio.run(it.leads_nowhere_else.run(made))


def test_an_ingress_that_was_mended_is_for_its_host_alone(checker: Callable[[str], Any]) -> None:
    it = checker("ingress-without-answer")
    own = {"host": it._HOST}
    assert it._hosts({"rules": [own, own]}) == {it._HOST}
    assert it._hosts({"rules": [{}]}) == it._hosts({"defaultBackend": {}}) == {"every host"}
    assert it._hosts({"rules": [own], "defaultBackend": {}}) == {it._HOST, "every host"}


def _key_of(name: str) -> Any:
    return {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": name, "key": "key"}}}


@pytest.mark.parametrize(
    ("container", "right"),
    [
        ({"env": [_key_of("store")]}, True),
        ({"env": [_key_of("copy")]}, False),
        ({"env": [_key_of("copy"), _key_of("store")]}, True),
        ({"env": [_key_of("copy")], "envFrom": [{"secretRef": {"name": "store"}}]}, False),
        ({"envFrom": [{"secretRef": {"name": "store"}}]}, True),
        ({"envFrom": [{"secretRef": {"name": "copy"}}]}, False),
        ({"env": [_key_of("store") | {"name": "GIVEN"}, {"name": "KEY", "value": "$(GIVEN)"}]}, True),
        ({"env": [{"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "store"}}}]}, False),
    ],
)
def test_a_key_comes_from_the_secret_that_was_wanted(
    checker: Callable[[str], Any], container: Any, right: bool
) -> None:
    pod = {"containers": [{"name": "server", **container}]}
    assert checker("keys-out-of-the-manifest").from_secret(pod, "KEY", "store") is right


@pytest.mark.parametrize(("scope", "right"), [("", True), ("NotTerminating", False), ("Terminating", False)])
def test_a_quota_is_about_pods_with_a_deadline_and_without(
    checker: Callable[[str], Any], scope: str, right: bool
) -> None:
    it = checker("quota-and-limits")
    has = {"requests": {"cpu": f"{it.D.cpu}m", "memory": f"{it.D.memory}Mi"}}
    pods = [{"metadata": {"name": name}, "spec": {"containers": [{"resources": has}]}} for name in "abc"]

    def counted() -> list[Any]:
        wanted = {"Terminating": True, "NotTerminating": False}
        return [each for each in pods if not scope or ("activeDeadlineSeconds" in each["spec"]) is wanted[scope]]

    @contextlib.asynccontextmanager
    async def tried(lab: Any, pod: Any, *, within: float = 0.0) -> AsyncIterator[Admission]:
        pods.append(pod)
        cpu, memory = (sum(requests(each)[kind] for each in counted()) for kind in ("cpu", "memory"))
        over = len(counted()) > it.D.pods or cpu * 1000 > it.D.cpu_all or memory / 2**20 > it.D.memory_all
        yield Admission(None, "exceeded quota") if over else Admission(pod)
        pods.remove(pod)

    async def answered(lab: Any, pod: Any, *, within: float = 0.0) -> Admission:
        async with tried(lab, pod) as answer:
            return answer

    it.admission = SimpleNamespace(tried=tried, answered=answered, gated=gated)
    made = lab(objects=Room(all=lambda kind: gives(list(pods))()))
    for seen in (it.sum_of(made, "cpu"), it.sum_of(made, "memory"), it.number_of_pods(made)):
        assert asyncio.run(seen).ok is right


@pytest.mark.parametrize(("well", "right"), [(2, True), (3, False)])
def test_a_container_that_was_started_anew_beside_the_one_that_hung_is_seen(
    checker: Callable[[str], Any], well: int, right: bool
) -> None:
    it = checker("one-pod-on-every-node")
    told = [{"ill": 0, "well": 2}, {"ill": 1, "well": well}, {"ill": 1, "well": well}]

    async def pods_of(lab: Any) -> Any:
        return [
            {"metadata": {"name": name}, "status": {"containerStatuses": [{"restartCount": count}]}}
            for name, count in told.pop(0).items()
        ]

    it.pods_of, it.made_ill, it.started_anew, it.longest = pods_of, gives("ill"), gives(READY), gives(4.0)
    with contextlib.nullcontext() if right else pytest.raises(Failure, match="started anew: well"):
        asyncio.run(it.heals_itself.run(lab()))


def test_clocks_run_ahead_in_the_copy_in_which_no_time_passes(checker: Callable[[str], Any], tmp_path: Path) -> None:
    it = checker("prepared-before-it-starts")
    for name, text in {**it._INSTEAD, **it._IN_PYTHON, **it._IN_BASH}.items():
        (tmp_path / name).write_text(text)

    def said(*words: Any) -> list[float]:
        env = {"PYTHONPATH": str(tmp_path), "BASH_ENV": str(tmp_path / "ahead.bash")}
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
        return [float(each) for each in done.stdout.split()]

    assert said("sh", tmp_path / "date", "+%s")[0] > time.time() + 600
    looks = "import time; print(*(clock() - clock() for clock in (time.time, time.monotonic, time.perf_counter)))"
    assert max(said(sys.executable, "-c", looks)) < -599
    begins = "from datetime import datetime, timedelta, timezone as zone; end = datetime.now(zone.utc)"
    ends = "print(int(datetime.now(zone.utc) > end + timedelta(minutes=5)))"
    assert said(sys.executable, "-c", f"{begins}; {ends}") == [1]
    in_bash = "end=$((SECONDS + 300)); until ((SECONDS > end)) || [ $SECONDS -gt 900 ]; do sleep 9; done; echo $SECONDS"
    assert said("timeout", "5", "bash", "-c", in_bash)[0] > 300


@pytest.mark.parametrize(
    ("probe", "more", "right"),
    [
        ({"httpGet": {"path": "/alive", "port": "PORT"}}, [], True),
        ({"httpGet": {"path": "/alive", "port": "http"}}, [], True),
        ({"exec": {"command": ["ask", "/alive"]}}, [], True),
        ({"httpGet": {"path": "/alive", "port": 1, "host": "192.0.2.1"}}, [], True),
        ({"httpGet": {"path": "/alive", "port": 1}}, [{"name": "beside"}], True),
        (None, [], True),
        ({"httpGet": {"path": "/alive", "port": 1}, "initialDelaySeconds": 60}, [], False),
        ({"httpGet": {"path": "/alive", "port": "other"}, "initialDelaySeconds": 60}, [], False),
        ({"tcpSocket": {"port": 1}, "initialDelaySeconds": 60}, [], False),
    ],
)
def test_a_probe_that_ends_what_is_well_is_seen_whenever_it_does(
    checker: Callable[[str], Any], probe: Any, more: Any, right: bool
) -> None:
    """Within the seconds of a look it may not have ended the container yet."""
    it = checker("crashing-container")
    words = {"name": "WORDS", "valueFrom": {"configMapKeyRef": {"name": f"{it.D.name}-words"}}}
    ports = [{"name": "http", "containerPort": it.D.port}, {"name": "other", "containerPort": it.D.other_port}]
    container = {"name": "server", "ports": ports, "env": [words]}
    if probe:
        container["livenessProbe"] = json.loads(json.dumps(probe).replace('"PORT"', str(it.D.port)))
    volume = {"configMap": {"name": f"{it.D.name}-program"}}
    spec = {"containers": [container, *more], "volumes": [volume]}
    one = SimpleNamespace(present=gives({"spec": {"template": {"spec": spec}}}))
    it.unchanged, it.steady = gives(READY), gives(READY)
    it.deployments = SimpleNamespace(exists=gives({}), rolled_out=gives(READY), owned_pods=gives([]))
    with contextlib.nullcontext() if right else pytest.raises(Failure, match="its liveness probe asks port"):
        asyncio.run(it.runs_on.run(lab(objects=Room(deployment=lambda name: one))))


@pytest.mark.parametrize(("asks", "right"), [("live", True), ("ready", False)])
def test_a_probe_that_restarts_who_is_busy_is_seen_before_the_restart_is(
    checker: Callable[[str], Any], asks: str, right: bool
) -> None:
    it = checker("probes-for-a-slow-program")
    probe = {"httpGet": {"path": getattr(it.D, asks), "port": it.D.port}, "periodSeconds": 1, "failureThreshold": 4}
    it.busy, it.settled = (
        gives(it.Busy(READY, READY, READY)),
        gives([{"spec": {"containers": [{"livenessProbe": probe}]}}]),
    )
    with contextlib.nullcontext() if right else pytest.raises(Failure, match=f"liveness probe: GET {it.D.ready} on"):
        asyncio.run(it.it_is_not_killed_for_it.run(lab()))
