"""Save the platform's data on `lab down --keep-data`, and restore it on the next `lab up`.

On a kind cluster the parts' pods are stopped in order (so that databases close their files), each volume is packed into
an archive in the user's state, and the Secrets with generated passwords beside them; then the nodes can be deleted. A
new cluster gets the volumes before the part is installed: its claims bind to them by name. Claims that it does not make
now, such as those of an engine that was replaced, are made in its place. In a cluster of the user's the releases go,
and the namespaces with volumes and Secrets stay.

Kept: persistent volumes and Secrets that a chart marks to outlive its release. Not kept: anything else, such as objects
that were made by hand in a part's namespace.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import IO, Any

from mlops_lab.base import durable
from mlops_lab.base.errors import LabError
from mlops_lab.base.processes import TimedOut, run
from mlops_lab.base.progress import Progress
from mlops_lab.base.waiting import wait_until
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.record import Cluster
from mlops_lab.engine.docker import Docker
from mlops_lab.platform import kept, volumes
from mlops_lab.platform.installed import installed
from mlops_lab.platform.releases import RELEASES, Release

KEPT = "mlops-lab/kept"
_POLICY = "helm.sh/resource-policy"
_PACKING = 1800.0  # s for one volume
_BINDING = 30.0  # s until a claim has its volume
_AGAIN = 60.0  # s that an API server may be silent which is to start the parts again
_LIVE = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "selfLink", "finalizers")


def parts(cluster: Cluster, kubectl: Kubectl) -> dict[str, str]:
    """The parts whose data was kept and is not back yet, with their profiles.

    Raises:
        LabError: it can't be told; nothing was deleted.
    """
    if cluster.is_kind:
        return dict(kept.read().get("parts", {}))
    by_namespace = {each.namespace: each.part for each in RELEASES}
    return {
        by_namespace[item["metadata"]["name"]]: item["metadata"]["labels"][KEPT]
        for item in kubectl.get("namespaces", "-l", KEPT)
        if item["metadata"]["name"] in by_namespace
    }


def save(kubectl: Kubectl, progress: Progress) -> list[str]:
    """Pack the volumes and Secrets of all installed parts of the kind cluster, and leave their pods stopped.

    What was kept before of parts that are not installed now stays kept.

    Returns:
        What was kept, in words; empty when no part is installed.

    Raises:
        LabError: it could not be, and nothing was taken down; whether the parts run again was said.
    """
    there = installed(kubectl)
    if not there:
        return []
    before = kept.read()
    spaces = [each.namespace for each in RELEASES if each.part in there]
    ours = [claim for claim in before.get("claims", []) if claim["namespace"] in spaces]
    _claim(ours, kubectl)
    if lost := _not_back(ours, kubectl):
        raise LabError(
            f"data of {_called(lost)} that was kept before is not in this cluster, and this would replace it",
            f"set it aside ({kept.set_aside()}), then try again; or, without keeping: lab down",
        )
    elsewhere = {part: profile for part, profile in before.get("parts", {}).items() if part not in there}
    others = [each.namespace for each in RELEASES if each.part in elsewhere]
    claims: list[dict[str, Any]] = []
    secrets: list[dict[str, Any]] = []
    stopped: dict[tuple[str, str], int] = {}
    fresh = kept.new()
    try:
        for namespace in spaces:
            _stop(kubectl, namespace, stopped)
            secrets += [_bare(item) for item in kubectl.get("secrets", "-n", namespace) if _kept(item)]
            claims += volumes.bound(kubectl, namespace)
        for claim in claims:
            with progress.piece(f"saving {claim['namespace']}/{claim['name']}"):
                file = fresh / claim["file"]
                _pack(claim["node"], claim["path"], file)
                claim |= {"file": f"{fresh.name}/{claim['file']}", "bytes": file.stat().st_size}
        kept.put(
            fresh,
            elsewhere | {part: found.profile for part, found in there.items()},
            [claim for claim in before.get("claims", []) if claim["namespace"] in others] + claims,
            [item for item in before.get("secrets", []) if item["metadata"]["namespace"] in others] + secrets,
        )
    except BaseException:
        _start_again(kubectl, stopped, progress)
        kept.undo(fresh)
        raise
    kept.sweep()
    return [f"{claim['namespace']}/{claim['name']}" for claim in claims]


def restore(cluster: Cluster, release: Release, kubectl: Kubectl, docker: Docker | None, progress: Progress) -> None:
    """Put a part's kept Secrets and volumes into a new cluster, before its chart is installed; what is back stays."""
    whole = kept.read() if cluster.is_kind else {}
    if docker is None or release.part not in whole.get("parts", {}):
        return
    secrets = [item for item in whole["secrets"] if item["metadata"]["namespace"] == release.namespace]
    if secrets:
        kubectl.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": secrets}))
    nodes, there = kubectl.get("nodes"), kubectl.get("persistentvolumes")
    for claim in whole["claims"]:
        if claim["namespace"] != release.namespace or volumes.of(claim, there):
            continue
        with progress.piece(f"restoring {claim['namespace']}/{claim['name']}"):
            node, path = _node(nodes, claim["node"]), f"{Path(claim['path']).parent}/{volumes.name(claim)}"
            _unpack(docker, node, path, kept.folder() / claim["file"])
            kubectl.apply(json.dumps(volumes.volume(claim, node, path)))


def forget(cluster: Cluster, kubectl: Kubectl, progress: Progress) -> None:
    """All parts are ready: the copies can go, if what they hold is in the cluster."""
    if not cluster.is_kind:
        if parts(cluster, kubectl):
            kubectl.run("label", "namespaces", "-l", KEPT, f"{KEPT}-")
        return
    whole = kept.read()
    claims = whole.get("claims", [])
    _claim(claims, kubectl)
    if lost := _not_back(claims, kubectl):
        progress.say(
            f"data of {_called(lost)} stays in {kept.folder()}: this cluster has none of it, and the parts run with"
            " other data; to have it back: lab down, then lab up"
        )
    elif whole:
        kept.forget()


def mark(kubectl: Kubectl, profiles: dict[str, str]) -> None:
    """In a cluster of the user's: mark the namespaces of these parts, which stay with what is in them."""
    for each in RELEASES:
        if each.part in profiles:
            kubectl.run("label", "--overwrite", "namespace", each.namespace, f"{KEPT}={profiles[each.part]}")


def _claim(claims: list[dict[str, Any]], kubectl: Kubectl) -> None:
    """Make the kept claims whose volume is restored and that no chart makes now, such as those of another engine's.

    Without them their data would not be in the next save.
    """
    free = {volumes.name(claim): claim for claim in claims}

    def waiting() -> list[str]:
        there = kubectl.get("persistentvolumes") if free else []
        names = [item["metadata"]["name"] for item in there if item.get("status", {}).get("phase") == "Available"]
        return [name for name in names if name in free]

    if made := [name for name in waiting() if kubectl.create(volumes.claim(free[name])) is not None]:
        with contextlib.suppress(LabError):  # what is not back is said
            wait_until(
                lambda: (None if set(made) & set(waiting()) else True, "it is not bound"),
                what=", ".join(made), within=_BINDING, hint="look at it: kubectl get persistentvolumes",
            )  # fmt: skip


def _not_back(claims: list[dict[str, Any]], kubectl: Kubectl) -> list[dict[str, Any]]:
    """The kept claims that no volume of the cluster is bound to which has their data."""
    there = kubectl.get("persistentvolumes") if claims else []
    return [claim for claim in claims if (volumes.of(claim, there) or {}).get("status", {}).get("phase") != "Bound"]


def _called(claims: list[dict[str, Any]]) -> str:
    return ", ".join(f"{claim['namespace']}/{claim['name']}" for claim in claims)


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
        hint="end what still runs there, then try again",
    )  # fmt: skip


def _start_again(kubectl: Kubectl, stopped: dict[tuple[str, str], int], progress: Progress) -> None:
    """Have as many pods again as there were, and say whether there are; what was deleted meanwhile is no matter."""
    left = dict(stopped)

    def probe() -> tuple[bool | None, str]:
        for (namespace, name), replicas in list(left.items()):
            done = kubectl.run("scale", "-n", namespace, name, f"--replicas={replicas}", within=5, check=False)
            if done.code == 0 or "(NotFound)" in done.stderr:
                del left[namespace, name]
        return (None, "") if left else (True, "")

    try:
        wait_until(probe, what="the parts", within=_AGAIN, every=1, hint="")
    except LabError:
        still = ", ".join(f"{namespace}/{name.partition('/')[2]}" for namespace, name in left)
        progress.say(f"the data was not kept, and these are stopped still: {still}; to start them: lab up")
    else:
        if stopped:
            progress.say("the data was not kept; the parts run again")


def _released(kubectl: Kubectl, namespace: str) -> tuple[bool | None, str]:
    """Does no pod hold a volume any more?"""
    holding = [
        item["metadata"]["name"]
        for item in kubectl.get("pods", "-n", namespace)
        if item.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        and any("persistentVolumeClaim" in each for each in item["spec"].get("volumes") or [])
    ]
    return (True, "") if not holding else (None, f"{', '.join(holding[:3])} still write to a volume")


def _pack(node: str, path: str, file: Path) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:
        _tar(["docker", "exec", node, "tar", "-C", path, "--numeric-owner", "-cf", "-", "."], stdout=target)
    durable.to_disk(file)


def _unpack(docker: Docker, node: str, path: str, file: Path) -> None:
    docker.run("exec", node, "rm", "-rf", path)  # what an interrupted run left
    docker.run("exec", node, "mkdir", "-p", "-m", "0777", path)
    with file.open("rb") as source:
        _tar(["docker", "exec", "-i", node, "tar", "-C", path, "--numeric-owner", "-xpf", "-"], stdin=source)
    docker.run("exec", node, "sync", "-f", path)  # the archive goes once this is there


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
