"""The flight-delay service as the data scientists handed it over: it is right, and it is slow."""

import json
import os
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from contract import Question
from fastapi import FastAPI
from fastapi.responses import JSONResponse

folder = Path(os.environ.get("MODEL", "/model/v1"))
version = json.loads((folder / "metadata.json").read_text())["model_version"]
bundle = joblib.load(folder / "model.joblib")
bundle["forest"].set_params(n_jobs=1)
shares = {
    field: pd.DataFrame({field: list(known), "share": list(known.values())})
    for field, known in bundle["categories"].items()
}

app = FastAPI(title="flight-delay")


def prepared(rows: list[dict]) -> pd.DataFrame:
    """The columns that this version of the model reads: codes become shares, what is missing becomes a default."""
    frame = pd.DataFrame(rows)
    for field, table in shares.items():
        frame = frame.merge(table, how="left", on=field).drop(columns=field).rename(columns={"share": field})
    frame = frame[list(bundle["features"])].apply(pd.to_numeric)
    return frame.fillna(bundle["defaults"]).astype(np.float32)


@app.post("/predict")
def predict(question: Question) -> dict:
    """How likely each flight arrives 15 minutes late or later."""
    frame = prepared([row.model_dump() for row in question.rows])
    probabilities = bundle["forest"].predict_proba(frame.to_numpy())[:, 1]
    return {"model_version": version, "probabilities": [float(value) for value in probabilities]}


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process lives."""
    return {"status": "alive"}


@app.get("/readyz")
async def readyz() -> JSONResponse:
    """The model was loaded before the server began to listen."""
    return JSONResponse({"status": "ready"})
