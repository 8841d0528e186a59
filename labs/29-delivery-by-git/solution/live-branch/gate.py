"""The gate between the branches `main` and `live`: what is newest on main is tried in a pod of its own.

Only a commit that passes is pushed to `live`. What became of it is a note in refs/notes/delivery.
"""

import base64
import copy
import http.client
import json
import os
import subprocess
import time
from pathlib import Path

import steps
from api import NAMESPACE, ApiException, apply, apps, core, gone, possible
from seals import opened
from steps import No, git, holdout, log_loss, no_worse, objects, says

URL, CLONE = os.environ.get("REPOSITORY", "http://git/delays.git"), os.environ.get("CLONE", "/tmp/gate")
PORT = int(os.environ.get("CANDIDATE_PORT", "8080"))
SERVICE = os.environ.get("MODEL", "model")
WHO = ("-c", "user.name=gate", "-c", "user.email=gate@airline.example")
COMES_UP, BECOMES_READY, SERVES = 60, 20, 90  # s


def found(items, kind):
    return next(
        (
            item
            for item in items
            if item["kind"] == kind and (kind != "Deployment" or item["metadata"]["name"] == "model")
        ),
        None,
    )


def candidate(commit, items, secrets):
    """A pod by the Deployment's template, with copies of what it mounts, under names that nothing else has."""
    deployment = found(items, "Deployment")
    if deployment is None:
        raise No("manifest: there is no Deployment model")
    made, tail = [], f"-try-{commit[:7]}"
    for item in [*[i for i in items if i["kind"] == "ConfigMap"], *secrets]:
        other = copy.deepcopy(item)
        other["metadata"] = {"name": item["metadata"]["name"] + tail}
        made.append(other)
    spec = copy.deepcopy(deployment["spec"]["template"]["spec"])
    for volume in spec.get("volumes", []):
        if "configMap" in volume:
            volume["configMap"]["name"] += tail
    for container in spec["containers"]:
        for each in container.get("env", []):
            if "secretKeyRef" in each.get("valueFrom", {}):
                each["valueFrom"]["secretKeyRef"]["name"] += tail
    spec["restartPolicy"] = "Never"
    labels = {"app": "candidate", "commit": commit[:9]}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"candidate-{commit[:9]}", "labels": labels},
        "spec": spec,
    }
    return [*made, pod]


def up(name):
    """The pod's address, when it is ready."""
    began = since = time.monotonic()
    runs, bad = False, 0
    while time.monotonic() - began < COMES_UP:
        pod = core.read_namespaced_pod(name, NAMESPACE)
        if any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions or []):
            return pod.status.pod_ip
        state = next((each.state for each in pod.status.container_statuses or []), None)
        if pod.status.phase in ("Failed", "Succeeded") or (state and state.terminated):
            raise No(
                f"start: its container ended: {core.read_namespaced_pod_log(name, NAMESPACE, tail_lines=2)[-200:]}"
            )
        if state and state.waiting and state.waiting.reason not in ("ContainerCreating", "PodInitializing"):
            bad += 1
            if bad > 1:
                raise No(f"start: {state.waiting.reason}: {(state.waiting.message or '')[:200]}")
        if state and state.running and not runs:
            runs, since = True, time.monotonic()
        if runs and time.monotonic() - since > BECOMES_READY:
            raise No(f"ready: it runs, and is not ready after {BECOMES_READY} s")
        time.sleep(1)
    raise No(f"start: it does not run after {COMES_UP} s")


def post(host, port, rows, key):
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        headers = {"Content-Type": "application/json", **({"X-Api-Key": key} if key else {})}
        connection.request("POST", "/predict", json.dumps({"rows": rows}), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as trouble:
        return 0, repr(trouble).encode()
    finally:
        connection.close()


def probabilities(host, port, rows, key, model):
    """What it says of all held-out flights, if it says it as agreed."""
    for other in ("", key[::-1], f"{key}0"):
        status, _ = post(host, port, rows[:1], other)
        if status != 401:
            raise No(f"answers: without the key its status is {status}")
    told = []
    for first in range(0, len(rows), 40):
        some = rows[first : first + 40]
        status, content = post(host, port, some, key)
        if status != 200:
            raise No(f"answers: status {status} for flights {first} to {first + len(some)}: {content[:100]}")
        try:
            said = json.loads(content)
            part = [float(each) for each in said["probabilities"]]
            if said["model_version"] != model["version"] or len(part) != len(some):
                raise ValueError
            if max(abs(each - says(model, row)) for each, row in zip(part, some, strict=True)) > 1e-6:
                raise ValueError
        except (ValueError, KeyError, TypeError) as trouble:
            raise No(f"answers: not what its model.json says: {content[:120]}") from trouble
        told += part
    return told


def api_key(items, secrets):
    variables = found(items, "Deployment")["spec"]["template"]["spec"]["containers"][0].get("env", [])
    names = [each["valueFrom"]["secretKeyRef"] for each in variables if each["name"] == "API_KEY"]
    values = [one["data"][names[0]["key"]] for one in secrets if one["metadata"]["name"] == names[0]["name"]]
    return base64.b64decode(values[0]).decode() if values else "?"


def same(one, other):
    """Is what is delivered the same at two commits?"""
    return not git("diff", "--name-only", one, other, "--", "service", "sealed", at=CLONE).strip()


def judge(commit, live):
    items, secrets = list(objects(commit, CLONE).values()), opened(commit, CLONE)
    for item in [*items, *secrets]:
        possible(item)
    model, (rows, late) = steps.model(commit, CLONE), holdout(commit, CLONE)
    parts = candidate(commit, items, secrets)
    try:
        for part in parts:
            apply(part)
        told = probabilities(up(parts[-1]["metadata"]["name"]), PORT, rows, api_key(items, secrets), model)
    finally:
        for part in reversed(parts):
            gone(part)
    served = git("rev-list", live, at=CLONE).split() if live else []
    notes = said()
    if live and not any(same(commit, each) for each in served if notes.get(each, "").startswith("accepted")):
        old = steps.model(live, CLONE)
        no_worse(log_loss(told, late), log_loss([says(old, row) for row in rows], late))


def said():
    """All notes, by commit."""
    try:
        pairs = [line.split() for line in git("notes", "--ref=delivery", "list", at=CLONE).splitlines()]
    except RuntimeError:
        return {}
    return {commit: git("cat-file", "-p", blob, at=CLONE) for blob, commit in pairs}


def say(commit, text):
    git(*WHO, "notes", "--ref=delivery", "add", "-f", "-m", text, commit, at=CLONE)
    git("push", "--quiet", "origin", "refs/notes/delivery", at=CLONE)
    print(commit[:9], text, flush=True)


def serves(items):
    """Wait until the follower has done it."""
    wanted = found(items, "Deployment")["spec"]["replicas"]
    name = next(
        v["configMap"]["name"]
        for v in found(items, "Deployment")["spec"]["template"]["spec"]["volumes"]
        if v["name"] == "model"
    )
    for _ in range(SERVES):
        time.sleep(1)
        try:
            now = apps.read_namespaced_deployment("model", NAMESPACE)
        except ApiException:
            continue
        mounted = [v.config_map.name for v in now.spec.template.spec.volumes or [] if v.name == "model"]
        state = now.status
        seen = (
            mounted == [name] and now.spec.replicas == wanted and state.observed_generation == now.metadata.generation
        )
        if seen and (state.replicas, state.updated_replicas, state.available_replicas) == (wanted, wanted, wanted):
            return


def look():
    git("fetch", "--quiet", "origin", "+refs/heads/*:refs/remotes/origin/*", "+refs/notes/*:refs/notes/*", at=CLONE)
    tip = git("rev-parse", "origin/main", at=CLONE).strip()
    branches = git("branch", "--remotes", "--list", "origin/live", at=CLONE).strip()
    live = git("rev-parse", "origin/live", at=CLONE).strip() if branches else ""
    if tip in said():
        return
    try:
        if not live or not same(tip, live):
            judge(tip, live)
    except No as why:
        say(tip, f"refused: {why}")
        return
    git("push", "--quiet", "origin", f"{tip}:refs/heads/live", at=CLONE)
    serves(list(objects(tip, CLONE).values()))
    say(tip, "accepted")


if __name__ == "__main__":
    if not Path(CLONE).exists():
        subprocess.run(["git", "clone", "--quiet", URL, CLONE], check=True)
    while True:
        try:
            look()
        except Exception as trouble:
            print(type(trouble).__name__, str(trouble)[:500], flush=True)
        time.sleep(2)
