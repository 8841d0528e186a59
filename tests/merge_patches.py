"""Merge patches, applied as the API server does, for rooms that hold an object."""

from __future__ import annotations

from typing import Any


def merged(item: Any, patch: Any) -> Any:
    """What a JSON merge patch makes of something, as https://www.rfc-editor.org/rfc/rfc7386#section-2 has it."""
    if not isinstance(patch, dict):
        return patch
    found = dict(item) if isinstance(item, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), value)
    return found
