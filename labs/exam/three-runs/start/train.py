#!/usr/bin/env python3
"""Train with a rate and a depth. ./train.py compiles it to train.yaml."""

from pathlib import Path

from kfp import compiler, dsl


@dsl.component(base_image="localhost:5001/components:1", install_kfp_package=False)
def train(rate: float, depth: int, metrics: dsl.Output[dsl.Metrics]):
    """Play a training: say how good the model is."""
    import hashlib

    salt = "@{salt}"
    for name in ("auc_training", "auc"):
        played = hashlib.sha256(f"{salt} {name} {rate} {depth}".encode()).digest()
        metrics.log_metric(name, round(0.6 + int.from_bytes(played[:2], "big") / 2**18, 4))


@dsl.pipeline(name="@{pipeline}")
def pipeline(rate: float = 0.1, depth: int = 4):
    train(rate=rate, depth=depth)


if __name__ == "__main__":
    compiler.Compiler().compile(pipeline, str(Path(__file__).with_name("train.yaml")))
