"""Experiments: create, get, list, archive, unarchive, delete."""

from __future__ import annotations

import sqlite3
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from embedded.api import views
from embedded.api.context import body, context, done, found, listing, text
from embedded.errors import ApiError, invalid
from embedded.listing import page
from embedded.store import Store, now

DEFAULT = "Default"
_COLUMNS = {
    "id": "id",
    "experiment_id": "id",
    "name": "name",
    "display_name": "name",
    "description": "description",
    "created_at": "created",
    "last_run_created_at": "last_run",
    "storage_state": "storage",
}


def ensure_default(store: Store) -> str:
    """The id of the experiment for runs that name none."""
    with store.write():
        known = store.value("select id from experiments where name = ?", DEFAULT)
        return str(known) if known else _add(store, DEFAULT, "Runs that name no experiment.")


def need_open(store: Store, key: str) -> None:
    """An experiment is not archived.

    Raises:
        ApiError: it is.
    """
    if store.value("select storage from experiments where id = ?", key) == "ARCHIVED":
        raise ApiError("FAILED_PRECONDITION", f"the experiment {key} is archived: unarchive it first")


async def create(request: Request) -> Response:
    """POST experiments."""
    return JSONResponse(views.experiment(add(context(request).store, await body(request))))


def add(store: Store, given: dict[str, Any]) -> sqlite3.Row:
    """A new experiment, of the API's object.

    Raises:
        ApiError: it has no name, or one that is taken.
    """
    name = text(given, "display_name", 128) or text(given, "name", 128)
    if not name:
        raise invalid("an experiment needs a display_name")
    with store.write():
        if store.row("select 1 from experiments where name = ?", name):
            raise ApiError("ALREADY_EXISTS", f"an experiment {name!r} exists already")
        key = _add(store, name, text(given, "description"))
    return found(store, "experiments", "experiment", key)


async def get(request: Request) -> Response:
    """GET one."""
    row = found(context(request).store, "experiments", "experiment", request.path_params["key"])
    return JSONResponse(views.experiment(row))


async def many(request: Request) -> Response:
    """GET a list."""
    rows, total, token = page(context(request).store, "experiments", _COLUMNS, request.query_params)
    return listing("experiments", [views.experiment(row) for row in rows], total, token)


async def archive(request: Request) -> Response:
    """Archive it and its runs; its recurring runs are disabled."""
    ask(context(request).store, request.path_params["key"], "archive")
    return done()


async def unarchive(request: Request) -> Response:
    """Make it available again; its runs stay archived, as in KFP."""
    ask(context(request).store, request.path_params["key"], "unarchive")
    return done()


async def delete(request: Request) -> Response:
    """Delete it and its recurring runs, which stay in KFP; its runs stay, and can be found by their ids."""
    ask(context(request).store, request.path_params["key"], "delete")
    return done()


def ask(store: Store, key: str, action: str) -> None:
    """Archive, unarchive or delete an experiment.

    Raises:
        ApiError: there is none, or no such action.
    """
    with store.write() as db:
        found(store, "experiments", "experiment", key)
        if action == "archive":
            db.execute("update experiments set storage = 'ARCHIVED' where id = ?", (key,))
            db.execute("update runs set storage = 'ARCHIVED' where experiment = ?", (key,))
            db.execute("update recurring set status = 'DISABLED', updated = ? where experiment = ?", (now(), key))
        elif action == "unarchive":
            store.update("experiments", key, storage="AVAILABLE")
        elif action == "delete":
            db.execute("delete from recurring where experiment = ?", (key,))
            db.execute("delete from experiments where id = ?", (key,))
        else:
            raise invalid(f"an experiment can't be asked to {action}")


def _add(store: Store, name: str, description: str) -> str:
    key = str(uuid.uuid4())
    store.insert("experiments", id=key, name=name, description=description, created=now())
    return key


ROUTES = [
    Route("/experiments", create, methods=["POST"]),
    Route("/experiments", many, methods=["GET"]),
    Route("/experiments/{key}:archive", archive, methods=["POST"]),
    Route("/experiments/{key}:unarchive", unarchive, methods=["POST"]),
    Route("/experiments/{key}", get, methods=["GET"]),
    Route("/experiments/{key}", delete, methods=["DELETE"]),
]
