"""What a signature asks for, and what a wrong metric looks like, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlops_lab.kube.client import Object


def described(columns: Sequence[Any] | None) -> str:
    """The columns that a signature names; None is no signature."""
    if columns is None:
        return "no signature"
    return f"the columns {', '.join(map(str, columns))}" if columns else "columns without names"


def why_apart(logged: float, answer: Object) -> str:
    """What the difference looks like."""
    own, training = answer["held_out"]["auc"], answer["training"].get("auc", 0.0)
    if abs(logged - training) <= 1e-6:
        return "this is the AUC on the training rows, which says how well the model remembers, not how well it predicts"
    if abs(logged - own) < 0.006 and logged in [round(own, places) for places in range(1, 7)]:
        return "a rounded number can't be compared with another run's: log it as it is, and round where it is shown"
    return (
        "the AUC is that of predict_proba(rows)[:, 1]: predict gives 0 or 1 and has lost the order of the rows. And "
        "the model that is logged has to be the one that was measured, not one that was fitted again"
    )
