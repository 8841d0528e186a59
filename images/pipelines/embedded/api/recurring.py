"""Recurring runs: create, get, list, enable, disable, delete."""

from __future__ import annotations

import asyncio
import datetime
import json
import sqlite3
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from embedded import schedule
from embedded.api import views
from embedded.api.actions import handlers
from embedded.api.context import Context, body, context, found, listing, text
from embedded.api.runs import permitted, plan
from embedded.errors import invalid
from embedded.listing import page
from embedded.store import now

_COLUMNS = {
    "id": "id",
    "recurring_run_id": "id",
    "name": "name",
    "display_name": "name",
    "description": "description",
    "created_at": "created",
    "updated_at": "updated",
    "status": "status",
    "experiment_id": "experiment",
}


async def create(request: Request) -> Response:
    """POST one. Where its pipeline's version is named that is fixed, else each run takes the newest then."""
    return JSONResponse(views.recurring(await add(context(request), await body(request))))


async def add(server: Context, given: dict[str, Any]) -> sqlite3.Row:
    """A new recurring run, of the API's object.

    Raises:
        ApiError: its trigger, its pipeline or a parameter is wrong.
    """
    name = text(given, "display_name", 200)
    if not name:
        raise invalid("a recurring run needs a display_name")
    trigger = schedule.check(given.get("trigger"))
    concurrency = str(given.get("max_concurrency") or "1")
    if not concurrency.isdecimal() or len(concurrency) > 2 or not 1 <= int(concurrency) <= 10:
        raise invalid(f"max_concurrency {concurrency!r} is no number from 1 to 10")
    planned = await asyncio.to_thread(plan, server, given)  # a large pipeline takes seconds
    named = text(given.get("pipeline_version_reference") or {}, "pipeline_version_id") or given.get(
        "pipeline_version_id"
    )
    await permitted(server, planned["document"])
    enabled = given.get("mode", "ENABLE") in ("ENABLE", "MODE_UNSPECIFIED", "", None)
    key, at = str(uuid.uuid4()), now()
    server.store.insert(
        "recurring", id=key, name=name, description=planned["description"], experiment=planned["experiment"],
        pipeline=planned["pipeline"], version=planned["version"] if named else "", spec=planned["document"],
        parameters=planned["parameters"], root="", account=planned["account"], created=at, updated=at,
        trigger=trigger, status="ENABLED" if enabled else "DISABLED", concurrency=int(concurrency),
        catchup=int(not given.get("no_catchup", False)), next=schedule.first(trigger),
    )  # fmt: skip
    server.reconciler.wake()
    return found(server.store, "recurring", "recurring run", key)


async def get(request: Request) -> Response:
    """GET one."""
    row = found(context(request).store, "recurring", "recurring run", request.path_params["key"])
    return JSONResponse(views.recurring(row))


async def many(request: Request) -> Response:
    """GET a list; experiment_id limits it to one experiment."""
    store, query = context(request).store, request.query_params
    experiment = query.get("experiment_id", "")
    where, args = ("experiment = ?", (experiment,)) if experiment else ("1", ())
    rows, total, token = page(store, "recurring", _COLUMNS, query, where=where, args=args, heavy=("spec", "parameters"))
    return listing("recurringRuns", [views.recurring(row) for row in rows], total, token)


def ask(server: Context, key: str, action: str) -> None:
    """Enable, disable or delete a recurring run; runs that it made stay.

    Raises:
        ApiError: there is none, or no such action.
    """
    row = found(server.store, "recurring", "recurring run", key)
    if action == "disable":
        server.store.update("recurring", key, status="DISABLED", updated=now())
    elif action == "enable":
        # What was due while it was disabled is made up only where catching up was asked for.
        due = row["next"]
        if due < now() and not (due and row["catchup"]):
            due = schedule.following(json.loads(row["trigger"]), datetime.datetime.now(datetime.UTC))
        server.store.update("recurring", key, status="ENABLED", updated=now(), next=due)
    elif action == "delete":
        with server.store.write() as db:
            db.execute("delete from recurring where id = ?", (key,))
    else:
        raise invalid(f"a recurring run can't be asked to {action}")
    server.reconciler.wake()


act, delete = handlers("a recurring run", ask)
ROUTES = [
    Route("/recurringruns", create, methods=["POST"]),
    Route("/recurringruns", many, methods=["GET"]),
    Route("/recurringruns/{key}:{action}", act, methods=["POST"]),
    Route("/recurringruns/{key}", get, methods=["GET"]),
    Route("/recurringruns/{key}", delete, methods=["DELETE"]),
]
