"""The threshold in the ConfigMap, and whether the service goes by it."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Sequence

from mlops_lab.checks import Lab, Observation
from mlops_lab.measure.traffic.http import Answer

from .keys import answered, read_keys
from .sync import FOLLOWED_WITHIN, in_force

SETTINGS, THRESHOLD = "settings", "threshold"


async def judged_by(
    lab: Lab, own: Sequence[float], threshold: float, *, within: float = FOLLOWED_WITHIN
) -> Observation:
    """Whether `late` is right by a threshold, in 6 answers at once, so that more than one pod is asked.

    Args:
        own: the model's probabilities for the hidden flights.
        within: seconds.
    """
    key, body = (await lab.once(read_keys)).current, lab.traffic.hidden_rows(len(own)).body
    wanted = [None if abs(value - threshold) < 1e-9 else value >= threshold for value in own]

    async def look() -> list[str]:
        return [wrong_in(each, wanted) for each in await asyncio.gather(*(answered(lab, body, key) for _ in range(6)))]

    return await in_force(
        lab,
        look,
        lambda seen: not any(seen),
        expected=f"`late` is true from {threshold:g} on",
        shown=lambda seen: next(filter(None, seen), f"right for {len(own)} flights"),
        within=within,
    )


def wrong_in(answer: Answer, wanted: Sequence[bool | None]) -> str:
    """What is wrong with an answer's `late`; empty if nothing.

    Args:
        wanted: for each flight; None where either is right.
    """
    if answer.status != 200:
        return f"status {answer.status}" if answer.status else f"no answer: {answer.error}"
    late = answer.fields_if_any.get("late")
    if not isinstance(late, list) or len(late) != len(wanted) or not all(isinstance(one, bool) for one in late):
        return f"`late` is not {len(wanted)} times true or false"
    bad = sum(right is not None and one != right for one, right in zip(late, wanted, strict=True))
    return f"wrong for {bad} of {len(wanted)} flights" if bad else ""


def other_threshold(own: Sequence[float], now: float) -> str:
    """One that turns the verdict on 8 flights or more, and is no flight's probability."""
    between = [(low + high) / 2 for low, high in itertools.pairwise(sorted(set(own))) if high - low > 1e-3]
    far = [each for each in between if sum((one >= each) != (one >= now) for one in own) >= 8]
    return f"{secrets.choice(far):.5f}"


def number(text: object) -> float | None:
    """A plain number from a ConfigMap's text, or None."""
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if abs(value) < 1e9 else None
