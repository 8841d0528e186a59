"""The checks."""

from mlops_lab.checks import Observation, check, equal_to, expect, observe
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .scenario import FETCH, PUBLISH, runs

D = drawn(Drawn, __file__)
_TRIES = D.retries + 1


@check(points=2)
async def tries_the_source_again(lab: TaskLab) -> None:
    """Where the Service fails as often as may be, the last try gets the rows, and `fetch` has succeeded."""
    run = (await lab.once(runs))["unpublished"]
    tries = observe(f"requests for rows, {D.retries} of which fail", run.asked.get("rows"), equal_to(_TRIES))
    expect(tries).because("a task is tried once, unless the pipeline says how often it may be tried again")
    state = run.step(FETCH)
    expect(Observation(state == "SUCCEEDED", "fetch has succeeded", f"fetch: {state}", evidence=run.lines)).because(
        "its last try got the rows: what it does with them stays as it was"
    )


@check(points=1, needs=tries_the_source_again)
async def gives_up_in_the_end(lab: TaskLab) -> None:
    """Where the Service fails once more than that, the run fails, and nothing is published."""
    run = (await lab.once(runs))["too_often"]
    expect(observe("requests for rows, all of which fail", run.asked.get("rows"), equal_to(_TRIES))).because(
        "the first try is none of those that are in addition to it"
    )
    expect(observe("the run", run.state, equal_to("FAILED"))).because("there are no rows to go on with")
    expect(observe("requests to publish", run.asked.get("published"), equal_to(0))).because(
        "publish gets what fetch returns, so it waits for that; leave it so"
    )


@check(points=2, needs=tries_the_source_again)
async def publishes_once(lab: TaskLab) -> None:
    """Where publishing fails it was tried once, and the run has failed."""
    run = (await lab.once(runs))["unpublished"]
    expect(observe("requests to publish, all of which fail", run.asked.get("published"), equal_to(1))).because(
        "a step that is tried again does again what it had done before it failed; only one that may be repeated gets "
        "a retry, and that is set for each task by itself"
    )
    expect(observe("the run", run.state, equal_to("FAILED"))).because("a batch that nobody has got is no success")
    state = run.step(PUBLISH)
    expect(observe("publish", state, equal_to("FAILED"))).because("what fails must be seen to have failed")
