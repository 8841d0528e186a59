"""What asks the learner's model, in the sandbox: it is loaded as anybody would, and says what it says."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet"}

import mlflow.pyfunc
import mlflow.sklearn
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from mlops_lab.kit.sandbox.estimator import PREPARED, Said, params, probabilities, rows, said

from . import sealed


@functools.cache
def place() -> dict[str, Any]:
    """Where the model lies, and which columns it takes."""
    return dict(json.loads((PREPARED / "model.json").read_text()))


@functools.cache
def model() -> Any:
    """The model with scikit-learn's flavour."""
    return mlflow.sklearn.load_model(place()["folder"])


def answer(question: Sequence[str]) -> Said:
    """`load` it, the `probabilities` of some rows, `served` rows, its `params`, how many rows its steps have `counted`.

    And the probabilities of one that is `fitted` anew to the training days, or `refitted` to them and others.
    """
    what, *names = question
    try:
        if what == "load":
            model()
            return {}
        if what == "params":
            return parameters(model())
        if what == "counted":
            return {"rows": max(counted(model(), set()), default=0)}
        if what == "served":
            return {"count": len(mlflow.pyfunc.load_model(place()["folder"]).predict(rows(names[0]).head(50)))}
        asked = anew() if what == "fitted" else refitted(*names) if what == "refitted" else model()
        return probabilities(asked, taken(rows(names[0])))
    except Exception as trouble:
        return {"error": said(trouble)}


def parameters(made: Any) -> Said:
    """Those of the model; where a search is a step of it, what that has found counts too, and its own need not."""
    found = params(made)
    if "error" in found:
        return found
    searches = {
        name: each
        for name, each in getattr(made, "best_estimator_", made).get_params(deep=True).items()
        if hasattr(each, "best_params_") and not isinstance(each, type)
    }
    for each in found["classifiers"]:
        if each["path"].removesuffix("__") in searches:
            each["set"] = {}
    for search in searches.values():
        for full, value in search.best_params_.items():
            parts = str(full).split("__")
            found["search"] |= {"__".join(parts[place:]): str(value) for place in range(len(parts))}
    return found


def counted(value: Any, known: set[int]) -> Iterator[int]:
    """To how many rows each step in an estimator was fitted that counts them; to none where rows have weights."""
    if isinstance(value, list | tuple | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from counted(each, known)
    elif hasattr(value, "get_params") and id(value) not in known:
        known.add(id(value))
        count = np.asarray(getattr(value, "n_samples_seen_", 0))
        if count.dtype.kind in "iuf" and float(count.max()).is_integer():
            yield int(count.max())
        yield from counted(vars(value), known)


@functools.cache
def anew() -> Any:
    """The same estimator, fitted to the flights of the training days and no others."""
    return fitted(rows("training"), rows("late")["late"])


def refitted(name: str, key: str) -> Any:
    """The same estimator, fitted to the flights of other days as well; from then on the model may know their labels."""
    more = sealed.turned(sealed.place(name).read_bytes(), key).decode()
    labels = pd.concat([rows("late")["late"], pd.Series([int(each) for each in more])], ignore_index=True)
    return fitted(pd.concat([rows("training"), rows(name)], ignore_index=True), labels)


def fitted(given: pd.DataFrame, labels: pd.Series) -> Any:
    """The model's estimator, fitted to these flights alone."""
    return unfitted(model()).fit(taken(given), labels)


def unfitted(made: Any) -> Any:
    """The same estimator before any fit: of a search the best that it has found, and nothing in it is frozen.

    FrozenEstimator keeps what it has learnt, for clone and fit, too.
    """
    inside = made.estimator if isinstance(made, FrozenEstimator) else getattr(made, "best_estimator_", None)
    if inside is not None:
        return unfitted(inside)
    bare = clone(made)
    frozen = {name: each for name, each in bare.get_params().items() if isinstance(each, FrozenEstimator)}
    within = {f"{name}__estimator" for name in frozen}  # one that is frozen twice
    if outer := {name: unfitted(each) for name, each in frozen.items() if name not in within}:
        bare.set_params(**outer)
    return bare


def taken(given: pd.DataFrame) -> pd.DataFrame:
    """The columns that the signature names, in its order, which is what a model of arrays goes by; else all."""
    columns = place()["columns"]
    return given[[name for name in columns if name in given]] if columns else given
