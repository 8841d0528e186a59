"""python3 prepare.py FIRST_DAY LAST_DAY HELD_OUT_DAYS ROWS HELD_OUT: two CSV files of the flights of some days."""

import gzip
import sys
from datetime import date, timedelta
from pathlib import Path

first, last, count, *targets = sys.argv[1:]
begin, end = date.fromisoformat(first), date.fromisoformat(last)
days = [begin + timedelta(number) for number in range((end - begin).days + 1)]
for target, part in zip(targets, (days[: -int(count)], days[-int(count) :]), strict=True):
    tables = [gzip.decompress(Path(f"/data/flights/{day}.csv.gz").read_bytes()).decode().splitlines() for day in part]
    lines = [tables[0][0], *(line for table in tables for line in table[1:])]
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    Path(target).write_text("\n".join([*lines, ""]))
