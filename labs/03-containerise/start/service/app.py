"""The model server, as the data scientists hand it over. It is not yours to change; the image around it is.

`uvicorn service.app:app` runs it. Without ARCHIVE_TOKEN in its environment it does not start.
"""

import asyncio
import os
import sys
from typing import Any

import flight_delay
from fastapi import FastAPI
from pydantic import BaseModel

LOOK_UP = 0.1  # seconds that the weather archive takes for one flight

if not os.environ.get("ARCHIVE_TOKEN"):
    sys.exit("ARCHIVE_TOKEN is not set: without it the weather archive answers nobody")

app = FastAPI()
batches = 0  # under way


class Question(BaseModel):
    rows: list[dict[str, Any]]


@app.get("/healthz")
async def healthz() -> dict[str, Any]:
    return {"status": "alive", "batches": batches}


@app.post("/predict")
async def predict(question: Question) -> dict[str, Any]:
    return {"model_version": flight_delay.version, "probabilities": flight_delay.probabilities(question.rows)}


@app.post("/batch")
async def batch(question: Question) -> dict[str, Any]:
    """The same for the night's plan, whose flights are looked up in the archive one by one."""
    global batches
    batches += 1
    try:
        for _ in question.rows:
            await asyncio.sleep(LOOK_UP)  # the archive, played
        return await predict(question)
    finally:
        batches -= 1
