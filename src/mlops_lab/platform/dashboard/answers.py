"""What the page gets: the choices of a dashboard's variables, and what a panel shows."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from mlops_lab.platform.dashboard import units
from mlops_lab.platform.dashboard.boards import DRAWN, Board, Target, targets
from mlops_lab.platform.dashboard.fields import CALCS, Field, field
from mlops_lab.platform.dashboard.prometheus import Prometheus, QueryRefused
from mlops_lab.platform.dashboard.tables import TRANSFORMATIONS, frames, tables
from mlops_lab.platform.dashboard.times import seconds
from mlops_lab.platform.dashboard.variables import fill, kept, step_for

_PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_SINGLE = ("stat", "gauge", "bargauge", "piechart")
Chosen = Mapping[str, Sequence[str]]


def choices(board: Board, chosen: Chosen, prometheus: Prometheus) -> list[dict[str, Any]]:
    """The variables with what there is to choose and what is chosen; a choice that is gone is dropped.

    Raises:
        NoPrometheus: nobody answers.
    """
    found, settled = [], {name: list(values) for name, values in chosen.items()}
    for variable in board.variables:
        options = list(variable.values)
        if variable.label:
            values = prometheus.values(fill(variable.series, board.variables, settled), variable.label)
            options = [(value, value) for value in kept(variable, values)]
        if variable.chosen_from:
            there = [value for _, value in options]
            wanted = settled.get(variable.name, list(variable.default))
            found_again = [value for value in wanted if value in there or value in variable.default]
            settled[variable.name] = found_again or ([] if variable.every else there[:1])
        elif variable.name not in settled:
            settled[variable.name] = list(variable.default)
        found.append(
            {
                "name": variable.name,
                "title": variable.title,
                "kind": "choice" if variable.chosen_from else "text",
                "multi": variable.multi,
                "all": bool(variable.every),
                "hidden": variable.hidden,
                "options": [value for _, value in options],
                "names": {value: name for name, value in options},
                "chosen": settled[variable.name],
            }
        )
    return found


def queries(board: Board, number: int, chosen: Chosen, span: int) -> list[str]:
    """The queries of a panel as they are put to Prometheus."""
    return [_asked(board, target, chosen, span)[0] for target in targets(board.panels[number])]


def _asked(board: Board, target: Target, chosen: Chosen, span: int) -> tuple[str, int]:
    """A query with its variables filled in, and the seconds between two points of its answer."""
    least = seconds(fill(target.interval, board.variables, chosen, span=span).lstrip(">")) if target.interval else 0
    step = step_for(span, least)
    return fill(target.expr, board.variables, chosen, span=span, step=step), step


def series(
    board: Board, number: int, chosen: Chosen, span: int, prometheus: Prometheus, now: float | None = None
) -> dict[str, Any]:
    """The series of a panel as it draws them, or why there are none.

    Args:
        span: seconds until now that are shown.

    Raises:
        KeyError: there is no such panel.
        NoPrometheus: nobody answers.
    """
    panel, end = board.panels[number], now or time.time()
    drawn: list[dict[str, Any]] = []
    errors: list[str] = []
    asked = [(target, *_asked(board, target, chosen, span)) for target in targets(panel)]
    for target, expr, step in asked:
        try:
            if target.instant:
                found = prometheus.query(expr, end)
            else:
                # On whole steps, so that a point stays where it was when the page is drawn again.
                found = prometheus.query_range(expr, (end - span) // step * step, end // step * step, step)
        except QueryRefused as refused:
            errors.append(f"{target.ref}: {refused.message}")
            continue
        for each in found:
            name = legend(target.legend, each.labels)
            drawn.append({"ref": target.ref, "name": name, "labels": each.labels, "points": each.points, "step": step})
    answer = {
        "series": drawn, "errors": errors, "notes": notes(panel), "begin": end - span, "end": end,
        "step": max((step for *_, step in asked), default=step_for(span)), "queries": [expr for _, expr, _ in asked],
    }  # fmt: skip
    texts = {"title": panel.get("title"), "content": (panel.get("options") or {}).get("content")}
    written = {name: fill(str(text or ""), board.variables, chosen, span=span) for name, text in texts.items()}
    return {**answer, **written, **_shown(panel, drawn)}


def notes(panel: Mapping[str, Any]) -> list[str]:
    """What a panel asks for that Grafana would draw and this page does not."""
    if panel["type"] not in DRAWN:
        return [f"{panel['type']} panels are not drawn here"]
    wanted = [each["id"] for each in panel.get("transformations") or () if not each.get("disabled")]
    drawn = TRANSFORMATIONS if panel["type"] == "table" else {}
    found = [f"the transformation {name} is not made here" for name in wanted if name not in drawn]
    calcs = ((panel.get("options") or {}).get("reduceOptions") or {}).get("calcs") or ()
    found += [f"the calculation {name} is not made here" for name in calcs if name not in CALCS]
    if (panel.get("options") or {}).get("calculate"):
        found.append("buckets of values are not made here: ask for a histogram's")
    if panel.get("repeat"):
        found.append("the panel is not repeated here")
    return found


def legend(form: str, labels: Mapping[str, str]) -> str:
    """A series' name, from a form such as `{{app}} p{{quantile}}`."""
    if form != "__auto":
        return _PLACE.sub(lambda place: labels.get(place.group(1), ""), form)
    rest = [f'{key}="{value}"' for key, value in labels.items() if key != "__name__"]
    return f"{labels.get('__name__', '')}{{{', '.join(rest)}}}" if rest else labels.get("__name__", "value")


def _shown(panel: Mapping[str, Any], drawn: list[dict[str, Any]]) -> dict[str, Any]:
    """What the page needs beside the series, by the type of the panel."""
    kind, options = panel["type"], panel.get("options") or {}
    whole = field(panel, "")
    found: dict[str, Any] = {"thresholds": whole.steps(), "min": whole.bound("min")}
    sizes = [abs(value) for each in drawn for _, value in each["points"] if value is not None]
    found |= {"max": whole.bound("max"), "axis": units.axis(whole.unit, max(sizes, default=0))}
    for each in drawn:
        settings = field(panel, each["name"], each["ref"])
        each["name"] = str(settings.raw.get("displayName") or each["name"])
        each["custom"], each["colour"] = settings.custom, _own_colour(settings, each["points"])
        if kind == "timeseries":
            each["texts"] = [settings.text(value) for _, value in each["points"]]
            wanted = (options.get("legend") or {}).get("calcs") or ()
            each["calcs"] = [f"{name}: {settings.text(_reduced(name, each['points']))}" for name in wanted]
    if kind in _SINGLE:
        found["values"] = _values(panel, drawn)
        found["max"] = _highest(found["max"], whole.unit, found["values"])
    if kind == "heatmap":
        unit = str((options.get("yAxis") or {}).get("unit") or "")
        found["bounds"] = {each["labels"].get("le", each["name"]): _bound(each["labels"], unit) for each in drawn}
    if kind == "table":
        forms = {target.ref: target.form for target in targets(dict(panel))}
        found["tables"] = tables(panel, frames(drawn, forms))
    return found


def _own_colour(settings: Field, points: Sequence[tuple[float, float | None]]) -> str:
    mode = (settings.raw.get("color") or {}).get("mode", "")
    return settings.colour(_reduced("lastNotNull", points)) if mode and not mode.startswith("palette-") else ""


def _reduced(calc: str, points: Sequence[tuple[float, float | None]]) -> float | None:
    return CALCS.get(calc, CALCS["lastNotNull"])([value for _, value in points])


def _values(panel: Mapping[str, Any], drawn: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One number, or as many as there are calculations, of each series: with its text and its colour."""
    reduce = (panel.get("options") or {}).get("reduceOptions") or {}
    calcs = reduce.get("calcs") or ["lastNotNull"]
    found = []
    in_order = sorted(drawn, key=lambda each: _place(each["labels"])) if panel["type"] == "bargauge" else drawn
    for each in in_order:
        settings = field(panel, each["name"], each["ref"])
        points: list[Any] = each["points"]
        parts = [[point] for point in points[: int(reduce.get("limit") or 25)]] if reduce.get("values") else [points]
        for part in parts:
            for calc in calcs:
                value = _reduced(calc, part)
                name = each["name"] if len(calcs) == 1 else f"{calc} {each['name']}"
                found.append(
                    {"name": name, "value": value, "text": settings.text(value), "colour": settings.colour(value)}
                    | {"min": settings.bound("min"), "max": settings.bound("max")}
                )
    return found


def _place(labels: Mapping[str, str]) -> tuple[str, float]:
    """Buckets stand in the order of their bounds, which as texts they don't; all else as Prometheus has it."""
    return (labels.get("of", ""), _number(labels["le"])) if "le" in labels else ("", 0.0)


def _bound(labels: Mapping[str, str], unit: str) -> str:
    value = _number(labels.get("le", "nan"))
    return (
        "more" if value == math.inf else labels.get("le", "") if math.isnan(value) else f"≤ {units.form(value, unit)}"
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _highest(given: float | None, unit: str, values: Sequence[Mapping[str, Any]]) -> float:
    """Where the scale of a gauge ends: as is said, at the whole of a share, or at the largest value."""
    if given is not None:
        return given
    known = [float(each["value"]) for each in values if each["value"] is not None]
    return max([{"percentunit": 1.0, "percent": 100.0}.get(unit, 0.0), *known]) or 1.0
