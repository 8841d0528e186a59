"""Times the PSI of a million rows of ten columns: the drift component's and evidently's, in turns. Run by `bench`.

Prints the medians, in seconds, as a list of two: ours, evidently's. The reference is a million rows too.
"""

from __future__ import annotations

import json
import statistics
import time
import warnings

import numpy as np
import pandas as pd
from delays import drift

ROWS, COLUMNS, ROUNDS = 1_000_000, 10, 3


def main() -> None:
    """Make the rows, time both in turns, and see that both find the one column that moved."""
    warnings.simplefilter("ignore")
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    random = np.random.default_rng(11)
    names = [f"c{number}" for number in range(COLUMNS)]
    then = pd.DataFrame({name: random.standard_normal(ROWS).astype(np.float32) for name in names})
    now = pd.DataFrame({name: random.standard_normal(ROWS).astype(np.float32) for name in names})
    now["c3"] += 0.7
    known = {name: drift.number_reference(then[name].to_numpy()) for name in names}
    shape = DataDefinition(numerical_columns=names)
    one, other = (Dataset.from_pandas(frame, data_definition=shape) for frame in (now, then))
    ours, theirs = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        found = {name: drift.number_psi(now[name].to_numpy(), known[name]) for name in names}
        ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        report = Report([DataDriftPreset(num_method="psi", num_threshold=0.2)]).run(one, other)
        text = report.json()
        theirs.append(time.perf_counter() - began)
    moved = [name for name, value in found.items() if value > 0.2]
    assert moved == ["c3"], found
    assert "c3" in text
    print(json.dumps([statistics.median(ours), statistics.median(theirs)]))


if __name__ == "__main__":
    main()
