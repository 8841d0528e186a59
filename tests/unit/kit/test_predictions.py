"""What is said of an answer to POST /predict, whatever it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import Failure
from mlops_lab.kit.predictions import Predictions, predicted
from mlops_lab.measure.traffic.flights import HiddenRows
from mlops_lab.measure.traffic.http import Answer

HIDDEN = HiddenRows(({"a": 1}, {"a": 2}), {}, {"v1": (0.25, 0.5)})


def answer(body: Any, status: int = 200) -> Answer:
    return Answer(status, {}, json.dumps(body).encode(), 0.1, "" if status else "refused", "http://model")


def given(body: Any, status: int = 200) -> Predictions:
    return Predictions(answer(body, status), HIDDEN)


def test_the_models_own_answer_passes_everything() -> None:
    right = given({"model_version": "v1", "probabilities": [0.25, 0.5]})
    seen = [right.status(), right.version("v1"), right.count(), right.values("v1")]
    assert all(each.ok for each in seen)
    assert seen[2].expected == "probabilities for 2 flights: 2"


@pytest.mark.parametrize(
    ("body", "count", "near"),
    [
        ({"probabilities": [0.25, 0.6]}, True, False),
        ({"probabilities": [0.25]}, False, False),
        ({"probabilities": [0.25, True]}, False, False),
        ({"probabilities": "0.25"}, False, False),
        ({}, False, False),
    ],
)
def test_other_numbers_are_not_the_models(body: Any, count: bool, near: bool) -> None:
    other = given(body)
    assert (other.count().ok, other.values("v1").ok, other.version("v1").ok) == (count, near, False)


def test_how_near_it_must_be_is_the_labs_own() -> None:
    assert given({"probabilities": [0.25, 0.5001]}).values("v1", 0.001, "apart").expected == "apart: at most 0.001"
    assert given({"probabilities": [0.25, 0.5001]}).values("v1", 0.001).ok


def test_no_answer_says_why_and_none_that_is_json_fails() -> None:
    assert given("x", 0).status().evidence == ("refused",)
    with pytest.raises(Failure):
        given([1]).count()


def test_it_is_asked_until_an_answer_passes() -> None:
    asked, answers = [], iter([answer({}, 503), answer({"model_version": "v2"}), answer({"model_version": "v1"})])

    async def post(service: str, path: str, body: Any, *, within: float) -> Answer:
        asked.append((service, path, within))
        return next(answers)

    async def first_answer(
        ask: Callable[[], Awaitable[Answer]], test: Callable[[Answer], bool], *, within: float
    ) -> Answer:
        while not test(found := await ask()):
            pass
        return found

    traffic = SimpleNamespace(hidden_rows=lambda count: HIDDEN, post=post, first_answer=first_answer)
    lab: Any = SimpleNamespace(traffic=traffic)
    right = predicted(
        lab, "web", rows=2, within=9, answer_within=5, test=lambda one: one.fields_if_any.get("model_version") == "v1"
    )
    assert asyncio.run(right).version("v1").ok
    assert asked == [("web", "/predict", 5)] * 3
