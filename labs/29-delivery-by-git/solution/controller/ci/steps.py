"""The steps that CI takes before a change is merged, and the follower before it serves: python3 ci/steps.py check

In a clone with all of main's history. Exit code 0, or 1 and why it must not be merged.
"""

import json
import math
import subprocess
import sys
from pathlib import Path

import yaml

MARGIN = 0.01


class Refused(Exception):
    """A change that must not serve; `word` says what kind of fault it is."""

    def __init__(self, word, why):
        super().__init__(f"{word}, {why}")


def git(folder, *words):
    return subprocess.run(["git", "-C", folder, *words], check=True, stdout=subprocess.PIPE, text=True).stdout


def read(folder, commit):
    """Objects, what is sealed, and the held-out flights of a commit."""
    names = git(folder, "ls-tree", "-r", "--name-only", commit, "service", "sealed").split("\n")
    texts = {name: git(folder, "show", f"{commit}:{name}") for name in names if name.endswith((".yaml", ".yml"))}
    return parsed(texts)


def parsed(texts):
    items, sealed = [], []
    for name, text in texts.items():
        try:
            found = [item for item in yaml.safe_load_all(text) if item]
        except yaml.YAMLError as trouble:
            raise Refused("manifest", f"{name} is no YAML: {str(trouble).splitlines()[0]}") from trouble
        for item in found:
            if (
                not isinstance(item, dict)
                or not isinstance(item.get("metadata"), dict)
                or "name" not in item["metadata"]
            ):
                raise Refused("manifest", f"{name} holds something without a name")
            if item.get("kind") == "Secret":
                raise Refused("manifest", f"{name} holds a Secret in clear")
            (sealed if name.startswith("sealed/") else items).append(item)
    return items, sealed


def deployment(items):
    found = [item for item in items if item["kind"] == "Deployment" and item["metadata"]["name"] == "model"]
    if not found:
        raise Refused("manifest", "there is no Deployment model")
    return found[0]


def model(items):
    """The model that the Deployment mounts."""
    try:
        volumes = deployment(items)["spec"]["template"]["spec"]["volumes"]
        name = next(each["configMap"]["name"] for each in volumes if each["name"] == "model")
        text = next(
            i["data"]["model.json"] for i in items if i["kind"] == "ConfigMap" and i["metadata"]["name"] == name
        )
        return json.loads(text)
    except (KeyError, StopIteration, TypeError, ValueError) as trouble:
        raise Refused("manifest", f"there is no model.json that the Deployment mounts: {trouble!r}") from trouble


def probability(model, row):
    odds = model["bias"] + sum(weight * (row[name] or 0) for name, weight in model["weights"].items())
    return 1 / (1 + math.exp(-odds))


def loss(probabilities, late):
    safe = [min(max(each, 1e-9), 1 - 1e-9) for each in probabilities]
    return -sum(math.log(each if was else 1 - each) for each, was in zip(safe, late, strict=True)) / len(late)


def compare(new, old, flights):
    """Refuse a model that is worse than the one in service."""
    late = [was for _, was in flights]
    ours, theirs = (loss([probability(each, row) for row, _ in flights], late) for each in (new, old))
    if ours > theirs + MARGIN:
        raise Refused("model", f"log loss {ours:.4f} on the held-out flights; in service it is {theirs:.4f}")


def check():
    texts = {str(path): path.read_text() for top in ("service", "sealed") for path in sorted(Path(top).glob("*.y*ml"))}
    items, _ = parsed(texts)
    served, _ = read(".", "origin/main")
    compare(model(items), model(served), json.loads(Path("holdout.json").read_text()))


if __name__ == "__main__":
    if sys.argv[1:] != ["check"]:
        sys.exit(__doc__)
    try:
        check()
    except Refused as why:
        sys.exit(f"refused: {why}")
    print("nothing speaks against it")
