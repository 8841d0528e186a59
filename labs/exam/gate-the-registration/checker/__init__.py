"""The checks."""

from mlops_lab.checks import Observation, check, equal_to, expect, holds, observe
from mlops_lab.kit.prerequisites import must
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .scenario import NEVER_RAN, runs

D = drawn(Drawn, __file__)


@check(points=2)
async def keeps_out_what_is_worse(lab: TaskLab) -> None:
    """A run whose metric is below the bound ends well, and registers nothing."""
    run = (await lab.once(runs))["below"]
    expect(run.ended).because("the steps' logs are in lab open pipelines; a model that is not good is no failure")
    expect(observe(f"versions registered with {D.below}", run.registered, equal_to(0))).because(
        "the pipeline's function runs when it is compiled, before there is any metric: a condition on an output is "
        "dsl.If, in whose block are the steps that depend on it. What counts is the output of evaluate: in this run it "
        f"returned {D.below}, though quality was {D.better}"
    )
    judged = run.left.steps.get("evaluate")
    how = judged.state if judged else "not there"
    expect(Observation(how == "SUCCEEDED", "evaluate has succeeded", f"evaluate: {how}")).because("the steps stay")
    ran = [
        f"{each.name}: {each.state}"
        for each in run.left.steps.values()
        if each.name.rstrip("-0123456789") == "register" and each.state not in NEVER_RAN
    ]
    expect(holds(not ran, "register has not run", ", ".join(ran))).because(
        "the pipeline decides whether a step runs; one that looks at the metric by itself has run, and has succeeded, "
        "though it has registered nothing"
    )


@check(points=3, needs=keeps_out_what_is_worse)
async def registers_what_is_good(lab: TaskLab) -> None:
    """Each run whose metric is above the bound, or meets it exactly, registers one version, with that metric."""
    found = await lab.once(runs)
    must(holds(found["bound"].there, "a step register", "there is none"), "the steps stay as they are")
    seen = holds(not found["bound"].cached, "register never comes from the cache", "it may come from the cache")
    expect(seen).because(
        "a step that has run with the same values before is not run again, so that a model that is just as good as one "
        "before is not registered; set_caching_options(False) is the step's own, and was there"
    )
    for name, metric in (("above", D.above), ("bound", D.bound)):
        run = found[name]
        expect(run.ended).because("the steps' logs are in lab open pipelines")
        expect(observe(f"versions registered with {metric}", run.registered, equal_to(1))).because(
            f"at least {D.bound} is {D.bound} or more; each run that is good enough registers its model once, with "
            "what evaluate returned"
        )
