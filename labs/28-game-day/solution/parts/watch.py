"""The watch: hears what the senses feel and what has drifted, and writes down what began and what ended."""

import threading
import time
from datetime import UTC, datetime

import drift
import senses
from serving import fetch, log, serve

EVERY = 2.5  # s
lock, incidents = threading.Lock(), []


def open_ones(where):
    return {each["what"]: each for each in incidents if each["where"] == where and each["ended"] is None}


def moment():
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def begin(what, where):
    with lock:
        if what not in open_ones(where):
            incidents.append({"what": what, "where": where, "began": moment(), "ended": None})
            log(began=what, where=where)


def end(what, where):
    with lock:
        if what in open_ones(where):
            open_ones(where)[what]["ended"] = moment()
            log(ended=what, where=where)


def told(sense, kinds, trouble=None):
    """What a sense feels; its kinds that it does not feel any more are over."""
    if kinds is None:
        log(sense=type(sense).__name__, where=sense.where, trouble=repr(trouble))
        return
    for what in kinds:
        begin(what, sense.where)
    for what in set(sense.feels) - kinds:
        end(what, sense.where)


CHANGED = ("scaled-down", "image-changed", "service-deleted", "selector-changed", "shut-off")


def look(name, shut):
    found = drift.drifted(name) | ({"shut-off"} if name in shut else set())
    for what in found:
        begin(what, name)
    killed, going_on = drift.killed(name), open_ones(name).keys() & {*CHANGED, "pods-killed"}
    if killed and not going_on:
        begin("pods-killed", name)
        return
    if not found and going_on and drift.well(name):
        fetch(f"http://{name}/healthz", within=2)  # OSError: not yet
        for what in going_on:
            end(what, name)


def watch():
    while True:
        shut = set()
        for name in drift.SERVICES:
            try:
                shut = shut | drift.shut()
                look(name, shut)
            except Exception as trouble:
                log(where=name, trouble=repr(trouble))
        time.sleep(EVERY)


if __name__ == "__main__":
    drift.read()
    threading.Thread(target=watch, daemon=True).start()
    for each in senses.all_of_them():
        threading.Thread(target=senses.feel_on, args=(each, told), daemon=True).start()
    serve({"GET /incidents": lambda request: {"incidents": list(incidents[-200:])}})
