"""Send a model server requests of every kind, and read its pods' metrics before and after; prints one JSON object.

    python3 traffic.py plan.json

Runs in a pod of the checker's. What the server does wrong is part of the answer; an exit code other than 0 is not its
fault. Every request, and the whole, has a limit in time and size.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import random
import re
import socket
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

WITHIN = 10  # s for one answer
WHOLE = 75  # s for everything
REACHED_WITHIN = 10  # s: where NetworkPolicies stand between, they know this pod's address a moment after it has begun
CLIENTS = 6
LARGEST = 1 << 20  # bytes of one answer
LARGEST_METRICS = 4 << 20
SETTLED_WITHIN, SETTLED_FOR = 6, 0.5  # s: a server may count a moment after it has answered
SAME_TIME = 8  # scrapes of one pod at the same time
TIMED, MANY_ROWS = 6, 1000  # requests one after the other: about one flight, and then about many
BARE = 3  # of so many requests that a handler does not answer, one comes without an id
FORMS = "{0}", "it-is-me-{0:.12}", "{0:.8}-{0:.4}-4{0:.3}-a{0:.3}-{0:.12}", "Gate.B7_{NEW:.12}", "{0}.{0:.20}"  # ids
LOST_AT_MOST = 3  # requests without an answer after which no more are sent

REQUESTS, LATENCY = "http_requests_total", "http_request_duration_seconds"
PREDICTIONS, MODEL, ROUTE = "model_prediction_probability", "model_info", "/predict"
TEXT = {"Accept": "text/plain;version=0.0.4"}
ERRORS = ("404", "405", "422", "500")

Plain = dict[str, Any]
Pods = Sequence[Plain]


def ask(
    host: str,
    port: int,
    method: str,
    path: str,
    body: str | None = None,
    headers: Mapping[str, str] | None = None,
    largest: int = LARGEST,
) -> tuple[int, dict[str, str], bytes, float, str]:
    """One request on a connection of its own: status (0: no answer), headers, body, seconds, error."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection(host, port, timeout=WITHIN)
    try:
        connection.request(method, path, body, {"Connection": "close", **(headers or {})})
        answer = connection.getresponse()
        text = bytearray()
        while chunk := answer.read1(65536):
            text += chunk
            if len(text) > largest:
                return 0, {}, b"", 0.0, f"an answer of more than {largest >> 20} MB"
            if time.perf_counter() - began > WITHIN:
                raise TimeoutError
        head = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, head, bytes(text), time.perf_counter() - began, ""
    except TimeoutError:
        return 0, {}, b"", 0.0, f"no whole answer within {WITHIN} s"
    except (OSError, http.client.HTTPException, ValueError, OverflowError) as trouble:
        return 0, {}, b"", 0.0, f"{type(trouble).__name__}: {' '.join(str(trouble).split())[:200]}"
    finally:
        connection.close()


class Sender:
    """Makes requests of a kind, sends them, and keeps what came back."""

    def __init__(self, plan: Plain) -> None:
        self.plan, self.draw = plan, random.Random()
        self.answers: list[Plain] = []
        self.turns = {kind: itertools.count(self.draw.randrange(BARE)) for kind in ("unknown", "refused", "crash")}

    def made(self, kind: str, first: int = 0, count: int = 1) -> tuple[str, str, Plain | None, bool]:
        """A request of a kind about some flights: method, path, body, and whether it brings an id."""
        word, rows = uuid.uuid4().hex, self.plan["rows"]
        flights = [rows[(first + number) % len(rows)] for number in range(count)]
        if kind == "predict":
            return "POST", f"{ROUTE}?display={word}", {"rows": flights}, True
        if kind == "odd":  # a carrier and airports that nobody knows are allowed
            return "POST", ROUTE, {"rows": [flight | unknown_codes() for flight in flights]}, True
        if kind == "nameless":
            return "POST", ROUTE, {"rows": flights}, False
        if kind == "refused":
            lacking = {name: value for name, value in flights[0].items() if name != "carrier"}
            wrong = [{"rows": [flights[0] | {"hour": 31}]}, {"rows": [lacking]}, {"rows": []}]
            return "POST", ROUTE, self.draw.choice(wrong), True
        if kind == "crash":
            return "POST", ROUTE, {"rows": [flights[0] | {"hour": 24}]}, True
        if kind == "method":
            return "GET", ROUTE, None, True
        if kind == "quoted":
            return "GET", f"/{word}%22%7D%0A%5Cn%7B%22status%22%3A200", None, True
        return "GET", f"/{word[:12]}/{word[12:]}", None, True

    def send(self, kind: str, rows: int = 1, pod: Plain | None = None) -> Plain:
        """Send a request of a kind, to a pod itself or through the Service, and keep what came back."""
        first = self.draw.randrange(len(self.plan["rows"]))
        method, path, body, named = self.made(kind, first, rows)
        if kind in self.turns and next(self.turns[kind]) % BARE == 0:
            named = False
        given = self.draw.choice(FORMS).format(new := uuid.uuid4().hex, NEW=new.upper()) if named else ""
        headers = {"Content-Type": "application/json"} | ({"x-request-id": given} if given else {})
        told = {"x-display": f"display-{uuid.uuid4().hex[:12]}", "User-Agent": f"display/{uuid.uuid4().hex[:6]}"}
        headers |= {name: value for name, value in told.items() if self.draw.randrange(BARE)}  # nobody has to tell
        data = None if body is None else json.dumps(body)
        host, port = (pod["address"], pod["port"]) if pod else self.plan["service"]
        status, head, text, seconds, error = ask(host, port, method, path, data, headers)
        answer = {
            "kind": kind, "path": path.partition("?")[0], "status": status, "seconds": seconds, "error": error,
            "given": given, "returned": head.get("x-request-id", "")[:200], "first": first, "rows": rows,
            "pod": pod["name"] if pod else "",
        }  # fmt: skip
        if status == 200 and body:
            answer |= said(text)
            answer["lines"] = misread(text, body["rows"])
        self.answers.append(answer)
        return answer


def unknown_codes() -> dict[str, str]:
    """Codes that nobody has, for one flight."""
    return {name: uuid.uuid4().hex[:6] for name in ("carrier", "origin", "dest")}


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
    """What an answer's lines are, where they are not those of the rows."""
    wanted = [f"{int(row['hour']):02}:00 {row['carrier']} {row['dest']}" for row in rows]
    try:
        found = json.loads(text).get("lines")
    except (ValueError, AttributeError, RecursionError):
        found = None
    return "" if found == wanted else f"{str(found)[:100]} and not {str(wanted)[:100]}"


def scraped(pod: Plain) -> Plain:
    """A pod's metrics as they are: the first of its places that shows any, else what was wrong with the last."""
    found: Plain = {"error": "no place to look at"}
    for port, path in pod["metrics"]:
        for _ in range(3):
            status, head, text, _, error = ask(pod["address"], port, "GET", path, headers=TEXT, largest=LARGEST_METRICS)
            if not 300 <= status < 400:
                break
            try:
                place = urlsplit(head.get("location", ""))
            except ValueError:
                break
            if place.netloc not in ("", f"{pod['address']}:{port}"):
                break
            path = place.path
        found = {"where": f"{pod['address']}:{port}{path}", "type": head.get("content-type", "")}
        if status != 200:
            found["error"] = error or f"status {status}"
            continue
        try:
            return found | read(text.decode())
        except (ValueError, KeyError, IndexError) as trouble:
            found["error"] = f"no metrics in Prometheus' text format ({str(trouble)[:80]}): it begins {text[:60]!r}"
    return found


def read(text: str) -> Plain:
    """The metrics that the task names, added up over all other labels, and how many series there are in all."""
    found: Plain = {"types": {}, "requests": {}, "model": [], "labels": {}}
    found |= {"latency": empty(), "predictions": empty()}
    series, names = 0, set()
    for family in text_string_to_metric_families(text):
        full = f"{family.name}_total" if family.type == "counter" else family.name  # the parser takes the ending away
        names.add(full)
        if full in (REQUESTS, LATENCY, PREDICTIONS, MODEL):
            found["types"][full] = family.type
        for sample in family.samples:
            series += 1
            name, labels, value = sample.name, sample.labels, sample.value
            for label, said in labels.items():
                found["labels"].setdefault((name, label), set()).add(said)
            if name == REQUESTS:
                key = f"{labels.get('route') if labels.get('route') == ROUTE else 'other'} {labels.get('status')}"
                found["requests"][key] = found["requests"].get(key, 0) + value
            elif name.startswith(LATENCY) and labels.get("route") == ROUTE:
                add(found["latency"], name.removeprefix(LATENCY), labels, value)
            elif name.startswith(PREDICTIONS):
                add(found["predictions"], name.removeprefix(PREDICTIONS), labels, value)
            elif name == MODEL:
                found["model"].append([labels, value])
    if not series:
        raise ValueError("it is empty")
    own = sorted(name for name in names if not re.match("python_|process_|.*_created$", name))
    return found | {"series": series, "names": own[:12]}


def empty() -> Plain:
    """A histogram without samples."""
    return {"count": None, "sum": None, "buckets": {}}


def add(histogram: Plain, what: str, labels: Mapping[str, str], value: float) -> None:
    """Add a sample to a histogram; `what` is the ending of its name."""
    if what in ("_count", "_sum"):
        histogram[what[1:]] = (histogram[what[1:]] or 0) + value
    elif what == "_bucket":
        bound = str(float(labels["le"]))
        histogram["buckets"][bound] = histogram["buckets"].get(bound, 0) + value


def own_counts(scrape: Plain) -> Plain:
    """What requests of this program alone can change."""
    kept = {key: value for key, value in scrape.get("requests", {}).items() if key.endswith(ERRORS) or ROUTE in key}
    return {"requests": kept, "latency": scrape.get("latency"), "predictions": scrape.get("predictions")}


def settled(pods: Pods, fell: set[str]) -> dict[str, Plain]:
    """Each pod's metrics once they say the same twice; or as they are last. Who says less than before is in `fell`."""
    end = time.monotonic() + SETTLED_WITHIN
    before: dict[str, Plain] = {}
    while True:
        found = {pod["name"]: scraped(pod) for pod in pods}
        now = {name: own_counts(each) for name, each in found.items()}
        for name, each in before.items():
            fell |= {name for key, value in each["requests"].items() if now[name]["requests"].get(key, 0) < value}
        if now == before or time.monotonic() > end:
            return found
        before = now
        time.sleep(SETTLED_FOR)


def at_once(pod: Plain) -> list[float]:
    """How many different things a pod says when several ask it at the same time and nothing else happens."""
    with ThreadPoolExecutor(SAME_TIME) as pool:
        found = list(pool.map(scraped, [pod] * SAME_TIME))
    return sorted({sum(own_counts(each)["requests"].values()) for each in found if "requests" in each})


def grown(before: Plain, after: Plain) -> Plain | None:
    """How many series a pod has more, and of which labels the new values are."""
    if "series" not in before or "series" not in after:
        return None
    labels = [
        (len(new), name, label, sorted(new)[:2])
        for (name, label), values in after["labels"].items()
        if (new := values - before["labels"].get((name, label), set()))
    ]
    labels.sort(key=lambda each: -each[0])
    return {"before": before["series"], "after": after["series"], "labels": labels[:3]}


def plain(scrapes: Mapping[str, Plain]) -> dict[str, Plain]:
    """Scrapes without what is only of use here."""
    return {name: {key: each[key] for key in each if key != "labels"} for name, each in scrapes.items()}


def salvo(sender: Sender, kinds: Mapping[str, int]) -> None:
    """Requests of some kinds through the Service, several at the same time, in any order."""
    wanted = [kind for kind, number in kinds.items() for _ in range(number)]
    sender.draw.shuffle(wanted)

    def one(kind: str) -> None:
        if sum(not each["status"] for each in sender.answers) < LOST_AT_MOST:
            sender.send(kind, rows=random.randint(1, 9))

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(one, wanted))


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


def done(plan: Plain, found: Plain) -> None:
    """All of it; `found` is filled as it goes."""
    pods, sender = plan["pods"], Sender(plan)
    wait_for_a_way(pods)
    fell: set[str] = set()
    found["answers"] = sender.answers
    # Every kind once at every pod: what a first request of a kind makes is there before anything is compared.
    for pod in pods:
        for kind in ("predict", "refused", "unknown", "crash", "method", "quoted", "nameless", "odd"):
            answer = sender.send(kind, rows=20, pod=pod)
            if not answer["status"]:
                found["trouble"] = f"{pod['name']} at {pod['address']}:{pod['port']}: {answer['error']}"
                return
    found["first"], first = len(sender.answers), settled(pods, fell)
    found["before"] = plain(first)
    salvo(sender, plan["kinds"])
    found["middle"] = plain(settled(pods, fell))
    for when, rows in (("brief", 1), ("timed", MANY_ROWS)):
        found[when] = len(sender.answers)
        for _ in range(TIMED):
            sender.send("predict", rows=rows)
        if when == "brief":
            found["later"] = plain(settled(pods, fell))
    last = settled(pods, fell)
    found["after"] = plain(last)
    found["at_once"] = {pod["name"]: at_once(pod) for pod in pods}
    found["grown"] = {name: grown(first[name], last[name]) for name in last}
    found["fell"] = sorted(fell)
    found["whole"] = True


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
    print(json.dumps(dict(found)), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
