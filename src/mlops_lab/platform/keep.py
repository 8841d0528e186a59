"""Save the platform's data on `lab down --keep-data`, and restore it on the next `lab up`.

On a kind cluster the parts' pods are stopped in order (so that databases close their files), each volume is packed into
an archive in the user's state, and the Secrets with generated passwords beside them; then the nodes can be deleted. A
new cluster gets the volumes before the part is installed: its claims bind to them by name. In a cluster of the user's
the releases go, and the namespaces with volumes and Secrets stay.

Kept: persistent volumes and Secrets that a chart marks to outlive its release. Not kept: anything else, such as objects
that were made by hand in a part's namespace.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import IO, Any

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import state
from mlops_lab.base.processes import TimedOut, run
from mlops_lab.base.progress import Progress
from mlops_lab.base.waiting import wait_until
from mlops_lab.cluster import names
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.record import Cluster
from mlops_lab.engine.docker import Docker
from mlops_lab.platform.installed import installed
from mlops_lab.platform.releases import RELEASES, Release

KEPT = "mlops-lab/kept"
_POLICY = "helm.sh/resource-policy"
_WHOLE = "kept.json"
_PACKING = 1800.0  # s for one volume
_LIVE = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "selfLink", "finalizers")


def parts(cluster: Cluster, kubectl: Kubectl) -> dict[str, str]:
    """The parts whose data was kept and is not back yet, with their profiles."""
    if cluster.is_kind:
        return dict(_read().get("parts", {}))
    done = kubectl.run("get", "namespaces", "-l", KEPT, "-o", "json", check=False)
    found = json.loads(done.stdout)["items"] if done.code == 0 else []
    by_namespace = {each.namespace: each.part for each in RELEASES}
    return {
        by_namespace[item["metadata"]["name"]]: item["metadata"]["labels"][KEPT]
        for item in found
        if item["metadata"]["name"] in by_namespace
    }


def save(kubectl: Kubectl, progress: Progress) -> list[str]:
    """Pack the volumes and Secrets of all installed parts of the kind cluster, and leave their pods stopped.

    Returns:
        What was kept, in words; empty when no part is installed.

    Raises:
        LabError: it could not be; the parts run again and nothing was taken down.
    """
    there = installed(kubectl)
    if not there:
        return []
    fresh = _folder().with_name(f"{_folder().name}.part")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True, mode=0o700)
    claims: list[dict[str, Any]] = []
    secrets: list[dict[str, Any]] = []
    spaces = [each.namespace for each in RELEASES if each.part in there]
    stopped: dict[tuple[str, str], int] = {}
    try:
        for namespace in spaces:
            _stop(kubectl, namespace, stopped)
            secrets += [_bare(item) for item in kubectl.get("secrets", "-n", namespace) if _kept(item)]
            claims += _bound(kubectl, namespace)
        for claim in claims:
            with progress.piece(f"saving {claim['namespace']}/{claim['name']}"):
                _pack(claim["node"], claim["path"], fresh / claim["file"])
        whole = {"parts": {part: found.profile for part, found in there.items()}, "claims": claims}
        _private(fresh / "secrets.json", json.dumps(secrets))
        _private(fresh / _WHOLE, json.dumps(whole, indent=1))
        shutil.rmtree(_folder(), ignore_errors=True)
        fresh.rename(_folder())
    except BaseException:
        for (namespace, name), replicas in stopped.items():
            kubectl.run("scale", "-n", namespace, name, f"--replicas={replicas}", check=False)
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return [f"{claim['namespace']}/{claim['name']}" for claim in claims]


def restore(cluster: Cluster, release: Release, kubectl: Kubectl, docker: Docker | None, progress: Progress) -> None:
    """Put a part's kept Secrets and volumes into a new cluster, before its chart is installed."""
    whole = _read() if cluster.is_kind else {}
    if docker is None or release.part not in whole.get("parts", {}):
        return
    secrets = [item for item in json.loads((_folder() / "secrets.json").read_text())
               if item["metadata"]["namespace"] == release.namespace]  # fmt: skip
    if secrets:
        kubectl.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": secrets}))
    nodes = kubectl.get("nodes")
    for claim in whole["claims"]:
        if claim["namespace"] != release.namespace:
            continue
        name = f"kept-{claim['namespace']}-{claim['name']}"
        if kubectl.run("get", "persistentvolume", name, check=False).code == 0:
            continue
        with progress.piece(f"restoring {claim['namespace']}/{claim['name']}"):
            node, path = _node(nodes, claim["node"]), f"{Path(claim['path']).parent}/{name}"
            _unpack(docker, node, path, _folder() / claim["file"])
            kubectl.apply(json.dumps(volume(name, claim, node, path)))


def forget(cluster: Cluster, kubectl: Kubectl) -> None:
    """Everything is back and ready: the copies can go."""
    if cluster.is_kind:
        shutil.rmtree(_folder(), ignore_errors=True)
    elif parts(cluster, kubectl):
        kubectl.run("label", "namespaces", "-l", KEPT, f"{KEPT}-")


def mark(kubectl: Kubectl) -> list[str]:
    """In a cluster of the user's: mark the parts' namespaces, which stay with what is in them."""
    there = installed(kubectl)
    for each in RELEASES:
        if each.part in there:
            kubectl.run("label", "--overwrite", "namespace", each.namespace, f"{KEPT}={there[each.part].profile}")
    return [each.namespace for each in RELEASES if each.part in there]


def volume(name: str, claim: dict[str, Any], node: str, path: str) -> dict[str, Any]:
    """A volume on a node's folder that only the claim of that name binds to; the storage class's own cleans it up."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": claim["annotations"]},
        "spec": {
            **claim["spec"],
            "claimRef": {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "namespace": claim["namespace"], "name": claim["name"],
            },
            "hostPath": {"path": path, "type": "DirectoryOrCreate"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]},
            ]}]}},
        },
    }  # fmt: skip


def _stop(kubectl: Kubectl, namespace: str, stopped: dict[tuple[str, str], int]) -> None:
    """Stop a namespace's pods in order, and note in `stopped` how many of each there were."""
    for item in kubectl.get("deployments,statefulsets", "-n", namespace):
        name = f"{item['kind'].lower()}/{item['metadata']['name']}"
        if replicas := item["spec"].get("replicas", 1):
            stopped[namespace, name] = replicas
            kubectl.run("scale", "-n", namespace, name, "--replicas=0")
    wait_until(
        lambda: _released(kubectl, namespace),
        what=f"the pods of {namespace}", within=150, every=1,
        hint="end what still runs there, then try again; the parts run again",
    )  # fmt: skip


def _released(kubectl: Kubectl, namespace: str) -> tuple[bool | None, str]:
    """Does no pod hold a volume any more?"""
    holding = [
        item["metadata"]["name"]
        for item in kubectl.get("pods", "-n", namespace)
        if item.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        and any("persistentVolumeClaim" in each for each in item["spec"].get("volumes") or [])
    ]
    return (True, "") if not holding else (None, f"{', '.join(holding[:3])} still write to a volume")


def _bound(kubectl: Kubectl, namespace: str) -> list[dict[str, Any]]:
    """The namespace's claims with all that is needed to have them again."""
    volumes = {item["metadata"]["name"]: item for item in kubectl.get("persistentvolumes")}
    found = []
    for item in kubectl.get("persistentvolumeclaims", "-n", namespace):
        bound = volumes.get(item["spec"].get("volumeName", ""))
        if bound is None:
            continue
        spec, name = bound["spec"], item["metadata"]["name"]
        place = spec.get("hostPath") or spec.get("local")
        terms = (spec.get("nodeAffinity") or {}).get("required", {}).get("nodeSelectorTerms") or [{}]
        rules = [rule for term in terms for rule in term.get("matchExpressions") or []]
        hosts = [rule["values"][0] for rule in rules if rule["key"] == "kubernetes.io/hostname"]
        if not place or not hosts:
            raise LabError(
                f"the volume of {namespace}/{name} is not on a node's disk, so `lab down --keep-data` can't keep it",
                "back up its data yourself, then: lab down",
            )
        kept = ("capacity", "accessModes", "persistentVolumeReclaimPolicy", "storageClassName", "volumeMode")
        notes = bound["metadata"].get("annotations") or {}
        found.append({
            "namespace": namespace, "name": name, "node": hosts[0], "path": place["path"],
            "file": f"{namespace}-{name}.tar", "spec": {key: spec[key] for key in kept if key in spec},
            "annotations": {key: value for key, value in notes.items() if key.startswith("pv.kubernetes.io/")},
        })  # fmt: skip
    return found


def _pack(node: str, path: str, file: Path) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:
        _tar(["docker", "exec", node, "tar", "-C", path, "--numeric-owner", "-cf", "-", "."], stdout=target)


def _unpack(docker: Docker, node: str, path: str, file: Path) -> None:
    docker.run("exec", node, "rm", "-rf", path)  # what an interrupted run left
    docker.run("exec", node, "mkdir", "-p", "-m", "0777", path)
    with file.open("rb") as source:
        _tar(["docker", "exec", "-i", node, "tar", "-C", path, "--numeric-owner", "-xpf", "-"], stdin=source)


def _tar(words: list[str], *, stdin: IO[bytes] | bytes = b"", stdout: IO[bytes] | None = None) -> None:
    try:
        done = run(words, stdin=stdin, stdout=stdout, within=_PACKING, check=False)
    except TimedOut as late:
        raise LabError(
            f"a volume was not copied within {_PACKING:g} s", "stop other work on this machine and try again"
        ) from late
    if done.code != 0:
        raise LabError(
            "a volume could not be copied", "if the disk is full, free some space; then try again", done.stderr.strip()
        )


def _node(nodes: list[dict[str, Any]], before: str) -> str:
    """The node of that name if there is one, else one that takes pods."""
    known = [item["metadata"]["name"] for item in nodes]
    free = [item["metadata"]["name"] for item in nodes
            if not any(taint["effect"] == "NoSchedule" for taint in item["spec"].get("taints") or [])]  # fmt: skip
    return before if before in known and before in (free or known) else (free or known)[0]


def _kept(secret: dict[str, Any]) -> bool:
    return (secret["metadata"].get("annotations") or {}).get(_POLICY) == "keep"


def _bare(item: dict[str, Any]) -> dict[str, Any]:
    """An object as it would be created again."""
    metadata = {key: value for key, value in item["metadata"].items() if key not in (*_LIVE, "ownerReferences")}
    return {**{key: value for key, value in item.items() if key != "status"}, "metadata": metadata}


def _private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def _folder() -> Path:
    return state() / "kept" / names.cluster()


def _read() -> dict[str, Any]:
    with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
        whole: dict[str, Any] = json.loads((_folder() / _WHOLE).read_text())
        return whole
    return {}
