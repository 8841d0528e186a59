"""The weighted AUC is scikit-learn's, the interval respects blocks, and each reason for a refusal is given."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from delays import bundle, compare
from sklearn.metrics import roc_auc_score

from tests.unit.components.conftest import FIRST, invented


@pytest.fixture(scope="module")
def held_out() -> pd.DataFrame:
    return invented(FIRST + timedelta(30), 8)


def test_the_weighted_area_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    late, answers = random.integers(0, 2, 500), np.round(random.random(500), 1)  # many ties
    weight = random.integers(0, 4, 500).astype(float)
    ours = compare._weighted(weight, *compare._ranked(late, answers))
    assert ours == pytest.approx(roc_auc_score(late, answers, sample_weight=weight))


def test_the_interval_is_wider_over_blocks_than_over_rows(held_out: pd.DataFrame) -> None:
    random = np.random.default_rng(1)
    late = held_out["late"].to_numpy()
    block = held_out.groupby(list(compare.CELL)).ngroup().to_numpy()
    good = late * 0.3 + np.repeat(random.random(len(late) // 9), 9)
    bad = random.random(len(late))
    over_blocks = compare.differences(late, good, bad, block).std()
    over_rows = compare.differences(late, good, bad, np.arange(len(late))).std()
    assert over_blocks > over_rows * 1.05


def test_a_model_is_not_better_than_itself_or_than_a_better_one(spring: pd.DataFrame, held_out: pd.DataFrame) -> None:
    whole = bundle.score(bundle.train(spring, 1)[0], held_out)
    little = bundle.score(bundle.train(spring.head(400), 1, trees=3)[0], held_out)
    for candidate, in_service in ((whole, whole), (little, whole)):
        verdict = compare.judge(held_out, candidate, in_service, 0.0)
        assert not verdict.better
        assert "not surely more" in verdict.why[0]
    verdict = compare.judge(held_out, whole, little, 0.0)
    assert verdict.better, verdict.why
    assert verdict.figures["auc_difference_low"] > 0
    assert not compare.judge(held_out, whole, little, 0.5).better


def test_a_worse_calibration_and_a_worse_slice_are_reasons(held_out: pd.DataFrame) -> None:
    random = np.random.default_rng(2)
    late = held_out["late"].to_numpy(float)
    share = late.mean()
    in_service = np.clip(share + 0.1 * (late - share) + 0.2 * random.standard_normal(len(late)), 0, 1)
    candidate = np.clip(share + 0.4 * (late - share) + 0.2 * random.standard_normal(len(late)), 0, 1)
    wrong = held_out["origin"].to_numpy() == "JFK"
    turned = np.where(wrong, 1 - candidate, candidate)
    assert any("origin JFK" in each for each in compare.judge(held_out, turned, in_service, 0.0).why)
    assert any("calibration" in each for each in compare.judge(held_out, candidate**0.1, in_service, 0.0).why)


def test_the_first_model_must_beat_chance(spring: pd.DataFrame, held_out: pd.DataFrame) -> None:
    trained = bundle.score(bundle.train(spring, 1)[0], held_out)
    assert compare.judge(held_out, trained, None, 0.0).better
    assert not compare.judge(held_out, np.random.default_rng(0).random(len(held_out)), None, 0.0).better


def test_rows_with_one_label_decide_nothing(held_out: pd.DataFrame) -> None:
    assert not compare.judge(held_out.assign(late=0), np.zeros(len(held_out)), None, 0.0).better


def test_columns_encode_as_the_server_does(spring: pd.DataFrame) -> None:
    from delays.rows import FIELDS, numbers
    from server.features import encode

    made, _ = bundle.train(spring.head(2000), 1, trees=2)
    some = spring.head(50).copy()
    some.loc[3, "temp"] = np.nan
    some.loc[4, "carrier"] = "ZZ"
    rows = [
        {name: None if value != value else value for name, value in row.items()}
        for row in some[list(FIELDS)].to_dict("records")
    ]
    settings = made["features"], made["categories"], made["defaults"]
    assert np.allclose(numbers(some, *settings), np.asarray(encode(rows, *settings), np.float32))
