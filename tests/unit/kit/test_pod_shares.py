"""Percentages of pods."""

from __future__ import annotations

import math

import pytest

from mlops_lab.kit.pod_shares import whole


@pytest.mark.parametrize(
    ("number", "pods", "down", "up"),
    [(2, 3, 2, 2), ("2", 3, 2, 2), ("25%", 3, 0, 1), ("25%", 8, 2, 2), ("29%", 100, 29, 29), ("100%", 3, 3, 3)],
)
def test_a_percentage_is_rounded_to_whole_pods(number: int | str, pods: int, down: int, up: int) -> None:
    assert (whole(number, pods, math.floor), whole(number, pods, math.ceil)) == (down, up)
