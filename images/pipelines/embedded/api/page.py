"""The page at /: runs, and one run's graph, tasks, outputs, logs and artifacts. Plain HTML; it reads itself again."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from embedded import graph, runs
from embedded.api import views
from embedded.api.context import context
from embedded.store import moment, now

_STYLE = (Path(__file__).parent / "page.css").read_text()
# The SDK prints addresses of this form, of which a server sees only the /.
_SCRIPT = "const m=location.hash.match(/^#\\/runs\\/details\\/([\\w-]+)/);if(m)location.replace('/runs/'+m[1])"
_MOST = 100
_REFRESH = 2  # seconds, while something runs


async def home(request: Request) -> Response:
    """The newest runs."""
    store = context(request).store
    rows = store.rows(
        "select runs.*, experiments.name as of from runs left join experiments on experiments.id = runs.experiment "
        f"order by runs.created desc, runs.rowid desc limit {_MOST}"
    )
    recurring = store.rows("select * from recurring order by created")
    lines = "".join(
        f'<tr><td><a href="/runs/{row["id"]}">{escape(row["name"])}</a></td><td>{escape(row["of"] or "")}</td>'
        f"<td>{_state(row['state'])}</td><td>{_time(row['created'])}</td>"
        f"<td>{_took(row['created'], row['finished'])}</td><td>{escape(row['error'][:200])}</td></tr>"
        for row in rows
    )
    body = (
        "<h1>Runs</h1><table><tr><th>run</th><th>experiment</th><th>state</th><th>created (UTC)</th><th>took</th>"
        f"<th>error</th></tr>{lines}</table>"
        if rows
        else "<h1>Runs</h1><p>None yet. Make one with <code>kfp.Client(host=ADDRESS)</code>.</p>"
    )
    if recurring:
        body += "<h2>Recurring runs</h2><table><tr><th>name</th><th>status</th><th>trigger</th><th>next (UTC)</th></tr>"
        body += "".join(
            f"<tr><td>{escape(row['name'])}</td><td>{row['status'].lower()}</td><td><code>{escape(row['trigger'])}</code>"
            f"</td><td>{_time(row['next']) if row['status'] == 'ENABLED' else ''}</td></tr>"
            for row in recurring
        )
        body += "</table>"
    return _page("Runs", body, live=any(row["state"] in runs.ACTIVE for row in rows))


async def run(request: Request) -> Response:
    """One run."""
    store = context(request).store
    row = runs.get(store, request.path_params["key"])
    tasks = views.tasks(store, row["id"])
    drawing = graph.svg(*graph.tree(json.loads(row["spec"]), tasks))
    made: dict[str, list[Any]] = {}
    for each in store.rows("select * from artifacts where run = ? order by created, rowid", row["id"]):
        made.setdefault(each["task"], []).append(each)
    facts = f"{_state(row['state'])} created {_time(row['created'])}, took {_took(row['created'], row['finished'])}"
    error = f'<p class="error">{escape(row["error"])}</p>' if row["error"] else ""
    body = (
        f'<p><a href="/">Runs</a></p><h1>{escape(row["name"])}</h1><p>{facts} <code>{row["id"]}</code></p>{error}'
        f"<p>Parameters: <code>{escape(row['parameters'])}</code></p>"
        f'<div class="graph">{drawing}</div><h2>Tasks</h2>'
        + "".join(_task(row["id"], each, made.get(each["task_id"], [])) for each in tasks)
    )
    return _page(row["name"], body, live=row["state"] in runs.ACTIVE)


async def link(request: Request) -> Response:
    """The address that the SDK prints, without its #."""
    return RedirectResponse(f"/runs/{request.path_params['key']}")


def _task(run: str, task: dict[str, Any], made: list[Any]) -> str:
    rows = ""
    for name, values in (("inputs", task["input_parameters"]), ("outputs", task["output_parameters"])):
        if values:
            rows += f"<tr><th>{name}</th><td><code>{escape(json.dumps(values))}</code></td></tr>"
    for each in made:
        metadata = json.loads(each["metadata"])
        told = f" <code>{escape(json.dumps(metadata))}</code>" if metadata else ""
        content = f'<a href="/apis/v2beta1/artifacts/{each["id"]}/content">{escape(each["name"])}</a>'
        rows += f"<tr><th>{escape(each['type'])}</th><td>{content} <code>{escape(each['uri'])}</code>{told}</td></tr>"
    if task.get("pod_name"):
        where = f"/apis/v2beta1/runs/{run}/tasks/{task['task_id']}/log"
        rows += (
            f'<tr><th>pod</th><td><code>{escape(task["pod_name"])}</code> <a href="{where}">its output</a></td></tr>'
        )
    if "error" in task:
        rows += f'<tr><th>error</th><td class="error">{escape(task["error"]["message"])}</td></tr>'
    cached = " from the cache" if task["cached"] else ""
    took = _took(task.get("start_time", ""), task.get("end_time", "")) if task.get("start_time") else ""
    return (
        f'<section id="task-{task["task_id"]}"><h3>{escape(task["path"])}</h3><p>{_state(task["state"])}{cached} {took}'
        f"</p><table>{rows}</table></section>"
    )


def _page(title: str, body: str, *, live: bool) -> HTMLResponse:
    refresh = f'<meta http-equiv="refresh" content="{_REFRESH}">' if live else ""
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)} · pipelines</title>{refresh}"
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style><script>{_SCRIPT}</script></head>'
        f"<body><main>{body}</main></body></html>"
    )


def _state(state: str) -> str:
    return f'<span class="mark {state}">{state.lower()}</span>'


def _time(text: str) -> str:
    return text[:19].replace("T", " ")


def _took(begin: str, end: str) -> str:
    if not begin:
        return ""
    seconds = (moment(end or now()) - moment(begin)).total_seconds()
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


ROUTES = [
    Route("/", home),
    Route("/runs/{key}", run),
    Route("/runs/details/{key}", link),
]
