"""Inside a learner's pods: a container that does not run is a failure, whatever else goes wrong is not."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import Failure, LabError
from mlops_lab.checks import Lab, Observation
from mlops_lab.checks.rooms.objects import Printed
from mlops_lab.kit import deployments, inside
from mlops_lab.kube.execs import Unending
from tests.made_up import NothingThere, made_up_lab

POD = {"metadata": {"name": "model-1"}, "spec": {"containers": [{"name": "server"}, {"name": "second"}]}}
TROUBLE = LabError("id in pod model-1: no", "look")


def with_state(**states: str) -> dict[str, Any]:
    told = [{"name": name, "state": {state: {"reason": "Error"}}} for name, state in states.items()]
    return POD | {"status": {"phase": "Running", "containerStatuses": told}}


def lab_where(now: Any, *answers: Printed | LabError) -> tuple[Lab, list[Any]]:
    """A lab whose pod is as it is said, and gives each command one answer, the last one also to those that follow."""
    asked: list[Any] = []

    async def run_in(pod: str, *command: str, container: str, within: float) -> Printed:
        answer = answers[min(len(asked), len(answers) - 1)]
        asked.append((pod, command, container))
        if isinstance(answer, LabError):
            raise answer
        return answer

    async def found() -> Any:
        return now

    async def logs(name: str, container: str | None, *, tail: int) -> str:
        return f"{container} ends\n"

    objects = NothingThere(run_in=run_in, named=lambda kind, name: SimpleNamespace(now=found), logs=logs)
    return made_up_lab(objects=objects), asked


def test_what_a_command_prints_comes_from_the_first_container_if_none_is_named() -> None:
    said = Printed(0, ["uid"], "")
    lab, asked = lab_where(POD, said)
    assert asyncio.run(inside.printed(lab, POD, "id")) is said
    asyncio.run(inside.printed(lab, POD, "id", container="second"))
    assert asked == [("model-1", ("id",), "server"), ("model-1", ("id",), "second")]


@pytest.mark.parametrize(
    ("now", "seen"),
    [(None, "it is gone"), (with_state(server="waiting", second="running"), "Error")],
)
def test_a_container_that_does_not_run_is_a_failure(now: Any, seen: str) -> None:
    lab, _ = lab_where(now, TROUBLE)
    with pytest.raises(Failure) as failed:
        asyncio.run(inside.printed(lab, POD, "id", why="because"))
    assert (failed.value.expected, failed.value.seen, failed.value.why) == (
        "container server of Pod model-1 runs", seen, "because",
    )  # fmt: skip


def test_where_it_runs_trouble_is_the_environments() -> None:
    lab, _ = lab_where(with_state(server="running"), TROUBLE)
    with pytest.raises(LabError) as raised:
        asyncio.run(inside.printed(lab, POD, "id"))
    assert raised.value is TROUBLE


@pytest.mark.parametrize(("other", "kind"), [(Printed(0, [], ""), Failure), (TROUBLE, Unending)])
def test_a_command_that_hangs_is_the_containers_where_another_ends(other: Any, kind: type[Exception]) -> None:
    hangs = Unending("python3 in pod model-1 did not end within 15 s", "try again")
    lab, asked = lab_where(with_state(server="running"), hangs, other)
    with pytest.raises(kind) as raised:
        asyncio.run(inside.printed(lab, POD, "python3"))
    assert asked[-1] == ("model-1", ("true",), "server")
    if isinstance(raised.value, Failure):
        assert (raised.value.seen, getattr(raised.value, "timed", None)) == (hangs.message, True)
    else:
        assert raised.value is hangs


def test_a_sidecar_runs_as_well() -> None:
    pod = POD | {"status": {"initContainerStatuses": [{"name": "log", "state": {"running": {}}}]}}
    assert inside.running(pod, "log")
    assert not inside.running(pod, "server")


def test_settled_gives_the_pods_that_stay_once_all_are_up(monkeypatch: pytest.MonkeyPatch) -> None:
    owned = [
        {"metadata": {"name": "model-b"}},
        {"metadata": {"name": "model-c", "deletionTimestamp": "now"}},
        {"metadata": {"name": "model-a"}},
    ]
    seen = Observation(True, "all pods", "2 pods")

    async def rolled_out(*given: Any, **more: Any) -> Observation:
        return seen

    async def owned_pods(*given: Any) -> list[Any]:
        return owned

    gone = []

    async def old_pods_gone(lab: Lab, name: str, *, within: float) -> None:
        gone.append(name)

    monkeypatch.setattr(deployments, "rolled_out", rolled_out)
    monkeypatch.setattr(deployments, "old_pods_gone", old_pods_gone)
    monkeypatch.setattr(deployments, "owned_pods", owned_pods)
    lab, _ = lab_where(POD, TROUBLE)
    assert [each["metadata"]["name"] for each in asyncio.run(inside.settled(lab, "model", within=1))] == [
        "model-a", "model-b",
    ]  # fmt: skip
    assert gone == ["model"]
    seen = Observation(False, "all pods", "none")
    with pytest.raises(Failure):
        asyncio.run(inside.settled(lab, "model", within=1))
    lab, _ = lab_where(None, TROUBLE)
    with pytest.raises(Failure, match="a Deployment named model"):
        asyncio.run(inside.settled(lab, "model", within=1))
