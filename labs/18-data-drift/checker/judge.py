"""Let a learner's detector see streams whose drifts are known; the last line printed is what it named when, as JSON.

Runs in a pod of the checker's. How a detector fails is part of the answer; an exit code other than 0 is not its fault.
"""

import base64
import ctypes
import json
import os
import signal
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pandas as pd
import streams
from process import MADE, Detectors, GoneError

WORK = Path("/tmp/work")
TOGETHER = "keeps_streams_apart"
FIRST = ("stays_quiet", TOGETHER)  # whoever fails these is not asked further
SET_DUMPABLE = 4  # prctl


def flow(detectors, reference, found):
    """Let streams flow by side by side, with a detector for each; what is named after how many rows."""
    notes = [
        {
            "stream": each.name,
            "feature": each.feature,
            "begin": each.begin,
            "batch": max(each.sizes),
            "month": each.month,
            "rows": 0,
            "first": {},
            "found": None,
        }
        for each in found
    ]
    now = notes[0]
    try:
        for place, now in enumerate(notes):
            if not good(now, detectors.ask("make", place, reference, within=MADE)):
                return notes
        for batches in zip_longest(*(each.batches() for each in found)):
            for place, (now, batch) in enumerate(zip(notes, batches, strict=True)):
                if batch is None or (now["batch"] == 1 and now["found"]):  # row by row, the rest would take long
                    continue
                answer = detectors.ask("update", place, batch)
                if not good(now, answer) or not keep(now, batch, answer["names"]):
                    return notes
    except GoneError as gone:
        now |= {"error": str(gone), "lines": detectors.last_lines()}
    return notes


def good(note, answer):
    """Was there no exception?"""
    names = answer.get("names")
    if "error" not in answer and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise GoneError("something else than an answer came back from its process")
    if "error" in answer:
        lines = answer["lines"] if isinstance(answer.get("lines"), list) else []
        note |= {"error": str(answer["error"])[:300], "lines": [str(line)[:200] for line in lines[:4]]}
    return "error" not in answer


def keep(note, batch, names):
    """Note what was named; is each the name of a column?"""
    note["rows"] += len(batch)
    for name in names:
        if name not in batch:
            note["error"] = f"update named {name[:80]!r}, and there is no such column"
            return False
        note["first"].setdefault(name, note["rows"])
    if note["feature"] in names and note["rows"] > note["begin"] and not note["found"]:
        note["found"] = [note["rows"], sorted(set(names))]
    return True


def clean(notes):
    """Is nothing named that did not drift?"""
    return all("error" not in each and set(each["first"]) <= {each["feature"]} for each in notes)


def changed(then, now):
    """By how much a feature's distribution differs: the population stability index, over all there is.

    Of numbers also the square of how far the mean has moved, in standard deviations, where that is more: what a small
    shift of a normal distribution has as its index, and what a test of means sees.
    """
    moved = 0.0
    if pd.api.types.is_numeric_dtype(then):
        moved = float((now.mean() - then.mean()) / then.std()) ** 2
        edges = np.unique(then.quantile(np.arange(1, 10) / 10))
        then, now = (pd.Series(np.searchsorted(edges, each)).mask(each.isna().to_numpy(), -1) for each in (then, now))
    shares = pd.concat([each.value_counts(normalize=True) for each in (then, now)], axis=1).fillna(0).clip(lower=1e-4)
    before, after = shares.iloc[:, 0], shares.iloc[:, 1]
    return round(max(moved, float(((after - before) * np.log(after / before)).sum())), 4)


def main():
    """Try the detector on the streams of the checks that the environment names."""
    # What runs beside this process can't read it, nor write its files.
    ctypes.CDLL(None).prctl(SET_DUMPABLE, 0, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    checks, limit = os.environ["CHECKS"].split(), float(os.environ["LIMIT"])
    WORK.mkdir()
    for name, content in json.loads((Path(__file__).parent / "work.json").read_text()).items():
        (WORK / name).write_bytes(base64.b64decode(content))
    reference, drawn = streams.draw(int(os.environ["SEED"]))
    answer, detectors = {}, None
    for check in checks:
        answer[check] = []
        for found in [drawn[check]] if check == TOGETHER else [[each] for each in drawn[check]]:
            detectors = detectors or Detectors(WORK, limit)
            notes = flow(detectors, reference, found)
            answer[check] += notes
            if any("error" in each for each in notes):
                detectors.end()
                detectors = None
                break
        if check in FIRST and not clean(answer[check]):
            break
    if detectors:
        detectors.end()
    for note in (each for notes in answer.values() for each in notes if each["month"]):
        there = streams.flights(note["month"])
        note["changed"] = {name: changed(reference[name], there[name]) for name in reference}
    print(json.dumps(answer))


main()
