"""The dashboards of the monitoring chart, as Grafana stores them; here is what the page needs of one."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import project

DRAWN = ("timeseries", "stat", "gauge", "bargauge", "table", "heatmap")
_DEFINITION = re.compile(r"label_values\((.+),\s*(\w+)\s*\)$", re.DOTALL)
_SPAN = re.compile(r"now-(\d+)([smhdw])$")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True)
class Target:
    """One query of a panel."""

    ref: str
    expr: str
    legend: str
    instant: bool


@dataclass(frozen=True)
class Variable:
    """A variable that queries name as `$name`.

    Args:
        series, label: for one that Prometheus fills: the label's values in these series; both empty for a text box.
        every: what stands for all values, such as `.+`; empty where one must be chosen.
        default: chosen at first; nothing means all, or the first one.
    """

    name: str
    title: str
    series: str = ""
    label: str = ""
    multi: bool = False
    every: str = ""
    default: tuple[str, ...] = ()


@dataclass(frozen=True)
class Board:
    """One dashboard.

    Args:
        raw: its JSON.
    """

    raw: dict[str, Any]

    @property
    def uid(self) -> str:
        """Its name in addresses."""
        return str(self.raw["uid"])

    @property
    def span(self) -> int:
        """Seconds that it shows at first.

        Raises:
            LabError: its range is not one of the form now-30m.
        """
        found = _SPAN.fullmatch(str(self.raw["time"]["from"]))
        if not found or self.raw["time"]["to"] != "now":
            raise LabError(f"the dashboard {self.uid} has no time range such as now-30m", "correct its JSON")
        return int(found.group(1)) * _SECONDS[found.group(2)]

    @cached_property
    def panels(self) -> dict[int, dict[str, Any]]:
        """Its panels by number, without the rows that only group them."""
        return {int(panel["id"]): panel for panel in self.raw["panels"] if panel["type"] != "row"}

    @cached_property
    def variables(self) -> list[Variable]:
        """Its variables, in the order in which they may name each other."""
        return [_variable(each) for each in self.raw["templating"]["list"]]


def targets(panel: dict[str, Any]) -> list[Target]:
    """The queries of a panel."""
    return [
        Target(each["refId"], each["expr"], each.get("legendFormat") or "__auto", bool(each.get("instant")))
        for each in panel["targets"]
    ]


def boards(folder: Path | None = None) -> dict[str, Board]:
    """All dashboards by uid.

    Raises:
        LabError: a file is not one that the page can draw.
    """
    where = folder or project() / "charts" / "monitoring" / "dashboards"
    found = {}
    for path in sorted(where.glob("*.json")):
        try:
            board = Board(json.loads(path.read_text()))
            strange = {panel["type"] for panel in board.panels.values()} - set(DRAWN)
            _ = board.uid, board.span, board.variables, [targets(panel) for panel in board.panels.values()]
        except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise LabError(f"{path.name} is not a dashboard", "correct its JSON", repr(error)) from error
        if strange:
            kinds = ", ".join(sorted(strange))
            raise LabError(f"{path.name} has panels that can't be drawn: {kinds}", f"use one of {', '.join(DRAWN)}")
        found[board.uid] = board
    return found


def _variable(raw: dict[str, Any]) -> Variable:
    current = raw.get("current", {}).get("value", "")
    chosen = tuple(each for each in (current if isinstance(current, list) else [current]) if each not in ("", "$__all"))
    title = str(raw.get("label") or raw["name"])
    if raw["type"] == "textbox":
        return Variable(raw["name"], title, default=chosen)
    definition = raw.get("definition") or raw.get("query") or ""
    found = _DEFINITION.match(str(definition.get("query", "") if isinstance(definition, dict) else definition))
    if raw["type"] != "query" or not found:
        raise ValueError(f"the variable {raw['name']} is neither a text box nor label_values(series, label)")
    every = str(raw.get("allValue") or ".+") if raw.get("includeAll") else ""
    return Variable(raw["name"], title, found.group(1), found.group(2), bool(raw.get("multi")), every, chosen)
