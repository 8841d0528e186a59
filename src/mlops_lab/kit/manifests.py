"""What a Deployment's manifest asks for that was applied last; it asks for that again with each apply."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from mlops_lab.base import entries
from mlops_lab.checks import Lab
from mlops_lab.kube.client import Object

MANIFESTS = (".yaml", ".yml", ".json")
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def replicas_asked(lab: Lab, deployment: Object) -> int:
    """The number of pods that the Deployment's manifest asks for; 0 if it asks for none, or nobody can say.

    Of one that was applied server-side no copy is kept, and the field is the autoscaler's once that has set another
    number: it is looked for in the workspace.
    """
    named = deployment["metadata"]["name"]
    asked = replicas_applied(deployment)
    return asked or (max(_written(lab.work.folder, named), default=0) if server_side(deployment) else 0)


def replicas_applied(deployment: Object) -> int:
    """The number of pods that the manifest asks for which client-side apply keeps a copy of; 0 as `replicas_asked`."""
    try:
        item = json.loads((deployment["metadata"].get("annotations") or {}).get(_APPLIED) or "{}")
        return int((item.get("spec") or {}).get("replicas") or 0)
    except (ValueError, TypeError, AttributeError):
        return 0


def server_side(deployment: Object) -> bool:
    """Has somebody applied it so that the API server merged it?"""
    fields = deployment["metadata"].get("managedFields") or []
    return any(each.get("operation") == "Apply" and "f:spec" in (each.get("fieldsV1") or {}) for each in fields)


def _written(folder: Path, named: str) -> Iterator[int]:
    """The `replicas` of a Deployment in a folder's manifests, also by the field of that name of a kustomization."""
    for item in _objects(folder):
        spec, metadata = item.get("spec"), item.get("metadata")
        if item.get("kind") == "Deployment" and isinstance(metadata, dict) and metadata.get("name") == named:
            found = [spec.get("replicas")] if isinstance(spec, dict) else []
        else:
            told = item.get("replicas")
            each_one = told if isinstance(told, list) else []
            found = [each.get("count") for each in each_one if isinstance(each, dict) and each.get("name") == named]
        yield from (each for each in found if isinstance(each, int))


def _objects(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(entries.files(folder)):
        if file.suffix not in MANIFESTS or file.name.startswith("."):
            continue
        documents: list[Any] = []  # of what can't be read, which nobody has applied either
        with contextlib.suppress(OSError, ValueError, RecursionError, yaml.YAMLError):
            documents = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
        for each in documents:
            several = each.get("items") if isinstance(each, dict) else None
            yield from (item for item in (several if isinstance(several, list) else [each]) if isinstance(item, dict))
