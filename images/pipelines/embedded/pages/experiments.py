"""Experiments: the list with how their last runs went, one with its runs, and what can be asked of it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from embedded.api import experiments as api
from embedded.api.context import context, found
from embedded.errors import ApiError
from embedded.listing import page as listed
from embedded.pages import recurring, render
from embedded.pages.runs import filters, table

_DONE = {"archive": "archived", "unarchive": "unarchived", "delete": "deleted"}
_LAST = 5  # runs whose states stand in the list


async def many(request: Request, error: str = "") -> Response:
    """GET the experiments, those used last first."""
    store, query = context(request).store, request.query_params
    archived, name = query.get("archived", ""), query.get("name", "")
    where, args = "storage = ?", ["ARCHIVED" if archived else "AVAILABLE"]
    if name:
        where += " and instr(lower(name), lower(?)) > 0"
        args.append(name)
    paging = {"sort_by": "used desc", "page_size": "50", "page_token": query.get("page", "")}
    columns = {"used": "last_run", "created_at": "created"}
    rows, total, token = listed(store, "experiments", columns, paging, where=where, args=tuple(args))
    last = (
        "select id, name, state from runs where experiment = ? and storage = 'AVAILABLE' order by created desc limit ?"
    )
    kept = {key: value for key, value in (("archived", archived), ("name", name)) if value}
    return render.page(
        request, "experiments.html", 400 if error else 200, rows=rows, total=total, error=error, kept=kept,
        last={row["id"]: store.rows(last, row["id"], _LAST) for row in rows},
        counts={row["id"]: store.value("select count(*) from runs where experiment = ?", row["id"]) for row in rows},
        older={**kept, "page": token} if token else None, paged=bool(query.get("page")),
    )  # fmt: skip


async def one(request: Request) -> Response:
    """GET an experiment with its runs."""
    store, key = context(request).store, request.path_params["key"]
    row = found(store, "experiments", "experiment", key)
    rows = store.rows("select * from recurring where experiment = ? order by created desc", key)
    again = [recurring.shown(each) for each in rows]
    query = request.query_params
    return render.page(
        request, "experiment.html", row=row, recurring=again, **table(store, query, experiment=key), **filters(query)
    )


async def create(request: Request) -> Response:
    """POST a name and a description."""
    form = await render.form(request, stripped=True)
    try:
        row = api.add(
            context(request).store, {"display_name": form.get("name"), "description": form.get("description")}
        )
    except ApiError as error:
        return await many(request, error.message)
    return render.goto(f"/experiments/{row['id']}", "created")


async def act(request: Request) -> Response:
    """POST an action."""
    key, action = request.path_params["key"], request.path_params["action"]
    api.ask(context(request).store, key, action)
    return render.goto("/experiments" if action == "delete" else f"/experiments/{key}", _DONE[action])


ROUTES = [
    Route("/experiments", many, methods=["GET"]),
    Route("/experiments", create, methods=["POST"]),
    Route("/experiments/{key}", one, methods=["GET"]),
    Route("/experiments/{key}/{action}", act, methods=["POST"]),
]
