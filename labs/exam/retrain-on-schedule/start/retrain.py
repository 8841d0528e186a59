#!/usr/bin/env python3
"""Train on the last days. ./retrain.py compiles it to retrain.yaml."""

from pathlib import Path

from kfp import compiler, dsl


@dsl.component(base_image="localhost:5001/components:1", install_kfp_package=False)
def train(days: int, trees: int, metrics: dsl.Output[dsl.Metrics]):
    """Play a training."""
    metrics.log_metric("days", days)
    metrics.log_metric("trees", trees)


@dsl.pipeline(name="@{pipeline}")
def pipeline(days: int = 7, trees: int = 8):
    train(days=days, trees=trees)


if __name__ == "__main__":
    compiler.Compiler().compile(pipeline, str(Path(__file__).with_name("retrain.yaml")))
