"""The forest as tensors, which PyTorch walks: all trees and all flights go one level down at a time.

The numbers are scikit-learn's own: it compares a float32 with a float64, and takes the mean of the trees' leaves.
"""

import json
import threading
from pathlib import Path

from flight_delay.features import encode


class Forest:
    """One version of the model; `reason` says why it cannot answer yet, and is empty once it can."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.version = str(json.loads((folder / "metadata.json").read_text())["model_version"])
        self.reason = "the model is still loading"

    def start_loading(self) -> None:
        """Read the model in a thread: PyTorch alone takes seconds to import."""
        threading.Thread(target=self._load, daemon=True).start()

    def _load(self) -> None:
        try:
            import joblib
            import torch

            bundle = joblib.load(self._folder / "model.joblib")
            self._reads = bundle["features"], bundle["categories"], bundle["defaults"]
            self._walk = compiled(bundle["forest"])
            self._walk(torch.zeros(1, len(bundle["features"])))  # once now, not for the first request
            self.reason = ""
        except Exception as trouble:  # a thread has nobody to tell: /readyz says it
            self.reason = f"the model can't be loaded: {type(trouble).__name__}: {trouble}"

    def probabilities(self, rows: list[dict]) -> list[float]:
        """For each flight the probability of an arrival 15 minutes late or later."""
        import torch

        return self._walk(torch.tensor(encode(rows, *self._reads), dtype=torch.float32)).tolist()


def compiled(forest):
    """A function of tensors: numbers of shape (flights, features) to probabilities of shape (flights)."""
    import numpy as np
    import torch

    trees = [each.tree_ for each in forest.estimators_]
    begins = np.cumsum([0] + [tree.node_count for tree in trees])  # all nodes in one row, tree after tree
    leaves = np.concatenate([tree.children_left < 0 for tree in trees])
    itself = np.arange(begins[-1])  # a leaf leads to itself, so that shallow trees wait for deep ones

    def children(side):
        own = [getattr(tree, side) + at for tree, at in zip(trees, begins[:-1], strict=True)]
        return np.where(leaves, itself, np.concatenate(own))

    counts = np.concatenate([tree.value[:, 0, :] for tree in trees])
    # Arrays become tensors by DLPack: this PyTorch was made for an older NumPy, and has no from_numpy() for this one.
    feature, threshold, next_node, late, roots = map(
        torch.from_dlpack,
        (
            np.where(leaves, 0, np.concatenate([tree.feature for tree in trees])),
            np.concatenate([tree.threshold for tree in trees]),
            np.stack([children("children_left"), children("children_right")], axis=1).ravel(),
            counts[:, 1] / counts.sum(axis=1),
            begins[:-1].copy(),
        ),
    )
    depth = max(tree.max_depth for tree in trees)

    @torch.inference_mode()
    def walk(flights):
        numbers = flights.double()
        node = roots.expand(len(flights), -1)
        for _ in range(depth):
            right = numbers.gather(1, feature.take(node)) > threshold.take(node)
            node = next_node.take(2 * node + right)
        return late.take(node).mean(dim=1)

    return walk
