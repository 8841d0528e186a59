"""A model as files, in the form that the project's servers read: `model.joblib`, `metadata.json`, `reference.json`.

Training is that of images/flight-delay/train.py, on a frame: the same forest, the same encoding.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delays import drift
from delays.rows import LABEL, numbers
from server.features import CATEGORIES, FEATURES

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

TREES, LEAVES, SHARE = 40, 400, 0.35  # as the images' models
NAME = "model.joblib"


def train(frame: pd.DataFrame, seed: int, trees: int = TREES) -> tuple[dict[str, Any], np.ndarray]:
    """A model of all rows, and for each row the answer of those trees that did not see it."""
    import numpy as np
    from sklearn.ensemble import RandomForestClassifier

    features = FEATURES["v2"]
    late = frame[LABEL].to_numpy(int)
    share = float(late.mean())
    categories = {}
    for field in CATEGORIES:
        counted = frame.groupby(field)[LABEL].agg(["size", "sum"])
        # Shrunk towards the whole by 50 flights, so that a destination with three flights says little.
        rates = (counted["sum"] + 50 * share) / (counted["size"] + 50)
        categories[field] = {str(name): float(rate) for name, rate in rates.items()}
    defaults = dict.fromkeys(CATEGORIES, share)
    for field in features:
        if field not in CATEGORIES:
            middle = float(frame[field].median())
            defaults[field] = 0.0 if np.isnan(middle) else middle
    forest = RandomForestClassifier(
        trees, max_leaf_nodes=LEAVES, max_samples=SHARE, min_samples_leaf=20, n_jobs=-1, random_state=seed,
        oob_score=True,
    )  # fmt: skip
    forest.fit(numbers(frame, features, categories, defaults), late)
    unseen = np.nan_to_num(forest.oob_decision_function_[:, 1], nan=share)
    forest.set_params(n_jobs=1)
    del forest.oob_decision_function_  # as long as the rows, and of no use any more
    bundle = {"forest": forest, "features": features, "categories": categories, "defaults": defaults}
    return bundle, unseen


def write(
    folder: Path, bundle: Mapping[str, Any], metadata: Mapping[str, Any], frame: pd.DataFrame, unseen: np.ndarray
) -> None:
    """Write the three files; the last two arguments are the training rows and what `train` says of them."""
    import joblib

    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(dict(bundle), folder / NAME, compress=3)
    (folder / "metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")
    (folder / "reference.json").write_text(json.dumps(drift.reference(frame, unseen)) + "\n")


def read(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The model, and the reference of its training rows (empty for a model that has none)."""
    import joblib

    kept = folder / "reference.json"
    return joblib.load(folder / NAME), json.loads(kept.read_text()) if kept.exists() else {}


def score(bundle: Mapping[str, Any], frame: pd.DataFrame) -> np.ndarray:
    """For each row the probability of a late arrival."""
    table = numbers(frame, bundle["features"], bundle["categories"], bundle["defaults"])
    answers: np.ndarray = bundle["forest"].predict_proba(table)[:, 1]
    return answers


def _load_pyfunc(folder: str) -> Scored:
    """MLflow's way in: a model of this form logged with `loader_module="delays.bundle"`."""
    return Scored(read(Path(folder))[0])


class Scored:
    """A model as MLflow's `pyfunc` calls it."""

    def __init__(self, bundle: Mapping[str, Any]) -> None:
        self._bundle = bundle

    def predict(self, rows: pd.DataFrame, params: Mapping[str, Any] | None = None) -> np.ndarray:
        """For each row the probability of a late arrival."""
        return score(self._bundle, rows)
