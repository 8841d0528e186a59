"""The flight-delay service with PyTorch: the forest as tensors, made from the model's file at each start."""

import json
import os
from pathlib import Path

import joblib
import numpy as np
import torch
from contract import Question
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from flight_delay.features import encode

folder = Path(os.environ.get("MODEL", "/model/v1"))
version = json.loads((folder / "metadata.json").read_text())["model_version"]
bundle = joblib.load(folder / "model.joblib")
features, categories, defaults = bundle["features"], bundle["categories"], bundle["defaults"]


class Forest(torch.nn.Module):
    """All trees side by side: each step goes one level down in all of them, for all flights.

    scikit-learn compares a float32 with a float64, and takes the mean of the trees' leaves; so does this.
    """

    def __init__(self, trees) -> None:
        super().__init__()
        begins = np.cumsum([0] + [tree.node_count for tree in trees])  # all nodes in one row, tree after tree
        leaves = np.concatenate([tree.children_left < 0 for tree in trees])
        itself = np.arange(begins[-1])  # a leaf leads to itself, so that shallow trees wait for deep ones

        def children(side):
            own = [getattr(tree, side) + at for tree, at in zip(trees, begins[:-1], strict=True)]
            return np.where(leaves, itself, np.concatenate(own))

        counts = np.concatenate([tree.value[:, 0, :] for tree in trees])
        tensors = {
            "feature": np.where(leaves, 0, np.concatenate([tree.feature for tree in trees])),
            "threshold": np.concatenate([tree.threshold for tree in trees]),
            "below": np.stack([children("children_left"), children("children_right")], axis=1).ravel(),
            "late": counts[:, 1] / counts.sum(axis=1),
            "roots": begins[:-1].copy(),
        }
        for name, array in tensors.items():
            # By DLPack: this PyTorch was made for an older NumPy, and has no from_numpy() for this one.
            self.register_buffer(name, torch.from_dlpack(array))
        self.depth = max(tree.max_depth for tree in trees)

    def forward(self, flights: torch.Tensor) -> torch.Tensor:
        """Numbers of shape (flights, features) to probabilities of shape (flights)."""
        numbers = flights.double()
        node = self.roots.expand(flights.size(0), -1)
        for _ in range(self.depth):
            right = numbers.gather(1, self.feature.take(node)) > self.threshold.take(node)
            node = self.below.take(2 * node + right)
        return self.late.take(node).mean(dim=1)


forest = Forest([each.tree_ for each in bundle["forest"].estimators_]).eval()

app = FastAPI(title="flight-delay")


# In the event loop: it computes for 200 microseconds, and a thread costs more than it would gain.
@app.post("/predict")
async def predict(question: Question) -> JSONResponse:
    """How likely each flight arrives 15 minutes late or later."""
    numbers = encode([row.__dict__ for row in question.rows], features, categories, defaults)
    with torch.inference_mode():
        probabilities = forest(torch.tensor(numbers, dtype=torch.float32)).tolist()
    return JSONResponse({"model_version": version, "probabilities": probabilities})


@app.get("/healthz")
async def healthz() -> JSONResponse:
    """The process lives."""
    return JSONResponse({"status": "alive"})


@app.get("/readyz")
async def readyz() -> JSONResponse:
    """The tensors were made before the server began to listen."""
    return JSONResponse({"status": "ready"})
