"""Field options, as Grafana has them: units, thresholds, colours and value mappings, with overrides by field."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_lab.platform.dashboard import units

# What a panel has that says nothing about thresholds.
_THRESHOLDS: dict[str, Any] = {
    "mode": "absolute",
    "steps": [{"color": "green", "value": None}, {"color": "red", "value": 80}],
}
_BY_SERIES = ("timeseries", "piechart", "heatmap")
Numbers = Sequence[float | None]


def _known(values: Numbers) -> list[float]:
    return [value for value in values if value is not None]


def _last(values: Sequence[Any]) -> Any:
    return values[-1] if values else None


def _mean(values: Numbers) -> float | None:
    known = _known(values)
    return sum(known) / len(known) if known else None


def _median(values: Numbers) -> float | None:
    known = sorted(_known(values))
    middle = len(known) // 2
    return None if not known else known[middle] if len(known) % 2 else (known[middle - 1] + known[middle]) / 2


def _difference(values: Numbers) -> float | None:
    known = _known(values)
    return known[-1] - known[0] if known else None


# How one number is made of a series.
CALCS: dict[str, Callable[[Numbers], float | None]] = {
    "lastNotNull": lambda values: _last(_known(values)),
    "last": _last,
    "firstNotNull": lambda values: next(iter(_known(values)), None),
    "first": lambda values: values[0] if values else None,
    "min": lambda values: min(_known(values), default=None),
    "max": lambda values: max(_known(values), default=None),
    "mean": _mean,
    "median": _median,
    "sum": lambda values: sum(_known(values)) if _known(values) else None,
    "count": lambda values: float(len(values)),
    "range": lambda values: max(_known(values)) - min(_known(values)) if _known(values) else None,
    "diff": _difference,
}


@dataclass(frozen=True)
class Field:
    """The options of one series or column: the panel's, with its overrides.

    Args:
        raw: as a dashboard has them.
        by_series: its colour says which series it is, unless something else is asked for.
    """

    raw: Mapping[str, Any]
    by_series: bool = False

    @property
    def unit(self) -> str:
        """Its unit's name."""
        return str(self.raw.get("unit") or "")

    @property
    def custom(self) -> dict[str, Any]:
        """What only some types of panels know."""
        return dict(self.raw.get("custom") or {})

    def bound(self, name: str) -> float | None:
        """`min` or `max`, if one is given."""
        value = self.raw.get(name)
        return float(value) if isinstance(value, int | float) else None

    def text(self, value: float | None) -> str:
        """A value as it is shown."""
        mapped = self._mapped(value)
        if mapped.get("text"):
            return str(mapped["text"])
        if value is None and self.raw.get("noValue"):
            return str(self.raw["noValue"])
        return units.form(value, self.unit, self.raw.get("decimals"))

    def colour(self, value: float | None) -> str:
        """A value's colour, by Grafana's name or as CSS writes it; empty where it is the series' own."""
        mapped = self._mapped(value)
        if mapped.get("color"):
            return str(mapped["color"])
        wanted = self.raw.get("color") or {}
        mode = wanted.get("mode") or ("palette-classic" if self.by_series else "thresholds")
        if mode in ("fixed", "shades"):
            return str(wanted.get("fixedColor") or "text")
        if mode.startswith("palette-"):
            return ""
        found = "text"
        for bound, name in self.steps():
            if bound is None or (value is not None and value >= bound):
                found = name
        return found

    def steps(self) -> list[tuple[float | None, str]]:
        """The thresholds: from which value on which colour; None for the lowest."""
        raw = self.raw.get("thresholds") or _THRESHOLDS
        found = [(each.get("value"), str(each["color"])) for each in raw["steps"]]
        if raw.get("mode") != "percentage":
            return found
        low, high = self.bound("min") or 0.0, self.bound("max")
        scale = ((1.0 if high is None else high) - low) / 100
        return [(None if bound is None else low + bound * scale, name) for bound, name in found]

    def _mapped(self, value: float | None) -> Mapping[str, Any]:
        for each in self.raw.get("mappings") or ():
            options = each.get("options") or {}
            if each.get("type") == "value":
                found = options.get(units.digits(value, None) if value is not None else "null")
                if found is None and value is not None:
                    found = options.get(repr(value))
                if found:
                    return dict(found)
            elif _fits(each.get("type"), options, value):
                return dict(options.get("result") or {})
        return {}


def field(panel: Mapping[str, Any], name: str, ref: str = "", kind: str = "number") -> Field:
    """The options of the series or column of that name, from the query `ref`; `kind` is number, string or time."""
    config = panel.get("fieldConfig") or {}
    raw = copy.deepcopy(config.get("defaults") or {})
    for override in config.get("overrides") or ():
        if _matches(override.get("matcher") or {}, name, ref, kind):
            for each in override.get("properties") or ():
                *path, leaf = str(each["id"]).split(".")
                where = raw
                for step in path:
                    where = where.setdefault(step, {})
                where[leaf] = each.get("value")
    return Field(raw, panel.get("type") in _BY_SERIES)


def _fits(kind: Any, options: Mapping[str, Any], value: float | None) -> bool:
    if kind == "range":
        low, high = options.get("from"), options.get("to")
        return value is not None and (low is None or value >= low) and (high is None or value <= high)
    if kind == "special":  # what is not a number has no value here
        return value is None and options.get("match") in ("null", "nan", "null+nan", "empty")
    if kind == "regex" and value is not None:
        return bool(re.search(str(options.get("pattern", "")).strip("/"), units.digits(value)))
    return False


def _matches(matcher: Mapping[str, Any], name: str, ref: str, kind: str) -> bool:
    wanted = matcher.get("options")
    match matcher.get("id"):
        case "byName":
            return bool(wanted == name)
        case "byNames":
            names = (wanted or {}).get("names") or []
            return bool((name in names) == ((wanted or {}).get("mode", "include") == "include"))
        case "byRegexp":
            return bool(re.search(str(wanted).strip("/"), name))
        case "byFrameRefID":
            return bool(wanted == ref)
        case "byType":
            return bool(wanted == kind)
        case _:
            return False
