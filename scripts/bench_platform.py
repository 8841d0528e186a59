"""Times pipelines on the live cluster, whichever engine runs them: a run with and without the cache, many at once, and
the API under load.

Used by `bench`; all of it goes through the addresses that checks use. What came from the cache, the embedded engine's
API tells, and ML Metadata behind Kubeflow's pages.
"""

from __future__ import annotations

import asyncio
import copy
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from bench_figures import Figures

from mlops_lab.base.errors import LabError
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.port_forward import PortForward
from mlops_lab.kit import metadata_store
from mlops_lab.kit.pipeline_runs import PAGES
from mlops_lab.kube.client import Kube
from mlops_lab.measure.services.pipelines import Pipelines, tasks
from mlops_lab.measure.services.port_forwards import PortForwards
from mlops_lab.measure.services.rest import RefusedRequest
from mlops_lab.measure.traffic.load import Load

RATE, DURATION = 50, 30  # requests a second, s
ROUNDS = 3
CALM = 20  # s until a busy machine is asked again
NAMESPACE = "mlops-lab-pipelines"
API = f"http://ml-pipeline.{NAMESPACE}.svc:8888/apis/v2beta1/runs?page_size=10"
API_NAME = f"pipelines' API, 99th percentile at {RATE} requests a second"
EXPERIMENT = "scripts-bench"
WITHIN, SETTLED = 600, 90  # s for a run, and from its end until all of its steps are told
OVER = ("SUCCEEDED", "SKIPPED", "FAILED")


class Runs:
    """Runs of a pipeline, in an experiment of their own that goes with them.

    Args:
        program: compiles to `pipeline.yaml` beside itself.
    """

    def __init__(self, kube: Kube, program: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, shutil.copy(program, folder)], check=True, capture_output=True)
            self._spec = yaml.safe_load((Path(folder) / "pipeline.yaml").read_text())
        self._forwards = PortForwards(kube)
        self._pages = PortForward(Kubectl(kube.context, str(kube.kubeconfig or "")), NAMESPACE, PAGES, 80)
        self._pipelines = Pipelines(self._forwards)

    def __enter__(self) -> Self:
        self._pipelines.experiment(EXPERIMENT)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            for what, number, name in self._pipelines.names():
                if name.partition("/")[0] == EXPERIMENT:
                    self._pipelines.remove(what, number)
        finally:
            self._pages.close()
            self._forwards.close()

    def rounds(self) -> tuple[float, float]:
        """Seconds of a run that misses the cache, and of one all of whose steps come from it; medians."""
        missed, hit = [], []
        for _ in range(ROUNDS):
            seed = _seed()
            missed.append(self._run(seed, cached=False))
            hit.append(self._run(seed, cached=True))
        return statistics.median(missed), statistics.median(hit)

    def at_once(self, count: int, within: float) -> tuple[float, int]:
        """Seconds from the first start of so many different runs until all have ended, and how many succeeded."""
        began, first = time.monotonic(), _seed()
        with ThreadPoolExecutor(count) as pool:
            numbers = list(pool.map(self._start, range(first, first + count)))
        runs = [self._ended(number, began + within, every=0.5) for number in numbers]
        took = time.monotonic() - began
        good = [number for number, run in zip(numbers, runs, strict=True) if run["state"] == "SUCCEEDED"]
        if any(hit := [name for name, cached in self._steps(number).items() if cached] for number in good):
            raise SystemExit(f"of runs that should miss the cache, steps came from it: {', '.join(hit)}")
        return took, len(good)

    def _run(self, seed: int, cached: bool) -> float:
        began = time.monotonic()
        number = self._start(seed)
        run = self._ended(number, began + WITHIN, every=0.1)
        took = time.monotonic() - began
        if run["state"] != "SUCCEEDED":
            raise SystemExit(f"the pipeline's run ended {run['state']}")
        steps = self._steps(number)
        if set(steps.values()) != {cached}:
            hit = ", ".join(name for name, found in steps.items() if found) or "none"
            expected = "all" if cached else "none"
            raise SystemExit(f"of {', '.join(steps)} came from the cache: {hit}; expected: {expected}")
        return took

    def _start(self, seed: int) -> str:
        first = date(2013, 1, 2) + timedelta(seed % 340)
        last = first + timedelta(8 + seed // 340 % 5)
        days = {"first_day": str(first), "last_day": str(last), "held_out_days": 2 + seed // 1700 % 3}
        return self._pipelines.start(marked(self._spec, seed), {"seed": seed, **days}, experiment=EXPERIMENT)

    def _ended(self, number: str, end: float, every: float) -> dict[str, Any]:
        """A run that has ended, by the moment `end`; an answer that was lost on its way is asked for again."""
        while True:
            run: dict[str, Any] = {}
            try:
                run = self._pipelines.run(number)
            except LabError as lost:
                if isinstance(lost, RefusedRequest) and not lost.transient:
                    raise
            if run and self._pipelines.over(run):
                return run
            if time.monotonic() > end:
                raise SystemExit(f"a pipeline's run did not end in time: it is {run.get('state')}")
            time.sleep(every)

    def _steps(self, number: str) -> dict[str, bool]:
        """The steps of a run that has succeeded, and whether each came from the cache.

        Kubeflow's backend writes a run's end before its steps', so this waits until all of them are told and over.
        """
        end, wanted = time.monotonic() + SETTLED, self._spec["root"]["dag"]["tasks"].keys()
        while True:
            told = self._told(number)
            if wanted <= told.keys() and all(told[name][0] in OVER for name in wanted):
                return {name: told[name][1] for name in wanted}
            if time.monotonic() > end:
                raise SystemExit(f"a run has ended, and of its steps is told only: {told}")
            time.sleep(1)

    def _told(self, number: str) -> dict[str, tuple[str, bool]]:
        """A run's steps by name: state, and whether it came from the cache."""
        try:
            self._pipelines.ask("GET", f"runs/{number}/artifacts")  # the embedded engine alone has that
        except RefusedRequest as refused:
            if refused.status != 404:
                raise
            url = self._pages.address()
            found = metadata_store.record(url, url, number)["steps"]
            return {each["name"]: (each["state"], each["cached"]) for each in found}
        found = tasks(self._pipelines.run(number))
        return {name: (each.get("state", ""), bool(each.get("cached"))) for name, each in found.items()}


def marked(spec: dict[str, Any], seed: int) -> dict[str, Any]:
    """The pipeline with a comment at the end of each step's program: runs of another seed, of whatever day, are no help
    to it. Both engines' caches go by a step's command; its arguments alone can't tell all runs of the first step apart.
    """
    made = copy.deepcopy(spec)
    for executor in made["deploymentSpec"]["executors"].values():
        executor["container"]["command"][-1] += f"\n# {seed}\n"
    return made


def _seed() -> int:
    return time.time_ns() % 2**31


def pipeline(kube: Kube, program: Path) -> Figures:
    """A pipeline of three steps (lab 08's solution): a run that misses the cache, and one that hits it."""
    with Runs(kube, program) as runs:
        missed, hit = runs.rounds()
    return {
        "a pipeline of three steps, each run": (missed, "s", ""),
        "a pipeline of three steps, each from the cache": (hit, "s", ""),
    }


def api(kube: Kube) -> Figures:
    """The API's latency."""
    return {API_NAME: (latency(kube), "ms", "")}


def latency(kube: Kube, rounds: int = 3) -> float:
    """The API asked for a page of runs: the ms within which 99 of 100 answers came, from when each was due.

    Args:
        rounds: how often at most; the machine may be too busy to send the requests when they are due, or, after many
            runs, to answer them.

    Raises:
        LabError: it was so each time.
    """

    async def asked() -> float:
        async with Load(kube, API, rate=RATE, duration=DURATION) as load:
            report = await load.finished()
        if report.failed:
            raise LabError(f"{report.failed} requests of the pipelines' API failed", "see what it says: lab status")
        return report.p(99)

    for _ in range(rounds - 1):
        try:
            return asyncio.run(asked()) * 1000
        except LabError as late:
            print(f"asking again: {late.message}", flush=True)
            time.sleep(CALM)
    return asyncio.run(asked()) * 1000
