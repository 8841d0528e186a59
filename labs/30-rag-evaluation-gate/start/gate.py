"""The gate before releases, as it is: it accepts whatever comes, and remembers nothing."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def decide(wanted):
    """Whether a release may go out, and which rules it breaks; `wanted` is the body of POST /releases."""
    return {"accept": True, "reasons": []}


class Handler(BaseHTTPRequestHandler):
    """POST /releases; GET anything: it is ready."""

    def do_GET(self):
        self.say(200, {"status": "ready"})

    def do_POST(self):
        self.say(200, decide(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

    def say(self, status, what):
        text = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8080), Handler).serve_forever()
