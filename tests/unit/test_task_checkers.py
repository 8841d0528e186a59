"""What checkers of tasks decide without a cluster: other right works pass, and what stays as it is stays so."""

from __future__ import annotations

import asyncio
import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.checks import Observation
from mlops_lab.checks.rooms.work import Work
from mlops_lab.kit.given import in_manifests
from mlops_lab.kit.unchanged import AROUND, ROLLOUT, changes
from mlops_lab.labs.checker import load
from mlops_lab.tasks.lab import TaskLab
from mlops_lab.tasks.rendering import render
from mlops_lab.tasks.task import bank, named
from tests.lab_programs import Checker
from tests.made_up import NothingThere, NoTime, NoTraffic, Platform, Room

_SPACE = "spaceless"
_HERE = "template.spec.containers"


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


def _revised(item: Any) -> None:
    _scaled(item)
    item["spec"]["revisionHistoryLimit"] = 1
    _server(item)["command"][-1] = "another"
    _server(item)["env"][1]["value"] = "another"


# Task, its free fields, what right works change, and then: the field that a wrong one changes.
STAYS: list[tuple[str, str, Callable[[Any], None], str, str]] = [
    ("scale-and-survive", "model", _surviving, "readinessProbe", f"{_HERE}[server].readinessProbe"),
    ("scale-and-survive", "model", _surviving, "command", f"{_HERE}[server].command"),
    ("reuse-a-released-volume", "app", _scaled, "env", f"{_HERE}[web].env"),
    ("roll-back-a-release", "app", _revised, "readinessProbe", f"{_HERE}[web].readinessProbe"),
    ("roll-back-a-release", "app", _revised, "image", f"{_HERE}[web].image"),
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
    [({"periodSeconds": 4}, 12), ({"periodSeconds": 5, "failureThreshold": 2}, 10), ({"initialDelaySeconds": 5}, 30)],
)
def test_a_probe_takes_all_its_periods_at_worst(checker: Callable[[str], Any], probe: Any, seconds: int) -> None:
    async def present() -> Any:
        return {"spec": {"containers": [{"livenessProbe": probe}]}}

    made = lab(objects=Room(named=lambda *given: SimpleNamespace(present=present)))
    assert asyncio.run(checker("one-pod-on-every-node").longest(made, "a-pod")) == seconds


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
    ("more", "said"),
    [({}, ""), ({"pod-template-hash": "5d8f"}, "pod-template-hash=5d8f"), ({"track": "past"}, "track=past")],
)
def test_a_selector_has_labels_of_the_template_alone(checker: Callable[[str], Any], more: Any, said: str) -> None:
    it = checker("expose-a-deployment")
    given = in_manifests(it.start, "Deployment", it.D.app)

    async def present() -> Any:
        return given

    made = lab(objects=Room(deployment=lambda name: SimpleNamespace(present=present)))
    seen = asyncio.run(it.by_the_template(made, {"selector": {"app": it.D.label, **more}}))
    assert seen.ok is not bool(said) and said in seen.seen
    assert not asyncio.run(it.by_the_template(made, {})).ok
