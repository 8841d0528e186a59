"""The history of each aircraft: 30 MiB in memory, brought up to date every 3 s. It is not yours to change.

Bringing it up to date takes 0.3 s of CPU time, all at once. A look-up takes next to none.
"""

import json
import signal
import sys
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from leak import MIB, on_signal, take

HELD = 30 * MIB  # bytes
EVERY, WORK, SLICE = 3.0, 0.3, 0.01  # s; the last two of CPU time

held = take(HELD)


class Lookup(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        tail = self.path.rpartition("/")[2]
        begin = zlib.crc32(tail.encode()) % (HELD - 100)
        body = json.dumps({"tail": tail, "flights": sum(held[begin : begin + 100])}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing of single look-ups."""


def keep_up_to_date() -> None:
    began, turns = time.monotonic(), 0
    while True:
        refresh()
        turns += 1
        time.sleep(max(0.0, began + turns * EVERY - time.monotonic()))


def refresh() -> None:
    """Work for `WORK` seconds of CPU time, with a breath after each slice, in which look-ups are answered."""
    began = time.thread_time()
    while (done := time.thread_time() - began) < WORK:
        while time.thread_time() - began < min(done + SLICE, WORK):
            sum(range(1000))
        time.sleep(SLICE / 4)


if __name__ == "__main__":
    on_signal()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    threading.Thread(target=keep_up_to_date, daemon=True).start()
    print("30 MiB of history; listening on port 8080", flush=True)
    server = ThreadingHTTPServer(("0.0.0.0", 8080), Lookup)
    server.daemon_threads = True
    server.serve_forever()
