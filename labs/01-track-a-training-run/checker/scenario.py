"""The newest run, its Job's log, and what its logged model does in a pod of the checker's."""

from __future__ import annotations

import json
import random
from datetime import date, timedelta
from pathlib import Path

from mlops_lab.checks import Lab, Observation
from mlops_lab.kube.client import Object

from .recorded import text_values

SCORED_WITHIN = 120  # s for the checker's own pod
TRAINING, HELD_OUT = (date(2013, 1, 1), date(2013, 1, 21)), (date(2013, 1, 22), date(2013, 1, 28))
# Summer has destinations that January does not.
OTHER, DRAWN = (date(2013, 6, 1), date(2013, 8, 31)), 14


async def newest(lab: Lab) -> Object | None:
    """The newest run of the lab's experiment that is nobody's child; a search for parameters makes children."""
    runs = await lab.platform.mlflow.runs()
    return next((run for run in runs if "mlflow.parentRunId" not in text_values(run["data"].get("tags", []))), None)


async def scored(lab: Lab) -> Object:
    """What the run's logged model does in a pod of the checker's, and how many rows the days have."""
    found = await lab.once(newest)
    assert found is not None
    run = found["info"]["run_id"]
    models = [
        each
        for each in await lab.platform.mlflow.logged_models()
        if each["info"].get("source_run_id") == run and each["info"].get("status") == "LOGGED_MODEL_READY"
    ]
    models.sort(key=lambda each: each["info"].get("name") != "model")  # stable: the newest `model` first
    drawn = random.sample(days(*OTHER), DRAWN)
    env = {
        "MODEL_URI": f"models:/{models[0]['info']['model_id']}" if models else "",
        "DAYS": json.dumps({"training": days(*TRAINING), "held_out": days(*HELD_OUT), "other": sorted(drawn)}),
    }
    program = (Path(__file__).parent / "score.py").read_text()
    output = await lab.programs.run(
        "components:1", "python3", "/checker/score.py", files={"score.py": program}, env=env, within=SCORED_WITHIN
    )
    answer = output.json()
    if models:
        return answer | {"model": models[0]["info"]["model_id"]}
    listed = await lab.platform.mlflow.ask("GET", "artifacts/list", run_id=run)
    return answer | {"files": [each["path"] for each in listed.get("files", [])]}


def answered(found: Object, rows: int, of: str) -> Observation:
    """There is a probability for each row."""
    whole = "error" not in found and found["rows"] == rows
    return Observation(
        whole, f"probabilities for {rows} flights of {of}", found.get("error") or f"{found['rows']} of them"
    )


def days(first: date, last: date) -> list[str]:
    """The names of the days from one to another, both included."""
    return [str(first + timedelta(number)) for number in range((last - first).days + 1)]
