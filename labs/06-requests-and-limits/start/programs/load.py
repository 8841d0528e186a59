"""The load of a busy evening, for two minutes: 5 predictions and 5 look-ups a second, and a nightly report."""

import json
import threading
import time
import urllib.request
from collections import Counter

SECONDS, EACH, REPORT_AFTER = 120, 0.2, 20
FLIGHT = {"month": 7, "weekday": 5, "hour": 18, "carrier": "UA", "origin": "EWR", "dest": "ORD", "distance": 719}
counts: Counter[str] = Counter()


def ask(what: str, url: str, body: object = None) -> None:
    try:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            counts[f"{what}: {answer.status}"] += 1
    except OSError as trouble:
        counts[f"{what}: {trouble}"] += 1


def start(*arguments: object) -> None:
    threading.Thread(target=ask, args=arguments).start()


began = time.monotonic()
for turn in range(int(SECONDS / EACH)):
    start("predictions", "http://model/predict", {"rows": [FLIGHT]})
    start("look-ups", f"http://history/flights/N{turn % 100:03}UA")
    if turn == REPORT_AFTER / EACH:
        start("nightly reports", "http://model/report", {})
    time.sleep(max(0.0, began + (turn + 1) * EACH - time.monotonic()))
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join()
for what, number in sorted(counts.items()):
    print(f"{number} x {what}", flush=True)
