"""The sheet of scores, by the schema `mlops-lab/exam/1`: docs/records.md says it in words.

A check's worth is its part of the points of its task, in percent of the exam. What could not be graded through no fault
of the candidate's is taken out of what was possible: the score is what was earned of the rest. Sums are exact, and each
number is rounded once; the score decides as it is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import Annotated, Any, Literal

import msgspec

from mlops_lab.checks.verdicts import Result, Verdict
from mlops_lab.exam.grading import Paper
from mlops_lab.exam.state import Sitting
from mlops_lab.labs.variants import solutions, texts
from mlops_lab.learner.attempts import means
from mlops_lab.tasks.task import EXAMS

SCHEMA: Literal["mlops-lab/exam/1"] = "mlops-lab/exam/1"
# Percent that pass an exam.
PASS = 66
# Percent of an exam that have to be graded: what was earned of less says nothing.
ENOUGH = 50
_PLACES = 2
_Parts = tuple[Fraction, Fraction]  # earned and possible, in percent of the exam


class CheckScore(msgspec.Struct, frozen=True):
    """One check of a task."""

    check: Annotated[str, means("the check's name")]
    title: Annotated[str, means("what it asks for")]
    verdict: Annotated[
        Literal["pass", "fail", "blocked", "waiting", "error"],
        means("error: the environment had a problem, three times; it is left out of the score"),
    ]
    points: Annotated[int, means("its points within the task")]
    earned: Annotated[int, means("points earned")]
    seconds: Annotated[float, means("how long it took")]
    expected: Annotated[str, means("what was expected")] = ""
    seen: Annotated[str, means("what was seen")] = ""
    why: Annotated[str, means("why it did not pass")] = ""
    evidence: Annotated[list[str], means("lines that explain")] = []


class TaskScore(msgspec.Struct, frozen=True):
    """One task."""

    number: Annotated[int, means("in the exam, from 1")]
    task: Annotated[str, means("its name in the bank")]
    title: Annotated[str, means("its title")]
    domain: Annotated[str, means("the exam's domain, such as storage")]
    weight: Annotated[int, means("percent of the exam")]
    minutes: Annotated[int, means("minutes that it should take")]
    namespace: Annotated[str, means("the namespace of the work")]
    earned: Annotated[float, means("percent of the exam that were earned")]
    possible: Annotated[float, means("percent of the exam that could be earned; less than the weight after an error")]
    flagged: Annotated[bool, means("the candidate had flagged it")]
    hints: Annotated[int, means("hints that were taken")]
    checks: Annotated[list[CheckScore], means("in the task's order")]
    text: Annotated[str, means("the task's text, in Markdown; empty in what lab records prints")] = ""
    solutions: Annotated[
        dict[str, dict[str, str]], means("solutions: files with their texts; empty in what lab records prints")
    ] = {}


class DomainScore(msgspec.Struct, frozen=True):
    """One domain."""

    domain: Annotated[str, means("its name, such as storage")]
    share: Annotated[int, means("percent of it in the curriculum")]
    weight: Annotated[int, means("percent of it in this exam")]
    earned: Annotated[float, means("percent of the exam that were earned")]
    possible: Annotated[float, means("percent of the exam that could be earned")]


class Sheet(msgspec.Struct, frozen=True):
    """One exam that was graded."""

    schema: Annotated[Literal["mlops-lab/exam/1"], means("this schema")]
    learner: Annotated[str, means("the value of --learner, or empty")]
    number: Annotated[int, means("1 for the learner's first exam, and so on")]
    exam: Annotated[Literal["cka", "ckad", "mlops"], means("which exam")]
    seed: Annotated[int, means("with which it was drawn")]
    bank: Annotated[str, means("a hash of the bank that it was drawn from")]
    minutes: Annotated[int, means("minutes that it had")]
    practice: Annotated[bool, means("checks and hints were there at any time")]
    quick: Annotated[bool, means("a few tasks, which don't meet the domains' shares")]
    begun: Annotated[str, means("when, in UTC, as ISO 8601")]
    submitted: Annotated[str, means("when, in UTC, as ISO 8601")]
    used: Annotated[float, means("seconds of it that were used")]
    given_back: Annotated[float, means("seconds in which the cluster did not answer, or checks ended in errors")]
    late: Annotated[float, means("seconds between the end of the time and the grading; 0 if it was graded before")]
    score: Annotated[float, means("percent of what was possible")]
    needed: Annotated[int, means("percent that pass")]
    passed: Annotated[bool, means("the score is that or more, and at least half of the exam could be graded")]
    earned: Annotated[float, means("percent of the exam that were earned")]
    possible: Annotated[float, means("percent of the exam that could be earned; less than 100 after errors")]
    domains: Annotated[list[DomainScore], means("in the curriculum's order")]
    tasks: Annotated[list[TaskScore], means("in the exam's order")]


def sheet(sitting: Sitting, papers: Sequence[Paper], results: Mapping[int, Sequence[Result]]) -> Sheet:
    """The sheet of an exam."""
    parts = {each.seat.number: _parts(each, results[each.seat.number]) for each in papers}
    tasks = [_task(each, results[each.seat.number], parts[each.seat.number]) for each in papers]
    earned, possible = _sums(parts.values())
    score = float(round(100 * earned / possible, 1)) if possible else 0.0
    clock = sitting.clock
    return Sheet(
        SCHEMA, "", sitting.number, sitting.exam, sitting.seed, sitting.bank, sitting.minutes,  # type: ignore[arg-type]
        sitting.practice, sitting.quick, sitting.begun,
        sitting.submitted or datetime.now(UTC).isoformat(timespec="seconds"),
        round(min(clock.used, clock.limit), 1), round(clock.given, 1), round(max(-clock.left, 0.0), 1),
        score, PASS, possible >= ENOUGH and score >= PASS, _rounded(earned), _rounded(possible),
        _domains(sitting.exam, tasks, parts), tasks,
    )  # fmt: skip


def _parts(each: Paper, results: Sequence[Result]) -> _Parts:
    whole = sum(result.points for result in results) or 1
    earned = sum(result.earned for result in results)
    possible = sum(result.points for result in results if result.verdict is not Verdict.ERROR)
    return Fraction(each.seat.weight * earned, whole), Fraction(each.seat.weight * possible, whole)


def _sums(parts: Iterable[_Parts]) -> _Parts:
    both = list(parts)
    return sum((earned for earned, _ in both), Fraction()), sum((possible for _, possible in both), Fraction())


def _rounded(part: Fraction) -> float:
    return float(round(part, _PLACES))


def _task(each: Paper, results: Sequence[Result], parts: _Parts) -> TaskScore:
    seat = each.seat
    return TaskScore(
        seat.number, seat.task, seat.title, seat.domain, seat.weight, seat.minutes, seat.namespace,
        _rounded(parts[0]), _rounded(parts[1]),
        seat.flagged, seat.hints, [_check(result) for result in results],
        (each.rendered.folder / "README.md").read_text(encoding="utf-8"),
        {way.name: texts(way) for way in solutions(each.rendered)},
    )  # fmt: skip


def _check(result: Result) -> CheckScore:
    return CheckScore(
        result.check, result.title, result.verdict.value, result.points, result.earned, result.seconds,
        result.expected, result.seen, result.why, list(result.evidence),
    )  # fmt: skip


def _domains(exam: str, tasks: Sequence[TaskScore], parts: Mapping[int, _Parts]) -> list[DomainScore]:
    found = []
    for domain, share in EXAMS[exam].items():
        own = [each for each in tasks if each.domain == domain]
        if own:
            earned, possible = _sums(parts[each.number] for each in own)
            weight = sum(each.weight for each in own)
            found.append(DomainScore(domain, share, weight, _rounded(earned), _rounded(possible)))
    return found


def results_of(task: TaskScore) -> list[Result]:
    """A task's checks as results."""
    return [
        Result(
            each.check, each.title, Verdict(each.verdict), each.points, (), each.expected, each.seen, each.why,
            tuple(each.evidence), each.seconds,
        )
        for each in task.checks
    ]  # fmt: skip


def record(sheet: Sheet, learner: str = "") -> str:
    """A sheet as one line of JSON, without the tasks' texts and solutions."""
    tasks = [msgspec.structs.replace(each, text="", solutions={}) for each in sheet.tasks]
    return msgspec.json.encode(msgspec.structs.replace(sheet, learner=learner, tasks=tasks)).decode()


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a sheet."""
    return msgspec.json.schema(Sheet)
