"""Records that were taken on board against those that the ground has: lost, doubled, changed, or never handed in.

Runs in a pod of the checker's, with the standard library alone.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Set
from typing import Any

SHOWN = 5


def compared(
    taken: Mapping[str, Mapping[str, Any]],
    handed: Mapping[str, int],
    status: int,
    text: str,
    before: Set[str] = frozenset(),
) -> dict[str, Any]:
    """How many records are lost, doubled, changed and strange, and some of their ids.

    Args:
        taken: on board, by id; of each the ground has to have one.
        handed: how often each was handed in; one that was never taken may be there or not.
        status, text: what the ground answered.
        before: ids of what was there when the day began; whatever became of these is not looked at.
    """
    rows = _rows(text) if status == 200 else None
    if rows is None:
        return {"taken": len(taken), "unread": f"status {status}, {text[:100]!r}"}
    rows = [each for each in rows if str(each.get("id")) not in before]
    found = Counter(str(each.get("id")) for each in rows)
    by_id = {str(each.get("id")): each for each in rows}
    lost = [each for each in taken if each not in found]
    doubled = [each for each, number in found.items() if number > 1]
    changed = [
        each
        for each, wanted in taken.items()
        if each in by_id and any(by_id[each].get(name) != value for name, value in wanted.items())
    ]
    strange = [each for each in found if each not in handed]
    kinds = {"lost": lost, "doubled": doubled, "changed": changed, "strange": strange}
    return {
        "taken": len(taken), "twice": sum(handed.get(each, 0) > 1 for each in taken), "there": len(rows),
        **{kind: len(ids) for kind, ids in kinds.items()},
        "examples": [f"{kind}: {each}"[:60] for kind, ids in kinds.items() for each in ids[:SHOWN]],
    }  # fmt: skip


def ids_of(status: int, text: str) -> set[str] | None:
    """The ids of an answer's records; None if it is none."""
    rows = _rows(text) if status == 200 else None
    return None if rows is None else {str(each.get("id")) for each in rows}


def _rows(text: str) -> list[dict[str, Any]] | None:
    """The records of an answer; None if it is none."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    rows = said.get("records") if isinstance(said, dict) else None
    return rows if isinstance(rows, list) and all(isinstance(each, dict) for each in rows) else None
