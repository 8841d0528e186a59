"""Whatever a learner's run, model or file is, labs 01, 08, 09, 16 and 26 say what is wrong with it.

Anything else that a check raises, or a program of the checker's that ends badly, counts as the checker's own fault.
"""

from __future__ import annotations

import asyncio
import bz2
import contextlib
import functools
import io
import os
import pickle
import random
import urllib.error
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from mlops_lab.base.errors import Failure
from mlops_lab.base.paths import project
from mlops_lab.checks import Check, Lab, Observation
from mlops_lab.checks.rooms.work import Command
from mlops_lab.kit import scores
from mlops_lab.kit.pipeline_runs import Artifact, Record, Step
from mlops_lab.kit.sandbox import estimator
from mlops_lab.measure.services.pipelines import package
from mlops_lab.measure.services.rest import RefusedRequest
from tests.lab_programs import loaded
from tests.made_up import Platform, made_up_lab


class Names:
    """What a lab's checker holds, by name; of a check its function."""

    def __init__(self, number: str) -> None:
        self._checker = loaded(number)

    def __getitem__(self, name: str) -> Any:
        found = getattr(self._checker, name)
        return found.run if isinstance(found, Check) else found


@functools.cache
def lab_globals(number: str) -> Names:
    return Names(number)


def module(
    number: str, name: str, monkeypatch: pytest.MonkeyPatch, prepared: Path | None = None, **replaced: Any
) -> Any:
    """A program of a lab's checker that runs in a pod, with some of it replaced.

    Args:
        prepared: the folder that is /prepared in the pod.
    """
    found = loaded(number, name)
    if prepared:
        for each in (found, estimator):
            monkeypatch.setattr(each, "PREPARED", prepared)
    for key, value in replaced.items():
        monkeypatch.setattr(found, key, value)
    return found


def told(number: str, mlflow: Any = None, folder: Path | None = None, **answers: Any) -> Lab:
    """A lab in which everything that a check asks for once is known already, and MLflow has what it is told to have."""
    lab = made_up_lab(number, folder, platform=Platform(mlflow=mlflow))

    async def once(function: Any) -> Any:
        return answers[function.__name__]

    lab.once = once  # type: ignore[method-assign]
    return lab


def mlflow(**answers: Any) -> Any:
    """MLflow's room; each question has the same answer whatever is asked."""

    def saying(answer: Any) -> Any:
        async def said(*given: Any, **more: Any) -> Any:
            return answer

        return said

    return SimpleNamespace(name="lab", **{name: saying(answer) for name, answer in answers.items()})


def refuses(work: Any) -> None:
    with pytest.raises(Failure):
        asyncio.run(work)


# Lab 01


class Model:
    """A model with one answer for all, or an exception; it has no get_params."""

    def __init__(self, answer: float | Exception) -> None:
        self.answer = answer

    def predict_proba(self, rows: pd.DataFrame) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return np.array([[1 - self.answer, self.answer]] * len(rows))


@pytest.mark.parametrize("signature", [{"columns": ["foo"], "refuses": {}, "answers": 50},
                                       {"columns": [0, 1], "refuses": {}, "error": "there is no column 0"},
                                       {"columns": ["hour"], "refuses": {"rows without the column hour": False}},
                                       {"columns": None}])  # fmt: skip
def test_a_signature_that_refuses_nothing_fails(signature: dict[str, Any]) -> None:
    refuses(lab_globals("01")["refuses_other_rows"](told("01", scored={"signature": signature})))


@pytest.mark.parametrize(
    ("trouble", "why"),
    [("Incompatible input types for column day. Can not safely convert int64 to float64.", "integers"),
     ("Model is missing inputs ['late'].", "does not have `late`")],
)  # fmt: skip
def test_a_signature_that_refuses_good_rows_has_the_likely_reason(trouble: str, why: str) -> None:
    signature = {"columns": ["hour"], "refuses": {}, "error": trouble}
    with pytest.raises(Failure, match=why):
        asyncio.run(lab_globals("01")["refuses_other_rows"](told("01", scored={"signature": signature})))


def test_a_signature_that_refuses_passes() -> None:
    signature = {"columns": ["hour"], "refuses": {"rows without the column hour": True}, "answers": 50}
    asyncio.run(lab_globals("01")["refuses_other_rows"](told("01", scored={"signature": signature})))


GOOD = pd.DataFrame({"hour": [1, 2, 3], "carrier": ["UA", "B6", "UA"], "temp": [1.5, float("nan"), 2.5]})


class Signed:
    """A stand-in for MLflow's model: a signature that needs some columns, and takes another type for some alone."""

    def __init__(self, needs: list[str], loose: tuple[str, ...] = ()) -> None:
        self.needs, self.loose = needs, loose
        inputs = SimpleNamespace(has_input_names=lambda: True, input_names=lambda: list(GOOD))
        self.metadata = SimpleNamespace(signature=SimpleNamespace(inputs=inputs))

    def predict(self, rows: pd.DataFrame) -> list[int]:
        mixed = {name for name in rows if (rows[name].dtype == object) != (name == "carrier")}
        if mixed - set(self.loose) or not set(self.needs) <= set(rows):
            raise MlflowException("Failed to enforce schema of data")
        return [0] * len(rows)


@pytest.mark.parametrize(
    ("needs", "loose", "passes"),
    [(["hour", "carrier"], (), []), (["hour", "carrier", "temp"], (), []),
     (["hour"], (), ["rows without the column carrier"]), (["hour", "carrier"], ("temp",), ["rows with text as temp"]),
     (["hour", "carrier"], ("carrier",), ["rows with a number as carrier"])],
)  # fmt: skip
def test_a_signature_is_tried_with_each_of_its_columns(
    needs: list[str], loose: tuple[str, ...], passes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = module("01", "prepare", monkeypatch).enforced(Signed(needs, loose), GOOD, ["hour", "carrier"])
    assert [what for what, refused in found["refuses"].items() if not refused] == passes


def prepared() -> dict[str, Any]:
    days = ("training", "held_out", "after", "new", "other")
    return {"rows": dict.fromkeys(days, 2), "signature": {"columns": None}, "labels": dict.fromkeys(days, "01"),
            "few": [1, 0], "one": [1], "gaps": [1, 0],
            **{name: [0, 1] for name in lab_globals("01")["FARTHEST"]}}  # fmt: skip


def test_a_model_without_parameters_has_answers_all_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("training", "held_out", "few", "one", "gaps", "after", "new", "other", *lab_globals("01")["FARTHEST"]):
        pd.DataFrame({"hour": [1, 2]}).to_csv(tmp_path / f"{name}.csv", index=False)
    pd.DataFrame({"late": [0, 1]}).to_csv(tmp_path / "late.csv", index=False)
    (tmp_path / "model.json").write_text('{"folder": "model", "columns": null}')
    driver = module("01", "driver", monkeypatch, tmp_path, model=lambda: Model(0.3))
    driver.place.cache_clear()
    checker = lab_globals("01")
    answers = [driver.answer(question) for question in checker["QUESTIONS"]]
    answer = checker["judged"](prepared(), answers)
    assert answer["held_out"] == {"rows": 2, "auc": 0.5}
    refuses(checker["params_are_true"](told("01", scored=answer, newest={"data": {}})))
    assert "clone" in answer["unfit"]


def held(answers: dict[str, Any], logged: float, **labels: str) -> Lab:
    """Lab 01 with a model that gives some answers, and a metric that was logged; labels are `01` but for some days."""
    checker = lab_globals("01")
    week = answers.get("probabilities held_out", {"values": [0.1, 0.2]})["values"]
    alone = {"few": week[::-1], "one": week[1:2], "gaps": [0.2, 0.1]} | dict.fromkeys(checker["FARTHEST"], week[:2])
    answers = {f"probabilities {name}": {"values": each} for name, each in alone.items()} | answers
    whole = [answers.get(" ".join(question), {"values": [0.1, 0.2]}) for question in checker["QUESTIONS"]]
    found = {"data": {"metrics": [{"key": "auc_held_out", "value": logged}]}}
    about = prepared()
    about["labels"] |= labels
    about["rows"] |= {name: len(each) for name, each in labels.items()}
    return told("01", scored=checker["judged"](about, whole), newest=found)


def test_a_score_of_the_models_own_is_none() -> None:
    said = {"values": [0.2, 0.1], "auc": 1.0, "rows": 2}
    refuses(lab_globals("01")["metric_is_true"](held({"probabilities held_out": said}, 1.0)))
    asyncio.run(lab_globals("01")["metric_is_true"](held({}, 1.0)))


@pytest.mark.parametrize(
    ("few", "right"),
    [({"values": [0.2, 0.1 + 1e-9]}, True), ({"values": [0.2, 0.3]}, False), ({"values": [0.1, 0.2]}, False),
     ({"values": [float("nan"), 0.1]}, False), ({"values": [0.2]}, False), ({"values": ["far", 0.1]}, False),
     ({}, False), ({"error": "it did not return within 30 s"}, False)],
)  # fmt: skip
def test_a_flight_has_the_same_probability_without_the_rest(few: dict[str, Any], right: bool) -> None:
    check = lab_globals("01")["metric_is_true"](held({"probabilities few": few}, 1.0))
    asyncio.run(check) if right else refuses(check)


@pytest.mark.parametrize(
    ("one", "right"),
    [({"values": [0.2]}, True), ({"values": [0.3]}, True), ({"values": []}, False), ({"error": "no attribute"}, False)],
)
def test_a_flight_that_is_asked_about_alone_has_an_answer(one: dict[str, Any], right: bool) -> None:
    check = lab_globals("01")["metric_is_true"](held({"probabilities one": one}, 1.0))
    asyncio.run(check) if right else refuses(check)


@pytest.mark.parametrize(
    ("counted", "right"),
    [({"rows": 2}, True), ({"rows": 0}, True), ({"rows": 3}, False), ({"error": "slow"}, True), ({"rows": "x"}, True)],
)
def test_no_step_of_a_model_has_counted_more_than_the_training_days(counted: dict[str, Any], right: bool) -> None:
    check = lab_globals("01")["metric_is_true"](held({"counted": counted}, 1.0))
    asyncio.run(check) if right else refuses(check)


class Counting:
    """A step that is fitted, and what it has counted."""

    def __init__(self, seen: Any, **within: Any) -> None:
        self.n_samples_seen_ = seen
        self.__dict__ |= within

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {}


def test_the_rows_of_each_step_of_a_model_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = module("01", "driver", monkeypatch).counted
    scaler, weighed, known = Counting(np.array([7.0, 9.0])), Counting(99.5), Counting(3)
    known.__dict__["itself"] = known
    whole = Counting(
        1, steps=[("columns", Counting(2, transformers_=[("numbers", scaler, ["hour"]), weighed]))], best_=known
    )
    assert sorted(counted(whole, set())) == [1, 2, 3, 9]


def test_one_of_the_days_of_summer_has_gaps_in_its_weather() -> None:
    checker = lab_globals("01")
    for seed in range(50):
        found = checker["of_summer"](random.Random(seed))
        assert len(set(found)) == checker["DRAWN"] and set(found) & set(checker["GAPS"])
        assert found[0] >= "2013-06-01" and found[-1] <= "2013-08-31" and found == sorted(found)


@pytest.mark.parametrize(
    ("answers", "right"),
    [({"gaps": {"values": [0.2, 0.1]}}, True), ({"gaps": {"values": [0.2, 0.3]}}, False),
     ({"gaps": {"error": "Input X contains NaN."}}, False),
     ({"training": {"error": "Input X contains NaN."}, "gaps": {"error": "Input X contains NaN."}}, True)],
)  # fmt: skip
def test_what_is_missing_is_filled_without_the_rest(answers: dict[str, Any], right: bool) -> None:
    said = {f"probabilities {name}": each for name, each in answers.items()}
    check = lab_globals("01")["metric_is_true"](held(said, 1.0))
    asyncio.run(check) if right else refuses(check)


def test_half_of_the_rows_that_are_asked_about_alone_have_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    prepare = module("01", "prepare", monkeypatch)
    for gaps, expected in ((52, 15), (4, 4), (0, 0)):
        rows = pd.DataFrame({"hour": range(100), "temp": [float("nan")] * gaps + [1.5] * (100 - gaps)})
        places = prepare.half_with_gaps(rows, random.Random(1))
        assert len(set(places)) == 30 and sum(place < gaps for place in places) == expected


@pytest.mark.parametrize(("temp", "right"), [([0.1, 0.2], True), ([0.1, 0.3], True), ([0.2, 0.3], False)])
def test_an_unusual_flight_has_the_same_probability_without_the_rest(temp: list[float], right: bool) -> None:
    check = lab_globals("01")["metric_is_true"](held({"probabilities farthest_temp": {"values": temp}}, 1.0))
    asyncio.run(check) if right else refuses(check)


def test_the_most_unusual_flights_are_told_of_once_or_by_the_column_that_is_wrong() -> None:
    checker = lab_globals("01")
    same = {name: {"rows": 12, "others": 0} for name in (*checker["FARTHEST"], "few")}
    few, all_of_them = checker["asked_alone"](same)
    assert str(few) == "30 flights of that week without the rest: others for 0 of 12"
    assert str(all_of_them).endswith("others for 0 by distance, 0 by temp, 0 by wind_speed, 0 by precip, 0 by visib")
    _, wrong = checker["asked_alone"](same | {"farthest_temp": {"rows": 12, "others": 9}})
    assert (wrong.ok, "whose temp is farthest" in wrong.expected, wrong.seen) == (False, True, "others for 9 of 12")
    assert checker["asked_alone"]({"farthest_precip": {"error": "it is slow"}})[0].seen == "it is slow"
    assert checker["asked_alone"]({}) == []


def test_the_most_unusual_flights_are_those_farthest_from_the_median(monkeypatch: pytest.MonkeyPatch) -> None:
    farthest = module("01", "prepare", monkeypatch).farthest
    column = pd.Series([10.0, float("nan"), *[10.0] * 60, *[3.0] * 8, *[20.0] * 4, *[11.0] * 20])
    assert sorted(farthest(column, random.Random(1))) == list(range(62, 74))
    equal = {tuple(farthest(pd.Series([0.0] * 20 + [1.0] * 15), random.Random(seed))) for seed in range(5)}
    assert len(equal) == 5 and all(len(set(each)) == 12 and min(each) >= 20 for each in equal)


@pytest.mark.parametrize(("sizes", "right"), [([7], True), ([5], True), ([7, 7], True), ([7, 5], False), ([9], False),
                                              ([0], False), ([], False)])  # fmt: skip
def test_rows_without_weather_may_be_left_out(sizes: list[int], right: bool) -> None:
    tags = [{"key": "mlflow.data.context", "value": "training"}]
    inputs = [{"tags": tags, "dataset": {"digest": "d", "profile": f'{{"num_rows": {size}}}'}} for size in sizes]
    rows = {"training": 7, "complete": 5, "held_out": 2}
    run = {"inputs": {"dataset_inputs": inputs}}
    check = lab_globals("01")["dataset_is_recorded"](told("01", scored={"rows": rows}, newest=run))
    asyncio.run(check) if right else refuses(check)


@pytest.mark.parametrize("fitted", [{"values": [0.2, 0.1]}, {"error": "it did not return within 30 s"}])
def test_a_model_that_knows_the_held_out_week_is_better_than_itself(fitted: dict[str, Any]) -> None:
    check = lab_globals("01")["metric_is_true"](held({"fitted held_out": fitted}, 1.0))
    refuses(check) if "values" in fitted else asyncio.run(check)


@pytest.mark.parametrize("after", [{"values": [0.2, 0.1]}, {"error": "it did not return within 30 s"}])
def test_a_model_that_knows_all_four_weeks_is_worse_in_those_after(after: dict[str, Any]) -> None:
    check = lab_globals("01")["metric_is_true"](held({"probabilities after": after}, 1.0))
    refuses(check) if "values" in after else asyncio.run(check)


@pytest.mark.parametrize("fitted", [{"values": [0.2, 0.1]}, {"error": "it did not return within 30 s"}])
def test_a_model_that_was_fitted_to_the_two_weeks_after_knows_them(fitted: dict[str, Any]) -> None:
    check = lab_globals("01")["metric_is_true"](held({"fitted after": fitted}, 1.0))
    refuses(check) if "values" in fitted else asyncio.run(check)


@pytest.mark.parametrize(("fitted", "right"), [
    ({"error": "AttributeError: no fit", "own": True}, False), ({"error": "MemoryError", "own": False}, True),
    ({"error": "it did not return within 30 s", "lines": []}, True), ({"error": "strange", "own": "yes"}, True),
])  # fmt: skip
def test_an_estimator_that_cannot_be_fitted_anew_is_told_from_one_that_takes_long(
    fitted: dict[str, Any], right: bool
) -> None:
    check = lab_globals("01")["metric_is_true"](held({"fitted held_out": fitted}, 1.0))
    asyncio.run(check) if right else refuses(check)


@pytest.mark.parametrize(("again", "right"), [
    ([{"values": [0.2, 0.1]}] * 2 + [{"values": [0.1, 0.2]}], True), ([{"values": [0.2, 0.1]}] * 3, False),
    ([{"error": "it did not return within 30 s"}] * 3, False),
])  # fmt: skip
def test_of_several_fits_of_what_draws_at_random_the_best_counts(again: list[dict[str, Any]], right: bool) -> None:
    said: dict[str, Any] = {f"{what} held_out": {"error": "slow"} for what in ("refitted", "steps", "frozen")}
    lab, checker = held(said | {"fitted held_out": {"values": [0.2, 0.1]}}, 1.0), lab_globals("01")
    answer, times = asyncio.run(lab.once(checker["scored"])), iter(again)
    assert checker["better"](answer) and not checker["better"](asyncio.run(held({}, 1.0).once(checker["scored"])))
    answers = [next(times) if question[1:2] == ("held_out",) else {} for question in checker["AGAIN"]]
    checker["at_best"](answer, prepared()["labels"], answers)
    asyncio.run(checker["metric_is_true"](lab)) if right else refuses(checker["metric_is_true"](lab))


def test_a_run_within_another_one_is_not_the_newest() -> None:
    runs = [
        {"info": {"run_id": name}, "data": {"tags": [{"key": "mlflow.parentRunId", "value": "own"}] if within else []}}
        for name, within in (("child", True), ("own", False), ("older", False))
    ]
    lab = told("01", mlflow=mlflow(runs=runs))
    assert asyncio.run(lab_globals("01")["newest"](lab)) == runs[1]


RISING = [0.1, 0.2, 0.3, 0.4, 0.5]


@pytest.mark.parametrize(("summer", "fitted", "right"), [
    ("01001", {"values": RISING[::-1]}, False), ("01001", {"error": "it did not return within 30 s"}, True),
    ("01001", {"values": RISING}, True), ("00101", {"values": RISING}, False),
])  # fmt: skip
def test_a_model_that_was_fitted_to_the_summer_too_knows_it(summer: str, fitted: dict[str, Any], right: bool) -> None:
    answers = {"probabilities other": {"values": RISING}, "fitted other": fitted}
    check = lab_globals("01")["answers_for_other_days"](held(answers, 1.0, other=summer))
    asyncio.run(check) if right else refuses(check)


UNKNOWN = {"error": "ValueError: Found unknown categories ['OO']", "unable": True}


SUMMER: dict[str, Any] = {"probabilities other": {"values": RISING}, "fitted other": {"values": RISING}}


@pytest.mark.parametrize("days", ["held_out", "other", "after", "new"])
@pytest.mark.parametrize(("fitted", "right"), [
    (UNKNOWN, False), ({"error": "MemoryError", "unable": False}, True), ({"error": "no fit", "own": True}, True),
    ({"error": "it did not return within 30 s", "lines": []}, True), ({"error": "strange", "unable": "yes"}, True),
])  # fmt: skip
def test_a_model_has_no_answer_that_the_same_one_fitted_to_the_training_days_has_not(
    days: str, fitted: dict[str, Any], right: bool
) -> None:
    lab, checker = held(SUMMER | {f"fitted {days}": fitted}, 1.0, other="01001"), lab_globals("01")
    asyncio.run(checker["answers_for_other_days"](lab)) if right else refuses(checker["answers_for_other_days"](lab))
    if "own" not in fitted:
        asyncio.run(checker["metric_is_true"](lab))


@pytest.mark.parametrize("days", ["after", "new"])
def test_what_a_model_has_no_answer_for_it_does_not_know(days: str) -> None:
    said = {f"probabilities {days}": {"error": UNKNOWN["error"]}, f"fitted {days}": UNKNOWN}
    asyncio.run(lab_globals("01")["answers_for_other_days"](held(SUMMER | said, 1.0, other="01001")))


@pytest.mark.parametrize(("again", "right"), [
    ([UNKNOWN, UNKNOWN, {"values": [0.1]}], True), ([UNKNOWN] * 3, False), ([{"error": "slow"}] * 3, False),
])  # fmt: skip
def test_of_several_fits_one_that_has_an_answer_is_enough(again: list[dict[str, Any]], right: bool) -> None:
    said = SUMMER | {"probabilities new": {"values": [0.2]}, "fitted new": UNKNOWN}
    lab, checker = held(said, 1.0, other="01001", new="0"), lab_globals("01")
    answer, times = asyncio.run(lab.once(checker["scored"])), iter(again)
    assert checker["better"](answer)
    answers = [next(times) if question[1:2] == ("new",) else {} for question in checker["AGAIN"]]
    checker["at_best"](answer, prepared()["labels"] | {"new": "0"}, answers)
    asyncio.run(checker["answers_for_other_days"](lab)) if right else refuses(checker["answers_for_other_days"](lab))


def test_flights_with_a_code_that_the_training_days_do_not_have_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    more = pd.DataFrame({"hour": [7, 8, 9], "carrier": ["B6", "OO", "UA"], "temp": [0.5, 1.5, float("nan")]})
    known = module("01", "prepare", monkeypatch).has_codes_of(more, GOOD)
    assert known.tolist() == [True, False, True]


@pytest.mark.parametrize(("trouble", "unable"), [
    (ValueError("Found unknown categories"), True), (MemoryError(), False), (PermissionError(13, "no"), False),
])  # fmt: skip
def test_what_is_fitted_anew_is_unable_to_answer_where_no_limit_is_in_the_way(
    weeks: Any, trouble: Exception, unable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Known(LogisticRegression):
        def predict_proba(self, rows: pd.DataFrame) -> Any:
            if set(rows["hour"]) - set(range(9)):
                raise trouble
            return super().predict_proba(rows)

    monkeypatch.setattr(weeks, "model", lambda: Known())
    weeks.anew.cache_clear()
    found = weeks.answer(["fitted", "held_out"])
    assert found["unable"] is unable and "own" not in found
    assert len(weeks.answer(["fitted", "training"])["values"]) == 8


@pytest.mark.parametrize(("own", "alone", "right"), [
    ([0.1, 0.4], [0.1, 0.3], False), ([0.1, 0.3], [0.1, 0.3], True), ([0.1, 0.35], [0.1, 0.3], True),
    ([0.1, 0.6], [0.1, 0.3], True),
])  # fmt: skip
def test_a_model_that_gives_what_all_four_weeks_give_was_fitted_to_them(
    own: list[float], alone: list[float], right: bool
) -> None:
    answers = {"probabilities": own, "fitted": alone, "refitted": [0.1, 0.4]}
    said = {f"{what} held_out": {"values": values} for what, values in answers.items()}
    check = lab_globals("01")["metric_is_true"](held(said, 1.0))
    asyncio.run(check) if right else refuses(check)


@pytest.mark.parametrize(("alone", "both", "right"), [
    ([0.6, 0.5], [0.54, 0.56], False), ([0.6, 0.5], [0.56, 0.54], True), ([0.54, 0.56], [0.516, 0.584], True),
])  # fmt: skip
def test_a_model_that_draws_at_random_and_is_better_may_not_be_near_the_one_of_all_four_weeks(
    alone: list[float], both: list[float], right: bool
) -> None:
    def week(*midst: float) -> dict[str, Any]:
        return {"values": [0.1, 0.2, 0.3, 0.4, *midst, 0.7, 0.8, 0.9, 1.0]}

    said = {
        "probabilities held_out": week(0.5, 0.6), "fitted held_out": week(*alone), "refitted held_out": week(*both),
        "probabilities few": {"values": [0.2, 0.1]},
    }  # fmt: skip
    check = lab_globals("01")["metric_is_true"](held(said, 1.0, held_out="0000011111"))
    asyncio.run(check) if right else refuses(check)


@pytest.mark.parametrize("what", ["steps", "frozen"])
@pytest.mark.parametrize(("own", "training", "right"), [
    ([0.1, 0.4], [0.1, 0.3], False), ([0.1, 0.4], None, False), ([0.1, 0.4], [0.1, 0.4], True),
    ([0.1, 0.3], [0.1, 0.2], True),
])  # fmt: skip
def test_a_model_a_part_of_which_knows_the_held_out_week_gives_what_that_one_gives(
    what: str, own: list[float], training: list[float] | None, right: bool
) -> None:
    answers = {"probabilities": {"values": own}, "fitted": {"values": [0.1, 0.2]}, "refitted": {"values": [0.1, 0.9]}}
    answers[what] = {"values": [0.1, 0.4], "training": training}
    check = lab_globals("01")["metric_is_true"](held({f"{each} held_out": said for each, said in answers.items()}, 1.0))
    asyncio.run(check) if right else refuses(check)


def test_nothing_is_held_against_a_model_that_takes_long_to_fit() -> None:
    said = {"probabilities held_out": {"values": [0.1, 0.4]}}
    said |= {f"{what} held_out": {"error": "it did not return"} for what in ("refitted", "steps", "frozen")}
    asyncio.run(lab_globals("01")["metric_is_true"](held(said, 1.0)))


def test_sealed_labels_are_read_with_their_key() -> None:
    sealed = loaded("01", "sealed")
    kept = sealed.turned(b"0110" * 99, "key")
    assert sealed.turned(kept, "key") == b"0110" * 99 != sealed.turned(kept, "another")


def test_a_model_is_fitted_anew_to_more_days(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = []

    class Fitted(Model):
        def get_params(self, deep: bool = True) -> dict[str, Any]:
            return {"answer": self.answer}

        def fit(self, rows: pd.DataFrame, late: pd.Series) -> Any:
            given.append((list(rows["hour"]), list(late)))
            return self

    for name, hours in (("training", [1, 2]), ("held_out", [3])):
        pd.DataFrame({"hour": hours}).to_csv(tmp_path / f"{name}.csv", index=False)
    pd.DataFrame({"late": [0, 1]}).to_csv(tmp_path / "late.csv", index=False)
    (tmp_path / "model.json").write_text('{"folder": "model", "columns": ["hour"]}')
    driver = module("01", "driver", monkeypatch, tmp_path, model=lambda: Fitted(0.3))
    monkeypatch.setattr(driver.sealed, "PREPARED", tmp_path)
    driver.place.cache_clear()
    driver.anew.cache_clear()
    driver.sealed.place("held_out").write_bytes(driver.sealed.turned(b"1", "key"))
    assert driver.answer(["fitted", "held_out"]) == driver.answer(["refitted", "held_out", "key"]) == {"values": [0.3]}
    assert given == [([1, 2], [0, 1]), ([1, 2, 3], [0, 1, 1])]


def test_what_is_frozen_in_a_model_is_fitted_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, late = [[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]
    bare, inside = LogisticRegression(C=0.3), FrozenEstimator(StandardScaler().fit(rows))
    frozen = FrozenEstimator(make_pipeline(FrozenEstimator(inside), bare).fit(rows, late))
    unfitted = module("01", "driver", monkeypatch).unfitted
    for model in (frozen, CalibratedClassifierCV(frozen), SimpleNamespace(best_estimator_=frozen)):
        found = unfitted(model)
        assert "FrozenEstimator" not in repr(found) and "C=0.3" in repr(found)
        with pytest.raises(NotFittedError):
            found.predict_proba(rows)
    assert frozen.predict_proba(rows).shape == (4, 2)


@pytest.mark.parametrize("part", [
    StackingClassifier([("a", LogisticRegression(C=0.3)), ("b", "drop")], cv="prefit"),
    StackingClassifier([("a", FrozenEstimator(LogisticRegression(C=0.3)))], cv="prefit"),
    TunedThresholdClassifierCV(LogisticRegression(C=0.3), cv="prefit", refit=False),
    make_pipeline(SelectFromModel(LogisticRegression(C=0.3), prefit=True), LogisticRegression()),
])  # fmt: skip
def test_what_was_fitted_before_is_fitted_anew(part: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, late = [[float(each)] for each in range(20)], [0] * 10 + [1] * 10
    driver, before = module("01", "driver", monkeypatch), repr(part)
    for model in (part, FrozenEstimator(part), VotingClassifier([("only", part)], voting="soft")):
        for bare in (driver.unfitted(model), driver.unfitted(model, None)):
            assert bare.fit(rows, late).predict_proba(rows).shape == (20, 2)
            assert "C=0.3" in repr(bare) and repr(part) == before


def test_a_stack_on_what_was_fitted_before_is_the_same_fitted_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, late = [[float(each)] for each in range(20)], [0] * 9 + [1, 0] + [1] * 9
    stack = StackingClassifier([("a", LogisticRegression().fit(rows, late))], cv="prefit").fit(rows, late)
    found = module("01", "driver", monkeypatch).unfitted(stack).fit(rows, late)
    assert found.predict_proba(rows) == pytest.approx(stack.predict_proba(rows))


def test_what_needs_the_weather_is_fitted_to_the_flights_that_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    days = GOOD[["hour", "temp"]], pd.Series([0, 0, 1])
    learnt = module("01", "driver", monkeypatch, training=lambda: days).learnt
    assert len(learnt(lambda alone: alone)[0]) == 3
    assert learnt(lambda alone: LogisticRegression().fit(*alone)).n_features_in_ == 2


@pytest.fixture
def weeks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Lab 01's driver with flights of the training days and of the week after; its model is still missing."""
    hours = {"training": [1, 2, 3, 4, 5, 6, 7, 8], "held_out": [2, 9, 4, 20]}
    for name, each in hours.items():
        pd.DataFrame({"hour": each}).to_csv(tmp_path / f"{name}.csv", index=False)
    pd.DataFrame({"late": [0, 0, 1, 0, 1, 0, 1, 1]}).to_csv(tmp_path / "late.csv", index=False)
    (tmp_path / "model.json").write_text('{"folder": "model", "columns": ["hour"]}')
    driver = module("01", "driver", monkeypatch, tmp_path)
    monkeypatch.setattr(driver.sealed, "PREPARED", tmp_path)
    driver.place.cache_clear()
    driver.sealed.place("held_out").write_bytes(driver.sealed.turned(b"0011", "key"))
    return driver


def asked_about(driver: Any, model: Any, what: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the driver says of the held-out week: with a model a part of which is fitted to other days."""
    monkeypatch.setattr(driver, "model", lambda: model)
    answer: dict[str, Any] = driver.answer([what, "held_out", "key"])
    return answer


def test_the_steps_of_a_pipeline_but_the_last_learn_from_all_days(weeks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    given, late = weeks.training()
    week, _ = weeks.unsealed("held_out", "key")
    scaler, last = MinMaxScaler().fit(pd.concat([given, week])), LogisticRegression()
    wrong = make_pipeline(scaler, last.fit(scaler.transform(given), late))
    right = make_pipeline(MinMaxScaler(), LogisticRegression()).fit(given, late)
    voting = VotingClassifier([("only", wrong)], voting="soft")
    for model in (wrong, right, voting, FrozenEstimator(wrong), SimpleNamespace(best_estimator_=right)):
        found = asked_about(weeks, model, "steps", monkeypatch)
        assert found["values"] == pytest.approx(wrong.predict_proba(week)[:, 1])
        assert found["training"] == pytest.approx(right.predict_proba(week)[:, 1])
    for what, model in (("steps", LogisticRegression()), ("frozen", right), ("frozen", FrozenEstimator(right))):
        assert "error" in asked_about(weeks, model, what, monkeypatch)


def test_what_is_put_on_a_frozen_estimator_learns_from_the_week(weeks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (given, late), week = weeks.training(), weeks.unsealed("held_out", "key")
    scaler = MinMaxScaler().fit(given)
    apart = LogisticRegression().fit(scaler.transform(given), late)
    frozen = FrozenEstimator(make_pipeline(scaler, apart))
    whole = CalibratedClassifierCV(frozen, cv=2).fit(*week)
    last = CalibratedClassifierCV(FrozenEstimator(apart), cv=2).fit(scaler.transform(week[0]), week[1])
    for model in (whole, make_pipeline(scaler, last), FrozenEstimator(whole)):
        found = asked_about(weeks, model, "frozen", monkeypatch)
        assert found["values"] == pytest.approx(whole.predict_proba(week[0])[:, 1])
        assert found["training"] != pytest.approx(found["values"])
    honest = CalibratedClassifierCV(frozen, cv=2).fit(given, late)
    found = asked_about(weeks, honest, "frozen", monkeypatch)
    assert found["training"] == pytest.approx(honest.predict_proba(week[0])[:, 1])


def test_what_is_stacked_on_what_was_fitted_before_learns_from_the_week(
    weeks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (given, late), week = weeks.training(), weeks.unsealed("held_out", "key")
    known = FrozenEstimator(LogisticRegression(C=0.1).fit(given, late))
    both = [("a", LogisticRegression().fit(given, late)), ("b", known)]
    wrong, right = (
        StackingClassifier([*both, ("c", "drop")], cv="prefit").fit(*days) for days in (week, (given, late))
    )
    parted = StackingClassifier([("a", LogisticRegression().fit(given[:5], late[:5]))], cv="prefit")
    parted.fit(given[5:], late[5:])
    found = asked_about(weeks, parted, "frozen", monkeypatch)
    assert found["parted"] == pytest.approx(parted.predict_proba(week[0])[:, 1])
    for model in (wrong, FrozenEstimator(wrong), right, VotingClassifier([("only", right)], voting="soft")):
        found = asked_about(weeks, model, "frozen", monkeypatch)
        assert found["values"] == pytest.approx(wrong.predict_proba(week[0])[:, 1])
        assert found["training"] == pytest.approx(right.predict_proba(week[0])[:, 1])


def test_what_is_frozen_learns_the_third_time_from_other_training_days_than_the_rest(
    weeks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (given, late), (week, _) = weeks.training(), weeks.unsealed("held_out", "key")
    base = LogisticRegression().fit(given[:5], late[:5])
    right = StackingClassifier([("only", base)], cv="prefit").fit(given[5:], late[5:])
    frozen = StackingClassifier([("only", FrozenEstimator(base))], cv="prefit").fit(given[5:], late[5:])
    for model in (right, frozen):
        monkeypatch.setattr(weeks, "model", lambda model=model: model)
        weeks.anew.cache_clear()
        found = weeks.answer(["fitted", "held_out", "3"])
        assert found["values"] == pytest.approx(right.predict_proba(week)[:, 1])
    plain = LogisticRegression().fit(given, late)
    monkeypatch.setattr(weeks, "model", lambda: plain)
    weeks.anew.cache_clear()
    assert weeks.answer(["fitted", "held_out", "3"])["values"] == pytest.approx(plain.predict_proba(week)[:, 1])


def test_a_model_gets_columns_in_the_order_of_its_signature(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text('{"folder": "model", "columns": ["temp", "gate", "hour"]}')
    driver = module("01", "driver", monkeypatch, tmp_path)
    driver.place.cache_clear()
    assert list(driver.taken(GOOD)) == ["temp", "hour"]
    driver.place()["columns"] = None
    assert driver.taken(GOOD) is GOOD


def test_what_ends_while_it_is_loaded_is_no_model() -> None:
    gone = {"error": "its process ended with exit code 0"}
    answer = lab_globals("01")["judged"](prepared(), [gone] * len(lab_globals("01")["QUESTIONS"]))
    refuses(lab_globals("01")["logs_the_model"](told("01", scored=answer | {"model": "m-1"})))


NESTED = {
    "params": {"bags__random_state": "2", "bags__estimator__random_state": "1", "bags__estimator__C": "0.3"},
    "classifiers": [
        {"path": "bags__", "kind": "BaggingClassifier", "params": {"random_state": "2"}, "set": {"random_state": "2"}},
        {"path": "bags__estimator__", "kind": "LogisticRegression", "params": {"random_state": "1", "C": "0.3"},
         "set": {"random_state": "1", "C": "0.3"}},
    ],
    "search": {"random_state": "5"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("logged", "right"),
    [({"random_state": 2, "estimator__random_state": 1, "C": 0.3}, True),
     ({"random_state": 5, "bags__random_state": 2, "estimator__random_state": 1, "estimator__C": 0.30}, True),
     ({"random_state": 1, "bags__random_state": 2, "best_bags__estimator__C": 0.3}, True),
     ({"random_state": 3, "bags__random_state": 2, "estimator__random_state": 1, "C": 0.3}, False),
     ({"estimator__random_state": 1, "C": 0.3}, False), ({"random_state": 2, "C": 0.3}, False),
     ({"bags__random_state": 1, "random_state": 2, "estimator__random_state": 1, "C": 0.3}, False), ({}, False)],
)  # fmt: skip
def test_parameters_of_one_name_are_each_their_own(logged: dict[str, Any], right: bool) -> None:
    params = [{"key": key, "value": str(value)} for key, value in logged.items()]
    check = lab_globals("01")["params_are_true"](
        told("01", scored={"params": NESTED}, newest={"data": {"params": params}})
    )
    asyncio.run(check) if right else refuses(check)


@pytest.mark.parametrize("said", [{"error": "no get_params"}, {}, {"classifiers": 7}, {"classifiers": [7]},
                                  {"classifiers": [{}], "params": [1]}])  # fmt: skip
def test_a_models_process_may_tell_anything_of_its_parameters(said: dict[str, Any]) -> None:
    refuses(lab_globals("01")["params_are_true"](told("01", scored={"params": said}, newest={"data": {}})))


@pytest.mark.parametrize(("start", "ended", "seconds"), [(100, 200, 0), (98, 200, 0), (90, 200, -10), (210, 200, 10)])
def test_when_a_run_began_beside_its_job(start: int, ended: int, seconds: int) -> None:
    times = {"startTime": "1970-01-01T00:01:40Z", "completionTime": "1970-01-01T00:03:20Z"}
    run = {"info": {"start_time": start * 1000}}
    assert lab_globals("01")["before_or_after"](run, {"status": times}) == seconds


@pytest.mark.parametrize(
    ("told", "at", "owner", "beside"),
    [
        ({"envFrom": [{"configMapRef": {"name": "platform"}}]}, "00:02:00", "other", True),
        ({"env": [{"name": "MLFLOW_TRACKING_URI", "value": "http://mlflow"}]}, "00:02:00", "other", True),
        ({"envFrom": [{"secretRef": {"name": "platform"}}]}, "00:02:00", "other", False),
        ({"envFrom": [{"configMapRef": {"name": "platform"}}]}, "00:02:00", "train", False),
        ({"envFrom": [{"configMapRef": {"name": "platform"}}]}, "00:01:30", "other", False),
        ({"envFrom": [{"configMapRef": {"name": "platform"}}]}, "00:02:40", "other", False),
        ({"envFrom": [{"configMapRef": {"name": "platform"}}]}, None, "other", False),
    ],
)
def test_a_pod_that_may_have_begun_the_run_in_place_of_the_job(
    told: dict[str, Any], at: str | None, owner: str, beside: bool
) -> None:
    state = {"terminated": {"startedAt": f"1970-01-01T{at}Z"}} if at else {"waiting": {"reason": "ContainerCreating"}}
    pod = {
        "metadata": {"name": "notebook-x", "ownerReferences": [{"controller": True, "uid": owner}]},
        "spec": {"containers": [told]},
        "status": {"containerStatuses": [{"state": state}]},
    }
    job = {"metadata": {"uid": "train"}, "status": {"startTime": "1970-01-01T00:01:40Z"}}
    found = lab_globals("01")["started_beside"]([pod], job, {"info": {"start_time": 150_000}})
    assert found == (["notebook-x"] if beside else [])


@pytest.mark.parametrize(("profile", "rows"), [('{"num_rows": 7}', 7), ('{"num_rows": 1e999}', 0), ("[]", 0)])
def test_the_rows_that_a_profile_tells(profile: str, rows: int) -> None:
    assert lab_globals("01")["size"]({"profile": profile}) == rows


# Lab 08

PARAMETERS = "first_day last_day held_out_days seed"


@pytest.mark.parametrize("root", ["null", "[1]", "{inputDefinitions: null}", "{inputDefinitions: {parameters: null}}",
                                  f"{{inputDefinitions: {{parameters: {PARAMETERS}}}}}",
                                  "{inputDefinitions: {parameters: {7: 1}}}"])  # fmt: skip
def test_a_package_of_another_form_fails(root: str) -> None:
    refuses(lab_globals("08")["compiles"](told("08", compiled=package(f"pipelineInfo: {{}}\nroot: {root}"))))


def test_a_package_with_the_parameters_passes() -> None:
    parameters = dict.fromkeys([*PARAMETERS.split(), 7], 1)
    spec = {"pipelineInfo": {}, "root": {"inputDefinitions": {"parameters": parameters}}}
    for each in (spec, {"pipeline_spec": spec, "platform_spec": {}}):
        asyncio.run(lab_globals("08")["compiles"](told("08", compiled=each)))


COLUMNS = "month,day,weekday,hour,carrier,origin,dest,distance,temp,wind_speed,precip,visib,late\n"
FLIGHTS = "1,2,3,4,UA,EWR,SFO,100.0,39.02,12.65858,,10.0,1\n1,3,3,4,UA,EWR,SFO,100.0,39.02,12.65858,,10.0,0\n"
REST = ",2,3,4,UA,EWR,SFO,100.0,39.02,12.65858,,10.0,1\n"


def compared(content: Any, monkeypatch: pytest.MonkeyPatch, url: str = "http://kfp/7") -> Any:
    whole = module("08", "prepare", monkeypatch, content=content)
    monkeypatch.setattr(whole, "flights", lambda days: whole.read(io.StringIO(COLUMNS + FLIGHTS)))
    return whole.compared(url, ["a day"])


@pytest.mark.parametrize("text", [COLUMNS + FLIGHTS + COLUMNS + FLIGHTS, f"{COLUMNS}March{REST}", f"{COLUMNS}{REST}",
                                  f"{COLUMNS}inf{REST}", f"{COLUMNS}{'9' * 30}{REST}", "", "month\n1", "\0",
                                  f",{COLUMNS}0,1{REST}",
                                  COLUMNS + FLIGHTS.replace("1\n", "True\n").replace("0\n", "False\n")])  # fmt: skip
def test_a_data_set_of_another_form_is_said(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "error" in compared(lambda url: text.encode(), monkeypatch)


@pytest.mark.parametrize(
    ("text", "missing", "weather"),
    [(COLUMNS + FLIGHTS, 0, 0), (COLUMNS, 2, 0), (f"{COLUMNS}1{REST}", 1, 0),
     (COLUMNS + FLIGHTS.replace("39.02", "39.020000457"), 0, 0), (COLUMNS + FLIGHTS.replace("39.02", "39.0"), 0, 2),
     (COLUMNS + FLIGHTS.replace(",,", ",0.0,"), 0, 2), (COLUMNS + FLIGHTS.replace("12.65858", "calm"), 0, 2),
     (COLUMNS + FLIGHTS.replace(",,", ",NA,"), 0, 2), (COLUMNS + FLIGHTS.replace(",,", ",NaN,"), 0, 2),
     (COLUMNS + FLIGHTS.replace("12.65858", "12.66"), 0, 2),
     (COLUMNS + FLIGHTS.replace("12.65858", "12.658579999999999"), 0, 0)],
)  # fmt: skip
def test_a_data_set_is_compared(text: str, missing: int, weather: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = compared(lambda url: text.encode(), monkeypatch)
    assert "error" not in found and (found["missing"], found["weather"]) == (missing, weather)
    assert found["gaps"] == [place for place, line in enumerate(text.splitlines()[1:]) if ",," in line]


def answering(status: int) -> Any:
    def urlopen(url: str, timeout: float) -> Any:
        raise urllib.error.HTTPError(url, status, "", {}, None)  # type: ignore[arg-type]

    return SimpleNamespace(request=SimpleNamespace(urlopen=urlopen), error=urllib.error)


@pytest.mark.parametrize("status", [400, 404])
def test_a_data_set_that_was_never_written_is_said(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    content = module("08", "prepare", monkeypatch, urllib=answering(status)).content
    assert "nothing is there" in compared(content, monkeypatch)["error"]


def test_a_data_set_in_another_store_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    content = module("08", "prepare", monkeypatch).content
    assert "nothing is there" in compared(content, monkeypatch, url="")["error"]


def test_a_network_that_does_not_know_the_pod_yet_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    came = [ConnectionRefusedError(), io.BytesIO((COLUMNS + FLIGHTS).encode())]

    def urlopen(url: str, timeout: float) -> Any:
        if isinstance(first := came.pop(0), OSError):
            raise first
        return first

    played = SimpleNamespace(request=SimpleNamespace(urlopen=urlopen), error=urllib.error)
    waiting = SimpleNamespace(monotonic=lambda: 0.0, sleep=lambda seconds: None)
    content = module("08", "prepare", monkeypatch, urllib=played, time=waiting).content
    assert "error" not in compared(content, monkeypatch) and not came


def test_pipelines_that_do_not_answer_are_not_the_learners_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="503"):
        module("08", "prepare", monkeypatch, urllib=answering(503)).laid_out(
            "http://kfp/model", {"rows": "http://kfp/rows"}
        )


def test_an_artifact_without_end_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = SimpleNamespace(urlopen=lambda url, timeout: io.BytesIO(b"x" * 2000))
    played = SimpleNamespace(request=endless, error=urllib.error)
    endless_prepare = module("08", "prepare", monkeypatch, LARGEST=1000, urllib=played)
    with pytest.raises(ValueError, match="larger"):
        endless_prepare.content("http://kfp/7")


def scored(model: bytes, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Any:
    """What a Model answers in the sandbox about two flights, scored; no label is there."""

    def content(url: str, largest: int = 0) -> bytes:
        return model if url == "model" else (COLUMNS + FLIGHTS).encode()

    prepare = module("08", "prepare", monkeypatch, folder, content=content)
    labels = prepare.laid_out("model", {"rows": "rows"})
    assert "late" not in (folder / "rows.csv").read_text()
    driver = module("08", "driver", monkeypatch, folder)
    driver.model.cache_clear()
    return scores.scored(driver.answer(("probabilities", "rows")), labels["rows"])


@pytest.mark.parametrize("model", [b"", b"text", b"BZh91AY spoilt", b"\x1f\x8b\x08 spoilt",
                                   bz2.compress(b"x" * 99)[:20], pickle.dumps({1: 2}),
                                   pickle.dumps(Model(FileNotFoundError("rows.csv")))])  # fmt: skip
def test_a_model_that_cannot_be_used_is_said(model: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "error" in scored(model, monkeypatch, tmp_path)


def test_a_model_is_scored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert scored(pickle.dumps(Model(0.3)), monkeypatch, tmp_path) == {"rows": 2, "auc": 0.5}


ASKED = {name: {"values": [0.5]} for name in ("said", "some", "one")}  # of what lab 08's Model answers for held_out


@pytest.mark.parametrize(
    ("state", "begun", "right"), [("8", "0", True), ("0", "0", False), ("", "0", False), ("8", "42", False)]
)
def test_the_seed_of_a_run_is_the_models(state: str, begun: str, right: bool) -> None:
    whole = lab_globals("08")
    steps = {name: Step(name, "SUCCEEDED", name == "prepare") for name in ("prepare", "train", "evaluate")}
    run = whole["Run"]({"seed": 8}, Observation(True, "", ""), Record(steps))
    forest = {"path": "forest__", "params": {"random_state": state, "max_depth": "8"}}
    encoder = {"encoder__random_state": "8", "forest__random_state": state}
    made = {"params": encoder, "classifiers": [forest]} if state else {"error": "gone"}
    content = {"held_out": {"score": {"auc": 0.7}, **ASKED}}
    seeded = {"params": made, **content}
    before = {"params": {"classifiers": [{"path": "", "params": {"random_state": begun}}]}, **content}
    at_first = whole["Run"]({"seed": 0}, Observation(True, "", ""), Record(steps))
    alone = Observation(True, "", "")
    lab = told("08", other_seed=run, seeded=seeded, first=at_first, first_content=before, knows_only_rows=alone)
    check = whole["changed_seed_keeps_the_data"](lab)
    asyncio.run(check) if right else refuses(check)


@pytest.mark.parametrize(("some", "right"), [(0.5, True), (0.51, False)])
def test_flights_with_gaps_are_asked_about_by_themselves(some: float, right: bool) -> None:
    whole = lab_globals("08")
    said = {"said": {"values": [0.1, 0.5]}, "some": {"values": [some]}, "gaps": [1]}
    seen = whole["by_themselves"](said["said"], said["some"], said["gaps"])
    assert seen.ok is right


@pytest.mark.parametrize("told", [{}, {"classifiers": 7}, {"classifiers": [7, {"params": 8}, {"params": {}}]}])
def test_what_a_models_process_tells_of_its_classifiers_may_be_anything(told: dict[str, Any]) -> None:
    assert lab_globals("08")["with_random_state"](told) == {}


@pytest.mark.parametrize("rows", [{"auc": 0.5}, {"auc": 0.5499}, {"error": "it refuses them"}])
def test_a_model_that_has_learnt_nothing_of_its_rows_fails(rows: dict[str, Any]) -> None:
    whole = lab_globals("08")
    made = {"m": Artifact("metrics", "system.Metrics", "", {"auc": 0.5})}
    left = Record({"evaluate": Step("evaluate", "SUCCEEDED", outputs={"metrics": ["m"]})}, made)
    run = whole["Run"]({}, Observation(True, "", ""), left)
    data = {"held_out": {"score": {"auc": 0.5}, **ASKED}, "rows": {"score": rows}}
    refuses(whole["metric_is_true"](told("08", first=run, first_content=data)))


@pytest.mark.parametrize(("number", "right"), [(0.75, True), (10**400, False), (float("nan"), False), (True, False),
                                               ("0.75", False)])  # fmt: skip
def test_a_logged_number_of_any_form(number: Any, right: bool) -> None:
    check = metric_is_true(number)
    asyncio.run(check) if right else refuses(check)


@pytest.mark.parametrize(("one", "right"), [({"values": [0.5]}, True), ({"values": [0.6]}, False),
                                            ({"values": []}, False), ({"error": "a text"}, False)])  # fmt: skip
def test_one_flight_alone_has_its_probability(one: dict[str, Any], right: bool) -> None:
    check = metric_is_true(0.75, one=one)
    asyncio.run(check) if right else refuses(check)


def metric_is_true(number: Any, **answers: Any) -> Any:
    """Lab 08's check of a run that logged this, whose Model has an AUC of 0.75, with some of its answers replaced."""
    whole = lab_globals("08")
    made = {"m": Artifact("metrics", "system.Metrics", "", {"auc": number})}
    left = Record({"evaluate": Step("evaluate", "SUCCEEDED", outputs={"metrics": ["m"]})}, made)
    run = whole["Run"]({}, Observation(True, "", ""), left)
    data = {"held_out": {"score": {"auc": 0.75}, **ASKED, **answers}, "rows": {"score": {"auc": 1.0}}}
    later = whole["Run"]({}, Observation(False, "", ""), left)
    return whole["metric_is_true"](told("08", first=run, first_content=data, other_days=later))


@pytest.mark.parametrize(
    ("own", "missing", "right"),
    [
        ({"auc": 0.75}, 0, True), ({"auc": 0.7501}, 0, False), ({"error": "Input X contains NaN"}, 0, False),
        ({"auc": 0.75}, 1, True), ({"auc": 0.7501}, 1, False), ({"error": "what prepare wrote is no flight"}, 1, True),
    ],
)  # fmt: skip
def test_the_number_of_other_days_is_true_as_well(own: dict[str, Any], missing: int, right: bool) -> None:
    whole = lab_globals("08")
    made = {
        "m": Artifact("metrics", "system.Metrics", "", {"auc": 0.75}),
        "r": Artifact("rows", "system.Dataset", "", {}),
        "h": Artifact("held_out", "system.Dataset", "", {}),
        "f": Artifact("model", "system.Model", "", {}),
    }
    steps = {
        "prepare": Step("prepare", "SUCCEEDED", outputs={"rows": ["r"], "held_out": ["h"]}),
        "train": Step("train", "SUCCEEDED", outputs={"model": ["f"]}),
        "evaluate": Step("evaluate", "SUCCEEDED", outputs={"metrics": ["m"]}),
    }
    days = {"first_day": "2013-09-29", "last_day": "2013-11-03", "held_out_days": 3}
    run = whole["Run"](days, Observation(True, "", ""), Record(steps, made))
    data = {"held_out": {"score": {"auc": 0.75}, **ASKED}, "rows": {"score": {"auc": 1.0}}}
    found = {"wanted": 7, "rows": 7, "ends": ["09-29", "11-03"], "missing": 0, "other": 0, "weather": 0}
    other = {"rows": found | {"missing": missing}, "held_out": found | {"score": own}}
    check = whole["metric_is_true"](told("08", first=run, first_content=data, other_days=run, other_content=other))
    asyncio.run(check) if right else refuses(check)


def in_folder(number: str, folder: Path) -> Lab:
    return told(number, folder=folder)


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_has_the_packages_name_is_removed_first(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "pipeline.yaml"
    {"folder": place.mkdir, "file": place.touch, "link": lambda: place.symlink_to(tmp_path)}[kind]()
    (tmp_path / "pipeline.py").write_text("#!/bin/sh\n[ -e pipeline.yaml ] || echo 'pipelineInfo: {}' >pipeline.yaml\n")
    (tmp_path / "pipeline.py").chmod(0o755)
    lab = in_folder("08", tmp_path)
    lab.platform = Platform(pipelines=mlflow(ask={}))  # type: ignore[assignment]
    assert asyncio.run(lab_globals("08")["compiled"](lab)) == {"pipelineInfo": {}}


# Lab 09


def registry(versions: list[str], runs: Any = (), models: Any = ()) -> tuple[Any, list[Any]]:
    """MLflow's room with versions, runs and logged models, and what it is asked to do."""
    asked: list[Any] = []

    async def ask(method: str, path: str, body: Any = None, **query: Any) -> Any:
        asked.append((method, path, body))
        if path == "registered-models/get":
            return {"registered_model": {}}
        if path == "runs/delete":
            raise RefusedRequest("gone", 404, "RESOURCE_DOES_NOT_EXIST")
        return {}

    room = mlflow(versions=[{"version": each} for each in versions], runs=list(runs), logged_models=list(models))
    room.ask = ask
    return room, asked


@pytest.mark.parametrize(("versions", "right"), [(["1", "2"], True), (["2"], False), ([], False)])
def test_the_story_begins_with_version_1(versions: list[str], right: bool) -> None:
    story = lab_globals("09")["found"](told("09", registry(versions)[0]))
    if right:
        assert asyncio.run(story).first == "1"
    else:
        refuses(story)


def test_version_1_is_made_as_the_labs_seed_makes_it() -> None:
    first = lab_globals("09")["FIRST"]
    seed = (project() / "labs" / "09-registry-promotion" / "start" / "seed.yaml").read_text()
    assert f"TREES, SEED = {first['trees']}, {first['seed']}\n" in seed
    assert f'"{first["name"]}": "{first["day"]}"' in seed


def drawn_with(seed: int) -> list[dict[str, Any]]:
    lab = told("09")
    lab.seed = seed
    found: list[dict[str, Any]] = lab_globals("09")["draw"](lab)
    return found


def test_which_run_is_broken_is_not_known_by_its_name() -> None:
    drawn = [drawn_with(seed) for seed in range(60)]
    broken = {runs[1]["name"].split("-")[0] for runs in drawn}
    good = {runs[place]["name"].split("-")[0] for runs in drawn for place in (0, 2, 3, 5)}
    assert all([run["bare"] for run in runs] == [False, False, False, False, True, False] for runs in drawn)
    assert len(broken) > 5 and broken <= good
    cut = [False, True, False, False, False, False]
    assert all(len({run["day"] for run in runs}) == 6 and [bool(run["cut"]) for run in runs] == cut for runs in drawn)
    assert drawn_with(7) == drawn_with(7) != drawn_with(8)


def test_only_the_checkers_own_runs_are_deleted() -> None:
    runs = [{"info": {"run_id": "mine"}, "data": {"tags": [{"key": "mlops-lab.candidate", "value": "true"}]}},
            {"info": {"run_id": "theirs"}, "data": {}}]  # fmt: skip
    models = [{"info": {"model_id": f"m-{run}", "source_run_id": run}} for run in ("mine", "theirs")]
    room, asked = registry([], runs, models)
    asyncio.run(lab_globals("09")["forgotten"](told("09", room)))
    assert asked == [("DELETE", "logged-models/m-mine", {}), ("POST", "runs/delete", {"run_id": "mine"})]


def test_a_pod_without_a_model_is_like_the_deployments_but_for_the_models_name() -> None:
    env = [
        {"name": "MODEL_NAME", "valueFrom": {}},
        {"name": "MODEL_VERSION", "value": "1"},
        {"name": "A", "value": "b"},
    ]
    probe = {"httpGet": {"path": "/readyz"}, "initialDelaySeconds": 25, "periodSeconds": 12, "successThreshold": 2}
    template: dict[str, Any] = {
        "metadata": {"labels": {"app": "model"}},
        "spec": {
            "containers": [{"env": env, "readinessProbe": probe}],
            "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}},
            "topologySpreadConstraints": [{"maxSkew": 1}],
            "serviceAccountName": "model",
        },
    }
    pod = lab_globals("09")["of_template"](template)
    (container,) = pod["spec"]["containers"]
    # What waits before it asks is asked at once, and looked at for as long as it takes to be asked so often.
    assert container["readinessProbe"] == probe | {"initialDelaySeconds": 0}
    assert lab_globals("09")["looked_at"](pod) == 36
    container["startupProbe"] = {"exec": {"command": ["sleep", "5"]}, "periodSeconds": 1, "timeoutSeconds": 6}
    assert lab_globals("09")["looked_at"](pod) == 36 + 14
    assert "app" not in pod["metadata"]["labels"]
    # Pods that must not share a node leave none for the copy, on two nodes.
    assert pod["spec"]["serviceAccountName"] == "model"
    assert not {"affinity", "topologySpreadConstraints"} & set(pod["spec"])
    assert {each["name"]: each.get("value") for each in container["env"]}.keys() == {"A", "MODEL_NAME"}
    assert template["spec"]["containers"][0]["env"] == env


@pytest.mark.parametrize(
    ("codes", "follows", "means", "right"),
    [
        ((0, 0), True, "8", True),
        ((0, 0), True, "5", False),
        ((0, 1), True, "8", False),
        ((1, 0), True, "8", False),
        ((0, 0), False, "8", False),
    ],
)
def test_a_rollback_goes_back_to_where_a_hand_had_moved_the_alias(
    codes: tuple[int, int], follows: bool, means: str, right: bool
) -> None:
    lab09, left, moved = loaded("09"), list(codes), list[str]()

    async def moved_to(lab: Lab, version: str) -> Observation:
        moved.append(version)
        return Observation(follows, "the pods follow", "they do" if follows else "they do not")

    async def called(lab: Lab, *words: str) -> Any:
        return Command(left.pop(0), "", 1.0)

    async def in_production(lab: Lab) -> Any:
        return {"version": means}

    async def by_all_pods(lab: Lab) -> Any:
        return [(means, [0.25])] * 20

    lab09.called, lab09.in_production, lab09.by_all_pods = called, in_production, by_all_pods
    lab09.moved_to = moved_to
    numbered = [
        {"version": str(each), "source": "models:/m-1" if each < 9 else f"models:/m-{each}"} for each in range(1, 12)
    ]
    was = SimpleNamespace(first="1", versions={"1", "2"})
    step = SimpleNamespace(before=frozenset({"1", "2"}), version={"version": "3"})
    lab = told("09", mlflow(versions=numbered), found=was, first_values=[0.25], promoted=step)
    seen = asyncio.run(lab09.next_time(lab, SimpleNamespace(last=SimpleNamespace(name="may-100", run_id="r"))))
    assert seen.ok is right and seen.seen
    assert moved == ["8"]  # the highest of those that the checker has made of the first one's model


@pytest.mark.parametrize(
    ("shut", "code", "means", "served", "right"),
    [
        (True, 1, "2", [], True),
        (True, 1, "7", [], False),
        (True, None, "2", [], False),
        (True, 0, "7", ["7", "2"], False),
        (True, 0, "7", ["7", "7"], True),
        (True, 0, "2", ["2", "2"], False),  # back again, and that is no promotion
        (False, 0, "7", ["2"], True),
    ],
)
def test_a_promotion_that_one_pod_cannot_follow(
    shut: bool, code: int | None, means: str, served: list[str], right: bool
) -> None:
    lab09 = cut_off_lab(shut, {"promote": code}, ["2", means], served)
    seen = asyncio.run(lab09.no_false_promotion(told("09"), SimpleNamespace(run_id="r")))
    assert seen.ok is right and seen.seen


@pytest.mark.parametrize(
    ("shut", "code", "means", "served", "right"),
    [
        (True, 1, "7", [], True),
        (True, 1, "2", [], True),
        (True, None, "2", [], False),
        (True, 0, "2", ["2", "7"], False),
        (True, 0, "2", ["2", "2"], True),
        (True, 0, "7", ["7", "7"], False),  # nothing was brought back
        (False, 0, "2", ["7"], True),
    ],
)
def test_a_rollback_that_one_pod_cannot_follow(
    shut: bool, code: int | None, means: str, served: list[str], right: bool
) -> None:
    lab09 = cut_off_lab(shut, {"rollback": code}, [means], served)
    seen = asyncio.run(lab09.no_false_rollback(told("09"), "2"))
    assert seen.ok is right and seen.seen


def test_a_pod_is_cut_off_for_the_rollback_and_for_the_promotion_after_it() -> None:
    lab09, cut = loaded("09"), list[list[str]]()
    under_way = list[str]()

    @contextlib.asynccontextmanager
    async def one_cut_off(lab: Lab) -> AsyncIterator[bool]:
        under_way.clear()
        yield True
        cut.append([*under_way])

    async def called(lab: Lab, *words: str) -> Any:
        under_way.append(words[0])
        return Command(0 if words[0] == "promote" and not cut else 1, "", 1.0)

    async def in_production(lab: Lab) -> Any:
        return {"version": "2"}

    lab09.one_cut_off, lab09.called, lab09.in_production = one_cut_off, called, in_production
    run = SimpleNamespace(name="may-100", run_id="r")
    assert asyncio.run(lab09.everywhere(told("09"), SimpleNamespace(extra=run, last=run))).ok
    assert cut == [["rollback"], ["promote"]]


def cut_off_lab(shut: bool, codes: dict[str, int | None], means: list[str], served: list[str]) -> Any:
    """Lab 09's checker with a pod that is cut off, or not, what programs say, what the alias means, and who answers."""
    lab09, left = loaded("09"), list(means)

    @contextlib.asynccontextmanager
    async def one_cut_off(lab: Lab) -> AsyncIterator[bool]:
        yield shut

    async def called(lab: Lab, *words: str) -> Any:
        return Command(codes[words[0]], "", 1.0)

    async def in_production(lab: Lab) -> Any:
        return {"version": left.pop(0)}

    async def by_all_pods(lab: Lab) -> Any:
        return [(version, [0.25]) for version in served]

    lab09.one_cut_off, lab09.called, lab09.in_production, lab09.by_all_pods = (
        one_cut_off, called, in_production, by_all_pods,
    )  # fmt: skip
    return lab09


@pytest.mark.parametrize(
    ("code", "means", "right"), [(1, "1", True), (0, "1", False), (1, "9", False), (None, "1", False)]
)
def test_a_run_without_a_model_is_refused(code: int | None, means: str, right: bool) -> None:
    lab09 = loaded("09")

    async def called(lab: Lab, *words: str) -> Any:
        return Command(code, "", 1.0)

    async def in_production(lab: Lab) -> Any:
        return {"version": means}

    lab09.called, lab09.in_production = called, in_production
    seen = asyncio.run(lab09.nothing_promoted(told("09"), SimpleNamespace(name="may-1", run_id="r"), "1"))
    assert seen.ok is right and seen.seen


@pytest.mark.parametrize(("puts_back", "follows", "well"), [("1", True, True), ("2", True, False), ("1", False, False)])
def test_a_refusal_puts_back_what_the_alias_was_moved_to(puts_back: str, follows: bool, well: bool) -> None:
    lab09 = loaded("09")
    moved: list[str] = []
    back: list[bool] = []
    report = SimpleNamespace(labels={puts_back: 9}, failed=0, statuses={200: 9})

    async def under_load(lab: Lab, *words: str) -> Any:
        return SimpleNamespace(command=Command(1, "", 1.0), report=report)

    async def called(lab: Lab, *words: str) -> Any:
        return Command(1, "", 1.0)

    async def in_production(lab: Lab) -> Any:
        return {"version": puts_back}

    async def moved_to(lab: Lab, version: str) -> Observation:
        moved.append(version)
        return Observation(follows, "", "")

    async def back_as_found(lab: Lab) -> None:
        back.append(True)

    lab09.none_lost = lambda report: Observation(True, "", "")
    lab09.under_load, lab09.called, lab09.in_production = under_load, called, in_production
    lab09.moved_to, lab09.back_as_found = moved_to, back_as_found
    runs = {name: SimpleNamespace(name=name, run_id=name) for name in ("broken", "bare")}
    lab = told(
        "09", promoted=SimpleNamespace(version={"version": "2"}), candidates=SimpleNamespace(**runs),
        found=lab09.Found({}, set(), {}, "1", {}),
    )  # fmt: skip
    step = asyncio.run(lab09.refused(lab))
    assert step.well is well and bool(back) is not well
    assert moved == (["2"] if puts_back == "1" else [])


def test_requests_lost_without_a_deployment_have_a_reason() -> None:
    found = lab_globals("09")["Found"]({}, set(), {}, "1", {})
    assert "away" in asyncio.run(lab_globals("09")["why_lost"](told("09", found=found), {}))


# Lab 16


@pytest.mark.parametrize("kind", ["nothing", "folder", "closed"])
def test_a_dashboard_that_cannot_be_read_fails(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "folder":
        (tmp_path / "dashboard.json").mkdir()
    if kind == "closed":  # as for a link into a folder of somebody else's
        monkeypatch.setattr(Path, "is_file", closed)
    refuses(lab_globals("16")["dashboard"](in_folder("16", tmp_path)))


def closed(path: Path) -> bool:
    raise PermissionError(13, os.strerror(13), str(path))


def test_a_folder_with_the_dashboards_name_is_removed_before_it_is_built(tmp_path: Path) -> None:
    (tmp_path / "dashboard.json").mkdir()
    (tmp_path / "build").write_text("#!/bin/sh\necho '{\"panels\": []}' >dashboard.json\n")
    (tmp_path / "build").chmod(0o755)
    assert asyncio.run(lab_globals("16")["dashboard"](in_folder("16", tmp_path))).panels == ()


# Lab 26


def having(*tags: dict[str, str]) -> Lab:
    version: dict[str, Any] = {"version": "2"} | ({"tags": list(tags)} if tags else {})
    return told("26", mlflow(versions=[version]))


def days(text: str) -> dict[str, str]:
    return {"key": "data.days", "value": text}


@pytest.mark.parametrize("lab", [told("26", mlflow(versions=[])), having(),
                                 having({"key": "other"}), having(days("2013-02-01")),
                                 having(days("2013-02-01 2013-02-02 2013-02-03"))])  # fmt: skip
def test_a_version_without_its_days_fails(lab: Lab) -> None:
    refuses(lab_globals("26")["days_of"](lab, "2"))
    assert not asyncio.run(lab_globals("26")["lineage"](lab, "2", "a run", "2013-07-11")).ok


def test_a_version_has_its_days() -> None:
    found = asyncio.run(lab_globals("26")["days_of"](having(days("2013-02-01 to 2013-02-14")), "2"))
    assert found == ("2013-02-01", "2013-02-14")
    lab = having(days("2013-06-14 to 2013-07-04"), {"key": "pipeline.run", "value": "a run"})
    for today, right in (("2013-07-11", True), ("2013-07-12", True), ("2013-07-13", False), ("2013-07-09", False)):
        assert asyncio.run(lab_globals("26")["lineage"](lab, "2", "a run", today)).ok == right
