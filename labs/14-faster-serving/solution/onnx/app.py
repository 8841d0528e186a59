"""The flight-delay service with ONNX Runtime: the forest as one graph, made from the model's file at each start."""

import json
import os
from pathlib import Path

import joblib
import numpy as np
import onnxruntime
from contract import Question
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from flight_delay.features import encode
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType

folder = Path(os.environ.get("MODEL", "/model/v1"))
version = json.loads((folder / "metadata.json").read_text())["model_version"]
bundle = joblib.load(folder / "model.joblib")
features, categories, defaults = bundle["features"], bundle["categories"], bundle["defaults"]


def session() -> onnxruntime.InferenceSession:
    """The forest for ONNX Runtime. One thread: for a few rows, more of them only wait for each other."""
    graph = to_onnx(
        bundle["forest"],
        initial_types=[("rows", FloatTensorType([None, len(features)]))],
        options={"zipmap": False},  # an array, rather than a dict for each row
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])


forest = session()

app = FastAPI(title="flight-delay")


# In the event loop: it computes for 20 microseconds, and a thread costs more than that.
@app.post("/predict")
async def predict(question: Question) -> JSONResponse:
    """How likely each flight arrives 15 minutes late or later."""
    rows = [row.__dict__ for row in question.rows]
    numbers = np.asarray(encode(rows, features, categories, defaults), np.float32)
    probabilities = forest.run(["probabilities"], {"rows": numbers})[0][:, 1]
    return JSONResponse({"model_version": version, "probabilities": probabilities.tolist()})


@app.get("/healthz")
async def healthz() -> JSONResponse:
    """The process lives."""
    return JSONResponse({"status": "alive"})


@app.get("/readyz")
async def readyz() -> JSONResponse:
    """The graph was made before the server began to listen."""
    return JSONResponse({"status": "ready"})
