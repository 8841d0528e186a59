"""The candidate's runs: those with the wanted parameters, once they have ended, and what they have logged."""

from dataclasses import dataclass
from typing import Any

from mlops_lab.checks import Observation, absent
from mlops_lab.kit.pipeline_runs import progress, record
from mlops_lab.measure.traffic.flights import numbers
from mlops_lab.tasks.lab import TaskLab

_ENDED_WITHIN = 120.0
METRICS = ("auc_training", "auc")
Plain = dict[str, Any]


@dataclass(frozen=True)
class Trained:
    """The runs with one set of parameters.

    Attributes:
        ended: whether one of them has succeeded.
        ids: of those that have.
        logged: the metrics that the newest of these has logged.
    """

    ended: Observation
    ids: list[str]
    logged: Plain


async def trained(lab: TaskLab, rate: float, depth: int) -> Trained:
    """The runs with these parameters; one that is at work is waited for if none has succeeded."""
    expected = f"a run in experiment {lab.namespace} with rate={rate}, depth={depth} succeeds"
    runs = await lab.platform.pipelines.runs()
    mine = [each for each in runs if _parameters(each) == [rate, float(depth)]]
    if not mine:
        others = f"{len(runs)} runs there, none with these parameters"
        return Trained(absent(expected, others), [], {})
    ids = _succeeded(mine)
    if not ids:
        newest = mine[0]["run_id"]
        ended = await lab.time.eventually(
            lambda: lab.platform.pipelines.run(newest), lab.platform.pipelines.over,
            expected=expected, shown=progress, within=_ENDED_WITHIN,
        )  # fmt: skip
        if not (ids := _succeeded([ended.value])):
            left = await record(lab, newest)
            return Trained(absent(expected, progress(ended.value, left), evidence=left.failure), [], {})
    left = await record(lab, ids[0])
    logged = [dict(each.metadata) for each in left.artifacts.values() if set(METRICS) <= set(each.metadata)]
    return Trained(Observation(True, expected, f"run {ids[0]} has"), ids, logged[0] if logged else {})


def _succeeded(runs: list[Plain]) -> list[str]:
    return [str(each["run_id"]) for each in runs if each.get("state") == "SUCCEEDED"]


def _parameters(run: Plain) -> list[float] | None:
    """A run's rate and depth; none where it was given others, or no numbers."""
    given = (run.get("runtime_config") or {}).get("parameters")
    return numbers([given.get("rate"), given.get("depth")]) if isinstance(given, dict) else None
