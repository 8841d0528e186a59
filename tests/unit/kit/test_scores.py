"""What a model's raw answers are worth, whatever they are."""

from __future__ import annotations

import random
from typing import Any

import pytest
from sklearn.metrics import roc_auc_score

from mlops_lab.kit.scores import auc, scored


@pytest.mark.parametrize("digits", [1, 2, 17])
def test_the_area_is_that_of_scikit_learn_ties_and_all(digits: int) -> None:
    draw = random.Random(digits)
    labels = [int(draw.random() < 0.3) for _ in range(3000)]
    values = [round(draw.random() * 0.5 + label * 0.1, digits) for label in labels]
    assert auc(labels, values) == pytest.approx(roc_auc_score(labels, values), abs=1e-12)


@pytest.mark.parametrize("labels", [[], [1, 1], [0]])
def test_there_is_no_area_without_both_labels(labels: list[int]) -> None:
    with pytest.raises(ValueError, match="both labels"):
        auc(labels, [0.5] * len(labels))


@pytest.mark.parametrize(
    ("answer", "said"),
    [({"values": [0.1, 0.9]}, {"rows": 2, "auc": 1.0}), ({"values": [1 + 1e-12, 0.0]}, {"rows": 2, "auc": 0.0}),
     ({"values": [0.1]}, "1 answers for 2 rows"), ({"values": [5.0, 0]}, "5, which is no probability"),
     ({"values": [-0.1, 0]}, "no probability"), ({"values": [float("nan"), 0.1]}, "no probability"),
     ({"values": [10**400, 0.1]}, "no numbers"), ({"values": [True, 0.1]}, "no numbers"),
     ({"values": "0.1"}, "no numbers"), ({}, "no numbers"), ({"auc": 0.99, "rows": 2}, "no numbers"),
     ({"error": "x" * 999, "auc": 1.0}, "xxx"), ({"error": None}, "None")],
)  # fmt: skip
def test_an_answer_may_be_anything(answer: dict[str, Any], said: Any) -> None:
    found = scored(answer, "01")
    assert found == said if isinstance(said, dict) else said in found["error"] and "auc" not in found
