"""What a pod says of itself."""

from __future__ import annotations

from typing import Any

from mlops_lab.kit import pods
from mlops_lab.kube.client import Object


def pod(name: str, ready: bool = True, waiting: Object | None = None, restarts: int = 0, **metadata: Any) -> Object:
    state = {"waiting": waiting} if waiting else {"running": {}}
    return {
        "metadata": {"name": name, **metadata},
        "spec": {"containers": [{"image": "server:1"}, {"image": "log:1"}]},
        "status": {
            "phase": "Running" if ready else "Pending",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"restartCount": restarts, "state": state}],
        },
    }


def test_ready_leaving_and_running_are_three_things() -> None:
    two = [pod("a"), pod("b", ready=False, deletionTimestamp="now")]
    assert [pods.name(each) for each in pods.ready(two)] == ["a"]
    assert [pods.leaving(each) for each in two] == [False, True]
    assert [pods.is_running(each) for each in [*two, {"metadata": {}}]] == [True, False, False]


def test_states_say_what_a_container_waits_for() -> None:
    waits = {"reason": "ImagePullBackOff", "message": "x" * 300}
    lines = pods.states([pod("a"), pod("b", ready=False, waiting=waits), {"metadata": {"name": "new"}}])
    assert lines[0] == "a: ready, Running"
    assert lines[1] == f"b: not ready, Pending, ImagePullBackOff {'x' * 200}"
    assert lines[2] == "new: not ready, Unknown"


def test_restarts_add_up_and_the_newest_was_made_last() -> None:
    two = [pod("a", restarts=2, creationTimestamp="2"), pod("b", restarts=1, creationTimestamp="1")]
    assert pods.restarts(*two, {"metadata": {}}) == 3
    assert pods.newest(two) is two[0] and pods.newest([]) is None


def test_images_are_those_of_all_containers() -> None:
    assert pods.images(pod("a")) == ["server:1", "log:1"]
    assert pods.runs(pod("a"), "log:1") and not pods.runs(pod("a"), "log")
    assert pods.labels(pod("a", labels={"b": "2", "a": "1"})) == "a=1,b=2" and pods.labels(pod("a")) == ""
