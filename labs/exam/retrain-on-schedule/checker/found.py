"""What is in Kubeflow Pipelines of the task's: the pipeline, its recurring runs, its runs."""

from datetime import UTC, datetime, timedelta
from typing import Any

from mlops_lab.checks import Observation, absent, expect
from mlops_lab.tasks.lab import TaskLab

_MANY = 200
# What means any day of the month, any month and any day of the week.
_ANY = {"*", "?", "*/1"}
_EVERY = (_ANY | {"1-31", "1/1"}, _ANY | {"1-12", "1/1", "JAN-DEC"}, _ANY | {"0-6", "0-7", "1-7", "MON-SUN", "SUN-SAT"})
_FIRST_WITHIN = timedelta(days=1)
_NO_TIME = "1970-01-01"  # as servers write a time that nobody has said
Plain = dict[str, Any]


async def pipeline_id(lab: TaskLab, name: str) -> str:
    """The id of the pipeline of that name.

    Raises:
        Failure: there is none.
    """
    found = (await lab.platform.pipelines.ask("GET", "pipelines", page_size=_MANY)).get("pipelines") or []
    mine = [each for each in found if name in (each.get("display_name"), each.get("name"))]
    own = [str(each.get("display_name")) for each in found if str(each.get("display_name")).startswith(lab.namespace)]
    if not mine:
        expect(absent(f"a pipeline {name}", f"pipelines of this namespace's name: {', '.join(own) or 'none'}")).because(
            "kfp pipeline create --pipeline-name NAME retrain.yaml uploads it, or upload_pipeline of kfp.Client"
        )
    return str(mine[0]["pipeline_id"])


async def recurring_runs(lab: TaskLab) -> list[Plain]:
    """The recurring runs of the task's experiment; none where there is no such experiment."""
    experiment = await _experiment(lab)
    if not experiment:
        return []
    found = await lab.platform.pipelines.ask("GET", "recurringruns", experiment_id=experiment, page_size=_MANY)
    return list(found.get("recurringRuns") or [])


async def runs_of(lab: TaskLab, pipeline: str) -> list[Plain]:
    """The experiment's runs of a pipeline, the newest first."""
    runs = await lab.platform.pipelines.runs()
    return [each for each in runs if (each.get("pipeline_version_reference") or {}).get("pipeline_id") == pipeline]


async def _experiment(lab: TaskLab) -> str:
    found = (await lab.platform.pipelines.ask("GET", "experiments", page_size=_MANY)).get("experiments") or []
    return next((str(each["experiment_id"]) for each in found if each.get("display_name") == lab.namespace), "")


def parameters(run: Plain) -> Plain:
    """A run's parameters, or a recurring run's."""
    given = (run.get("runtime_config") or {}).get("parameters")
    return given if isinstance(given, dict) else {}


def at(trigger: Plain, hour: int, minute: int) -> Observation:
    """Does a trigger start once a day, at that time, from now on and without an end?

    Five fields do not: where Kubeflow reads them, they begin with the seconds, too, and the run starts every hour.
    """
    schedule = trigger.get("cron_schedule") or {}
    cron = str(schedule.get("cron") or "")
    fields = cron.split()
    numbers = [each.lstrip("0") or "0" if each.isdecimal() else each for each in fields]
    every = len(fields) == 6 and all(each.upper() in known for each, known in zip(fields[3:], _EVERY, strict=True))
    right = every and numbers[:3] == ["0", str(minute), str(hour)]
    periodic = (trigger.get("periodic_schedule") or {}).get("interval_second")
    seen = f"cron {cron}" if cron else f"every {periodic} s" if periodic else "no trigger"
    begins, ends = (str(schedule.get(edge) or "") for edge in ("start_time", "end_time"))
    if begins > (datetime.now(UTC) + _FIRST_WITHIN).isoformat():
        right, seen = False, f"{seen}, from {begins} on"
    if ends and not ends.startswith(_NO_TIME):
        right, seen = False, f"{seen}, until {ends}"
    return Observation(right, f"cron for every day at {hour:02}:{minute:02}, without an end", seen)
