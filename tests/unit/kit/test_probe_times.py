"""How long a probe takes by its numbers."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_lab.kit import probe_times


@pytest.mark.parametrize(
    ("probe", "periods", "silent_for", "silent_at_worst"),
    [
        ({}, 30, 21, 31),
        ({"periodSeconds": 5, "failureThreshold": 2}, 10, 6, 11),
        ({"periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": 3}, 6, 15, 17),
        ({"periodSeconds": 0, "timeoutSeconds": 0, "failureThreshold": 1}, 10, 1, 11),
    ],
)
def test_the_times_of_a_probe(probe: dict[str, Any], periods: int, silent_for: int, silent_at_worst: int) -> None:
    assert probe_times.periods(probe) == periods
    assert probe_times.silent_for(probe) == silent_for
    assert probe_times.silent_at_worst(probe) == silent_at_worst


@pytest.mark.parametrize(
    ("probe", "pod", "seconds"),
    [({}, {}, 30), ({}, {"terminationGracePeriodSeconds": 0}, 0), ({"terminationGracePeriodSeconds": 5}, {}, 5)],
)
def test_a_probes_own_time_to_end_comes_before_the_pods(
    probe: dict[str, Any], pod: dict[str, Any], seconds: int
) -> None:
    assert probe_times.ends_within(probe, {"spec": pod}) == seconds
