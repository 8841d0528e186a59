"""The gates of `lab verify` as logic: each shown to fail once, and to stay quiet where it should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlops_lab.checks.check import Check
from mlops_lab.checks.verdicts import Result, Verdict
from mlops_lab.labs.variants import Variant
from mlops_lab.proof import gates
from mlops_lab.proof.leftovers import difference

PASS, FAIL, BLOCKED, WAITING, ERROR = Verdict.PASS, Verdict.FAIL, Verdict.BLOCKED, Verdict.WAITING, Verdict.ERROR


async def nothing(lab: Any) -> None: ...


def check(name: str, *needs: Check) -> Check:
    return Check(name, f"{name}.", nothing, 2, needs)


READY = check("ready")
ANSWERS = check("answers", READY)
SCALES = check("scales", ANSWERS)
OTHER = check("other")
CHECKS = [READY, ANSWERS, SCALES, OTHER]


def results(**verdicts: Verdict) -> list[Result]:
    return [Result(name, f"{name}.", verdict, 2, expected="2", seen="1") for name, verdict in verdicts.items()]


def test_an_untouched_start_that_earns_points_is_dishonest() -> None:
    assert gates.untouched(results(ready=FAIL, answers=BLOCKED)) == []
    assert gates.untouched(results(ready=PASS, answers=FAIL)) == ["ready gives 2 points for nothing done"]
    assert gates.untouched(results(ready=WAITING)) == ["ready is waiting"]


def test_a_solution_without_full_marks_is_dishonest() -> None:
    assert gates.solved(results(ready=PASS, answers=PASS)) == []
    assert gates.solved(results(ready=PASS, answers=FAIL)) == ["answers is fail, not pass: expected 2; saw 1"]
    assert gates.solved(results(ready=BLOCKED)) == ["ready is blocked, not pass"]
    assert gates.solved([]) == ["no check ran"]


def test_who_needs_the_failed_check_directly_or_not_is_behind_it() -> None:
    assert gates.dependents(CHECKS, "ready") == {"answers", "scales"}
    assert gates.dependents(CHECKS, "scales") == set()


SEEN = "expected 2; saw 1"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ((PASS, FAIL, BLOCKED, PASS), []),
        ((PASS, PASS, PASS, PASS), ["answers is pass, not fail", "scales is pass, not blocked"]),
        ((PASS, FAIL, BLOCKED, FAIL), [f"other is fail, not pass: {SEEN}"]),
        ((FAIL, BLOCKED, BLOCKED, PASS), [f"ready is fail, not pass: {SEEN}", "answers is blocked, not fail"]),
        ((PASS, FAIL, FAIL, PASS), [f"scales is fail, not blocked: {SEEN}"]),
    ],
)
def test_a_mistake_must_fail_exactly_its_check(found: tuple[Verdict, ...], said: list[str]) -> None:
    named = results(**dict(zip(("ready", "answers", "scales", "other"), found, strict=True)))
    assert gates.mistaken(named, CHECKS, "answers") == said


def test_a_mistake_whose_check_did_not_run_proves_nothing() -> None:
    assert gates.mistaken(results(ready=PASS, other=PASS), CHECKS, "answers") == ["check answers did not run"]


@pytest.mark.parametrize("verdict", [PASS, FAIL, BLOCKED, WAITING])
def test_an_outage_gives_no_verdict_but_error(verdict: Verdict) -> None:
    assert gates.silent(results(ready=ERROR, answers=ERROR), "paused") == []
    (said,) = gates.silent(results(ready=ERROR, answers=verdict), "paused")
    assert said.startswith(f"paused: answers is {verdict}, not error")
    assert gates.silent([], "paused") == ["no check ran"]


@pytest.mark.parametrize("verdict", [PASS, FAIL, BLOCKED])
def test_an_outage_while_checks_are_at_work_may_leave_some_without_a_verdict(verdict: Verdict) -> None:
    assert gates.silent(results(ready=ERROR, answers=WAITING), "paused", begun=True) == []
    (said,) = gates.silent(results(ready=WAITING, answers=verdict), "paused", begun=True)
    assert said.startswith(f"paused: answers is {verdict}, not error")
    assert gates.silent([], "paused", begun=True) == ["no check ran"]


def test_what_is_left_behind_or_missing_is_named() -> None:
    assert difference(["pods/a"], ["pods/a"]) == []
    assert difference(["pods/a", "pods/b"], ["pods/a", "pods/c"]) == ["left behind: pods/c", "missing: pods/b"]


def variant(kind: str, name: str, named: str = "", because: str = "why") -> Variant:
    return Variant(Path(kind) / name, kind, named, because=because)


def test_the_form_of_a_lab_has_enough_of_everything() -> None:
    solutions = [variant("solution", "a"), variant("solution", "b")]
    wrongs = [variant("wrong", f"{item.name}--x", item.name) for item in (*CHECKS, READY)]
    assert gates.form(CHECKS, solutions, wrongs, []) == []
    assert gates.form(CHECKS, solutions[:1], wrongs, []) == ["it has 1 solutions; at least 2 that differ are needed"]
    assert gates.form(CHECKS, solutions, wrongs, [Path("a/README.md")]) == ["there is no README.md"]
    few = gates.form(CHECKS, solutions, wrongs[:3], [])
    assert few == [
        "it has 3 mistakes under wrong/; at least 5 are needed",
        "no mistake under wrong/ shows that check other can fail",
    ]
    strange = gates.form(CHECKS, solutions, [*wrongs, variant("wrong", "nine--x", "nine", because="")], [])
    assert strange == ["wrong/nine--x: there is no check nine", "wrong/nine--x: its variant.toml has no `because`"]
