"""Try a commit: one pod of it that no Service selects is started and asked, with copies of what it is given.

What serves may be given objects of the same names, so none of these is touched.
"""

import copy
import os
import time

import cluster
import requests
from steps import Refused, deployment, model, probability

STARTS_WITHIN, READY_WITHIN = 60, 25  # s; the second from when it runs
PORT = 8080
TROUBLE = {
    "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError",
    "RunContainerError", "CrashLoopBackOff",
}  # fmt: skip


GIVEN = {
    "configMap": "ConfigMap", "configMapRef": "ConfigMap", "configMapKeyRef": "ConfigMap",
    "secret": "Secret", "secretRef": "Secret", "secretKeyRef": "Secret",
}  # fmt: skip


def copies(items, commit):
    """ConfigMaps and Secrets under names that nothing else has."""
    made = [copy.deepcopy(item) for item in items if item["kind"] in ("ConfigMap", "Secret")]
    for item in made:
        item["metadata"] = {"name": f"{item['metadata']['name']}-try-{commit[:9]}"}
    return made


def leads(spec, commit, known):
    """Lets references in a pod's spec lead to the copies."""
    for key, value in spec.items() if isinstance(spec, dict) else enumerate(spec):
        field = "secretName" if key == "secret" else "name"
        if isinstance(value, dict) and (GIVEN.get(key), value.get(field)) in known:
            value[field] += f"-try-{commit[:9]}"
        if isinstance(value, dict | list):
            leads(value, commit, known)


def candidate(items, commit):
    """The Deployment as another one, that Service `model` does not lead to."""
    made = copy.deepcopy(deployment(items))
    leads(made["spec"]["template"]["spec"], commit, {(item["kind"], item["metadata"]["name"]) for item in items})
    name = f"candidate-{commit[:9]}"
    made["metadata"] = {"name": name, "labels": {"app": name}}
    made["spec"]["replicas"] = 1
    made["spec"]["selector"] = {"matchLabels": {"app": name}}
    made["spec"]["template"]["metadata"] = {"labels": {"app": name}}
    return made


def ready(name):
    """The address of the candidate's pod, once it is ready."""
    began, running, twice = time.monotonic(), None, 0
    while True:
        state, now = "no pod", time.monotonic()
        for pod in cluster.pods(f"app={name}"):
            status = pod.get("status", {})
            if any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", [])):
                return status["podIP"]
            for each in status.get("containerStatuses", []):
                waiting = each.get("state", {}).get("waiting", {})
                ended = each.get("state", {}).get("terminated") or each.get("lastState", {}).get("terminated")
                state = waiting.get("reason") or status.get("phase", "")
                if waiting.get("reason") in TROUBLE or ended:
                    twice += 1
                    why = f"{state} {waiting.get('message', '')} {(ended or {}).get('reason', '')}"
                    if twice > 1:
                        raise Refused("start", f"its container does not start: {why[:300]}")
                elif each.get("state", {}).get("running"):
                    running = running or now
        if running and now - running > READY_WITHIN:
            raise Refused("ready", f"its container runs, and is not ready after {READY_WITHIN} s")
        if not running and now - began > STARTS_WITHIN:
            raise Refused("start", f"its container does not run after {STARTS_WITHIN} s: {state}")
        time.sleep(1)


def answers(address, key, made, flights):
    """Is what it says what its model says, and does it want the key?"""
    host = address if ":" in address else f"{address}:{os.environ.get('CANDIDATE_PORT', PORT)}"
    rows = [row for row, _ in flights]

    def ask(some, headers):
        try:
            return requests.post(f"http://{host}/predict", json={"rows": some}, headers=headers, timeout=10)
        except requests.RequestException as trouble:
            raise Refused("answers", f"no answer for {len(some)} flights: {type(trouble).__name__}") from trouble

    for headers in ({}, {"X-Api-Key": f"{key[:-1]}x"}, {"X-Api-Key": ""}):
        if (status := ask(rows[:1], headers).status_code) != 401:
            raise Refused("answers", f"status {status} without the right key")
    for begin in range(0, len(rows), 50):
        some = rows[begin : begin + 50]
        answer = ask(some, {"X-Api-Key": key})
        if answer.status_code != 200:
            raise Refused("answers", f"status {answer.status_code} for 50 flights")
        try:
            said = answer.json()
            told, version = said["probabilities"], said["model_version"]
            near = len(told) == len(some) and all(
                abs(float(each) - probability(made, row)) < 1e-6 for each, row in zip(told, some, strict=True)
            )
        except (ValueError, KeyError, TypeError) as trouble:
            raise Refused("answers", f"an answer of another form: {answer.text[:100]}") from trouble
        if version != made["version"]:
            raise Refused("answers", f"it calls its model {version}, which is {made['version']}")
        if not near:
            raise Refused("answers", "its probabilities are not those of its model")


def trial(items, secrets, key, commit, flights):
    """Start one pod of a commit and ask it; nothing of it stays.

    Raises Refused where it must not serve.
    """
    made, aside = candidate([*items, *secrets], commit), copies([*items, *secrets], commit)
    try:
        for item in [*aside, made]:
            cluster.apply(item)
        answers(ready(made["metadata"]["name"]), key, model(items), flights)
    finally:
        for item in [*aside, made]:
            cluster.delete(item)
