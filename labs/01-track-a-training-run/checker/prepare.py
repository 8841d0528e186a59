"""Fetch a logged model and flights without their labels for the sandbox; the last line printed is a JSON object.

Runs in a pod of the checker's before anything of the learner's does, and loads no model. What it prints, labels too,
the check keeps to itself. What is wrong with the model's description is part of the answer; an exit code other than 0
is not its fault.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.pyfunc import PyFuncModel

from mlops_lab.kit.sandbox.estimator import PREPARED, said

from . import sealed

FOLDER = Path("/data/flights")
ROWS = 50  # for which a signature is tried
FEW = 30  # flights of some days that are asked about without the rest
UNUSUAL = 12  # of the held-out week by each of some columns
Object = dict[str, Any]


class Nothing:
    """What stands in for the model while its signature is tried."""

    def predict(self, rows: pd.DataFrame, params: Any = None) -> list[int]:
        """Nothing: whatever comes here was let pass."""
        return [0] * len(rows)


def flights(days: Sequence[str]) -> pd.DataFrame:
    """The flights of some days as their files have them."""
    return pd.concat(
        [pd.read_csv(FOLDER / f"{day}.csv.gz", keep_default_na=False, na_values=[""]) for day in days],
        ignore_index=True,
    )


def enforced(model: Any, rows: pd.DataFrame, whole: Collection[str]) -> Object:
    """What the signature does: does MLflow let good rows pass, and refuse others?

    Args:
        whole: the columns in which no value is missing in the training rows, and which must not be left out.
    """
    signature = model.metadata.signature
    if signature is None or signature.inputs is None:
        return {"columns": None}
    schema = signature.inputs
    columns = schema.input_names() if schema.has_input_names() else []
    refuses: dict[str, bool] = {}
    found: Object = {"columns": columns, "refuses": refuses}
    good = rows.head(ROWS)
    try:
        model.predict(good)
    except Exception as trouble:
        found["error"] = said(trouble)
        return found
    others: tuple[tuple[str, Callable[[str], bool], Callable[[str], pd.DataFrame]], ...] = (
        ("rows without the column ", lambda name: name in whole, lambda name: good.drop(columns=name)),
        ("rows with text as ", lambda name: is_number(good, name), lambda name: good.assign(**{name: "far"})),
        ("rows with a number as ", lambda name: not is_number(good, name), lambda name: good.assign(**{name: 7})),
    )
    for what, concerns, bad in others:
        for name in columns:
            if name in good and concerns(name):
                refuses[what + name] = refused(model, bad(name))
    return found


def is_number(rows: pd.DataFrame, name: str) -> bool:
    """Is this a column of numbers?"""
    return bool(pd.api.types.is_numeric_dtype(rows[name]))


def refused(model: Any, rows: pd.DataFrame) -> bool:
    """Does MLflow refuse these rows for the sake of the signature?"""
    try:
        model.predict(rows)
    except MlflowException as refusal:
        return "schema" in str(refusal).lower()
    except Exception:
        return False
    return False


def described(folder: Path, rows: pd.DataFrame, whole: Collection[str]) -> Object:
    """What the model's description says, tried with nothing behind it."""
    try:
        stand_in = PyFuncModel(Model.load(str(folder)), Nothing(), predict_fn="predict")
        return enforced(stand_in, rows, whole)
    except Exception as trouble:
        return {"columns": None, "error": said(trouble)}


def half_with_gaps(rows: pd.DataFrame, draw: random.Random) -> list[int]:
    """The places of a few rows, in about half of which something is missing; the held-out week has no such rows."""
    missing = rows.isna().any(axis="columns").tolist()
    gaps, whole = ([place for place, each in enumerate(missing) if each is wanted] for wanted in (True, False))
    some = draw.sample(gaps, min(len(gaps), FEW // 2))
    return [*some, *draw.sample(whole, FEW - len(some))]


def farthest(column: pd.Series, draw: random.Random) -> list[int]:
    """The places of the few rows whose number is farthest from the column's median; which of equal ones is drawn."""
    away = (column - column.median()).abs().fillna(0.0).tolist()
    return sorted(draw.sample(range(len(away)), len(away)), key=lambda place: -away[place])[:UNUSUAL]


def has_codes_of(rows: pd.DataFrame, others: pd.DataFrame) -> pd.Series:
    """Which rows have, wherever there is text, one that some of the others have."""
    codes = others.select_dtypes(exclude="number").columns
    return rows[codes].apply(lambda column: column.isin(others[column.name])).all(axis="columns")


def main() -> None:
    """Prepare what the environment names."""
    days = json.loads(os.environ["DAYS"])
    answer: Object = {"rows": {}, "labels": {}}
    found = {name: flights(each) for name, each in days.items()}
    known = has_codes_of(found["after"], found["training"])
    found |= {"after": found["after"][known], "new": found["after"][~known]}
    given = {name: each.drop(columns="late") for name, each in found.items()}
    for name, each in found.items():
        answer["rows"][name] = len(each)
        answer["labels"][name] = "".join(map(str, each["late"]))
        given[name].to_csv(PREPARED / f"{name}.csv", index=False)
    answer["rows"]["complete"] = int(given["training"].notna().all(axis="columns").sum())
    draw = random.Random(os.environ["SEED"])
    answer["few"] = draw.sample(range(len(given["held_out"])), FEW)
    answer["one"] = answer["few"][:1]
    answer["gaps"] = half_with_gaps(given["training"], draw)
    by_column = json.loads(os.environ["FARTHEST"])
    answer |= {name: farthest(given["held_out"][column], draw) for name, column in by_column.items()}
    for name in ("few", "one", "gaps", *by_column):
        of = "training" if name == "gaps" else "held_out"
        given[of].iloc[answer[name]].to_csv(PREPARED / f"{name}.csv", index=False)
    found["training"][["late"]].to_csv(PREPARED / "late.csv", index=False)  # what the model is to be fitted on
    week = answer["labels"]["held_out"].encode()
    sealed.place("held_out").write_bytes(sealed.turned(week, os.environ["KEY"]))
    if os.environ["MODEL_URI"]:
        folder = Path(mlflow.artifacts.download_artifacts(os.environ["MODEL_URI"], dst_path=str(PREPARED / "model")))
        whole = [name for name in given["training"] if given["training"][name].notna().all()]
        answer["signature"] = described(folder, given["held_out"], whole)
        place = {"folder": str(folder), "columns": answer["signature"]["columns"]}
        (PREPARED / "model.json").write_text(json.dumps(place))
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
