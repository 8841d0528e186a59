"""The first run's Model made anew, of the same rows and with the same seed: what else was it made of?"""

from __future__ import annotations

from mlops_lab.checks import Lab, Observation
from mlops_lab.measure.traffic.flights import difference, numbers

from .apart import uncached, without_days
from .run import Plain, outputs
from .scenario import HELD_OUT, LOAD, RUN_WITHIN, compiled, contents, first, first_content, run_of

# Of probabilities, the largest difference of one flight. Days' files from which no more than categories are taken move
# those of the few flights to new destinations, by 0.015 and more; what only computes in another order moves all by less
# than the second.
ANOTHER, STEADY = 0.01, 0.001


async def knows_only_rows(lab: Lab) -> Observation:
    """Whether the first run's `train` makes the same Model where no days' files are.

    One that draws by chance and not by the seed, such as an encoder without one, proves nothing: it is made once more
    with the files and without them, and only where both are as they were before was it the files.
    """
    whole, with_files = await lab.once(compiled), (await lab.once(first_content))["held_out"]["said"]
    without = await made_anew(lab, without_days(whole))
    found = distance(with_files, without)
    another = found is not None and found > ANOTHER
    if another:
        steady = (
            distance(without, await made_anew(lab, without_days(whole))),
            distance(with_files, await made_anew(lab, whole)),
        )
        another = all(each is not None and each <= STEADY for each in steady)
    return Observation(
        not another,
        "the first run's Model is made of rows alone: made anew without days' files at hand it is the same",
        f"another one: for a flight of held_out its probability is {found:.3f} away"
        if another
        else "nothing else was found",
    )


async def made_anew(lab: Lab, spec: Plain) -> Plain:
    """What the Model says of `held_out` that a pipeline's `train` makes of the first run's arguments."""
    run = await run_of(lab, uncached(spec), (await lab.once(first)).arguments, RUN_WITHIN)
    if not run.ended.ok or not outputs(run).ok:
        return {}
    said: Plain = (await contents(lab, run, questions=(LOAD, HELD_OUT)))["held_out"]["said"]
    return said


def distance(one: Plain, other: Plain) -> float | None:
    """The largest difference between two Models' probabilities for the same flight; None if they can't be compared."""
    wanted = numbers(other.get("values"))
    return difference(one.get("values"), wanted) if wanted else None
