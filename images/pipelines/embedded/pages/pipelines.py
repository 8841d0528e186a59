"""Pipelines with their versions: the list, one with its graph and parameters, uploads, deletions."""

from __future__ import annotations

import json
from typing import Any

import yaml
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from embedded.api import pipelines as api
from embedded.api.context import context, found
from embedded.errors import ApiError
from embedded.listing import page as listed
from embedded.pages import forms, graph, render
from embedded.store import now

_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


async def many(request: Request) -> Response:
    """GET the pipelines, those changed last first."""
    store, query = context(request).store, request.query_params
    name = query.get("name", "")
    where, args = ("instr(lower(display), lower(?)) > 0", (name,)) if name else ("1", ())
    paging = {"sort_by": "created_at desc", "page_size": "50", "page_token": query.get("page", "")}
    rows, total, token = listed(store, "pipelines", {"created_at": "created"}, paging, where=where, args=args)
    about = {
        row["id"]: store.row(
            "select count(*) as versions, max(created) as newest from versions where pipeline = ?", row["id"]
        )
        for row in rows
    }
    older = {**({"name": name} if name else {}), "page": token} if token else None
    return render.page(
        request,
        "pipelines.html",
        rows=rows,
        total=total,
        about=about,
        name=name,
        older=older,
        paged=bool(query.get("page")),
    )


async def one(request: Request) -> Response:
    """GET a pipeline with the version that ?version names, else with its newest."""
    store, key = context(request).store, request.path_params["key"]
    row = found(store, "pipelines", "pipeline", key)
    versions = store.rows(
        f"select id, name, display, description, created, url from versions where pipeline = ? {api.NEWEST} limit 200",
        key,
    )
    wanted = request.query_params.get("version") or (versions[0]["id"] if versions else "")
    version = api.version_row(store, key, wanted) if wanted else None
    document = json.loads(version["spec"]) if version else None
    return render.page(
        request, "pipeline.html", row=row, versions=versions, version=version,
        drawing=graph.drawing(document, []) if document else "", fields=forms.fields(document, {}) if document else [],
        runs=store.value("select count(*) from runs where pipeline = ?", key),
    )  # fmt: skip


async def package(request: Request) -> Response:
    """GET a version as the YAML that the compiler wrote."""
    keys = request.path_params
    document = json.loads(api.version_row(context(request).store, keys["key"], keys["version"])["spec"])
    parts = [document["pipeline_spec"], *([document["platform_spec"]] if document.get("platform_spec") else [])]
    return PlainTextResponse(yaml.dump_all(parts, Dumper=_Dumper, sort_keys=True, allow_unicode=True))


async def form(request: Request) -> Response:
    """GET the form for a package: a new pipeline, or a version of the one that ?pipeline names."""
    return _form(request, {}, request.query_params.get("pipeline", ""))


def _form(request: Request, given: dict[str, str], pipeline: str, error: str = "") -> Response:
    store = context(request).store
    row = found(store, "pipelines", "pipeline", pipeline) if pipeline else None
    return render.page(request, "upload.html", 400 if error else 200, pipeline=row, given=given, error=error)


async def upload(request: Request) -> Response:
    """POST a package."""
    store = context(request).store
    fields = await render.form(request, stripped=True)
    pipeline = fields.get("pipeline", "")
    try:
        document = await api.uploaded(request)
        name = fields.get("name") or document["pipeline_spec"]["pipelineInfo"]["name"]
        given = {"name": name, "description": fields.get("description", "")}
        with store.write():
            if pipeline:
                found(store, "pipelines", "pipeline", pipeline)
                given["name"] = fields.get("name") or f"version-{now()}"
            else:
                pipeline = api.add(store, given)["id"]
            version = api.add_version(store, pipeline, given, document)
    except ApiError as error:
        return _form(request, fields, fields.get("pipeline", ""), error.message)
    return render.goto(f"/pipelines/{pipeline}?version={version['id']}", "uploaded")


async def delete(request: Request) -> Response:
    """POST: delete a pipeline with all its versions."""
    api.remove(context(request).store, request.path_params["key"], cascade=True)
    return render.goto("/pipelines", "deleted")


async def delete_version(request: Request) -> Response:
    """POST: delete a version."""
    keys = request.path_params
    api.remove_version(context(request).store, keys["key"], keys["version"])
    return render.goto(f"/pipelines/{keys['key']}", "deleted")


ROUTES = [
    Route("/pipelines", many, methods=["GET"]),
    Route("/pipelines/upload", form, methods=["GET"]),
    Route("/pipelines/upload", upload, methods=["POST"]),
    Route("/pipelines/{key}", one, methods=["GET"]),
    Route("/pipelines/{key}/delete", delete, methods=["POST"]),
    Route("/pipelines/{key}/versions/{version}/pipeline.yaml", package, methods=["GET"]),
    Route("/pipelines/{key}/versions/{version}/delete", delete_version, methods=["POST"]),
]
