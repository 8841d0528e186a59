"""The threshold in the ConfigMap, and whether the service goes by it."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.restore import put_back
from mlops_lab.measure.traffic.flights import numbers
from mlops_lab.measure.traffic.http import Answer

from .keys import answered, load, read_keys
from .scenario import BACK_WITHIN, BEFORE, all_answered
from .sync import FOLLOWED_WITHIN, in_force

SETTINGS, THRESHOLD = "settings", "threshold"
FLIGHTS = 40
NONE = ("0", "0.0")  # from which on each flight is late
ONE = ("1", "1.0")  # from which on hardly any is
EACH = 10  # answers at once for each pod: with so many none of them is left out
NEAR = 1e-9  # two values of the model that are the same but for how they were added up
ABOVE = (3e-6, 3e-5)  # a flight's probability: further than an answer may be away from it, and nearer than who rounds
ROUNDED = (2, 3, 4)  # decimals


@dataclass(frozen=True)
class Changed:
    """What five changes of the threshold brought about: to another one, to one just above a flight, to 0, 1, and back.

    Attributes:
        text, above: the other one, and the one just above a flight's probability, as the ConfigMap had them.
        followed, to_the_digit: whether every pod went by these in time.
        down_to_none, up_to_one, followed_again: then by 0, by 1, and by the old one.
        lost: whether all requests were answered meanwhile.
    """

    text: str
    above: str
    followed: Observation
    to_the_digit: Observation
    down_to_none: Observation
    up_to_one: Observation
    followed_again: Observation
    lost: Observation


async def changed(lab: Lab) -> Changed:
    """Put another threshold into the ConfigMap, one just above a flight's probability, 0, 1, and the old one again."""
    key, hidden = (await lab.once(read_keys)).current, lab.traffic.hidden_rows(FLIGHTS)
    settings, own = await lab.objects.named("ConfigMap", SETTINGS).present(), hidden.probabilities("v1")
    now = number((settings.get("data") or {}).get(THRESHOLD)) or 0.0
    served = numbers((await answered(lab, hidden.body, key)).fields_if_any.get("probabilities")) or []
    new = other_threshold(own, served, now)
    above = just_above(own, float(new))
    async with load(lab, key, duration=BEFORE + 5 * FOLLOWED_WITHIN + 30) as requests:
        await lab.time.pause(BEFORE)
        try:
            seen: list[Observation] = []
            for text in (new, above, secrets.choice(NONE), secrets.choice(ONE)):
                await lab.objects.patch("ConfigMap", SETTINGS, {"data": {THRESHOLD: text}})
                seen.append(await judged_by(lab, own, float(text)))
                if not seen[-1].ok:
                    break
        finally:
            await put_back(lab, settings)
        # Where the way forth was no success, nothing more is judged.
        well = seen[-1].ok
        again = await judged_by(lab, own, now, within=FOLLOWED_WITHIN if well else BACK_WITHIN)
    # Where one was not followed, so are those after it.
    followed, exact, none, one, back = [*seen, again if well else seen[-1], *[seen[-1]] * 3][:5]
    return Changed(new, above, followed, exact, none, one, back, all_answered(requests.report))


async def judged_by(
    lab: Lab, own: Sequence[float], threshold: float, *, within: float = FOLLOWED_WITHIN
) -> Observation:
    """Whether `late` is right by a threshold, in so many answers at once that every pod is asked.

    Args:
        own: the model's probabilities for the hidden flights.
        within: seconds.
    """
    key, body = (await lab.once(read_keys)).current, lab.traffic.hidden_rows(len(own)).body

    async def look() -> list[str]:
        many = EACH * max(1, len(await lab.objects.pods_of("model")))
        answers = await asyncio.gather(*(answered(lab, body, key) for _ in range(many)))
        return [wrong_in(each, own, threshold) for each in answers]

    return await in_force(
        lab,
        look,
        lambda seen: not any(seen),
        expected=f"`late` is true from {threshold:.9g} on",
        shown=lambda seen: next(filter(None, seen), f"right for {len(own)} flights"),
        within=within,
    )


def wrong_in(answer: Answer, own: Sequence[float], threshold: float) -> str:
    """What is wrong with an answer's `late`; empty if nothing.

    A flight whose probability is the threshold itself, to the last digit, is late; where a server shows another digit
    than the model has, either is right.

    Args:
        own: the model's probabilities for these flights.
    """
    if answer.status != 200:
        return f"status {answer.status}" if answer.status else f"no answer: {answer.error}"
    late, given = answer.fields_if_any.get("late"), numbers(answer.fields_if_any.get("probabilities")) or []
    if not isinstance(late, list) or len(late) != len(own) or not all(isinstance(one, bool) for one in late):
        return f"`late` is not {len(own)} times true or false"
    exact = [one == threshold for one in given] if len(given) == len(own) else [False] * len(own)
    bad = ties = 0
    for says, value, same in zip(late, own, exact, strict=True):
        if abs(value - threshold) < NEAR:
            ties += same and not says
        else:
            bad += says != (value >= threshold)
    if bad:
        return f"wrong for {bad} of {len(own)} flights"
    return f"false for a flight whose probability is {threshold!r}, the threshold itself" if ties else ""


def other_threshold(own: Sequence[float], served: Sequence[float], now: float) -> str:
    """One that turns the verdict on 8 flights or more; if it can be, the probability that is served for a flight."""
    far = [one for one in between(own) if turns(own, one, now) >= 8]
    same = [said for said, one in zip(served, own, strict=False) if abs(said - one) < NEAR]
    ties = [one for one in same if turns(own, one, now) >= 8]
    return repr(secrets.choice(ties)) if ties else f"{secrets.choice(far):.5f}"


def just_above(own: Sequence[float], before: float) -> str:
    """One just above a flight's probability, so that both are the same to who rounds; not so near to any other.

    Args:
        before: the threshold before it, by which four flights or more were judged otherwise, if there is such a one.
    """
    draw = secrets.SystemRandom()
    hair = draw.uniform(*ABOVE)
    # As the ConfigMap will have it.
    pairs = [(one, round(one + hair, 8)) for one in own if one + hair < 1]
    clear = [(one, new) for one, new in pairs if all(abs(each - new) > ABOVE[0] / 2 for each in own)]
    alike = [(one, new) for one, new in clear if all(round(one, many) == round(new, many) for many in ROUNDED)]
    far = [(one, new) for one, new in alike if turns(own, new, before) >= 4]
    chosen = draw.choice(far or alike or clear or pairs)[1] if pairs else before
    return f"{chosen:.8f}".rstrip("0")


def between(own: Sequence[float]) -> list[float]:
    """Numbers that are no flight's probability."""
    return [(low + high) / 2 for low, high in itertools.pairwise(sorted(set(own))) if high - low > 1e-3]


def turns(own: Sequence[float], new: float, now: float) -> int:
    """On how many flights another threshold turns the verdict."""
    return sum((one >= new) != (one >= now) for one in own)


def number(text: object) -> float | None:
    """A plain number from a ConfigMap's text, or None."""
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if abs(value) < 1e9 else None
