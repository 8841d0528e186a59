"""Dashboards as Grafana stores them; here is what the page needs of one."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import project
from mlops_lab.platform.dashboard.times import Window, window

# Types of panels that the page draws; it names the others where they stand.
DRAWN = ("timeseries", "stat", "gauge", "bargauge", "piechart", "table", "heatmap", "text")
_DEFINITION = re.compile(r"label_values\((?:(.+),)?\s*(\w+)\s*\)$", re.DOTALL)
_ALL = "$__all"


@dataclass(frozen=True)
class Target:
    """One query of a panel.

    Args:
        form: what its answer is made into, such as `table`.
        interval: the least step, such as `1m`; empty for what the panel says.
    """

    ref: str
    expr: str
    legend: str
    instant: bool
    form: str = "time_series"
    interval: str = ""


@dataclass(frozen=True)
class Variable:
    """A variable that queries name as `$name`.

    Args:
        series, label: for one that Prometheus fills: the label's values in these series; without a label it is a text
            box, or has the values that are given.
        every: what stands for all values, such as `.+`; empty where one must be chosen.
        default: chosen at first; nothing means all, or the first one.
        values: what there is to choose from, with how it is called.
        regex: which of the label's values are kept, and what of them.
        sort: how they are put in order, by Grafana's numbers.
        hidden: nobody chooses it.
    """

    name: str
    title: str
    series: str = ""
    label: str = ""
    multi: bool = False
    every: str = ""
    default: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = ()
    regex: str = ""
    sort: int = 1
    hidden: bool = False

    @property
    def chosen_from(self) -> bool:
        """There are values to choose from."""
        return bool(self.label or self.values)


@dataclass(frozen=True)
class Board:
    """One dashboard.

    Args:
        raw: its JSON.
        name: its name in addresses, where the JSON gives none.
    """

    raw: dict[str, Any]
    name: str = ""

    @property
    def uid(self) -> str:
        """Its name in addresses."""
        return str(self.raw.get("uid") or self.name)

    @property
    def title(self) -> str:
        """What it is called."""
        return str(self.raw.get("title") or self.uid)

    @property
    def times(self) -> tuple[str, str]:
        """From when until when it shows at first."""
        found = self.raw.get("time") or {}
        return str(found.get("from") or "now-6h"), str(found.get("to") or "now")

    def window(self, now: float) -> Window:
        """The same as times.

        Raises:
            LabError: they are not of a form such as now-30m.
        """
        try:
            return window(*self.times, now)
        except ValueError as strange:
            raise LabError(f"the dashboard {self.uid}: {strange}", "correct `time` in its JSON") from strange

    @cached_property
    def panels(self) -> dict[int, dict[str, Any]]:
        """Its panels by number, those that a collapsed row holds too; without the rows themselves."""
        found = {}
        for panel in self.raw["panels"]:
            for each in panel.get("panels") or () if panel["type"] == "row" else (panel,):
                found[int(each["id"])] = each
        return found

    @cached_property
    def variables(self) -> list[Variable]:
        """Its variables, in the order in which they may name each other."""
        return [_variable(each) for each in (self.raw.get("templating") or {}).get("list") or ()]


def targets(panel: dict[str, Any]) -> list[Target]:
    """The queries of a panel, without those that are switched off."""
    return [
        Target(
            each["refId"],
            each["expr"],
            each.get("legendFormat") or "__auto",
            bool(each.get("instant")) and not each.get("range"),
            each.get("format") or "time_series",
            each.get("interval") or panel.get("interval") or "",
        )
        for each in panel.get("targets") or ()
        if not each.get("hide")
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
            board = Board(_whole(json.loads(path.read_text(encoding="utf-8"))), path.stem)
            _ = board.uid, board.variables, [targets(panel) for panel in board.panels.values()]
            _ = [panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board.panels.values()]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise LabError(f"{path.name} is not a dashboard", "correct its JSON", repr(error)) from error
        board.window(0)
        found[board.uid] = board
    return found


def _whole(raw: Any) -> dict[str, Any]:
    """The dashboard itself, also from what Grafana's API and Git Sync wrap it in."""
    for wrapper in ("dashboard", "spec"):
        if "panels" not in raw and isinstance(raw.get(wrapper), dict):
            raw = raw[wrapper]
    return dict(raw)


def _variable(raw: dict[str, Any]) -> Variable:
    current = (raw.get("current") or {}).get("value", "")
    chosen = tuple(
        str(each) for each in (current if isinstance(current, list) else [current]) if each not in ("", _ALL)
    )
    name, kind, query = str(raw["name"]), str(raw["type"]), raw.get("query") or ""
    hidden = raw.get("hide") == 2
    title = str(raw.get("label") or name)
    if kind == "query":
        definition = raw.get("definition") or query
        definition = definition.get("query", "") if isinstance(definition, dict) else definition
        found = _DEFINITION.match(str(definition).strip())
        if not found:
            raise ValueError(f"the variable {name} asks {definition!r}, not label_values(series, label)")
        every = str(raw.get("allValue") or ".+") if raw.get("includeAll") else ""
        series = (found[1] or "").strip() or f'{{{found[2]}!=""}}'
        regex, sort = str(raw.get("regex") or ""), int(raw.get("sort") or 0)
        return Variable(name, title, series, found[2], bool(raw.get("multi")), every, chosen, (), regex, sort, hidden)
    if kind in ("custom", "interval"):
        values = tuple(_choice(each) for each in re.split(r"(?<!\\),", str(query)) if each.strip())
        if raw.get("auto"):
            values = (("auto", "$__auto"), *values)
        every = str(raw.get("allValue") or "|".join(value for _, value in values)) if raw.get("includeAll") else ""
        chosen = tuple("$__auto" if each.startswith("$__auto") else each for each in chosen)
        default = chosen or (() if every else tuple(value for _, value in values[:1]))
        return Variable(
            name, title, multi=bool(raw.get("multi")), every=every, default=default, values=values, hidden=hidden
        )
    if kind in ("textbox", "constant"):
        return Variable(name, title, default=chosen or (str(query),), hidden=hidden or kind == "constant")
    if kind == "datasource":  # the page has one source of data
        return Variable(name, title, default=("prometheus",), hidden=True)
    raise ValueError(f"the variable {name} is of the type {kind}")


def _choice(text: str) -> tuple[str, str]:
    """How a value is called and what it is, from `value` or `name : value`."""
    text = text.replace("\\,", ",").strip()
    name, colon, value = text.partition(" : ")
    return (name.strip(), value.strip()) if colon else (text, text)
