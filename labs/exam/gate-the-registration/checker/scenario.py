"""Three runs of the program in the workspace, side by side: with a metric below, at and above the bound.

In the first one the pipeline's parameter `quality` is above the bound, and step `evaluate` is given another one.
"""

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mlops_lab.checks import Lab, Observation, holds
from mlops_lab.kit.learner_pipelines import compiled, followed, started
from mlops_lab.kit.pipeline_runs import Record, progress
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.registry import tags
from mlops_lab.kit.side_by_side import together

NEVER_RAN = ("PENDING", "SKIPPED", "CANCELED")
_PROGRAM, _PACKAGE = "pipeline.py", "pipeline.yaml"
_COMPILED_WITHIN, _ENDED_WITHIN = 60.0, 150.0


@dataclass(frozen=True)
class Run:
    """A run: how it ended, what it left, and how many versions with its metric are new in MLflow.

    Attributes:
        cached: may `register` come from the cache, so that nothing is registered?
    """

    ended: Observation
    left: Record
    registered: int
    cached: bool


async def runs(lab: Lab) -> dict[str, Run]:
    """The runs, by how their metric is to the bound."""
    from . import D

    spec = await compiled(lab, _PROGRAM, _PACKAGE, within=_COMPILED_WITHIN)
    before = {each["version"] for each in await lab.platform.mlflow.versions()}
    metrics = {"below": D.below, "bound": D.bound, "above": D.above}
    ids = [(await _started(lab, _evaluating(spec, D.below), D.better), D.below)]
    ids += [(await _started(lab, spec, metric), metric) for metric in (D.bound, D.above)]
    ended = await together(*(_ended(lab, run_id, metric) for run_id, metric in ids))
    cached = any(_cached(spec))
    new = [each for each in await lab.platform.mlflow.versions() if each["version"] not in before]
    told = [tags(each).get("auc") for each in new]
    return {
        name: Run(seen, left, told.count(repr(metric)), cached)
        for (name, metric), (seen, left) in zip(metrics.items(), ended, strict=True)
    }


def _evaluating(spec: dict[str, Any], metric: float) -> dict[str, Any]:
    """The pipeline with a step `evaluate` that returns this metric, whatever the parameter `quality` is.

    Raises:
        Failure: there is no such step any more, or it takes no `quality`.
    """
    spec = copy.deepcopy(spec)
    found = list(_inputs(spec))
    must(holds(bool(found), "step evaluate takes quality", "there is none that does"), "the steps stay as they are")
    for each in found:
        each["quality"] = {"runtimeValue": {"constant": metric}}
    return spec


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
