"""The forest as tensors, which TensorFlow walks: all trees and all flights go one level down at a time.

The numbers are scikit-learn's own: it compares a float32 with a float64, and takes the mean of the trees' leaves.
"""

import json
import threading
from pathlib import Path

import numpy as np
from flight_delay.features import encode


class Forest:
    """One version of the model; `reason` says why it cannot answer yet, and is empty once it can."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.version = str(json.loads((folder / "metadata.json").read_text())["model_version"])
        self.reason = "the model is still loading"

    def start_loading(self) -> None:
        """Read the model in a thread: TensorFlow alone takes seconds to import."""
        threading.Thread(target=self._load, daemon=True).start()

    def _load(self) -> None:
        try:
            import joblib
            import tensorflow as tf

            bundle = joblib.load(self._folder / "model.joblib")
            self._reads = bundle["features"], bundle["categories"], bundle["defaults"]
            self._walk = tf.function(
                compiled(bundle["forest"]), input_signature=[tf.TensorSpec((None, len(bundle["features"])), tf.float64)]
            )
            self._walk(tf.zeros((1, len(bundle["features"])), tf.float64))  # traced now, not by the first request
            self.reason = ""
        except Exception as trouble:  # a thread has nobody to tell: /readyz says it
            self.reason = f"the model can't be loaded: {type(trouble).__name__}: {trouble}"

    def probabilities(self, rows: list[dict]) -> list[float]:
        """For each flight the probability of an arrival 15 minutes late or later."""
        return self._walk(np.float64(np.float32(encode(rows, *self._reads)))).numpy().tolist()


def compiled(forest):
    """A function of tensors: numbers of shape (flights, features) to probabilities of shape (flights)."""
    import tensorflow as tf

    trees = [each.tree_ for each in forest.estimators_]
    begins = np.cumsum([0] + [tree.node_count for tree in trees])  # all nodes in one row, tree after tree
    leaves = np.concatenate([tree.children_left < 0 for tree in trees])
    feature = tf.constant(np.where(leaves, 0, np.concatenate([tree.feature for tree in trees])), tf.int32)
    threshold = tf.constant(np.concatenate([tree.threshold for tree in trees]), tf.float64)
    # A leaf leads to itself, so that shallow trees wait for deep ones.
    itself = np.arange(begins[-1])

    def children(side):
        own = [getattr(tree, side) + at for tree, at in zip(trees, begins[:-1], strict=True)]
        return tf.constant(np.where(leaves, itself, np.concatenate(own)), tf.int32)

    left, right = children("children_left"), children("children_right")
    counts = np.concatenate([tree.value[:, 0, :] for tree in trees])
    late = tf.constant(counts[:, 1] / counts.sum(axis=1), tf.float64)
    roots, depth = tf.constant(begins[:-1], tf.int32), max(tree.max_depth for tree in trees)

    def walk(flights):
        node = tf.tile(roots[tf.newaxis], [tf.shape(flights)[0], 1])
        for _ in range(depth):
            value = tf.gather(flights, tf.gather(feature, node), batch_dims=1)
            node = tf.where(value <= tf.gather(threshold, node), tf.gather(left, node), tf.gather(right, node))
        return tf.reduce_mean(tf.gather(late, node), axis=1)

    return walk
