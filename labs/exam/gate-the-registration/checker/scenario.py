"""Three runs of the program in the workspace, side by side: with a metric below, at and above the bound.

But for the one at the bound, the pipeline's parameter `quality` is above the bound, and step `evaluate` is given
another one, so that what it returns is not that parameter.
"""

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_lab.checks import Lab, Observation, holds
from mlops_lab.kit.compiled_pipelines import other_functions
from mlops_lab.kit.learner_pipelines import compiled, followed, started
from mlops_lab.kit.pipeline_runs import Record, progress
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.registry import tags
from mlops_lab.kit.side_by_side import together

NEVER_RAN = ("PENDING", "SKIPPED", "CANCELED")
_STEPS = ("evaluate", "register")
_PROGRAM, _PACKAGE = "pipeline.py", "pipeline.yaml"
_COMPILED_WITHIN, _ENDED_WITHIN = 60.0, 150.0


@dataclass(frozen=True)
class Run:
    """A run: how it ended, what it left, and how many versions with its metric are new in MLflow.

    Attributes:
        there: has the pipeline a step `register`?
        cached: may it come from the cache, so that nothing is registered?
    """

    ended: Observation
    left: Record
    registered: int
    there: bool
    cached: bool


async def runs(lab: Lab) -> dict[str, Run]:
    """The runs, by how their metric is to the bound."""
    from . import D

    spec = await compiled(lab, _PROGRAM, _PACKAGE, within=_COMPILED_WITHIN)
    _must_have_given_steps(spec)
    before = await _versions(lab)
    metrics = {"below": D.below, "bound": D.bound, "above": D.above}
    asked = [
        (_evaluating(spec, D.below), D.better, D.below),
        (spec, D.bound, D.bound),
        (_evaluating(spec, D.above), D.better, D.above),
    ]
    ids = [(await _started(lab, each, quality), metric) for each, quality, metric in asked]
    ended = await together(*(_ended(lab, run_id, metric) for run_id, metric in ids))
    cached = list(_cached(spec))
    told = [auc for version, auc in (await _versions(lab)).items() if version not in before]
    counted = {name: told.count(repr(metric)) for name, metric in metrics.items()}
    if not counted["below"] and len(told) > sum(counted.values()):
        counted["below"] = await _registered_below(lab, spec)
    return {
        name: Run(seen, left, counted[name], bool(cached), any(cached))
        for name, (seen, left) in zip(metrics, ended, strict=True)
    }


async def _registered_below(lab: Lab, spec: dict[str, Any]) -> int:
    """How many versions are new, whatever their tags, after one more run with a metric below the bound.

    Versions with other tags beside the three runs may be of a run of the candidate's own.
    """
    from . import D

    before = await _versions(lab)
    run_id = await _started(lab, _evaluating(spec, D.below), D.better)
    await _ended(lab, run_id, D.below)
    return len((await _versions(lab)).keys() - before.keys())


async def _versions(lab: Lab) -> dict[str, str | None]:
    """The metric that each version is tagged with; None where it has no such tag."""
    return {each["version"]: tags(each).get("auc") for each in await lab.platform.mlflow.versions()}


def _must_have_given_steps(spec: dict[str, Any]) -> None:
    """Steps of the names that were given do what they did, wherever they stand in the program.

    Raises:
        Failure: one does something else.
    """
    other = sorted(other_functions(spec, Path(__file__).parents[1] / "start" / _PROGRAM, _STEPS))
    must(
        holds(not other, "steps evaluate and register as they were given", f"another {', '.join(other)}"),
        "the steps stay as they are: the pipeline decides which of them run",
    )


def _evaluating(spec: dict[str, Any], metric: float) -> dict[str, Any]:
    """The pipeline with a step `evaluate` that returns this metric, whatever the parameter `quality` is; nothing of it
    comes from the cache.

    Raises:
        Failure: there is no such step any more, or it takes no `quality`.
    """
    spec = copy.deepcopy(spec)
    found = list(_inputs(spec))
    must(holds(bool(found), "step evaluate takes quality", "there is none that does"), "the steps stay as they are")
    for each in found:
        each["quality"] = {"runtimeValue": {"constant": metric}}
    _never_cached(spec)
    return spec


def _never_cached(part: Any) -> None:
    """Let each task in a part of a pipeline run, also one that has run with the same values."""
    for key, value in part.items() if isinstance(part, dict) else ():
        if key == "cachingOptions":
            part[key] = {}
        else:
            _never_cached(value)


def _inputs(part: Any) -> Iterator[dict[str, Any]]:
    """The parameters that tasks `evaluate` in a part of a pipeline are given, where `quality` is among them."""
    for key, value in part.items() if isinstance(part, dict) else ():
        with contextlib.suppress(KeyError, TypeError):
            if key == "evaluate" and "quality" in value["inputs"]["parameters"]:
                yield value["inputs"]["parameters"]
        yield from _inputs(value)


def _cached(part: Any) -> Iterator[bool]:
    """Of each task `register` in a part of a pipeline: may it come from the cache?"""
    for key, value in part.items() if isinstance(part, dict) else ():
        if key.rstrip("-0123456789") == "register" and isinstance(value, dict) and "componentRef" in value:
            yield bool((value.get("cachingOptions") or {}).get("enableCache"))
        yield from _cached(value)


async def _started(lab: Lab, spec: dict[str, Any], quality: float) -> str:
    """Start a run; its id."""
    return await started(
        lab, spec, {"quality": quality}, takes="the parameter quality",
        why="the pipeline's parameter quality stays, and has no others beside it that must be given",
    )  # fmt: skip


async def _ended(lab: Lab, run_id: str, metric: float) -> tuple[Observation, Record]:
    """Follow a run to its end."""
    ended, left = await followed(lab, run_id, within=_ENDED_WITHIN)
    good = ended.value.get("state") == "SUCCEEDED"
    expected = f"a run with a metric of {metric} succeeds"
    return Observation(good, expected, progress(ended.value, left), evidence=tuple(left.failure)), left
