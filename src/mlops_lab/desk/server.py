"""The desk's server: on 127.0.0.1 until it is interrupted; then checks, shells and windows end, in this order."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import project
from mlops_lab.desk import pages
from mlops_lab.desk.desk import Desk
from mlops_lab.desk.guard import Files, Guard, Nothing
from mlops_lab.desk.live import Live
from mlops_lab.desk.terminals import Terminal, Terminals

_PAGE = Path(__file__).parent / "page"
_FAMILY = project() / "images" / "pipelines" / "embedded" / "pages" / "static"  # the style of the project's pages
_PLACE = r"(labs/\d\d|exam/\d{1,2})"
_BODY = 1 << 20  # bytes that a page may send at once
_PING = 20  # s between two signs of life on a quiet websocket


def application(desk: Desk, guard: Guard, terminals: Terminals, port: int) -> Application:
    """What answers at which address."""
    return Application(
        [
            (r"/", pages.Home),
            (r"/exam", pages.ExamPage),
            (r"/exam/submit", pages.Submit),
            (rf"/{_PLACE}", pages.PlacePage),
            (rf"/{_PLACE}/(start|reset|check|watch|hint|flag|note)", pages.Do),
            (r"/live/(home|exam)", Live),
            (r"/live/(labs|exam)/(\d{1,2})", Live),
            (r"/terminal/(labs|exam)/(\d{1,2})", Terminal, {"term_manager": terminals}),
            (r"/static/([\w.-]+)", Files, {"path": str(_PAGE / "static")}),
            (r"/xterm/([\w.-]+)", Files, {"path": str(_PAGE / "xterm")}),
            (r"/family/(page\.css|icon\.svg)", Files, {"path": str(_FAMILY)}),
        ],
        default_handler_class=Nothing,
        desk=desk, guard=guard, port=port, log_function=_log, websocket_ping_interval=_PING,
        websocket_max_message_size=_BODY,
    )  # fmt: skip


@contextlib.asynccontextmanager
async def serving(desk: Desk, port: int, say: Callable[[str], None] = lambda text: None) -> AsyncIterator[str]:
    """The address to open, while the desk is served there.

    Args:
        port: 0 means any.
        say: is told at the end what is still at work, and is waited for.

    Raises:
        LabError: the port can't be used.
    """
    try:
        sockets = bind_sockets(port, "127.0.0.1", socket.AF_INET)
    except OSError as refused:
        why = "is taken" if refused.errno == errno.EADDRINUSE else f"can't be used: {refused.strerror}"
        raise LabError(f"port {port} on 127.0.0.1 {why}", "use another port: lab desk --port 0") from refused
    port = sockets[0].getsockname()[1]
    guard, terminals = Guard(), Terminals(desk.place)
    server = HTTPServer(application(desk, guard, terminals, port), max_body_size=_BODY, max_buffer_size=2 * _BODY)
    pages.prepare()
    server.add_sockets(sockets)
    desk.begin()
    following = asyncio.create_task(terminals.follow())
    try:
        yield f"http://127.0.0.1:{port}/?token={guard.token}"
    finally:
        server.stop()
        if at_work := desk.at_work():
            say(f"the desk ends as soon as this is done: {'; '.join(at_work)}")
        following.cancel()
        await terminals.end()
        await desk.end()
        await server.close_all_connections()


def _log(handler: RequestHandler) -> None:
    """Print nothing: the terminal is the user's."""
