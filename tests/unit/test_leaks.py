"""What lab 06 makes of a leak: killed for it and back, ended otherwise, or stopped by nothing."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.checks.rooms.objects import Printed
from mlops_lab.kube.client import Object
from tests.lab_programs import loaded
from tests.made_up import NothingThere, made_up_lab


def pod(restarts: int = 0, code: int = 137, **metadata: Any) -> Object:
    ended = {"lastState": {"terminated": {"exitCode": code, "reason": "Error"}}} if restarts else {}
    return {
        "metadata": {"name": "feed-1", "uid": "1", **metadata},
        "spec": {"containers": [{"name": "feed", "resources": {"limits": {"memory": "96Mi"}}}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"restartCount": restarts, "ready": True, **ended}],
        },
    }


def lab_with(*pods: list[Object], log: str = "", before: str = "") -> Any:
    """A lab in which these pods are seen, one look after the other; the last ones stay.

    Args:
        log: what a program logs when it is made to leak.
        before: what it has logged until then.
    """
    left, logged = list(pods), [before]

    async def listed(kind: str, selector: str = "") -> list[Object]:
        return left.pop(0) if len(left) > 1 else left[0]

    async def now() -> Object:
        return {"spec": {"selector": {"matchLabels": {"app": "feed"}}}}

    async def run_in(name: str, *command: str, **more: Any) -> Printed:
        logged.append(log)
        return Printed(0, ["the leak has begun"], "")

    async def logs(*given: Any, **more: Any) -> str:
        await asyncio.sleep(0)
        return "\n".join(logged)

    objects = NothingThere(all=listed, deployment=lambda name: SimpleNamespace(now=now), run_in=run_in, logs=logs)
    return made_up_lab(objects=objects)


@pytest.mark.parametrize(("code", "for_memory"), [(137, True), (1, False)])
def test_a_leak_that_ended_its_container_was_stopped_if_the_kernel_did_it(code: int, for_memory: bool) -> None:
    killed, back = asyncio.run(loaded("06").leak(lab_with([pod()], [pod()], [pod(1, code)]), "feed"))
    assert killed.ok is for_memory
    assert killed.seen == f"feed: ended (Error, exit code {code}) at its limit of 96Mi"
    assert back.ok


def test_a_leak_that_came_to_its_end_was_stopped_by_nothing() -> None:
    killed, back = asyncio.run(loaded("06").leak(lab_with([pod()], log="leaked, and nothing stopped it"), "feed"))
    assert not killed.ok and killed.seen == "feed: took 512 MiB more, and nothing stopped it"
    assert killed.evidence == ("memory limit: 96Mi", "the leak has begun")
    assert not back.ok and back.seen == "not looked at"


def test_a_leak_of_the_learners_own_that_nothing_stopped_is_another_one() -> None:
    lab = lab_with([pod()], [pod()], [pod()], [pod(1)], before="leaked, and nothing stopped it")
    killed, back = asyncio.run(loaded("06").leak(lab, "feed"))
    assert killed.ok and back.ok


@pytest.mark.parametrize(
    ("limits", "status", "after", "measured"),
    [
        ({"memory": "800Mi"}, 200, 0, False),
        ({"memory": "800Mi"}, 200, 60, True),
        ({"memory": "800Mi"}, 409, 0, True),
        ({}, 200, 0, True),
    ],
)
def test_a_leak_that_outlasts_the_report_says_nothing_of_a_limit(
    limits: Object, status: int, after: int, measured: bool
) -> None:
    async def post(*given: Any, **more: Any) -> Any:
        await asyncio.sleep(after)
        return SimpleNamespace(status=status)

    one = pod()
    one["spec"]["containers"][0]["resources"] = {"limits": limits}
    lab = lab_with([one], log="leaked, and nothing stopped it")
    lab.traffic = SimpleNamespace(post=post)
    try:
        killed, _ = asyncio.run(loaded("06").leak(lab, "model"))
    except LabError as trouble:
        assert not measured and "before its leak came to its end" in str(trouble)
    else:
        assert measured and not killed.ok and "nothing stopped it" in killed.seen


def test_a_pod_that_went_away_is_told_as_not_killed() -> None:
    killed, _ = asyncio.run(loaded("06").leak(lab_with([pod()], []), "feed"))
    assert not killed.ok and killed.seen == "feed: not killed"


@pytest.mark.parametrize("pods", [[], [pod(deletionTimestamp="now")]])
def test_no_leak_begins_while_the_pod_is_being_replaced(pods: list[Object]) -> None:
    with pytest.raises(LabError, match="feed's pod is being replaced"):
        asyncio.run(loaded("06").leak(lab_with(pods), "feed"))


def test_who_was_restarted_gets_a_new_pod_and_who_was_not_is_left_alone() -> None:
    deleted: list[str] = []

    async def delete(kind: str, name: str, grace: int | None = None) -> None:
        deleted.append(name)

    for restarts, gone in ((0, []), (1, ["feed-1"])):
        old = [pod(restarts)]
        lab = lab_with(old, old, [pod() | {"metadata": {"name": "feed-2", "uid": "2"}}])
        lab.objects.delete = delete
        asyncio.run(loaded("06").replace_if_restarted(lab, "feed"))
        assert deleted == gone


def test_the_model_leaks_while_it_makes_a_report() -> None:
    done: list[str] = []

    async def post(service: str, path: str, body: Any, *, within: float) -> None:
        done.append(f"POST {service}{path}")
        await asyncio.sleep(60)

    async def story() -> None:
        lab06 = loaded("06")
        for name in ("model", "feed"):
            lab = made_up_lab(traffic=SimpleNamespace(post=post))
            async with lab06.at_its_highest(lab, name):
                done.append(f"{name} leaks")

    asyncio.run(story())
    assert done == ["POST model/report", "model leaks", "feed leaks"]


def test_a_model_that_its_report_has_ended_is_not_made_to_leak_as_well() -> None:
    seen = lab_with([pod()], [pod(1)], [pod(1)])
    seen.objects.run_in = None  # nobody runs anything in it
    killed, back = asyncio.run(loaded("06").leak(seen, "feed"))
    assert killed.ok and back.ok


@pytest.mark.parametrize(
    ("hard", "seen"),
    [
        ({"requests.cpu": "1000m", "requests.memory": "1400Mi"}, "ResourceQuota team as it came with the lab"),
        ({"requests.cpu": "2", "requests.memory": "1400Mi"}, "another one: requests.cpu 2"),
        (
            {"requests.cpu": "1", "requests.memory": "1400Mi", "limits.memory": "4Gi"},
            "another one: limits.memory 4Gi, too",
        ),
        ({"requests.memory": "1400Mi"}, "another one: requests.cpu not counted"),
        (None, "another one: requests.cpu not counted, requests.memory not counted"),
    ],
)
def test_the_quota_is_the_given_one(hard: Any, seen: str) -> None:
    async def now() -> Any:
        return hard and {"spec": {"hard": hard}}

    objects = NothingThere(named=lambda kind, name: SimpleNamespace(now=now))
    assert asyncio.run(loaded("06").given_quota(made_up_lab(objects=objects))).seen == seen


@pytest.mark.parametrize(
    ("beside", "seen"),
    [
        ({"limits.memory": "4Gi"}, "another one: limits.memory 4Gi, of ResourceQuota class"),
        ({"cpu": "2", "pods": "9"}, "another one: cpu 2, of ResourceQuota class"),
        ({"pods": "60", "count/cronjobs.batch": "30"}, "ResourceQuota team as it came with the lab"),
    ],
)
def test_no_other_quota_counts_cpu_or_memory(beside: Any, seen: str) -> None:
    team = {"metadata": {"name": "team"}, "spec": {"hard": {"requests.cpu": "1", "requests.memory": "1400Mi"}}}

    async def now() -> Any:
        return team

    async def listed(kind: str) -> list[Object]:
        return [team, {"metadata": {"name": "class"}, "spec": {"hard": beside}}]

    objects = NothingThere(named=lambda kind, name: SimpleNamespace(now=now), all=listed)
    assert asyncio.run(loaded("06").given_quota(made_up_lab(objects=objects))).seen == seen


@pytest.mark.parametrize("some", [{"scopes": ["NotBestEffort"]}, {"scopeSelector": {"matchExpressions": []}}])
def test_a_quota_that_counts_only_some_pods_is_another_one(some: Object) -> None:
    async def now() -> Object:
        return {"spec": {"hard": {"requests.cpu": "1", "requests.memory": "1400Mi"}, **some}}

    objects = NothingThere(named=lambda kind, name: SimpleNamespace(now=now))
    assert asyncio.run(loaded("06").given_quota(made_up_lab(objects=objects))).ok is False


@pytest.mark.parametrize(("targets", "ok"), [([], True), (["another"], True), (["another", "model"], False)])
def test_an_autoscaler_of_the_three_is_no_size(targets: list[str], ok: bool) -> None:
    async def listed(kind: str) -> list[Object]:
        assert kind == "HorizontalPodAutoscaler"
        return [
            {"metadata": {"name": each}, "spec": {"scaleTargetRef": {"kind": "Deployment", "name": each}}}
            for each in targets
        ]

    seen = asyncio.run(loaded("06").no_autoscaler(made_up_lab(objects=NothingThere(all=listed))))
    assert (seen.ok, seen.seen) == (ok, "no HorizontalPodAutoscaler of the three Deployments" if ok else "model")


SIZES = {"requests": {"cpu": "120m", "memory": "72Mi"}, "limits": {"memory": "72Mi"}}


@pytest.mark.parametrize(
    ("container", "whole", "has", "seen"),
    [
        ({}, {}, SIZES, "nothing new but the sizes of the containers"),
        (
            {},
            {},
            {**SIZES, "limits": {"cpu": "1", "memory": "72Mi"}},
            "feed: its pod has limits.cpu 1, its Deployment none",
        ),
        (
            {"resources": {"limits": {"cpu": "120m", "memory": "72Mi"}}},
            {},
            {"requests": {"cpu": "0.12", "memory": "72Mi"}, "limits": {"cpu": "120m", "memory": "72Mi"}},
            "nothing new but the sizes of the containers",
        ),
        (
            {},
            {},
            {**SIZES, "requests": {"cpu": "0.12", "memory": "72Mi"}},
            "nothing new but the sizes of the containers",
        ),
        ({"livenessProbe": {"exec": {}}}, {}, SIZES, "feed: a new livenessProbe"),
        ({"lifecycle": {"preStop": {}}}, {}, SIZES, "feed: a new lifecycle"),
        ({"name": "server"}, {}, SIZES, "feed: its container is called server"),
        ({}, {"resources": {"limits": {"cpu": "1"}}}, SIZES, "feed: resources of the pod as a whole"),
        (
            {},
            {},
            {**SIZES, "requests": {"cpu": "500m", "memory": "72Mi"}},
            "feed: its pod has requests.cpu 500m, its Deployment 120m",
        ),
    ],
)
def test_the_sizes_are_all_that_is_new_and_the_pod_has_those_of_its_deployment(
    container: Object, whole: Object, has: Object, seen: str
) -> None:
    spec = {"containers": [{"name": "feed", "resources": SIZES, **container}], **whole}
    now = pod()
    now["spec"]["containers"][0]["resources"] = has
    lab = lab_with([now])

    async def present() -> Object:
        return {"spec": {"template": {"spec": spec}, "selector": {"matchLabels": {"app": "feed"}}}}

    lab.objects.deployment = lambda name: SimpleNamespace(now=present, present=present)
    lab06 = loaded("06")
    lab06.NAMES = ("feed",)
    assert asyncio.run(lab06.only_sizes(lab)).seen == seen
