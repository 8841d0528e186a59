"""The checks."""

from mlops_lab.checks import Observation, check, equal_to, expect, holds, observe
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .scenario import NEVER_RAN, STEPS, failing_run, steps_as_given, wanted_run

D = drawn(Drawn, __file__)


@check(points=2)
async def ran_to_the_end(lab: TaskLab) -> None:
    """A run of the pipeline as it is now, with the wanted parameters, has succeeded with the three steps as given."""
    run = await wanted_run(lab, {"count": D.count, "limit": D.limit})
    expect(run.ended).because(
        "kfp run create --experiment-name ... --package-file pipeline.yaml count=... limit=... starts one; its page "
        "shows the log of each step. A run is of the pipeline.yaml that it was started with: after a change of "
        "pipeline.py, compile it, and run it again"
    )
    done = sorted(name for name in STEPS if name in run.left.steps and run.left.steps[name].state == "SUCCEEDED")
    expect(observe("steps that succeeded", ", ".join(done), equal_to(", ".join(STEPS)))).because(
        "the pipeline has three steps, whose names stay"
    )
    expect(await steps_as_given(lab)).because(
        "what was wrong is in the pipeline's function, where the steps are put together: with a step that does "
        "something else, has another value for a parameter or stands beside the three it is another pipeline"
    )


@check(points=2, needs=ran_to_the_end)
async def judges_what_was_held_out(lab: TaskLab) -> None:
    """In a run that the checker starts, `judge` reads the Dataset `held_out` of `collect`, and nothing else."""
    left = (await lab.once(failing_run)).left
    made = left.steps["collect"].outputs if "collect" in left.steps else {}
    names = {number: name for name, ids in made.items() for number in ids}
    ids = left.steps["judge"].inputs.values() if "judge" in left.steps else ()
    read = [names.get(number, "something else") for each in ids for number in each]
    expect(observe("what judge reads of collect", ", ".join(read) or "nothing", equal_to("held_out"))).because(
        "who judges by the rows that were learnt from finds out how well they are remembered"
    )


@check(points=2, needs=ran_to_the_end)
async def releases_what_was_judged(lab: TaskLab) -> None:
    """In that run `judge` fails, as its limit is below any delay: `release` does not run."""
    left = (await lab.once(failing_run)).left
    judged = left.steps["judge"].state if "judge" in left.steps else "not there"
    expect(Observation(judged == "FAILED", "judge fails where the limit is -1", f"judge: {judged}")).because(
        "judge fails when the mean is over the limit; leave it as it was"
    )
    released = left.steps["release"].state if "release" in left.steps else "PENDING"
    expect(holds(released in NEVER_RAN, "release has not run", f"release: {released}")).because(
        "no data flows from judge to release, so nothing makes it wait: .after(...) does, and what it waits for is the "
        "task that it names"
    )


@check(points=2, needs=ran_to_the_end)
async def collects_anew(lab: TaskLab) -> None:
    """In that run, whose `count` is that of the run before, `collect` has run and did not come from the cache."""
    left = (await lab.once(failing_run)).left
    seen = left.steps.get("collect")
    how = "not there" if seen is None else "from the cache" if seen.cached else f"it has run: {seen.state}"
    expect(
        Observation(bool(seen and not seen.cached and seen.state == "SUCCEEDED"), "collect runs again", how)
    ).because(
        "a step with the same inputs as before comes from the cache, unless its caching is off: what it would see now "
        "is no input, so KFP can't know that it has changed"
    )
