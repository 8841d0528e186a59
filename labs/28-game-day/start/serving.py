"""A small HTTP server: JSON, a line of JSON in the log for each request, and /healthz. Yours to change or to replace.

serve({"GET /price": price})        price(request) returns a dict, a text (HTML), or (status, dict)
"""

import http.client
import json
import os
import sys
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

counted, lock = {}, threading.Lock()


class Request:
    """What was asked: `query` and `body` are dicts."""

    def __init__(self, method, path, query, body, id):
        self.method, self.path, self.query, self.body, self.id = method, path, query, body, id


def log(**fields):
    line = json.dumps({"time": time.strftime("%FT%TZ", time.gmtime()), **fields})
    sys.stderr.write(f"{line}\n")  # at once: print writes a line's end by itself, and threads' lines run into one
    sys.stderr.flush()


def fetch(url, body=None, within=1.0, headers=()):
    """JSON from another service; OSError or ValueError if it does not come."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **dict(headers)})
    try:
        with urllib.request.urlopen(request, timeout=within) as answer:
            return json.loads(answer.read() or b"null")
    except http.client.HTTPException as broken:  # an answer that ends in its middle, say; it is no OSError
        raise OSError(f"{url}: {broken!r}") from broken


def serve(routes):
    port = int(os.environ.get("PORT", "8080"))
    routes = {"GET /healthz": lambda request: {}, "GET /metrics": metrics, **routes}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            url, began = urllib.parse.urlsplit(self.path), time.monotonic()
            length = int(self.headers.get("Content-Length") or 0)
            try:
                body = json.loads(self.rfile.read(length) or b"{}") if length else {}
                query = {name: values[0] for name, values in urllib.parse.parse_qs(url.query).items()}
                request = Request(self.command, url.path, query, body, self.headers.get("X-Request-Id", ""))
                found = routes.get(f"{self.command} {url.path}", lambda request: (404, {}))(request)
                status, said = found if isinstance(found, tuple) else (200, found)
            except (ValueError, KeyError, TypeError, AttributeError) as wrong:
                status, said = 400, {"error": repr(wrong)}
            except Exception as trouble:
                status, said = 503, {"error": repr(trouble)}
            content = (said if isinstance(said, str) else json.dumps(said)).encode()
            self.send_response(status)
            self.send_header(
                "Content-Type", "text/html; charset=utf-8" if isinstance(said, str) else "application/json"
            )
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            if url.path not in ("/healthz", "/metrics"):
                with lock:
                    counted[status] = counted.get(status, 0) + 1
                log(path=url.path, status=status, seconds=round(time.monotonic() - began, 4))

        do_GET = do_POST = do_PUT = answer

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 128

    Server(("", port), Handler).serve_forever()


def metrics(request):
    with lock:
        lines = [f'requests_total{{status="{status}"}} {number}' for status, number in sorted(counted.items())]
    return "\n".join(["# TYPE requests_total counter", *lines, ""])
