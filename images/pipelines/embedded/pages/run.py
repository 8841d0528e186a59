"""One run: its graph as it changes, and of the chosen step its inputs, outputs, log and the events of its pods."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from embedded import runs
from embedded.api import runs as api
from embedded.api import views
from embedded.api.context import Context, context
from embedded.errors import ApiError, missing
from embedded.pages import graph, previews, render
from embedded.pods import Unreachable
from embedded.store import Store

_LOG = 200_000  # bytes of a log's end that a page shows
_DRAWN = ("task_id", "path", "title", "state", "kind", "cached", "start_time", "end_time")  # what a box shows of a task
_ENOUGH = 286  # htmx's own: asks no more


async def run(request: Request) -> Response:
    """GET a run, with the step that ?task names."""
    server, key = context(request), request.path_params["key"]
    row = runs.get(server.store, key)
    tasks, warnings = _details(server.store, row)
    task = _chosen(tasks, request.query_params.get("task", ""))
    chosen = task["task_id"] if task else ""
    return render.page(
        request,
        "run.html",
        row=row,
        oob=False,
        acts=_asks(row),
        chosen=chosen,
        live=_live(server.store, row, tasks, warnings, chosen),
        **_parts(server.store, row, tasks, warnings, chosen),
        panel=_panel(server, row, tasks, task),
    )


async def live(request: Request) -> Response:
    """GET what may have changed on a run's page; 204 if nothing did since ?seen."""
    store, key = context(request).store, request.path_params["key"]
    row = runs.get(store, key)
    tasks, warnings = _details(store, row)
    task = _chosen(tasks, request.query_params.get("task", ""))
    chosen = task["task_id"] if task else ""
    state = _live(store, row, tasks, warnings, chosen)
    if state["seen"] == request.query_params.get("seen"):
        return Response(status_code=204)
    # Buttons are left alone while they stay the same: somebody may just be asked whether they are sure.
    parts = _parts(store, row, tasks, warnings, chosen)
    fresh = request.query_params.get("acts") != _asks(row)
    return HTMLResponse(
        render.fragment("_live.html", row=row, live=state, oob=True, fresh=fresh, acts=_asks(row), **parts)
    )


async def panel(request: Request) -> Response:
    """GET what is shown of one step, or, with ?seen, what changed of it since."""
    server, key = context(request), request.path_params["key"]
    row = runs.get(server.store, key)
    tasks = views.tasks(server.store, key, values=False)
    task = _chosen(tasks, request.path_params["task"])
    if task is None:
        raise missing("task", request.path_params["task"])
    shown = _panel(server, row, tasks, task)
    if "seen" not in request.query_params:
        return HTMLResponse(render.fragment("_panel.html", row=row, panel=shown))
    if shown["seen"] == request.query_params["seen"]:
        return Response(status_code=204)
    return HTMLResponse(render.fragment("_facts.html", row=row, panel=shown))


async def log(request: Request) -> Response:
    """GET the end of what a step printed."""
    server, keys = context(request), request.path_params
    try:
        tried = api.attempt(server, keys["key"], keys["task"], request.query_params.get("attempt", ""))
        text = await asyncio.to_thread(server.artifacts.log, tried["id"], _LOG + 1)
        if text is None:
            text = await api.printing(server, tried)
    except Unreachable as error:
        return HTMLResponse(render.fragment("problem.html", message=f"The cluster does not answer: {error}"))
    except ApiError:
        return HTMLResponse(render.fragment("_log.html", text="", cut=False))
    shown = render.fragment("_log.html", text=text[-_LOG:], cut=len(text) > _LOG)
    state = server.store.value("select state from tasks where id = ?", keys["task"])
    return HTMLResponse(shown, _ENOUGH if state in runs.ENDED else 200)


async def events(request: Request) -> Response:
    """GET what the cluster reports of a step's pods."""
    server, keys = context(request), request.path_params
    pods = [
        each["pod"]
        for each in server.store.rows(
            "select pod from attempts where run = ? and task = ? order by number", keys["key"], keys["task"]
        )
    ]
    try:
        told = [(pod, await asyncio.to_thread(server.pods.events, pod)) for pod in pods]
    except Unreachable as error:
        return HTMLResponse(render.fragment("problem.html", message=f"The cluster does not tell: {error}"))
    return HTMLResponse(render.fragment("_events.html", told=told))


def _chosen(tasks: list[dict[str, Any]], key: str) -> dict[str, Any] | None:
    found = next((each for each in tasks if each["task_id"] == key), None)
    return {"error": None, "start_time": "", "end_time": "", **found} if found else None


def _details(store: Store, row: sqlite3.Row) -> tuple[list[dict[str, Any]], list[str]]:
    """A run's tasks, without what each read and made, and what the engine warns of, as the API tells them."""
    return views.tasks(store, row["id"], values=False), views.warnings(store, row["id"])


def _parts(
    store: Store, row: sqlite3.Row, tasks: list[dict[str, Any]], warnings: list[str], chosen: str
) -> dict[str, Any]:
    """All that changes while a run goes on, but for the step."""
    document = json.loads(row["spec"])
    made = views.made(store, row["id"])
    return {
        "drawing": graph.drawing(document, tasks, run=row["id"], chosen=chosen),
        "warnings": warnings,
        "made": made,
        "metrics": [(each, numbers) for each in made if (numbers := views.metrics(each))],
        "charts": [(each, drawn) for each in made if (drawn := previews.classification(each))],
        "outputs": json.loads(row["outputs"]),
    }


def _live(
    store: Store, row: sqlite3.Row, tasks: list[dict[str, Any]], warnings: list[str], chosen: str
) -> dict[str, Any]:
    """Whether the page has to ask again, and by what it says what it has. Drawing the page to see that nothing
    has changed would take many times as long."""
    shown = [[each.get(key) for key in _DRAWN] for each in tasks]
    made = store.value("select count(*) from artifacts where run = ?", row["id"])
    text = json.dumps([shown, row["state"], row["storage"], row["error"], row["outputs"], made, warnings, chosen])
    return {"on": row["state"] in runs.ACTIVE, "seen": render.digest(text)}


def _asks(row: sqlite3.Row) -> str:
    """What can be asked of a run, in a word: pages have the same buttons while it stays the same."""
    return f"{'ACTIVE' if row['state'] in ('PENDING', 'RUNNING') else row['state']}-{row['storage']}"


def _panel(
    server: Context, row: sqlite3.Row, tasks: list[dict[str, Any]], task: dict[str, Any] | None
) -> dict[str, Any]:
    """What the panel beside the graph shows: a step, or the run itself."""
    store = server.store
    if task is None:
        return {"task": None, **_about(store, row)}
    task = {**task, **views.values(store, task["task_id"])}
    read = {name: [_named(store, key) for key in each["artifact_ids"]] for name, each in task["inputs"].items()}
    made = store.rows("select * from artifacts where task = ? order by created, rowid", task["task_id"])
    shown: dict[str, Any] = {
        "task": task,
        "read": {name: [each for each in found if each is not None] for name, found in read.items()},
        "made": [(each, previews.small(each)) for each in made],
        "attempts": store.rows(
            "select number, pod, state, error from attempts where task = ? order by number", task["task_id"]
        ),
        "inside": [each for each in tasks if each.get("parent_task_id") == task["task_id"]],
        "on": task["state"] not in runs.ENDED or row["state"] in runs.ACTIVE,
    }
    told = [task["state"], str(task.get("error")), str(len(made)), str(len(shown["inside"]))]
    told += [f"{each['pod']} {each['state']}" for each in shown["attempts"]]
    return {**shown, "seen": render.digest("\n".join(told))}


def _named(store: Store, key: str) -> sqlite3.Row | None:
    return store.row("select id, name, type, uri from artifacts where id = ?", key)


def _about(store: Store, row: sqlite3.Row) -> dict[str, Any]:
    spec = json.loads(row["spec"])["pipeline_spec"]
    return {
        "parameters": json.loads(row["parameters"]),
        "pipeline": spec["pipelineInfo"]["name"],
        "version": store.row("select id, display, pipeline from versions where id = ?", row["version"]),
        "experiment": store.row("select id, name from experiments where id = ?", row["experiment"]),
        "recurring": store.row("select id, name from recurring where id = ?", row["recurring"]),
        "history": json.loads(row["history"]),
    }


ROUTES = [
    Route("/runs/{key}", run, methods=["GET"]),
    Route("/runs/{key}/live", live, methods=["GET"]),
    Route("/runs/{key}/tasks/{task}", panel, methods=["GET"]),
    Route("/runs/{key}/tasks/{task}/log", log, methods=["GET"]),
    Route("/runs/{key}/tasks/{task}/events", events, methods=["GET"]),
]
