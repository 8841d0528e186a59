"""Lab 23: its server, the room that its quota leaves, what a pod may request, and how what went wrong is explained."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import project
from mlops_lab.checks import Failure, Observation
from mlops_lab.checks.matchers import quantity
from mlops_lab.kit.autoscalers import Autoscaler
from mlops_lab.kit.given import in_manifests
from mlops_lab.kube.client import Object
from tests.lab_programs import loaded
from tests.made_up import NothingThere, NoTime, Room, made_up_lab

START = project() / "labs/23-fix-autoscaling-and-rollout/start"


@pytest.fixture(scope="module")
def lab() -> Any:
    """The lab's checker."""
    return loaded("23")


def seeded(kind: str, name: str) -> Object:
    return in_manifests(START, kind, name)


def released() -> list[Object]:
    """The containers as the lab's own release leaves them."""
    first: Object = seeded("Deployment", "model")["spec"]["template"]["spec"]["containers"][0]
    changed, *more = json.loads(seeded("ConfigMap", "release")["data"]["v2.json"])["spec"]["template"]["spec"][
        "containers"
    ]
    asked = {"requests": first["resources"]["requests"] | changed["resources"]["requests"]}
    return [{**first, **changed, "resources": asked}, *more]


def memory(containers: list[Object]) -> float:
    return float(sum(quantity(each["resources"]["requests"]["memory"]) for each in containers))


def test_the_quota_has_no_room_for_the_release_and_enough_for_what_is_agreed(lab: Any) -> None:
    room = float(quantity(lab.ROOM))
    assert seeded("ResourceQuota", "team")["spec"]["hard"] == {"requests.memory": lab.ROOM}
    old, reports = (
        memory(seeded("Deployment", name)["spec"]["template"]["spec"]["containers"]) for name in ("model", "reports")
    )
    assert memory(released()) < room < memory(released()) + old + reports
    # Three pods, one more in a rollout and two that are leaving, and all of the reports.
    most = float(quantity(lab.MEMORY[1]))
    assert 6 * most + 2 * reports <= room


def test_the_seed_begins_with_the_faults_that_the_hints_name() -> None:
    server, shipper = released()
    assert server["readinessProbe"]["httpGet"]["path"] == "/ready"
    assert [set(each["resources"]["requests"]) for each in (server, shipper)] == [{"memory"}] * 2
    aims = [seeded("HorizontalPodAutoscaler", name)["spec"]["scaleTargetRef"]["name"] for name in ("model", "reports")]
    assert aims == ["flight-model", "model"]


def test_the_programs_of_the_seed_can_be_read() -> None:
    for each in yaml.safe_load_all((START / "seed.yaml").read_text()):
        for name, text in (each.get("data") or {}).items():
            compile(text, name, "exec") if name.endswith(".py") else json.loads(text)


def asked(port: int, path: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as other:
        with other:
            return other.code, json.load(other)


def test_the_server_answers_when_it_has_loaded_writes_lines_and_ends(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = seeded("ConfigMap", "program")["data"]["serve.py"]
    for old, new in {
        "/model/": f"{tmp_path}/",
        "/log/": f"{tmp_path}/",
        '("", 8080)': f'("127.0.0.1", {port})',
    }.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    (tmp_path / "serve.py").write_text(text)
    (tmp_path / "metadata.json").write_text('{"model_version": "v2"}')
    settings = os.environ | {"MODEL_LOAD_SECONDS": "1", "HOSTNAME": "model-1"}
    with subprocess.Popen([sys.executable, str(tmp_path / "serve.py")], env=settings) as server:
        try:
            end = time.monotonic() + 10
            while time.monotonic() < end:
                try:
                    assert asked(port, "/healthz")[0] == 200
                    break
                except OSError:
                    time.sleep(0.02)
            assert [asked(port, path)[0] for path in ("/readyz", "/version", "/predict?flight=UA1")] == [503] * 3
            while asked(port, "/readyz")[0] != 200 and time.monotonic() < end:
                time.sleep(0.05)
            assert asked(port, "/version") == (200, {"model_version": "v2", "pod": "model-1"})
            status, said = asked(port, "/predict?flight=UA15")
            assert status == 200 and said["model_version"] == "v2" and 0 <= said["late"] < 1
            assert asked(port, "/ready")[0] == 404
            assert (tmp_path / "requests").read_text() == "forecast for UA15\n"
        finally:
            server.terminate()
            assert server.wait(5) == 0


def pod(*requests: Object) -> Object:
    return {"spec": {"containers": [{"resources": {"requests": each}} for each in requests]}}


def test_a_pods_containers_together_have_a_share_with_two_ends(lab: Any) -> None:
    good = pod({"cpu": "50m", "memory": "32Mi"}, {"cpu": "5m", "memory": "16Mi"})
    assert str(lab.cpu([good])).endswith("55m") and lab.cpu([good]).ok
    assert lab.memory([good]).ok and lab.cpu([pod({"cpu": "0.05"}, {"cpu": "50m"})]).ok
    assert [lab.cpu([good, pod({"cpu": value})]).ok for value in ("49m", "101m", "100m")] == [False, False, True]
    assert [lab.memory([pod({"memory": value})]).ok for value in ("31Mi", "65Mi", "64Mi")] == [False, False, True]
    assert not lab.cpu([pod({})]).ok


def test_what_a_pod_requests_is_more_than_its_containers_sum(lab: Any) -> None:
    good = {"cpu": "60m", "memory": "48Mi"}
    before, whole, both = pod(good), pod({"cpu": "5m"}), pod(good)
    before["spec"]["initContainers"] = [{"resources": {"requests": {"memory": "128Mi"}}}]
    assert lab.memory([before]).seen == "128Mi" and not lab.memory([before]).ok and lab.cpu([before]).ok
    whole["spec"]["resources"] = {"requests": good}
    assert lab.memory([whole]).ok and lab.cpu([whole]).ok
    both["spec"]["resources"] = {"requests": {"memory": "128Mi"}, "limits": {"memory": "128Mi"}}
    assert not lab.memory([both]).ok and lab.cpu([both]).ok


@pytest.mark.parametrize(
    ("template", "seen"),
    [
        (pod({"cpu": "50m", "memory": "32Mi"}, {"cpu": "5m"}), ""),
        (pod({"cpu": "100m", "memory": "48Mi"}, {}), ""),
        (pod({"cpu": "50m", "memory": "96Mi"}, {"cpu": "5m"}), "112Mi"),
        (pod({"memory": "32Mi"}, {}), "0m"),
    ],
)
def test_the_next_pod_has_to_keep_to_its_share_as_well(
    template: Object, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = loaded("23")

    async def own(lab: Any) -> list[Object]:
        return [pod({"cpu": "50m", "memory": "32Mi"}, {"cpu": "5m", "memory": "16Mi"})]

    async def right(*given: Any, **more: Any) -> Any:
        return {"metadata": {"name": "model"}, "spec": {"template": template, "hard": {"requests.memory": "512Mi"}}}

    async def limits(kind: str, selector: str = "") -> list[Object]:
        return [seeded("LimitRange", "defaults")]

    async def refused(lab: Any) -> Observation:
        return Observation(True, "", "")

    monkeypatch.setattr(it, "presence", Room(exists=right))
    monkeypatch.setattr(it, "own_pods", own)
    monkeypatch.setattr(it, "beyond_is_refused", refused)
    objects = NothingThere(deployment=lambda name: Room(present=right), all=limits)
    with pytest.raises(Failure, match=f"saw {seen}:") if seen else contextlib.nullcontext():
        asyncio.run(it.keeps_to_its_share.run(made_up_lab("23", objects=objects)))


def autoscaler(*metrics: Object, **status: Any) -> Autoscaler:
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "model"}, "maxReplicas": 3, "metrics": list(metrics)}
    return Autoscaler({"metadata": {"name": "model"}, "spec": spec, "status": status})


def condition(kind: str, status: str, reason: str = "", message: str = "") -> Object:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def test_what_an_autoscaler_aims_at_is_said_whatever_its_form(lab: Any) -> None:
    percent = {"target": {"type": "Utilization", "averageUtilization": 60}}
    of_pods = {"type": "Resource", "resource": {"name": "cpu", **percent}}
    of_one = {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "server", **percent}}
    plain = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "AverageValue", "averageValue": "60m"}}}
    assert lab.target(autoscaler(of_pods)) == lab.target(autoscaler(of_one)) == lab.TARGET
    assert lab.target(autoscaler(plain)) == "60m of cpu"
    assert lab.target(autoscaler(of_pods, of_one)) != lab.TARGET != lab.target(autoscaler())


def test_how_long_an_autoscaler_waits_is_said_where_nothing_is_named(lab: Any) -> None:
    hpa = autoscaler()
    assert lab.window(hpa) == 300
    for seconds in (0, 15):
        hpa.item["spec"]["behavior"] = {"scaleDown": {"stabilizationWindowSeconds": seconds}}
        assert lab.window(hpa) == seconds


@pytest.mark.parametrize(("seconds", "judged"), [(15, True), (0, True), (60, False), (None, False)])
def test_pods_that_a_long_window_keeps_are_no_fault_of_the_autoscalers_bounds(
    seconds: int | None, judged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab23 = loaded("23")
    down = {} if seconds is None else {"stabilizationWindowSeconds": seconds}
    right = Observation(True, "", "")

    async def one_as_agreed(lab: Any, deployment: str) -> Autoscaler:
        return Autoscaler({"metadata": {"name": deployment}, "spec": {"behavior": {"scaleDown": down}}})

    async def ok(*given: Any, **more: Any) -> Observation:
        return right

    async def never_rests(*given: Any, **more: Any) -> Observation:
        return Observation(False, "exactly 1 pod", "3 pods")

    async def why_not_one(*given: Any) -> str:
        return ""

    lab23.one_as_agreed, lab23.computes, lab23.why_not_one = one_as_agreed, ok, why_not_one
    monkeypatch.setattr(lab23.deployments, "rolled_out", ok)
    monkeypatch.setattr(lab23.autoscalers, "rests_at_one", never_rests)
    made = made_up_lab(objects=NothingThere(named=lambda kind, name: SimpleNamespace(now=ok)))
    if judged:
        with pytest.raises(Failure, match="3 pods"):
            asyncio.run(lab23.each_has_its_autoscaler.run(made))
    else:
        asyncio.run(lab23.each_has_its_autoscaler.run(made))


def test_an_autoscaler_moves_both_ways(lab: Any) -> None:
    hpa = autoscaler()
    assert lab.moves(hpa).ok
    hpa.item["spec"]["behavior"] = {"scaleUp": {"selectPolicy": "Min"}, "scaleDown": {"stabilizationWindowSeconds": 60}}
    assert lab.moves(hpa).ok
    hpa.item["spec"]["behavior"]["scaleDown"]["selectPolicy"] = "Disabled"
    assert lab.moves(hpa).seen == "behavior.scaleDown: selectPolicy Disabled"


def test_an_autoscaler_says_first_what_it_can_not_do(lab: Any) -> None:
    able, active = condition("AbleToScale", "True"), condition("ScalingActive", "True")
    lost = condition("AbleToScale", "False", "FailedGetScale", "deployments.apps\n not found")
    blind = condition("ScalingActive", "False", "FailedGetResourceMetric", "missing request for cpu")
    states = [
        lab.state({"status": {"conditions": each}} | {"spec": {}})
        for each in ([lost], [able, blind], [able, active], [])
    ]
    assert states == [
        "FailedGetScale: deployments.apps not found", "FailedGetResourceMetric: missing request for cpu", "it computes",
        "it has not looked yet",
    ]  # fmt: skip
    assert lab.state(None) == "it is gone"


def test_without_figures_from_the_metrics_api_nobody_is_to_blame(lab: Any) -> None:
    def without(message: str, reason: str = "FailedGetResourceMetric") -> Autoscaler:
        return autoscaler(conditions=[condition("ScalingActive", "False", reason, message)])

    assert "one of them requests no cpu" in lab.without_figures(without("missing request for cpu in container shipper"))
    assert "describe hpa" in lab.without_figures(without("unable"))
    assert "describe hpa" not in lab.cause(without("unable"))
    assert "more than one" in lab.without_figures(without("pods are controlled by multiple", "AmbiguousSelector"))
    with pytest.raises(LabError, match="no figures"):
        lab.without_figures(without("no metrics returned from resource metrics API"))
    with pytest.raises(LabError, match="no figures"):
        lab.cause(without("no metrics returned from resource metrics API"))
    assert lab.without_figures(None)


def test_the_only_pod_goes_first_where_the_strategy_says_so(lab: Any) -> None:
    def rolling(**numbers: Any) -> str:
        return str(lab.takes_the_old_first({"type": "RollingUpdate", "rollingUpdate": numbers}))

    assert lab.takes_the_old_first({"type": "Recreate"}) == "Recreate"
    assert rolling(maxSurge=0, maxUnavailable="25%") == "maxSurge 0"
    assert rolling(maxSurge=1, maxUnavailable=1) == "maxUnavailable 1"
    assert rolling(maxUnavailable="100%") == "maxUnavailable 100%"
    fine: list[Object] = [{}, {"maxSurge": 1, "maxUnavailable": 0}, {"maxSurge": "25%", "maxUnavailable": "25%"}]
    assert [rolling(**each) for each in fine] == [""] * 3


def test_lost_requests_are_explained_by_what_the_deployment_says(lab: Any) -> None:
    whole = copy.deepcopy(seeded("Deployment", "model"))
    assert lab.why_lost(whole, Counter({0: 3})) == lab.SEE_EVIDENCE
    server = whole["spec"]["template"]["spec"]["containers"][0]
    server["readinessProbe"]["httpGet"]["path"] = "/healthz"
    assert "asks /healthz" in lab.why_lost(whole, Counter({503: 9}))
    del server["lifecycle"]
    assert "no preStop wait" in lab.why_lost(whole, Counter({0: 3}))


def test_a_server_without_a_wait_ends_as_soon_as_its_pod_is_told_to_go(lab: Any) -> None:
    def said(grace: int = 10, **lifecycle: Any) -> str:
        spec = {"containers": [{"lifecycle": lifecycle}], "terminationGracePeriodSeconds": grace}
        return str(lab.ends_at_once({"spec": spec}))

    assert lab.ends_at_once(seeded("Deployment", "model")["spec"]["template"]) == ""
    assert lab.ends_at_once({"spec": {"containers": [{"name": "server"}]}}) == "no preStop hook"
    assert said(stopSignal="SIGTERM") == "no preStop hook"
    assert said(stopSignal="SIGUSR1") == ""
    assert said(preStop={"exec": {"command": ["sleep", "5"]}}) == said(preStop={"sleep": {"seconds": 1}}) == ""
    assert said(preStop={"sleep": {"seconds": 0}}) == "a preStop hook that sleeps for 0 s"
    assert said(grace=0, preStop={"sleep": {"seconds": 5}}) == "terminationGracePeriodSeconds 0"


def running(**changed: Any) -> Object:
    """A pod of the release, with something changed in its spec."""
    spec: Object = copy.deepcopy(seeded("Deployment", "model"))["spec"]["template"]["spec"]
    spec["containers"] = copy.deepcopy(released())
    return {"metadata": {"name": "model-1"}, "spec": spec | changed}


def told(lab: Any, pods: list[Object], files: Object | None = None) -> Any:
    """What the checker says of pods as the given server."""
    data = files if files is not None else seeded("ConfigMap", "program")["data"]

    async def found(_: Any) -> list[Object]:
        return pods

    async def now() -> Object:
        return {"data": data}

    before, lab.own_pods = lab.own_pods, found
    try:
        named = lambda kind, name: SimpleNamespace(now=now)  # noqa: E731
        return asyncio.run(lab.given(made_up_lab("23", objects=NothingThere(named=named))))
    finally:
        lab.own_pods = before


def test_the_given_server_is_told_from_others(lab: Any) -> None:
    assert told(lab, [running()]).ok
    other = running()
    other["spec"]["containers"][0]["image"] = "localhost:5001/flight-delay:v1"
    assert "image" in told(lab, [running(), other]).seen
    quick = running()
    quick["spec"]["containers"][0]["env"][0]["value"] = "0"
    assert "MODEL_LOAD_SECONDS 0, not 6" in told(lab, [quick]).seen
    assert told(lab, [running()], {"serve.py": "print()"}).seen == "another program in ConfigMap program"
    assert "no ConfigMap" in told(lab, [running(volumes=[{"name": "program", "emptyDir": {}}])]).seen
    over = running()
    over["spec"]["containers"][0]["volumeMounts"].append({"name": "log", "mountPath": "/program/serve.py"})
    assert "no ConfigMap" in told(lab, [over]).seen


@pytest.mark.parametrize(
    ("source", "ok"),
    [
        ({"emptyDir": {"medium": "Memory"}}, True),
        ({"ephemeral": {"volumeClaimTemplate": {}}}, True),
        ({"persistentVolumeClaim": {"claimName": "model-log"}}, False),
        ({"hostPath": {"path": "/var/log/model"}}, False),
    ],
)
def test_the_log_is_its_pods_own(lab: Any, source: Object, ok: bool) -> None:
    program = seeded("Deployment", "model")["spec"]["template"]["spec"]["volumes"][0]
    seen = told(lab, [running(volumes=[program, {"name": "log", **source}])])
    assert seen.ok is ok
    assert ok or seen.seen == "at /log no volume that is the pod's own"


def shipped(
    lab: Any, pods: list[Object], *, prints: bool, begins: str = "", last: int = 0, once: bool = False,
    twice: str | None = None, without: str = "-", storm: int = 50, anew: bool = False, late: bool = False,
    gone: bool = False, slow: bool = False, rare: bool = False, away: bool = False,
) -> Any:  # fmt: skip
    """What the checker says of pods whose shippers print what was asked for, its last lines, each once, or nothing.

    Args:
        twice: how the lines end that they print twice.
        without: how those end that they don't print.
        storm: lines that are there before.
        anew: whether they print the whole file again meanwhile.
        late: whether they print nothing more after the first forecasts.
        gone: whether the first pod has gone with its log before the last forecasts.
        slow: whether the first answer to each request comes too late, so that the checker asks again.
        rare: whether the flight that follows the first forecasts at once is not printed soon.
        away: whether the node of the last pod says nothing of its logs once forecasts are asked for.
    """
    lines, paused = ["forecast for any"] * storm, list[int]()

    async def found(_: Any) -> list[Object]:
        return pods

    async def get(service: str, path: str, **more: Any) -> Any:
        lines.append(f"forecast for {path.partition('=')[2] or 'any'}")
        return SimpleNamespace(status=200, shown="")

    async def first_answer(ask: Any, *given: Any, **more: Any) -> Any:
        if slow:
            await ask()
        return await ask()

    async def pause(seconds: float) -> None:
        paused.append(len(lines))

    async def run_in(pod: str, *command: str, container: str) -> Any:
        program, *texts = command[2:]
        assert (program, texts[-1], container) == (lab._COUNT, "forecast for any", "server")
        if gone:
            raise LabError("there is no such pod", "")
        return SimpleNamespace(code=0, lines=[str(sum(text in each for each in lines)) for text in texts], errors="")

    async def logs(pod: str, *given: Any, **more: Any) -> str:
        if pod == begins:
            raise LabError("container shipper is waiting to start", "")
        if away and pod == pods[-1]["metadata"]["name"] and len(lines) > storm:
            raise LabError("the node can't be reached", "", transient=True)
        said = [each for each in (dict.fromkeys(lines) if once else lines) if not each.endswith(without)]
        said = [each for each in said for _ in range(2 if twice is not None and each.endswith(twice) else 1)]
        if rare and not paused:
            said = said[: storm + 17]
        if paused:
            said = [*said, *said] if anew else said[: paused[0]] if late else said[paused[0] :] if gone else said
        return "\n".join(said[-last:] if prints else [])

    before, lab.owned_pods = lab.owned_pods, found
    try:
        traffic = Room(get=get, first_answer=first_answer)
        objects = NothingThere(logs=logs, run_in=run_in)
        time = NoTime(pause=pause)
        return asyncio.run(lab.ships(made_up_lab("23", traffic=traffic, objects=objects, time=time)))
    finally:
        lab.owned_pods = before


def test_a_shipper_must_print_what_was_asked_for(lab: Any) -> None:
    assert shipped(lab, [running()], prints=True).ok
    assert shipped(lab, [running()], prints=False).seen.endswith("; for any: 0 of 3")
    assert ": 0 of 1; " in shipped(lab, [running()], prints=True, last=3).seen
    assert ": 1 of 5; " in shipped(lab, [running()], prints=True, once=True).seen
    assert shipped(lab, [running()], prints=True, without=" any").seen == "printed for any: 0 of 3"
    assert ": 2 of 1; " in shipped(lab, [running()], prints=True, twice="").seen
    added = running() | {"metadata": {"name": "model-2"}}
    assert shipped(lab, [running(), added], prints=True, begins="model-2").ok
    alone = running(containers=released()[:1])
    assert shipped(lab, [alone], prints=True).seen == "pod model-1 has no container shipper"


def test_a_node_whose_logs_cant_be_had_is_no_fault_of_the_shippers(lab: Any) -> None:
    with pytest.raises(LabError, match="can't be reached"):
        shipped(lab, [running()], prints=True, away=True)


@pytest.mark.parametrize("storm", [0, 50, 900])
def test_a_shipper_prints_no_line_again(lab: Any, storm: int) -> None:
    assert shipped(lab, [running()], prints=True, storm=storm).ok
    seen = shipped(lab, [running()], prints=True, storm=storm, anew=True).seen
    assert ": 2 of 1; " in seen and ": 10 of 5" in seen
    seen = shipped(lab, [running()], prints=True, storm=storm, twice=" any").seen
    written = storm + 3
    assert seen == f"printed for any: {2 * written} of {written}"


def test_who_has_just_printed_must_print_the_next_one_soon(lab: Any) -> None:
    assert shipped(lab, [running()], prints=True, rare=True).seen.count(": 0 of 1") == 1


def test_all_is_asked_for_again_only_where_a_pod_has_come_or_gone(lab: Any) -> None:
    added, going = (running() | {"metadata": {"name": "model-2"} | each} for each in ({}, {"deletionTimestamp": "now"}))
    assert lab._same([running()], [running()])
    assert not lab._same([running()], [running(), added]) and not lab._same([running(), going], [running(), going])
    pods = [running(), going]
    assert shipped(lab, [running()], prints=True, twice=" any").seen == "printed for any: 106 of 53"
    assert shipped(lab, pods, prints=True, begins="model-2", twice=" any").seen == "printed for any: 118 of 59"


def test_what_is_printed_later_is_late_and_what_went_with_its_pod_is_not_missing(lab: Any) -> None:
    assert shipped(lab, [running()], prints=True, late=True).seen.count(": 0 of 1") >= 2
    assert shipped(lab, [running()], prints=True, gone=True).ok


def test_what_the_server_wrote_twice_as_it_was_asked_again_may_be_printed_twice(lab: Any) -> None:
    assert shipped(lab, [running()], prints=True, slow=True).ok
    assert ": 4 of 2; " in shipped(lab, [running()], prints=True, slow=True, twice="").seen
    assert ": 4 of 2; " in shipped(lab, [running()], prints=True, slow=True, anew=True).seen
    assert ": 1 of 5; " in shipped(lab, [running()], prints=True, slow=True, once=True).seen


def test_lines_are_counted_where_the_server_writes_them(lab: Any, tmp_path: Path) -> None:
    (tmp_path / "requests").write_bytes(b"forecast for any\nforecast for UA1\n\xff\nforecast for any\n")
    program = lab._COUNT.replace("/log/", f"{tmp_path}/")
    words = [sys.executable, "-c", program, "UA1", lab._LINE]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n2\n"
