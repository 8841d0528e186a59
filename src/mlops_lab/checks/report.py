"""Reports of a list of results: for a terminal, as JSON, as JUnit XML; and the exit code."""

from __future__ import annotations

import json
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from mlops_lab.base.errors import ExitCode
from mlops_lab.checks.verdicts import Result, Verdict

Paint = Callable[[str, str], str]  # a text and a verdict's word, to the text in that verdict's colour

_NOUNS = {
    Verdict.PASS: "passed",
    Verdict.FAIL: "failed",
    Verdict.BLOCKED: "blocked",
    Verdict.WAITING: "waiting",
    Verdict.ERROR: "in error",
}
_LABEL = 10
_MARGIN = 9


def _plain(text: str, verdict: str) -> str:
    return text


def exit_code(results: Sequence[Result]) -> ExitCode:
    """0 if all passed; 3 if there were errors of the environment and no failure; else 1."""
    verdicts = {result.verdict for result in results}
    if verdicts == {Verdict.PASS}:
        return ExitCode.PASSED
    if Verdict.ERROR in verdicts and Verdict.FAIL not in verdicts:
        return ExitCode.ENVIRONMENT
    return ExitCode.FAILED


def earned(results: Sequence[Result]) -> tuple[int, int]:
    """Points earned, and points that could be."""
    return sum(result.earned for result in results), sum(result.points for result in results)


def terminal(title: str, results: Sequence[Result], *, paint: Paint = _plain, width: int = 100) -> str:
    """The report as the learner reads it; every verdict is a word, so it loses nothing without colour.

    Args:
        paint: gives a text the colour of a verdict.
    """
    lines = [title, ""]
    for result in results:
        lines += _block(result, paint, max(width, 60))
    drawn = seed(results)
    again = [] if drawn is None else [f"drawn with seed {drawn}: with MLOPS_LAB_SEED={drawn} the same is drawn again"]
    lines += ["", *again, summary(results)]
    return "\n".join(lines)


def line(result: Result, *, paint: Paint = _plain, width: int = 100) -> str:
    """One result on one line: verdict, points, name and what it asks for."""
    word = result.verdict.value.upper().ljust(7)
    points = f"{result.earned}/{result.points}".rjust(5)
    took = f"{result.seconds:.1f} s" if result.seconds else ""
    space = width - len(f"{word} {points}  {result.check}: ") - len(took) - 3
    text = f"{result.check}: {textwrap.shorten(result.title, max(space, 20), placeholder='…')}"
    word = paint(word, result.verdict.value)
    return f"{word} {points}  {text}{'  ' + took if took else ''}"


def summary(results: Sequence[Result]) -> str:
    """The total in one line, such as `3 of 10 points: 1 passed, 1 failed, 1 blocked`."""
    points, possible = earned(results)
    counts = Counter(result.verdict for result in results)
    parts = ", ".join(f"{counts[verdict]} {noun}" for verdict, noun in _NOUNS.items() if counts[verdict])
    return f"{points} of {possible} points: {parts or 'no checks'}"


def seed(results: Sequence[Result]) -> int | None:
    """With which the checks of this run drew what they did; None if none drew anything."""
    return next((result.seed for result in results if result.seed is not None), None)


def as_dict(lab: str, title: str, results: Sequence[Result]) -> dict[str, Any]:
    """The report as plain data; `verdict` is `pass`, `fail` or `error`, as the exit code says it."""
    points, possible = earned(results)
    word = {ExitCode.PASSED: "pass", ExitCode.FAILED: "fail", ExitCode.ENVIRONMENT: "error"}
    return {
        "lab": lab,
        "title": title,
        "verdict": word[exit_code(results)],
        "points": points,
        "possible": possible,
        "seed": seed(results),
        "checks": [{**result.plain(), "earned": result.earned} for result in results],
    }


def as_json(lab: str, title: str, results: Sequence[Result]) -> str:
    """The report as JSON text."""
    return json.dumps(as_dict(lab, title, results), indent=2, ensure_ascii=False)


def junit(lab: str, title: str, results: Sequence[Result]) -> str:
    """The report as JUnit XML: fail is a failure, error an error, blocked and waiting are skipped."""
    from xml.etree import ElementTree

    counts = Counter(result.verdict for result in results)
    suite = ElementTree.Element(
        "testsuite",
        name=f"{lab} {title}",
        tests=str(len(results)),
        failures=str(counts[Verdict.FAIL]),
        errors=str(counts[Verdict.ERROR]),
        skipped=str(counts[Verdict.BLOCKED] + counts[Verdict.WAITING]),
        time=f"{sum(result.seconds for result in results):.3f}",
    )
    if (drawn := seed(results)) is not None:
        properties = ElementTree.SubElement(suite, "properties")
        ElementTree.SubElement(properties, "property", name="seed", value=str(drawn))
    elements = {
        Verdict.FAIL: "failure",
        Verdict.ERROR: "error",
        Verdict.BLOCKED: "skipped",
        Verdict.WAITING: "skipped",
    }
    for result in results:
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"lab.{lab}", name=result.check, time=f"{result.seconds:.3f}"
        )
        if result.verdict in elements:
            message = _xml(result.why or result.seen or result.verdict.value)
            child = ElementTree.SubElement(case, elements[result.verdict], message=message)
            child.text = _xml("\n".join(f"{label}: {text}" for label, text in _explained(result)))
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def _block(result: Result, paint: Paint, width: int) -> list[str]:
    head = line(result, paint=paint, width=width)
    lines = [head]
    for label, text in _explained(result):
        indent = " " * (_MARGIN + _LABEL)
        wrapped = textwrap.wrap(visible(text), width - len(indent), break_long_words=False, break_on_hyphens=False) or [
            ""
        ]
        lines.append(" " * _MARGIN + label.ljust(_LABEL) + wrapped[0])
        lines += [indent + more for more in wrapped[1:]]
    return lines


def _explained(result: Result) -> list[tuple[str, str]]:
    named = [("expected", result.expected), ("seen", result.seen), ("why", result.why)]
    found = [(label, text) for label, text in named if text]
    return found + [("evidence" if number == 0 else "", text) for number, text in enumerate(result.evidence)]


def visible(text: str) -> str:
    """Text whose control characters steer no terminal and are seen instead: a program's answer may be any bytes."""
    whole = text.replace("\r\n", "\n")
    return re.sub(r"[^\t\n\x20-\x7e\xa0-\U0010ffff]", lambda found: f"\\x{ord(found.group()):02x}", whole)


def _xml(text: str) -> str:
    """Text without the control characters that XML 1.0 cannot hold."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", text)
