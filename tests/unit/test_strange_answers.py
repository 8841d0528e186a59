"""Whatever a learner's service answers, the first check of a serving lab says what is wrong with it.

Anything else that a check raises counts as the checker's own fault, and says nothing to the learner.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import Failure
from mlops_lab.checks import Observation
from mlops_lab.checks.rooms.time import Time
from mlops_lab.checks.rooms.traffic import Traffic
from mlops_lab.kit.given import in_manifests
from mlops_lab.labs.catalog import resolve
from mlops_lab.measure.traffic.flights import HiddenRows
from mlops_lab.measure.traffic.http import Answer
from tests.lab_programs import loaded
from tests.made_up import NothingThere, Room, made_up_lab

LABS = {"04": "answers_right", "05": "comes_up", "06": "runs", "10": "serves", "11": "serves", "12": "serves_v1",
        "13": "serves"}  # fmt: skip
# What is answered, by the model's own values for the flights that were asked about.
STRANGE: dict[str, Callable[[list[float]], str]] = {
    "nothing": lambda own: "",
    "a page": lambda own: "<html>",
    "half an object": lambda own: '{"probabilities": [0.1',
    "null": lambda own: "null",
    "a list": json.dumps,
    "a text": lambda own: '"ok"',
    "lists in lists": lambda own: "[" * 60_000,
    "no probabilities": lambda own: '{"model_version": "v1"}',
    "a text for them": lambda own: saying("0.1"),
    "an object for them": lambda own: saying({"0": 0.1}),
    "one number for them": lambda own: saying(7),
    "texts": lambda own: saying(list(map(str, own))),
    "true": lambda own: saying([True] * len(own)),
    "NaN in the end": lambda own: saying([*own[:-1], math.nan]),
    "infinity": lambda own: saying([*own[:-1], math.inf]),
    "an integer of 400 digits": lambda own: saying([*own[:-1], 10**400]),
    "one too few": lambda own: saying(own[:-1]),
    "a list for the version": lambda own: '{"model_version": ["v1"]}',
}


def saying(probabilities: Any) -> str:
    return json.dumps({"model_version": "v1", "probabilities": probabilities})


class Well:
    """A Deployment that is as any lab wants it.

    Args:
        given: what its manifest says of it, if it has one.
    """

    def __init__(self, given: Any = None) -> None:
        self.given = given

    async def present(self) -> Any:
        return self.given

    async def now(self) -> Any:
        about = self.given["spec"]["template"]["metadata"] if self.given else {}
        template: Any = {"metadata": about, "spec": {"containers": [{}]}}
        spec = {"replicas": 3, "selector": {"matchLabels": about.get("labels", {})}, "template": template}
        return {"metadata": {"name": "model", "uid": "model"}, "spec": spec}

    async def becomes(self, **wanted: Any) -> Observation:
        return Observation(True, "ready", "ready")

    async def until(self, *given: Any, **more: Any) -> Observation:
        return await self.becomes()

    async def rolled_out(self, **wanted: Any) -> Observation:
        return await self.becomes()


def made_by(uid: str) -> list[Any]:
    return [{"kind": "Owner", "name": uid, "uid": uid, "controller": True}]


class Objects(NothingThere):
    """A lab in which all is as given, and well, but what POST /predict answers."""

    def __init__(self, number: str) -> None:
        self.start = resolve(number).folder / "start"

    def named(self, kind: str, name: str) -> Any:
        async def now() -> Any:
            files = {each.name: each.read_text() for each in self.start.glob("*.py")}
            return {"metadata": {"name": name}, "data": files} if kind == "ConfigMap" else None

        if kind != "Deployment":
            return SimpleNamespace(now=now)
        return Well(in_manifests(self.start, "Deployment", name) if name == "model" else None)

    async def service(self, name: str) -> Any:
        with contextlib.suppress(FileNotFoundError):
            return in_manifests(self.start, "Service", name)
        return in_manifests(self.start.parent / "solution" / "manifests", "Service", name)  # the learner makes it

    async def pods_of(self, service: str) -> list[Any]:
        spec = in_manifests(self.start, "Deployment", "model")["spec"]["template"]["spec"]
        status = {"podIP": "10.0.0.1", "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        return [{"metadata": {"name": "model-1", "ownerReferences": made_by("set")}, "spec": spec, "status": status}]

    async def pods_until(self, *given: Any, **more: Any) -> Observation:
        return Observation(True, "ready", "ready", await self.pods_of("model"))

    async def all(self, kind: str, selector: str = "") -> list[Any]:
        if kind == "ReplicaSet":
            return [{"metadata": {"name": "set", "uid": "set", "ownerReferences": made_by("model")}}]
        if kind == "EndpointSlice":
            return [{"endpoints": [{"addresses": ["10.0.0.1"]}]}]
        return await self.pods_of("model") if kind == "Pod" and not selector.startswith("mlops-lab/") else []


class Answering(Traffic):
    """Requests that are answered without a cluster."""

    def __init__(self, strange: Callable[[list[float]], str]) -> None:
        self.strange = strange

    def hidden_rows(self, count: int) -> HiddenRows:
        rows = [{"row": number} for number in range(count)]
        return HiddenRows(tuple(rows), {}, {"v1": tuple(number / 100 for number in range(count))})

    async def request(self, method: str, service: str, path: str, body: Any = None, **more: Any) -> Answer:
        text = '{"load_seconds": 1000}'
        if method == "POST":
            text = self.strange(self.hidden_rows(len(body["rows"])).probabilities("v1"))
        return Answer(200, {}, text.encode(), 0.01, "", f"http://{service}{path}")


async def workers(at_least: int = 2) -> list[Any]:
    return []


def first_check(number: str, strange: Callable[[list[float]], str], monkeypatch: pytest.MonkeyPatch) -> None:
    module = loaded(number)
    monkeypatch.setattr(module, "ANSWER_WITHIN", 0, raising=False)  # s until the right answer must have come
    check = getattr(module, LABS[number])
    lab = made_up_lab(
        number, objects=Objects(number), traffic=Answering(strange), nodes=Room(workers=workers), time=Time()
    )
    asyncio.run(check.run(lab))


@pytest.mark.parametrize("number", LABS)
@pytest.mark.parametrize("what", STRANGE)
def test_a_strange_answer_is_the_learners_failure(number: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Failure):
        first_check(number, STRANGE[what], monkeypatch)


@pytest.mark.parametrize("number", ["05", "10", "11", "12", "13"])
def test_the_models_own_values_pass(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first_check(number, saying, monkeypatch)
