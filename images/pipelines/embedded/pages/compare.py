"""Runs side by side: their parameters, metrics and times, with what differs marked."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from embedded import runs
from embedded.api import views
from embedded.api.context import context
from embedded.errors import invalid
from embedded.pages import previews, render
from embedded.store import Store

_MOST = 6


@dataclass(frozen=True)
class Line:
    """One row of the comparison: a value for each run, None where a run has none."""

    name: str
    values: list[Any]

    @property
    def differs(self) -> bool:
        """Do the runs not all have the same?"""
        return any(value != self.values[0] for value in self.values)


async def compare(request: Request) -> Response:
    """GET ?run=ID&run=ID."""
    store = context(request).store
    keys = list(dict.fromkeys(request.query_params.getlist("run")))
    if not 2 <= len(keys) <= _MOST:
        raise invalid(f"a comparison needs 2 to {_MOST} runs; tick them in the list")
    rows = [runs.get(store, key) for key in keys]
    charts = [
        [drawn for each in views.made(store, row["id"]) if (drawn := previews.classification(each))] for row in rows
    ]
    sections = [
        ("Parameters", _lines(rows, lambda row: dict(sorted(json.loads(row["parameters"]).items())))),
        ("Metrics", _lines(rows, lambda row: _metrics(store, row))),
        ("Steps", _lines(rows, lambda row: _steps(store, row))),
    ]
    used = {row["id"]: _origin(store, row) for row in rows}
    return render.page(request, "compare.html", rows=rows, sections=sections, used=used, charts=charts)


def _lines(rows: list[sqlite3.Row], read: Callable[[sqlite3.Row], dict[str, Any]]) -> list[Line]:
    found = [read(row) for row in rows]
    names = dict.fromkeys(name for each in found for name in each)  # steps in their order
    return [Line(name, [each.get(name) for each in found]) for name in names]


def _metrics(store: Store, row: sqlite3.Row) -> dict[str, Any]:
    return {
        f"{each['path']} · {name}": render.number(value)
        for each in views.made(store, row["id"])
        for name, value in views.metrics(each)
    }


def _steps(store: Store, row: sqlite3.Row) -> dict[str, Any]:
    tasks = store.rows("select path, state, cached from tasks where run = ? order by created, rowid", row["id"])
    return {each["path"]: each["state"].lower() + (" (cached)" if each["cached"] else "") for each in tasks}


def _origin(store: Store, row: sqlite3.Row) -> str:
    """The pipeline's name and version."""
    name = str(json.loads(row["spec"])["pipeline_spec"]["pipelineInfo"]["name"])
    version = store.value("select display from versions where id = ?", row["version"])
    return f"{name} ({version})" if version else name


ROUTES = [Route("/runs/compare", compare, methods=["GET"])]
