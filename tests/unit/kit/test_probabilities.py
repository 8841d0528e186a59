"""Whether an answer gives the model's own values, and what others look like."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mlops_lab.checks import Lab
from mlops_lab.kit.probabilities import Likeness, answer_about, likeness, near, own_values
from mlops_lab.measure.traffic.http import Answer


def answer(body: Any, status: int = 200, seconds: float = 0.01) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, {}, content, seconds, "", "http://model/predict")


def saying(*probabilities: Any, version: Any = "v1") -> Answer:
    return answer({"model_version": version, "probabilities": list(probabilities)})


def test_the_models_own_values_are_right_within_the_limit() -> None:
    seen = own_values(saying(0.1, 0.2 + 1e-7), [0.1, 0.2], "2 flights")
    assert seen.ok
    assert seen.expected == "for 2 flights: model_version v1, and the model's own probabilities within 1e-6"
    assert seen.value == [0.1, 0.2 + 1e-7]
    assert not own_values(saying(0.1, 0.2 + 1e-5), [0.1, 0.2], "2 flights").ok
    assert own_values(saying(0.1, 0.2 + 5e-6, version="v2"), [0.1, 0.2], "it", version="v2", within=1e-5).ok


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        (saying(0.1), "1 probabilities for 2 rows"),
        (saying(math.nan, 0.2), "NaN or infinity among the probabilities"),
        (saying(0.1, math.inf), "NaN or infinity among the probabilities"),
        (saying(0.1, 0.3), "up to 0.1 away from the model's own"),
        (saying(0.1, 0.2, version=["v1"]), "model_version ['v1'], the right values"),
        (saying(0.1, "0.2"), "an object with model_version, probabilities; no list of numbers in probabilities"),
        (saying(0.1, 10**400), "an object with model_version, probabilities; no list of numbers in probabilities"),
        (answer(b"<html>"), "no JSON object: status 200, <html>"),
        (answer(b"[" * (64 << 10)), "an answer of 64 KiB or more, of which the beginning is status 200, "),
        (answer({"model_version": "v1", "probabilities": [0.1, 0.2]}, 201), "status 201, "),
    ],
)
def test_what_is_wrong_is_said(given: Answer, seen: str) -> None:
    found = own_values(given, [0.1, 0.2], "2 flights")
    assert not found.ok
    assert found.seen.startswith(seen)


@pytest.mark.parametrize(
    ("given", "like"),
    [
        (None, "no numbers"),
        ([0.21, 0.39, 0.77], "same"),
        ([0.21], "another count"),
        ([0.0, 0.0, 1.0], "classes"),
        ([0.79, 0.61, 0.23], "on time"),
        ([0.21, 0.21, 0.21], "constant"),
        ([0.77, 0.39, 0.21], "another order"),
        ([0.25, 0.35, 0.61], "another version"),
        ([0.2, 0.4, 0.8], "rounded"),
        ([0.9, 0.1, 0.3], "unlike"),
        ([math.nan, 0.1, 0.3], "unlike"),
    ],
)
def test_other_values_are_known_by_what_they_look_like(given: list[float] | None, like: Likeness) -> None:
    assert likeness(given, [0.21, 0.39, 0.77], [0.25, 0.35, 0.61]) == like


def test_values_are_near_only_if_they_are_as_many() -> None:
    assert near([0.1], [0.1000001], 1e-6)
    assert not near([0.1], [0.1, 0.2], 1)
    assert not near([math.nan], [0.1], 1)


def test_flights_are_asked_about_again_while_nobody_listens() -> None:
    turns, sent = [answer(b"", 0), answer(b"", 0, seconds=9.0), saying(0.1)], []

    async def post(service: str, path: str, body: Any, *, within: float) -> Answer:
        sent.append((service, path, body))
        return turns.pop(0)

    async def first_answer(
        ask: Callable[[], Awaitable[Answer]], test: Callable[[Answer], bool], *, within: float
    ) -> Answer:
        while not test(found := await ask()):
            pass
        return found

    lab = cast(Lab, SimpleNamespace(traffic=SimpleNamespace(post=post, first_answer=first_answer)))
    found = asyncio.run(answer_about(lab, ({"hour": 7},), service="other", within=20))
    assert (found.status, found.seconds) == (0, 9.0)  # one that took long is no refusal
    assert sent == [("other", "/predict", {"rows": [{"hour": 7}]})] * 2
