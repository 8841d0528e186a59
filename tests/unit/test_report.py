"""Reports: what the learner and the machine read, and the exit code."""

from __future__ import annotations

import io
import json
from xml.etree import ElementTree

import pytest

from mlops_lab.checks import report
from mlops_lab.checks.check import Check
from mlops_lab.checks.verdicts import Result, Verdict
from mlops_lab.cli.live import live
from mlops_lab.cli.terminal import painted
from mlops_lab.labs.rows import Row

PASS = Result("ready", "Pods are ready.", Verdict.PASS, 2, ("ckad/deployment",), seen="readyReplicas 2", seconds=1.25)
FAIL = Result(
    "scales",
    "It scales.",
    Verdict.FAIL,
    3,
    expected="at least 2",
    seen="1 <pod>",
    why="the HPA reads the request " * 8,
    evidence=("Pod a: Pending", "FailedScheduling: no \x00 cpu"),
)
BLOCKED = Result("shrinks", "It shrinks.", Verdict.BLOCKED, 1, why="it needs scales to pass first")
WAITING = Result("later", "Later.", Verdict.WAITING, 1, seen="0 of 2")
ERROR = Result("broken", "Broken.", Verdict.ERROR, 1, why="Prometheus does not answer; lab status")


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([PASS], 0),
        ([PASS, FAIL, BLOCKED], 1),
        ([PASS, WAITING], 1),
        ([PASS, ERROR], 3),
        ([WAITING, ERROR], 3),
        ([FAIL, ERROR], 1),
        ([], 1),
    ],
)
def test_exit_codes(results: list[Result], code: int) -> None:
    assert report.exit_code(results) == code


def test_the_terminal_report_says_everything_without_colour() -> None:
    text = report.terminal("Lab 10: Scale", [PASS, FAIL, BLOCKED, WAITING, ERROR])
    assert "\x1b" not in text
    lines = text.splitlines()
    assert lines[0] == "Lab 10: Scale"
    assert "PASS      2/2  ready: Pods are ready.  1.2 s" in lines
    assert "FAIL      0/3  scales: It scales." in lines
    assert lines[3] == "         seen      readyReplicas 2"
    assert "         expected  at least 2" in lines
    assert "         seen      1 <pod>" in lines
    assert "         evidence  Pod a: Pending" in lines
    assert "BLOCKED   0/1  shrinks: It shrinks." in lines
    assert lines[-1] == "2 of 8 points: 1 passed, 1 failed, 1 blocked, 1 waiting, 1 in error"
    assert max(map(len, lines)) <= 100


def test_long_titles_are_cut_to_the_width_and_colour_is_only_added() -> None:
    long = Result("name", "word " * 60, Verdict.PASS, 1, seconds=2)
    assert len(report.line(long, width=80)) <= 80
    coloured = report.line(FAIL, paint=painted)
    assert coloured.replace("\x1b[31m", "").replace("\x1b[0m", "") == report.line(FAIL)


def test_json_has_every_field() -> None:
    whole = json.loads(report.as_json("10", "Scale", [PASS, FAIL]))
    assert (whole["verdict"], whole["points"], whole["possible"]) == ("fail", 2, 5)
    assert whole["checks"][0] == {
        "check": "ready",
        "title": "Pods are ready.",
        "verdict": "pass",
        "points": 2,
        "earned": 2,
        "domains": ["ckad/deployment"],
        "expected": "",
        "seen": "readyReplicas 2",
        "why": "",
        "evidence": [],
        "seconds": 1.25,
        "waited": 0.0,
        "seed": None,
    }
    assert whole["checks"][1]["evidence"][0] == "Pod a: Pending"


def test_junit_tells_failures_errors_and_skips_apart() -> None:
    suite = ElementTree.fromstring(report.junit("10", "Scale & more", [PASS, FAIL, BLOCKED, WAITING, ERROR]))
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "5",
        "failures": "1",
        "errors": "1",
        "skipped": "2",
    }
    cases = {case.get("name"): [child.tag for child in case] for case in suite}
    assert cases == {
        "ready": [],
        "scales": ["failure"],
        "shrinks": ["skipped"],
        "later": ["skipped"],
        "broken": ["error"],
    }
    failure = suite.find("testcase[@name='scales']/failure")
    assert failure is not None
    assert "seen: 1 <pod>" in (failure.text or "")
    assert "no ? cpu" in (failure.text or "")


def test_what_a_program_printed_does_not_steer_the_terminal() -> None:
    seen = Result(
        "a", "A.", Verdict.FAIL, 1, (), "text", "\x1f\x8b\x08 \x1b[2Jé\x9b1m\x0e", "bytes", ("one\r\ntwo\x07",)
    )
    text = report.terminal("lab", [seen])
    assert "\\x1f\\x8b\\x08 \\x1b[2Jé\\x9b1m\\x0e" in text and "one two\\x07" in text
    assert all(each == "\n" or each.isprintable() for each in text)


@pytest.mark.parametrize("terminal", [True, False])
def test_nor_does_it_while_checks_run(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(lab: object) -> None:
        pass

    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: terminal)
    result = Result("a", "A.", Verdict.FAIL, 1, (), "text", "\x1b[2Jbytes", "odd")
    with live(stream, keep=True, results=True) as view:
        view.changed([Row(Check("a", "A.", nothing, 1), result)], "")
    assert "\\x1b[2Jbytes" in stream.getvalue() and "\x1b[2Jbytes" not in stream.getvalue()
