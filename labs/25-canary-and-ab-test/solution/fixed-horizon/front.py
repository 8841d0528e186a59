"""What passengers' apps talk to: hands each request on to its user's model, and tells the judge what came of it."""

import http.client
import json
import os
import queue
import sys
import threading
import time
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import canary

JUDGE = os.environ.get("JUDGE", "http://judge")
now = None  # the canary that goes on
seen = queue.SimpleQueue()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        if self.path == "/canary":
            found = canary.read()
            self.say(200, json.dumps(found).encode())
        else:
            self.say(200 if now else 503, b"{}")

    def do_PUT(self):
        global now
        asked = json.loads(self.body())
        state = "running" if asked.get("candidate") else "none"
        now = {
            "id": uuid.uuid4().hex, "stable": asked["stable"], "candidate": asked.get("candidate"), "state": state,
            "began": time.time(),
        }  # fmt: skip
        canary.write(now)
        self.say(200, json.dumps(now).encode())

    def do_POST(self):
        body = self.body()
        if self.path == "/outcomes":
            goes_on = now
            for each in json.loads(body)["outcomes"]:
                arm = canary.arm(goes_on, each["user"])
                seen.put([goes_on["id"], arm, "outcomes", [each["probability"], each["late"]]])
            return self.say(200, b"{}")
        goes_on = now
        arm = canary.arm(goes_on, self.headers.get("X-User", ""))
        began = time.perf_counter()
        try:
            status, kind, text = ask(goes_on[arm], self.path, body)
        except OSError as trouble:
            status, kind, text = 502, "application/json", json.dumps({"detail": str(trouble)}).encode()
        seen.put([goes_on["id"], arm, "answers", [status >= 500, time.perf_counter() - began]])
        return self.say(status, text, kind)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def say(self, status, text, kind="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def ask(host, path, body):
    """A model's answer, as it is."""
    connection = http.client.HTTPConnection(host, timeout=9)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Content-Type", "application/json"), answer.read()
    except http.client.HTTPException as broken:
        raise OSError(str(broken)) from broken
    finally:
        connection.close()


def follow():
    """Learn once a second what goes on."""
    global now
    while True:
        try:
            now = canary.read()
        except OSError as trouble:
            print(f"front: {trouble}", file=sys.stderr, flush=True)
        time.sleep(1)


def tell():
    """Tell the judge once a second what was seen; again, if it does not hear."""
    told = []
    while True:
        time.sleep(1)
        while not seen.empty():
            told.append(seen.get())
        try:
            if told:
                urllib.request.urlopen(f"{JUDGE}/seen", json.dumps(told).encode(), timeout=5).close()
            told = []
        except OSError as trouble:
            print(f"front: the judge does not hear: {trouble}", file=sys.stderr, flush=True)
            del told[:-20_000]


threading.Thread(target=follow, daemon=True).start()
threading.Thread(target=tell, daemon=True).start()
Server(("", int(os.environ.get("PORT", "8080"))), Handler).serve_forever()
