"""What asks the learner's Model, in the sandbox: it is loaded with joblib, and says what it says."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import joblib
import sklearn.pipeline  # noqa: F401 - the checker's imports are not counted as the model's time

from mlops_lab.kit.sandbox.estimator import PREPARED, Said, params, probabilities, rows, said


@functools.cache
def model() -> Any:
    """The model."""
    return joblib.load(PREPARED / "model")


def answer(question: Sequence[str]) -> Said:
    """`load` it, its `probabilities` for rows, or for one of so many alone, its `params`."""
    what, *names = question
    try:
        if what == "load":
            model()
            return {}
        if what == "params":
            return params(model())
        name, each = (*names, "1")[:2]
        return probabilities(model(), rows(name)[:: int(each)].reset_index(drop=True))
    except Exception as trouble:
        return {"error": said(trouble)}
