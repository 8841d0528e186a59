"""What the customer's pod has noted: its answers since it began, those of a kind in a row counted together."""

from __future__ import annotations

import json
from typing import Any

from mlops_lab.checks import Lab, absent, expect
from mlops_lab.kit import presence
from mlops_lab.kit.inside import printed
from mlops_lab.tasks.drawing import drawn

from .draw import Drawn

_D = drawn(Drawn, __file__)
_GONE = "the customer is to be left alone: what it has noted is in its pod"


async def record(lab: Lab) -> list[tuple[str, int]]:
    """Kinds of answers (`blue 1.4`, `lost`) in their order, and how many there were of each.

    Raises:
        Failure: its pod is gone, does not run, or has no record.
    """
    pod = await presence.exists(lab, "Pod", _D.client, _GONE)
    told = await printed(lab, pod, "cat", "/tmp/record.json", why=_GONE)
    found = _read("".join(told.lines))
    if found is None:
        expect(absent("a record of its answers", f"{' '.join(told.lines)[:100] or told.errors.strip()[:100]}")).because(
            _GONE
        )
        raise AssertionError
    return found


def _read(text: str) -> list[tuple[str, int]] | None:
    try:
        rows: Any = json.loads(text)
        return [(str(kind), int(count)) for kind, count in rows]
    except (ValueError, TypeError, RecursionError):
        return None
