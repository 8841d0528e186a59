"""Grading: the checks of all tasks, side by side where they may; what ends in an error is tried again.

A sitting is graded once. What a task has got is kept as soon as it is known, so that a grading that was killed goes on
where it was.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
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

# A check that ended in an error is tried so often again, each time once the cluster is well.
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
        before = found.get(each.seat.number, [])
        names = _errors(before)
        again = f"{each.seat.number} again: {', '.join(names)}"
        with progress.piece(f"task {again if names else f'{each.seat.number}: {each.seat.title}'}"):
            results = checked(stage, each, names)
        found[each.seat.number] = results = _renewed(before, results, names, each.checks) if names else results
        if not _errors(results):
            _keep(kept, each.seat, results)

    with progress.showing(lambda: None):
        for tries in range(1 + AGAIN):
            due = [each for each in papers if not (so_far := found.get(each.seat.number)) or _errors(so_far)]
            if not due:
                break
            if tries:
                _wait_until_well(stage, due, progress)
            # In the last try nothing is in another task's way.
            _in_lines(one, [due] if tries == AGAIN else _lines(due), progress.say)
    for each in papers:
        found[each.seat.number] = _judged(stage, each, found[each.seat.number])
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


def _in_lines(one: Callable[[Paper], None], lines: Sequence[Sequence[Paper]], say: Callable[[str], None]) -> None:
    """Grade lines of tasks, some at the same time, the tasks of a line one after the other.

    Interrupted, it begins no more of them, and waits for those at work: their checks put back what they change.
    """
    ending = threading.Event()

    def in_turn(line: Sequence[Paper]) -> None:
        for each in line:
            if ending.is_set():
                return
            one(each)

    at_once = min(max(os.cpu_count() or 1, _FEWEST), _MOST)
    with ThreadPoolExecutor(at_once, thread_name_prefix="grading") as pool:
        under = [pool.submit(in_turn, line) for line in lines]
        try:
            for line in under:
                line.result()
        except BaseException:
            ending.set()
            say("  ending; what is being graded is graded to its end, so this may take a minute")
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _judged(stage: Stage, each: Paper, results: list[Result]) -> list[Result]:
    """Errors on a cluster that the candidate has broken are failures in the end."""
    if not _errors(results) or each.rendered.task.about.cluster == MAIN or not (broken := _broken(stage, each)):
        return results
    why = "the task's cluster does not answer after what was done to it, and the one beside it does"
    return [
        replace(result, verdict=Verdict.FAIL, expected=result.title, seen=broken, why=why)
        if result.verdict is Verdict.ERROR
        else result
        for result in results
    ]


def _renewed(
    before: Sequence[Result], again: Sequence[Result], names: Sequence[str], checks: Sequence[Check]
) -> list[Result]:
    """The results with the named ones tried again. What another check needs is run again with it, and keeps its first
    verdict: if it has passed, it is no reason to block.
    """
    needs = {item.name: [needed.name for needed in item.needs] for item in checks}
    newer = {result.check: result for result in again if result.check in names}
    found: dict[str, Result] = {}
    for result in before:  # a check stands after all that it needs
        new = newer.get(result.check, result)
        lacking = any(found[name].verdict in (Verdict.FAIL, Verdict.BLOCKED) for name in needs[result.check])
        found[result.check] = result if new.verdict is Verdict.BLOCKED and not lacking else new
    return list(found.values())


def _broken(stage: Stage, each: Paper) -> str:
    return "" if stage.trouble() else stage.broken(each.rendered.task)


def _wait_until_well(stage: Stage, papers: Sequence[Paper], progress: Progress) -> None:
    """Wait until the clusters of tasks are well and their nodes run, as far as that goes: what is not well after that
    is found by the checks.
    """

    def look() -> tuple[bool | None, str]:
        trouble = stage.trouble() or next(filter(None, (stage.problems(each.rendered) for each in papers)), "")
        return (None if trouble else True), trouble

    well, trouble = look()
    with contextlib.suppress(LabError):
        if not well:
            with progress.piece(f"waiting until the cluster is well: {trouble}"):
                wait_until(
                    look, what="the cluster is well", within=_WELL_WITHIN, every=_ASK_EVERY, hint="see: lab status"
                )
    with contextlib.suppress(LabError):
        stage.wake([each.rendered.task for each in papers])


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
