"""What helm has written down of a release: a Secret for each revision."""

import base64
import binascii
import gzip
import json
from typing import Any

from mlops_lab.checks import absent, expect
from mlops_lab.tasks.lab import TaskLab

Release = dict[str, Any]


async def revisions(lab: TaskLab, name: str, why: str) -> list[Release]:
    """A release's revisions as helm keeps them, oldest first.

    Raises:
        Failure: there is no such release in the Namespace.
    """
    found = await _kept(lab, lab.namespace, name)
    if not found:
        strayed = "it is in Namespace default" if await _kept(lab, "default", name) else "helm knows none by this name"
        expect(absent(f"a release {name} in Namespace {lab.namespace}", strayed)).because(why)
    return found


async def _kept(lab: TaskLab, namespace: str, name: str) -> list[Release]:
    kept = await lab.elsewhere(namespace).all("Secret", f"owner=helm,name={name}")
    return sorted((each for one in kept if (each := _read(one))), key=lambda each: int(each["version"]))


def _read(secret: dict[str, Any]) -> Release:
    try:
        inside = base64.b64decode(base64.b64decode(secret["data"]["release"]))
        found = json.loads(gzip.decompress(inside))
    except (KeyError, ValueError, OSError, binascii.Error):
        return {}
    return found if isinstance(found, dict) and "version" in found else {}


def status(release: Release) -> str:
    """In helm's word, such as deployed."""
    return str((release.get("info") or {}).get("status"))


def values(release: Release) -> Release:
    """What was set for it, beside the chart's own values."""
    return dict(release.get("config") or {})
