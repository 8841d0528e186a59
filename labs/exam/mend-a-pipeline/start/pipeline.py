#!/usr/bin/env python3
"""Collect, judge, release. ./pipeline.py compiles it to pipeline.yaml."""

from pathlib import Path

from kfp import compiler, dsl

step = dsl.component(base_image="localhost:5001/components:1", install_kfp_package=False)


@step
def collect(count: int, rows: dsl.Output[dsl.Dataset], held_out: dsl.Output[dsl.Dataset]):
    """The delays that the gates report now: most of them to learn from, the last quarter to judge by."""
    import json
    import random
    from pathlib import Path

    minutes = [random.randint(0, 90) for _ in range(count)]
    held = max(count // 4, 1)
    for artifact, part in ((rows, minutes[:-held]), (held_out, minutes[-held:])):
        Path(artifact.path).write_text(json.dumps(part))


@step
def judge(delays: dsl.Input[dsl.Dataset], limit: float, metrics: dsl.Output[dsl.Metrics]):
    """Fail if the mean delay is over the limit."""
    import json
    from pathlib import Path

    minutes = json.loads(Path(delays.path).read_text())
    mean = sum(minutes) / len(minutes)
    metrics.log_metric("mean", mean)
    if mean > limit:
        raise ValueError(f"a mean of {mean:.1f} minutes is over the limit of {limit}")


@step
def release(name: str):
    """Tell the airports."""
    print(f"{name} is released")


@dsl.pipeline(name="@{pipeline}")
def pipeline(count: int = 20, limit: float = 90.0):
    steps = {"collect": collect(count=count), "release": release(name="@{pipeline}")}
    steps["judge"] = judge(delays=steps["collect"].outputs["@{judged}"], limit=limit)
    steps["release"].after(steps["@{waited_for}"])
    steps["@{anew}"].set_caching_options(False)


if __name__ == "__main__":
    compiler.Compiler().compile(pipeline, str(Path(__file__).with_name("pipeline.yaml")))
