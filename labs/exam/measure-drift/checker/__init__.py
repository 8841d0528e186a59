"""The checks."""

from mlops_lab.checks import Observation, check, equal_to, expect, observe
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .samples import of_columns
from .tries import furthest, given, tried

D = drawn(Drawn, __file__)


@check(points=3)
async def measures(lab: TaskLab) -> None:
    """`./drift` gives the PSI of each column, of 25,000 rows without missing values and without ties, to 1e-6."""
    found = await tried(lab, of_columns(lab, "plain"))
    expect(furthest(found, "without ties")).because(
        "cuts are quantiles of the reference alone, and shares are parts of all rows of a sample"
    )


@check(points=2, needs=measures)
async def bears_what_is_missing(lab: TaskLab) -> None:
    """So it does where values are missing, are 0, equal a cut, lie far off, or leave bins nearly empty."""
    for kind, told, why in (
        (
            "missing",
            "with missing values, and with some that are 0",
            "missing values are no part of the quantiles, and a bin of their own, also where the reference has none; "
            "0 is a value like any other",
        ),
        (
            "ties",
            "of few values",
            "a value that equals a cut is in the bin below it; equal cuts have an empty bin between them",
        ),
        (
            "outside",
            "with values far outside",
            "the lowest and the highest bin have no end, so that every value is in a bin",
        ),
        (
            "empty",
            "with empty bins",
            f"a share below {D.floor} counts as {D.floor}: without that the logarithm has no value",
        ),
        (
            "rare",
            "with one value of many in a bin",
            f"a share below {D.floor} counts as {D.floor}, and not only 0 does",
        ),
    ):
        found = await tried(lab, of_columns(lab, kind))
        expect(furthest(found, told)).because(why)


@check(points=1, needs=measures)
async def names_what_has_drifted(lab: TaskLab) -> None:
    """`drifted` has the columns whose PSI is over the limit, in the file's order, and no others."""
    found = await tried(lab, of_columns(lab, "limit"))
    wanted = [name for name, psi in found.wanted.items() if psi > D.limit]
    named = given(found.result, "drifted")
    seen = ", ".join(map(str, named)) if isinstance(named, list) else repr(named)[:80]
    expect(Observation(named == wanted, f"drifted: {', '.join(wanted)}", seen or "none")).because(
        f"a column has drifted if its PSI is more than {D.limit}, be it by little; the result names them in a list"
    )
    expect(observe("columns with a PSI", len(found.values), equal_to(len(found.wanted)))).because("each has one")
