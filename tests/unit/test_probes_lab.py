"""Lab 05: how often a pod computes and when, and what becomes of an incident that something else ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.checks import absent
from mlops_lab.checks.rooms.objects import Printed
from mlops_lab.checks.watched import Watched
from mlops_lab.kube.client import Object
from mlops_lab.kube.execs import Unending
from tests.lab_programs import loaded
from tests.made_up import NothingThere, made_up_lab

BUSY, LIMIT = 10, 64  # s


def probe(period: float, failures: int, timeout: float) -> Object:
    return {"periodSeconds": period, "failureThreshold": failures, "timeoutSeconds": timeout}


def begins(rests: Sequence[float]) -> list[float]:
    """When each time that the pod computes begins, from the first."""
    return [sum(BUSY + each for each in rests[:number]) for number in range(len(rests))]


@pytest.mark.parametrize("period", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 30, 60])
@pytest.mark.parametrize("timeout", [1, 2, 3, 16])
def test_a_pod_that_computes_again_has_answered_its_probe_and_is_asked_at_another_moment(
    period: int, timeout: int
) -> None:
    rests = loaded("05").rests_between(probe(period, 3, timeout))
    assert rests[-1] == 8 and 1 <= len(rests) <= 3
    assert all(each >= period + timeout + 2 for each in rests[:-1])
    assert begins(rests)[-1] + BUSY + rests[-1] <= LIMIT
    phases = [each % period / period for each in begins(rests)]
    assert all(min(abs(each - part) for part in (0, 1 / 3, 2 / 3, 1)) < 1e-6 for each in phases)
    assert len({round(each, 3) for each in phases}) == len(rests)


def test_without_a_liveness_probe_it_computes_once() -> None:
    assert loaded("05").rests_between(None) == [8]
    assert len(loaded("05").rests_between(probe(10, 3, 1))) == 2


@pytest.mark.parametrize("first", [0.0, 0.9, 1.7, 2.6, 3.4, 4.3])
def test_two_failures_in_five_seconds_restart_a_pod_that_computes_three_times(first: float) -> None:
    """Whenever the first probe after its begin comes; once it would be luck."""
    rests = loaded("05").rests_between(probe(5, 2, 2))
    restarted = []
    for begin in begins(rests):
        until_asked = (first - begin) % 5
        restarted.append(until_asked + 5 + 2 < BUSY)
    assert len(rests) == 3 and any(restarted)


COMMAND: Object = {**probe(4, 3, 2), "exec": {"command": ["python3", "/probes/alive.py"]}}  # and it waits for 1 s


@pytest.mark.parametrize("first", [each / 10 for each in range(40)])
def test_a_command_that_is_a_little_too_quick_restarts_a_pod_that_computes_six_times(first: float) -> None:
    """Whenever the first probe after its begin comes; three times leave room for luck."""
    rests = loaded("05").rests_between(COMMAND)
    restarted = [(first - begin) % 4 + 2 * 4 + 1 <= BUSY for begin in begins(rests)]
    assert len(rests) == 6 and any(restarted)
    assert begins(rests)[-1] + BUSY + rests[-1] <= 150


@pytest.mark.parametrize(
    ("own", "times"),
    [(COMMAND, 6), (COMMAND | probe(5, 1, 16), 2), (COMMAND | probe(15, 2, 12), 2), ({**probe(4, 3, 2)}, 3)],
)
def test_only_a_command_that_may_fail_too_soon_has_a_pod_compute_more_often(own: Object, times: int) -> None:
    assert len(loaded("05").rests_between(own)) == times


def test_a_probe_does_not_tell_the_checkers_pods_by_their_names() -> None:
    copies, made = loaded("05", "copies").copies, []

    async def apply(objects: Sequence[Object]) -> None:
        made.extend(objects)

    async def play() -> None:
        template = {"metadata": {"labels": {"app": "model"}}, "spec": {"containers": [{"name": "server"}]}}
        async with copies(made_up_lab(objects=NothingThere(apply=apply)), template, slow=45, busy=2):
            pass

    asyncio.run(play())
    names = {each["metadata"]["name"] for each in made}
    assert len(names) == 2 and all(each.startswith("model-") for each in names)


def copy(answers: Sequence[Any], restarts: Sequence[int] = (0,)) -> Any:
    """A pod in which commands print these, one after the other, and that was restarted so often at each look."""
    said, seen = list(answers), list(restarts)

    async def run_in(pod: str, *command: str, **more: Any) -> Printed:
        one: Printed | LabError = said.pop(0)
        if isinstance(one, LabError):
            raise one
        return one

    class Pod(Watched):
        async def now(self) -> Any:
            count = seen.pop(0) if len(seen) > 1 else seen[0]
            return {"status": {"containerStatuses": [{"restartCount": count}]}}

    lab05 = loaded("05")
    objects = NothingThere(run_in=run_in, named=lambda kind, name: Pod(cast(Any, None), kind, name, "lab"))
    never = absent("ready", "not looked at")
    return lab05, lab05.Copy(made_up_lab(objects=objects), "checker-1", "server", 2, time.monotonic(), never)


@pytest.mark.parametrize(("lines", "restarts", "cut"), [(["503"], 0, False), (["200"], 0, True), (["200"], 1, False)])
def test_a_pod_that_answers_although_its_store_is_away_had_its_drill_ended(
    lines: list[str], restarts: int, cut: bool
) -> None:
    _, pod = copy([Printed(0, lines, "")], [restarts])
    asyncio.run(pod.stays_away(45))
    assert bool(pod.cut_short) is cut
    if cut:
        assert pod.cut_short.seen == "200 after 0 s" and "503 for 45 s" in pod.cut_short.expected


def test_a_drill_counts_from_when_it_was_told_so_that_a_slow_machine_is_not_blamed_on_a_probe() -> None:
    _, pod = copy([Printed(0, ["200"], "")])
    pod.asked, pod.since = time.monotonic() - 46, time.monotonic() - 40
    asyncio.run(pod.stays_away(45))
    assert pod.cut_short is None


def seen_over_time(ready: Callable[[float], bool], loaded_after: float) -> Any:
    """A pod that loads for 2 s, that is so at each time, on a clock which goes on when somebody waits."""
    lab05, now = loaded("05"), [0.0]

    class Pod(Watched):
        async def now(self) -> Any:
            condition = {"type": "Ready", "status": str(ready(now[0]))}
            return {"status": {"containerStatuses": [{"restartCount": 0}], "conditions": [condition]}}

    async def pause(seconds: float) -> None:
        now[0] += seconds

    async def logs(*words: Any, **more: Any) -> str:
        return "listening" if now[0] >= loaded_after else "loading"

    async def events(*words: Any) -> list[Object]:
        return []

    async def run_in(pod: str, *command: str, **more: Any) -> Printed:
        return Printed(0, ["ok"], "")

    lab05.time = SimpleNamespace(monotonic=lambda: now[0])
    named = lambda kind, name: Pod(cast(Any, None), kind, name, "lab")  # noqa: E731
    objects = NothingThere(named=named, logs=logs, events=events, run_in=run_in)
    lab = made_up_lab(objects=objects, time=SimpleNamespace(pause=pause))
    return lab05.Copy(lab, "checker-1", "server", 2, 0.0, absent("ready", "not looked at")), now


@pytest.mark.parametrize(
    ("after", "prompt", "begun"),
    [(6, True, True), (20, True, True), (45, False, True), (58, False, True), (90, False, False)],
)
def test_a_pod_that_is_ready_long_after_it_has_loaded_is_late_and_has_its_incident(
    after: float, prompt: bool, begun: bool
) -> None:
    pod, _ = seen_over_time(lambda now: now >= after, 6)
    assert asyncio.run(pod.start()) is begun
    assert pod.prompt.ok is prompt and pod.prompt.timed


def test_a_pod_that_counts_as_ready_before_it_has_loaded_is_waited_for() -> None:
    pod, now = seen_over_time(lambda now: True, 12)
    assert asyncio.run(pod.start()) and now[0] >= 12 and pod.prompt.ok


@pytest.mark.parametrize(("back", "right"), [(12, True), (20, False)])
def test_a_last_look_for_restarts_does_not_make_good_what_came_back_too_late(back: float, right: bool) -> None:
    pod, now = seen_over_time(lambda now: now < 1 or now >= back, 0)

    async def play() -> None:
        await pod.drill("busy", "1")
        await pod.watch(15, lambda: False)
        now[0] = 60.0
        await pod.look_for_restart()

    asyncio.run(play())
    assert pod.returned(()).ok is right


def test_where_nobody_can_ask_in_a_pod_its_drill_counts_as_whole() -> None:
    _, pod = copy([LabError("it does not run", "")])
    asyncio.run(pod.stays_away(45))
    assert pod.cut_short is None


def test_a_pod_that_is_too_busy_to_begin_a_drill_is_no_mistake() -> None:
    _, pod = copy([Printed(1, ["error: the event loop does something else"], "")])
    with pytest.raises(LabError, match="other work"):
        asyncio.run(pod.drill("hang"))
    _, pod = copy([Printed(1, [], "no such file")])
    assert asyncio.run(pod.drill("hang")) is False and not pod.begun.ok


GIVEN: Object = {"requests": {"cpu": "50m", "memory": "192Mi"}, "limits": {"memory": "512Mi"}}


@pytest.mark.parametrize(
    ("container", "said"),
    [
        ({"resources": GIVEN}, []),
        ({"resources": {**GIVEN, "requests": {"cpu": "0.05", "memory": "192Mi"}}}, []),
        ({"resources": GIVEN, "lifecycle": {"preStop": {"sleep": {"seconds": 5}}, "stopSignal": "SIGTERM"}}, []),
        ({"resources": GIVEN, "lifecycle": {"postStart": {"exec": {}}}}, ["a postStart hook"]),
        ({"resources": {**GIVEN, "limits": {"memory": "512Mi", "cpu": "2"}}}, ["limits.cpu 2, not none"]),
        ({"resources": {"limits": {"memory": "1Gi"}, "requests": GIVEN["requests"]}}, ["limits.memory 1Gi, not 512Mi"]),
        ({}, ["requests.cpu none, not 50m", "requests.memory none, not 192Mi", "limits.memory none, not 512Mi"]),
    ],
)
def test_what_is_added_to_the_container_is_a_probe_or_how_it_ends(container: Object, said: list[str]) -> None:
    assert loaded("05").not_yours(container, {"resources": GIVEN}) == said


@pytest.mark.parametrize(("target", "right"), [("model", False), ("another", True)])
def test_an_autoscaler_of_the_deployment_changes_how_many_pods_there_are(target: str, right: bool) -> None:
    async def every(kind: str, selector: str = "") -> list[Object]:
        reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}
        return [{"metadata": {"name": "hpa"}, "spec": {"scaleTargetRef": reference, "minReplicas": 2}}]

    assert asyncio.run(loaded("05").no_autoscaler(made_up_lab(objects=NothingThere(all=every)))).ok is right


def test_a_container_that_ends_just_as_it_is_to_compute_again_was_restarted() -> None:
    for said in (LabError("it does not run", ""), Printed(137, [], "")):
        lab05, pod = copy([said], [0, 1])
        assert asyncio.run(lab05.once_more(pod, "busy", "10")) is False
        assert pod.ended is not None and pod.begun.expected == "ready"
        assert pod.restarted("while it computes", []).timed, "a starved machine may be why"
    lab05, pod = copy([Printed(0, ["ok"], "")])
    assert asyncio.run(lab05.once_more(pod, "busy", "10")) is True and pod.ended is None


@pytest.mark.parametrize(
    ("own", "pod", "seconds"),
    [
        ({**probe(4, 4, 3), "terminationGracePeriodSeconds": 5}, {}, 24),
        (probe(20, 2, 2), {"terminationGracePeriodSeconds": 2}, 44),
        ({**probe(3, 1, 12), "httpGet": {}}, {"terminationGracePeriodSeconds": 16}, 31),
        ({**probe(5, 1, 16), "exec": {}, "terminationGracePeriodSeconds": 6}, {}, 27),
        ({**probe(5, 4, 10), "exec": {}, "terminationGracePeriodSeconds": 5}, {}, 35),
        ({**probe(15, 2, 12), "exec": {}, "terminationGracePeriodSeconds": 5}, {}, 47),
        (probe(1, 3, 5), {}, 46),
        ({"httpGet": {}}, {}, 61),
        (None, {}, None),
    ],
)
def test_a_hang_is_over_when_the_last_probe_has_failed_and_the_grace_period_too(
    own: Object | None, pod: Object, seconds: float | None
) -> None:
    server: Object = {"name": "server"} if own is None else {"name": "server", "livenessProbe": own}
    assert loaded("05").longest({"containers": [server], **pod}) == seconds


@pytest.mark.parametrize(
    ("own", "seconds"),
    [
        ({"httpGet": {}, "periodSeconds": 5}, 16),
        ({"httpGet": {}, **probe(2, 2, 2)}, 6),
        ({"httpGet": {}, **probe(4, 3, 4)}, 16),
        ({"httpGet": {}, **probe(1, 3, 4)}, 13),
        ({"exec": {}, **probe(5, 3, 10)}, 15),
        (None, None),
    ],
)
def test_a_pod_that_hangs_is_out_when_the_last_readiness_probe_has_failed(
    own: Object | None, seconds: float | None
) -> None:
    server: Object = {"name": "server"} if own is None else {"name": "server", "readinessProbe": own}
    assert loaded("05").kept_for({"containers": [server]}) == seconds


ASKING: Object = {"exec": {"command": ["python3", "/probes/ask.py"]}}


@pytest.mark.parametrize(
    ("own", "wait", "kept"),
    [
        (probe(5, 3, 5), 2.3, 17),
        (probe(3, 2, 10), 2.3, 8),
        (probe(1, 3, 10), 4.2, 13),
        (probe(5, 3, 5), None, 15),
    ],
)
def test_a_readiness_probe_that_is_a_command_takes_as_long_as_it_waits(
    own: Object, wait: float | None, kept: float
) -> None:
    server = {"name": "server", "readinessProbe": {**ASKING, **own}}
    waits = {} if wait is None else {"readinessProbe": wait}
    assert loaded("05").kept_for({"containers": [server]}, waits) == kept


@pytest.mark.parametrize(
    ("own", "wait", "bears"),
    [(probe(5, 1, 16), 8.4, 8.4), (probe(5, 1, 16), 12.2, 12.2), (probe(4, 3, 2), 1.1, 9.1), (probe(3, 3, 5), 4, 12)],
)
def test_a_liveness_probe_that_is_a_command_bears_with_work_for_as_long_as_it_waits(
    own: Object, wait: float, bears: float
) -> None:
    server = {"name": "server", "livenessProbe": {**ASKING, **own}}
    assert loaded("05").patience({"containers": [server]}, {"livenessProbe": wait}) == pytest.approx(bears)


@pytest.mark.parametrize(
    ("ends", "wait"),
    [
        (Printed(1, [], "no answer"), 3.2),
        (Printed(0, [], ""), None),
        (Printed(137, [], ""), None),
        (Printed(None, [], ""), None),
        (LabError("no container", ""), None),
        (Unending("it runs", ""), 16),
    ],
)
def test_what_a_probes_command_waits_is_seen_where_it_fails(ends: Printed | LabError, wait: float | None) -> None:
    lab05, pod = copy([ends])
    clock = iter([10.0, 13.21])
    lab05.time = SimpleNamespace(monotonic=lambda: next(clock))
    assert asyncio.run(lab05.gives_up(pod, {**ASKING, **probe(5, 1, 16)})) == wait


def test_the_shortest_wait_of_a_command_counts_and_other_probes_have_none() -> None:
    lab05, waits = loaded("05"), {"livenessProbe": 9.0}
    found = iter([None, 8.5, 2.0, 12.0])

    async def gives_up(pod: Any, probe: Object | None) -> float | None:
        return next(found)

    lab05.gives_up = gives_up
    for _ in range(2):
        asyncio.run(lab05.note_waits(None, {"containers": [{"name": "server"}]}, waits))
    assert waits == {"readinessProbe": 2.0, "livenessProbe": 8.5}
    _, pod = copy([])
    assert asyncio.run(loaded("05").gives_up(pod, {"httpGet": {}})) is None


@pytest.mark.parametrize(
    ("own", "seconds"),
    [
        ({"httpGet": {}, **probe(4, 3, 1)}, 9),
        ({"httpGet": {}, **probe(4, 4, 3)}, 15),
        ({"httpGet": {}, **probe(3, 1, 12)}, 12),
        ({"httpGet": {}}, 21),
        ({"tcpSocket": {}, **probe(1, 1, 1)}, None),
        ({"exec": {}, **probe(5, 1, 1)}, None),
        (None, None),
    ],
)
def test_a_liveness_probe_bears_with_work_from_its_first_failure_to_its_last(
    own: Object | None, seconds: float | None
) -> None:
    server: Object = {"name": "server"} if own is None else {"name": "server", "livenessProbe": own}
    assert loaded("05").patience({"containers": [server]}) == seconds


def test_the_container_that_comes_in_place_of_one_that_hung_is_watched_anew() -> None:
    _, pod = copy([], [1, 0, 1, 2])
    pod.start = lambda: asyncio.sleep(0, True)

    async def both() -> None:
        await pod.look()
        pod.ended = 21.0
        assert await pod.renewed() and pod.earlier == (21.0,) and pod.ended is None
        await pod.look()
        await pod.look()
        assert pod.ended is None
        await pod.look()
        assert pod.ended is not None

    asyncio.run(both())


@pytest.mark.parametrize(("restarted", "ready"), [(1, True), (2, False)])
def test_a_container_that_ends_before_it_is_ready_is_followed_by_the_next_one(restarted: int, ready: bool) -> None:
    _, pod = copy([], [1])
    pod.ended, starts = 21.0, []

    async def start() -> bool:
        starts.append(pod.ended)
        pod.ended = 3.0 if len(starts) <= restarted else None
        return pod.ended is None

    pod.start = start
    assert asyncio.run(pod.renewed()) is ready
    assert starts == [None, None] and pod.earlier == (21.0,)


def test_a_container_that_is_ended_as_it_is_to_hang_again_is_followed_by_the_next_one() -> None:
    lab05, pod = copy([Printed(137, [], ""), Printed(0, ["ok"], "")], [0, 1])
    pod.earlier, pod.start = (24.0,), lambda: asyncio.sleep(0, True)
    assert asyncio.run(lab05.hangs_again(pod)) is True
    assert pod.ended is None and pod.earlier == (24.0,)


def test_containers_that_are_ended_each_time_before_they_hang_are_no_hang() -> None:
    lab05, pod = copy([Printed(137, [], "")] * 5, range(20))
    pod.start = lambda: asyncio.sleep(0, True)
    assert asyncio.run(lab05.hangs_again(pod)) is False and not pod.begun.ok


def test_a_container_that_lives_on_and_does_not_hang_says_why() -> None:
    lab05, pod = copy([Printed(1, [], "no such file")])
    pod.watch = lambda *words: asyncio.sleep(0)
    assert asyncio.run(lab05.hangs_again(pod)) is False and "no such file" in pod.begun.seen


def test_a_pod_that_leaves_the_service_keeps_the_mark_of_the_checker() -> None:
    patched = []

    class Pod(Watched):
        async def present(self) -> Any:
            return {"metadata": {"labels": {"app": "model", "tier": "serving", "mlops-lab/checker": "copy"}}}

    async def patch(*words: Any) -> Object:
        patched.append(words)
        return {}

    objects = NothingThere(named=lambda kind, name: Pod(cast(Any, None), kind, name, "lab"), patch=patch)
    never = absent("ready", "not looked at")
    asyncio.run(loaded("05").Copy(made_up_lab(objects=objects), "checker-1", "server", 2, 0.0, never).leave())
    assert patched == [("Pod", "checker-1", {"metadata": {"labels": {"app": None, "tier": None}}})]
