"""Times the retraining loop of lab 26 from a drift's first row to the new model in service, and where the time goes.

It stands in the lab's namespace with the lab's own solution, which it applies; `bench` starts and ends the lab.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from mlops_lab.labs.target import target
from mlops_lab.measure.services.pipelines import Pipelines, tasks
from mlops_lab.measure.services.port_forwards import PortForwards
from mlops_lab.measure.services.tracking import Tracking
from mlops_lab.platform.dashboard.prometheus import Prometheus

CALM, STORMS = ("2013-02-01", "2013-02-14"), ("2013-07-10", "2013-07-11")
WORLD = "import urllib.request as r; r.urlopen('http://days/world', b'{\"today\": \"2013-07-11\"}', timeout=10)"
VERSION = "import json, urllib.request as r; print(json.load(r.urlopen('http://model/version'))['model_version'])"
STEPS = ("prepare", "validate", "validate-2", "train", "evaluate", "register", "deploy")
Figures = dict[str, tuple[float, str, str]]


def loop(kubectl: tuple[str, ...], solution: Path, namespace: str) -> Figures:
    """The seconds by what they were spent on."""

    def run(*words: str | Path) -> str:
        done = subprocess.run([*kubectl, *map(str, words)], capture_output=True, text=True, timeout=300, check=True)
        return done.stdout.strip()

    def until(look: Callable[[], Any], within: float) -> tuple[Any, float]:
        end = time.monotonic() + within
        while not (seen := look()):
            if time.monotonic() > end:
                raise SystemExit(f"not within {within:g} s")
            time.sleep(0.5)
        return seen, time.time()

    days = ("exec", "deploy/days", "--", "python3")
    run("apply", "-k", solution)
    for name in ("model", "alerts"):
        run("rollout", "status", f"deployment/{name}", "--timeout=240s")
    forwards = PortForwards(target().kube)
    try:
        prometheus = Prometheus(lambda: forwards.address("prometheus"), lambda: forwards.lost("prometheus"))
        pipelines, tracking = Pipelines(forwards), Tracking(forwards)

        def value(query: str) -> float:
            found = prometheus.query(query)
            return float(found[0].points[0][1] or 0) if found else 0.0

        run(*days, "/lab/traffic.py", *CALM, "60")
        if value(f'count(ALERTS{{namespace="{namespace}"}})'):
            raise SystemExit("ordinary traffic fires alerts: nothing can be measured")
        first = str((tracking.by_alias(namespace, "production") or {}).get("version"))
        run(*days, "-c", WORLD)
        storms = subprocess.Popen([*kubectl, *days, "/lab/traffic.py", *STORMS, "400"], stdout=subprocess.DEVNULL)
        began = time.time()
        try:
            _, seen = until(lambda: value(f'max(app_of:model_psi:2m{{namespace="{namespace}"}})') > 0.2, 120)
            _, fired = until(lambda: value(f'count(ALERTS{{namespace="{namespace}",alertstate="firing"}})'), 120)
            runs, started = until(lambda: pipelines.runs(namespace), 60)
            until(lambda: run(*days, "-c", VERSION) != first, 400)
            served = time.time()
            until(lambda: pipelines.over(pipelines.run(runs[0]["run_id"])), 120)
        finally:
            storms.terminate()
            storms.wait(timeout=30)
        if len(pipelines.runs(namespace)) != 1:
            raise SystemExit("more than one run for one drift")
        steps = tasks(pipelines.run(runs[0]["run_id"]))
    finally:
        forwards.close()
    name = "one drift, retrained (lab 26)"
    figures: Figures = {
        f"{name}: from its first row to the new model in service": (served - began, "s", ""),
        f"{name}: from its first row until the PSI shows it": (seen - began, "s", ""),
        f"{name}: from the PSI until the alert fires": (fired - seen, "s", ""),
        f"{name}: from the alert until the run starts": (started - fired, "s", ""),
        f"{name}: from the run's start until the new model serves": (served - started, "s", ""),
    }
    for step in STEPS:
        if at := steps.get(step):
            took = moment(at["end_time"]) - moment(at["start_time"])
            figures[f"{name}: the run's step {step}"] = (took.total_seconds(), "s", "")
    return figures


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
