"""What makes a check: the decorator's gates, matchers by value, observations that explain."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from mlops_lab.base.errors import Failure
from mlops_lab.checks import at_least, at_most, between, check, checks_of, equal_to, expect, less_than, observe, one_of


async def documented(lab: Any) -> None:
    """A learner reads this,
    on one line.

    But not this in the title.
    """


async def silent(lab: Any) -> None: ...


def test_title_is_the_first_paragraph_on_one_line() -> None:
    assert check(points=1)(documented).title == "A learner reads this, on one line."


def test_a_check_without_docstring_is_refused() -> None:
    with pytest.raises(ValueError, match="silent has no docstring"):
        check(points=1)(silent)


def test_a_check_worth_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="points must be 1 or more"):
        check(points=0)(documented)


def test_a_domain_that_no_exam_has_is_refused() -> None:
    with pytest.raises(ValueError, match="no exam has the domain ckad/cooking"):
        check(points=1, domains=("ckad/cooking", "cka/storage"))(documented)


def test_checks_keep_their_order_and_need_only_earlier_ones() -> None:
    first = check(points=1)(documented)
    second = check(points=1, needs=first)(documented)
    module = ModuleType("lab")
    module.first, module.second = first, second  # type: ignore[attr-defined]
    assert checks_of(module) == [first, second]
    module = ModuleType("lab")
    module.second, module.first = second, first  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="must be defined before it"):
        checks_of(module)


def test_a_module_without_checks_is_refused() -> None:
    with pytest.raises(ValueError, match="no checks"):
        checks_of(ModuleType("empty"))


@pytest.mark.parametrize(
    ("matcher", "good", "bad"),
    [
        (at_least(2), [2, 2.5, "2", "3k"], [1, None, "1999m", "many"]),
        (at_most("500m"), [0.5, "500m", 0], [0.51, "501m", None]),
        (less_than(1), ["999m", 0], [1, "1"]),
        (between("100m", 1), [0.1, "1", "1000m"], [0.09, 1.01, None]),
        (equal_to("500m"), [0.5, "0.5", "500m"], ["50m", None, 5]),
        (equal_to("Running"), ["Running"], ["running", None, 0]),
        (equal_to("1Ki"), [1024, "1Ki"], ["1k"]),
        (one_of(["v1", "500m"]), ["v1", 0.5], ["v2", 1]),
    ],
)
def test_matchers_compare_by_value(matcher: Any, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if not matcher(value)] == []
    assert [value for value in bad if matcher(value)] == []


def test_booleans_are_no_quantities() -> None:
    assert not at_least(0)(True)


@pytest.mark.parametrize("matcher", [at_least(0), at_most(0), less_than(1), between(0, 1), equal_to(0)])
def test_not_a_number_never_matches(matcher: Any) -> None:
    assert not matcher(float("nan"))
    assert not matcher("sNaNk") and not matcher("9e999999999999999999k")


def test_an_expectation_that_holds_hands_the_observation_back() -> None:
    assert expect(observe("failed requests", 0, at_most(0))).because("never shown").value == 0


def test_an_expectation_that_fails_says_expected_seen_and_why() -> None:
    with pytest.raises(Failure) as caught:
        expect(observe("p99", 1.23456, at_most(0.5), unit="s", evidence=["pod a: OOMKilled"])).because("too slow")
    failure = caught.value
    assert (failure.expected, failure.seen, failure.why) == ("p99: at most 0.5 s", "1.235 s", "too slow")
    assert failure.evidence == ("pod a: OOMKilled",)  # type: ignore[attr-defined]
