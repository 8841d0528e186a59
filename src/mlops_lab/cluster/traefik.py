"""Traefik, an add-on of the cluster of `lab up`: there while an exam needs Ingress or the Gateway API, or for good.

It serves IngressClass and GatewayClass `traefik`, at the Service `HOST`, for requests from pods. `down` leaves nothing
of it; the Gateway API's definitions stay where they were there before, or where objects of others are of these kinds,
until a later `down` finds none.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

from mlops_lab.base.errors import LabError
from mlops_lab.base.progress import Progress
from mlops_lab.base.waiting import wait_until
from mlops_lab.cluster import addons, registry
from mlops_lab.cluster.kubectl import Kubectl, manifest
from mlops_lab.cluster.record import current
from mlops_lab.cluster.up import exclusive
from mlops_lab.engine import start
from mlops_lab.images.build import bring
from mlops_lab.images.recipes import traefik
from mlops_lab.images.sources import repository
from mlops_lab.images.store import Store
from mlops_lab.kube.objects import is_true

NAMESPACE = "mlops-lab-ingress"
HOST = f"traefik.{NAMESPACE}.svc"
CLASS = "traefik"
_LABEL = "mlops-lab/addon=traefik"
# On the add-on's namespace once the user has asked for it: what an exam brings goes with the exam, this does not.
_STAYS = "mlops-lab/stays"
_GROUP = "gateway.networking.k8s.io"
_CLUSTER_WIDE = "ingressclasses,clusterroles,clusterrolebindings"


def up(progress: Progress, *, stays: bool = False) -> None:
    """Make sure that it serves; nothing is done where it does. Meanwhile it has the cluster alone (`up.exclusive`).

    Args:
        stays: the user has asked for it; `down` leaves it from now on.

    Raises:
        LabError: the cluster is one that the user named, has a class of that name already, or it did not become ready.
    """
    kubectl = _kubectl()
    docker = start.ensure(progress.say)
    steps = bring([traefik.NAME], "auto", docker, progress, os.environ.get("MLOPS_LAB_MIRROR", ""),
                  (traefik.definitions,))  # fmt: skip
    folder = Store(docker).current(traefik.DEFINITIONS)
    assert folder  # `bring` has just made it
    definitions = (folder / "crds.yaml").read_text()
    with exclusive(progress):
        if registry.serve(docker, repository(traefik.NAME), steps[traefik.NAME]):
            progress.say(f"  ok pushed {repository(traefik.NAME)}")
        with progress.piece("Traefik, for Ingress and the Gateway API"):
            install(kubectl, definitions)
            wait(kubectl)
            if stays:
                keep(kubectl)


def down(progress: Progress) -> bool:
    """Remove it, unless it is to stay; safe to repeat. Was it removed?

    Raises:
        LabError: the cluster does not answer.
    """
    kubectl = _kubectl()
    with exclusive(progress):
        return remove(kubectl, progress)


def install(kubectl: Kubectl, definitions: str) -> bool:
    """Apply all of it if something is missing or has changed; returns whether it was.

    Args:
        definitions: of the Gateway API's resources.

    Raises:
        LabError: somebody else's Traefik is there, or the cluster refuses.
    """
    text = manifest("traefik.yaml", image=traefik.NAME, fingerprint="$fingerprint")
    fingerprint = hashlib.sha256(f"{text}\0{definitions}".encode()).hexdigest()[:16]
    if addons.stands(kubectl, text, NAMESPACE, fingerprint):
        return False
    _refuse_others(kubectl)
    before = set(_defined(kubectl))
    kubectl.apply(definitions)
    defined = _defined(kubectl)
    if made := [each for each in defined if each not in before]:
        kubectl.run("label", "--overwrite", *made, _LABEL)
    waited = kubectl.run("wait", "--for=condition=Established", "--timeout=30s", *defined, within=40, check=False)
    if waited.code != 0:
        raise LabError(
            "the Gateway API's definitions were not accepted",
            "see why in: kubectl describe crd, then try again",
            waited.stderr.strip(),
        )
    # The fingerprint is noted last of all: what was interrupted is applied again.
    kubectl.apply(text.replace("$fingerprint", "unfinished"))
    kubectl.run("annotate", "--overwrite", "namespace", NAMESPACE, f"mlops-lab/manifests={fingerprint}")
    return True


def wait(kubectl: Kubectl, within: float = 60) -> None:
    """Wait until it is ready and has taken up its GatewayClass.

    Raises:
        LabError: it is not within the limit, or its pod can't start.
    """

    def probe() -> tuple[bool | None, str]:
        items = kubectl.get(f"deployments,pods,gatewayclasses.{_GROUP}", "-n", NAMESPACE)
        lacking = addons.unavailable(items, (NAMESPACE,))
        for each in lacking:
            addons.fail_if_stuck(kubectl, each, [item for item in items if item["kind"] == "Pod"])
        if lacking or not any(item["kind"] == "Deployment" for item in items):
            return None, "its pod is not ready"
        classes = [item for item in items if item["kind"] == "GatewayClass" and addons.name(item) == CLASS]
        return (True, "") if classes and is_true(classes[0], "Accepted") else (None, "its GatewayClass is not accepted")

    hint = f"see: kubectl --context {kubectl.context} -n {NAMESPACE} describe pods"
    wait_until(probe, what="Traefik", within=within, every=0.5, hint=hint)


def keep(kubectl: Kubectl) -> None:
    """Note that it is to stay, whoever else has brought it or takes it away."""
    kubectl.run("annotate", "--overwrite", "namespace", NAMESPACE, f"{_STAYS}=true")


def remove(kubectl: Kubectl, progress: Progress) -> bool:
    """`down`, for who holds the cluster."""
    noted = _noted(kubectl)
    if _STAYS in noted:
        return False
    there = bool(noted)
    if defined := _defined(kubectl):
        kubectl.run("delete", f"gatewayclasses.{_GROUP}", "-l", _LABEL, "--ignore-not-found", within=30)
    kubectl.run("delete", _CLUSTER_WIDE, "-l", _LABEL, "--ignore-not-found", within=30)
    if made := _defined(kubectl, "-l", _LABEL):
        kinds = ",".join(each.partition("/")[2] for each in defined)
        if left := kubectl.run("get", kinds, "-A", "-o", "name", within=20).stdout.split():
            progress.say(f"the Gateway API's definitions stay: {len(left)} objects are there, such as {left[0]}")
        else:
            kubectl.run("delete", *made, "--ignore-not-found", within=60)
    kubectl.run("delete", "namespaces", "-l", _LABEL, "--ignore-not-found", within=90)
    return there


def _kubectl() -> Kubectl:
    cluster = current()
    if not cluster.is_kind:
        raise LabError(
            f"Traefik is put only into a cluster that `lab up` made, and {cluster.context} is yours",
            "leave yours (lab down), then make one: lab up",
        )
    return Kubectl(cluster.context, cluster.kubeconfig)


def _noted(kubectl: Kubectl) -> dict[str, str]:
    """The annotations of the add-on's namespace; none where it is not there."""
    done = kubectl.run("get", "namespace", NAMESPACE, "--ignore-not-found", "-o", "json")
    found: dict[str, Any] = json.loads(done.stdout or "{}")
    return dict(found.get("metadata", {}).get("annotations") or {})


def _defined(kubectl: Kubectl, *chosen: str) -> list[str]:
    """The Gateway API's definitions that are there, as kubectl names them; `chosen` narrows."""
    there = kubectl.run("get", "customresourcedefinitions", *chosen, "-o", "name").stdout.split()
    return [each for each in there if each.endswith(f".{_GROUP}")]


def _refuse_others(kubectl: Kubectl) -> None:
    done = kubectl.run("get", "ingressclass", CLASS, "--ignore-not-found", "-o", "json")
    found: dict[str, Any] = json.loads(done.stdout or "{}")
    key, _, value = _LABEL.partition("=")
    if found and (found["metadata"].get("labels") or {}).get(key) != value:
        raise LabError(
            f"there is an IngressClass {CLASS} that `lab` did not create",
            f"remove that Traefik (kubectl delete ingressclass {CLASS}), then try again",
        )
