"""Item analysis: how each check of a lab did with a class, and whether it tells strong learners from weak ones."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import StatisticsError, correlation

from mlops_lab.classroom.chain import Check, Result

_JUDGED = ("pass", "fail")
_SEEN = 3  # of what was seen most often
_FEWEST = 10  # learners, below which a correlation says little
# Ebel's rule of thumb for the discrimination of an item (Essentials of Educational Measurement, 1972): 0.40 and more
# very good, 0.30 to 0.39 reasonably good, 0.20 to 0.29 marginal, below poor.
_GOOD, _MARGINAL = 0.30, 0.20
_NUMBER = re.compile(r"\d[\d.,:]*")


@dataclass(frozen=True)
class Seen:
    """What was seen when a check failed.

    Attributes:
        text: as it was seen most often; numbers in it differ between failures that are counted together.
        times: in how many failures.
    """

    text: str
    times: int


@dataclass(frozen=True)
class Item:
    """What a class did with one check.

    Attributes:
        lab, check: which.
        points: what it is worth.
        tried: learners for whom it passed or failed at least once; an error of the environment, or a check that waits
            for another, says nothing.
        passed: of these, those for whom it passed at least once.
        at_attempt: for each submission's number, how many learners passed it for the first time with that one.
        seen: what was seen most often when it failed, in all submissions.
        difficulty: the share of learners for whom it passed in the first submission that judged it; the larger, the
            easier. None if nobody tried.
        discrimination: see `discrimination`; None where it is not defined.
        tells: `well`, `little`, `not` (or the wrong way round), `too few` learners to say, or `all alike` where
            everybody passed or failed.
    """

    lab: str
    check: str
    points: int
    tried: int
    passed: int
    at_attempt: dict[int, int]
    seen: tuple[Seen, ...]
    difficulty: float | None
    discrimination: float | None
    tells: str


def items(results: Iterable[Result]) -> list[Item]:
    """One item for each check of each lab that results have, by lab and in the order of the lab's report."""
    of: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        of[result.lab].append(result)
    found: list[Item] = []
    for lab in sorted(of):
        own = sorted(of[lab], key=lambda each: (each.learner, each.number))
        newest = max(own, key=lambda each: each.at)
        others = {check.check: check.points for result in own for check in result.checks}
        points = {check.check: check.points for check in newest.checks}
        found += [_item(lab, name, worth, own) for name, worth in {**points, **others, **points}.items()]
    return found


def discrimination(pairs: Sequence[tuple[bool, float]]) -> float | None:
    """Whether those who pass a check are those who do well otherwise: the corrected point-biserial correlation.

    It is Pearson's r between the item (1 or 0) and the rest score, which is the total without that item: with the item
    in it the total would correlate with itself (S. Henrysson, Correction of item-total correlations in item analysis,
    Psychometrika 28, 1963, 211-218):

        r = sum((x - mean(x)) * (y - mean(y))) / sqrt(sum((x - mean(x))^2) * sum((y - mean(y))^2))

    Args:
        pairs: for each learner whether the check passed, and the rest score.

    Returns:
        -1 to 1; None for fewer than three learners, or where all have the same item or the same rest score.
    """
    if len(pairs) < 3:
        return None
    try:
        return correlation([float(passed) for passed, _ in pairs], [rest for _, rest in pairs])
    except StatisticsError:
        return None


def _item(lab: str, name: str, points: int, results: Sequence[Result]) -> Item:
    first: dict[str, tuple[bool, float]] = {}
    passes: dict[str, int] = {}
    failures: list[str] = []
    for result in results:
        check = _judged(result, name)
        if check is None:
            continue
        passed = check.verdict == "pass"
        first.setdefault(result.learner, (passed, _rest(result, name)))
        if passed:
            passes.setdefault(result.learner, result.number)
        else:
            failures.append(check.seen)
    pairs = list(first.values())
    share = sum(passed for passed, _ in pairs) / len(pairs) if pairs else None
    corrected = discrimination(pairs)
    return Item(
        lab, name, points, len(pairs), len(passes), dict(sorted(Counter(passes.values()).items())), _most(failures),
        share, corrected, _tells(len(pairs), share, corrected),
    )  # fmt: skip


def _judged(result: Result, name: str) -> Check | None:
    return next((each for each in result.checks if each.check == name and each.verdict in _JUDGED), None)


def _rest(result: Result, name: str) -> float:
    """The share of points that the other checks of a submission earned; what the environment spoilt is left out."""
    others = [each for each in result.checks if each.check != name and each.verdict != "error"]
    possible = sum(each.points for each in others)
    return sum(each.earned for each in others) / possible if possible else 0.0


def _most(failures: Sequence[str]) -> tuple[Seen, ...]:
    """What failures have in common but for numbers, by how often, each in its most frequent words."""
    alike: dict[str, Counter[str]] = defaultdict(Counter)
    for text in filter(None, failures):
        alike[_NUMBER.sub("0", text)][text] += 1
    groups = sorted(alike.values(), key=lambda each: (-each.total(), min(each)))
    return tuple(Seen(group.most_common(1)[0][0], group.total()) for group in groups[:_SEEN])


def _tells(tried: int, share: float | None, corrected: float | None) -> str:
    if tried < _FEWEST:
        return "too few"
    if share in (0.0, 1.0) or corrected is None:
        return "all alike"
    return "well" if corrected >= _GOOD else "little" if corrected >= _MARGINAL else "not"
