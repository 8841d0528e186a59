"""JSON as its standard has it: Python reads and writes NaN and Infinity too, which no other program understands."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

_HALF = re.compile(rb"\\u[dD][89a-fA-F]")  # of two that are one character; alone it is none, and can't be sent
_TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)

_LOOKED_AT = 4000  # characters of a value


def read(text: str | bytes, most: int = 0) -> Any:
    """What a text says.

    Args:
        most: the values that it may hold; each takes a hundred bytes or so in memory. 0 for any.

    Raises:
        ValueError: it is no JSON, has more values, a number that is none or too large to be one, or half a character.
        RecursionError: it is nested too deeply.
    """
    if most and isinstance(text, bytes) and _opened(text) > most and _opened(_TEXTS.sub(b"", text)) > most:
        raise ValueError(f"it has more than {most:,} values")
    value = json.loads(text, parse_constant=_none, parse_float=_finite)
    if _HALF.search(text if isinstance(text, bytes) else text.encode()):
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _opened(text: bytes) -> int:
    """How many values there may be in JSON without texts."""
    return sum(map(text.count, (b",", b"[", b"{")))


def kept(text: str) -> Any:
    """What a text of the database says; where an older server has kept what `read` refuses, as text."""
    value = json.loads(text, parse_constant=str)
    if _HALF.search(text.encode()):
        return json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
    return value


def brief(value: Any) -> Any:
    """A value to look at: as it is, or the beginning of a long one with its length."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if len(text) <= _LOOKED_AT:
        return value
    size = f" ... ({len(text):,} characters)"
    return text[: _LOOKED_AT - len(size)] + size  # within the limit, so that it stays when it is made brief once more


def finite(value: Any) -> bool:
    """Are all numbers in a value finite?"""
    level = [value]
    while level:
        if not all(math.isfinite(each) for each in level if isinstance(each, float)):
            return False
        below = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, (dict, list))]
        level = [each for values in below for each in values]
    return True


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text[:40]} is too large for a number")
    return value


def _none(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")
