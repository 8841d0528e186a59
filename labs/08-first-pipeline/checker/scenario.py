"""The learner's pipeline compiled, and its runs: with the days of the task, again, and with something changed."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from mlops_lab.checks import Lab, Observation, absent, expect
from mlops_lab.kit import sandbox, scores
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.learner_pipelines import followed, started
from mlops_lab.kit.pipeline_runs import progress

from .apart import some_days_later, texts, without_days
from .parameters import TYPED
from .run import EACH, Plain, Run

PROGRAM, PACKAGE = "pipeline.py", "pipeline.yaml"
HERE = Path(__file__).parent
# Saturdays of the first months: flights go then to where none goes from Sunday to Friday. On 9 February it snowed.
SATURDAYS = [day for week in range(12) if (day := date(2013, 1, 5) + timedelta(weeks=week)) != date(2013, 2, 9)]
# With flights that have gaps in their weather: none of the first days is.
GAPS_BEFORE = (date(2013, 1, 1), date(2013, 1, 6), date(2013, 2, 20), date(2013, 2, 22), date(2013, 3, 27))
# The other days: from September, which as a text comes after October, over all of that to flights with gaps.
AUTUMN, GAPS = date(2013, 10, 1), date(2013, 11, 2)
FIRST_HELD_OUT, OTHER_HELD_OUT = (2, 4), (3, 5)  # first not that of the README; then so many that a month ends in them
FIRST_SEED = 0  # which is taken for none by who asks `if seed`
COMPILED_WITHIN = 60  # s
# Time zones that lie 26 hours apart: it is never the same day in both.
ZONE, AHEAD = "WEST+12", "EAST-14"
RUN_WITHIN, CACHED_WITHIN = 240, 120  # s for a run, and for one of which no step runs
SCORED_WITHIN = 180  # s for the checker's own pod
ANSWERED_WITHIN = 30  # s of its own that the Model may take for one answer
LOAD, HELD_OUT = ("load",), ("probabilities", "held_out")
SOME, ONE, WITH_GAPS = (*HELD_OUT, str(EACH)), (*HELD_OUT, "one"), (*HELD_OUT, "gaps")
QUESTIONS = (LOAD, HELD_OUT, SOME, ONE, ("probabilities", "rows"), ("params",))


async def compiled(lab: Lab, zone: str = ZONE) -> Plain:
    """Run the program in the workspace, and read what it wrote; the time zone is as in the variable TZ."""
    await lab.platform.pipelines.ask("GET", "healthz")  # where nothing can run, nothing is judged
    with lab.work.copy(without=PACKAGE) as copy:
        done = await copy.command(PROGRAM, within=COMPILED_WITHIN, env={"TZ": zone})
        spec = copy.pipeline(PACKAGE) if done.code == 0 else {}
    how = f"stopped after {done.seconds:.0f} s" if done.code is None else f"exit code {done.code}"
    expect(
        Observation(done.code == 0, f"./{PROGRAM}: exit code 0 within {COMPILED_WITHIN} s", how, None,
                    tuple(line[:200] for line in done.output.splitlines()[-6:]))
    ).because(
        "it compiles the pipeline and needs neither cluster nor data for that. The compiler's message names the "
        "component and what is wrong with it"
    )  # fmt: skip
    return spec


async def first(lab: Lab) -> Run:
    """A run with days that are drawn, and the seed 0.

    Where an earlier check has drawn the same days, its steps may come from the cache.
    """
    arguments = first_days(drawn(lab, "first days")) | {"seed": FIRST_SEED}
    return await run_of(lab, await lab.once(compiled), arguments, RUN_WITHIN)


async def again(lab: Lab) -> Run:
    """The same, compiled anew as if on another day."""
    before = await lab.once(first)
    spec = some_days_later(await compiled(lab, AHEAD), texts(lab.work.folder, PACKAGE))
    return await run_of(lab, spec, before.arguments, CACHED_WITHIN)


async def other_seed(lab: Lab) -> Run:
    """The same days with another seed, and only `prepare` finds the days' files."""
    before = await lab.once(first)
    spec = without_days(await lab.once(compiled))
    return await run_of(lab, spec, before.arguments | new_seed(), RUN_WITHIN)


async def other_days(lab: Lab) -> Run:
    """Other days, and a seed that nobody has had before: with one that had these days, its steps would be cached."""
    changed = days_of_three_months(drawn(lab, "other days")) | new_seed()
    return await run_of(lab, await lab.once(compiled), changed, RUN_WITHIN)


def first_days(draw: random.Random) -> Plain:
    """Days of one month: up to a Friday, and from Saturday on the held-out ones, which fly to new places."""
    learnt, held_out = draw.randint(4, 6), draw.choice(FIRST_HELD_OUT)
    ends = [(day - timedelta(learnt), day + timedelta(held_out - 1)) for day in SATURDAYS]
    begin, end = draw.choice([
        (begin, end)
        for begin, end in ends
        if begin.month == end.month and not any(begin <= each <= end for each in GAPS_BEFORE)
    ])  # fmt: skip
    return {"first_day": str(begin), "last_day": str(end), "held_out_days": held_out}


def days_of_three_months(draw: random.Random) -> Plain:
    """Days from the last ones of September to the first of November: 31 October and flights with gaps are held out."""
    held_out = draw.choice(OTHER_HELD_OUT)
    begin, end = AUTUMN - timedelta(draw.randint(1, 4)), GAPS + timedelta(draw.randrange(held_out - 2))
    return {"first_day": str(begin), "last_day": str(end), "held_out_days": held_out}


def new_seed() -> Plain:
    """A seed that no run has had, not one of this run's draws: drawn again, KFP would have its steps in the cache."""
    return {"seed": random.SystemRandom().randrange(2**31)}


async def run_of(lab: Lab, spec: Plain, arguments: Plain, within: float) -> Run:
    """Start a run and follow it to its end."""
    run_id = await started(
        lab, spec, arguments, takes=", ".join(f"{name}={value!r}" for name, value in arguments.items()),
        why=TYPED,
    )  # fmt: skip
    ended, left = await followed(lab, run_id, within=within)
    if ended.value.get("state") != "SUCCEEDED":
        ended = absent(f"a run succeeds within {within:g} s", progress(ended.value, left), evidence=left.failure)
    return Run(arguments, ended, left)


async def first_content(lab: Lab) -> Plain:
    """What is in the first run's Datasets, and how good its Model is on each."""
    return await contents(lab, await lab.once(first), questions=QUESTIONS)


async def contents(lab: Lab, run: Run, *, questions: Sequence[Sequence[str]] = ()) -> Plain:
    """What is in a run's Datasets, and with questions what its Model answers in the sandbox, scored here."""
    wanted = {
        "data": {
            name: {"url": run.left.artifacts[run.made("prepare", "Dataset", name)[0]].url, "days": days}
            for name, days in run.days.items()
        },
        "model": run.left.artifacts[run.made("train", "Model")[0]].url if questions else "",
    }
    asked = await sandbox.asked(
        lab, HERE / "driver.py", questions=questions, prepare=HERE / "prepare.py",
        settings={"ARTIFACTS": json.dumps(wanted)}, hides=("/data",),
        each_within=ANSWERED_WITHIN, within=SCORED_WITHIN,
    )  # fmt: skip
    found: Plain = asked.prepared["data"]
    if not questions:
        return found
    answers = {" ".join(question): said for question, said in zip(questions, asked.answers, strict=True)}
    trouble = asked.prepared.get("error") or answers["load"].get("error")
    for name in wanted["data"]:
        said = {"error": trouble} if trouble else answers.get(f"probabilities {name}")
        if said is not None:
            found[name]["score"] = scores.scored(said, asked.prepared.get("labels", {}).get(name, ""))
            found[name]["said"] = said
            some = [each for each in questions if tuple(each[:2]) == ("probabilities", name) and len(each) > 2]
            found[name]["some"] = answers[" ".join(some[0])] if some else None
            found[name]["one"] = answers.get(f"probabilities {name} one")
    return found | {"params": {"error": trouble} if trouble else answers.get("params", {})}


async def seeded(lab: Lab) -> Plain:
    """What the Model of the run with another seed answers for `held_out`, and its parameters."""
    return await contents(lab, await lab.once(other_seed), questions=(LOAD, HELD_OUT, ("params",)))


async def other_content(lab: Lab) -> Plain:
    """What is in the Datasets of the run with other days, and how good its Model is on what it holds out."""
    return await contents(lab, await lab.once(other_days), questions=(LOAD, HELD_OUT, WITH_GAPS))
