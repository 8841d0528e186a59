"""A lab's known mistakes as parameters of a test, of which the suite has time for some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest


def one_of_each_check(mistakes: Mapping[str, Sequence[object]]) -> list[Any]:
    """The first mistake of each check, which has to do where nobody has changed the lab, and the others, marked `long`.

    Args:
        mistakes: a test's arguments, by the mistake's name, `CHECK--SLUG`.
    """
    first: dict[str, str] = {}
    for name in mistakes:
        first.setdefault(name.partition("--")[0], name)
    return [
        pytest.param(*given, id=name, marks=() if name in first.values() else pytest.mark.long)
        for name, given in mistakes.items()
    ]
