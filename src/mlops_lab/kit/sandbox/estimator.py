"""For drivers in the sandbox: an estimator of the learner's, asked about rows that were prepared.

Whatever it says is data: nothing is scored here, and no label is here. Needs pandas.
"""

from __future__ import annotations

import inspect
import threading
import traceback
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

PREPARED = Path("/prepared")
PLAIN = (type(None), bool, int, float, str)
MOST = 500  # parameters
LONGEST = 250  # characters of a parameter that is a list, a tuple or a dict
Said = dict[str, Any]

threading.stack_size(2 << 20)  # else a pool with a thread for each of many cores uses up the sandbox's memory


def said(trouble: BaseException) -> str:
    """An exception in one line; MLflow tells what a schema lacks behind a print of the whole frame."""
    text = "".join(traceback.format_exception_only(trouble)).strip()
    line = " ".join(text.rpartition("Error: ")[2].split()) if "enforce schema" in text else text.splitlines()[0]
    return line[:300]


def rows(name: str) -> pd.DataFrame:
    """Prepared rows."""
    return pd.read_csv(PREPARED / f"{name}.csv", keep_default_na=False, na_values=[""])


def probabilities(model: Any, given: pd.DataFrame, names: Collection[str] | None = None) -> Said:
    """What its predict_proba gives as the probability of class 1 for each row; of these columns alone, if named."""
    given = given[[name for name in given if name in names]] if names else given
    try:
        return {"values": [float(each) for each in model.predict_proba(given)[:, 1]]}
    except Exception as trouble:
        return {"error": said(trouble)}


def params(model: Any) -> Said:
    """Its plain parameters by their full names, and the classifiers in it with what was set of each.

    A search for parameters stands for the best that it found; its own may be of the same names, and are told of too.
    """
    try:
        made = getattr(model, "best_estimator_", model)
        whole = {name: str(value) for name, value in _whole(made) if _is_plain(value)}
        found = [
            {"path": path, "kind": type(each).__name__, "params": _plain(each), "set": _set(each)}
            for path, each in _classifiers(made, "")
        ]
        search = _plain(model) if made is not model else {}
        return {"params": dict(list(whole.items())[:MOST]), "classifiers": found[:MOST], "search": search}
    except Exception as trouble:
        return {"error": said(trouble)}


def _whole(made: Any) -> Iterator[tuple[str, Any]]:
    """Its parameters by their full names, with those of what is frozen in it: by the names without the freezing."""
    for name, value in _thawed(made).get_params(deep=True).items():
        yield name, value
        if _thawed(value) is not value:
            yield from ((f"{name}__{inner}", each) for inner, each in _whole(value))


def _classifiers(made: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Whatever predicts in it, outer before inner, with the beginning of the names of its parameters.

    Of a pipeline it is the last step; what an estimator such as CalibratedClassifierCV or StackingClassifier is made of
    comes after itself. One that is frozen has the names that it would have if it were not.
    """
    made = _thawed(made)
    if steps := getattr(made, "steps", None):  # a Pipeline
        name, last = steps[-1]
        yield from _classifiers(last, f"{path}{name}__")
        return
    yield path, made
    for name, value in made.get_params(deep=False).items():
        parts = value if isinstance(value, list) else [(name, value)]
        for part in parts:
            if isinstance(part, tuple) and len(part) >= 2 and _predicts(part[1]):
                yield from _classifiers(part[1], f"{path}{part[0]}__")


def _predicts(value: Any) -> bool:
    """Is it an estimator that predicts, and no class of such?"""
    value = _thawed(value)
    if isinstance(value, type) or not hasattr(value, "get_params"):
        return False
    return hasattr(type(value), "predict") or hasattr(value, "steps")


def _thawed(value: Any) -> Any:
    """What is in a FrozenEstimator, which tells nothing of it by itself; anything else as it is."""
    while type(value).__name__ == "FrozenEstimator":
        value = value.estimator
    return value


def _plain(each: Any) -> dict[str, str]:
    """The plain parameters of one estimator alone."""
    return {name: str(value) for name, value in each.get_params(deep=False).items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    """Is it a value that can be logged as text: a number, a text, or a short list, tuple or dict of such?"""
    if isinstance(value, dict):
        parts = [*value, *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        parts = list(value)
    else:
        return _is_one(value)
    return all(map(_is_one, parts)) and len(str(value)) <= LONGEST


def _is_one(value: Any) -> bool:
    """Is it one number, text or truth? NumPy's own are, which know how many dimensions they have: none."""
    return isinstance(value, PLAIN) or getattr(value, "ndim", None) == 0


def _set(each: Any) -> dict[str, str]:
    """Of these, what is not its default."""
    defaults = {name: one.default for name, one in inspect.signature(type(each).__init__).parameters.items()}
    found = each.get_params(deep=False)
    return {name: text for name, text in _plain(each).items() if found[name] != defaults.get(name, found[name])}
