"""The flight-delay service with batches: what many clients ask in the same moment, scikit-learn is asked once.

It computes in the event loop, so what comes in meanwhile makes the next batch.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import joblib
import numpy as np
from contract import Question
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from flight_delay.features import encode

WINDOW = 0.004  # s that the first of a batch waits for others
MOST = 1000  # rows in a batch

folder = Path(os.environ.get("MODEL", "/model/v1"))
version = json.loads((folder / "metadata.json").read_text())["model_version"]
bundle = joblib.load(folder / "model.joblib")
bundle["forest"].set_params(n_jobs=1)
waiting: asyncio.Queue[tuple[list[list[float]], asyncio.Future]] = asyncio.Queue()


async def serve_batches() -> None:
    """Take who waits, ask the model once for them all, and give each its part."""
    while True:
        batch = [await waiting.get()]
        await asyncio.sleep(WINDOW)
        while not waiting.empty() and sum(len(numbers) for numbers, _ in batch) < MOST:
            batch.append(waiting.get_nowait())
        rows = np.asarray([row for numbers, _ in batch for row in numbers], np.float32)
        try:
            probabilities = bundle["forest"].predict_proba(rows)[:, 1].tolist()
        except Exception as trouble:
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(trouble)
            continue
        begin = 0
        for numbers, answer in batch:
            end = begin + len(numbers)
            if not answer.done():  # whose client has gone
                answer.set_result(probabilities[begin:end])
            begin = end


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Batches are served as long as the server runs."""
    serving = asyncio.create_task(serve_batches())
    yield
    serving.cancel()


app = FastAPI(title="flight-delay", lifespan=lifespan)


# What breaks the contract was refused before this, and is in no batch.
@app.post("/predict")
async def predict(question: Question) -> JSONResponse:
    """How likely each flight arrives 15 minutes late or later."""
    rows = [row.__dict__ for row in question.rows]
    numbers = encode(rows, bundle["features"], bundle["categories"], bundle["defaults"])
    answer: asyncio.Future[list[float]] = asyncio.get_running_loop().create_future()
    await waiting.put((numbers, answer))
    return JSONResponse({"model_version": version, "probabilities": await answer})


@app.get("/healthz")
async def healthz() -> JSONResponse:
    """The process lives."""
    return JSONResponse({"status": "alive"})


@app.get("/readyz")
async def readyz() -> JSONResponse:
    """The model was loaded before the server began to listen."""
    return JSONResponse({"status": "ready"})
