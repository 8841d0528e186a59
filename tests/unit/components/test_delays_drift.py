"""The stability index is that of its definition, names what shifted, and is quick; ADWIN finds where errors change."""

from __future__ import annotations

import time
from datetime import timedelta

import numpy as np
import pandas as pd
from delays import bundle, drift

from tests.unit.components.conftest import FIRST, invented


def test_the_index_is_that_of_its_definition() -> None:
    then = np.arange(1000, dtype=np.float32)
    kept = drift.number_reference(then)
    assert len(kept["edges"]) == 9
    now = then[:500].repeat(2)  # the lower half, twice: five bins of 0.2, five of the least share
    shares = np.array([0.2] * 5 + [drift.LEAST] * 5)
    expected = float(((shares - 0.1) * np.log(shares / 0.1)).sum())
    assert abs(drift.number_psi(now, kept) - expected) < 0.05
    assert drift.number_psi(then, kept) == 0


def test_missing_values_count_as_a_bin_of_their_own() -> None:
    then = np.arange(1000, dtype=np.float32)
    now = then.copy()
    now[::2] = np.nan
    kept = drift.number_reference(then)
    assert kept["shares"][-1] == 0
    assert drift.number_psi(now, kept) > 2
    assert drift.number_reference(np.full(10, np.nan, np.float32))["shares"][-1] == 1


def test_values_that_were_never_seen_count(spring: pd.DataFrame) -> None:
    known = drift.reference(spring, np.full(len(spring), 0.3))
    assert drift.psi(spring.assign(carrier="ZZ"), known)["carrier"] > 5


def test_the_shifted_feature_is_named_and_only_that(spring: pd.DataFrame) -> None:
    known = drift.reference(spring, np.full(len(spring), 0.3))
    calm = drift.psi(invented(FIRST + timedelta(30), 30), known)
    assert max(calm.values()) < 0.1, calm
    warm = drift.psi(invented(FIRST + timedelta(30), 30, warmer=15), known)
    assert [name for name, value in warm.items() if value > 0.2] == ["temp"]


def test_a_half_sigma_shift_is_seen_in_a_thousand_rows() -> None:
    random = np.random.default_rng(3)
    kept = drift.number_reference(random.standard_normal(20_000).astype(np.float32))
    assert drift.number_psi(random.standard_normal(1000).astype(np.float32), kept) < 0.1
    assert drift.number_psi((random.standard_normal(1000) + 0.5).astype(np.float32), kept) > 0.2


def test_a_million_rows_of_ten_columns_take_half_a_second_at_most() -> None:
    random = np.random.default_rng(5)
    columns = [random.standard_normal(1_000_000).astype(np.float32) for _ in range(10)]
    known = [drift.number_reference(column[:100_000]) for column in columns]
    times = []
    for _ in range(3):
        began = time.thread_time()  # of this thread: other work on the machine doesn't count
        found = [drift.number_psi(column, kept) for column, kept in zip(columns, known, strict=True)]
        times.append(time.thread_time() - began)
    assert max(found) < 0.01
    assert min(times) < 0.5


def test_adwin_finds_where_the_error_changed() -> None:
    random = np.random.default_rng(7)
    calm = random.random(3000) * 0.4
    assert drift.changes([], calm.tolist()) == []
    found = drift.changes([], [*calm, *(random.random(2000) * 0.4 + 0.3)])
    assert found
    assert 3000 < found[0] < 3600


def test_the_hours_of_a_day_are_no_change_and_another_concept_is(spring: pd.DataFrame) -> None:
    model, unseen = bundle.train(spring, 1, trees=20)
    usual = drift.reference(spring, unseen)["surprise"]

    def found(frame: pd.DataFrame) -> list[int]:
        return drift.changes(usual, drift.surprise(frame, bundle.score(model, frame))["surprise"].tolist())

    calm, turned = (invented(FIRST + timedelta(start), 20, turned=start == 50) for start in (30, 50))
    assert found(calm) == []
    changed = found(pd.concat([calm, turned], ignore_index=True))
    assert changed
    assert changed[0] > 20 * 48, "the change is on the 21st day"
    assert found(turned), "also when nothing before is shown"
