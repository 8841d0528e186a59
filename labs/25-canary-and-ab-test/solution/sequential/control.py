"""Says what goes on, remembers it in a file, gathers what the pods of `model` have seen, and lets the judge look."""

import json
import os
import socket
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from judge import Judge

FILE = Path(os.environ.get("STATE", "/state/canary.json"))
PODS = os.environ.get("PODS", "model-pods:8080")  # a Service without an address of its own: its name is all pods'
EVERY, LONGEST = 5.0, 168.0  # s
WORDS = {"promote": "promoted", "take back": "taken back"}
lock, outcomes = threading.RLock(), []
canary = {"number": 0, "stable": "model-v1", "candidate": None, "state": "none", "began": 0.0}


def change(**what):
    """Change what goes on, on the disk first."""
    new = canary | what
    beside = FILE.with_suffix(".new")
    beside.write_text(json.dumps(new))
    beside.replace(FILE)
    canary.update(new)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        with lock:
            self.say(canary)

    def do_PUT(self):
        asked = self.body()
        with lock:
            change(
                number=canary["number"] + 1, stable=asked["stable"], candidate=asked.get("candidate"),
                state="running" if asked.get("candidate") else "none", began=time.time(),
            )  # fmt: skip
            self.say(canary)

    def do_POST(self):
        new = self.body()
        with lock:
            outcomes.extend(new)
        self.say({})

    def body(self):
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def say(self, what):
        text = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def taken(address):
    """What a pod has seen since it was asked last."""
    try:
        with urllib.request.urlopen(f"http://{address}/seen", b"", timeout=3) as answer:
            return json.loads(answer.read())
    except OSError:
        return []  # it is gone, or comes


def pods():
    found = []
    for each in PODS.split(","):
        host, port = each.split(":")
        try:
            known = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
            found += [f"{address[4][0]}:{port}" for address in known]
        except OSError:
            continue
    return sorted(set(found))


def gathered(number):
    """All that is new of a canary."""
    with ThreadPoolExecutor(8) as pool:
        answers = [row for rows in pool.map(taken, pods()) for row in rows]
    with lock:
        known = list(outcomes)
        outcomes.clear()
    arms = {arm: {"answers": [], "outcomes": []} for arm in ("stable", "candidate")}
    for what, rows in (("answers", answers), ("outcomes", known)):
        for of, arm, *value in rows:
            if of == number:
                arms[arm][what].append(value)
    return arms


def watch():
    number, judge = -1, Judge()
    while True:
        time.sleep(EVERY)
        with lock:
            now = dict(canary)
        if now["number"] != number:
            number, judge = now["number"], Judge()
        new = gathered(number)
        if now["state"] != "running":
            continue
        said = judge.look(**new) or ("take back" if time.time() - now["began"] > LONGEST else None)
        with lock:
            if said and canary["number"] == number:
                change(state=WORDS[said])
                print(now["candidate"], WORDS[said], flush=True)


if FILE.exists():
    canary.update(json.loads(FILE.read_text()))
threading.Thread(target=watch, daemon=True).start()
ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Handler).serve_forever()
