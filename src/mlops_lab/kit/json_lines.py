"""Lines of a log, or of a program's output, that are JSON objects; whatever else is among them is passed over."""

from __future__ import annotations

import json
from collections.abc import Iterable

from mlops_lab.kube.client import Object


def json_object(line: str) -> Object | None:
    """The JSON object that a line is; None if it is anything else."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def json_objects(lines: Iterable[str]) -> list[Object]:
    """The lines that are JSON objects, in their order."""
    return [found for found in map(json_object, lines) if found is not None]
