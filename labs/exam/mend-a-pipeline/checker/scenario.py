"""The candidate's own run, the steps of the program in the workspace, and a run of it in which `judge` fails."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_lab.checks import Lab, Observation, absent, holds
from mlops_lab.kit.compiled_pipelines import other_functions, tasks
from mlops_lab.kit.learner_pipelines import compiled, followed, started
from mlops_lab.kit.pipeline_runs import Record, progress, record
from mlops_lab.measure.services.rest import RefusedRequest
from mlops_lab.measure.traffic.flights import numbers
from mlops_lab.tasks.lab import TaskLab

STEPS = ("collect", "judge", "release")
NEVER_RAN = ("PENDING", "SKIPPED", "CANCELED")
_PROGRAM, _PACKAGE = "pipeline.py", "pipeline.yaml"
_COMPILED_WITHIN, _ENDED_WITHIN = 60.0, 120.0
_NOT_FOUND = 404
Plain = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A run: how it ended, and what it left."""

    ended: Observation
    left: Record
    arguments: Plain


async def wanted_run(lab: TaskLab, arguments: Plain) -> Run:
    """A run with these arguments of the pipeline that the program compiles now: one that succeeded, else the newest.

    The newest is waited for; if it did not succeed, that is a bad end.
    """
    shown = ", ".join(f"{name}={value}" for name, value in arguments.items())
    expected = f"a run in experiment {lab.namespace} with {shown} succeeds"
    runs = sorted(await lab.platform.pipelines.runs(), key=lambda each: each.get("state") != "SUCCEEDED")
    found = [str(each["run_id"]) for each in runs if _parameters(each, arguments)]
    if not found:
        return Run(absent(expected, f"{len(runs)} runs there, none with these parameters"), Record(), arguments)
    now = _shape(await lab.once(_compiled))
    shapes = {each: _shape(await _spec_of(lab, each)) for each in found}
    run_id = next((each for each, shape in shapes.items() if shape in (now, {})), None)  # {}: nobody knows any more
    if run_id is None:
        seen = f"runs with these parameters: {len(found)}, none of the pipeline that ./{_PROGRAM} compiles now"
        return Run(absent(expected, seen), Record(), arguments)
    ended = await lab.time.eventually(
        lambda: lab.platform.pipelines.run(run_id), lab.platform.pipelines.over,
        expected=expected, shown=progress, within=_ENDED_WITHIN,
    )  # fmt: skip
    left = await record(lab, run_id)
    if ended.value.get("state") != "SUCCEEDED":
        return Run(absent(expected, progress(ended.value, left), evidence=left.failure), left, arguments)
    return Run(Observation(True, expected, progress(ended.value, left)), left, arguments)


def _parameters(run: Plain, wanted: Plain) -> bool:
    given = (run.get("runtime_config") or {}).get("parameters") or {}
    return numbers([given.get(name) for name in wanted]) == numbers(list(wanted.values()))


def _shape(spec: Plain) -> Plain:
    """What each step of a compiled pipeline reads and waits for, and whether `collect` may come from the cache."""
    outer = ((spec.get("pipeline_spec", spec).get("root") or {}).get("dag") or {}).get("tasks") or {}
    return {
        name: (
            each.get("inputs") or {}, sorted(each.get("dependentTasks") or []),
            name == "collect" and bool((each.get("cachingOptions") or {}).get("enableCache")),
        )
        for name, each in outer.items()
    }  # fmt: skip


async def _spec_of(lab: Lab, run_id: str) -> Plain:
    """The compiled pipeline that a run was started with, or its version was; empty if that is gone."""
    run = await lab.platform.pipelines.run(run_id)
    of = run.get("pipeline_version_reference") or {}
    if "pipeline_version_id" in of:
        try:
            path = f"pipelines/{of.get('pipeline_id')}/versions/{of['pipeline_version_id']}"
            run = await lab.platform.pipelines.ask("GET", path)
        except RefusedRequest as refused:
            if refused.status != _NOT_FOUND:
                raise
    return run.get("pipeline_spec") or {}


async def _compiled(lab: Lab) -> Plain:
    return await compiled(lab, _PROGRAM, _PACKAGE, within=_COMPILED_WITHIN)


async def steps_as_given(lab: Lab) -> Observation:
    """Whether the program has the steps that were given: what they do, and the values of their parameters."""
    other = other_steps(await lab.once(_compiled))
    expected = f"steps {', '.join(STEPS)} as they were given"
    return holds(not other, expected, f"another {', '.join(other)}")


def other_steps(spec: Plain) -> list[str]:
    """The names of steps that are missing, more, or other ones than those that were given."""
    from . import D

    spec = spec.get("pipeline_spec", spec)
    wanted = {"collect": {"count": "count"}, "judge": {"limit": "limit"}, "release": {"name": D.pipeline}}
    components = spec.get("components") or {}
    made = {
        name: _parameters_of(task)
        for name, task in tasks(spec)
        if "executorLabel" in components.get(task["componentRef"]["name"], {})
    }
    other = {name for name in {*wanted, *made} if made.get(name) != wanted.get(name)}
    return sorted(other | other_functions(spec, Path(__file__).parents[1] / "start" / _PROGRAM, STEPS))


def _parameters_of(task: Plain) -> Plain:
    """What a task's parameters are: a name of one of the pipeline's, or a value."""
    given: Plain = (task.get("inputs") or {}).get("parameters") or {}
    return {
        name: str(each["componentInputParameter"]).removeprefix("pipelinechannel--")
        if "componentInputParameter" in each
        else (each.get("runtimeValue") or {}).get("constant")
        for name, each in given.items()
    }


async def failing_run(lab: Lab) -> Run:
    """A run of the program in the workspace with the candidate's `count`, and a limit that no mean is below."""
    from . import D

    spec = await lab.once(_compiled)
    arguments = {"count": D.count, "limit": -1.0}
    run_id = await started(
        lab, spec, arguments, takes="count and limit",
        why="the pipeline's parameters stay: count, a whole number, and limit",
    )  # fmt: skip
    ended, left = await followed(lab, run_id, within=_ENDED_WITHIN, why="lab open pipelines shows what it waits for")
    return Run(ended, left, arguments)
