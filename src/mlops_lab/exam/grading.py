"""Grading: the checks of all tasks, side by side where they may; what ends in an error is tried again.

A sitting is graded once. What a task has got is kept as soon as it is known, so that a grading that was killed goes on
where it was.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from mlops_lab.base import durable, state_files
from mlops_lab.base.errors import LabError
from mlops_lab.base.progress import Progress
from mlops_lab.base.waiting import wait_until
from mlops_lab.checks.check import Check
from mlops_lab.checks.verdicts import Result, Verdict
from mlops_lab.exam.stage import Stage
from mlops_lab.exam.state import Seat, workspace
from mlops_lab.labs.checker import checks as checks_of
from mlops_lab.labs.rows import Rows
from mlops_lab.labs.running import chosen
from mlops_lab.tasks.rendering import Rendered
from mlops_lab.tasks.task import MAIN

# A check that ended in an error is tried so often again, each time once the cluster answers.
AGAIN = 2
_WELL_WITHIN, _ASK_EVERY = 60.0, 2.0
# Tasks that are graded at the same time: checks wait more than they compute.
_FEWEST, _MOST = 3, 6


@dataclass(frozen=True)
class Paper:
    """What is graded: a seat, its task as it was drawn, and its checks."""

    seat: Seat
    rendered: Rendered
    checks: Sequence[Check]


def paper(seat: Seat, rendered: Rendered) -> Paper:
    """A task to grade.

    Raises:
        LabError: its checker is broken.
    """
    return Paper(seat, rendered, checks_of(rendered))


def grade(stage: Stage, papers: Sequence[Paper], kept: Path) -> dict[int, list[Result]]:
    """The results of all tasks, by their numbers.

    Args:
        kept: the folder of results that are known already; new ones are kept there, if the disk has room.

    Raises:
        LabError: nodes of an exam's own cluster stand still, and do not start.
    """
    stage.wake([each.rendered.task for each in papers])
    found = {each.seat.number: known for each in papers if (known := _known(kept, each.seat))}
    progress = Progress()

    def one(each: Paper) -> None:
        with progress.piece(f"task {each.seat.number}: {each.seat.title}"):
            results = checked(stage, each)
        found[each.seat.number] = results
        if not _errors(results):
            _keep(kept, each.seat, results)

    def in_turn(papers_of_line: Sequence[Paper]) -> None:
        for each in papers_of_line:
            one(each)

    lines = _lines([each for each in papers if each.seat.number not in found])
    at_once = min(max(os.cpu_count() or 1, _FEWEST), _MOST)
    with ThreadPoolExecutor(at_once, thread_name_prefix="grading") as pool, progress.showing(lambda: None):
        under = [pool.submit(in_turn, line) for line in lines]
        try:
            for line in under:
                line.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    for each in papers:
        found[each.seat.number] = _again(stage, each, found[each.seat.number], progress)
        _keep(kept, each.seat, found[each.seat.number])
    return found


def ungraded(papers: Sequence[Paper], kept: Path) -> list[Paper]:
    """Those of which no results are kept, or errors, after a grading that was interrupted."""
    return [each for each in papers if not (known := _known(kept, each.seat)) or _errors(known)]


def checked(stage: Stage, each: Paper, names: Sequence[str] = (), listener: Rows | None = None) -> list[Result]:
    """One run of a task's checks; whose namespace is gone fails them all.

    Args:
        names: only these checks, and those that they need.
        listener: is told how the run goes on.
    """
    wanted = chosen(each.checks, names)
    try:
        if not stage.there(each.rendered):
            return _gone(each, wanted)
        return stage.check(each.rendered, wanted, workspace(each.seat), listener)
    except LabError as trouble:
        why = f"{trouble.message}; {trouble.hint}"
        return [_result(item, Verdict.ERROR, why=why) for item in wanted]


def _again(stage: Stage, each: Paper, results: list[Result], progress: Progress) -> list[Result]:
    """Try what ended in an error again; on a cluster that the candidate has broken it is a failure in the end."""
    for _ in range(AGAIN):
        if not (names := _errors(results)):
            return results
        with contextlib.suppress(LabError), progress.piece(f"task {each.seat.number} again: {', '.join(names)}"):
            _wait_until_well(stage)
            stage.wake([each.rendered.task])
            newer = {result.check: result for result in checked(stage, each, names)}
            results = _renewed(results, newer, names, each.checks)
    if _errors(results) and each.rendered.task.about.cluster != MAIN and (broken := _broken(stage, each)):
        why = "the task's cluster does not answer after what was done to it, and the one beside it does"
        return [
            replace(result, verdict=Verdict.FAIL, expected=result.title, seen=broken, why=why)
            if result.verdict is Verdict.ERROR
            else result
            for result in results
        ]
    return results


def _renewed(
    before: Sequence[Result], newer: Mapping[str, Result], names: Sequence[str], checks: Sequence[Check]
) -> list[Result]:
    """The results with the named ones tried again. What another check needs is run again with it, and keeps its first
    verdict: if it has passed, it is no reason to block.
    """
    needs = {item.name: [needed.name for needed in item.needs] for item in checks}
    found: dict[str, Result] = {}
    for result in before:  # a check stands after all that it needs
        again = newer[result.check] if result.check in names else result
        lacking = any(found[name].verdict in (Verdict.FAIL, Verdict.BLOCKED) for name in needs[result.check])
        found[result.check] = result if again.verdict is Verdict.BLOCKED and not lacking else again
    return list(found.values())


def _broken(stage: Stage, each: Paper) -> str:
    return "" if stage.trouble() else stage.broken(each.rendered.task)


def _wait_until_well(stage: Stage) -> None:
    def look() -> tuple[bool | None, str]:
        trouble = stage.trouble()
        return (None if trouble else True), trouble

    wait_until(look, what="the cluster answers", within=_WELL_WITHIN, every=_ASK_EVERY, hint="see: lab status")


def _gone(each: Paper, checks: Sequence[Check]) -> list[Result]:
    namespace = each.seat.namespace
    return [
        _result(
            item, Verdict.FAIL, f"Namespace {namespace}, in which the task's work is", "it is not there any more",
            "who deletes a namespace deletes all that is in it",
        )
        for item in checks
    ]  # fmt: skip


def _result(item: Check, verdict: Verdict, expected: str = "", seen: str = "", why: str = "") -> Result:
    return Result(item.name, item.title, verdict, item.points, item.domains, expected, seen, why)


def _errors(results: Sequence[Result]) -> list[str]:
    return [result.check for result in results if result.verdict is Verdict.ERROR]


def _lines(papers: Sequence[Paper]) -> list[list[Paper]]:
    """Tasks that wait for each other: those on a cluster that may be broken, and those with claims in common."""
    lines: list[tuple[set[str], list[Paper]]] = []
    for each in papers:
        about = each.rendered.task.about
        claims = {*about.claims, *([] if about.cluster == MAIN else [f"cluster {about.cluster}"])}
        same = [line for line in lines if line[0] & claims]
        for line in same:
            lines.remove(line)
        lines.append((claims.union(*(line[0] for line in same)), [*(old for line in same for old in line[1]), each]))
    return sorted((line for _, line in lines), key=len, reverse=True)


def _known(folder: Path, seat: Seat) -> list[Result]:
    return state_files.cached(_file(folder, seat), list[Result]) or []


def _keep(folder: Path, seat: Seat, results: Sequence[Result]) -> None:
    with contextlib.suppress(LabError):  # it saves work; the sheet is kept, or said not to be
        durable.write(_file(folder, seat), msgspec.json.encode([each.plain() for each in results]).decode())


def _file(folder: Path, seat: Seat) -> Path:
    return folder / f"{seat.slug}.json"
