"""What the kubelet's figures say of containers, and what is missing in them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.kube.client import Kube
from mlops_lab.measure.pods.containers import (
    Reading,
    Waits,
    killed_for_memory,
    last_end,
    parsed,
    readings,
    restarts,
    use,
)

LABELS = 'container="{container}",cpu="total",id="/{id}",image="a/b:1",name="x",namespace="lab-06",pod="{pod}"'


def lines(
    pod: str, container: str, at: int, cpu: float, memory: float, cfs: tuple[int, int] | None = None, run: str = "a"
) -> str:
    """A container in cAdvisor's text."""
    labels = LABELS.format(container=container, id=run, pod=pod)
    said = [
        "# HELP container_cpu_usage_seconds_total Cumulative cpu time consumed in seconds.",
        "# TYPE container_cpu_usage_seconds_total counter",
        f"container_cpu_usage_seconds_total{{{labels}}} {cpu} {at}",
        f"container_memory_working_set_bytes{{{labels}}} {memory:e} {at}",
        f"container_memory_working_set_bytes_of_another_kind{{{labels}}} 1 {at}",
    ]
    if cfs:
        said.append(f"container_cpu_cfs_periods_total{{{labels}}} {cfs[0]} {at}")
        said.append(f"container_cpu_cfs_throttled_periods_total{{{labels}}} {cfs[1]} {at}")
    return "\n".join(said) + "\n"


def pod(name: str, node: str = "one", **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "lab-06"}, "spec": {"nodeName": node} if node else {},
        "status": {"containerStatuses": [status]},
    }  # fmt: skip


def reading(at: float, cpu: float, memory: float = 1.0, periods: float | None = None, throttled: float = 0) -> Reading:
    return Reading(at, cpu, memory, periods, None if periods is None else throttled)


def test_a_container_is_read_with_its_time() -> None:
    text = lines("a", "server", 12500, 1.5, 3e8, (40, 10))
    assert parsed(text, [pod("a")]) == {("a", "server"): Reading(12.5, 1.5, 3e8, 40, 10)}


def test_without_a_cpu_limit_there_are_no_periods() -> None:
    assert parsed(lines("a", "server", 1000, 1, 1), [pod("a")])["a", "server"].periods is None


def test_other_pods_and_the_sum_of_a_pod_are_left_out() -> None:
    text = lines("b", "server", 1000, 1, 1) + lines("a", "", 1000, 1, 1)
    assert parsed(text, [pod("a")]) == {}


def test_of_a_container_that_was_started_anew_the_newer_one_counts() -> None:
    old, new = lines("a", "server", 1000, 9, 9, run="old"), lines("a", "server", 2000, 1, 1, run="new")
    assert parsed(new + old, [pod("a")])["a", "server"].cpu == 1


POD = 'container="",id="/a.slice",image="",name="",namespace="lab-06",pod="a"'
SANDBOX = 'container="",id="/a.slice/s",image="pause:3",name="s",namespace="lab-06",pod="a"'


def test_waits_of_the_pod_as_a_whole_are_read_with_their_own_time() -> None:
    name = "container_cpu_cfs_throttled_periods_total"
    text = lines("a", "server", 12500, 1, 1, (40, 10))
    text += f"{name}{{{POD}}} 7 11000\n{name}{{{SANDBOX}}} 99 11500\n"
    assert parsed(text, [pod("a")])["a", "server"].pod == Waits(11, 7)


def test_who_waits_for_the_limit_of_the_pod_has_waited() -> None:
    seen = [
        reading(at, at / 10, periods=at * 10, throttled=at)._replace(pod=Waits(at - 4, since))
        for at, since in ((10, 900), (20, 1000), (30, 1020), (40, 1040))
    ]
    # Those since 900 are older than the first reading: 40 periods in 20 s, and the container's own are 30 of 300.
    assert use(seen).throttled == pytest.approx(60 / 300)
    assert use([each._replace(pod=None) for each in seen]).throttled == pytest.approx(30 / 300)
    assert use([each._replace(pod=Waits(each.at, 5)) for each in seen]).throttled == pytest.approx(30 / 300)


def test_more_than_every_period_is_every_period() -> None:
    seen = [reading(at, at, periods=at, throttled=at)._replace(pod=Waits(at, at)) for at in (10, 20)]
    assert use(seen).throttled == 1


def test_each_node_is_asked_once_and_a_pod_without_one_is_left_out() -> None:
    asked: list[str] = []

    def call_api(path: str, method: str, **named: Any) -> str:
        assert method == "GET" and named["response_type"] == "str"
        asked.append(path)
        return lines("a", "server", 1000, 1, 1) + lines("b", "server", 1000, 2, 1)

    kube = Kube(SimpleNamespace(call_api=call_api), "kind-one", cast(Any, None), cast(Any, None))
    found = readings(kube, [pod("a"), pod("b"), pod("c", node="")])
    assert {key: each.cpu for key, each in found.items()} == {("a", "server"): 1, ("b", "server"): 2}
    assert asked == ["/api/v1/nodes/one/proxy/metrics/cadvisor"]


def test_use_is_the_mean_of_cpu_and_the_peak_of_memory() -> None:
    used = use([reading(10, 1, 5, 100, 10), reading(20, 2, 9, 150, 20), reading(40, 7, 6, 300, 60)])
    assert used == (30, pytest.approx(0.2), 9, 5, pytest.approx(0.25))


def test_without_a_limit_no_share_is_throttled() -> None:
    assert use([reading(0, 0), reading(10, 1)]).throttled is None
    assert use([reading(0, 0, periods=5), reading(10, 0, periods=5)]).throttled == 0


@pytest.mark.parametrize("seen", [[], [reading(1, 1)], [reading(1, 1), reading(1, 1)]])
def test_too_few_readings_are_the_environments_fault(seen: list[Reading]) -> None:
    with pytest.raises(LabError, match="too few figures"):
        use(seen)


def test_counters_that_begin_again_are_no_use() -> None:
    with pytest.raises(LabError, match="started anew"):
        use([reading(0, 5), reading(10, 1), reading(20, 6)])


@pytest.mark.parametrize(
    ("ended", "killed"),
    [
        ({"reason": "OOMKilled", "exitCode": 137}, True),
        ({"reason": "Error", "exitCode": 137}, True),
        ({"reason": "Error", "exitCode": 1}, False),
        ({"reason": "Completed", "exitCode": 0}, False),
    ],
)
def test_who_was_killed_for_memory(ended: dict[str, Any], killed: bool) -> None:
    for state in ("lastState", "state"):
        found = pod("a", restartCount=1, **{state: {"terminated": ended}})
        assert (last_end(found), killed_for_memory(found), restarts(found)) == (ended, killed, 1)


def test_a_container_that_never_ended_was_not_killed() -> None:
    found = pod("a", restartCount=0, state={"running": {}}, lastState={})
    assert not killed_for_memory(found) and not last_end(found) and restarts(found) == 0
