"""On the ground: each record once, whatever comes how often."""

import fcntl
import json
import os
import threading
from pathlib import Path

from serving import serve

RECORDS = Path(os.environ.get("DATA", "/data")) / "records.jsonl"
lock, records = threading.Lock(), {}


def alone():
    """Wait for the end of the pod before: killed, it may take records for a second or two more, unknown to us."""
    file = RECORDS.with_name("lock").open("w")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def load():
    for line in RECORDS.read_text().splitlines() if RECORDS.exists() else []:
        try:
            record = json.loads(line)
            records.setdefault(record["id"], record)
        except ValueError:
            continue


def take(request):
    with lock:
        new = {each["id"]: each for each in request.body["records"] if each["id"] not in records}
        with RECORDS.open("a") as file:
            file.write("".join(f"{json.dumps(each)}\n" for each in new.values()))
            file.flush()
            os.fsync(file.fileno())
        records.update(new)
    return {"new": len(new)}


def listed(request):
    with lock:
        return {"records": list(records.values())}


if __name__ == "__main__":
    locked = alone()  # as long as this program runs
    load()
    serve({"POST /records": take, "GET /records": listed})
