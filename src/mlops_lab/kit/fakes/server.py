"""The fake service's program: answers requests as it was told to, and keeps them.

    python3 server.py             answers on PORT until it is ended
    python3 server.py control     answers each JSON line with one; it is for whoever may start programs in the pod

Runs in a pod of the checker's, with the standard library alone.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import socket
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PORT = 8080
CONTROL = "/tmp/control"
KEPT = 1000  # requests
LARGEST = 64 << 10  # bytes of a body
# The checker asks it whether the server can be reached; not kept, and answered alike whatever was told.
PROBE, PROBE_STATUS = "/.mlops-lab/probe", 204
NO_REPLY = {"status": 404, "body": "", "headers": {}, "after": 0}


class Script:
    """What is to be answered, and what came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._replies: dict[str, list[dict[str, Any]]] = {}
        self._came: collections.deque[tuple[float, dict[str, Any]]] = collections.deque(maxlen=KEPT)

    def take(self, request: dict[str, Any]) -> dict[str, Any]:
        """Keep a request; what it is answered with."""
        route = f"{request['method']} {request['path'].partition('?')[0]}"
        with self._lock:
            replies = self._replies.get(route) or self._replies.get("*") or [NO_REPLY]
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
            self._came.append((time.monotonic(), request | {"status": reply["status"]}))
        return reply

    def control(self, said: dict[str, Any]) -> dict[str, Any]:
        """Do what the checker says."""
        with self._lock:
            if "route" in said:
                self._replies[said["route"]] = list(said["replies"])
            if said.get("forget"):
                self._came.clear()
            now = time.monotonic()
            return {"requests": [{**each, "ago": now - came} for came, each in self._came if said.get("requests")]}


class Handler(BaseHTTPRequestHandler):
    """Any request."""

    protocol_version = "HTTP/1.1"
    script: Script

    def answer(self) -> None:
        """Keep it, and answer it as is told; whoever has gone meanwhile gets nothing."""
        try:
            self._answer()
        except ConnectionError:
            self.close_connection = True

    def _answer(self) -> None:
        if self.path == PROBE:
            self.send_response(PROBE_STATUS)
            self.end_headers()
            return
        length = self.headers.get("Content-Length") or "0"
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self.send_error(411)
            return
        size = int(length)
        body = self.rfile.read(size)[:LARGEST].decode(errors="replace")
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.script.take({"method": self.command, "path": self.path, "headers": headers, "body": body})
        time.sleep(reply["after"])
        content = reply["body"].encode()
        self.send_response(reply["status"])
        for name, value in reply["headers"].items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


class Server(ThreadingHTTPServer):
    """Many connections at once."""

    daemon_threads = True
    request_queue_size = 128


class Controls(socketserver.StreamRequestHandler):
    """JSON lines of the checker's."""

    script: Script

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            for line in self.rfile:
                self.wfile.write(json.dumps(self.script.control(json.loads(line))).encode() + b"\n")


class ControlServer(socketserver.ThreadingUnixStreamServer):
    """Where they come in."""

    daemon_threads = True


def serve(port: int = PORT, control: str = CONTROL) -> tuple[Server, ControlServer]:
    """Both servers, at work in threads of their own."""
    script = Script()
    servers = (
        Server(("", port), type("Bound", (Handler,), {"script": script})),
        ControlServer(control, type("Bound", (Controls,), {"script": script})),
    )
    for each in servers:
        threading.Thread(target=each.serve_forever, daemon=True).start()
    return servers


def relay(control: str = CONTROL) -> None:
    """Hand lines on to the server that runs, and its answers back."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(control)
        with connection.makefile("rwb") as lines:
            for line in sys.stdin.buffer:
                lines.write(line)
                lines.flush()
                sys.stdout.buffer.write(lines.readline())
                sys.stdout.buffer.flush()


def main() -> None:
    """Serve, or relay."""
    if sys.argv[1:] == ["control"]:
        relay()
        return
    if os.path.exists(CONTROL):  # noqa: PTH110 - a pod's container that was started anew
        os.unlink(CONTROL)  # noqa: PTH108
    serve()
    threading.Event().wait()


if __name__ == "__main__":
    main()
