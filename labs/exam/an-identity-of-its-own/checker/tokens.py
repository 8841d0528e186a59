"""What a token of a ServiceAccount says of itself (its claims); who signed it is not looked at."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from mlops_lab.checks import absent, expect


@dataclass(frozen=True)
class Claims:
    """Audience, subject, seconds of validity, and the pod that it is bound to."""

    audience: str
    subject: str
    seconds: int
    pod: str


def claims(token: str) -> Claims:
    """A token's claims.

    Raises:
        Failure: it is no token.
    """
    found = _decoded(token.strip())
    if found is None:
        expect(absent("a token: three parts of base64url, with dots between them", f"{token[:40]!r}")).because(
            "the API server makes it; the kubelet writes it into the volume"
        )
        raise AssertionError
    bound = found.get("kubernetes.io")
    pod = bound.get("pod") if isinstance(bound, dict) else None
    audience = found.get("aud")
    return Claims(
        ", ".join(map(str, audience)) if isinstance(audience, list) else str(audience),
        str(found.get("sub")),
        _number(found.get("exp")) - _number(found.get("iat")),
        str(pod.get("name")) if isinstance(pod, dict) else "no pod",
    )


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _decoded(token: str) -> dict[str, Any] | None:
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
