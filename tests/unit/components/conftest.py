"""What the components' image holds, on the path; flights that are made up; an MLflow store in a folder."""

from __future__ import annotations

import csv
import gzip
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CARRIED = [str(ROOT), str(ROOT / "components"), str(ROOT / "images" / "flight-delay")]
sys.path[:0] = [path for path in CARRIED if path not in sys.path]

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from delays.rows import FIELDS  # noqa: E402

FIRST = date(2013, 3, 1)
Days = Callable[..., None]


def invented(first: date, count: int, *, seed: int = 1, warmer: float = 0.0, turned: bool = False) -> pd.DataFrame:
    """Flights as those of New York behave: late more often in the evening, in rain, with AA, and together by the hour.

    Args:
        warmer: degrees that every temperature is higher.
        turned: cold now makes late what rain made late before: another concept.
    """
    random = np.random.default_rng(seed + first.toordinal())
    cells = []
    for number in range(count):
        day = first + timedelta(number)
        for hour in range(6, 22):
            for origin in ("EWR", "JFK", "LGA"):
                rows = 9
                carrier = random.choice(["AA", "UA", "DL", "B6"], rows)
                temp, rain = 50 + 15 * random.standard_normal() + warmer, random.random() < 0.15
                cause = 4.0 * (temp < 48) if turned else 2.0 * rain
                odds = -3.2 + 0.12 * (hour - 6) + cause + 0.7 * (carrier == "AA") + 1.1 * random.standard_normal()
                cells.append(
                    pd.DataFrame(
                        {
                            "month": day.month, "day": day.day, "weekday": day.weekday(), "hour": hour,
                            "carrier": carrier, "origin": origin,
                            "dest": random.choice(["ORD", "SFO", "MIA", "BOS"], rows),
                            "distance": random.choice([187.0, 719.0, 1089.0, 2565.0], rows),
                            "temp": round(temp, 2), "wind_speed": round(abs(random.normal(10, 4)), 2),
                            "precip": 0.3 if rain else 0.0, "visib": 3.0 if rain else 10.0,
                            "late": (random.random(rows) < 1 / (1 + np.exp(-odds))).astype(int), "date": str(day),
                        }
                    )
                )  # fmt: skip
    return pd.concat(cells, ignore_index=True)


def lay_out(folder: Path, frame: pd.DataFrame) -> None:
    """Write a frame as files of days, as the components read them."""
    folder.mkdir(parents=True, exist_ok=True)
    for day, rows in frame.groupby("date"):
        text = io.StringIO()
        table = csv.DictWriter(text, [*FIELDS, "late"], lineterminator="\n", extrasaction="ignore")
        table.writeheader()
        table.writerows(rows.to_dict("records"))
        (folder / f"{day}.csv.gz").write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


@pytest.fixture(scope="session")
def spring() -> pd.DataFrame:
    return invented(FIRST, 30)


@pytest.fixture(scope="session")
def days(tmp_path_factory: pytest.TempPathFactory, spring: pd.DataFrame) -> Path:
    """March as it was, and from the 31st on a time in which something else makes flights late."""
    folder = tmp_path_factory.mktemp("days")
    lay_out(folder, spring)
    lay_out(folder, invented(FIRST + timedelta(30), 30, seed=2, turned=True))
    return folder


@pytest.fixture(autouse=True)
def carried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that a test starts find what the image holds."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(CARRIED))
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")


@pytest.fixture
def tracking(tmp_path: Path) -> Iterator[str]:
    """The address of an MLflow store of the test's own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield str(tmp_path / "mlflow")
