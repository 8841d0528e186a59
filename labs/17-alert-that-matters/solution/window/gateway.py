"""The gateway: partners ask here, it asks the model, and its answer goes back; all under one request id."""

import json
import sys
import time
import urllib.error
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODEL = "http://model"


def ask(path, body, request_id):
    """The model's answer: its status and its body."""
    headers = {"Content-Type": "application/json", "X-Request-ID": request_id}
    request = urllib.request.Request(MODEL + path, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()
    except OSError:
        return 502, b'{"detail": "the model does not answer"}'


class Gateway(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200, b"{}", "")  # /healthz

    def do_POST(self):
        began = time.perf_counter()
        request_id = self.headers["X-Request-ID"] or uuid.uuid4().hex
        status, body = ask(self.path, self.rfile.read(int(self.headers["Content-Length"])), request_id)
        self.answer(status, body, request_id)
        line = {
            "time": round(time.time(), 3),
            "event": "request",
            "request_id": request_id,
            "path": self.path,
            "status": status,
            "seconds": round(time.perf_counter() - began, 5),
        }
        sys.stdout.write(f"{json.dumps(line)}\n")  # a line and its end at once, as others write beside it
        sys.stdout.flush()

    def answer(self, status, body, request_id):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Request-ID", request_id)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8080), Gateway).serve_forever()
