"""The checks."""

from mlops_lab.checks import Observation, absent, check, equal_to, expect, observe
from mlops_lab.kit.pipeline_runs import progress, record
from mlops_lab.measure.traffic.flights import numbers
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .found import at, parameters, pipeline_id, recurring_runs, runs_of

D = drawn(Drawn, __file__)
_ENDED_WITHIN = 120.0


@check(points=3)
async def runs_every_day(lab: TaskLab) -> None:
    """The recurring run starts the pipeline every day at that time, with the parameters that were wanted."""
    pipeline = await pipeline_id(lab, f"{lab.namespace}-{D.pipeline}")
    found = await recurring_runs(lab)
    named = [each for each in found if each.get("display_name") == D.schedule]
    expect(
        Observation(
            len(named) == 1,
            f"one recurring run {D.schedule} in experiment {lab.namespace}",
            f"recurring runs there: {', '.join(str(each.get('display_name')) for each in found) or 'none'}",
        )
    ).because("kfp recurring-run list shows them; each has a name, and belongs to an experiment")
    (one,) = named
    of = (one.get("pipeline_version_reference") or {}).get("pipeline_id")
    expect(Observation(of == pipeline, "it runs the pipeline that was uploaded", f"pipeline {of or 'none'}")).because(
        "a recurring run that was given a file has a copy of that; it was to be the pipeline by its id"
    )
    expect(at(one.get("trigger") or {}, D.hour, D.minute)).because(
        "its cron expression has six fields: seconds, minutes, hours, day of the month, month, day of the week. "
        "Kubeflow takes the first of five for the seconds, too: hours would be minutes. What has an end stops one day"
    )
    given = parameters(one)
    wanted = [D.days, D.trees]
    seen = f"days={given.get('days')}, trees={given.get('trees')}"
    right = numbers([given.get("days"), given.get("trees")]) == numbers(wanted)
    expect(Observation(right, f"days={D.days}, trees={D.trees}", seen)).because(
        "what a recurring run does not give is the pipeline's default"
    )


@check(points=1, needs=runs_every_day)
async def keeps_to_its_day(lab: TaskLab) -> None:
    """It is enabled, has never two runs at the same time, and does not make up for those that were missed."""
    (one,) = [each for each in await recurring_runs(lab) if each.get("display_name") == D.schedule]
    expect(observe("status", one.get("status"), equal_to("ENABLED"))).because("a disabled one starts nothing")
    expect(observe("max_concurrency", one.get("max_concurrency"), equal_to(1))).because(
        "that is how many of its runs may be at work at the same time"
    )
    expect(observe("no_catchup", bool(one.get("no_catchup")), equal_to(True))).because(
        "by default what was missed while the server or the recurring run stood still is made up for"
    )


@check(points=2)
async def ran_now(lab: TaskLab) -> None:
    """A run of the pipeline with more trees has succeeded, and its step has logged these parameters."""
    pipeline = await pipeline_id(lab, f"{lab.namespace}-{D.pipeline}")
    runs = await runs_of(lab, pipeline)
    wanted = f"a run of {lab.namespace}-{D.pipeline} with days={D.days}, trees={D.more} succeeds"
    values = numbers([D.days, D.more])
    mine = [each for each in runs if numbers([parameters(each).get(name) for name in ("days", "trees")]) == values]
    if not mine:
        expect(absent(wanted, f"{len(runs)} runs of it, none with these parameters")).because(
            "kfp run create --pipeline-id, or run_pipeline of kfp.Client, starts a run of a pipeline that is uploaded"
        )
    mine.sort(key=lambda each: each.get("state") != "SUCCEEDED")  # else the newest one, which may be at work
    run_id = mine[0]["run_id"]
    ended = await lab.time.eventually(
        lambda: lab.platform.pipelines.run(run_id), lab.platform.pipelines.over,
        expected=wanted, shown=progress, within=_ENDED_WITHIN,
    )  # fmt: skip
    left = await record(lab, run_id)
    good = ended.value.get("state") == "SUCCEEDED"
    expect(Observation(good, wanted, progress(ended.value, left), evidence=tuple(left.failure))).because(
        "its page in lab open pipelines shows what the step printed"
    )
    logged = [dict(each.metadata) for each in left.artifacts.values() if "trees" in each.metadata]
    expect(observe("trees that the step has logged", logged[0]["trees"] if logged else None, equal_to(D.more))).because(
        "the pipeline is right as it is; upload what ./retrain.py compiles"
    )
