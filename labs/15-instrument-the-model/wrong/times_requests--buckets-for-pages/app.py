"""The flight-delay server. It counts and times its requests, and writes a line about each."""

import json
import os
import sys
import traceback
import uuid
from datetime import UTC, datetime, time
from pathlib import Path
from time import perf_counter

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from flight_delay.model import Model
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, Info, generate_latest
from pydantic import BaseModel, Field

REQUESTS = Counter("http_requests_total", "Answered requests.", ["route", "status"])
LATENCY = Histogram(
    "http_request_duration_seconds",
    "Seconds from a request to its answer.",
    ["route"],
    buckets=(2, 4, 8, 16, 30),
)
PREDICTIONS = Histogram(
    "model_prediction_probability",
    "Predicted probabilities, one for each flight.",
    buckets=[n / 20 for n in range(1, 21)],
)
MODEL_INFO = Info("model", "The model that answers.")

MODEL = Model(Path(os.environ["MODEL_DIR"]))
MODEL_INFO.info({"version": MODEL.version})
app = FastAPI(title="flight-delay")


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


@app.middleware("http")
async def observed(request: Request, call_next):
    request_id = request.headers.get("x-request-id") or uuid.uuid4().hex
    began, trouble = perf_counter(), None
    try:
        response = await call_next(request)
    except Exception:  # a crash is an answer too: it is counted, and its id goes back to the client
        trouble = traceback.format_exc()
        response = JSONResponse({"detail": "internal error"}, status_code=500)
    seconds = perf_counter() - began
    # The router has left the route that it found; its path is the template and not what the client wrote.
    route = getattr(request.scope.get("route"), "path", "other")
    REQUESTS.labels(route, response.status_code).inc()
    LATENCY.labels(route).observe(seconds)
    say(
        request_id=request_id,
        method=request.method,
        path=request.url.path,
        status=response.status_code,
        seconds=round(seconds, 4),
        display=request.headers.get("x-display"),
        trouble=trouble,
    )
    response.headers["x-request-id"] = request_id
    return response


def say(**fields):
    fields = {"time": datetime.now(UTC).isoformat()} | {key: value for key, value in fields.items() if value}
    sys.stdout.write(json.dumps(fields) + "\n")  # one write: print makes two, between which others may write
    sys.stdout.flush()


@app.post("/predict")
def predict(question: Question):
    lines = [f"{time(row.hour):%H:%M} {row.carrier} {row.dest}" for row in question.rows]
    version, probabilities = MODEL.answer([row.model_dump() for row in question.rows])
    for probability in probabilities:
        PREDICTIONS.observe(probability)
    return {"model_version": version, "probabilities": probabilities, "lines": lines}


@app.get("/healthz")
def healthz():
    return {"status": "alive"}


@app.get("/metrics")
def metrics():
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


if __name__ == "__main__":
    MODEL.start_loading().join()
    uvicorn.run(app, host="0.0.0.0", port=8080, access_log=False)
