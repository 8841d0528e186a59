"""A cluster that `kubectl` and `helm` on PATH work on: objects in a file, and errors where a test wants them."""

from __future__ import annotations

import json
import os
import stat
import sys
import uuid
from pathlib import Path
from typing import Any

# Set to a part of a kubectl command line: such a command fails as if the API server did not answer.
BROKEN = "FAKE_CLUSTER_BROKEN"
_STORE = "FAKE_CLUSTER"
_KINDS = {"namespace": "Namespace", "priorityclass": "PriorityClass", "deployment": "Deployment", "secret": "Secret",
          "apiservice": "APIService", "storageclass": "StorageClass", "lease": "Lease", "node": "Node",
          "pod": "Pod"}  # fmt: skip


class FakeCluster:
    """What is in the cluster; the programs that change it are in `folder`, which goes onto PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "objects.json"
        folder.mkdir(parents=True)
        self.file.write_text("[]")
        for name in ("kubectl", "helm"):
            program = folder / name
            program.write_text(f"#!{sys.executable}\nfrom tests.fake_cluster import {name}\n{name}()\n")
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.add("Namespace", "kube-system")
        self.add("StorageClass", "standard", annotations={"storageclass.kubernetes.io/is-default-class": "true"})
        self.add("APIService", "v1beta1.metrics.k8s.io",
                 status={"conditions": [{"type": "Available", "status": "True"}]})  # fmt: skip

    def env(self) -> dict[str, str]:
        return {_STORE: str(self.file), "PATH": f"{self.folder}:{os.environ['PATH']}"}

    def add(self, kind: str, name: str, namespace: str = "", status: Any = None, **meta: Any) -> None:
        items = self.items()
        items.append(_stored({"kind": kind, "metadata": {"name": name, "namespace": namespace, **meta},
                              **({"status": status} if status else {})}))  # fmt: skip
        self.file.write_text(json.dumps(items))

    def drop(self, name: str) -> None:
        self.file.write_text(json.dumps([item for item in self.items() if item["metadata"]["name"] != name]))

    def items(self) -> list[dict[str, Any]]:
        return list(json.loads(self.file.read_text()))

    def named(self, kind: str) -> list[str]:
        return sorted(item["metadata"]["name"] for item in self.items() if item["kind"] == kind)

    def log(self) -> list[str]:
        file = self.folder / "log"
        return file.read_text().splitlines() if file.exists() else []


def _stored(item: dict[str, Any]) -> dict[str, Any]:
    item["metadata"].setdefault("uid", str(uuid.uuid4()))
    if item["kind"] == "Deployment":
        item["metadata"]["generation"] = 1
        item.setdefault("spec", {"replicas": 1})
        item["status"] = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
        if "nothing" in str(item["spec"]):
            item["status"]["availableReplicas"] = 0
    return item


def _fail(reason: str, message: str) -> None:
    sys.stderr.write(f"Error from server ({reason}): {message}\n")
    sys.exit(1)


def helm() -> None:
    """Tells its version, and forgets a release's Secrets when that is uninstalled."""
    words, file = sys.argv[1:], Path(os.environ[_STORE])
    with (file.parent / "log").open("a") as log:
        log.write(f"helm {' '.join(words)}\n")
    if "version" in words:
        print("v3.19.0")
    if "uninstall" in words:
        release = words[words.index("uninstall") + 1]
        items = [item for item in json.loads(file.read_text())
                 if (item["kind"], item["metadata"].get("namespace")) != ("Secret", release)]  # fmt: skip
        file.write_text(json.dumps(items))


def kubectl() -> None:
    """The commands that `lab` gives, as far as it depends on what they do."""
    words, options = [], {}
    given = iter(sys.argv[1:])
    for word in given:
        if word in ("-o", "-l", "-n", "-f", "--context", "--kubeconfig", "--raw"):
            options[word] = next(given)
        elif word.startswith("-"):
            options[word] = ""
        else:
            words.append(word)
    file = Path(os.environ[_STORE])
    line = " ".join(sys.argv[1:])
    with (file.parent / "log").open("a") as log:
        log.write(f"kubectl {line}\n")
    broken = os.environ.get(BROKEN, "")
    if broken and broken in line:
        sys.stderr.write("The connection to the server 10.0.0.1:6443 was refused - did you specify the right host?\n")
        sys.exit(1)
    items: list[dict[str, Any]] = json.loads(file.read_text())

    def chosen(kinds: str, names: list[str]) -> list[dict[str, Any]]:
        wanted = {_KINDS[kind.removesuffix("es") if kind.endswith("sses") else kind.removesuffix("s")]
                  for kind in kinds.split(",") if kind}  # fmt: skip
        rules = [rule for rule in options.get("-l", "").split(",") if rule]

        def fits(labels: dict[str, str]) -> bool:
            return all(
                rule[1:] not in labels if rule[0] == "!"
                else labels.get(rule.partition("=")[0]) == rule.partition("=")[2] if "=" in rule
                else rule in labels
                for rule in rules
            )  # fmt: skip

        field = next((key.partition("metadata.name=")[2] for key in options if "metadata.name=" in key), "")
        return [
            item for item in items
            if item["kind"] in wanted and fits(item["metadata"].get("labels") or {})
            and (not names or item["metadata"]["name"] in names)
            and (not field or item["metadata"]["name"] == field)
            and ("-n" not in options or item["metadata"].get("namespace") == options["-n"])
        ]  # fmt: skip

    def remove(doomed: list[dict[str, Any]]) -> None:
        uids = {item["metadata"]["uid"] for item in doomed}
        spaces = {item["metadata"]["name"] for item in doomed if item["kind"] == "Namespace"}
        file.write_text(json.dumps([
            item for item in items
            if item["metadata"]["uid"] not in uids and item["metadata"].get("namespace") not in spaces
        ]))  # fmt: skip

    verb = words[0] if words else ""
    if verb == "version":
        print(json.dumps({"serverVersion": {"major": "1", "minor": "33", "gitVersion": "v1.33.0"}}))
    elif verb == "auth":
        print("yes")
    elif verb == "get" and "--raw" in options:
        print("ok")
    elif verb == "get" and "-f" in options:
        import yaml  # here alone: this program is started hundreds of times

        wanted = [(each["kind"], each["metadata"]["name"]) for each in yaml.safe_load_all(sys.stdin.read())]
        there = [item for item in items if (item["kind"], item["metadata"]["name"]) in wanted]
        if there:
            print(json.dumps({"kind": "List", "items": there}))
    elif verb == "get":
        found = chosen(words[1], words[2:])
        if words[2:] and not found:
            if "--ignore-not-found" in options:
                return
            _fail("NotFound", f"{words[1]} {words[2:]} not found")
        if "--show-labels" in options:
            for item in found:
                labels = ",".join(f"{key}={value}" for key, value in item["metadata"]["labels"].items())
                print(item["metadata"]["namespace"], item["metadata"]["name"], "t 1 2m", labels)
        else:
            print(json.dumps({"kind": "List", "items": found}))
    elif verb == "create":
        item = json.load(sys.stdin)
        if any((each["kind"], each["metadata"]["name"]) == (item["kind"], item["metadata"]["name"]) for each in items):
            _fail("AlreadyExists", f"{item['kind']} {item['metadata']['name']} already exists")
        items.append(_stored(item))
        file.write_text(json.dumps(items))
        if broken == "answer to create" or broken.partition("answer to create ")[2] == item["kind"]:
            sys.stderr.write("error: the server closed the connection\n")
            sys.exit(1)
        print(json.dumps(item))
    elif verb == "apply":
        import yaml

        for item in yaml.safe_load_all(sys.stdin.read()):
            old = next((each for each in items if each["kind"] == item["kind"]
                        and each["metadata"]["name"] == item["metadata"]["name"]), None)  # fmt: skip
            if old is None:
                items.append(_stored(item))
                continue
            for part in ("labels", "annotations"):
                old["metadata"][part] = (old["metadata"].get(part) or {}) | (item["metadata"].get(part) or {})
            old |= {"spec": item["spec"]} if "spec" in item else {}
            _stored(old)
        file.write_text(json.dumps(items))
    elif verb == "label":
        names = words[2:] if "namespace" in words else []
        change = words[-1]
        for item in chosen("namespaces", [name for name in names if "=" not in name and not name.endswith("-")]):
            key, equals, value = change.partition("=")
            labels = item["metadata"].setdefault("labels", {})
            if equals:
                labels[key] = value
            else:
                labels.pop(change.removesuffix("-"), None)
        file.write_text(json.dumps(items))
    elif verb == "delete" and "--raw" in options:
        group, _, name = options["--raw"].rpartition("/")
        uid = json.load(sys.stdin)["preconditions"]["uid"]
        kinds = "namespaces" if group == "/api/v1/namespaces" else "priorityclasses"
        named = chosen(kinds, [name])
        if not named:
            _fail("NotFound", f"{kinds} {name} not found")
        if named[0]["metadata"]["uid"] != uid:
            _fail("Conflict", "the UID in the precondition does not match")
        remove(named)
    elif verb == "delete":
        remove(chosen(words[1], words[2:]))
    else:
        sys.exit(f"the fake kubectl does not know: {line}")
