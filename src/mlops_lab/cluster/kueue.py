"""Kueue, by which graders' Jobs wait for their turn: installed where a class is graded, or found there.

`python -m mlops_lab.cluster.kueue` installs it, with `down` behind it removes it. On a cluster of one's own its image
has to be in reach of the nodes; what is made is the module's own manifests (`images.recipes.kueue`).
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from typing import Any

import yaml

from mlops_lab.base.errors import LabError
from mlops_lab.base.progress import Progress
from mlops_lab.base.waiting import wait_until
from mlops_lab.cluster import addons, registry
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.record import current
from mlops_lab.cluster.up import exclusive
from mlops_lab.engine import start
from mlops_lab.images.build import bring
from mlops_lab.images.recipes import kueue
from mlops_lab.images.sources import repository
from mlops_lab.images.store import Store

NAMESPACE = "kueue-system"
_NOTED = "mlops-lab/manifests"
_GROUP = "kueue.x-k8s.io"
_CLUSTER_WIDE = "mutatingwebhookconfigurations,validatingwebhookconfigurations,clusterrolebindings,clusterroles"


def up(progress: Progress) -> None:
    """Make sure that it is there; a Kueue of somebody else's is taken as it is.

    Raises:
        LabError: it could not be built or installed, or did not become ready.
    """
    cluster = current()
    kubectl, docker = Kubectl(cluster.context, cluster.kubeconfig), start.ensure(progress.say)
    mirror = os.environ.get("MLOPS_LAB_MIRROR", "")
    steps = bring([kueue.NAME], "auto", docker, progress, mirror, (kueue.manifests,))
    folder = Store(docker).current(kueue.MANIFESTS)
    assert folder  # `bring` has just made it
    text = (folder / "kueue.yaml").read_text("utf-8")
    with exclusive(progress):
        if cluster.is_kind and registry.serve(docker, repository(kueue.NAME), steps[kueue.NAME]):
            progress.say(f"  ok pushed {repository(kueue.NAME)}")
        with progress.piece("Kueue, for graders"):
            if install(kubectl, text):
                wait(kubectl)


def install(kubectl: Kubectl, text: str) -> bool:
    """Apply what is missing or has changed; returns whether it is ours, and so to be waited for."""
    fingerprint = hashlib.sha256(text.encode()).hexdigest()[:16]
    noted = _noted(kubectl)
    if noted is not None and _NOTED not in noted:
        return False
    if (noted or {}).get(_NOTED) == fingerprint:
        return True
    items: list[dict[str, Any]] = [each for each in yaml.safe_load_all(text) if each]
    space = next(each for each in items if each["kind"] == "Namespace")
    space["metadata"]["annotations"] = {_NOTED: "unfinished"}
    first = [space, *(each for each in items if each["kind"] == "CustomResourceDefinition")]
    kubectl.apply(yaml.safe_dump_all(first))
    kubectl.apply(yaml.safe_dump_all([each for each in items if each not in first]))
    # The fingerprint is noted last of all: what was interrupted is applied again.
    kubectl.run("annotate", "--overwrite", "namespace", NAMESPACE, f"{_NOTED}={fingerprint}")
    return True


def wait(kubectl: Kubectl, within: float = 120) -> None:
    """Wait until it is ready.

    Raises:
        LabError: it is not within the limit, or its pod can't start.
    """

    def probe() -> tuple[bool | None, str]:
        items = kubectl.get("deployments,pods", "-n", NAMESPACE)
        lacking = addons.unavailable(items, (NAMESPACE,))
        for each in lacking:
            addons.fail_if_stuck(kubectl, each, [item for item in items if item["kind"] == "Pod"])
        return (None, "its pod is not ready") if lacking else (True, "")

    hint = f"see: kubectl --context {kubectl.context} -n {NAMESPACE} describe pods"
    wait_until(probe, what="Kueue", within=within, every=0.5, hint=hint)


def remove(kubectl: Kubectl) -> bool:
    """Take it away with all queues, if it is ours; was it? Its webhooks go first, or nothing of it could be deleted."""
    if _NOTED not in (_noted(kubectl) or {}):
        return False
    found = json.loads(kubectl.run("get", _CLUSTER_WIDE, "-o", "json").stdout)["items"]
    own = [each for each in found if each["metadata"]["name"].startswith("kueue-")]
    for item in sorted(own, key=lambda each: not each["kind"].endswith("WebhookConfiguration")):
        kubectl.run("delete", item["kind"].lower(), item["metadata"]["name"], "--ignore-not-found")
    there = kubectl.run("get", "customresourcedefinitions", "-o", "name").stdout.split()
    if defined := [each for each in there if each.endswith(f".{_GROUP}")]:
        kubectl.run("delete", *defined, "--ignore-not-found", within=120)
    kubectl.run("delete", "namespace", NAMESPACE, "--ignore-not-found", within=120)
    return True


def _noted(kubectl: Kubectl) -> dict[str, str] | None:
    """The annotations of its namespace; None where it is not there."""
    done = kubectl.run("get", "namespace", NAMESPACE, "--ignore-not-found", "-o", "json")
    if not done.stdout.strip():
        return None
    return dict(json.loads(done.stdout)["metadata"].get("annotations") or {})


def main() -> int:
    """Install it, or take it away; the exit code."""
    try:
        if sys.argv[1:] == ["down"]:
            cluster = current()
            remove(Kubectl(cluster.context, cluster.kubeconfig))
        else:
            up(Progress())
    except LabError as trouble:
        print(f"{trouble.message}\n  next: {trouble.hint}", file=sys.stderr)
        return int(trouble.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
