"""Recurring runs: the list, one with the runs that it made, and what can be asked of it."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from embedded.api import recurring as api
from embedded.api.context import context, found
from embedded.listing import page as listed
from embedded.pages import render
from embedded.pages.runs import table

_DONE = {"enable": "enabled", "disable": "disabled", "delete": "deleted"}
_READ = "id, name, experiment, created, trigger, status, next, started, description"


def rhythm(trigger: str) -> str:
    """A trigger in words."""
    ((kind, schedule),) = json.loads(trigger).items()
    if kind == "cron_schedule":
        return f"cron {schedule['cron']}"
    seconds = int(schedule["interval_second"])
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds % size == 0:
            return f"every {unit}" if seconds == size else f"every {seconds // size} {unit}s"
    return f"every {seconds} seconds" if seconds > 1 else "every second"


async def many(request: Request) -> Response:
    """GET the recurring runs."""
    store, query = context(request).store, request.query_params
    paging = {"sort_by": "created_at desc", "page_size": "50", "page_token": query.get("page", "")}
    rows, total, token = listed(store, "recurring", {"created_at": "created"}, paging, read=_READ)
    return render.page(
        request, "recurring_list.html", rows=[shown(row) for row in rows], total=total,
        older={"page": token} if token else None, paged=bool(query.get("page")),
    )  # fmt: skip


def shown(row: sqlite3.Row) -> dict[str, Any]:
    """A row with its trigger in words."""
    return {**row, "rhythm": rhythm(row["trigger"])}


async def one(request: Request) -> Response:
    """GET a recurring run with the runs that it made."""
    store, key = context(request).store, request.path_params["key"]
    row = found(store, "recurring", "recurring run", key)
    return render.page(
        request, "recurring.html", row=shown(row), parameters=json.loads(row["parameters"]),
        experiment=store.row("select id, name from experiments where id = ?", row["experiment"]),
        version=store.row("select id, display, pipeline from versions where id = ?", row["version"]),
        pipeline=json.loads(row["spec"])["pipeline_spec"]["pipelineInfo"]["name"],
        **table(store, request.query_params, recurring=key),
    )  # fmt: skip


async def act(request: Request) -> Response:
    """POST an action."""
    key, action = request.path_params["key"], request.path_params["action"]
    api.ask(context(request), key, action)
    return render.goto("/recurring" if action == "delete" else f"/recurring/{key}", _DONE[action])


ROUTES = [
    Route("/recurring", many, methods=["GET"]),
    Route("/recurring/{key}", one, methods=["GET"]),
    Route("/recurring/{key}/{action}", act, methods=["POST"]),
]
