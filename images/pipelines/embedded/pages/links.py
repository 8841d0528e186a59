"""The addresses of Kubeflow's own pages, which the SDK prints and people keep: /#/runs/details/ID and its like.

What stands behind a # the server never sees: static/page.js asks for the same address without it.
"""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route


async def run(request: Request) -> Response:
    """A run."""
    return RedirectResponse(f"/runs/{request.path_params['key']}")


async def experiment(request: Request) -> Response:
    """An experiment."""
    return RedirectResponse(f"/experiments/{request.path_params['key']}")


async def pipeline(request: Request) -> Response:
    """A pipeline, or one of its versions."""
    version = request.path_params.get("version")
    return RedirectResponse(f"/pipelines/{request.path_params['key']}" + (f"?version={version}" if version else ""))


async def recurring(request: Request) -> Response:
    """A recurring run."""
    return RedirectResponse(f"/recurring/{request.path_params['key']}")


async def recurring_list(request: Request) -> Response:
    """The recurring runs."""
    return RedirectResponse("/recurring")


async def compare(request: Request) -> Response:
    """A comparison of runs."""
    keys = [key for key in request.query_params.get("runlist", "").split(",") if key]
    return RedirectResponse("/runs/compare?" + urlencode([("run", key) for key in keys]))


ROUTES = [
    Route("/runs/details/{key}", run),
    Route("/experiments/details/{key}", experiment),
    Route("/pipelines/details/{key}", pipeline),
    Route("/pipelines/details/{key}/version/{version}", pipeline),
    Route("/recurringrun/details/{key}", recurring),
    Route("/recurringruns", recurring_list),
    Route("/compare", compare),
]
