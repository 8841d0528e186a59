"""What asks the learner's Model, in the sandbox: it is loaded with joblib, and says what it says."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import joblib
import numpy as np
import sklearn.pipeline  # noqa: F401 - the checker's imports are not counted as the model's time
from sklearn.utils import check_random_state

from mlops_lab.kit.sandbox.estimator import PREPARED, Said, params, probabilities, rows, said


@functools.cache
def model() -> Any:
    """The model."""
    return joblib.load(PREPARED / "model")


def renamed(made: Any) -> list[str]:
    """The kinds of those in it that say another random_state than they were fitted with.

    Boosted trees of histograms keep the number that they drew with it first. Few of them draw more, so by their answers
    nobody could tell.
    """
    made, found = getattr(made, "best_estimator_", made), []
    for each in (made, *made.get_params(deep=True).values()):
        drawn, state = getattr(each, "_random_seed", None), getattr(each, "random_state", None)
        if drawn is None or not isinstance(state, int | np.integer):
            continue
        if int(drawn) != int(check_random_state(state).randint(np.iinfo(np.uint32).max, dtype="u8")):
            found.append(type(each).__name__)
    return found


def answer(question: Sequence[str]) -> Said:
    """`load` it, its `probabilities` for rows, or alone for `one`, for one of so many or for `gaps`; its `params`."""
    what, *names = question
    try:
        if what == "load":
            model()
            return {}
        if what == "params":
            return params(model()) | {"renamed": renamed(model())}
        name, each = (*names, "1")[:2]
        whole = rows(name)
        if each == "one":
            some = whole.head(1)
        else:
            some = whole[whole.isna().any(axis=1)] if each == "gaps" else whole[:: int(each)]
        return probabilities(model(), some.reset_index(drop=True))
    except Exception as trouble:
        return {"error": said(trouble)}
