"""Handlers for what is asked of one object: an action behind a colon in its address, or DELETE."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from embedded.api.context import Context, context, done
from embedded.errors import invalid

Handler = Callable[[Request], Awaitable[Response]]


def handlers(kind: str, ask: Callable[[Context, str, str], None]) -> tuple[Handler, Handler]:
    """The handlers of `POST .../KEY:ACTION` and of `DELETE .../KEY`.

    Args:
        kind: of the object, as in "a run".
        ask: does an action, "delete" among them, to the object of a key.
    """

    async def act(request: Request) -> Response:
        action = request.path_params["action"]
        if action == "delete":  # which has a method of its own
            raise invalid(f"{kind} can't be asked to delete")
        ask(context(request), request.path_params["key"], action)
        return done()

    async def delete(request: Request) -> Response:
        ask(context(request), request.path_params["key"], "delete")
        return done()

    return act, delete
