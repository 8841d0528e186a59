"""What asks the learner's model, in the sandbox: it is loaded as anybody would, and says what it says."""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from typing import Any, TypeVar

os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet"}

import mlflow.pyfunc
import mlflow.sklearn
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from mlops_lab.kit.sandbox.estimator import PREPARED, Said, params, probabilities, rows, said

from . import sealed

Days = tuple[pd.DataFrame, pd.Series]  # flights of some days, and which were late
Made = TypeVar("Made")
LIMITS = (MemoryError, OSError, BrokenExecutor)  # what the sandbox's limits raise


class Whole:
    """The one fold of a cross-validation that gives what `cv="prefit"` does, where all was fitted to the same rows."""

    def get_n_splits(self, *given: Any, **more: Any) -> int:
        """How many there are."""
        return 1

    def split(self, rows: Any, late: Any, groups: Any = None) -> Iterator[tuple[Any, Any]]:
        """All rows, to fit to and to predict."""
        yield np.arange(len(late)), np.arange(len(late))


WHOLE = Whole()


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

    And the probabilities of one that is `fitted` anew to the training days, or `refitted` to them and others, or only
    partly: its `steps`, or what is `frozen` in it, on days of their own. An error of the estimator's `own` is no limit,
    nor is one for which it is `unable` to answer after its fit.
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
        if what in PARTS:
            return partly(what, *names)
        if what == "fitted":
            return of_anew(anew(*names[1:]), taken(rows(names[0])))
        return probabilities(refitted(*names) if what == "refitted" else model(), taken(rows(names[0])))
    except Exception as trouble:
        return {"error": said(trouble), "own": not isinstance(trouble, LIMITS)}


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
            names = str(full).split("__")
            found["search"] |= {"__".join(names[place:]): str(value) for place in range(len(names))}
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


@functools.lru_cache(maxsize=1)
def anew(time: str = "") -> Any:
    """The same estimator, fitted to the flights of the training days and no others; another time it may be another.

    Of a stack on what was fitted before, to other ones of the training days, it has folds that time. Of what is frozen,
    or stacked on, the third time is `in_parts`.
    """
    whole = as_frozen(opened(model())) if time == IN_PARTS else None
    if whole is not None and parts(whole, FrozenEstimator):
        return learnt(functools.partial(in_parts, whole))
    made = learnt(lambda alone: fitted(unfitted(model(), None if time else WHOLE), *alone))
    made.predict_proba(training()[0].head(50))  # else a `fit` that does nothing is seen where no exception is told
    return made


def of_anew(made: Any, given: pd.DataFrame) -> Said:
    """The probabilities of one that was fitted anew; `unable`: an exception is in the way that is no limit."""
    try:
        return {"values": [float(each) for each in made.predict_proba(given)[:, 1]]}
    except Exception as trouble:
        return {"error": said(trouble), "unable": not isinstance(trouble, LIMITS)}


def refitted(name: str, key: str) -> Any:
    """The same estimator, fitted to the flights of other days as well; from then on the model may know their labels."""
    others = unsealed(name, key)
    return learnt(lambda alone: fitted(unfitted(model()), *joined(alone, others)))


IN_PARTS = "3"  # the time when it is fitted so
PARTS = {"steps": Pipeline, "frozen": FrozenEstimator}


def partly(what: str, name: str, key: str) -> Said:
    """The probabilities of the same estimator, a part of which has learnt from other days.

    That are the steps of pipelines before the last, from the training days and the others, and what comes after them
    learns from the training days; or what comes after all that is frozen, or that a stack takes as it is, from the
    others alone. As `training` those of one that has learnt in the same order, and from the training days alone; as
    `parted` those of one in which what comes after what is frozen learns from other training days than that.
    """
    made = unfitted(model()) if what == "steps" else as_frozen(opened(model()))
    if not parts(made, PARTS[what]):
        return {"error": f"it has no {what}"}
    others = unsealed(name, key)

    def both(alone: Days) -> tuple[Any, Any]:
        honest = kept(made, *alone)
        suspect = (kept(made, *joined(alone, others)), alone) if what == "steps" else (clone(honest), others)
        return fitted(honest, *alone), fitted(suspect[0], *suspect[1])

    told = [probabilities(each, others[0]) for each in learnt(both)]
    found = told[1] | {"training": told[0].get("values")}
    if what == "frozen":
        with contextlib.suppress(Exception):  # as where a part of the days has too few late flights
            found["parted"] = probabilities(learnt(functools.partial(in_parts, made)), others[0]).get("values")
    return found


def in_parts(made: Any, alone: Days) -> Any:
    """The same estimator: what is frozen fitted to the first two thirds of the flights, the rest to the last one."""
    place = len(alone[0]) * 2 // 3
    earlier, later = ([each[part] for each in alone] for part in (slice(place), slice(place, None)))
    return fitted(kept(made, *earlier), *later)


def kept(made: Any, given: pd.DataFrame, late: pd.Series) -> Any:
    """The same estimator before it is fitted: steps of pipelines before the last, and what is frozen, already are."""
    if isinstance(made, FrozenEstimator):
        return FrozenEstimator(fitted(unfitted(made), given, late))
    bare = clone(made)
    if isinstance(bare, Pipeline):
        before, (name, last) = unfitted(bare[:-1]).fit(given, late), bare.steps[-1]
        steps = [("before", FrozenEstimator(before)), (name, kept(last, before.transform(given), late))]
        return bare.set_params(steps=steps)
    return bare.set_params(**{name: kept(each, given, late) for name, each in parts(bare, *PARTS.values()).items()})


def unfitted(made: Any, cv: Any = WHOLE) -> Any:
    """The same estimator before any fit, in which nothing is frozen, and nothing has to be fitted before.

    FrozenEstimator keeps what it has learnt, for clone and fit, too.

    Args:
        cv: in the place of "prefit".
    """
    bare = clone(opened(made))
    if frozen := parts(bare, FrozenEstimator):
        bare.set_params(**{name: unfitted(each, cv) for name, each in frozen.items()})
    fits = {"cv": cv, "prefit": False, "refit": True}
    for each in (bare, *bare.get_params().values()):
        if takes_fitted(each):
            each.set_params(**{name: value for name, value in fits.items() if name in vars(each)})
    return bare


def as_frozen(made: Any) -> Any:
    """The same estimator, in which is frozen what a stack takes as it is, fitted before."""
    bare = clone(made)
    for each in (bare, *bare.get_params().values()):
        if takes_fitted(each) and hasattr(each, "estimators"):
            inside = {name: part for name, part in each.estimators if hasattr(part, "fit")}
            each.set_params(**{name: FrozenEstimator(part) for name, part in inside.items()})
    return bare


def takes_fitted(part: Any) -> bool:
    """Does this part of an estimator take those in it as they are, fitted before?"""
    if isinstance(part, type) or not hasattr(part, "get_params"):
        return False
    return str(vars(part).get("cv")) == "prefit" or vars(part).get("prefit") is True


def opened(made: Any) -> Any:
    """What is fitted: of a search the best that it has found, and what is not frozen as a whole."""
    inside = made.estimator if isinstance(made, FrozenEstimator) else getattr(made, "best_estimator_", None)
    return made if inside is None else opened(inside)


def parts(made: Any, *kinds: type) -> dict[str, Any]:
    """The outermost estimators of some kinds by the names of the parameters that hold them; by none the whole."""
    if isinstance(made, kinds):
        return {"": made}
    found = {name: each for name, each in made.get_params().items() if isinstance(each, kinds)}
    return {name: each for name, each in found.items() if not any(name.startswith(f"{outer}__") for outer in found)}


def fitted(made: Any, given: pd.DataFrame, late: pd.Series) -> Any:
    """It, fitted; a `fit` of the learner's own may return nothing."""
    made.fit(given, late)
    return made


def learnt(make: Callable[[Days], Made]) -> Made:
    """What is made of the training days; where that fails, of those of their flights whose weather is there."""
    given, late = training()
    try:
        return make((given, late))
    except Exception:
        whole = given.notna().all(axis="columns")
        return make((given[whole], late[whole]))


def training() -> Days:
    """Those that the model is to be fitted to."""
    return taken(rows("training")), rows("late")["late"]


def unsealed(name: str, key: str) -> Days:
    """Other days, with their labels."""
    labels = sealed.turned(sealed.place(name).read_bytes(), key).decode()
    return taken(rows(name)), pd.Series([int(each) for each in labels])


def joined(one: Days, other: Days) -> Days:
    """All of these days."""
    given, late = (pd.concat(each, ignore_index=True) for each in zip(one, other, strict=True))
    return given, late


def taken(given: pd.DataFrame) -> pd.DataFrame:
    """The columns that the signature names, in its order, which is what a model of arrays goes by; else all."""
    columns = place()["columns"]
    return given[[name for name in columns if name in given]] if columns else given
