"""Send a model server requests of every kind, and read its pods' metrics before and after; prints one JSON object.

    cd / && python3 -m checker.traffic /checker/plan.json

Runs in a pod of the checker's. What the server does wrong is part of the answer; an exit code other than 0 is not its
fault. Every request, and the whole, has a limit in time and size.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import random
import socket
import string
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path

from .bodies import DEPTHS, long_to_read, misplaced, nested, odd, refused
from .client import ask
from .scrapes import ROUTE, Plain, Pods, at_once, grown, plain, scraped, settled, telling

WHOLE = 75  # s for everything
REACHED_WITHIN = 10  # s: where NetworkPolicies stand between, they know this pod's address a moment after it has begun
CLIENTS = 6
TIMED, MANY_ROWS = 6, 1000  # requests one after the other: about one flight, and then about many
# Flights in a pod's first requests, so that it has met each class of sizes, carrier, airport and hour; and in those
# that come later.
FIRST_SIZES = 1, 2, 3, 4, 5, 8, 12, 16, *range(20, 61, 5), MANY_ROWS
SIZES = [size for size in range(1, 60) if size not in FIRST_SIZES]
LONGER, ROUNDS = 3, 3  # times as long as the brief ones together, by the quickest; and how often that is tried
BARE = 3  # of so many requests that a handler does not answer, one comes without an id
FORMS = "{0}", "it-is-me-{0:.12}", "{0:.8}-{0:.4}-4{0:.3}-a{0:.3}-{0:.12}", "Gate.B7_{NEW:.12}", "{0}.{0:.20}"  # ids
SIGNS = f"{string.ascii_letters}{string.digits}-._"  # that an id may have
SHORTEST, LONGEST = 1, 128  # signs in an id
STRANGERS = 32  # requests to each pod with methods and hosts that there are not
PLACES, FURTHEST = 14, 120  # bodies of two kinds to each pod, each with its fault at another place; and at most where
FIELDS = {"model_version", "probabilities", "lines"}  # of an answer
METHODS = "GET", "PUT", "PATCH", "DELETE"  # that /predict does not know
BEFORE = 2  # flights before one that ends in an exception
VERSIONS = "v1", "v2"  # of the model that this image has
LOST_AT_MOST = 3  # requests without an answer after which no more are sent


class Sender:
    """Makes requests of a kind, sends them, and keeps what came back."""

    def __init__(self, plan: Plain) -> None:
        self.plan, self.draw = plan, random.Random()
        self.answers: list[Plain] = []
        self.turns = {
            kind: itertools.count(self.draw.randrange(BARE))
            for kind in ("unknown", "refused", "broken", "crash", "deep", "again")
        }
        self.depths, self.places = list(DEPTHS), [2, 3]
        self.faults, self.methods = itertools.count(), itertools.count()
        self.question: Plain = {}  # what one display asks again and again
        self.odd: list[tuple[Plain, list[Plain]]] = []  # answers about strange flights, and those

    def made(self, kind: str, first: int = 0, count: int = 1) -> tuple[str, str, Plain | str | None, bool]:
        """A request of a kind about some flights: method, path, body, and whether it brings an id."""
        word, rows = uuid.uuid4().hex, self.plan["rows"]
        flights = [rows[(first + number) % len(rows)] for number in range(count)]
        if kind in ("predict", "again", "sized"):
            return "POST", f"{ROUTE}?display={word}", {"rows": flights}, True
        if kind == "read":
            return "POST", f"{ROUTE}?display={word}", long_to_read(flights), True
        if kind == "odd":
            strange = [odd(flight, number) for number, flight in enumerate(flights)]
            return "POST", ROUTE, {"rows": strange, "asked_by": word}, True
        if kind == "nameless":
            return "POST", ROUTE, {"rows": flights}, False
        if kind == "refused":
            wrong = refused(flights[0], MANY_ROWS)
            return "POST", ROUTE, wrong[next(self.faults) % len(wrong)], True
        if kind == "broken":  # a number that JSON does not have: some refuse it, of some that very refusal breaks
            field, value = self.draw.choice(("month", "day", "weekday")), self.draw.choice((math.nan, math.inf))
            return "POST", ROUTE, {"rows": [flights[0] | {field: value}]}, True
        if kind == "deep":  # some refuse it, and of some that very refusal breaks, in another way than before
            return "POST", ROUTE, nested(flights[0], self.draw.choice(self.depths)), True
        if kind == "misplaced":
            return "POST", ROUTE, misplaced(flights[0], self.places.pop()), True
        if kind == "alive":
            return "GET", "/healthz", None, True
        if kind == "crash":  # behind flights that are none: nobody gets their probabilities either
            return "POST", ROUTE, {"rows": [*flights[:BEFORE], flights[0] | {"hour": 24}]}, True
        if kind == "method":
            return METHODS[next(self.methods) % len(METHODS)], ROUTE, None, True
        if kind == "quoted":
            return "GET", f"/{word}%22%7D%0A%5Cn%7B%22status%22%3A200", None, True
        return "GET", f"/{word[:12]}/{word[12:].upper()}" + self.draw.choice(("", f"/{word}" * 6)), None, True

    def send(self, kind: str, rows: int = 1, pod: Plain | None = None) -> Plain:
        """Send a request of a kind, to a pod itself or through the Service, and keep what came back."""
        first = self.draw.randrange(len(self.plan["rows"]))
        method, path, body, named = self.made(kind, first, rows)
        if kind in self.turns and next(self.turns[kind]) % BARE == 0:
            named = False
        given = self.an_id() if named else ""
        told = {"x-display": f"display-{uuid.uuid4().hex[:12]}", "User-Agent": f"display/{uuid.uuid4().hex[:6]}"}
        told |= self.of_itself()
        if kind == "again":  # without an id, with the id that it had before, or with a new one; to a pod with the first
            asked = self.question = self.question or {
                "path": f"{ROUTE}?display={uuid.uuid4().hex}", "body": body, "told": told,
                "given": given or self.an_id(), "first": first, "rows": rows,
            }  # fmt: skip
            path, body, told, first, rows = (asked[name] for name in ("path", "body", "told", "first", "rows"))
            given = asked["given"] if pod else given and self.draw.choice((given, asked["given"]))
        else:
            told = {name: value for name, value in told.items() if self.draw.randrange(BARE)}  # nobody has to tell
        headers = {"Content-Type": "application/json"} | ({"x-request-id": given} if given else {}) | told
        data = json.dumps(body) if isinstance(body, dict) else body
        host, port = (pod["address"], pod["port"]) if pod else self.plan["service"]
        status, head, text, seconds, error = ask(host, port, method, path, data, headers)
        answer = {
            "kind": kind, "path": path.partition("?")[0], "status": status, "seconds": seconds, "error": error,
            "given": given, "returned": head.get("x-request-id", "")[:200], "first": first, "rows": rows,
            "pod": pod["name"] if pod else "", "type": head.get("content-type", "")[:80],
        }  # fmt: skip
        if status == 200 and isinstance(body, dict) and kind != "refused":
            answer |= said(text)
            answer["lines"] = misread(text, body["rows"])
            self.odd += [(answer, body["rows"])] if kind == "odd" else []
        self.answers.append(answer)
        return answer

    def of_itself(self) -> dict[str, str]:
        """What else a client may tell, each time another: a page, a language and an address, all well formed."""
        return {
            "Referer": f"https://displays.example.org/{uuid.uuid4().hex[:12]}",
            "Accept-Language": "".join(self.draw.choices(string.ascii_lowercase, k=8)),
            "X-Forwarded-For": f"198.18.{self.draw.randrange(256)}.{self.draw.randrange(1, 255)}",  # nobody's network
        }

    def an_id(self) -> str:
        """Of one of several forms, or as short or long as may be."""
        if self.draw.randrange(6):
            return self.draw.choice(FORMS).format(new := uuid.uuid4().hex, NEW=new.upper())
        length = self.draw.choice((SHORTEST, 3, LONGEST - self.draw.randrange(30), LONGEST, LONGEST))
        return "".join(self.draw.choices(SIGNS, k=length))

    def strangers(self, pod: Plain, count: int) -> None:
        """Send a pod requests with methods and headers that nobody knows, to unknown paths; any answer will do.

        Every other one is a GET, as some servers refuse the rest before a program sees it.
        """
        lost: list[str] = []

        def one(number: int) -> None:
            word = uuid.uuid4().hex
            method = "".join(self.draw.choices(string.ascii_uppercase, k=10)) if number % 2 else "GET"
            named = ("Host", "Referer", "Accept-Language", "Content-Type", "X-Forwarded-For")
            if len(lost) < LOST_AT_MOST:
                status, *_, error = ask(
                    pod["address"],
                    pod["port"],
                    method,
                    f"/{word}",
                    None,
                    {name: f"{word[:12]}.{name}" for name in named},
                )
                lost.extend([] if status else [error])

        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(one, range(count)))


def said(text: bytes) -> Plain:
    """The version and the probabilities of an answer; an error where it has none."""
    try:
        found = json.loads(text)
        given = found["probabilities"]
        if not isinstance(given, list) or any(
            isinstance(each, bool) or not isinstance(each, int | float) for each in given
        ):
            raise ValueError("not a list of numbers")
        return {"version": str(found["model_version"])[:80], "probabilities": [float(each) for each in given]}
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return {"error": f"not an answer with model_version and probabilities: {text[:100].decode(errors='replace')}"}


def misread(text: bytes, rows: Sequence[Plain]) -> str:
    """What an answer's lines are, where they are not those of the rows; or which fields it has beside its own."""
    wanted = [f"{int(row['hour']):02}:00 {row['carrier']} {row['dest']}" for row in rows]
    try:
        found = json.loads(text)
        lines, more = found.get("lines"), sorted({*found} - FIELDS)
    except (ValueError, AttributeError, RecursionError):
        lines, more = None, []
    if lines != wanted:
        return f"{str(lines)[:100]} and not {str(wanted)[:100]}"
    return f"a field more, {more[0][:40]}" if more else ""


def hold_against_the_model(odd: Sequence[tuple[Plain, list[Plain]]]) -> None:
    """Put into answers about strange flights how far they are from the model's own values, `apart`.

    It is None where that is no number: another count, another version, or NaN.
    """
    from flight_delay.model import Model

    models = {version: Model(Path("/model") / version) for version in VERSIONS}
    for model in models.values():
        model.start_loading().join()
    for answer, rows in odd:
        given, model = answer.get("probabilities", []), models.get(answer.get("version", ""))
        own = model.probabilities(rows) if model else []
        apart = [abs(one - other) for one, other in zip(given, own, strict=False)]
        answer["apart"] = max(apart) if own and len(given) == len(own) and all(map(math.isfinite, apart)) else None


def salvo(sender: Sender, kinds: Sequence[str], pod: Plain | None = None) -> None:
    """Requests of these kinds through the Service or to a pod, several at the same time, in any order."""
    wanted = sender.draw.sample(kinds, len(kinds))

    def one(kind: str) -> None:
        if sum(not each["status"] for each in sender.answers) < LOST_AT_MOST:
            sender.send(kind, random.choice(SIZES), pod)

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(one, wanted))


def dive(sender: Sender, pod: Plain) -> None:
    """Send a pod lists in lists: the first one of every depth, and then all of those that ended in an exception."""
    ended, every = [], [*sender.depths, DEPTHS[-1]]
    for depth in every:
        sender.depths = [depth]
        status = sender.send("deep", pod=pod)["status"]
        ended += [depth] if status >= HTTPStatus.INTERNAL_SERVER_ERROR else []
        if not status:
            break
    sender.depths = ended or every[-1:]


def wait_for_a_way(pods: Pods) -> None:
    """Until each pod takes a connection, or `REACHED_WITHIN` is over: what follows tells of one that does not."""
    end = time.monotonic() + REACHED_WITHIN
    for pod in pods:
        while True:
            try:
                socket.create_connection((pod["address"], pod["port"]), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > end:
                    return
                time.sleep(0.2)


def own_address(pods: Pods) -> str:
    """The address that this program's requests come from."""
    with socket.socket(socket.AF_INET6 if ":" in pods[0]["address"] else socket.AF_INET, socket.SOCK_DGRAM) as way:
        way.connect((pods[0]["address"], pods[0]["port"]))  # sends nothing
        return str(way.getsockname()[0])


def one_after_the_other(sender: Sender, pods: Pods, fell: set[str], found: Plain) -> None:
    """What is long to read; then brief requests and long ones, both again where a busy machine made them take alike."""
    found["early"] = plain(settled(pods, fell))
    for _ in range(TIMED):
        sender.send("read")
    last = settled(pods, fell)
    found["read"] = plain(last)
    for _ in range(ROUNDS):
        found["middle"], waited = plain(last), {}
        for when, rows, then in (("brief", 1, "later"), ("timed", MANY_ROWS, "after")):
            found[when] = len(sender.answers)
            waited[when] = [sender.send("predict", rows=rows)["seconds"] for _ in range(TIMED)]
            last = settled(pods, fell)
            found[then] = plain(last)
        if LONGER * sum(waited["brief"]) <= TIMED * min(waited["timed"]):
            break


def done(plan: Plain, found: Plain) -> None:
    """All of it; `found` is filled as it goes."""
    pods, sender = plan["pods"], Sender(plan)
    wait_for_a_way(pods)
    fell: set[str] = set()
    found["answers"] = sender.answers
    faults = len(refused(plan["rows"][0], MANY_ROWS))
    # Every kind once at every pod: what a first request of a kind makes is there before anything is compared.
    for pod in pods:
        sender.places = [2, 3]
        for kind in (
            "predict", *["refused"] * faults, "unknown", "crash", "broken", *["method"] * len(METHODS), "quoted",
            "nameless", "odd", "alive", "again", "again", "misplaced", "misplaced", "read",
        ):  # fmt: skip
            answer = sender.send(kind, rows=20, pod=pod)
            if not answer["status"]:
                found["trouble"] = f"{pod['name']} at {pod['address']}:{pod['port']}: {answer['error']}"
                return
        for size in FIRST_SIZES:
            sender.send("sized", size, pod)
        dive(sender, pod)
        sender.strangers(pod, 2)
    found["first"], first = len(sender.answers), settled(pods, fell)
    found["before"] = plain(first)
    salvo(sender, [kind for kind, number in plan["kinds"].items() for _ in range(number)])
    for pod in pods:
        sender.places = [place for side in (4, 5) for place in sender.draw.sample(range(side, FURTHEST, 2), PLACES)]
        salvo(sender, ["misplaced"] * len(sender.places), pod)
    one_after_the_other(sender, pods, fell, found)
    found["at_once"] = {pod["name"]: at_once(pod) for pod in pods}
    for pod in pods:
        sender.strangers(pod, STRANGERS)
    at_last = settled(pods, fell)
    found["grown"] = {name: grown(first[name], at_last[name]) for name in at_last}
    address = own_address(pods)
    found["telling"] = {name: telling(each, address) for name, each in at_last.items()}
    found["fell"] = sorted(fell)
    found["odd"], found["whole"] = sender.odd, True


def main() -> None:
    plan = json.loads(Path(sys.argv[1]).read_text())
    if "look" in plan:  # at one pod's metrics, and nothing else
        wait_for_a_way([plan["look"]])
        print(json.dumps(plain({"pod": scraped(plan["look"])})["pod"]), flush=True)
        return
    found: Plain = {"whole": False, "trouble": ""}
    worker = threading.Thread(target=done, args=(plan, found), daemon=True)
    worker.start()
    worker.join(WHOLE)
    if worker.is_alive():
        found["trouble"] = f"not done with {len(found['answers'])} requests within {WHOLE} s"
    elif not found["whole"] and not found["trouble"]:
        sys.exit(1)  # the exception has been printed
    if "odd" in found:
        hold_against_the_model(found.pop("odd"))
    print(json.dumps(dict(found)), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
