"""Runs: create, get, list, terminate, retry, archive, unarchive, delete; and what a run left: logs, artifacts, metrics.

The last three are not part of KFP's v2beta1 API, whose UI reads them from the cluster and from ML Metadata.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from embedded import ir, kubernetes_settings, mounts, runs
from embedded.api import experiments, views
from embedded.api.actions import handlers
from embedded.api.context import Context, body, context, found, listing, part, text
from embedded.api.pipelines import newest_version, version_row
from embedded.errors import invalid, missing
from embedded.listing import page
from embedded.pods import Refused, Unreachable

_COLUMNS = {
    "id": "id",
    "run_id": "id",
    "name": "name",
    "display_name": "name",
    "description": "description",
    "experiment_id": "experiment",
    "recurring_run_id": "recurring",
    "pipeline_id": "pipeline",
    "pipeline_version_id": "version",
    "state": "state",
    "status": "state",
    "storage_state": "storage",
    "created_at": "created",
    "scheduled_at": "scheduled",
    "finished_at": "finished",
}
# What a list says of a run: all but the pipeline, which is large, and what only the engine needs.
_READ = (
    "id, name, state, error, description, experiment, storage, account, created, scheduled, finished, recurring, "
    "history, parameters, pipeline, version"
)
_LINES = 10_000


def plan(server: Context, given: dict[str, Any]) -> dict[str, Any]:
    """What a run and a recurring run have in common, checked: the arguments of `runs.make` but for its name.

    Raises:
        ApiError: something about it is wrong.
    """
    store = server.store
    reference = part(given, "pipeline_version_reference")
    pipeline, version = text(reference, "pipeline_id"), text(reference, "pipeline_version_id")
    version = version or text(given, "pipeline_version_id")
    if bool(pipeline or version) == bool(given.get("pipeline_spec")):
        raise invalid("a run needs either a pipeline_spec or a pipeline_version_reference")
    if version and not pipeline:
        pipeline = found(store, "versions", "pipeline version", version)["pipeline"]
    if pipeline and not version:
        found(store, "pipelines", "pipeline", pipeline)
        if (newest := newest_version(store, pipeline)) is None:
            raise missing("a version of pipeline", pipeline)
        version = newest["id"]
    document = (
        json.loads(version_row(store, pipeline, version)["spec"]) if version else ir.check(given["pipeline_spec"])
    )
    config = given.get("runtime_config") or {}
    if not isinstance(config, dict) or not isinstance(config.get("parameters") or {}, dict):
        raise invalid("runtime_config.parameters has to be an object")
    if text(config, "pipeline_root"):
        raise invalid("pipeline_root can't be chosen: this server keeps all artifacts itself")
    account = text(given, "service_account")
    if account == server.settings.own_account:
        raise invalid(f"service_account {account!r} is the server's own; no run may have it")
    experiment = text(given, "experiment_id")
    if experiment:
        found(store, "experiments", "experiment", experiment)
        experiments.need_open(store, experiment)
    else:
        experiment = experiments.ensure_default(store)
    parameters = config.get("parameters") or {}
    ir.parameters(document, parameters)
    return {
        "document": document,
        "parameters": parameters,
        "experiment": experiment,
        "description": text(given, "description"),
        "pipeline": pipeline if version else "",
        "version": version or "",
        "account": account,
    }


async def permitted(server: Context, document: dict[str, Any]) -> None:
    """May its tasks mount what they name? Where the cluster does not say, the look before each pod decides.

    Raises:
        ApiError: they may not.
    """
    platform = document.get("platform_spec") or {}
    wrong = kubernetes_settings.refusals(platform)  # a version may have been kept by an older server
    for task, name in () if wrong else kubernetes_settings.secrets(platform):
        try:
            labels = await asyncio.to_thread(server.pods.secret, name)
        except (Unreachable, Refused):
            break
        if labels is not None and (closed := mounts.closed_secret(name, labels)):
            wrong.append(f"task {task}: {closed}")
    if wrong:
        pipeline = document["pipeline_spec"]["pipelineInfo"]["name"]
        raise invalid(f"pipeline {pipeline!r} can't be run here: {'; '.join(wrong)}")


async def create(request: Request) -> Response:
    """POST a run."""
    server = context(request)
    row = await start(server, await body(request))
    return JSONResponse(views.run(server.store, row, details=True))


async def start(server: Context, given: dict[str, Any]) -> sqlite3.Row:
    """Make a run of what the API's object asks for.

    Raises:
        ApiError: it can't be made.
    """
    name = text(given, "display_name", 256)
    if not name:
        raise invalid("a run needs a display_name")
    planned = await asyncio.to_thread(plan, server, given)  # seconds, for a large pipeline
    await permitted(server, planned["document"])
    row = await asyncio.to_thread(runs.make, server.store, name=name, **planned)  # for its warnings all is read again
    server.reconciler.wake()
    return row


async def get(request: Request) -> Response:
    """GET one, with its tasks."""
    store, key = context(request).store, request.path_params["key"]
    view = await asyncio.to_thread(lambda: views.run(store, runs.get(store, key), details=True))
    return JSONResponse(view)


async def many(request: Request) -> Response:
    """GET a list; experiment_id limits it to one experiment."""
    store, query = context(request).store, request.query_params
    experiment = query.get("experiment_id", "")
    where, args = ("experiment = ?", (experiment,)) if experiment else ("1", ())
    if experiment:
        found(store, "experiments", "experiment", experiment)
    rows, total, token = page(store, "runs", _COLUMNS, query, where=where, args=args, read=_READ, heavy=("parameters",))
    return listing("runs", [views.run(store, row, details=False) for row in rows], total, token)


def ask(server: Context, key: str, action: str) -> None:
    """Terminate, retry, archive, unarchive or delete a run, whose pods then end.

    Raises:
        ApiError: it is in no state for that.
    """
    row = runs.get(server.store, key)
    if action == "unarchive":
        experiments.need_open(server.store, row["experiment"])
    if action == "terminate":
        runs.terminate(server.store, key)
    elif action == "retry":
        runs.retry(server.store, key)
    elif action in ("archive", "unarchive"):
        server.store.update("runs", key, storage="ARCHIVED" if action == "archive" else "AVAILABLE")
    elif action == "delete":
        runs.delete(server.store, server.artifacts, key)
    else:
        raise invalid(f"a run can't be asked to {action}")
    server.reconciler.wake()


async def log(request: Request) -> Response:
    """GET a task's output: of its last attempt, or of ?attempt=N (0 is the first)."""
    server, keys = context(request), request.path_params
    tried = attempt(server, keys["key"], keys["task"], request.query_params.get("attempt", ""))
    if kept := server.artifacts.log_file(tried["id"]):
        return FileResponse(kept, media_type="text/plain")
    return PlainTextResponse(await printing(server, tried))


def attempt(server: Context, run: str, task: str, number: str = "") -> sqlite3.Row:
    """A task's last attempt, or that of a number (0 is the first).

    Raises:
        ApiError: there is no such attempt.
    """
    rows = server.store.rows(
        "select attempts.id, attempts.pod from attempts join tasks on tasks.id = attempts.task "
        "where tasks.run = ? and tasks.id = ? order by number",
        run,
        task,
    )
    if number and not number.isdecimal():
        raise invalid("attempt has to be a number")
    if not rows or len(number) > 9 or (number and int(number) >= len(rows)):
        raise missing("output of task", task)
    return rows[int(number) if number else -1]


async def printing(server: Context, tried: sqlite3.Row) -> str:
    """What an attempt whose output is not kept yet has printed so far."""
    return await asyncio.to_thread(server.pods.log, tried["pod"], _LINES)


async def artifacts(request: Request) -> Response:
    """GET a run's artifacts."""
    store, key = context(request).store, request.path_params["key"]
    runs.get(store, key)
    rows = store.rows("select * from artifacts where run = ? order by created, rowid", key)
    return JSONResponse({"artifacts": [views.artifact(row) for row in rows], "total_size": len(rows)})


async def artifact(request: Request) -> Response:
    """GET an artifact's description."""
    return JSONResponse(views.artifact(_artifact(request)))


async def download(request: Request) -> Response:
    """GET an artifact's content; a folder comes as a tar archive."""
    server, row = context(request), _artifact(request)
    key = server.artifacts.key(row["uri"])
    if not key:
        raise invalid(f"the artifact's content is not here but at {row['uri']}")
    path, folder = server.artifacts.find(key)
    kind = "application/x-tar" if folder else "application/octet-stream"
    return FileResponse(path, media_type=kind, filename=row["name"] + (".tar" if folder else ""))


async def metrics(request: Request) -> Response:
    """GET the numbers in a run's Metrics artifacts: `{"metrics": [{"task", "artifact", "name", "value"}, ...]}`."""
    store, key = context(request).store, request.path_params["key"]
    runs.get(store, key)
    return JSONResponse(
        {
            "metrics": [
                {"task": row["step"], "artifact": row["name"], "name": name, "value": value}
                for row in views.made(store, key)
                for name, value in views.metrics(row)
            ]
        }
    )


def _artifact(request: Request) -> sqlite3.Row:
    return found(context(request).store, "artifacts", "artifact", request.path_params["key"])


act, delete = handlers("a run", ask)
ROUTES = [
    Route("/runs", create, methods=["POST"]),
    Route("/runs", many, methods=["GET"]),
    Route("/runs/{key}:{action}", act, methods=["POST"]),
    Route("/runs/{key}", get, methods=["GET"]),
    Route("/runs/{key}", delete, methods=["DELETE"]),
    Route("/runs/{key}/artifacts", artifacts, methods=["GET"]),
    Route("/runs/{key}/metrics", metrics, methods=["GET"]),
    Route("/runs/{key}/tasks/{task}/log", log, methods=["GET"]),
    Route("/artifacts/{key}", artifact, methods=["GET"]),
    Route("/artifacts/{key}/content", download, methods=["GET"]),
]
