"""A model that nobody has seen before: lab 14's crowd makes it when it is asked to; it runs in a pod.

Its features stand in another order than in any version, some are left out (the distance always), and the day is among
them, which no version reads; what stands for codes and for what is missing is its own, too, and some codes it does not
know. It has more trees than they, and a deeper one. What is late is drawn, and every feature has its part in it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from .flights import CODES, WEATHER, Flights, Object

ROWS, LEAVES, LEAF = 2000, 24, 10  # what it learns from, and its size; LEAF rows at least in each leaf
TREES = 41, 60  # at least and at most; the versions have 40
STEPS = 40  # of the last tree, which is deeper by far than theirs
KNOWN = 0.8  # the share of the codes that it knows
NEW = "day"  # a field of a flight that no version reads
ALONG = "temp"  # the field along which the steps of the last tree go
# How many are left out of some: a program that counts on one, or on as many as a version has, finds them seldom, and
# the distance never.
LEFT_OUT = (
    (2, CODES), (2, ("month", "weekday", "hour")), (1, ("distance",)), (1, [name for name in WEATHER if name != ALONG]),
)  # fmt: skip


def another_order(features: Sequence[str], draw: random.Random) -> tuple[str, ...]:
    """Some of them, and a new one, in an order that is not theirs."""
    out = {name for count, among in LEFT_OUT for name in draw.sample(among, count)}
    kept = [name for name in features if name not in out]
    while True:
        found = draw.sample(kept, len(kept))
        if found != kept:
            found.insert(draw.randint(0, len(found)), NEW)
            return tuple(found)


def stand_ins(bundle: Object, rows: Sequence[Object], draw: random.Random) -> tuple[Object, Object]:
    """The number of each code that it knows, by field; and of each field what stands for the unknown and missing."""
    categories: Object = {}
    for name, known in bundle["categories"].items():
        codes = draw.sample(sorted(known), min(len(known), max(2, round(KNOWN * len(known)))))
        categories[name] = {code: draw.uniform(0.05, 0.6) for code in sorted(codes)}
    defaults: Object = {}
    for name in (*bundle["defaults"], NEW):
        values = [float(row[name]) for row in rows if row[name] is not None] if name not in CODES else [0.05, 0.6]
        defaults[name] = draw.uniform(min(values), max(values))
    return categories, defaults


def make(like: Mapping[str, Object], flights: Flights, seed: int, version: str, folder: Path) -> None:
    """Write the model's two files, like those of a version that is there.

    Args:
        like: `bundle` and `metadata` of that version.
        version: the name of the new one.
        folder: is there, and empty.
    """
    import joblib
    import numpy as np
    from flight_delay.features import encode
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.tree import DecisionTreeClassifier

    draw, rows = random.Random(seed), flights.rows(ROWS)
    features = another_order(like["bundle"]["features"], draw)
    categories, defaults = stand_ins(like["bundle"], rows, draw)
    numbers = np.asarray(encode(rows, features, categories, defaults), np.float32)
    weights = [draw.choice((-1, 1)) * draw.uniform(0.5, 1.5) for _ in features]
    spread = numbers.std(axis=0)
    score = (numbers - numbers.mean(axis=0)) / np.where(spread > 0, spread, 1) @ np.asarray(weights)
    trees = draw.randint(*TREES)
    forest = RandomForestClassifier(trees, max_leaf_nodes=LEAVES, min_samples_leaf=LEAF, n_jobs=1, random_state=seed)
    forest.fit(numbers, score > np.median(score))
    # Late and on time take turns along a field: what parts them takes one step after the other from its ends.
    along = numbers[:, features.index(ALONG)]
    stairs = np.argsort(np.argsort(along, kind="stable")) * STEPS // len(along) % 2
    forest.estimators_[-1] = DecisionTreeClassifier(random_state=seed).fit(numbers, stairs)
    bundle = {"forest": forest, "features": features, "categories": categories, "defaults": defaults}
    joblib.dump(bundle, folder / "model.joblib", compress=3)
    changed = {"model_version": version, "features": features, "trees": trees, "leaves": LEAVES, "rows_trained": ROWS}
    (folder / "metadata.json").write_text(json.dumps({**like["metadata"], **changed, "seed": seed}, indent=2) + "\n")
