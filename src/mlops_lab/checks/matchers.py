"""Matchers: a test of a value that can say what it expects. Quantities compare by value (`500m` equals `0.5`)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mlops_lab.kube.quantity import quantity as quantity


@dataclass(frozen=True)
class Matcher:
    """A test with its description, such as `at least 2`."""

    description: str
    test: Callable[[Any], bool]

    def __call__(self, value: Any) -> bool:
        return bool(self.test(value))

    def __str__(self) -> str:
        return self.description


def _number(value: Any) -> Decimal | None:
    try:
        number = None if value is None else quantity(value)
    except (ValueError, ArithmeticError):  # such as `9e999999k`
        return None
    return None if number is None or number.is_nan() else number  # NaN is neither more nor less, and equal to nothing


def _compare(word: str, bound: str | float, test: Callable[[Decimal, Decimal], bool]) -> Matcher:
    limit = quantity(bound)
    return Matcher(f"{word} {bound}", lambda value: (number := _number(value)) is not None and test(number, limit))


def at_least(bound: str | float) -> Matcher:
    """A number or quantity of `bound` or more."""
    return _compare("at least", bound, lambda value, limit: value >= limit)


def at_most(bound: str | float) -> Matcher:
    """A number or quantity of `bound` or less."""
    return _compare("at most", bound, lambda value, limit: value <= limit)


def less_than(bound: str | float) -> Matcher:
    """A number or quantity below `bound`."""
    return _compare("less than", bound, lambda value, limit: value < limit)


def between(low: str | float, high: str | float) -> Matcher:
    """A number or quantity from `low` to `high`, both included."""
    floor, ceiling = quantity(low), quantity(high)
    return Matcher(
        f"between {low} and {high}",
        lambda value: (number := _number(value)) is not None and floor <= number <= ceiling,
    )


def equal_to(wanted: Any) -> Matcher:
    """The same value; strings that are quantities compare by value."""
    number = _number(wanted)

    def test(value: Any) -> bool:
        return value == wanted or (number is not None and _number(value) == number)

    return Matcher(f"{wanted}", test)


def one_of(wanted: Collection[Any]) -> Matcher:
    """Any of the values."""
    options = [equal_to(option) for option in wanted]
    return Matcher("one of " + ", ".join(map(str, wanted)), lambda value: any(option(value) for option in options))
