"""How far from its target an autoscaler acts."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_lab.kit.autoscaler_tolerance import tolerates
from mlops_lab.kit.autoscalers import Autoscaler


@pytest.mark.parametrize(
    ("behavior", "usual"),
    [
        (None, True),
        ({"scaleUp": {"tolerance": "0.1"}}, True),
        ({"scaleUp": {"tolerance": "50m"}, "scaleDown": {"stabilizationWindowSeconds": 15}}, True),
        ({"scaleUp": {"tolerance": 0}}, True),
        ({"scaleUp": {"tolerance": "500m"}}, False),
        ({"scaleDown": {"tolerance": "1"}}, False),
    ],
)
def test_what_is_tolerated_is_part_of_the_target(behavior: Any, usual: bool) -> None:
    spec = {"behavior": behavior} if behavior else {}
    assert tolerates(Autoscaler({"metadata": {"name": "model"}, "spec": spec})).ok is usual
