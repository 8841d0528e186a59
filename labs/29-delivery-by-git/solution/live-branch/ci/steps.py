"""python3 ci/steps.py check: what CI asks of a change, in a clone with all of main's history.

The same functions are the gate's first steps in the cluster. Exit code 0, or 1 with the reason.
"""

import json
import math
import re
import subprocess
import sys

import yaml

WORSE = 0.01  # of log loss
MODEL = "service/weights.yaml"


class No(Exception):
    """Why a commit is refused; it begins with the word for the kind of fault."""


def git(*words, at="."):
    done = subprocess.run(["git", "-C", at, *words], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"git {words[0]}: {done.stderr[-300:]}")
    return done.stdout


def objects(commit, at=".", folder="service"):
    """All objects of a folder at a commit, by file and number."""
    found = {}
    for name in git("ls-tree", "-r", "--name-only", commit, folder + "/", at=at).splitlines():
        try:
            for number, item in enumerate(yaml.safe_load_all(git("show", f"{commit}:{name}", at=at))):
                if item:
                    found[f"{name} {number}"] = item
        except yaml.YAMLError as trouble:
            raise No(f"manifest: {name} is no YAML ({trouble.__class__.__name__})") from trouble
    for where, item in found.items():
        if not (isinstance(item, dict) and item.get("kind") and (item.get("metadata") or {}).get("name")):
            raise No(f"manifest: {where} is no object")
        if item["kind"] == "Secret":
            raise No(f"manifest: {where} is a Secret; keys are sealed")
    return found


def model(commit, at="."):
    found = [i for i in objects(commit, at).values() if "model.json" in (i.get("data") or {})]
    if len(found) != 1:
        raise No(f"manifest: {len(found)} objects have a model.json")
    return json.loads(found[0]["data"]["model.json"])


def says(model, row):
    return 1 / (1 + math.exp(-model["bias"] - sum(w * (row[x] or 0) for x, w in model["weights"].items())))


def log_loss(told, late):
    total = 0.0
    for each, was in zip(told, late, strict=True):
        total += math.log(max(each if was else 1 - each, 1e-9))
    return -total / len(late)


def holdout(commit, at="."):
    rows, late = zip(*json.loads(git("show", f"{commit}:holdout.json", at=at)), strict=True)
    return list(rows), list(late)


def no_worse(new, old):
    if new > old + WORSE:
        raise No(f"model: its log loss is {new:.4f}, the one in service has {old:.4f}")


def check():
    objects("HEAD")
    rows, late = holdout("HEAD")
    new, old = model("HEAD"), model("origin/main")
    no_worse(log_loss([says(new, row) for row in rows], late), log_loss([says(old, row) for row in rows], late))
    for name in git("ls-files", "sealed").splitlines():
        if re.search(r"\bstringData\b", git("show", f"HEAD:{name}")):
            raise No(f"manifest: {name} is not sealed")


if __name__ == "__main__":
    try:
        {"check": check}[sys.argv[1]]()
    except (No, RuntimeError) as why:
        sys.exit(f"this must not be merged. {why}")
