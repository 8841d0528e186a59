"""What a decision must say: by the model, the application and the moment, computed here."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from itertools import pairwise
from random import Random

from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.flights import difference

from .bank import FEATURES, numbers_of, probability, score
from .loans import Model, applicant
from .shapley import explained

CLOSE, EXACT = 1e-6, 1e-9
LEAST, REASONS = 0.001, 3  # of a contribution that is a reason, and how many there are at most
APART = 0.0005  # by which contributions of whoever is asked about differ, so that their order is certain
CLOCKS = 60  # s by which two clocks may differ
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


@dataclass(frozen=True)
class Right:
    """The right answer."""

    score: float
    probability: float
    approved: bool
    base: float
    contributions: dict[str, float]

    @property
    def reasons(self) -> list[str]:
        """The features that speak for what was decided, the loudest first."""
        loud = {name: -value if self.approved else value for name, value in self.contributions.items()}
        return sorted((name for name in loud if loud[name] >= LEAST), key=loud.__getitem__, reverse=True)[:REASONS]

    @property
    def clear(self) -> bool:
        """Is the reasons' order beyond doubt, and which are among them?"""
        sizes = sorted((-each if self.approved else each) for each in self.contributions.values())
        apart = all(two - one >= APART for one, two in pairwise(sizes) if two >= LEAST / 2)
        return apart and not any(LEAST / 2 < each < LEAST * 2 for each in sizes)


def right(model: Model, application: Object, at: str, *, explains: bool = True) -> Right:
    """The right answer to an application at a moment.

    Args:
        explains: with base and contributions, which take a moment; without them they are empty.
    """
    row = numbers_of(application, at)
    log_odds = score(model.content, row)
    chance = probability(log_odds)
    base, values = (
        explained(partial(score, model.content), row, model.content["background"], FEATURES) if explains else (0.0, {})
    )
    return Right(log_odds, chance, chance < model.content["threshold"], base, values)


def wrong_in(said: Object, model: Model, wanted: Right, *, decision: str = "", at: str = "") -> str:
    """What of a decision is wrong, its reasons and contributions aside; empty if nothing is.

    Args:
        decision, at: of a record that was replayed.
    """
    for name, value in (("model", model.version), ("decision", decision), ("at", at), ("approved", wanted.approved)):
        if value != "" and (said.get(name) != value or isinstance(said.get(name), bool) != isinstance(value, bool)):
            return f"{name} {_shown(said.get(name))}, not {_shown(value)}"
    for name, number in (("score", wanted.score), ("probability", wanted.probability)):
        if not near(said.get(name), number, EXACT * max(1.0, abs(number))):
            return f"{name} {_shown(said.get(name))}, not {number:.9g}"
    return ""


def wrong_moment(at: str, began: float) -> str:
    """What is wrong with the time of a decision that was made just now; empty if nothing is.

    Args:
        began: when it was asked for, seconds since 1970.
    """
    if not _MOMENT.fullmatch(at):
        return f"at {at[:60]}: that is no moment in UTC, such as 2026-03-14T09:26:53Z"
    try:
        moment = datetime.fromisoformat(at).timestamp()
    except ValueError:
        return f"at {at[:60]}: there is no such moment"
    apart = max(began - moment, moment - time.time())
    return f"at {at}: {apart:.0f} s away from when it was decided" if apart > CLOCKS else ""


def unexplained(said: Object, wanted: Right) -> str:
    """What of base and contributions is wrong; empty if nothing is."""
    given = said.get("contributions")
    if not isinstance(given, dict) or set(given) != set(FEATURES):
        return f"contributions {_shown(given)}, not one for each of {', '.join(FEATURES)}"
    whole = [said.get("base"), *(given[name] for name in FEATURES)]
    if difference(whole, [0.0] * len(whole)) is None:
        return f"base and contributions that are not all numbers: {_shown(whole)}"
    if not near(sum(whole), wanted.score, EXACT * max(1.0, abs(wanted.score))):
        return f"base and contributions add up to {sum(whole):.9g}, the score is {wanted.score:.9g}"
    if not near(said.get("base"), wanted.base, CLOSE):
        return f"base {_shown(said.get('base'))}, not {wanted.base:.9g}"
    for name in FEATURES:
        if not near(given[name], wanted.contributions[name], CLOSE):
            return f"contribution of {name} {given[name]:.9g}, not {wanted.contributions[name]:.9g}"
    return ""


def unreasonable(said: Object, model: Model, wanted: Right) -> str:
    """What of the reasons is wrong; empty if nothing is."""
    given = said.get("reasons")
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        return f"reasons {_shown(given)}, not a list of objects"
    named = [each.get("feature") for each in given]
    if named != wanted.reasons:
        what = "approved" if wanted.approved else "declined"
        return f"{what} because of {_shown(named)}, not because of {', '.join(wanted.reasons)}"
    says = "lowers" if wanted.approved else "raises"
    words = model.content["words"]
    for each in given:
        text = each.get("text")
        if not isinstance(text, str) or not _holds(text, words[each["feature"]][says]):
            return f"text {_shown(text)} of {each['feature']}, without “{words[each['feature']][says]}”"
        others = [phrase for name in FEATURES for side, phrase in words[name].items()
                  if (name, side) != (each["feature"], says) and _holds(text, phrase)]  # fmt: skip
        if others:
            return f"text {_shown(text)} of {each['feature']} also says “{others[0]}”"
    return ""


def _holds(text: str, phrase: str) -> bool:
    """Does a text say that? A sentence may begin with it, in a capital letter."""
    return phrase.casefold() in text.casefold()


def near(value: object, wanted: float, within: float) -> bool:
    """Is it a number, and as good as that one?"""
    apart = difference([value], [wanted])
    return apart is not None and apart <= within


def both_sides(draw: Random, model: Model, count: int, at: str) -> list[Object]:
    """Applicants of whom half are nearest to the model's threshold, on both of its sides, and half are anybody."""
    crowd = [applicant(draw, date.fromisoformat(at[:10])) for _ in range(12 * count)]
    limit = model.content["threshold"]
    apart = {each["person"]: right(model, each, at, explains=False).probability - limit for each in crowd}
    known = [each for each in crowd if abs(apart[each["person"]]) > CLOSE]
    near_by = sorted(known, key=lambda each: abs(apart[each["person"]]))
    below = [each for each in near_by if apart[each["person"]] < 0][: count // 4]
    above = [each for each in near_by if apart[each["person"]] > 0][: count // 4]
    return [*below, *above, *crowd[: count - len(below) - len(above)]]


def picked(
    draw: Random, model: Model, count: int, at: str, test: Callable[[Right], bool] = lambda one: one.clear
) -> list[Object]:
    """Applicants whose right answers pass a test, as many approved as declined."""
    found: dict[bool, list[Object]] = {True: [], False: []}
    for _ in range(400):
        one = applicant(draw, date.fromisoformat(at[:10]))
        side = found[right(model, one, at, explains=False).approved]
        if len(side) < count // 2 and test(right(model, one, at)):
            side.append(one)
        if all(len(each) == count // 2 for each in found.values()):
            break
    return [*found[True], *found[False]]


def later(at: str, years: int) -> str:
    """The same moment some years on."""
    day = date.fromisoformat(at[:10])
    moved = (day - timedelta(day.day > 28 and day.month == 2)).replace(year=day.year + years)
    return moved.isoformat() + at[10:]


def _shown(value: object) -> str:
    return str(value)[:80]
