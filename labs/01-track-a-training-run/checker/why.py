"""What a signature asks for, what a wrong metric looks like, and what a model may have learnt from, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops_lab.kube.client import Object

# What else the logged model may be, each of which knows the held-out week: how it has learnt, and why it may not have.
SUSPECTS: Mapping[str, tuple[str, str]] = {
    "refitted": (
        "fitted to 1 to 28 January",
        "these answers are what all four weeks give, so the model was fitted to the held-out week, too. To use all "
        "rows once the number is known is common, but that is another model, and nothing is left to measure it on",
    ),
    "steps": (
        "fitted to 1 to 28 January but for a pipeline's last step, which gets 1 to 21 January",
        "what comes before the classifier learns, too: the shares that a TargetEncoder puts in the place of codes are "
        "made of labels, and a scaler's bounds of rows. It has learnt from the held-out week, and the model with it. "
        "One Pipeline, whose fit gets the training days alone, keeps all steps from that week",
    ),
    "frozen": (
        "what is frozen, or stacked on as it is, fitted to 1 to 21 January, and the rest to 22 to 28 January",
        "what is put on an estimator that was fitted before learns, too: a calibration's curve and a blend's weights "
        "are made of the labels that its fit gets. Calibrate and blend on training days, by cv= or on some that what "
        "was fitted before has not seen",
    ),
}


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


def why_refused(trouble: str, columns: Sequence[Any] | None) -> str:
    """Why the signature refuses good rows, by what MLflow says."""
    if "safely convert" in trouble:
        return (
            "rows come as pandas reads the files: month, day, weekday and hour are integers (int64) and other numbers "
            "floats (float64), and MLflow makes no other type of them. Infer the signature from rows as they were "
            "read, and not from ones that were converted; a step in the model can do that"
        )
    return (
        f"the signature asks for {described(columns)}. Who wants to know whether a flight will be late does not have "
        "`late`: infer the signature from the rows that the model is fitted on, not from the whole file"
    )
