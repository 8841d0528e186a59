"""The flight-delay service with FastAPI; contract.py says what a body may hold."""

from pathlib import Path

from contract import Question
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from flight_delay.model import Model

model = Model(Path("/model/v1"))
model.start_loading()  # once, beside the server: /readyz says when it is done

app = FastAPI(title="flight-delay", version=model.version)


@app.exception_handler(RequestValidationError)
async def refuse(request: Request, error: RequestValidationError) -> JSONResponse:
    """Say where and what, and don't send the input back: a NaN in it could not be written as JSON."""
    reasons = [{"field": ".".join(map(str, each["loc"])), "reason": each["msg"]} for each in error.errors()]
    return JSONResponse({"detail": reasons}, status_code=422)


# In the event loop: some milliseconds of pure computing, for which threads would only have to take turns.
@app.post("/predict")
async def predict(question: Question) -> dict:
    """How likely each flight arrives 15 minutes late or later."""
    must_be_loaded()
    rows = [row.model_dump() for row in question.rows]
    return {"model_version": model.version, "probabilities": model.probabilities(rows)}


@app.get("/healthz")
async def healthz() -> dict:
    """The process lives."""
    return {"status": "alive"}


@app.get("/readyz")
async def readyz() -> dict:
    """The model is loaded."""
    must_be_loaded()
    return {"status": "ready"}


def must_be_loaded() -> None:
    """Without a model there is nothing to answer with; the reason is its own."""
    if model.reason:
        raise HTTPException(503, model.reason)
