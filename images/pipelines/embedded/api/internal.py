"""What the pods of runs talk to: drivers under /internal/run, launchers under /internal/attempt and /internal/artifact.

A pod shows a token that the server made for it. A driver that another one has replaced, or whose run has ended, is
told so (409) and ends. Every request can be sent again: the second does nothing.

While a body comes, anything may happen to its run: who sent it is looked at before (nobody else's is read), and again
in the transaction that writes.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from embedded import installs, macros, manifests, nesting, runs
from embedded.api.context import Context, body, context, done
from embedded.errors import ApiError, missing
from embedded.store import Store, now

_POLL = 0.1  # seconds between two looks of a waiting request
_ROUND = 1_000_000  # more attempts than a task may take before its run is retried as a whole
_OPEN = ("WAITING", "RUNNING")  # states of an attempt that is still waited for


def _driver(request: Request) -> tuple[Context, sqlite3.Row]:
    """The run of a driver that is still its run's driver; the run has heard from it."""
    server = context(request)
    key, generation = runs.shown(server.store, _bearer(request), "driver")
    row = server.store.row("select * from runs where id = ?", key)
    if row is None or row["generation"] != generation or row["state"] != "RUNNING":
        raise ApiError("ABORTED", "this driver is not needed any more")
    server.store.update("runs", key, seen=now())
    return server, row


def _launcher(request: Request, reported: bool = False) -> tuple[Context, sqlite3.Row]:
    """The attempt of a launcher whose result is still waited for; `reported`: or has come."""
    server = context(request)
    key, _ = runs.shown(server.store, _bearer(request), "task")
    row = server.store.row("select * from attempts where id = ?", key)
    if row is None or (row["state"] not in _OPEN and not (reported and row["result"])):
        raise ApiError("ABORTED", "nobody waits for this attempt any more")
    return server, row


def _bearer(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")


async def job(request: Request) -> Response:
    """GET what a driver has to do. With nothing else it says that the driver is alive."""
    server, run = _driver(request)
    return JSONResponse(
        {
            "id": run["id"],
            "name": run["name"],
            "created": run["created"],
            "scheduled": run["scheduled"],
            "document": json.loads(run["spec"]),
            "parameters": macros.filled(json.loads(run["parameters"]), dict(run)),
            "round": run["round"],
            "artifacts": server.settings.artifacts,
            "parallel": server.settings.parallel,
        }
    )


async def tasks(request: Request) -> Response:
    """POST what a driver knows of a task; the answer is the task as it stands, with earlier results if it has any."""
    (server, _), given = _driver(request), await body(request)
    store = server.store
    with store.write():
        _, run = _driver(request)
        row = store.row("select * from tasks where run = ? and path = ?", run["id"], given["path"])
        if row is None:
            parent = store.value("select id from tasks where run = ? and path = ?", run["id"], given["parent"])
            key = nesting.task_id(run["id"], given["path"])
            at = now()
            store.insert(
                "tasks", id=key, run=run["id"], path=given["path"], name=given["name"], parent=parent or "",
                kind=given["kind"], state="PENDING", created=at, inputs={},
                history=[{"update_time": at, "state": "PENDING"}],
            )  # fmt: skip
        else:
            key = row["id"]
        if "inputs" in given:
            read = {name: _artifact_ids(store, run["id"], uris) for name, uris in given["inputs"]["artifacts"].items()}
            store.update("tasks", key, inputs={**given["inputs"], "artifacts": read})
        if "outputs" in given:
            store.update("tasks", key, outputs=given["outputs"], cached=int(given.get("cached", False)))
            _keep_artifacts(store, run["id"], key, given.get("artifacts", []))
        if state := given.get("state"):
            runs.move_task(store, key, state, given.get("error", ""))
        row = store.row("select * from tasks where id = ?", key)
        tried = "select count(*) from attempts where task = ? and number >= ?"
        begun = bool(store.value(tried, key, run["round"] * _ROUND))
    assert row is not None
    return JSONResponse({"id": key, "state": row["state"], "outputs": json.loads(row["outputs"]), "begun": begun})


async def start(request: Request) -> Response:
    """POST an attempt of a task; one of that number that is there stays as it is."""
    (server, _), given = _driver(request), await body(request)
    store, task = server.store, given["task"]
    with store.write():
        _, run = _driver(request)
        path = store.value("select path from tasks where id = ? and run = ?", task, run["id"])
        if path is None:
            raise missing("task", task)
        number = run["round"] * _ROUND + int(given["number"])
        row = store.row("select * from attempts where task = ? and number = ?", task, number)
        key = row["id"] if row else str(uuid.uuid5(uuid.UUID(task), str(number)))
        if row is None:
            pod = manifests.pod_name(run["id"], path, run["round"], int(given["number"]))
            store.insert(
                "attempts", id=key, task=task, run=run["id"], number=number, pod=pod, state="WAITING",
                wanted=given["wanted"], created=now(),
            )  # fmt: skip
            runs.move_task(store, task, "PENDING")
    server.reconciler.wake()
    return JSONResponse({"id": key})


async def attempt(request: Request) -> Response:
    """GET an attempt once it has ended, or as it is after ?wait seconds."""
    server, run = _driver(request)
    end = time.monotonic() + min(float(request.query_params.get("wait", 0)), 30)
    key = request.path_params["key"]
    while True:  # the state alone, since many wait here: what a task wants and gives may be large
        open_still = server.store.value("select state from attempts where id = ?", key) in _OPEN
        if not open_still or time.monotonic() >= end:
            break
        await asyncio.sleep(_POLL)
    row = server.store.row("select state, error, result, pod from attempts where id = ? and run = ?", key, run["id"])
    if row is None:
        raise missing("attempt", key)
    return JSONResponse({**row, "result": json.loads(row["result"] or "{}")})


async def warn(request: Request) -> Response:
    """POST a sentence for the run's warnings."""
    (server, _), given = _driver(request), await body(request)
    with server.store.write():
        _, run = _driver(request)
        runs.warn(server.store, run["id"], [given["text"]])
    return done()


async def finish(request: Request) -> Response:
    """POST a run's end."""
    (server, _), given = _driver(request), await body(request)
    with server.store.write():
        _, run = _driver(request)
        runs.move(server.store, run["id"], given["state"], given.get("error", "")[:4000])
        server.store.update("runs", run["id"], outputs=given.get("outputs", {}))
    server.reconciler.wake()
    return done()


async def cached(request: Request) -> Response:
    """GET outputs by cache key; those whose artifacts are gone are forgotten."""
    server, _ = _driver(request)
    key = request.path_params["key"]
    kept = server.store.value("select outputs from cache where key = ?", key)
    if kept is None:
        raise missing("cache entry", key)
    entry = json.loads(kept)
    if not all(server.artifacts.has(uri) for uri in entry["uris"]):
        with server.store.write() as db:
            db.execute("delete from cache where key = ?", (key,))
        raise missing("cache entry", key)
    return JSONResponse(entry["outputs"])


async def keep_cached(request: Request) -> Response:
    """PUT outputs under a cache key."""
    (server, _), given = _driver(request), await body(request)
    with server.store.write() as db:
        _driver(request)
        # A Metrics artifact is metadata alone: what has no content now is not missed later.
        there = [uri for uri in given["uris"] if server.artifacts.has(uri)]
        entry = json.dumps({"outputs": given["outputs"], "uris": there})
        db.execute("insert or replace into cache values (?, ?, ?)", (request.path_params["key"], entry, now()))
    return done()


async def begin(request: Request) -> Response:
    """POST that an attempt's launcher is at work."""
    store = context(request).store
    with store.write():
        _, row = _launcher(request)
        runs.move_task(store, row["task"], "RUNNING")
    return done()


async def result(request: Request) -> Response:
    """POST an attempt's end, by its launcher."""
    server, row = _launcher(request, reported=True)
    given: dict[str, Any] = {}
    try:
        given = await body(request)
    except ApiError as error:  # the launcher can't say more
        _end(request, "FAILED", f"its results can't be kept: {error.message}", given)
        raise
    state, told = "SUCCEEDED", str(given.get("error") or "")
    if told:
        state = "FAILED"
        told = installs.explained(told, json.loads(row["wanted"]), server.artifacts.log(row["id"]) or "")
    _end(request, state, told, given)
    return done()


def _end(request: Request, state: str, error: str, given: dict[str, Any]) -> None:
    store = context(request).store
    with store.write():
        _, row = _launcher(request, reported=True)
        if row["state"] in _OPEN:
            store.update("attempts", row["id"], state=state, ended=now(), error=error, result=given)
        elif json.loads(row["result"]) != given:  # else it is sent again, by one that did not get the answer
            raise ApiError("ABORTED", "this attempt has ended with another result")


async def log(request: Request) -> Response:
    """PUT an attempt's output."""
    server, row = _launcher(request)
    await server.artifacts.put_log(row["id"], request.stream())
    return done()


async def fetch(request: Request) -> Response:
    """GET an artifact's content: of one of this task's inputs, wherever in the store that is (an import may name the
    artifact of another run)."""
    server, row = _launcher(request)
    key, wanted = request.path_params["key"], json.loads(row["wanted"])
    if key not in [server.artifacts.key(each["uri"]) for each in wanted["inputs"]]:
        raise ApiError("PERMISSION_DENIED", f"{key} is no input of this task")
    path, folder = server.artifacts.find(key)
    return FileResponse(path, media_type="application/x-tar" if folder else "application/octet-stream")


async def store_artifact(request: Request) -> Response:
    """PUT an artifact's content: below the place that the driver gave to this task."""
    server, row = _launcher(request)
    key, wanted = request.path_params["key"], json.loads(row["wanted"])
    own = server.artifacts.key(wanted["root"])
    if not own or not key.startswith(f"{own}/"):
        raise ApiError("PERMISSION_DENIED", f"this task may only store below {wanted['root']}")
    folder = request.headers.get("content-type") == "application/x-tar"
    await server.artifacts.put(key, request.stream(), folder=folder)
    return done()


def _artifact_ids(store: Store, run: str, uris: list[str]) -> list[str]:
    """The artifacts with these URIs, of this run if it made them, else of the run that did."""
    query = "select id from artifacts where uri = ? order by run = ? desc, created limit 1"
    found = [store.value(query, uri, run) for uri in uris]
    return [key for key in found if key]


def _keep_artifacts(store: Store, run: str, task: str, given: list[dict[str, str]]) -> None:
    with store.write() as db:
        db.execute("delete from artifacts where task = ?", (task,))
        for number, each in enumerate(given):
            store.insert(
                "artifacts", id=str(uuid.uuid5(uuid.UUID(task), f"{each['name']}/{number}")), run=run, task=task,
                name=each["name"], type=each["type"], uri=each["uri"], metadata=each["metadata"], created=now(),
            )  # fmt: skip


ROUTES = [
    Route("/run", job, methods=["GET"]),
    Route("/run/tasks", tasks, methods=["POST"]),
    Route("/run/attempts", start, methods=["POST"]),
    Route("/run/attempts/{key}", attempt, methods=["GET"]),
    Route("/run/warnings", warn, methods=["POST"]),
    Route("/run/finish", finish, methods=["POST"]),
    Route("/run/cache/{key}", cached, methods=["GET"]),
    Route("/run/cache/{key}", keep_cached, methods=["PUT"]),
    Route("/attempt/start", begin, methods=["POST"]),
    Route("/attempt/result", result, methods=["POST"]),
    Route("/attempt/log", log, methods=["PUT"]),
    Route("/artifact/{key:path}", fetch, methods=["GET"]),
    Route("/artifact/{key:path}", store_artifact, methods=["PUT"]),
]
