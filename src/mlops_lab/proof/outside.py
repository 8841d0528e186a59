"""What a task's files make outside of its namespace: is all of it named, so that it goes with the task?

The proof on the cluster looks at what is left, but only at what bears a name that was drawn: others work beside it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from mlops_lab.base.quick_yaml import LOADER
from mlops_lab.labs.variants import Variant, texts
from mlops_lab.labs.workspace import SEED
from mlops_lab.tasks.rendering import SETUP, Rendered
from mlops_lab.tasks.script import ANSWER
from mlops_lab.tasks.standing import outside

# Kinds of Kubernetes and of the Gateway API that are in no namespace.
_WIDE = frozenset({
    "APIService", "CertificateSigningRequest", "ClusterRole", "ClusterRoleBinding", "CSIDriver",
    "CustomResourceDefinition", "FlowSchema", "GatewayClass", "IngressClass", "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration", "Namespace", "PersistentVolume", "PriorityClass",
    "PriorityLevelConfiguration", "RuntimeClass", "StorageClass", "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration", "VolumeAttributesClass",
})  # fmt: skip
_CREATED = re.compile(r"\bcreate +(clusterrole|clusterrolebinding|namespace|ns|priorityclass|pc) +([\w.-]+)")
_CALLED = {
    "clusterrole": "ClusterRole", "clusterrolebinding": "ClusterRoleBinding", "namespace": "Namespace",
    "ns": "Namespace", "priorityclass": "PriorityClass", "pc": "PriorityClass",
}  # fmt: skip


def unnamed(rendered: Rendered, variants: Iterable[Variant]) -> list[str]:
    """What would stay on the cluster when the task goes, a sentence each; nothing if all is well.

    Args:
        variants: solutions and mistakes.
    """
    named = set(outside(rendered.folder))
    own = {
        str(file.relative_to(rendered.folder)): file.read_text(encoding="utf-8")
        for file in (rendered.folder / "start" / SEED, rendered.folder / SETUP / "outside.yaml")
        if file.is_file()
    }
    for each in variants:
        files = {name: text for name, text in texts(each).items() if "/" not in name}
        where = f"{'solution' if each.kind == 'solution' else 'wrong'}/{each.name}/"
        own |= {f"{where}{name}": text for name, text in files.items()}
    goes = {"", rendered.namespace, *(name for kind, name in named if kind == "Namespace")}
    said: dict[str, str] = {}  # a mistake has its solution's files
    for file, text in own.items():
        for kind, name, namespace in _made(file, text):
            if kind in _WIDE and (kind, name) not in named:
                said.setdefault(f"{kind} {name} would stay: it is not in {SETUP}/outside.txt", file)
            elif kind not in _WIDE and namespace not in goes:
                said.setdefault(f"{kind} {name} would stay: Namespace {namespace} does not go with the task", file)
    return [f"{file}: {what}" for what, file in said.items()]


def _made(file: str, text: str) -> Iterator[tuple[str, str, str]]:
    """Kind, name and namespace (empty: none is given) of what a file makes."""
    if file.endswith((".yaml", ".yml")):
        with contextlib.suppress(yaml.YAMLError):  # which is said elsewhere, or is a mistake
            for item in yaml.load_all(text, LOADER):
                meta: Any = item.get("metadata") if isinstance(item, dict) else None
                if isinstance(meta, dict):
                    yield str(item.get("kind")), str(meta.get("name")), str(meta.get("namespace") or "")
    elif file.rpartition("/")[2] == ANSWER:
        for word, name in _CREATED.findall(text):
            yield _CALLED[word], name, ""
