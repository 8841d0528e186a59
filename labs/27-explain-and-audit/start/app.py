"""The bank's credit service as it is: it says yes or no, by the model that lies beside it, and remembers nothing."""

import json
import math
import uuid
from datetime import UTC, datetime
from pathlib import Path

from bank import features, score
from fastapi import FastAPI, Request

MODEL = json.loads(Path("model.json").read_text(encoding="utf-8"))

app = FastAPI(title="credit")


@app.get("/healthz")
async def healthz() -> dict:
    """The process lives."""
    return {"status": "alive"}


@app.post("/decisions")
async def decide(request: Request) -> dict:
    """Yes or no."""
    application, at = await request.json(), datetime.now(UTC).isoformat()
    probability = 1 / (1 + math.exp(-score(MODEL, features(application, at))))
    return {"decision": str(uuid.uuid4()), "at": at, "approved": probability < MODEL["threshold"]}
