"""What checks have said, as the class's server takes it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlops_lab.checks import report
from mlops_lab.checks.verdicts import Result, Verdict

PARTS = ("lab.toml", "start", "checker")  # of a lab's folder; what a grader's image has of it
_LONGEST = 2000  # characters of a text
_LINES, _WIDTH = 40, 500  # of evidence


def outcome(results: Sequence[Result], content: str, seconds: float) -> dict[str, Any]:
    """The outcome of a run of checks, bounded in size.

    Args:
        content: the hash of the lab; see `content_of`.
        seconds: that the checks took.
    """
    points, possible = report.earned(results)
    return {
        "lab_content": content, "points": points, "possible": possible, "seconds": round(seconds, 3),
        "seed": report.seed(results), "checks": [_check(each) for each in results],
        "report": [_told(each) for each in results],
    }  # fmt: skip


def content_of(folder: Path) -> str:
    """The hash of what a grader has of a lab: what it says, what it begins with, and its checker."""
    digest = hashlib.sha256()
    inside = [(each.relative_to(folder), each) for each in folder.rglob("*") if each.is_file()]
    for path, file in sorted(inside):
        if path.parts[0] not in PARTS or "__pycache__" in path.parts:
            continue
        digest.update(f"{path.as_posix()}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _check(result: Result) -> dict[str, Any]:
    seen = result.seen or (result.why if result.verdict is Verdict.ERROR else "")
    return {
        "check": result.check, "verdict": str(result.verdict), "points": result.points, "earned": result.earned,
        "expected": _text(result.expected), "seen": _text(seen),
    }  # fmt: skip


def _told(result: Result) -> dict[str, Any]:
    return {
        "check": result.check, "verdict": str(result.verdict), "points": result.points, "title": _text(result.title),
        "expected": _text(result.expected), "seen": _text(result.seen), "why": _text(result.why),
        "evidence": [_text(line)[:_WIDTH] for line in result.evidence[:_LINES]], "seconds": round(result.seconds, 3),
    }  # fmt: skip


def _text(text: str) -> str:
    """What JSON and the database take: no halves of characters, none of number 0, and not by the megabyte."""
    return text.encode(errors="replace").decode().replace("\0", "?")[:_LONGEST]
