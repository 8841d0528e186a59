"""What a panel shows, against what it must show of the checker's airlines."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from mlops_lab.checks import Lab, Observation, expect

from .scenario import dashboard, injected
from .shown import Shown, ask
from .truth import BUDGET, MONEY, Known, Values, Wanted
from .world import SPAN, World

TOLERANCE = 0.01


async def right(
    lab: Lab, wanted: Wanted, why: str, known: Callable[[World], Known] | None = None, *, span: int = SPAN
) -> None:
    """Hold a panel against the truth, for one airline and for two.

    Args:
        known: gives wrong numbers for one airline that say how they were made, with what to say then.
        why: what to say otherwise.
    """
    board, world = await lab.once(dashboard), await lab.once(injected)
    over = f" in {span // 60} minutes" if wanted in (MONEY, BUDGET) else ""
    for airlines, whose in ((world.airlines[:1], "one airline"), (world.airlines[:2], "two airlines")):
        shown = await ask(lab, board, wanted, airlines, world, span=span)
        values, reason = [value for _, value in shown.found], why
        if known and len(values) == 1 == len(airlines):
            known_as = (text for value, text in known(world) if near(values[0], value) or near(values[0], value * 100))
            reason = next(known_as, why)
        if len(values) > 1 and not wanted.by:
            reason = (
                f"{len(values)} series where a reader wants one number: some label is left to tell them apart. {why}"
            )
        expect(compared(wanted, shown, wanted.truth(world, airlines, span), f"{whose}{over}")).because(reason)


def compared(wanted: Wanted, shown: Shown, truth: Values, whose: str) -> Observation:
    """The numbers of a panel, in a unit that fits."""
    good = len(shown.found) == len(truth) and scale_of(wanted, shown.by(wanted.by), truth) is not None
    expected = f"{wanted.title}, {whose}: {in_words(truth)} ({next(iter(wanted.units))})"
    return Observation(good, expected, str(shown), None, () if good else shown.sent)


def in_words(values: Values, scale: float = 1.0) -> str:
    """Numbers as a reader sees them."""
    return ", ".join(f"{name} {value * scale:.5g}".strip() for name, value in values.items())


def scale_of(wanted: Wanted, values: Values, truth: Values) -> float | None:
    """What the true numbers are multiplied by to be these, in a unit that fits; None if in none."""
    if set(values) != set(truth):
        return None
    fits = (
        scale
        for scale in dict.fromkeys(wanted.units.values())
        if all(near(values[name], value * scale) for name, value in truth.items())
    )
    return next(fits, None)


def near(one: float, other: float) -> bool:
    """Are two numbers the same, for a reader?"""
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=1e-9)


def has_data(wanted: Wanted, shown: Shown, whose: str) -> Observation:
    """Whether a panel shows anything."""
    there = bool(shown.found) and not shown.error
    return Observation(there, f"{wanted.title}: data for {whose}", str(shown), None, () if there else shown.sent)


def differs(wanted: Wanted, one: Shown, two: Shown, what: str) -> Observation:
    """Whether another choice shows other data."""
    same = one.same(two)
    seen = f"{one} in both" if same else "other data"
    return Observation(not same, f"{wanted.title}: other data for another {what}", seen, None, one.sent if same else ())


def once(wanted: Wanted, repeated: str) -> Observation:
    """Whether a panel is there once, whatever is chosen."""
    seen = f"repeated for each {repeated}" if repeated else "it is"
    return Observation(not repeated, f"{wanted.title}: one panel, whatever is chosen", seen)


def offers(name: str, wanted: Sequence[str], offered: Sequence[str]) -> Observation:
    """Whether a variable offers some values."""
    there = f"{', '.join(offered[:8])}{', ...' * (len(offered) > 8)}" or "nothing"
    return Observation(set(wanted) <= set(offered), f"{name} offers {', '.join(wanted)}", f"it offers {there}")
