"""The flight-delay service for partners: POST /predict, with the partners' key in the header X-API-Key.

Key and threshold are read from their mounted files for each request: what the files say is what holds.
"""

import functools
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, Header
from fastapi.responses import JSONResponse
from flight_delay.model import Model
from pydantic import BaseModel

KEY = Path("/etc/api-key/key")
THRESHOLD = Path("/etc/settings/threshold")

model = Model(Path("/model/v1"))


class Question(BaseModel):
    """The body of POST /predict."""

    rows: list[dict[str, Any]]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    print("starting", flush=True)
    model.start_loading()
    yield


app = FastAPI(lifespan=lifespan)


def said(file: Path) -> str:
    """What a file says now, without the line end that an editor leaves there."""
    return file.read_text().strip()


@functools.cache
def api_key() -> str:
    """The key in the Secret."""
    return said(KEY)


def is_valid(given: str | None) -> bool:
    """Whether a client's key is the one in the Secret."""
    key = api_key()
    return bool(key and given) and hmac.compare_digest(key.encode(), given.encode())


@app.post("/predict")
async def predict(question: Question, x_api_key: Annotated[str | None, Header()] = None) -> JSONResponse:
    """The probabilities, and which flights we call late."""
    if not is_valid(x_api_key):
        print("refused: no valid key", flush=True)
        return JSONResponse({"detail": "the header X-API-Key has no valid key"}, status_code=401)
    threshold = float(said(THRESHOLD))
    version, probabilities = model.answer(question.rows)
    late = [probability >= threshold for probability in probabilities]
    return JSONResponse({"model_version": version, "probabilities": probabilities, "late": late})


@app.get("/readyz")
async def readyz() -> JSONResponse:
    """200 once the model is loaded."""
    return JSONResponse({"status": model.reason or "ready"}, status_code=503 if model.reason else 200)


if __name__ == "__main__":
    uvicorn.run(app, host="0.0.0.0", port=8080, access_log=False, log_level="warning")
