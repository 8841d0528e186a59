"""The page's server: on 127.0.0.1, for this machine's browser only; it reads and changes nothing."""

from __future__ import annotations

import errno
import functools
import json
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mlops_lab.base.errors import LabError
from mlops_lab.platform.dashboard import answers
from mlops_lab.platform.dashboard.boards import Board
from mlops_lab.platform.dashboard.prometheus import NoPrometheus, Prometheus
from mlops_lab.platform.dashboard.times import window

_PAGE = Path(__file__).parent / "page"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
# The library styles elements itself, and shows its own icons; nothing comes from elsewhere.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src data: blob:"
)
# What comes of a dashboard whose JSON has something else than Grafana writes there, deep in a panel.
_ODD = (ArithmeticError, AttributeError, LookupError, TypeError, re.error)


class NotThere(Exception):
    """There is nothing at that address."""


def make(boards: dict[str, Board], prometheus: Prometheus, library: Path, port: int) -> ThreadingHTTPServer:
    """The server, listening; `serve_forever` is the caller's.

    Args:
        library: plotly.min.js.
        port: 0 means any.

    Raises:
        LabError: the port is taken, or can't be used for another reason.
    """
    handler = functools.partial(_Handler, boards, prometheus, library)
    try:
        return _Server(("127.0.0.1", port), handler)
    except OSError as refused:
        why = "is taken" if refused.errno == errno.EADDRINUSE else f"can't be used: {refused.strerror}"
        raise LabError(f"port {port} on 127.0.0.1 {why}", "use another port: lab dashboard --port 0") from refused


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that has left in the middle of an answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def __init__(
        self, boards: dict[str, Board], prometheus: Prometheus, library: Path, *args: Any, **kwargs: Any
    ) -> None:
        self._boards, self._prometheus, self._library = boards, prometheus, library
        super().__init__(*args, **kwargs)

    def do_GET(self) -> None:
        # Against DNS rebinding: a web page whose own name leads to 127.0.0.1 must not read the cluster's metrics.
        if self.headers.get("Host", "").partition(":")[0] not in ("127.0.0.1", "localhost"):
            self._send(403, "text/plain", b"this page answers at 127.0.0.1 only\n")
            return
        url = urlsplit(self.path)
        try:
            kind, body = self._answer(url.path, parse_qs(url.query, keep_blank_values=True))
            self._send(200, kind, body)
        except NotThere:
            self._send(404, "text/plain", b"there is nothing here\n")
        except ValueError as strange:
            self._send(400, "text/plain", f"{strange}\n".encode())
        except _ODD as odd:
            self._send(400, "text/plain", f"the dashboard's JSON has what can't be drawn: {odd!r}\n".encode())
        except NoPrometheus as lost:
            self._send(503, "application/json", json.dumps({"error": lost.message, "next": lost.hint}).encode())
        except LabError as error:
            self._send(502, "application/json", json.dumps({"error": error.message, "next": error.hint}).encode())

    def _answer(self, path: str, query: dict[str, list[str]]) -> tuple[str, bytes]:
        if path == "/plotly.js":
            return "text/javascript", self._library.read_bytes()
        if path == "/" or re.fullmatch(r"/d/[\w-]+", path):
            return "text/html", (_PAGE / "index.html").read_bytes()
        if re.fullmatch(r"/page/[\w-]+\.(css|js)", path):
            file = _PAGE / Path(path).name
            if not file.is_file():
                raise NotThere
            return _TYPES[file.suffix], file.read_bytes()
        return "application/json", json.dumps(self._data(path, query), allow_nan=False).encode()

    def _data(self, path: str, query: dict[str, list[str]]) -> Any:
        chosen = {
            key.removeprefix("var-"): [value for value in values if value != ""]
            for key, values in query.items()
            if key.startswith("var-")
        }
        if path == "/api/boards":
            return [
                {"uid": board.uid, "title": board.title, "description": str(board.raw.get("description") or "")}
                for board in self._boards.values()
            ]
        found = re.fullmatch(r"/api/boards/([\w-]+)(/variables|/panels/(\d+))?", path)
        board = self._boards.get(found.group(1)) if found else None
        if not found or not board:
            raise NotThere
        if not found.group(2):
            return {**board.raw, "uid": board.uid, "title": board.title, "times": board.times}
        if found.group(2) == "/variables":
            return answers.choices(board, chosen, self._prometheus)
        if int(found.group(3)) not in board.panels:
            raise NotThere
        begin, end = (query.get(name, [usual])[0] for name, usual in zip(("from", "to"), board.times, strict=True))
        shown = window(begin, end, time.time())
        return answers.series(board, int(found.group(3)), chosen, shown.span, self._prometheus, shown.end)

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "max-age=3600" if self.path == "/plotly.js" else "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the terminal is the user's."""
