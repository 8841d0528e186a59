"""Pipelines and their versions: upload, create, get, by name, list, change, delete."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import uuid
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from embedded import ir
from embedded.api import views
from embedded.api.context import body, context, done, found, listing, part, text
from embedded.errors import ApiError, invalid, missing
from embedded.listing import page
from embedded.store import Store, now

_COLUMNS = {
    "id": "id",
    "pipeline_id": "id",
    "name": "name",
    "display_name": "display",
    "description": "description",
    "created_at": "created",
}
NEWEST = "order by created desc, rowid desc"  # of versions
_VERSION_COLUMNS = {**_COLUMNS, "pipeline_id": "pipeline", "pipeline_version_id": "id"}


async def upload(request: Request) -> Response:
    """POST a package: a pipeline and its first version."""
    query = request.query_params
    document = await uploaded(request)
    name = query.get("name") or query.get("display_name") or document["pipeline_spec"]["pipelineInfo"]["name"]
    given = {**query, "name": name}
    with context(request).store.write():
        row = add(context(request).store, given)
        add_version(context(request).store, row["id"], {**given, "tags": None}, document)
    return JSONResponse(views.pipeline(row))


async def upload_version(request: Request) -> Response:
    """POST a package: a version of a pipeline that is there."""
    store, query = context(request).store, dict(request.query_params)
    key = query.get("pipelineid", "")
    if not key:
        raise invalid("the query needs pipelineid")
    document = await uploaded(request)
    with store.write():
        found(store, "pipelines", "pipeline", key)
        query["name"] = query.get("name") or query.get("display_name") or f"version-{now()}"
        return JSONResponse(views.version(add_version(store, key, query, document)))


async def create(request: Request) -> Response:
    """POST a pipeline without a version."""
    given = await body(request)
    return JSONResponse(views.pipeline(add(context(request).store, given)))


async def create_with_version(request: Request) -> Response:
    """POST a pipeline with its first version, as JSON."""
    given, store = await body(request), context(request).store
    pipeline, version = part(given, "pipeline"), part(given, "pipeline_version")
    document = await asyncio.to_thread(ir.check, version.get("pipeline_spec"))
    name = document["pipeline_spec"]["pipelineInfo"]["name"]
    with store.write():
        row = add(store, {"display_name": name, **pipeline})
        add_version(store, row["id"], {"display_name": row["display"], **version}, document)
    return JSONResponse(views.pipeline(row))


async def create_version(request: Request) -> Response:
    """POST a version as JSON."""
    given, store, key = await body(request), context(request).store, request.path_params["key"]
    document = await asyncio.to_thread(ir.check, given.get("pipeline_spec"))
    with store.write():
        found(store, "pipelines", "pipeline", key)
        return JSONResponse(views.version(add_version(store, key, given, document)))


async def get(request: Request) -> Response:
    """GET one."""
    return JSONResponse(
        views.pipeline(found(context(request).store, "pipelines", "pipeline", request.path_params["key"]))
    )


async def by_name(request: Request) -> Response:
    """GET one by its name."""
    name = request.path_params["name"]
    row = context(request).store.row("select * from pipelines where name = ?", name)
    if row is None:
        raise missing("pipeline", name)
    return JSONResponse(views.pipeline(row))


async def many(request: Request) -> Response:
    """GET a list."""
    rows, total, token = page(context(request).store, "pipelines", _COLUMNS, request.query_params)
    return listing("pipelines", [views.pipeline(row) for row in rows], total, token)


async def versions(request: Request) -> Response:
    """GET a pipeline's versions."""
    store, key = context(request).store, request.path_params["key"]
    found(store, "pipelines", "pipeline", key)
    rows, total, token = page(
        store, "versions", _VERSION_COLUMNS, request.query_params, where="pipeline = ?", args=(key,), heavy=("spec",)
    )
    return listing("pipeline_versions", [views.version(row) for row in rows], total, token)


async def get_version(request: Request) -> Response:
    """GET one version."""
    return JSONResponse(views.version(version_row(context(request).store, **request.path_params)))


async def delete(request: Request) -> Response:
    """Delete a pipeline that has no versions, or, with cascade=true, one with all of them."""
    cascade = request.query_params.get("cascade") == "true"
    remove(context(request).store, request.path_params["key"], cascade=cascade)
    return done()


def remove(store: Store, key: str, *, cascade: bool) -> None:
    """Delete a pipeline; runs that were made from it have their own copy.

    Raises:
        ApiError: there is none, or it has versions and `cascade` is false.
    """
    with store.write() as db:
        found(store, "pipelines", "pipeline", key)
        left = store.value("select count(*) from versions where pipeline = ?", key)
        if left and not cascade:
            raise ApiError("FAILED_PRECONDITION", f"the pipeline has {left} versions: delete them first")
        db.execute("delete from pipelines where id = ?", (key,))


async def delete_version(request: Request) -> Response:
    """Delete a version; runs that were made from it have their own copy."""
    remove_version(context(request).store, **request.path_params)
    return done()


def remove_version(store: Store, key: str, version: str) -> None:
    """Delete a pipeline's version.

    Raises:
        ApiError: there is none.
    """
    with store.write() as db:
        db.execute("delete from versions where id = ?", (version_row(store, key, version)["id"],))


async def change(request: Request) -> Response:
    """PATCH a pipeline's display name, description or tags."""
    given, store, key = await body(request), context(request).store, request.path_params["key"]
    row = found(store, "pipelines", "pipeline", key)
    _change(store, "pipelines", row, given)
    return JSONResponse(views.pipeline(found(store, "pipelines", "pipeline", key)))


async def change_version(request: Request) -> Response:
    """PATCH a version's display name, description or tags."""
    given, store = await body(request), context(request).store
    row = version_row(store, **request.path_params)
    _change(store, "versions", row, given)
    return JSONResponse(views.version(version_row(store, **request.path_params)))


def version_row(store: Store, key: str, version: str) -> sqlite3.Row:
    """A pipeline's version.

    Raises:
        ApiError: there is none, or it is another pipeline's.
    """
    row = store.row("select * from versions where id = ? and pipeline = ?", version, key)
    if row is None:
        raise missing(f"pipeline {key} version", version)
    return row


def newest_version(store: Store, key: str) -> sqlite3.Row | None:
    """The version of a pipeline that was made last, if it has any."""
    return store.row(f"select * from versions where pipeline = ? {NEWEST} limit 1", key)


async def uploaded(request: Request) -> dict[str, Any]:
    """The pipeline in a form's file.

    Raises:
        ApiError: there is no file, or it is no pipeline.
    """
    form = await request.form()
    file = form.get("uploadfile")
    if not isinstance(file, UploadFile):
        raise invalid("the form has no file `uploadfile`")
    name, content = file.filename or "pipeline.yaml", await file.read()
    return await asyncio.to_thread(ir.read_package, name, content)  # seconds, for a large one


def add(store: Store, given: Any) -> sqlite3.Row:
    """A new pipeline without a version, of the API's object.

    Raises:
        ApiError: it has no name, or one that is taken.
    """
    display = text(given, "display_name", 128) or text(given, "name", 128)
    name = text(given, "name", 128) or display
    if not name:
        raise invalid("a pipeline needs a name")
    key = str(uuid.uuid4())
    with store.write():
        if store.row("select 1 from pipelines where name = ?", name):
            raise ApiError("ALREADY_EXISTS", f"a pipeline {name!r} exists already; upload a version of it instead")
        store.insert(
            "pipelines", id=key, name=name, display=display, description=text(given, "description"), created=now(),
            tags=_tags(given),
        )  # fmt: skip
        return found(store, "pipelines", "pipeline", key)


def add_version(store: Store, pipeline: str, given: Any, document: dict[str, Any]) -> sqlite3.Row:
    """A new version of a pipeline.

    Raises:
        ApiError: it has no name, or one that is taken.
    """
    display = text(given, "display_name", 128) or text(given, "name", 128)
    name = text(given, "name", 128) or display
    if not name:
        raise invalid("a pipeline version needs a name")
    key = str(uuid.uuid4())
    with store.write():
        if store.row("select 1 from versions where pipeline = ? and name = ?", pipeline, name):
            raise ApiError("ALREADY_EXISTS", f"the pipeline has a version {name!r} already")
        store.insert(
            "versions", id=key, pipeline=pipeline, name=name, display=display,
            description=text(given, "description"), created=now(), spec=document, url=text(given, "code_source_url"),
            tags=_tags(given),
        )  # fmt: skip
        return found(store, "versions", "pipeline version", key)


def _change(store: Store, table: str, row: sqlite3.Row, given: dict[str, Any]) -> None:
    tags = _tags(given) if "tags" in given else json.loads(row["tags"])
    display = text(given, "display_name", 128) or row["display"]
    description = text(given, "description") if "description" in given else row["description"]
    store.update(table, row["id"], display=display, description=description, tags=tags)


def _tags(given: Any) -> dict[str, str]:
    tags = given.get("tags") or {}
    try:
        read = json.loads(tags) if isinstance(tags, str) else tags
        return {str(key): str(value) for key, value in dict(read).items()}
    except (ValueError, TypeError) as error:
        raise invalid("tags has to be a JSON object of texts") from error


_ONE = "/pipelines/{key}"
ROUTES = [
    Route("/pipelines/upload", upload, methods=["POST"]),
    Route("/pipelines/upload_version", upload_version, methods=["POST"]),
    Route("/pipelines/create", create_with_version, methods=["POST"]),
    Route("/pipelines/names/{name}", by_name, methods=["GET"]),
    Route("/pipelines", create, methods=["POST"]),
    Route("/pipelines", many, methods=["GET"]),
    Route(_ONE, get, methods=["GET"]),
    Route(_ONE, delete, methods=["DELETE"]),
    Route(_ONE, change, methods=["PATCH"]),
    Route(_ONE + "/versions", create_version, methods=["POST"]),
    Route(_ONE + "/versions", versions, methods=["GET"]),
    Route(_ONE + "/versions/{version}", get_version, methods=["GET"]),
    Route(_ONE + "/versions/{version}", delete_version, methods=["DELETE"]),
    Route(_ONE + "/versions/{version}", change_version, methods=["PATCH"]),
]
