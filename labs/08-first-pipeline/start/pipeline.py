#!/usr/bin/env python3
"""A pipeline of one step, which counts the flights of a day. Run it to compile it to pipeline.yaml."""

from pathlib import Path

from kfp import compiler, dsl

IMAGE = "localhost:5001/components:1"


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def count(day: str) -> int:
    """How many flights there are in a day's file."""
    import pandas as pd

    flights = pd.read_csv(f"/data/flights/{day}.csv.gz", keep_default_na=False, na_values=[""])
    print(f"{len(flights)} flights, columns {', '.join(flights)}")
    return len(flights)


@dsl.pipeline(name="first-pipeline")
def pipeline(day: str = "2013-03-01"):
    count(day=day)


if __name__ == "__main__":
    compiler.Compiler().compile(pipeline, str(Path(__file__).with_name("pipeline.yaml")))
