"""The judge's place: hears from all pods what came, lets the judge look every 5 s, and does what it says."""

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import canary
from judge import Judge

EVERY, LONGEST = 5, 165  # s
STATES = {"promote": "promoted", "take back": "taken back"}
lock, heard = threading.Lock(), []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        new = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with lock:
            heard.extend(new)
        self.send_response(204)
        self.end_headers()

    def do_GET(self):
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def look(judge, goes_on):
    """What the judge says of what came since it looked last."""
    with lock:
        new = [each for each in heard if each[0] == goes_on["id"]]
        heard.clear()
    arms = {arm: {"answers": [], "outcomes": []} for arm in ("stable", "candidate")}
    for _, arm, what, value in new:
        arms[arm][what].append(value)
    said = judge.look(**arms)
    # A judge that was started anew has not seen all: the time goes on all the same.
    return said or ("take back" if time.time() - goes_on["began"] > LONGEST else None)


def watch():
    judged, judge = None, None
    while True:
        time.sleep(EVERY)
        try:
            goes_on = canary.read()
            if goes_on["state"] != "running":
                continue
            if goes_on["id"] != judged:
                judged, judge = goes_on["id"], Judge()
            if said := look(judge, goes_on):
                print(
                    f"watch: {goes_on['candidate']}: {said} ({', '.join(judge.worse())})", file=sys.stderr, flush=True
                )
                if canary.read()["id"] == goes_on["id"]:
                    canary.write(goes_on | {"state": STATES[said]})
        except OSError as trouble:
            print(f"watch: {trouble}", file=sys.stderr, flush=True)


threading.Thread(target=watch, daemon=True).start()
ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Handler).serve_forever()
