"""Kueue, by which graders' Jobs wait for their turn: installed where a class is graded, or found there.

`lab class up` does so, and `lab class down` removes it; for a class by helm alone `python -m mlops_lab.cluster.kueue`,
with `down` behind it. What is made is the module's own manifests (`images.recipes.kueue`); on a cluster of one's own
its image comes from where the project's own do.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from enum import Enum
from typing import Any

import yaml

from mlops_lab.base.errors import LabError
from mlops_lab.base.progress import Progress
from mlops_lab.base.waiting import wait_until
from mlops_lab.cluster import addons, names, registry
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.record import Cluster, current
from mlops_lab.cluster.up import exclusive
from mlops_lab.engine import start
from mlops_lab.engine.docker import Docker
from mlops_lab.images.build import bring
from mlops_lab.images.catalog import served_as
from mlops_lab.images.recipes import kueue
from mlops_lab.images.store import Store

NAMESPACE = "kueue-system"
# Annotations of its namespace: what was applied, and for whom it was brought at first.
_NOTED, _FOR = "mlops-lab/manifests", "mlops-lab/brought-for"
_GROUP = "kueue.x-k8s.io"
_CLUSTER_WIDE = "mutatingwebhookconfigurations,validatingwebhookconfigurations,clusterrolebindings,clusterroles"


class Whose(Enum):
    """Whose the Kueue of a cluster is."""

    NOBODYS = "there is none"
    OURS = "the project has brought it"
    OTHERS = "somebody else has brought it"


def whose(kubectl: Kubectl) -> Whose:
    """Whose it is; somebody else's may be in any namespace.

    Raises:
        LabError: the cluster does not answer.
    """
    noted = _noted(kubectl)
    if noted is not None:
        return Whose.OURS if _NOTED in noted else Whose.OTHERS
    return Whose.OTHERS if _defined(kubectl) else Whose.NOBODYS


def brought_for(kubectl: Kubectl) -> str:
    """For whom it was brought, as `up` was told; empty for nobody in particular, or where there is none of ours."""
    return (_noted(kubectl) or {}).get(_FOR, "")


def up(progress: Progress, cluster: Cluster | None = None, wanted_by: str = "") -> None:
    """Make sure that it is there; a Kueue of somebody else's is taken as it is.

    Args:
        cluster: where; None for the one in use.
        wanted_by: for whom it is brought, if it is not there yet: who may take it away again.

    Raises:
        LabError: it could not be built or installed, or did not become ready.
    """
    cluster = cluster or current()
    kubectl = Kubectl(cluster.context, cluster.kubeconfig)
    if whose(kubectl) is Whose.OTHERS:
        return
    docker, name = start.ensure(progress.say), served_as(kueue.NAME)
    # On a cluster of one's own nodes pull it from where the user has pushed it.
    wanted = [kueue.NAME] if cluster.is_kind else []
    steps = bring(wanted, "auto", docker, progress, os.environ.get("MLOPS_LAB_MIRROR", ""), (kueue.manifests,))
    text = manifests(docker)
    if not cluster.is_kind:
        text = text.replace(kueue.NAME, f"{cluster.registry}/{name}")
    with exclusive(progress):
        if cluster.is_kind and registry.serve(docker, name, steps[kueue.NAME]):
            progress.say(f"  ok pushed {names.REGISTRY_PREFIX}/{name}")
        if unchanged(kubectl, text) and not unready(kubectl):
            return
        with progress.piece("installing Kueue, by which graders have their turn"):
            if install(kubectl, text, wanted_by):
                wait(kubectl)


def manifests(docker: Docker) -> str:
    """The YAML of all its objects, which `bring` has made."""
    folder = Store(docker).current(kueue.MANIFESTS)
    assert folder
    return (folder / "kueue.yaml").read_text("utf-8")


def unchanged(kubectl: Kubectl, text: str) -> bool:
    """Was all of this applied, and nothing since?"""
    return (_noted(kubectl) or {}).get(_NOTED) == _fingerprint(text)


def unready(kubectl: Kubectl) -> list[str]:
    """Its Deployments that are not ready, or scaled to none, or that it has none; for one that is the project's."""
    items = kubectl.get("deployments", "-n", NAMESPACE)
    lacking = addons.unavailable(items, (NAMESPACE,))
    return [addons.name(each) for each in lacking] if items else ["its Deployment is gone"]


def install(kubectl: Kubectl, text: str, wanted_by: str = "") -> bool:
    """Apply what is missing or has changed; returns whether it is ours, and so to be waited for."""
    if whose(kubectl) is Whose.OTHERS:
        return False
    there = kubectl.get("deployments", "-n", NAMESPACE) if unchanged(kubectl, text) else []
    if there and not any(addons.is_none(each) for each in there):
        return True
    items: list[dict[str, Any]] = [each for each in yaml.safe_load_all(text) if each]
    space = next(each for each in items if each["kind"] == "Namespace")
    before = _noted(kubectl)
    by = wanted_by if before is None else before.get(_FOR, "")
    space["metadata"]["annotations"] = {_NOTED: "unfinished", **({_FOR: by} if by else {})}
    first = [space, *(each for each in items if each["kind"] == "CustomResourceDefinition")]
    kubectl.apply(yaml.safe_dump_all(first))
    kubectl.apply(yaml.safe_dump_all([each for each in items if each not in first]))
    # The fingerprint is noted last of all: what was interrupted is applied again.
    kubectl.run("annotate", "--overwrite", "namespace", NAMESPACE, f"{_NOTED}={_fingerprint(text)}")
    return True


def wait(kubectl: Kubectl, within: float = 300) -> None:
    """Wait until it is ready: it makes its own certificate, which takes a kubelet a minute or more to hand to it.

    Raises:
        LabError: it is not within the limit, or its pod can't start.
    """

    def probe() -> tuple[bool | None, str]:
        items = kubectl.get("deployments,pods", "-n", NAMESPACE)
        lacking = addons.unavailable(items, (NAMESPACE,))
        for each in lacking:
            try:
                addons.fail_if_stuck(kubectl, each, [item for item in items if item["kind"] == "Pod"])
            except LabError as stuck:
                raise LabError(stuck.message, _hint(each, stuck.hint), stuck.detail) from stuck
        there = any(each["kind"] == "Deployment" for each in items)
        return (True, "") if there and not lacking else (None, "its pod is not ready")

    hint = f"see: kubectl --context {kubectl.context} -n {NAMESPACE} describe pods"
    wait_until(probe, what="Kueue", within=within, every=0.5, hint=hint)


def queues(kubectl: Kubectl) -> list[str]:
    """The names of all ClusterQueues, by which others than one class may use it; none where it is not there.

    Raises:
        LabError: the cluster does not say.
    """
    done = kubectl.run("get", f"clusterqueues.{_GROUP}", "-o", "json", check=False)
    if done.code != 0 and "doesn't have a resource type" not in done.stderr:
        raise LabError("queues can't be listed", "see what is wrong: lab status", done.stderr.strip())
    return [addons.name(each) for each in json.loads(done.stdout)["items"]] if done.code == 0 else []


def remove(kubectl: Kubectl) -> bool:
    """Take it away with all queues, if it is ours; was it?

    Its webhooks go first, or nothing of it could be deleted; its rights last, since it lets queues go itself.
    """
    if whose(kubectl) is not Whose.OURS:
        return False
    found = json.loads(kubectl.run("get", _CLUSTER_WIDE, "-o", "json").stdout)["items"]
    own = [each for each in found if each["metadata"]["name"].startswith("kueue-")]
    hooks = [each for each in own if each["kind"].endswith("WebhookConfiguration")]
    for item in hooks:
        _delete(kubectl, item)
    if defined := _defined(kubectl):
        kubectl.run("delete", *defined, "--ignore-not-found", within=120)
    for item in own:
        if item not in hooks:
            _delete(kubectl, item)
    kubectl.run("delete", "namespace", NAMESPACE, "--ignore-not-found", within=120)
    return True


def _delete(kubectl: Kubectl, item: dict[str, Any]) -> None:
    kubectl.run("delete", item["kind"].lower(), item["metadata"]["name"], "--ignore-not-found")


def _noted(kubectl: Kubectl) -> dict[str, str] | None:
    """The annotations of its namespace; None where it is not there."""
    done = kubectl.run("get", "namespace", NAMESPACE, "--ignore-not-found", "-o", "json")
    if not done.stdout.strip():
        return None
    return dict(json.loads(done.stdout)["metadata"].get("annotations") or {})


def _defined(kubectl: Kubectl) -> list[str]:
    """Its kinds that the cluster knows."""
    there = kubectl.run("get", "customresourcedefinitions", "-o", "name").stdout.split()
    return [each for each in there if each.endswith(f".{_GROUP}")]


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _hint(deployment: dict[str, Any], hint: str) -> str:
    """What to do about a pod that can't start: its image lies deeper in a registry than the project's own do."""
    if "lab images push" not in hint:
        return hint
    image = str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])
    if image == kueue.NAME:
        return "run the same command again: it brings the image to the cluster's registry"
    return f"push the project's images there: lab images push {image.removesuffix(f'/{served_as(kueue.NAME)}')}"


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
