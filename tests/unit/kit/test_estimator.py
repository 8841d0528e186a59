"""What drivers tell of a learner's estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, HistGradientBoostingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, TargetEncoder

from mlops_lab.kit.sandbox import estimator
from tests.lab_programs import loaded

ROWS = pd.DataFrame({"a": range(40), "b": [0, 1] * 20})
LABELS = [0, 0, 1, 1] * 10


def told(model: Any) -> list[tuple[str, str, dict[str, str]]]:
    return [(each["path"], each["kind"], each["set"]) for each in estimator.params(model)["classifiers"]]


def test_estimators_in_one_another_are_told_of_outer_before_inner() -> None:
    inner = LogisticRegression(C=0.3, random_state=1)
    bags = BaggingClassifier(inner, n_estimators=4, random_state=2)
    model = make_pipeline(StandardScaler(with_mean=False), bags)
    assert told(model) == [
        ("baggingclassifier__", "BaggingClassifier", {"n_estimators": "4", "random_state": "2"}),
        ("baggingclassifier__estimator__", "LogisticRegression", {"C": "0.3", "random_state": "1"}),
    ]
    assert told(VotingClassifier([("one", make_pipeline(StandardScaler(), inner)), ("no", "drop")]))[1:] == [
        ("one__logisticregression__", "LogisticRegression", {"C": "0.3", "random_state": "1"}),
    ]


def test_a_search_stands_for_what_it_found_and_tells_its_own_too() -> None:
    search = GridSearchCV(LogisticRegression(random_state=1), {"C": [0.5]}, cv=2, n_jobs=1)
    found = estimator.params(search.fit(ROWS, LABELS))
    assert told(search) == [("", "LogisticRegression", {"C": "0.5", "random_state": "1"})]
    assert found["search"]["n_jobs"] == "1"


def test_a_search_that_is_a_step_tells_what_it_found_and_need_not_be_logged() -> None:
    inner = make_pipeline(StandardScaler(), LogisticRegression(max_iter=400))
    model = make_pipeline(StandardScaler(), GridSearchCV(inner, {"logisticregression__C": [0.5]}, cv=2))
    made = loaded("01", "parameters").parameters(loaded("01", "driver").parameters(model.fit(ROWS, LABELS)))
    for name in ("C", "logisticregression__C"):
        assert "0.5" in made.values(name)
    assert made.missing({"max_iter": "400", "C": "0.5"}) == []
    assert made.missing({"C": "0.5"}) == ["max_iter=400"]


def of_lab_01(model: Any) -> Any:
    """What lab 01 knows of a model's parameters."""
    return loaded("01", "parameters").parameters(loaded("01", "driver").parameters(model))


def test_a_frozen_classifier_tells_its_parameters_in_lab_01() -> None:
    inner = LogisticRegression(C=0.3).fit(ROWS, LABELS)
    for model in (
        make_pipeline(StandardScaler(), CalibratedClassifierCV(FrozenEstimator(inner), method="isotonic")),
        CalibratedClassifierCV(FrozenEstimator(make_pipeline(StandardScaler(), FrozenEstimator(inner)))),
        VotingClassifier([("lines", FrozenEstimator(inner))]),
    ):
        made = of_lab_01(model)
        assert "C=0.3" in made.missing({"method": "isotonic"}) and not made.missing({"C": "0.3", "method": "isotonic"})
        assert made.false({"C": "1.0"}) and not made.false({"C": "0.3"})


BOOSTED = make_pipeline(
    ColumnTransformer([("codes", TargetEncoder(random_state=7), ["a"])]), HistGradientBoostingClassifier(max_iter=60)
)


@pytest.mark.parametrize(
    ("logged", "right"),
    [
        ({"max_iter": "60"}, True),
        ({"max_iter": "100"}, False),
        ({"learning_rate": "0.3"}, False),
        ({"random_state": "7", "cv": "5"}, True),  # of the encoder
        ({"random_state": "8"}, False),
        ({"scoring": "roc_auc"}, False),
        ({"scoring": "roc_auc", "n_iter": "4", "n_jobs": "-1", "random_state": "8"}, True),  # of a search
        ({"scoring": "roc_auc", "best_histgradientboostingclassifier__max_iter": "60"}, True),
        ({"learning_rate": "0.3", "param_grid": "{}"}, False),
        ({"categorical_features": "['carrier', 'dest']", "numeric_features": "['hour']"}, True),
        ({"categorical_features": "[0, 1]"}, False),
        ({"strategy": "mean", "verbose": "0", "features": "12"}, True),
    ],
)
def test_what_is_logged_beside_a_classifiers_parameters_is_ones_own_in_lab_01(
    logged: dict[str, str], right: bool
) -> None:
    assert (of_lab_01(BOOSTED).false(logged) == []) is right


def test_a_search_may_be_logged_by_all_that_it_tells_in_lab_01() -> None:
    search = GridSearchCV(make_pipeline(LogisticRegression(max_iter=400)), {"logisticregression__C": [0.5]}, cv=2)
    made = of_lab_01(search.fit(ROWS, LABELS))
    logged = {name: str(value) for name, value in search.get_params().items()}
    assert made.false(logged) == [] and made.missing(logged) == ["C=0.5"]
    assert made.missing(logged | {"best_logisticregression__C": "0.5"}) == []


def test_what_has_no_parameters_is_said() -> None:
    assert "AttributeError" in estimator.params(object())["error"]


class Model:
    def __init__(self, given: Any) -> None:
        self.given = given

    def predict_proba(self, rows: pd.DataFrame) -> Any:
        if isinstance(self.given, Exception):
            raise self.given
        return np.array([[0.0, self.given]] * len(rows)) if len(rows.columns) == 1 else self.given


@pytest.mark.parametrize(
    ("given", "said"),
    [(0.25, {"values": [0.25] * 40}), (FileNotFoundError("rows.csv"), {"error": "FileNotFoundError: rows.csv"})],
)
def test_a_models_answers_are_raw(given: Any, said: dict[str, Any]) -> None:
    assert estimator.probabilities(Model(given), ROWS, ["a", "late"]) == said


def test_lists_tuples_dicts_and_numpys_numbers_are_parameters_too() -> None:
    network = MLPClassifier(hidden_layer_sizes=(np.int64(32), 8), max_iter=np.int64(50))
    assert told(network) == [
        ("", "MLPClassifier", {"hidden_layer_sizes": str((np.int64(32), 8)), "max_iter": "50"}),
    ]
    assert told(LogisticRegression(class_weight={0: 1, 1: 3})) == [
        ("", "LogisticRegression", {"class_weight": "{0: 1, 1: 3}"})
    ]
    long = dict.fromkeys(range(200), 1)
    assert told(LogisticRegression(class_weight=long)) == [("", "LogisticRegression", {})]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("400", "400.0", True),
        ("(32, 16)", "[32, 16]", True),
        ("{0: 1, 1: 3}", '{"0": 1, "1": 3}', True),
        ("(32, 16)", "[16, 32]", False),
        ("(32,)", "32", False),
        ("l2", "l1", False),
    ],
)
def test_a_value_is_the_same_however_it_is_written(one: str, other: str, same: bool) -> None:
    assert loaded("01", "recorded").same(one, other) is same
