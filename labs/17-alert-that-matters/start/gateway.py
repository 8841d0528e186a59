"""The gateway: partners ask here, it asks the model, and its answer goes back."""

import sys
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODEL = "http://model"


def ask(path, body):
    """The model's answer: its status and its body."""
    request = urllib.request.Request(MODEL + path, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()
    except OSError:
        return 502, b'{"detail": "the model does not answer"}'


class Gateway(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200, b"{}")  # /healthz

    def do_POST(self):
        began = time.perf_counter()
        status, body = ask(self.path, self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(status, body)
        # Written at once: print writes a line's end by itself, and the lines of two threads run into one.
        sys.stdout.write(f"{self.path} was answered with {status} after {time.perf_counter() - began:.3f} s\n")
        sys.stdout.flush()

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8080), Gateway).serve_forever()
