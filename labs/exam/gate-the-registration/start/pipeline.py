#!/usr/bin/env python3
"""Evaluate a model and register it. ./pipeline.py compiles it to pipeline.yaml."""

from pathlib import Path

from kfp import compiler, dsl

step = dsl.component(base_image="localhost:5001/components:1", install_kfp_package=False)


@step
def evaluate(quality: float) -> float:
    """How good the model is."""
    return quality


@step
def register(metric: float, model: str, server: str):
    """Make it a new version of the registered model."""
    import json
    import urllib.request

    tags = [{"key": "auc", "value": repr(metric)}]
    body = {"name": model, "source": f"s3://models/{model}", "tags": tags}
    request = urllib.request.Request(
        f"{server}/api/2.0/mlflow/model-versions/create",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        print(json.load(answer)["model_version"])


@dsl.pipeline(name="@{pipeline}")
def pipeline(quality: float):
    evaluated = evaluate(quality=quality)
    registered = register(metric=evaluated.output, model="@{namespace}", server="http://mlflow.mlops-lab-tracking:5000")
    registered.set_caching_options(False)


if __name__ == "__main__":
    compiler.Compiler().compile(pipeline, str(Path(__file__).with_name("pipeline.yaml")))
