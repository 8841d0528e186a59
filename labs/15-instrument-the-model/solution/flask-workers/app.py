"""The flight-delay server in Flask: two worker processes, whose metrics are files that any of them can add up.

gunicorn --config gunicorn.conf.py app:app
"""

import json
import logging
import os
import re
import sys
import time
import uuid
from datetime import time as clock
from pathlib import Path

from flask import Flask, Response, g, jsonify, request
from flight_delay.model import Model
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from pydantic import BaseModel, Field, ValidationError

MODEL = Model(Path(os.environ["MODEL_DIR"]))
MODEL.start_loading().join()
app = Flask("flight-delay")
log = logging.getLogger("flight-delay")

REQUESTS = Counter("http_requests_total", "Answered requests.", ["route", "status"])
LATENCY = Histogram(
    "http_request_duration_seconds",
    "Seconds from a request to its answer.",
    ["route"],
    buckets=(0.002, 0.004, 0.008, 0.016, 0.03, 0.06, 0.12, 0.25, 0.5, 1, 2, 4, 8),
)
PREDICTIONS = Histogram(
    "model_prediction_probability",
    "Predicted probabilities, one for each flight.",
    buckets=(0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1),
)
# Info does not work with several processes: https://prometheus.github.io/client_python/multiprocess/
MODEL_INFO = Gauge("model_info", "The model that answers.", ["version"], multiprocess_mode="mostrecent")
MODEL_INFO.labels(MODEL.version).set(1)


class Json(logging.Formatter):
    """One line of JSON for each record, an exception included."""

    def format(self, record):
        fields = {"time": self.formatTime(record), "level": record.levelname, "message": record.getMessage()}
        fields |= getattr(record, "fields", {})
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields)


handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(Json())
logging.basicConfig(level=logging.INFO, handlers=[handler])


class Flight(BaseModel):
    month: int = Field(ge=1, le=12)
    day: int = Field(ge=1, le=31)
    weekday: int = Field(ge=0, le=6)
    hour: int = Field(ge=0, le=24)
    carrier: str
    origin: str
    dest: str
    distance: float
    temp: float | None = None
    wind_speed: float | None = None
    precip: float | None = None
    visib: float | None = None


class Question(BaseModel):
    rows: list[Flight] = Field(min_length=1, max_length=1000)


@app.before_request
def begin():
    given = request.headers.get("x-request-id", "")
    g.request_id = given if re.fullmatch(r"[\w.:-]{1,128}", given) else uuid.uuid4().hex
    g.began = time.perf_counter()


@app.after_request
def end(response):
    # Flask comes here with the answer of its error handlers too, the 500 of an exception included.
    seconds = time.perf_counter() - g.began
    route = request.url_rule.rule if request.url_rule else "other"
    REQUESTS.labels(route, response.status_code).inc()
    LATENCY.labels(route).observe(seconds)
    fields = {"request_id": g.request_id, "path": request.path, "status": response.status_code, "seconds": seconds}
    log.info("answered", extra={"fields": fields | {"display": request.headers.get("x-display")}})
    response.headers["x-request-id"] = g.request_id
    return response


@app.post("/predict")
def predict():
    try:
        question = Question.model_validate_json(request.get_data())
    except ValidationError as wrong:
        return jsonify(detail=wrong.errors(include_url=False, include_context=False)), 422
    lines = [f"{clock(row.hour):%H:%M} {row.carrier} {row.dest}" for row in question.rows]
    version, probabilities = MODEL.answer([row.model_dump() for row in question.rows])
    for probability in probabilities:
        PREDICTIONS.observe(probability)
    return jsonify(model_version=version, probabilities=probabilities, lines=lines)


@app.get("/healthz")
def healthz():
    return jsonify(status="alive")


@app.get("/internal/metrics")
def metrics():
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
