"""Read what a run left: compare its data sets, and lay its model and rows without labels out for the sandbox.

Runs in a pod of the checker's before anything of the learner's does, and loads no model. The last line printed is a
JSON object with the labels, which the check keeps to itself. What is wrong with the artifacts is part of the answer; an
exit code other than 0 is not their fault.
"""

from __future__ import annotations

import collections
import io
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import pandas as pd

from mlops_lab.kit.sandbox.estimator import PREPARED, said

FOLDER = Path("/data/flights")
Found = dict[str, Any]
# What tells flights apart; no weather, as numbers with a fraction may change when they are written again.
KEY = ["month", "day", "weekday", "hour", "carrier", "origin", "dest", "distance", "late"]
WEATHER, DIGITS = ["temp", "wind_speed", "precip", "visib"], 5  # the files have no more decimals; rounding noise aside
LARGEST, LARGEST_MODEL = 64 << 20, 256 << 20  # bytes of a data set, and of a model
PATIENCE = 30.0  # s until the network knows a new pod


def content(url: str, largest: int = 0) -> bytes:
    """An artifact's bytes.

    Args:
        url: where the engine gives them; empty for an artifact that is not in its store.
        largest: how many there may be; 0 is as many as of a data set.

    Raises:
        ValueError: the step wrote none, or not where KFP keeps them, or too many.
    """
    nothing = "nothing is there: the step has to write the content to the artifact's path"
    if not url:
        raise ValueError(nothing)
    end, largest = time.monotonic() + PATIENCE, largest or LARGEST
    while True:
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                whole: bytes = answer.read(largest + 1)
            break
        except urllib.error.HTTPError as refused:
            if refused.code not in (400, 404):  # 400: its uri is another store's
                raise
            raise ValueError(nothing) from refused
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)
    if len(whole) > largest:
        raise ValueError(f"larger than {largest >> 20} MB (joblib.dump has compress=)")
    return whole


def read(source: Path | IO[bytes] | IO[str]) -> pd.DataFrame:
    """A CSV file of flights."""
    return pd.read_csv(source, keep_default_na=False, na_values=[""])


def counted(rows: pd.DataFrame, weather: bool = False) -> collections.Counter[tuple[Any, ...]]:
    """How often there is each flight; those in other weather are others, if that is to be told apart.

    A text is no gap, whatever reader may take it for one.
    """
    if not weather:
        return collections.Counter(rows[KEY].itertuples(index=False, name=None))
    numbers = rows[WEATHER].apply(pd.to_numeric, errors="coerce").round(DIGITS)
    numbers = numbers.mask(numbers.isna() & rows[WEATHER].notna(), -2000.0).fillna(-1000.0)
    return collections.Counter(pd.concat([rows[KEY], numbers], axis=1).itertuples(index=False, name=None))


def flights(days: Sequence[str]) -> pd.DataFrame:
    """The flights of some days."""
    return pd.concat([read(FOLDER / f"{day}.csv.gz") for day in days], ignore_index=True)


def compared(url: str, days: Sequence[str]) -> Found:
    """What a data set holds, beside the flights of the days that it should hold."""
    wanted = flights(days)
    found: Found = {"wanted": len(wanted)}
    try:
        rows = read(io.BytesIO(content(url)))
    except ValueError as trouble:
        return found | {"error": f"no CSV file: {said(trouble)}"}
    if missing := [name for name in wanted if name not in rows]:
        return found | {"error": f"a CSV file without the columns {', '.join(missing)}"}
    if more := [str(name) for name in rows if name not in wanted]:
        return found | {"error": f"a CSV file with columns that the files have not: {', '.join(more)[:200]}"}
    if rows["late"].dtype == bool:  # which equals 1 and 0
        return found | {"error": f"late is {rows['late'].iloc[0]}, say, where the files have 1 or 0"}
    dates = rows[["month", "day"]].apply(pd.to_numeric, errors="coerce")
    strange = rows[~dates.apply(lambda column: column.between(1, 31)).all(axis=1)]
    if len(strange):
        one = ", ".join(f"{name} {strange[name].iloc[0]}" for name in dates)
        again = "; each file's own header is among the flights" if "month" in set(strange["month"]) else ""
        return found | {"error": f"rows without a date: {len(strange)}, the first with {one[:80]}{again}"}
    here, there = counted(rows), counted(wanted)
    span = (dates["month"] * 100 + dates["day"]).agg(["min", "max"])
    ends = ["{:02d}-{:02d}".format(*divmod(int(end), 100)) for end in span] if len(rows) else []
    other = (here - there).total()
    weather = 0 if other or here != there else (counted(rows, True) - counted(wanted, True)).total()
    return found | {
        "rows": len(rows), "ends": ends, "missing": (there - here).total(), "other": other, "weather": weather,
        "gaps": [place for place, gap in enumerate(rows[WEATHER].isna().any(axis=1)) if gap],
    }  # fmt: skip


def laid_out(model: str, data: dict[str, str]) -> dict[str, str]:
    """Lay a run's model and the rows of its data sets out, without their labels; the labels of each.

    Raises:
        ValueError: something is not there, or no CSV file of flights.
    """
    (PREPARED / "model").write_bytes(content(model, LARGEST_MODEL))
    labels: dict[str, str] = {}
    for name, url in data.items():
        rows = read(io.BytesIO(content(url)))
        late = pd.to_numeric(rows["late"], errors="coerce")
        if not late.isin([0, 1]).all():
            raise ValueError(f"{name} has labels other than 0 and 1")
        labels[name] = "".join(str(int(each)) for each in late)
        rows.drop(columns="late").to_csv(PREPARED / f"{name}.csv", index=False)
    return labels


def main() -> None:
    """Answer for the artifacts and days that the environment names."""
    wanted = json.loads(os.environ["ARTIFACTS"])
    answer = {name: compared(each["url"], each["days"]) for name, each in wanted["data"].items()}
    found: Found = {"data": answer}
    if wanted.get("model"):
        try:
            found["labels"] = laid_out(wanted["model"], {name: each["url"] for name, each in wanted["data"].items()})
        except (ValueError, KeyError) as trouble:
            found["error"] = said(trouble)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
