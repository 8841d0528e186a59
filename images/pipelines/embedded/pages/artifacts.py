"""One artifact: what it is, who made and who read it, and a preview of its content."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from embedded.api.context import Context, context, found
from embedded.errors import ApiError, missing
from embedded.pages import previews, render

# A step's HTML may draw with scripts of its own, but has no network, no cookies and no page around it.
_CLOSED = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; frame-ancestors 'self'"
)


async def one(request: Request) -> Response:
    """GET an artifact's page."""
    server = context(request)
    row = _row(request)
    shown, size, folder = await asyncio.to_thread(_preview, server, row)
    task = server.store.row("select id, path, name, run from tasks where id = ?", row["task"])
    run = server.store.row("select id, name from runs where id = ?", row["run"])
    return render.page(
        request, "artifact.html", row=row, task=task, run=run, shown=shown, size=size,
        folder=folder, metadata=json.loads(row["metadata"]),
        here=bool(server.artifacts.key(row["uri"])),
    )  # fmt: skip


async def html(request: Request) -> Response:
    """GET an HTML artifact, for a frame that it can't get out of."""
    path = _path(request)
    if _row(request)["type"] != previews.HTML:
        raise missing("HTML artifact", request.path_params["key"])
    return FileResponse(path, media_type="text/html", headers={"Content-Security-Policy": _CLOSED})


async def image(request: Request) -> Response:
    """GET an artifact that is an image."""
    path = _path(request)
    if not (kind := previews.image(path)):
        raise missing("image artifact", request.path_params["key"])
    return FileResponse(path, media_type=kind)


def _row(request: Request) -> sqlite3.Row:
    return found(context(request).store, "artifacts", "artifact", request.path_params["key"])


def _content(server: Context, row: sqlite3.Row) -> tuple[Path, bool] | None:
    key = server.artifacts.key(row["uri"])
    try:
        return server.artifacts.find(key) if key else None
    except ApiError:
        return None


def _preview(server: Context, row: sqlite3.Row) -> tuple[Markup, int | None, bool]:
    """What can be shown of an artifact, its size if its content is here, and whether that is a folder."""
    path, folder = _content(server, row) or (None, False)
    drawn = previews.small(row)
    if path is None:
        return drawn, None, folder
    try:
        return drawn or previews.content(row, path, folder=folder), path.stat().st_size, folder
    except OSError:  # deleted meanwhile
        return drawn, None, folder


def _path(request: Request) -> Path:
    content = _content(context(request), _row(request))
    if content is None or content[1]:
        raise missing("file of artifact", request.path_params["key"])
    return content[0]


ROUTES = [
    Route("/artifacts/{key}", one, methods=["GET"]),
    Route("/artifacts/{key}/html", html, methods=["GET"]),
    Route("/artifacts/{key}/image", image, methods=["GET"]),
]
