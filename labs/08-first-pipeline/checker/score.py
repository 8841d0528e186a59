"""Read what a run left, and score its model anew; the last line printed is the answer as JSON.

Runs in a pod of the checker's. What is wrong with the artifacts is part of the answer; an exit code other than 0 is not
their fault.
"""

from __future__ import annotations

import collections
import io
import json
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import joblib
import pandas as pd
from sklearn.metrics import roc_auc_score

FOLDER = Path("/data/flights")
Found = dict[str, Any]
# What tells flights apart; no weather, as numbers with a fraction may change when they are written again.
KEY = ["month", "day", "weekday", "hour", "carrier", "origin", "dest", "distance", "late"]


def content(artifact: str) -> bytes:
    """An artifact's bytes.

    Raises:
        ValueError: the step wrote none, or not where KFP keeps them.
    """
    url = f"{os.environ['KFP_ENDPOINT']}/apis/v2beta1/artifacts/{artifact}/content"
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            whole: bytes = answer.read()
            return whole
    except urllib.error.HTTPError as refused:
        if refused.code not in (400, 404):  # 400: its uri is another store's
            raise
        raise ValueError("nothing is there: the step has to write the content to the artifact's path") from refused


def read(source: Path | IO[bytes] | IO[str]) -> pd.DataFrame:
    """A CSV file of flights."""
    return pd.read_csv(source, keep_default_na=False, na_values=[""])


def said(trouble: Exception) -> str:
    """An exception in one line."""
    return f"{type(trouble).__name__}: {trouble}".splitlines()[0][:300]


def counted(rows: pd.DataFrame) -> collections.Counter[tuple[Any, ...]]:
    """How often there is each flight."""
    return collections.Counter(rows[KEY].itertuples(index=False, name=None))


def flights(days: Sequence[str]) -> pd.DataFrame:
    """The flights of some days."""
    return pd.concat([read(FOLDER / f"{day}.csv.gz") for day in days], ignore_index=True)


def compared(artifact: str, days: Sequence[str], whole: Sequence[str]) -> Found:
    """What a data set holds, beside the flights of the days that it should hold, and of all days of its run."""
    wanted = flights(days)
    found: Found = {"wanted": len(wanted)}
    try:
        rows = read(io.BytesIO(content(artifact)))
    except ValueError as trouble:
        return found | {"error": f"no CSV file: {said(trouble)}"}
    if missing := [name for name in wanted if name not in rows]:
        return found | {"error": f"a CSV file without the columns {', '.join(missing)}"}
    dates = rows[["month", "day"]].apply(pd.to_numeric, errors="coerce")
    strange = rows[~dates.apply(lambda column: column.between(1, 31)).all(axis=1)]
    if len(strange):
        one = ", ".join(f"{name} {strange[name].iloc[0]}" for name in dates)
        again = "; each file's own header is among the flights" if "month" in set(strange["month"]) else ""
        return found | {"error": f"rows without a date: {len(strange)}, the first with {one[:80]}{again}"}
    here, there = counted(rows), counted(wanted)
    span = (dates["month"] * 100 + dates["day"]).agg(["min", "max"])
    ends = ["{:02d}-{:02d}".format(*divmod(int(end), 100)) for end in span] if len(rows) else []
    other, strange = (here - there).total(), (here - counted(flights(whole))).total()
    return found | {
        "rows": len(rows), "ends": ends, "missing": (there - here).total(), "other": other, "strange": strange,
    }  # fmt: skip


def scored(model: str, held_out: str) -> Found:
    """The AUC of a model on a data set, both artifacts."""
    try:
        rows, kept = read(io.BytesIO(content(held_out))), io.BytesIO(content(model))
    except ValueError as trouble:
        return {"error": said(trouble)}
    try:
        answers = joblib.load(kept).predict_proba(rows.drop(columns="late"))[:, 1]
        return {"auc": float(roc_auc_score(rows["late"], answers))}
    except Exception as trouble:
        return {"error": said(trouble)}


def main() -> None:
    """Answer for the artifacts and days that the environment names."""
    wanted = json.loads(os.environ["ARTIFACTS"])
    whole = sorted(day for each in wanted["data"].values() for day in each["days"])
    answer = {name: compared(each["artifact"], each["days"], whole) for name, each in wanted["data"].items()}
    if wanted.get("model"):
        for name in wanted["data"]:
            answer[name] |= {"score": scored(wanted["model"], wanted["data"][name]["artifact"])}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
