"""The flight-delay service for partners: POST /predict, with the partners' key in the header X-API-Key.

Nothing is mounted: key and threshold come from the Kubernetes API, which tells of each change as it happens.
"""

import hmac
from pathlib import Path
from typing import Any

from flask import Flask, jsonify, request
from flight_delay.model import Model, NotLoaded
from follow import Followed

model = Model(Path("/model/v1"))
model.start_loading()
api_key = Followed("secrets", "api-key")
settings = Followed("configmaps", "settings")

app = Flask(__name__)


@app.post("/predict")
def predict() -> Any:
    """The probabilities, and which flights we call late."""
    key, given = api_key["key"].encode(), request.headers.get("X-API-Key", "").encode()
    if not key or not hmac.compare_digest(key, given):
        return jsonify(detail="the header X-API-Key has no valid key"), 403
    try:
        version, probabilities = model.answer(request.get_json()["rows"])
    except NotLoaded as reason:
        return jsonify(detail=str(reason)), 503
    threshold = float(settings["threshold"])
    late = [probability >= threshold for probability in probabilities]
    return jsonify(model_version=version, probabilities=probabilities, late=late)


@app.get("/readyz")
def readyz() -> Any:
    """200 once the model is loaded, and key and threshold are known."""
    missing = [each.name for each in (api_key, settings) if not each.known]
    reason = model.reason or (f"waiting for {', '.join(missing)}" if missing else "")
    return jsonify(status=reason or "ready"), 503 if reason else 200
