"""On board: one SQLite file holds the model and what was handed in. The ground comes for it when there is a link."""

import json
import os
import sqlite3
import threading
from pathlib import Path

import models
from serving import serve

lock = threading.Lock()
base = sqlite3.connect(Path(os.environ.get("DATA", "/data")) / "edge.db", check_same_thread=False)
base.executescript("""
    PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS records (number INTEGER PRIMARY KEY, id TEXT UNIQUE, record TEXT);
    CREATE TABLE IF NOT EXISTS model (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), said TEXT);
""")
held = {}


def read():
    for (said,) in base.execute("SELECT said FROM model"):
        held.update(json.loads(said))


def keep(request):
    record = request.body
    with lock, base:
        base.execute(
            "INSERT OR IGNORE INTO records (id, record) VALUES (?, ?)", (str(record["id"]), json.dumps(record))
        )
    return 201, {}


def kept(request):
    with lock:
        found = base.execute(
            "SELECT number, record FROM records WHERE number > ? ORDER BY number LIMIT 300",
            (int(request.query["after"]),),
        ).fetchall()
    return {"records": [json.loads(record) for _, record in found], "last": found[-1][0] if found else None}


def learn(request):
    with lock, base:
        base.execute("INSERT OR REPLACE INTO model VALUES (1, ?)", (json.dumps(request.body),))
    held.update(request.body)
    return {}


def which(request):
    return {"version": held.get("version")}


def recommendations(request):
    if not held:
        return 503, {}
    return {"recommendations": models.recommend(held["model"], request.query.get("passenger", ""))}


if __name__ == "__main__":
    read()
    serve({"POST /records": keep, "GET /records": kept, "PUT /model": learn, "GET /model": which,
           "GET /recommendations": recommendations})  # fmt: skip
