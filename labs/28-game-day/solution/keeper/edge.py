"""On board: answers from its own volume, keeps what is handed in, and gives it to the ground when there is a link."""

import fcntl
import json
import os
import threading
import time
from pathlib import Path

import models
from serving import fetch, log, serve

DATA = Path(os.environ.get("DATA", "/data"))
RECOMMEND, GROUND = os.environ.get("RECOMMEND", "http://recommend"), os.environ.get("GROUND", "http://records")
MODEL, RECORDS, SENT = DATA / "model.json", DATA / "records.jsonl", DATA / "sent"
EVERY, BATCH = 3.0, 200  # s; records at once
lock, held, records, known = threading.Lock(), {}, [], set()


def alone():
    """Wait for the end of the pod before: killed, it may take records for a second or two more, unknown to us."""
    file = (DATA / "lock").open("w")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def load():
    if MODEL.exists():
        held.update(json.loads(MODEL.read_text()))
    if RECORDS.exists():
        for line in RECORDS.read_text().splitlines():
            try:
                record = json.loads(line)
            except ValueError:  # a line that was cut off was never answered
                continue
            if record["id"] not in known:
                known.add(record["id"])
                records.append(record)


def keep(request):
    record = request.body
    if not isinstance(record.get("id"), str):
        return 400, {"error": "a record has an id"}
    with lock:
        if record["id"] not in known:
            with RECORDS.open("a") as file:
                file.write(("\n" if cut_off() else "") + json.dumps(record) + "\n")
                file.flush()
                os.fsync(file.fileno())
            known.add(record["id"])
            records.append(record)
    return 201, {"id": record["id"]}


def cut_off():
    """Does the file end in the middle of a line?"""
    return RECORDS.exists() and RECORDS.stat().st_size and not RECORDS.read_bytes().endswith(b"\n")


def recommendations(request):
    passenger = request.query.get("passenger", "")
    return {"version": held["version"], "recommendations": models.recommend(held["model"], passenger)}


def sync():
    sent = int(SENT.read_text()) if SENT.exists() else 0
    while True:
        try:
            while sent < len(records):
                batch = records[sent : sent + BATCH]
                fetch(f"{GROUND}/records", {"records": batch}, within=5)
                sent += len(batch)
                SENT.write_text(str(sent))
            said = fetch(f"{RECOMMEND}/model", within=5)
            if said["version"] != held.get("version"):
                new = MODEL.with_suffix(".new")
                new.write_text(json.dumps(said))
                new.replace(MODEL)
                held.update(said)
        except Exception as trouble:
            log(trouble=repr(trouble), waiting=len(records) - sent)
        time.sleep(EVERY)


def healthy(request):
    return {} if held else (503, {})


if __name__ == "__main__":
    locked = alone()  # as long as this program runs
    load()
    threading.Thread(target=sync, daemon=True).start()
    serve({"POST /records": keep, "GET /recommendations": recommendations, "GET /healthz": healthy})
