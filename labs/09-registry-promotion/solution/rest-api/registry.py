"""MLflow's REST API and the pods of Deployment `model`, for `promote` and `rollback`."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

URI = os.environ["MLFLOW_TRACKING_URI"].rstrip("/")
MODEL, NAMESPACE = os.environ["MODEL_NAME"], os.environ["LAB_NAMESPACE"]
ALIAS = "production"
WITHIN = 45  # s for all pods to serve a version


def ask(method: str, path: str, **values) -> dict:
    """One question; the values are the query of a GET, else the JSON body."""
    url, body = f"{URI}/api/2.0/mlflow/{path}", None
    if method == "GET":
        url += "?" + urllib.parse.urlencode(values)
    else:
        body = json.dumps(values).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        sys.exit(f"MLflow refuses {method} {path}: {refused.read().decode()}")


def in_production() -> dict:
    """The version that the alias means."""
    return ask("GET", "registered-models/alias", name=MODEL, alias=ALIAS)["model_version"]


def point(version: str) -> None:
    """Make the alias mean a version."""
    ask("POST", "registered-models/alias", name=MODEL, alias=ALIAS, version=version)


def serve(version: str) -> bool:
    """Move the alias and wait until every pod serves the version; False once a pod says that it can't, or too late."""
    failures = {pod: failed for pod, (_, failed) in states().items()}
    point(version)
    end = time.monotonic() + WITHIN
    while time.monotonic() < end:
        now = states()
        if now and all(served == version for served, _ in now.values()):
            return True
        # The server counts the versions that it could not load, and goes on with the one it has.
        if any(failed > failures.get(pod, 0) for pod, (_, failed) in now.items()):
            return False
        time.sleep(1)
    return False


def states() -> dict[str, tuple[str, float]]:
    """For each pod the version that it serves, and how often it failed to load another."""
    found = json.loads(kubectl("get", "pods", "--selector=app=model", "--output=json")).get("items", [])
    pods = [pod["metadata"]["name"] for pod in found if not pod["metadata"].get("deletionTimestamp")]
    return {pod: state(pod) for pod in pods}


def state(pod: str) -> tuple[str, float]:
    # Through the API server, so from here each pod can be asked by itself; through the Service chance picks one.
    text = kubectl("get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:8080/proxy/metrics")
    served = re.search(r'^model_info\{.*version="([^"]*)"', text, re.MULTILINE)
    failed = re.search(r"^model_reload_failures_total (\S+)", text, re.MULTILINE)
    return served[1] if served else "", float(failed[1]) if failed else 0.0


def kubectl(*words: str) -> str:
    """What kubectl prints; of a pod that does not answer just now, or that hangs, there is nothing."""
    try:
        return subprocess.run(["kubectl", *words], text=True, stdout=subprocess.PIPE, timeout=6).stdout or "{}"
    except subprocess.TimeoutExpired:
        return "{}"
