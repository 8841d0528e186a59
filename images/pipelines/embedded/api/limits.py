"""How large a request's body may be: refused by what it says of itself, and by what comes where it says nothing."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from embedded.errors import ApiError

# Bytes. Reading JSON takes many times its size, and the server's memory is small.
REQUEST = 4 << 20  # of users, and what a step reports
_DRIVER = 16 << 20  # what its tasks gave to each other
_LOG = 32 << 20  # the launcher keeps half of that
_VALUES = 250_000  # in the JSON of each 4 MiB
_HEARD = 64 << 20  # a client that sends no more than that is heard out, or its connection breaks before the answer


class Limited:
    """The application with a limit for each body but an artifact's, for which the volume's room is the limit."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; the handler that reads its body gets the error."""
        most = _most(scope["path"]) if scope["type"] == "http" else None
        if most is None:
            await self._app(scope, receive, send)
            return
        told = dict(scope["headers"]).get(b"content-length", b"")
        size, said = 0, int(told) if told.isdigit() else 0

        async def limited() -> Message:
            nonlocal size
            message: Message = {"more_body": True} if said > most else await receive()
            size += len(message.get("body", b""))
            if max(size, said) <= most:
                return message
            while message.get("more_body") and max(size, said) <= _HEARD:
                message = await receive()
                size += len(message.get("body", b""))
            raise ApiError(
                "TOO_LARGE", f"the request is larger than {most >> 20} MiB, which is the most for this address"
            )

        await self._app(scope, limited, send)


def values(path: str) -> int:
    """How many values a request's JSON may hold."""
    return _VALUES * ((_most(path) or REQUEST) // REQUEST)


def _most(path: str) -> int | None:
    if path.startswith("/internal/artifact/"):
        return None
    if path == "/internal/attempt/log":
        return _LOG
    return _DRIVER if path.startswith("/internal/run/") else REQUEST
