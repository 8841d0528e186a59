"""Which labels a LabelSelector selects."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_lab.kit.selectors import selects

LABELS = {"tier": "gold", "zone": "a"}


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ({}, True),
        ({"matchLabels": {"tier": "gold"}}, True),
        ({"matchLabels": {"tier": "gold", "zone": "b"}}, False),
        ({"matchLabels": {"rack": "1"}}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["gold", "tin"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["tin"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["gold"]}]}, False),
        ({"matchExpressions": [{"key": "rack", "operator": "NotIn", "values": ["1"]}]}, True),
        ({"matchExpressions": [{"key": "zone", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "rack", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "zone", "operator": "DoesNotExist"}]}, False),
        ({"matchLabels": {"tier": "gold"}, "matchExpressions": [{"key": "rack", "operator": "Exists"}]}, False),
    ],
)
def test_a_selector_selects_by_all_that_it_says(selector: dict[str, Any], selected: bool) -> None:
    assert selects(selector, LABELS) is selected
