#!/usr/bin/env python3
"""Fetch a batch and publish it. ./pipeline.py compiles it to pipeline.yaml."""

from pathlib import Path

from kfp import compiler, dsl

step = dsl.component(base_image="localhost:5001/components:1", install_kfp_package=False)


@step
def fetch(batch: str, source: str) -> int:
    """The number of the batch's rows."""
    import json
    import urllib.request

    with urllib.request.urlopen(f"{source}/rows/{batch}", timeout=20) as answer:
        return len(json.load(answer))


@step
def publish(batch: str, rows: int, source: str):
    """Hand the batch over."""
    import urllib.request

    request = urllib.request.Request(f"{source}/published/{batch}", str(rows).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=20) as answer:
        print(answer.status)


@dsl.pipeline(name="@{pipeline}")
def pipeline(batch: str, source: str = "http://@{source}.@{namespace}"):
    fetched = fetch(batch=batch, source=source)
    fetched.set_caching_options(False)
    published = publish(batch=batch, rows=fetched.output, source=source)
    published.set_caching_options(False)
    published.set_retry(num_retries=1)


if __name__ == "__main__":
    compiler.Compiler().compile(pipeline, str(Path(__file__).with_name("pipeline.yaml")))
