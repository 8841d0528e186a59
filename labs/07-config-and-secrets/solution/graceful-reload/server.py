"""The flight-delay service for partners: POST /predict, with the partners' key in the header X-API-Key.

A worker knows the key and the threshold that it was started with; gunicorn.conf.py sees to it that new workers take
over when one of the two has changed.
"""

import hashlib
import hmac
from pathlib import Path
from typing import Any

from flask import Flask, jsonify, request
from flight_delay.model import Model

# Loaded before the first worker is forked: a new worker has it at once.
model = Model(Path("/model/v1"))
model.start_loading().join()

app = Flask(__name__)


def configure(key: str, threshold: str) -> None:
    """Take over the configuration; of the key its hash is enough to know it again."""
    if not key:
        raise SystemExit("the Secret has no key in it")
    app.config.update(KEY=hashlib.sha256(key.encode()).digest(), THRESHOLD=float(threshold))


@app.post("/predict")
def predict() -> Any:
    """The probabilities, and which flights we call late."""
    given = hashlib.sha256(request.headers.get("X-API-Key", "").encode()).digest()
    if not hmac.compare_digest(given, app.config["KEY"]):
        return jsonify(detail="the header X-API-Key has no valid key"), 401
    version, probabilities = model.answer(request.get_json()["rows"])
    late = [probability >= app.config["THRESHOLD"] for probability in probabilities]
    return jsonify(model_version=version, probabilities=probabilities, late=late)


@app.get("/readyz")
def readyz() -> Any:
    """200: there is no worker without a model."""
    return jsonify(status="ready")
