"""Load a logged model as anybody would, and see what it does with flights; the last line printed is the answer as JSON.

Runs in a pod of the checker's. What the model does wrong is part of the answer; an exit code other than 0 is not its
fault.
"""

from __future__ import annotations

import inspect
import json
import os
import traceback
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline

FOLDER = Path("/data/flights")
Object = dict[str, Any]
PLAIN = (type(None), bool, int, float, str)


def flights(days: Sequence[str]) -> pd.DataFrame:
    """The flights of some days as their files have them."""
    return pd.concat(
        [pd.read_csv(FOLDER / f"{day}.csv.gz", keep_default_na=False, na_values=[""]) for day in days],
        ignore_index=True,
    )


def said(trouble: Exception) -> str:
    """An exception in one line; MLflow tells what a schema lacks behind a print of the whole frame."""
    text = "".join(traceback.format_exception_only(trouble)).strip()
    line = " ".join(text.rpartition("Error: ")[2].split()) if "enforce schema" in text else text.splitlines()[0]
    return line[:300]


def auc(model: Any, names: Collection[str] | None, rows: pd.DataFrame) -> Object:
    """How many answers there are, and the area under the ROC curve of those; or what went wrong."""
    given = rows.drop(columns="late")
    given = given[[name for name in given if name in names]] if names else given
    try:
        answers = model.predict_proba(given)[:, 1]
        found = {"rows": len(answers), "auc": float(roc_auc_score(rows["late"], answers))}
        # A sum of shares may miss 1 by a hair.
        strange = [float(each) for each in answers if not -1e-9 <= each <= 1 + 1e-9]
        return {"error": f"its predict_proba gives {strange[0]:g}, which is no probability"} if strange else found
    except Exception as trouble:
        return {"error": said(trouble)}


def enforced(model: Any, rows: pd.DataFrame) -> Object:
    """What the signature does: does it let good rows pass, and refuse others before the model sees them?"""
    signature = model.metadata.signature
    if signature is None or signature.inputs is None:
        return {"columns": None}
    schema = signature.inputs
    columns = schema.input_names() if schema.has_input_names() else []
    refuses: dict[str, bool] = {}
    found: Object = {"columns": columns, "refuses": refuses}
    good = rows.drop(columns="late").head(50)
    try:
        found["answers"] = len(model.predict(good))
    except Exception as trouble:
        found["error"] = said(trouble)
        return found
    others: tuple[tuple[str, Callable[[str], pd.DataFrame]], ...] = (
        ("rows without the column ", lambda name: good.drop(columns=name)),
        ("rows with text as ", lambda name: good.assign(**{name: "far"})),
    )
    for what, bad in others:
        name = next((name for name in columns if name in good and (" text " not in what or is_number(good, name))), "")
        if name:
            refuses[what + name] = refused(model, bad(name))
    return found


def is_number(rows: pd.DataFrame, name: str) -> bool:
    """Is this a column of numbers?"""
    return bool(pd.api.types.is_numeric_dtype(rows[name]))


def refused(model: Any, rows: pd.DataFrame) -> bool:
    """Does MLflow refuse these rows for the sake of the signature? The model's own trouble with them does not count."""
    try:
        model.predict(rows)
    except MlflowException as refusal:
        return "schema" in str(refusal).lower()
    except Exception:
        return False
    return False


def params(model: Any) -> Object:
    """What the model was really made with: every plain parameter, and those of its last step that are no defaults."""
    searched = hasattr(model, "best_estimator_")
    made = model.best_estimator_ if searched else model
    last = made.steps[-1][1] if isinstance(made, Pipeline) else made
    defaults = {name: each.default for name, each in inspect.signature(type(last).__init__).parameters.items()}
    used: dict[str, set[str]] = {}
    for each in (made, last):  # `verbose` may be the pipeline's or its last step's
        for name, value in each.get_params(deep=True).items():
            used.setdefault(name, set()).add(str(value) if isinstance(value, PLAIN) else "")
    plain = {name: value for name, value in last.get_params(deep=False).items() if isinstance(value, PLAIN)}
    return {
        "estimator": type(last).__name__,
        "used": {name: sorted(values) for name, values in used.items() if "" not in values},
        "chosen": {name: str(value) for name, value in plain.items() if value != defaults.get(name, value)},
    }


def main() -> None:
    """Answer for the model and the days that the environment names."""
    days = json.loads(os.environ["DAYS"])
    rows = {name: flights(found) for name, found in days.items()}
    answer: Object = {"rows": {name: len(found) for name, found in rows.items()}}
    if not os.environ["MODEL_URI"]:
        print(json.dumps(answer))
        return
    folder = mlflow.artifacts.download_artifacts(os.environ["MODEL_URI"])
    try:
        whole = mlflow.pyfunc.load_model(folder)
        model = mlflow.sklearn.load_model(folder)
    except Exception as trouble:
        print(json.dumps(answer | {"error": said(trouble)}))
        return
    answer["signature"] = enforced(whole, rows["held_out"])
    names = answer["signature"]["columns"]
    answer |= {name: auc(model, names, found) for name, found in rows.items()}
    try:
        answer["params"] = params(model)
    except Exception as trouble:
        answer["params"] = {"error": said(trouble)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
