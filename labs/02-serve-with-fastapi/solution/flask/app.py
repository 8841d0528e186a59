"""The flight-delay service with Flask, run by gunicorn; contract.py holds each body against the contract."""

from pathlib import Path

from contract import Refused, rows_of
from flask import Flask, Response, jsonify, request
from flight_delay.model import Model
from werkzeug.exceptions import HTTPException

model = Model(Path("/model/v1"))
model.start_loading()  # in the worker's own process: gunicorn imports this file after its fork

app = Flask(__name__)


@app.post("/predict")
def predict() -> Response:
    """How likely each flight arrives 15 minutes late or later."""
    rows = rows_of(request.get_data(as_text=True))
    if model.reason:
        return problem(503, model.reason)
    return jsonify(model_version=model.version, probabilities=model.probabilities(rows))


@app.get("/healthz")
def healthz() -> Response:
    """The process lives."""
    return jsonify(status="alive")


@app.get("/readyz")
def readyz() -> Response:
    """The model is loaded."""
    return problem(503, model.reason) if model.reason else jsonify(status="ready")


@app.errorhandler(Refused)
def refused(reason: Refused) -> Response:
    """A bad body is the client's mistake: 422, and why."""
    return problem(422, str(reason))


@app.errorhandler(HTTPException)
def other(trouble: HTTPException) -> Response:
    """No such path, no such method: in JSON, like all that this service says."""
    return problem(trouble.code or 500, trouble.description or trouble.name)


def problem(status: int, reason: str) -> Response:
    """An answer that is not a prediction."""
    answer = jsonify(detail=reason)
    answer.status_code = status
    return answer
