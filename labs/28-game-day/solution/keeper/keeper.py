"""Looks every few seconds whether all is as it ought to be, puts right what is not, and keeps the log of incidents."""

import json
import os
import threading
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import kube
import registry
import rows
import yaml
from serving import fetch, log, serve

EVERY = 3.0  # s
SERVICES = ("page", "forecast", "recommend")
MODELS = ("forecast", "recommend")
LEFT_ALONE = ("in-the-air",)  # NetworkPolicies
BUSY = 10.0  # requests a second of the page
WINDOW = 9.0  # s
WANTED = {}
lock, incidents, open_ones = threading.Lock(), [], {}
outside = {}  # what is wrong with a feed, as its own thread saw it last


def now():
    return datetime.now(UTC).isoformat()


def wanted():
    """Deployments and Services as they ought to be, by kind and name: from the files that they were made of."""
    for name in SERVICES:
        for each in yaml.safe_load_all((Path(os.environ.get("MANIFESTS", "/manifests")) / f"{name}.yaml").read_text()):
            WANTED[each["kind"], name] = each


def told(found):
    """The incidents begin that are new, and those end that are no more."""
    with lock:
        for key in found:
            if key not in open_ones:
                open_ones[key] = {"what": key[0], "where": key[1], "began": now(), "ended": None}
                incidents.append(open_ones[key])
                log(incident=f"{key[0]} at {key[1]}", began=True)
        for key in [key for key in open_ones if key not in found and over(key)]:
            open_ones.pop(key)["ended"] = now()
            log(incident=f"{key[0]} at {key[1]}", ended=True)


def over(key):
    """Its cause is gone: is all well again?"""
    what, where = key
    if where not in SERVICES or what in ("surge", "alias-moved"):
        return True
    try:
        status = kube.ask("GET", "deployments", where)["status"]
        ready = status.get("readyReplicas", 0) and not status.get("unavailableReplicas", 0)
        return bool(ready and fetch(f"http://{where}/healthz", within=2) is not None)
    except (OSError, ValueError, TypeError):
        return False


class Pods:
    """The pods of a service that were there at the last look."""

    def __init__(self):
        self.known, self.generation = {}, {}

    def look(self, name, deployment, quiet):
        """Whether some went away that nobody has replaced by a rollout."""
        listed = kube.ask("GET", "pods", f"?labelSelector=app%3D{name}")["items"]
        there = {each["metadata"]["uid"] for each in listed if not each["metadata"].get("deletionTimestamp")}
        generation = deployment["metadata"]["generation"]
        same = self.generation.get(name) == generation
        gone = self.known.get(name, set()) - there
        self.known[name], self.generation[name] = there, generation
        return bool(gone) and same and quiet


def cluster(pods):
    """What is wrong with Deployments, Services and NetworkPolicies, and put right at once."""
    found = set()
    for name in SERVICES:
        wants, deployment = WANTED["Deployment", name], kube.ask("GET", "deployments", name)
        spec, container = wants["spec"], wants["spec"]["template"]["spec"]["containers"][0]
        if deployment["spec"]["replicas"] != spec["replicas"]:
            found.add(("scaled-down", name))
            kube.ask("PATCH", "deployments", name, {"spec": {"replicas": spec["replicas"]}})
        has = {each["name"]: each["image"] for each in deployment["spec"]["template"]["spec"]["containers"]}
        if has.get(container["name"]) != container["image"]:
            found.add(("image-changed", name))
            right = {"name": container["name"], "image": container["image"]}
            patch = {"spec": {"template": {"spec": {"containers": [right]}}}}
            kube.ask("PATCH", "deployments", name, patch, patch="strategic-merge-patch")
        service, right = kube.ask("GET", "services", name), WANTED["Service", name]
        if service is None:
            found.add(("service-deleted", name))
            made = json.loads(json.dumps(right))
            if address := ADDRESSES.pop(name, None):  # so that nobody has to learn another one, if it is still free
                made["spec"]["clusterIP"] = address
            kube.ask("POST", "services", "", made)
        else:
            ADDRESSES[name] = service["spec"].get("clusterIP")
            selector = service["spec"].get("selector") or {}
            if selector != right["spec"]["selector"]:
                found.add(("selector-changed", name))
                patch = {"spec": {"selector": dict.fromkeys(selector) | right["spec"]["selector"]}}
                kube.ask("PATCH", "services", name, patch)
    for policy in kube.ask("GET", "networkpolicies")["items"]:
        if policy["metadata"]["name"] in LEFT_ALONE:
            continue
        pods_labels = {name: WANTED["Deployment", name]["spec"]["template"]["metadata"]["labels"] for name in SERVICES}
        hit = [name for name in SERVICES if shuts_off(policy, pods_labels[name])]
        found |= {("shut-off", name) for name in hit}
        if hit:
            kube.ask("DELETE", "networkpolicies", policy["metadata"]["name"])
    for name in SERVICES:
        busy = any(where == name for _, where in [*found, *open_ones])
        if pods.look(name, kube.ask("GET", "deployments", name), not busy):
            found.add(("pods-killed", name))
    return found


ADDRESSES = {}


def shuts_off(policy, labels):
    """Does a NetworkPolicy let nobody reach pods with these labels?"""
    spec = policy["spec"]
    inwards = "Ingress" in (spec.get("policyTypes") or ["Ingress"]) and not spec.get("ingress")
    return inwards and selected(spec.get("podSelector") or {}, labels)


def selected(selector, labels):
    """Does a selector of labels select these?"""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(fits(each, labels) for each in selector.get("matchExpressions") or [])


def fits(one, labels):
    has, among = one["key"] in labels, labels.get(one["key"]) in (one.get("values") or [])
    return {"In": has and among, "NotIn": not among, "Exists": has, "DoesNotExist": not has}[one["operator"]]


def aliases():
    """Aliases that mean a version which `train` has not made, and put back."""
    found = set()
    for what in MODELS:
        version = registry.by_alias(what, "production")
        if version and not trained(what, version):
            found.add(("alias-moved", what))
            older = [number for number in range(int(version) - 1, 0, -1) if trained(what, str(number))]
            if older:
                registry.set_alias(what, "production", str(older[0]))
    return found


def trained(what, version):
    query = registry.urllib.parse.urlencode({"name": registry.NAMES[what], "version": version})
    said = registry.ask("GET", f"mlflow/model-versions/get?{query}")
    tags = (said or {}).get("model_version", {}).get("tags", [])
    return any(each["key"] == "trained" and each.get("value") == "yes" for each in tags)


def feed(name, url, wrong, silent_kind, wrong_kind):
    """Ask a feed again and again; two failures in a row are silence."""
    failed = 0
    while True:
        try:
            said = wrong(fetch(url, within=4))
            failed = 0
            outside[name] = {(wrong_kind, name)} if said else set()
        except (OSError, ValueError, AttributeError, TypeError):
            failed += 1
            if failed > 1:
                outside[name] = {(silent_kind, name)}
        time.sleep(EVERY)


def surge():
    """How busy the page is, by its pods' own counters."""
    counts = []  # (time, by pod)
    while True:
        try:
            listed = kube.ask("GET", "pods", "?labelSelector=app%3Dpage")["items"]
            by_pod = {}
            for each in listed:
                if address := each["status"].get("podIP"):
                    try:
                        by_pod[each["metadata"]["uid"]] = counted(address)
                    except (OSError, ValueError):
                        continue
            counts.append((time.monotonic(), by_pod))
            counts[:] = [each for each in counts if each[0] > time.monotonic() - WINDOW - EVERY]
            (then, first), (last, latest) = counts[0], counts[-1]
            if last - then > WINDOW / 2:
                more = sum(max(0, latest[uid] - first[uid]) for uid in latest if uid in first)
                outside["page"] = {("surge", "page")} if more / (last - then) > BUSY else set()
        except (OSError, ValueError, TypeError) as trouble:
            log(trouble=repr(trouble))
        time.sleep(EVERY)


def counted(address):
    host = f"[{address}]" if ":" in address else address
    with urllib.request.urlopen(f"http://{host}:8080/metrics", timeout=2) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("requests_total"))


def watch():
    pods = Pods()
    while True:
        try:
            found = cluster(pods) | aliases()
            for each in list(outside.values()):
                found |= each
            told(found)
        except Exception as trouble:
            log(trouble=repr(trouble))
        time.sleep(EVERY)


if __name__ == "__main__":
    wanted()
    work = [
        (watch, ()), (surge, ()),
        (feed, ("exchange", "http://exchange/prices", rows.wrong_prices, "prices-silent", "wrong-prices")),
        (feed, ("bookings", "http://bookings/bookings", rows.wrong_bookings, "bookings-silent", "wrong-bookings")),
    ]  # fmt: skip
    for function, given in work:
        threading.Thread(target=function, args=given, daemon=True).start()
    serve({"GET /incidents": lambda request: {"incidents": incidents[-200:]}})
