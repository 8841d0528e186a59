"""The pins of `versions.toml`, for everything that needs one of them."""

from __future__ import annotations

import functools
import tomllib
from typing import Any

from mlops_lab.base.paths import project


@functools.cache
def versions() -> dict[str, Any]:
    """`versions.toml` as nested tables."""
    return tomllib.loads((project() / "versions.toml").read_text())


def pin(path: str) -> Any:
    """The pin at a dotted path, such as `pin("kind.version")`.

    Raises:
        KeyError: versions.toml has no such entry.
    """
    value: Any = versions()
    for part in path.split("."):
        try:
            value = value[part]
        except (KeyError, TypeError):
            raise KeyError(f"versions.toml has no entry {path!r}") from None
    return value
