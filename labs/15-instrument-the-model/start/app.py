"""The flight-delay server. It answers, and tells nobody what it does."""

import os
from datetime import time
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from flight_delay.model import Model
from pydantic import BaseModel, Field

MODEL = Model(Path(os.environ["MODEL_DIR"]))
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


@app.post("/predict")
def predict(question: Question):
    lines = [f"{time(row.hour):%H:%M} {row.carrier} {row.dest}" for row in question.rows]
    version, probabilities = MODEL.answer([row.model_dump() for row in question.rows])
    return {"model_version": version, "probabilities": probabilities, "lines": lines}


@app.get("/healthz")
def healthz():
    return {"status": "alive"}


if __name__ == "__main__":
    MODEL.start_loading().join()
    uvicorn.run(app, host="0.0.0.0", port=8080)
