"""Follow the repository: what is newest on main serves if it is right, and what serves stays as it is there.

The memory is the repository's notes: what serves is the newest commit of main that was accepted. One thread judges
commits; the other puts back, every few seconds, whatever was changed by hand.
"""

import base64
import functools
import json
import os
import subprocess
import threading
import time
from pathlib import Path

import cluster
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from steps import Refused, compare, deployment, git, model, read
from trial import copies, trial

URL = os.environ.get("REPOSITORY", "http://git/delays.git")
KEY = Path(os.environ.get("PRIVATE_KEY", "/key/private.pem"))
CLONE = os.environ.get("CLONE", "/tmp/delays")
EVERY, ROLLS_WITHIN = 3, 90  # s
WHO = ("-c", "user.name=delivery", "-c", "user.email=delivery@airline.example")
serving, applying = {"commit": None}, threading.Lock()


def fetch():
    git(CLONE, "fetch", "--quiet", "origin", "+main:refs/remotes/origin/main", "+refs/notes/*:refs/notes/*")
    return git(CLONE, "rev-list", "--first-parent", "origin/main").split()


def notes():
    """What was said of commits, by commit."""
    listed = subprocess.run(["git", "-C", CLONE, "notes", "--ref=delivery", "list"], stdout=subprocess.PIPE, text=True)
    pairs = [line.split() for line in listed.stdout.splitlines()]
    return {commit: git(CLONE, "cat-file", "blob", blob) for blob, commit in pairs}


def note(commit, text):
    git(CLONE, *WHO, "notes", "--ref=delivery", "add", "--force", "--message", text, commit)
    git(CLONE, "push", "--quiet", "origin", "refs/notes/delivery")
    print(commit[:9], text, flush=True)


def opened(sealed):
    """Secrets of what is sealed."""
    private = serialization.load_pem_private_key(KEY.read_bytes(), None)
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
    made = []
    for item in sealed:
        try:
            data = {name: private.decrypt(base64.b64decode(text), oaep) for name, text in item["sealed"].items()}
        except (ValueError, KeyError, AttributeError, TypeError) as trouble:
            raise Refused("manifest", f"{item['metadata']['name']} can't be opened") from trouble
        encoded = {name: base64.b64encode(value).decode() for name, value in data.items()}
        made.append({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": item["metadata"]["name"]}, "data": encoded,
        })  # fmt: skip
    return made


def key_of(items, secrets):
    """The service's key."""
    environment = deployment(items)["spec"]["template"]["spec"]["containers"][0]["env"]
    reference = next(each["valueFrom"]["secretKeyRef"] for each in environment if each["name"] == "API_KEY")
    found = next((each for each in secrets if each["metadata"]["name"] == reference["name"]), None)
    return base64.b64decode(found["data"][reference["key"]]).decode() if found else "none"


def tree(commit):
    return tuple(git(CLONE, "rev-parse", f"{commit}:service", f"{commit}:sealed").split())


def judge(commit, history, known):
    """Try a commit; None, or why it is refused."""
    accepted = [each for each in history if known.get(each, "").startswith("accepted")]
    try:
        items, sealed = read(CLONE, commit)
        secrets = opened(sealed)
        flights = json.loads(git(CLONE, "show", f"{commit}:holdout.json"))
        for item in [*items, *secrets]:
            cluster.apply(item, trying=True)
        if accepted and tree(commit) not in {tree(each) for each in accepted}:
            compare(model(items), model(read(CLONE, accepted[0])[0]), flights)
        if not accepted or tree(commit) != tree(accepted[0]):
            trial(items, secrets, key_of(items, secrets), commit, flights)
    except Refused as why:
        return str(why)
    return None


@functools.cache
def wanted(commit):
    items, sealed = read(CLONE, commit)
    return [*opened(sealed), *items]


def keep(commit):
    """Apply all of a commit that was accepted."""
    for item in wanted(commit):
        cluster.apply(item)


def rolled_out(commit):
    asked = deployment(wanted(commit))
    for _ in range(ROLLS_WITHIN):
        found = cluster.get(asked) or {"spec": {}, "metadata": {}, "status": {}}
        status, count = found.get("status", {}), asked["spec"]["replicas"]
        seen = status.get("observedGeneration") == found["metadata"].get("generation")
        numbers = [status.get(name) for name in ("replicas", "updatedReplicas", "availableReplicas")]
        if seen and numbers == [count] * 3:
            return
        time.sleep(1)


def prune(history, live):
    """Delete what some commit had and the one that serves has not; what was never in the repository stays."""
    kept = names(live)
    found = {key: item for commit in history for key, item in names(commit).items() if key not in kept}
    for item in found.values():
        cluster.delete(item)


@functools.cache
def names(commit):
    """What a commit has, by kind and name."""
    try:
        items, sealed = read(CLONE, commit)
    except Refused:
        return {}
    secrets = [{"apiVersion": "v1", "kind": "Secret", "metadata": each["metadata"]} for each in sealed]
    return {(each["kind"], each["metadata"]["name"]): each for each in [*items, *secrets]}


def follow():
    history, known = fetch(), notes()
    live = next((each for each in history if known.get(each, "").startswith("accepted")), None)
    serving["commit"] = serving["commit"] or live
    tip = history[0]
    if tip in known:
        return
    tried = cluster.candidates()  # of a follower that was ended meanwhile
    for commit in [each for each in history if f"candidate-{each[:9]}" in tried]:
        made = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": f"candidate-{commit[:9]}"}}
        for item in [*copies(names(commit).values(), commit), made]:
            cluster.delete(item)
    why = judge(tip, history, known)
    if why is None:
        with applying:  # the other thread is not in the middle of the last one
            serving["commit"] = tip
            keep(tip)
        rolled_out(tip)
    if serving["commit"]:
        prune(history[:30], serving["commit"])
    note(tip, f"refused: {why}" if why else "accepted")


def forever(what):
    while True:
        try:
            what()
        except Exception as trouble:
            print(type(trouble).__name__, str(trouble)[:500], flush=True)
        time.sleep(EVERY)


def put_back():
    with applying:
        if serving["commit"]:
            keep(serving["commit"])


if __name__ == "__main__":
    if not Path(CLONE).exists():
        subprocess.run(["git", "clone", "--quiet", URL, CLONE], check=True)
    threading.Thread(target=forever, args=(follow,), daemon=True).start()
    forever(put_back)
