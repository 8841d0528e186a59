"""Item analysis: figures that were worked out by hand, and what they are of."""

from __future__ import annotations

import math
import random

import pytest

from mlops_lab.classroom.analysis import Item, Seen, discrimination, items
from tests.unit.classroom.made import result


def one(results: list[object], check: str, lab: str = "10") -> Item:
    return next(each for each in items(results) if (each.lab, each.check) == (lab, check))  # type: ignore[arg-type]


def test_discrimination_is_the_correlation_with_the_rest_score() -> None:
    # Item 1 1 1 0 0, rest 4 3 3 2 1: means 0.6 and 2.6; sums of products 2.2, of squares 1.2 and 5.2.
    pairs = [(True, 4.0), (True, 3.0), (True, 3.0), (False, 2.0), (False, 1.0)]
    assert discrimination(pairs) == pytest.approx(2.2 / math.sqrt(1.2 * 5.2))
    assert discrimination([(not passed, rest) for passed, rest in pairs]) == pytest.approx(-2.2 / math.sqrt(1.2 * 5.2))


def test_the_rest_score_is_without_the_check_itself_and_of_the_first_submission() -> None:
    # Check a 1 0 1 0, the share of b and c 1, 1, 1/2, 0; with a in it the correlation would be larger.
    firsts = ["ppp", "fpp", "pfp", "fff"]
    results = [result(f"l{place}", verdicts=each) for place, each in enumerate(firsts)]
    results += [result(f"l{place}", verdicts="ppp", number=2) for place in range(4)]
    found = one(results, "a").discrimination
    assert found == pytest.approx(discrimination([(True, 1.0), (False, 1.0), (True, 0.5), (False, 0.0)]))
    assert found == pytest.approx(0.25 / math.sqrt(1.0 * 0.6875))
    # What the environment spoilt is not in the rest.
    spoilt = [result(f"l{place}", verdicts=each) for place, each in enumerate(("pep", "fpf", "pff"))]
    assert one(spoilt, "a").discrimination == pytest.approx(discrimination([(True, 1.0), (False, 0.5), (True, 0.0)]))


@pytest.mark.parametrize(
    "pairs",
    [
        [], [(True, 1.0)], [(True, 1.0), (False, 0.0)],
        [(True, 1.0), (True, 0.5), (True, 0.0)], [(False, 1.0), (False, 0.5), (False, 0.0)],
        [(True, 0.5), (False, 0.5), (True, 0.5)],
    ],
)  # fmt: skip
def test_it_is_not_defined_where_all_are_alike_or_too_few(pairs: list[tuple[bool, float]]) -> None:
    assert discrimination(pairs) is None


def test_it_is_within_its_bounds_and_does_not_depend_on_the_scale() -> None:
    drawn = random.Random(3)
    for _ in range(200):
        pairs = [(drawn.random() < 0.5, drawn.randrange(10) / 10) for _ in range(drawn.randrange(3, 30))]
        found = discrimination(pairs)
        if found is not None:
            assert -1.0000001 <= found <= 1.0000001
            assert discrimination([(passed, 7 * rest + 3) for passed, rest in pairs]) == pytest.approx(found)
            assert discrimination(pairs[::-1]) == pytest.approx(found)


def test_who_tried_passed_and_when() -> None:
    results = [
        result("ada", verdicts="fp", seen="3 pods"), result("ada", verdicts="fp", number=2, seen="5 pods"),
        result("ada", verdicts="pp", number=3),
        result("bob", verdicts="pb"),
        result("cy", verdicts="ef"), result("cy", verdicts="fb", number=2, seen="no pods"),
        result("dee", verdicts="eb"), result("ada", "11", "f"),
    ]  # fmt: skip
    first, second = one(results, "a"), one(results, "b")
    assert (first.tried, first.passed, first.at_attempt) == (3, 2, {1: 1, 3: 1})
    assert first.difficulty == pytest.approx(1 / 3)
    assert first.seen == (Seen("3 pods", 2), Seen("no pods", 1))
    assert (second.tried, second.passed, second.at_attempt, second.difficulty) == (2, 1, {1: 1}, 0.5)
    assert [(each.lab, each.check) for each in items(results)] == [("10", "a"), ("10", "b"), ("11", "a")]
    assert items(results) == items(results[::-1])


def test_failures_are_counted_together_but_for_their_numbers() -> None:
    results = [result(f"l{number}", verdicts="f", seen=f"{number} of 30 requests failed") for number in range(5)]
    results += [result(f"m{number}", verdicts="f", seen="status 503") for number in range(3)]
    results += [result("n", verdicts="f", seen="0 of 30 requests failed"), result("o", verdicts="f", seen="")]
    assert one(results, "a").seen == (Seen("0 of 30 requests failed", 6), Seen("status 503", 3))


def test_a_check_that_nobody_tried_has_no_figures() -> None:
    item = one([result(verdicts="eb")], "a")
    assert (item.tried, item.difficulty, item.discrimination, item.tells, item.seen) == (0, None, None, "too few", ())


@pytest.mark.parametrize(
    ("strong", "weak", "tells"),
    [("ppp", "fff", "well"), ("ppp", "ppf", "all alike"), ("pff", "fpp", "not"), ("fff", "fpf", "all alike")],
)
def test_whether_it_tells_strong_from_weak(strong: str, weak: str, tells: str) -> None:
    results = [result(f"s{number}", verdicts=strong) for number in range(6)]
    results += [result(f"w{number}", verdicts=weak) for number in range(6)]
    assert one(results, "a").tells == tells
    assert one(results[4:8], "a").tells == "too few"


def test_a_lab_that_was_changed_keeps_its_older_checks() -> None:
    older = [result("ada", verdicts="ppf", at="2026-01-01T00:00:00+00:00")]
    newer = [result("bob", verdicts="pp", at="2026-02-01T00:00:00+00:00")]
    assert [each.check for each in items([*newer, *older])] == ["a", "b", "c"]
