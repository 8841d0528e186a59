"""Pieces of exam tasks' checkers: what they take for right, and what not, without a cluster."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mlops_lab.checks import Failure
from mlops_lab.kit.parallelism import began_with
from mlops_lab.labs.checker import load
from mlops_lab.tasks.drawing import draw
from mlops_lab.tasks.rendering import render
from mlops_lab.tasks.task import bank, named
from tests.made_up import made_up_lab

LONGEST = 240  # min, of `lab exam start --minutes`


@pytest.fixture
def checker(tmp_path: Path) -> Any:
    """A task's checker, or a module of it, as drawn with a seed."""

    def read(task: str, module: str = "") -> ModuleType:
        package = load(render(named(task, bank()), 3, "exam-1", tmp_path / task))
        return importlib.import_module(f"{package.__name__}.{module}") if module else package

    return read


@pytest.mark.parametrize("seed", range(20))
def test_a_job_is_there_when_the_longest_exam_is_graded(seed: int) -> None:
    assert draw(named("a-job-in-parts", bank()), seed)["keep"] > 60 * LONGEST


@pytest.mark.parametrize("seed", range(40))
def test_neither_the_version_before_nor_the_newer_ones_alone_are_right(seed: int) -> None:
    found = draw(named("promoted-without-approval", bank()), seed)
    good = [
        each.get("approved.by") in found["people"] and each["approved.by"] != each["trained.by"]
        for each in found["versions"]
    ]
    assert max(number for number, approved in enumerate(good, 1) if approved) == found["best"] < found["now"] - 1
    below = good[: found["best"] - 1]
    assert any(below) and not all(below)


@pytest.mark.parametrize("seed", range(40))
def test_the_one_before_is_neither_the_second_best_nor_the_number_before(seed: int) -> None:
    found = draw(named("promote-the-best", bank()), seed)
    accepted = {number: each["auc"] for number, each in enumerate(found["versions"], 1) if each["accepted"] == "yes"}
    best, second, *others = sorted(accepted, key=lambda number: -accepted[number])
    assert (best, second) == (found["best"], len(found["versions"])) and found["now"] in others
    assert found["now"] != best - 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, {}),
        ({"current_stage": "None", "description": ""}, {}),
        ({"current_stage": "Production"}, {"its stage": "Production"}),
        ({"description": "the best"}, {"its description": "the best"}),
    ],
)
def test_a_version_with_a_stage_is_another_one(checker: Any, more: dict[str, str], said: dict[str, str]) -> None:
    tags = [{"key": "accepted", "value": "yes"}, {"key": "mlflow.user", "value": "ada"}]
    assert checker("promote-the-best").said_of({"tags": tags, **more}) == {"accepted": "yes", **said}


@pytest.mark.parametrize(
    ("container", "said"),
    [
        ({"command": ["python3", "/program/part.py"]}, "python3 /program/part.py"),
        ({"command": ["python3"], "args": ["/program/part.py"]}, "python3 /program/part.py"),
        ({"command": ["/bin/sh", "-c", "exec python3  /program/part.py"]}, "python3 /program/part.py"),
        ({"command": ["sh", "-c"], "args": ["cp /program/part.py /tmp"]}, "cp /program/part.py /tmp"),
    ],
)
def test_what_starts_a_part(checker: Any, container: dict[str, Any], said: str) -> None:
    assert checker("a-job-in-parts", "parts").started_with(container) == said


@pytest.mark.parametrize(
    ("spans", "numbers"),
    [
        (["00-02", "00-02", "03-05", "04-06"], [2]),
        (["00-02", "00-02", "02-05", "04-06"], [2, 3]),  # made in the second in which one ended: before that, or after
        (["00-02", "03-05", "06-08", "09-11"], [1]),
        (["00-02", "00-03", "01-03", "01-04"], [4]),
        (["00-00", "00-01", "01-02", "02-03"], [0, 1, 2]),
    ],
)
def test_how_many_pods_a_job_began_with(spans: list[str], numbers: list[int]) -> None:
    def pod(begun: str, over: str) -> Any:
        ended = {"startedAt": f"2026-05-01T08:00:{begun}Z", "finishedAt": f"2026-05-01T08:00:{over}Z"}
        made = {"creationTimestamp": ended["startedAt"]}
        return {"metadata": made, "status": {"containerStatuses": [{"state": {"terminated": ended}}]}}

    assert [*began_with([pod(*each.split("-")) for each in spans])] == numbers


def test_a_flag_without_a_value_is_true(checker: Any) -> None:
    task = checker("a-scheduler-that-does-not-start")
    assert task._flags({"command": ["kube-scheduler", "--leader-elect", "--v=2"], "args": ["--bind-address=::"]}) == {
        "--leader-elect=true", "--v=2", "--bind-address=::",
    }  # fmt: skip


def test_a_container_may_stand_beside_the_sign(checker: Any) -> None:
    task = checker("config-that-is-not-read")
    copier, sign = {"name": "copier"}, {"name": "sign"}
    assert task._sign([copier, sign]) is sign
    assert task._sign([other := {"name": "renamed"}]) is other


def _canary(**more: Any) -> dict[str, Any]:
    container = {"name": "server", "image": "one", "env": [{"name": "MODEL_VERSION", "value": "v1"}]}
    return {"spec": {"strategy": {}, "template": {"spec": {"containers": [container | more]}}}}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"name": "canary"}, []),
        ({"ports": [{"containerPort": 8080}]}, []),
        ({"env": [{"name": "MODEL_VERSION", "value": "v2"}]}, []),
        ({"env": [{"name": "MODEL_VERSION", "value": "v2"}, {"name": "DEBUG", "value": "1"}]}, ["variables"]),
        ({"image": "two"}, ["image"]),
        ({"readinessProbe": {"periodSeconds": 1}}, ["readinessProbe"]),
    ],
)
def test_what_makes_a_canary_another_one(checker: Any, more: dict[str, Any], said: list[str]) -> None:
    alike = checker("a-small-canary", "alike")
    assert alike.differ(_canary(), _canary(**more), apart=("MODEL_VERSION",)) == said


@pytest.mark.parametrize(("more", "said"), [({}, []), ({"version": "v2"}, ["labels of the pods"])])
def test_a_canary_bears_the_same_labels_but_for_its_track(checker: Any, more: dict[str, str], said: list[str]) -> None:
    was, now = _canary(), _canary()
    was["spec"]["template"]["metadata"] = {"labels": {"app": "a", "track": "stable"}}
    now["spec"]["template"]["metadata"] = {"labels": {"app": "a", "track": "canary"} | more}
    assert checker("a-small-canary", "alike").differ(was, now, apart=()) == said


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"suspend": False}, 0), ({"timeZone": "Etc/UTC"}, 0), ({"suspend": True}, 1), ({"timeZone": "Asia/Tokyo"}, 1)
    ],
)  # fmt: skip
def test_a_cronjob_that_rests_or_goes_by_another_clock(checker: Any, spec: dict[str, Any], said: int) -> None:
    assert len(checker("an-old-manifest")._at_other_times(spec)) == said


@pytest.mark.parametrize(
    ("mount", "parts"),
    [
        ({"mountPath": "{folder}"}, False),
        ({"mountPath": "{folder}/", "readOnly": True}, False),
        ({"mountPath": "{folder}/token", "subPath": "token"}, True),
        ({"mountPath": "/run/{name}", "subPath": "here"}, True),
        ({"mountPath": "/elsewhere", "subPath": "token"}, False),
    ],
)
def test_a_token_by_sub_path(checker: Any, mount: dict[str, Any], parts: bool) -> None:
    task = checker("an-identity-of-its-own")
    names = {"folder": task.D.folder, "name": Path(task.D.folder).name}
    mount = mount | {"mountPath": mount["mountPath"].format(**names)}
    assert task._of_parts({"spec": {"containers": [{"volumeMounts": [mount]}]}}) is parts


def test_a_probe_may_ask_its_port_by_number(checker: Any) -> None:
    task = checker("an-old-manifest")
    for port in ("http", task.D.port):
        probe = {"tcpSocket": {"port": port}, "periodSeconds": 1}
        assert task._first({"spec": {"containers": [{"readinessProbe": probe}]}})["readinessProbe"] == task._PROBE


@pytest.mark.parametrize(
    ("container", "asks"),
    [
        ({"readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}}}, True),
        ({"readinessProbe": {"exec": {"command": ["curl", "-f", "localhost:8080/readyz"]}}}, True),
        ({"startupProbe": {"httpGet": {"path": "/readyz"}}, "readinessProbe": {"tcpSocket": {"port": 8080}}}, True),
        ({"readinessProbe": {"httpGet": {"path": "/healthz"}, "initialDelaySeconds": 15}}, False),
        ({"livenessProbe": {"httpGet": {"path": "/readyz"}}}, False),
        ({}, False),
    ],
)
def test_a_delay_does_not_ask_whether_the_model_is_loaded(checker: Any, container: dict[str, Any], asks: bool) -> None:
    assert checker("serve-the-model").asks_the_server(container) is asks


@pytest.mark.parametrize(
    ("probe", "asks"), [({"exec": {"command": ["python3", "/probe/ready.py"]}}, True), ({"tcpSocket": {}}, False)]
)
def test_a_script_that_asks_whether_the_model_is_loaded_may_be_mounted(checker: Any, probe: Any, asks: bool) -> None:
    script = {"data": {"ready.py": "urllib.request.urlopen('http://localhost:8080/readyz')"}}
    assert checker("serve-the-model").asks_the_server({"readinessProbe": probe}, [script]) is asks


@pytest.mark.parametrize(
    ("job", "template", "said"),
    [
        ({"backoffLimit": 0, "activeDeadlineSeconds": 12}, {"backoffLimit": 0, "activeDeadlineSeconds": 12}, []),
        ({"backoffLimit": 1, "activeDeadlineSeconds": 15}, {"backoffLimit": 0, "activeDeadlineSeconds": 12}, []),
        ({"backoffLimit": 1, "activeDeadlineSeconds": 20}, {"backoffLimit": 1, "activeDeadlineSeconds": 20}, []),
        ({"backoffLimit": 6, "activeDeadlineSeconds": 15}, {"backoffLimit": 1}, ["backoffLimit"]),
        (
            {"backoffLimit": 1, "activeDeadlineSeconds": 60}, {"backoffLimit": 1, "activeDeadlineSeconds": 15},
            ["activeDeadlineSeconds"],
        ),
        ({"backoffLimit": 1}, {"backoffLimit": 1, "activeDeadlineSeconds": 15}, ["activeDeadlineSeconds"]),
    ],
)  # fmt: skip
def test_a_run_has_no_more_than_its_cronjob_gives(
    checker: Any, job: dict[str, Any], template: dict[str, Any], said: list[str]
) -> None:
    assert checker("runs-that-fail").wider_bounds({"spec": job}, {"spec": template}) == said


@pytest.mark.parametrize(
    ("probe", "after"),
    [
        ({"periodSeconds": 5}, 15), ({"failureThreshold": 2}, 20), ({"periodSeconds": 60}, 180),
        ({"periodSeconds": 5, "initialDelaySeconds": 20}, 15), ({"periodSeconds": 5, "initialDelaySeconds": 21}, 16),
    ],
)  # fmt: skip
def test_how_long_a_probe_takes_at_most(checker: Any, probe: dict[str, Any], after: int) -> None:
    trial = checker("crashing-container", "trial")
    assert trial.noticed_after({"spec": {"containers": [{"livenessProbe": probe}]}}) == after
    assert trial.noticed_after({"spec": {"containers": [{}]}}) == 0


@pytest.mark.parametrize(
    ("starting", "after"),
    [
        ({"httpGet": {"path": "/alive"}, "periodSeconds": 1, "failureThreshold": 60}, 9),
        ({"httpGet": {"path": "/alive"}, "periodSeconds": 15, "failureThreshold": 60}, 9),
        ({"httpGet": {"path": "/alive"}, "periodSeconds": 60, "failureThreshold": 30}, 45 + 29 * 60),
        ({"httpGet": {"path": "/alive"}, "periodSeconds": 1, "initialDelaySeconds": 60}, 46 + 2),
        ({"httpGet": {"path": "/"}, "periodSeconds": 20}, 5 + 9),
        ({"tcpSocket": {}, "periodSeconds": 60}, 45 + 9),
    ],
)
def test_nobody_asks_until_a_startup_probe_has_succeeded(checker: Any, starting: dict[str, Any], after: int) -> None:
    container = {"livenessProbe": {"periodSeconds": 3}, "startupProbe": starting}
    assert checker("crashing-container", "trial").noticed_after({"spec": {"containers": [container]}}) == after


@pytest.mark.parametrize(
    ("probe", "itself"),
    [
        ({"httpGet": {"path": "/alive", "port": "PORT"}}, True),
        ({"httpGet": {"path": "/alive", "port": "http"}}, True),
        ({"httpGet": {"path": "/alive", "port": "PORT", "host": "192.0.2.1"}}, False),
        ({"httpGet": {"path": "/alive", "port": 9090}}, False),
        ({"exec": {"command": ["test", "!", "-e", "/tmp/hung"]}}, False),
        ({}, False),
    ],
)
def test_a_probe_that_asks_somebody_else_is_tried_without_the_drill(checker: Any, probe: Any, itself: bool) -> None:
    port = checker("crashing-container").D.port
    container = {"ports": [{"name": "http", "containerPort": port}]}
    container |= {"livenessProbe": json.loads(json.dumps(probe).replace('"PORT"', str(port)))}
    trial = checker("crashing-container", "trial")
    assert trial.asks_itself({"spec": {"containers": [container]}}, port) is itself


@pytest.mark.parametrize(("limit", "right"), [("72Mi", True), ("0", False), (None, False), ("1Gi", False)])
def test_a_memory_limit_of_0_is_none(checker: Any, monkeypatch: pytest.MonkeyPatch, limit: Any, right: bool) -> None:
    async def owned_pods(*given: Any) -> Any:
        resources = {"limits": {"memory": limit}} if limit else {}
        return [{"metadata": {}, "spec": {"containers": [{"name": "server", "resources": resources}]}}]

    task = checker("crashing-container")
    monkeypatch.setattr(task.deployments, "owned_pods", owned_pods)
    with contextlib.nullcontext() if right else pytest.raises(Failure, match="a memory limit of at most"):
        asyncio.run(task.memory_is_limited.run(made_up_lab()))


@pytest.mark.parametrize(
    ("state", "ended"), [({"running": {}}, False), ({"terminated": {}}, True), ({"waiting": {"reason": "Back"}}, True)]
)
def test_a_container_that_waits_to_be_started_again_has_ended(checker: Any, state: Any, ended: bool) -> None:
    pod = {"status": {"containerStatuses": [{"state": state, "restartCount": 2}]}}
    assert checker("crashing-container", "trial")._ended(pod) is ended


@pytest.mark.parametrize(
    ("program", "words", "right"),
    [
        ("program", {"valueFrom": {"configMapKeyRef": {"name": "{}-words", "key": "k"}}}, True),
        ("copy", {"valueFrom": {"configMapKeyRef": {"name": "{}-words", "key": "k"}}}, False),
        ("program", {"value": "another"}, False),
        ("program", {"value": "", "valueFrom": {"configMapKeyRef": {"name": "{}-words"}}}, False),
    ],
)
def test_program_and_words_come_from_the_config_maps(
    checker: Any, program: str, words: dict[str, Any], right: bool
) -> None:
    task = checker("crashing-container")
    words = json.loads(json.dumps(words).replace("{}", task.D.name))
    words |= {"value": task.D.words} if words.get("value") == "" else {}
    volume = {"configMap": {"name": f"{task.D.name}-{program}"}}
    assert task._takes_both({"containers": [{"env": [words]}], "volumes": [volume]}).ok is right


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([], []),
        ([{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1]}}], []),
        ([{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}], []),
        ([{"action": "Ignore", "onExitCodes": {"operator": "NotIn", "values": [0]}}], ["Ignore by exit codes"]),
        ([{"action": "Ignore", "onPodConditions": [{"type": "Ready", "status": "False"}]}], ["Ignore by Ready"]),
    ],
)
def test_a_failure_that_counts_for_nothing_bounds_nothing(checker: Any, rules: list[Any], said: list[str]) -> None:
    assert checker("runs-that-fail").uncounted({"podFailurePolicy": {"rules": rules}}) == said


@pytest.mark.parametrize(("zone", "right"), [(None, True), ("Etc/UTC", True), ("Asia/Tokyo", False)])
def test_a_schedule_is_by_the_clusters_clock(
    checker: Any, monkeypatch: pytest.MonkeyPatch, zone: str | None, right: bool
) -> None:
    task = checker("runs-that-fail")

    async def exists(*given: Any, **more: Any) -> Any:
        job = {"backoffLimit": 1, "activeDeadlineSeconds": 15}
        template = {"spec": {"serviceAccountName": f"{task.D.name}-reader"}}
        spec = {"schedule": task.D.schedule, "jobTemplate": {"spec": job | {"template": template}}}
        return {"spec": spec | ({"timeZone": zone} if zone else {})}

    monkeypatch.setattr(task.presence, "exists", exists)
    with contextlib.nullcontext() if right else pytest.raises(Failure, match="timeZone Asia/Tokyo"):
        asyncio.run(task.bounds_stay.run(made_up_lab()))


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        ("", []), ("interval: 15s", []), ("interval: 1m", []), ("interval: 60000ms", []),
        ("interval: 1m30s", ["group errors: every 1m30s"]), ("interval: 1h", ["group errors: every 1h"]),
    ],
)  # fmt: skip
def test_a_group_may_say_how_often_its_rules_are_evaluated(checker: Any, interval: str, said: list[str]) -> None:
    text = f"groups:\n  - name: errors\n    {interval}\n    rules: []\n  - name: more\n"
    assert checker("alert-on-errors", "rules").seldom_evaluated(text) == said
