"""What the page gets: the choices of a dashboard's variables, and the series of a panel."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from mlops_lab.platform.dashboard.boards import Board, targets
from mlops_lab.platform.dashboard.prometheus import Prometheus, QueryRefused
from mlops_lab.platform.dashboard.variables import fill, step_for

_PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
Chosen = Mapping[str, Sequence[str]]


def choices(board: Board, chosen: Chosen, prometheus: Prometheus) -> list[dict[str, Any]]:
    """The variables with what there is to choose and what is chosen; a choice that is gone is dropped.

    Raises:
        NoPrometheus: nobody answers.
    """
    found, settled = [], {name: list(values) for name, values in chosen.items()}
    for variable in board.variables:
        options: list[str] = []
        if variable.label:
            options = prometheus.values(fill(variable.series, board.variables, settled), variable.label)
            wanted = settled.get(variable.name, list(variable.default))
            kept = [value for value in wanted if value in options or value in variable.default]
            settled[variable.name] = kept or ([] if variable.every else options[:1])
        elif variable.name not in settled:
            settled[variable.name] = list(variable.default)
        found.append(
            {
                "name": variable.name,
                "title": variable.title,
                "kind": "choice" if variable.label else "text",
                "multi": variable.multi,
                "all": bool(variable.every),
                "options": options,
                "chosen": settled[variable.name],
            }
        )
    return found


def queries(board: Board, number: int, chosen: Chosen, span: int) -> list[str]:
    """The queries of a panel as they are put to Prometheus."""
    step = step_for(span)
    return [
        fill(target.expr, board.variables, chosen, span=span, step=step) for target in targets(board.panels[number])
    ]


def series(
    board: Board, number: int, chosen: Chosen, span: int, prometheus: Prometheus, now: float | None = None
) -> dict[str, Any]:
    """The series of a panel, or why there are none.

    Args:
        span: seconds until now that are shown.

    Raises:
        KeyError: there is no such panel.
        NoPrometheus: nobody answers.
    """
    end, step = now or time.time(), step_for(span)
    drawn: list[dict[str, Any]] = []
    errors: list[str] = []
    exprs = queries(board, number, chosen, span)
    for target, expr in zip(targets(board.panels[number]), exprs, strict=True):
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
            drawn.append({"ref": target.ref, "name": name, "labels": each.labels, "points": each.points})
    return {"series": drawn, "errors": errors, "begin": end - span, "end": end, "step": step, "queries": exprs}


def legend(form: str, labels: Mapping[str, str]) -> str:
    """A series' name, from a form such as `{{app}} p{{quantile}}`."""
    if form != "__auto":
        return _PLACE.sub(lambda place: labels.get(place.group(1), ""), form)
    rest = [f'{key}="{value}"' for key, value in labels.items() if key != "__name__"]
    return f"{labels.get('__name__', '')}{{{', '.join(rest)}}}" if rest else labels.get("__name__", "value")
