"""The model: loaded once, beside the running server, and asked for probabilities.

The folder holds `metadata.json` (written by training) and `model.joblib`. scikit-learn takes seconds to import, so
that happens in the loading thread: the server listens from the start and says that it isn't ready.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .features import encode


class NotLoaded(Exception):
    """The model isn't there (yet); the text says why."""


class Model:
    """One version of the model.

    Args:
        folder: where metadata.json and model.joblib are.
        delay: seconds that loading takes longer, to play a large model.
    """

    def __init__(self, folder: Path, delay: float = 0) -> None:
        self._folder, self._delay = folder, delay
        self.metadata: dict[str, Any] = json.loads((folder / "metadata.json").read_text())
        self.version = str(self.metadata["model_version"])
        self.load_seconds = 0.0
        self._bundle: dict[str, Any] | None = None
        self._state = "the model is still loading"

    def start_loading(self) -> threading.Thread:
        """Load in the background; `reason` says how it stands."""
        thread = threading.Thread(target=self._load, name="model", daemon=True)
        thread.start()
        return thread

    def _load(self) -> None:
        began = time.monotonic()
        try:
            time.sleep(self._delay)
            import joblib

            bundle = joblib.load(self._folder / "model.joblib")
            bundle["forest"].set_params(n_jobs=1)  # one request never takes more than one core
            self._bundle = bundle
            self.load_seconds = time.monotonic() - began
        except Exception as trouble:  # a broken file can raise anything; the server must live to tell
            self._state = f"the model can't be loaded: {type(trouble).__name__}: {trouble}"

    @property
    def reason(self) -> str:
        """Why there is no model; empty once it is loaded."""
        return "" if self._bundle else self._state

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> tuple[str, list[float]]:
        """The version, and the probabilities that it gives: together, for a server that changes its model."""
        return self.version, self.probabilities(rows)

    def probabilities(self, rows: Sequence[Mapping[str, Any]]) -> list[float]:
        """For each flight the probability of an arrival 15 minutes late or later.

        Raises:
            NotLoaded: the model isn't loaded.
        """
        if not self._bundle:
            raise NotLoaded(self._state)
        import numpy as np

        bundle = self._bundle
        numbers = np.asarray(encode(rows, bundle["features"], bundle["categories"], bundle["defaults"]), np.float32)
        return [float(value) for value in bundle["forest"].predict_proba(numbers)[:, 1]]
