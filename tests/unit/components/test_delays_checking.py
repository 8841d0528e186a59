"""Rows that are right pass; each way of being wrong is found and named."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from delays import checking, drift
from delays.rows import read

from tests.unit.components.conftest import FIRST, invented


@pytest.fixture(scope="module")
def known(spring: pd.DataFrame) -> dict[str, Any]:
    return drift.reference(spring, np.full(len(spring), 0.3))["late"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return invented(FIRST + timedelta(30), 10)


@pytest.fixture
def april(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows that a test may change."""
    return rows.copy()


def test_right_rows_pass(april: pd.DataFrame, known: dict[str, Any]) -> None:
    assert checking.form(april) == []
    found, seen = checking.labels(april, known)
    assert found == []
    assert seen.keys() == {"late_share", "agreement_within_hours", "slope_over_the_day", "strangest_group"}


def test_weather_may_be_missing_sometimes(april: pd.DataFrame) -> None:
    april.loc[april.index[::10], "temp"] = np.nan
    assert checking.form(april) == []
    april.loc[april.index[::2], "temp"] = np.nan
    assert checking.form(april) == ["temp: 50.0% of the values are missing, 20% at most"]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("hour", 24, "hour: 1 values outside 0 to 23"),
        ("distance", -1.0, "distance: 1 values outside 1 to 20000"),
        ("distance", "far", "distance: 1 values are not numbers"),
        ("carrier", "aa", "carrier: 1 values are not codes of 2 to 4 letters"),
        ("carrier", None, "carrier: 0.0% of the values are missing, 0% at most"),
        ("late", 2, "late: 1 values are neither 0 nor 1"),
        ("late", np.nan, "late: 1 values are neither 0 nor 1"),
    ],
)
def test_a_wrong_value_is_named(april: pd.DataFrame, field: str, value: object, said: str) -> None:
    april[field] = april[field].astype(object)
    april.loc[7, field] = value
    assert checking.form(april) == [said]


def test_one_word_among_the_labels_is_one_wrong_label(april: pd.DataFrame, tmp_path: Path) -> None:
    april["late"] = april["late"].astype(object)
    april.loc[7, "late"] = "x"
    april.to_csv(tmp_path / "rows.csv", index=False)
    assert checking.form(read(tmp_path / "rows.csv")) == ["late: 1 values are neither 0 nor 1"]


def test_columns_are_those_of_a_flight(april: pd.DataFrame) -> None:
    assert checking.form(april.drop(columns="dest")) == ["column dest is missing"]
    assert "arr_delay is not part of a flight" in checking.form(april.assign(arr_delay=5))[0]


def test_too_few_rows_and_a_single_label(april: pd.DataFrame) -> None:
    assert "too few" in checking.form(april.head(50))[0]
    assert "nothing to learn" in checking.form(april.assign(late=1))[0]


def test_a_field_that_tells_the_label_leaks(april: pd.DataFrame) -> None:
    april["visib"] = 10.0 - 9 * april["late"]
    assert any("visib alone tells the label" in each for each in checking.form(april))


def test_copies_are_found(april: pd.DataFrame) -> None:
    assert any("copies" in each for each in checking.form(pd.concat([april, april.head(len(april) // 5)])))


def test_labels_flipped_at_random_are_found(april: pd.DataFrame, known: dict[str, Any]) -> None:
    flip = np.random.default_rng(0).random(len(april)) < 0.3
    april["late"] = np.where(flip, 1 - april["late"], april["late"])
    assert any("flipped at random" in each for each in checking.labels(april, known)[0])
    assert any("flipped at random" in each for each in checking.labels(april, None)[0])


def test_inverted_labels_are_found(april: pd.DataFrame, known: dict[str, Any]) -> None:
    assert any("inverted" in each for each in checking.labels(april.assign(late=1 - april["late"]), known)[0])


@pytest.mark.parametrize("label", [0, 1])
def test_a_group_whose_labels_were_set_is_found(april: pd.DataFrame, known: dict[str, Any], label: int) -> None:
    april.loc[april["carrier"] == "UA", "late"] = label
    assert any("carrier UA moved" in each for each in checking.labels(april, known)[0])


def test_another_concept_is_no_poison(known: dict[str, Any]) -> None:
    assert checking.labels(invented(FIRST + timedelta(30), 20, turned=True), known)[0] == []
