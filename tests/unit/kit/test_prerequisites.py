"""What must hold fails a check, and is no news where it does."""

from __future__ import annotations

import pytest

from mlops_lab.base.errors import Failure
from mlops_lab.checks import Observation, current
from mlops_lab.kit.prerequisites import must


def test_it_fails_with_expected_seen_and_why() -> None:
    with pytest.raises(Failure) as failed:
        must(Observation(False, "three pods", "two"), "one is gone")
    assert (failed.value.expected, failed.value.seen, failed.value.why) == ("three pods", "two", "one is gone")


def test_it_is_not_noted_where_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[str] = []
    monkeypatch.setattr(current, "note", noted.append)
    must(Observation(True, "three pods", "three"), "one is gone")
    assert noted == []
