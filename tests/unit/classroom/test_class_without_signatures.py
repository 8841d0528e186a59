"""What somebody with a file of records can do to who only reads it, and that `verify` finds each of these."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from mlops_lab.classroom import audit
from tests.unit.classroom.made import KEY, export, result

Lines = list[str]


def whole() -> Lines:
    """Ada fails, then passes; Bob fails. Then the end."""
    return export([result("ada", verdicts="ff"), result("bob", verdicts="ff"), result("ada", verdicts="pp", number=2)])


def read(lines: Lines) -> dict[str, list[int]]:
    """The points of each learner's results in their order, as a spreadsheet has them."""
    found: dict[str, list[int]] = {}
    for line in lines:
        record = json.loads(line)
        if "points" in record:
            found.setdefault(record["learner"], []).append(record["points"])
    return found


def edited(lines: Lines) -> Lines:
    better = json.loads(lines[1])
    better |= {"points": 4, "checks": [{**each, "verdict": "pass", "earned": 2} for each in better["checks"]]}
    return [lines[0], json.dumps(better) + "\n", *lines[2:]]


DEEDS: dict[str, tuple[Callable[[Lines], Lines], dict[str, list[int]], str]] = {
    "edited": (edited, {"ada": [0, 4], "bob": [4]}, "changed"),
    "replayed": (lambda it: [*it[:3], it[2], it[3]], {"ada": [0, 4, 4], "bob": [0]}, "doubled"),
    "reordered": (lambda it: [it[2], it[1], it[0], it[3]], {"ada": [4, 0], "bob": [0]}, "moved"),
    "cut out": (lambda it: [it[0], *it[2:]], {"ada": [0, 4]}, "left out"),
    "cut off": (lambda it: [*it[:2], it[3]], {"ada": [0], "bob": [0]}, "cut off"),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_who_only_reads_believes_it_and_who_verifies_does_not(deed: str) -> None:
    do, believed, found = DEEDS[deed]
    assert read(whole()) == {"ada": [0, 4], "bob": [0]} and audit.verify(whole(), KEY.public).broken is None
    lines = do(whole())
    assert read(lines) == believed
    broken = audit.verify(lines, KEY.public).broken
    assert broken is not None and broken.what == found
