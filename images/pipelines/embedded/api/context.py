"""What the request handlers share: the server's parts, reading a request, answering."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from embedded import jsons
from embedded.api import limits
from embedded.artifacts import Artifacts
from embedded.errors import invalid, missing
from embedded.pods import Pods
from embedded.reconcile import Reconciler
from embedded.settings import Settings
from embedded.store import Store


@dataclass(frozen=True)
class Context:
    """The parts of one server."""

    settings: Settings
    store: Store
    artifacts: Artifacts
    pods: Pods
    reconciler: Reconciler


def context(request: Request) -> Context:
    """The server that a request came to."""
    found: Context = request.app.state.context
    return found


async def body(request: Request) -> dict[str, Any]:
    """A request's JSON object.

    Raises:
        ApiError: it is none, or too large.
    """
    try:
        read = jsons.read(await request.body() or b"{}", limits.values(request.url.path))
    except (ValueError, RecursionError) as error:
        raise invalid(f"the request is no JSON that can be read: {error}") from error
    if not isinstance(read, dict):
        raise invalid("the request has to be a JSON object")
    return read


def text(given: dict[str, Any], key: str, most: int = 2000) -> str:
    """A text field, or empty.

    Raises:
        ApiError: it is not text, or too long.
    """
    value = given.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > most:
        raise invalid(f"{key} has to be text of at most {most} characters")
    return value


def part(given: dict[str, Any], key: str) -> dict[str, Any]:
    """An object inside of a request's, or an empty one.

    Raises:
        ApiError: it is something else.
    """
    value = given.get(key) or {}
    if not isinstance(value, dict):
        raise invalid(f"{key} has to be an object")
    return value


def found(store: Store, table: str, kind: str, key: str) -> sqlite3.Row:
    """A row by its id.

    Raises:
        ApiError: there is none.
    """
    row = store.row(f"select * from {table} where id = ?", key)
    if row is None:
        raise missing(kind, key)
    return row


def listing(name: str, items: list[dict[str, Any]], total: int, token: str) -> JSONResponse:
    """The answer to a list request."""
    answer: dict[str, Any] = {name: items, "total_size": total}
    if token:
        answer["next_page_token"] = token
    return JSONResponse(answer)


def done() -> JSONResponse:
    """The answer to a request that yields nothing."""
    return JSONResponse({})
