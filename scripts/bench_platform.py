"""Times the platform on the live cluster: a pipeline's run with and without the cache, and the API under load.

Used by `bench`; all of it goes through the addresses that checks use.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml

from mlops_lab.kube.client import Kube
from mlops_lab.measure.services.pipelines import Pipelines, tasks
from mlops_lab.measure.services.port_forwards import PortForwards
from mlops_lab.measure.traffic.load import Load

RATE, DURATION = 50, 30  # requests a second, s
RUNS = 3
API = "http://ml-pipeline.mlops-lab-pipelines.svc:8888/apis/v2beta1/runs?page_size=10"
EXPERIMENT = "bench"


def pipeline(kube: Kube, program: Path) -> dict[str, Any]:
    """A pipeline of three steps (lab 08's solution): seconds of a run that misses the cache, and of one that hits it.

    Args:
        program: compiles to `pipeline.yaml` beside itself.
    """
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, shutil.copy(program, folder)], check=True, capture_output=True)
        spec = yaml.safe_load((Path(folder) / "pipeline.yaml").read_text())
    forwards = PortForwards(kube)
    pipelines = Pipelines(forwards)
    try:
        missed, hit = [], []
        for _ in range(RUNS):
            seed = time.time_ns() % 2**31
            missed.append(_run(pipelines, spec, seed, cached=False))
            hit.append(_run(pipelines, spec, seed, cached=True))
    finally:
        for kind, number, name in pipelines.names():
            if name.partition("/")[0] == EXPERIMENT:
                pipelines.remove(kind, number)
        forwards.close()
    return {
        "a pipeline of three steps, each run": (statistics.median(missed), "s", ""),
        "a pipeline of three steps, each from the cache": (statistics.median(hit), "s", ""),
    }


def _run(pipelines: Pipelines, spec: dict[str, Any], seed: int, cached: bool) -> float:
    # Days of the year that hardly another run has: the first step has no seed to tell runs apart by.
    first = date(2013, 1, 2) + timedelta(seed % 340)
    last = first + timedelta(8 + seed // 340 % 5)
    days = {"first_day": str(first), "last_day": str(last), "held_out_days": 2 + seed // 1700 % 3}
    began = time.monotonic()
    number = pipelines.start(spec, {"seed": seed, **days}, experiment=EXPERIMENT)
    while not pipelines.over(run := pipelines.run(number)):
        if time.monotonic() - began > 300:
            raise SystemExit(f"the pipeline's run did not end within 300 s: {run.get('state')}")
        time.sleep(0.1)
    took = time.monotonic() - began
    hits = [name for name, task in tasks(run).items() if task.get("cached")]
    if run["state"] != "SUCCEEDED" or bool(hits) != cached:
        raise SystemExit(f"the pipeline's run ended {run['state']}, steps from the cache: {', '.join(hits) or 'none'}")
    return took


def api(kube: Kube) -> dict[str, Any]:
    """The pipelines' API asked for a page of runs: latency of 99 of 100 requests, from when each was due."""

    async def asked() -> float:
        async with Load(kube, API, rate=RATE, duration=DURATION) as load:
            report = await load.finished()
        if report.failed:
            raise SystemExit(f"{report.failed} requests of the pipelines' API failed")
        return report.p(99)

    return {f"pipelines' API, 99th percentile at {RATE} requests a second": (asyncio.run(asked()) * 1000, "ms", "")}
