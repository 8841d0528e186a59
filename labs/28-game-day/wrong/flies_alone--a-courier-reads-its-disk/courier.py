"""Reads what the edge has written, and carries it to the ground."""

import time

import edge
from serving import fetch, log

sent = 0
while True:
    try:
        edge.load()
        if batch := edge.records[sent : sent + edge.BATCH]:
            fetch(f"{edge.GROUND}/records", {"records": batch}, within=5)
            sent += len(batch)
    except Exception as trouble:
        log(trouble=repr(trouble))
    time.sleep(2)
