"""The server's application: the API under /apis/v2beta1, what pods use under /internal, the pages at /."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from embedded import schedule
from embedded.api import experiments, internal, pipelines, recurring, runs
from embedded.api.context import Context, context
from embedded.api.limits import Limited
from embedded.errors import ApiError
from embedded.pages import render
from embedded.pages.guard import Guarded, for_programs
from embedded.pages.routes import ROUTES as PAGES
from embedded.runs import sweep


def create(server: Context) -> Starlette:
    """The application around one server's parts; its reconciler runs as long as it does."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        experiments.ensure_default(server.store)
        sweep(server.store, server.artifacts)
        schedule.disable_older(server.store)
        server.reconciler.start()
        yield
        server.reconciler.stop()
        server.store.close()

    api = [*pipelines.ROUTES, *experiments.ROUTES, *runs.ROUTES, *recurring.ROUTES, Route("/healthz", healthz)]
    names = (f"ml-pipeline.{server.settings.namespace}", *server.settings.hosts.split())
    app = Starlette(
        routes=[
            Mount("/apis/v2beta1", routes=api),
            Mount("/internal", routes=internal.ROUTES),
            Route("/healthz", alive),
            *PAGES,
        ],
        middleware=[Middleware(Guarded, refuse=_answer, names=names), Middleware(Limited)],
        exception_handlers={ApiError: _api_error, HTTPException: _http_error, Exception: _unexpected},
        lifespan=lifespan,
    )
    app.state.context = server
    render.prepare()
    return app


async def healthz(request: Request) -> Response:
    """KFP's own: a single-user install."""
    return JSONResponse({"multi_user": False})


async def alive(request: Request) -> Response:
    """Do the store and the thread that looks after pods work? For probes; the cluster's API may be away."""
    server = context(request)
    server.store.value("select 1")
    if not server.reconciler.is_alive():
        return JSONResponse({"status": "the reconciler has ended"}, status_code=503)
    return JSONResponse({"status": "alive", "trouble": server.reconciler.trouble})


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return _answer(request, error)


def _answer(request: Request, error: ApiError) -> Response:
    if for_programs(request.url.path):
        return JSONResponse(error.body(), status_code=error.status)
    return render.failed(request, error)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    name = {404: "NOT_FOUND", 405: "UNIMPLEMENTED"}.get(error.status_code, "INVALID_ARGUMENT")
    return await _api_error(request, ApiError(name, f"{request.method} {request.url.path}: {error.detail}"))


async def _unexpected(request: Request, error: Exception) -> Response:
    traceback.print_exception(error)
    return await _api_error(request, ApiError("INTERNAL", f"{type(error).__name__}: {error}"))
