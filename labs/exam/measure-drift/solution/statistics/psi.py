"""The population stability index, with percentiles of the standard library."""

import csv
import json
import sys
from collections import Counter
from math import log
from pathlib import Path
from statistics import quantiles

CUTS = "@{cuts}"
PARTS = [float(part) for part in CUTS.split(", ")]


def read(name):
    with Path(name).open() as file:
        return list(csv.DictReader(file))


def bin_of(text, cuts):
    return "missing" if text == "" else sum(float(text) > cut for cut in cuts)


reference, now = map(read, sys.argv[1:3])
result = {"psi": {}, "drifted": []}
for column in reference[0]:
    known = [float(row[column]) for row in reference if row[column] != ""]
    of_twenty = quantiles(known, n=20, method="inclusive")
    cuts = [of_twenty[round(20 * part) - 1] for part in PARTS]
    before, after = (Counter(bin_of(row[column], cuts) for row in rows) for rows in (reference, now))
    index = 0.0
    for each in ["missing", *range(len(cuts) + 1)]:
        old, new = (
            max(n / of, float("@{floor}")) for n, of in ((before[each], len(reference)), (after[each], len(now)))
        )
        index += (new - old) * log(new / old)
    result["psi"][column] = index
    if index > float("@{limit}"):
        result["drifted"].append(column)
Path(sys.argv[3]).write_text(json.dumps(result))
