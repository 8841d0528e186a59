"""Who answers for a Service is told apart from who should, and what a trial takes away it puts back."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import Failure, LabError
from mlops_lab.kit import endpoints, restore
from mlops_lab.kube.errors import Refused, Unreachable
from tests.made_up import NothingThere, NoTraffic, made_up_lab

READY = {"conditions": [{"type": "Ready", "status": "True"}]}


def pod(name: str, leaving: bool = False, **status: Any) -> Any:
    gone = {"deletionTimestamp": "now"} if leaving else {}
    return {"metadata": {"name": name, **gone}, "status": status}


def lab_with(monkeypatch: pytest.MonkeyPatch, pods: list[Any], answers: list[Any], **objects: Any) -> Any:
    """A lab whose Deployment has these pods; requests are answered in turn with a pod's name, or with a status."""

    async def owned(lab: Any, deployment: str) -> list[Any]:
        assert deployment == "web"
        return pods

    asked = []

    async def get(service: str, path: str, *, port: int, within: float) -> Any:
        asked.append((service, path, port))
        said = answers[len(asked) % len(answers)]
        if isinstance(said, int):
            return SimpleNamespace(status=said, text="", shown=f"status {said}")
        return SimpleNamespace(status=200, text=f"{said}\n", shown=said)

    monkeypatch.setattr(endpoints, "owned_pods", owned)
    lab = made_up_lab(objects=NothingThere(**objects), traffic=NoTraffic(get=get))
    return SimpleNamespace(lab=lab, asked=asked)


@pytest.mark.parametrize(
    ("pods", "answers", "without", "ok", "seen"),
    [
        (["a", "b"], ["a", "b"], (), True, "2 of 2 pods answer"),
        (["a", "b"], ["a"], (), False, "1 of 2 pods answer"),
        (["a", "b"], ["a"], ("b",), True, "1 of 1 pods answer"),
        (["a"], ["a", "x"], (), False, "1 of 1 pods answer; 3 times 'x'"),
        (["a"], ["a", 404], (), False, "1 of 1 pods answer; 3 times 'status 404'"),
        ([], ["x"], (), False, "0 of 0 pods answer; 6 times 'x'"),
        # Who answers seldom, as one of several does by chance, is seen all the same.
        (["a"], [*["a"] * 23, "x"], (), False, "1 of 1 pods answer; 1 times 'x'"),
        (["a", "b"], [*["a", "b"] * 17, "x"], (), False, "2 of 2 pods answer; 1 times 'x'"),
        (["a", "b"], [*["a"] * 23, "b"], ("b",), False, "1 of 1 pods answer; 1 times 'b'"),
    ],
)
def test_each_pod_and_nobody_else_answers(
    monkeypatch: pytest.MonkeyPatch, pods: list[str], answers: list[Any], without: Any, ok: bool, seen: str
) -> None:
    there = lab_with(monkeypatch, [*map(pod, pods), pod("old", leaving=True)], answers)
    found = asyncio.run(endpoints.answered_by(there.lab, "shop", "web", port=8088, without=without, within=1))
    assert (found.ok, found.seen) == (ok, seen)
    assert set(there.asked) == {("shop", "/pod", 8088)}


def trial(monkeypatch: pytest.MonkeyPatch, answers: list[Any], **objects: Any) -> tuple[Any, list[tuple[str, ...]]]:
    ran: list[tuple[str, ...]] = []

    async def run_in(name: str, *command: str) -> None:
        ran.append((name, *command))

    there = lab_with(monkeypatch, [pod("a"), pod("b")], answers, **{"run_in": run_in, **objects})
    found = endpoints.leaves_when_not_ready(there.lab, "shop", "web", "a", file="/ready", within=1)
    return asyncio.run(found), ran


@pytest.mark.parametrize(("answers", "ok"), [(["b"], True), (["a", "b"], False)])
def test_a_pod_without_its_file_is_left_out_and_has_it_again(
    monkeypatch: pytest.MonkeyPatch, answers: list[Any], ok: bool
) -> None:
    async def now() -> Any:
        return pod("a")

    found, ran = trial(monkeypatch, answers, named=lambda kind, name: SimpleNamespace(now=now))
    assert found.ok is ok
    assert ran == [("a", "rm", "-f", "/ready"), ("a", "touch", "/ready")]


@pytest.mark.parametrize("now", [None, pod("a", leaving=True)])
def test_a_pod_that_was_deleted_meanwhile_is_nobodys_error(monkeypatch: pytest.MonkeyPatch, now: Any) -> None:
    trouble: LabError = Refused("rm in pod a: container not found", "", 500)

    async def run_in(name: str, *command: str) -> None:
        if command[0] == "rm":
            raise trouble

    async def found_now() -> Any:
        return now

    named = {"named": lambda kind, name: SimpleNamespace(now=found_now)}
    found, _ = trial(monkeypatch, ["b"], run_in=run_in, **named)
    assert (found.ok, found.seen) == (False, "it was deleted meanwhile")
    trouble = Unreachable("rm in pod a: no answer", "")
    with pytest.raises(Unreachable):
        trial(monkeypatch, ["b"], run_in=run_in, **named)


def test_a_trial_is_made_with_a_pod_that_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    pods = [pod("a"), pod("b", leaving=True, **READY), pod("d", **READY), pod("c", **READY)]
    assert asyncio.run(endpoints.some_pod(lab_with(monkeypatch, pods, []).lab, "web")) == "c"
    with pytest.raises(Failure) as failed:
        asyncio.run(endpoints.some_pod(lab_with(monkeypatch, pods[:2], []).lab, "web"))
    assert failed.value.expected == "a ready pod of Deployment web"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries again at once."""
    monkeypatch.setattr(restore, "_EVERY", 0.01)


def test_a_file_is_put_back_also_where_the_api_server_is_away_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    troubles = [Unreachable("touch in pod a: no answer", ""), Refused("too many requests", "", 429)]
    done: list[str] = []

    async def run_in(name: str, *command: str) -> None:
        if command[0] == "touch" and troubles:
            raise troubles.pop()
        done.append(command[0])

    async def now() -> Any:
        return pod("a")

    found, _ = trial(monkeypatch, ["b"], run_in=run_in, named=lambda kind, name: SimpleNamespace(now=now))
    assert (found.ok, done) == (True, ["rm", "touch"])


@pytest.mark.parametrize("ending", [pod("a", leaving=True), pod("a", phase="Failed")])
def test_nothing_is_put_back_in_a_pod_that_ends(monkeypatch: pytest.MonkeyPatch, ending: Any) -> None:
    async def now() -> Any:
        return ending

    found, ran = trial(monkeypatch, ["b"], named=lambda kind, name: SimpleNamespace(now=now))
    assert found.ok and ran == [("a", "rm", "-f", "/ready")]
