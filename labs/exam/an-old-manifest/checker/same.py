"""What an object lacks of what was wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def different(item: Any, wanted: Any, at: str = "") -> list[str]:
    """What differs from `wanted`, such as `spec.replicas is 1, not 2`; what is there in addition does not."""
    if isinstance(wanted, Mapping):
        found = item if isinstance(item, Mapping) else {}
        return [
            said for key, value in wanted.items() for said in different(found.get(key), value, f"{at}.{key}".strip("."))
        ]
    return [] if item == wanted else [f"{at} is {'not there' if item is None else item}, not {wanted}"]
