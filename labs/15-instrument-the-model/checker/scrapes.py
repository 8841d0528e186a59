"""Pods' metrics as they show them, what lab 15 looks for in them, and how they change; it runs in a pod."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from .client import ask

LARGEST_METRICS = 4 << 20  # bytes
SETTLED_WITHIN, SETTLED_FOR = 6, 0.5  # s: a server may count a moment after it has answered
SAME_TIME = 8  # scrapes of one pod at the same time

REQUESTS, LATENCY = "http_requests_total", "http_request_duration_seconds"
PREDICTIONS, MODEL, ROUTE = "model_prediction_probability", "model_info", "/predict"
TEXT = {"Accept": "text/plain;version=0.0.4"}
ERRORS = ("404", "405", "422", "500")

Plain = dict[str, Any]
Pods = Sequence[Plain]


def scraped(pod: Plain) -> Plain:
    """A pod's metrics as they are: the first of its places that shows any, else what was wrong with each.

    From then on it is asked there alone, as a server may count what it is asked elsewhere; and one that shows none is
    asked no more, as that may take long, and one time is enough to know.
    """
    if "silent" in pod:
        return dict(pod["silent"])
    tried: list[Plain] = []
    for place in list(pod["metrics"]):
        port, path = place
        for _ in range(3):
            status, head, text, _, error = ask(pod["address"], port, "GET", path, headers=TEXT, largest=LARGEST_METRICS)
            if not 300 <= status < 400:
                break
            try:
                leads = urlsplit(head.get("location", ""))
            except ValueError:
                break
            if leads.netloc not in ("", f"{pod['address']}:{port}"):
                break
            path = leads.path
        found = {"where": f"{pod['address']}:{port}{path}", "type": head.get("content-type", "")}
        if status != 200:
            tried.append(found | {"error": error or f"status {status}"})
            continue
        try:
            found |= read(text.decode())
            pod["metrics"] = [place]
            return found
        except (ValueError, KeyError, IndexError) as trouble:
            wrong = f"no metrics in Prometheus' text format ({str(trouble)[:80]}): it begins {text[:60]!r}"
            tried.append(found | {"error": wrong})
    said = [f"{each['where']}: {each['error']}" for each in tried]
    pod["silent"] = {"type": tried[0]["type"], "error": "; ".join(said)}
    return dict(pod["silent"])


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


def telling(scrape: Plain, address: str) -> list[tuple[str, str]]:
    """Metrics and their labels of which a value has an address in it."""
    form = re.compile(rf"(?<![0-9.]){re.escape(address)}(?![0-9.])")
    return sorted(place for place, values in scrape.get("labels", {}).items() if any(map(form.search, values)))


def plain(scrapes: Mapping[str, Plain]) -> dict[str, Plain]:
    """Scrapes without what is only of use here."""
    return {name: {key: each[key] for key in each if key != "labels"} for name, each in scrapes.items()}
