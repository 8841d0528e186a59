"""Labels that lie where a model could read them, and that it can't read before it is told the key.

Needs only the standard library: both the program that prepares the sandbox and the driver in it import this.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from mlops_lab.kit.sandbox.estimator import PREPARED


def place(name: str) -> Path:
    """Where those of some days lie."""
    return PREPARED / f"{name}.sealed"


def turned(labels: bytes, key: str) -> bytes:
    """Sealed, or opened again by the same key; one key is for one text alone."""
    pad = hashlib.shake_256(key.encode()).digest(len(labels))
    return bytes(one ^ other for one, other in zip(labels, pad, strict=True))
