"""Three runs of the program in the workspace, side by side: with a metric below, at and above the bound."""

from dataclasses import dataclass
from typing import Any

from mlops_lab.checks import Lab, LabError, Observation, absent, expect
from mlops_lab.kit.pipeline_runs import Record, progress, record
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.registry import tags
from mlops_lab.kit.side_by_side import together

_PROGRAM, _PACKAGE = "pipeline.py", "pipeline.yaml"
_COMPILED_WITHIN, _ENDED_WITHIN = 60.0, 150.0


@dataclass(frozen=True)
class Run:
    """A run: how it ended, what it left, and how many versions with its metric are new in MLflow."""

    ended: Observation
    left: Record
    registered: int


async def runs(lab: Lab) -> dict[str, Run]:
    """The runs, by how their metric is to the bound."""
    from . import D

    with lab.work.copy(without=_PACKAGE) as copy:
        done = await copy.command(_PROGRAM, within=_COMPILED_WITHIN)
        must(
            done.observed(done.code == 0, f"./{_PROGRAM}: exit code 0 within {_COMPILED_WITHIN:.0f} s"),
            "it compiles the pipeline; the compiler's message says what is wrong",
        )
        spec = copy.pipeline(_PACKAGE)
    before = {each["version"] for each in await lab.platform.mlflow.versions()}
    metrics = {"below": D.below, "bound": D.bound, "above": D.above}
    started = [(await _started(lab, spec, metric), metric) for metric in metrics.values()]
    ended = await together(*(_ended(lab, run_id, metric) for run_id, metric in started))
    new = [each for each in await lab.platform.mlflow.versions() if each["version"] not in before]
    told = [tags(each).get("auc") for each in new]
    return {
        name: Run(seen, left, told.count(repr(metric)))
        for (name, metric), (seen, left) in zip(metrics.items(), ended, strict=True)
    }


async def _started(lab: Lab, spec: dict[str, Any], metric: float) -> str:
    """Start a run; its id."""
    try:
        return await lab.platform.pipelines.start(spec, {"quality": metric})
    except LabError as trouble:
        if getattr(trouble, "status", 0) != 400:  # KFP's word for what is wrong with the question
            raise
        expect(absent("KFP takes a run with the parameter quality", trouble.message[-300:])).because(
            "the pipeline's parameter quality stays, and has no others beside it that must be given"
        )
        raise


async def _ended(lab: Lab, run_id: str, metric: float) -> tuple[Observation, Record]:
    """Follow a run to its end."""
    ended = await lab.time.eventually(
        lambda: lab.platform.pipelines.run(run_id), lab.platform.pipelines.over,
        expected="a run ends", shown=progress, within=_ENDED_WITHIN,
    )  # fmt: skip
    await lab.platform.pipelines.end(run_id)
    left = await record(lab, run_id)
    good = ended.value.get("state") == "SUCCEEDED"
    expected = f"a run with a metric of {metric} succeeds"
    return Observation(good, expected, progress(ended.value, left), evidence=tuple(left.failure)), left
