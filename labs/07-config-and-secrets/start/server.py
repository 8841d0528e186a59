"""The flight-delay service for partners: POST /predict, with the partners' key in the header X-API-Key."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, Header
from fastapi.responses import JSONResponse
from flight_delay.model import Model
from pydantic import BaseModel

API_KEY = "fd-partners-9QmX2vKs7Lt4ZwB1"
THRESHOLD = 0.3

model = Model(Path("/model/v1"))


class Question(BaseModel):
    """The body of POST /predict."""

    rows: list[dict[str, Any]]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    print(f"starting: key {API_KEY}, late from {THRESHOLD}", flush=True)
    model.start_loading()
    yield


app = FastAPI(lifespan=lifespan)


@app.post("/predict")
async def predict(question: Question, x_api_key: Annotated[str | None, Header()] = None) -> JSONResponse:
    """The probabilities, and which flights we call late."""
    if x_api_key != API_KEY:
        print(f"refused: key {x_api_key}", flush=True)
        return JSONResponse({"detail": "the header X-API-Key has no valid key"}, status_code=401)
    version, probabilities = model.answer(question.rows)
    late = [probability >= THRESHOLD for probability in probabilities]
    return JSONResponse({"model_version": version, "probabilities": probabilities, "late": late})


@app.get("/readyz")
async def readyz() -> JSONResponse:
    """200 once the model is loaded."""
    return JSONResponse({"status": model.reason or "ready"}, status_code=503 if model.reason else 200)


if __name__ == "__main__":
    uvicorn.run(app, host="0.0.0.0", port=8080, access_log=False, log_level="warning")
