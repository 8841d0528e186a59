"""What a panel writes beside its numbers, in place of them, and where nothing is known."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# As they are with all signs taken for spaces: "N/A" is "n a", a dash is nothing at all.
NOTHING = {"", "no data", "no value", "n a", "na", "not known", "unknown", "not available", "missing", "nan", "null"}
UNKNOWN = ("null", "nan", "null+nan", "empty")  # what a value mapping of a missing value matches


@dataclass(frozen=True)
class Wording:
    """How a panel writes.

    Attributes:
        unit: of its values, as the defaults say; empty where they say none.
        overriding: units that overrides put in its place.
        empty: what is written where there is no value.
        words: what is written in place of a number, by value mappings.
    """

    unit: str
    overriding: tuple[str, ...]
    empty: tuple[str, ...]
    words: tuple[str, ...]

    @property
    def claims(self) -> list[str]:
        """What is written where nothing is known, and says something else."""
        return [text for text in self.empty if re.sub(r"[\W_]+", " ", text.lower()).strip() not in NOTHING]


def wording(text: str, title: str) -> Wording:
    """Of the panel with a title, as it is in the text of a dashboard that can be read."""
    raw = next(each for each in _panels(json.loads(text)) if str(each.get("title") or "") == title)
    config = raw.get("fieldConfig")
    config = config if isinstance(config, dict) else {}
    defaults = config.get("defaults")
    defaults = defaults if isinstance(defaults, dict) else {}
    overriding = [(each.get("id"), each.get("value")) for each in _inner(config.get("overrides"), "properties")]
    said = [("noValue", defaults.get("noValue")), ("mappings", defaults.get("mappings")), *overriding]
    empty = [str(value) for name, value in said if name == "noValue" and value not in (None, "")]
    words: list[str] = []
    for name, value in said:
        for missing, word in _mapped(value) if name == "mappings" else ():
            (empty if missing else words).append(word)
    units = tuple(str(value) for name, value in overriding if name == "unit" and value)
    return Wording(str(defaults.get("unit") or ""), units, tuple(empty), tuple(words))


def _panels(raw: Any) -> Iterator[dict[str, Any]]:
    """All panels that show something, wherever they are."""
    if isinstance(raw, dict):
        for each in _dicts(raw.get("panels")):
            if each.get("type") != "row":
                yield each
            yield from _panels(each)
        for wrapper in ("dashboard", "spec"):
            yield from _panels(raw.get(wrapper))


def _mapped(mappings: Any) -> Iterator[tuple[bool, str]]:
    """Of each value mapping whether it is for a missing value, and what is written then."""
    for each in _dicts(mappings):
        options = each.get("options")
        options = options if isinstance(options, dict) else {}
        if each.get("type") == "value":
            found = [(str(value).lower(), result) for value, result in options.items()]
        else:
            found = [(str(options.get("match")).lower() if "match" in options else "", options.get("result"))]
        for value, result in found:
            if isinstance(result, dict) and result.get("text") not in (None, ""):
                yield value in UNKNOWN, str(result["text"])


def _inner(value: Any, name: str) -> list[dict[str, Any]]:
    return [each for outer in _dicts(value) for each in _dicts(outer.get(name))]


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
