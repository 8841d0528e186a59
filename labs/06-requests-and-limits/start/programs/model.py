"""The model server. It is not yours to change; what it may use is.

Computing an answer takes 45 ms of CPU time, one answer after the other. The nightly report holds 256 MiB for 20 s.
"""

import sys
import threading
import time
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from flight_delay.model import Model
from leak import MIB, on_signal, take
from pydantic import BaseModel

ANSWER = 0.045  # s of CPU time, whatever the machine
REPORT, HOLDS = 256 * MIB, 20  # bytes, s


class Question(BaseModel):
    rows: list[dict[str, Any]]


app = FastAPI()
model = Model(Path("/model/v1"), 0)
reporting = threading.Lock()


@app.post("/predict")
async def predict(question: Question) -> JSONResponse:
    began = time.thread_time()
    version, probabilities = model.answer(question.rows)
    while time.thread_time() - began < ANSWER:  # stands in for an ensemble that is larger than this one
        sum(range(1000))
    return JSONResponse({"model_version": version, "probabilities": probabilities})


@app.post("/report")
def report() -> JSONResponse:
    """Score all flights of the night; their features lie in memory until the last is done."""
    if not reporting.acquire(blocking=False):
        return JSONResponse({"detail": "a report is being made"}, status_code=409)
    try:
        features = take(REPORT)
        time.sleep(HOLDS)
        features.close()
        return JSONResponse({"bytes": REPORT, "seconds": HOLDS})
    finally:
        reporting.release()


@app.get("/readyz")
async def readyz() -> dict[str, str]:
    return {"status": "ready"}


if __name__ == "__main__":
    on_signal()
    model.start_loading().join()
    if model.reason:
        sys.exit(model.reason)
    print("the model is loaded; listening on port 8080", flush=True)
    uvicorn.run(app, host="0.0.0.0", port=8080, log_level="warning", timeout_graceful_shutdown=3)
