"""What passengers' apps talk to. All of it is in this one process: the split, what was seen, and the judge."""

import http.client
import json
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from judge import Judge

STATES = {"promote": "promoted", "take back": "taken back"}
canary = {"stable": "model-v1", "candidate": None, "state": "none"}
seen = {name: {"answers": [], "outcomes": []} for name in ("stable", "candidate")}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms for nothing

    def do_GET(self):
        self.say(200, json.dumps(canary).encode())

    def do_PUT(self):
        asked = json.loads(self.body())
        canary.update(asked, state="running" if asked.get("candidate") else "none")
        self.say(200, json.dumps(canary).encode())

    def do_POST(self):
        if self.path == "/outcomes":
            self.body()  # what is to become of it?
            self.say(200, b"{}")
            return
        name = "stable"
        if canary["state"] == "promoted" or (canary["state"] == "running" and random.random() < 0.5):
            name = "candidate"
        began = time.perf_counter()
        status, answer = ask(canary[name], self.path, self.body())
        seen[name]["answers"].append([status >= 500, time.perf_counter() - began])
        self.say(status, answer)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def say(self, status, answer):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def ask(service, path, body):
    """Status and body of a model's answer."""
    connection = http.client.HTTPConnection(service, timeout=9)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as trouble:
        return 502, json.dumps({"detail": str(trouble)}).encode()
    finally:
        connection.close()


def watch():
    """Let the judge look every 5 s."""
    judge = Judge()
    while True:
        time.sleep(5)
        if canary["state"] != "running":
            judge = Judge()
        else:
            new = {name: {what: list(rows) for what, rows in of.items()} for name, of in seen.items()}
            if said := judge.look(**new):
                canary["state"] = STATES[said]
                print(f"{canary['candidate']}: {said}", flush=True)
        for of in seen.values():
            of["answers"].clear()


threading.Thread(target=watch, daemon=True).start()
ThreadingHTTPServer(("", 8080), Handler).serve_forever()
