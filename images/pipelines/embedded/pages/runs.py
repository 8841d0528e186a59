"""The list of runs with its filters, and what can be asked of a run."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from embedded import runs
from embedded.api import runs as api
from embedded.api.context import context
from embedded.listing import page as listed
from embedded.pages import render
from embedded.store import Store

# All that the list shows, without the pipelines, which are large.
_READ = "id, name, state, storage, created, finished, experiment, pipeline, version, recurring, error"
# The pipeline by the name in its specification: a run that was made from Python has no other.
_RAN = "json_extract(spec, '$.pipeline_spec.pipelineInfo.name') as ran"
_SIZE = "50"
_FILTERS = {"experiment": "experiment", "pipeline": "pipeline", "version": "version", "recurring": "recurring"}
_DONE = {
    "terminate": "terminated", "retry": "retried", "archive": "archived", "unarchive": "unarchived",
    "delete": "deleted",
}  # fmt: skip


async def home(request: Request) -> Response:
    """The newest runs, all or those that the query asks for."""
    store, query = context(request).store, request.query_params
    return render.page(request, "runs.html", choices=experiments(store), **table(store, query), **filters(query))


def filters(query: Mapping[str, str]) -> dict[str, Any]:
    """What templates/_filters.html shows."""
    given = {key: query.get(key, "") for key in ("name", "state", "archived", *_FILTERS)}
    return {"given": given, "filtered": any(given.values())}


def experiments(store: Store) -> list[sqlite3.Row]:
    """The experiments that a form offers, those used last first."""
    wanted = (
        "select id, name from experiments where storage = 'AVAILABLE' order by last_run desc, created desc limit 200"
    )
    return store.rows(wanted)


def table(store: Store, query: Mapping[str, str], **fixed: str) -> dict[str, Any]:
    """What templates/_runs.html shows.

    Args:
        query: of the request: filters, and the page.
        fixed: filters that the page has by itself.
    """
    asked = {**query, **fixed}
    clauses, args = ["storage = ?"], ["ARCHIVED" if asked.get("archived") else "AVAILABLE"]
    for key, column in _FILTERS.items():
        if asked.get(key):
            clauses.append(f"{column} = ?")
            args.append(asked[key])
    if asked.get("name"):
        clauses.append("instr(lower(name), lower(?)) > 0")
        args.append(asked["name"])
    if asked.get("state"):
        states = runs.ACTIVE if asked["state"] == "active" else (asked["state"].upper(),)
        clauses.append(f"state in ({', '.join('?' * len(states))})")
        args += states
    paging = {"sort_by": "created_at desc", "page_size": _SIZE, "page_token": asked.get("page", "")}
    rows, total, token = listed(
        store,
        "runs",
        {"created_at": "created"},
        paging,
        where=" and ".join(clauses),
        args=tuple(args),
        read=f"{_READ}, {_RAN}",
    )
    kept = {key: value for key, value in query.items() if key not in ("page", "said") and value}
    return {
        "rows": rows,
        "total": total,
        "names": _names(store, rows),
        "active": [row["id"] for row in rows if row["state"] in runs.ACTIVE],
        "kept": kept,
        "older": {**kept, "page": token} if token else None,
        "paged": bool(query.get("page")),
    }


def _names(store: Store, rows: list[sqlite3.Row]) -> dict[str, str]:
    """The names of what the rows refer to by ids."""
    names: dict[str, str] = {}
    for kind, column in (
        ("experiments", "name"),
        ("pipelines", "display"),
        ("versions", "display"),
        ("recurring", "name"),
    ):
        keys = {row[kind.removesuffix("s")] for row in rows} - {""}
        marks = ", ".join("?" * len(keys))
        names.update(
            {row[0]: row[1] for row in store.rows(f"select id, {column} from {kind} where id in ({marks})", *keys)}
        )
    return names


async def states(request: Request) -> Response:
    """GET the states of runs that a list shows, as they are now."""
    keys = request.query_params.getlist("run")[: int(_SIZE)]
    marks = ", ".join("?" * len(keys))
    rows = context(request).store.rows(f"select {_READ} from runs where id in ({marks})", *keys)
    active = [row["id"] for row in rows if row["state"] in runs.ACTIVE]
    return HTMLResponse(render.fragment("_states.html", rows=rows, active=active))


async def act(request: Request) -> Response:
    """POST an action."""
    key, action = request.path_params["key"], request.path_params["action"]
    api.ask(context(request), key, action)
    return render.goto("/runs" if action == "delete" else f"/runs/{key}", _DONE[action])


ROUTES = [
    Route("/", home, methods=["GET"]),
    Route("/runs", home, methods=["GET"]),
    Route("/runs/states", states, methods=["GET"]),
    Route("/runs/{key}/{action}", act, methods=["POST"]),
]
