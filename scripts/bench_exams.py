"""Times a sitting of an exam on a warm machine: begun, its memory, graded; and what the proofs of the tasks took.

It has records and workspaces of its own, below `build`; what a run that was killed has left there is taken away by the
next one. A candidate's exam is never touched: while one is under way nothing is measured.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import bench_memory
from bench_figures import Figures

from mlops_lab.base.errors import LabError
from mlops_lab.base.locking import terminable
from mlops_lab.cluster import kind, names
from mlops_lab.engine.docker import answering
from mlops_lab.exam import drawing, handing_in
from mlops_lab.exam.side_by_side import side_by_side
from mlops_lab.exam.sitting import go_on, under_way
from mlops_lab.exam.state import Seat, Sitting, Store, workspace
from mlops_lab.labs.variants import solutions
from mlops_lab.proof import proofs as kept
from mlops_lab.proof import tasks as proof
from mlops_lab.tasks.clusters import place_of
from mlops_lab.tasks.task import MAIN, NODES, Task, tasks
from tests.candidate import candidate

EXAMS = ("cka", "ckad")  # mlops needs parts of the platform
SEEDS = 300  # in which a sitting of the wanted kind is looked for
TASKS = 17  # for which the grading has its goal
REST = 30.0  # s before memory is measured
LIMIT, BUILT_WITHIN = 600.0, 3600.0  # s for any command; for the first one, which may have to build images
BEGUN_WITHIN, GRADED_WITHIN, MEMORY_OF_SECOND = {False: 60, True: 90}, 240, 0.9
# What `lab exam submit` says once it has shown the sheet.
SHOWN = "taking the exam away"
Lab = Callable[..., tuple[float, str]]  # `lab WORDS...`: the seconds that it took, and what it printed


def proofs(bank: Sequence[Task] | None = None) -> Figures:
    """What the proof of a task took on average, of those that have one; as it is kept, nothing is run."""
    bank = tasks() if bank is None else bank
    whole = [kept.proofs(proof.kept_of(task)).get(kept.WHOLE) for task in bank]
    found = [each.seconds for each in whole if each]
    print(f"proofs of tasks: {len(found)} of {len(bank)} have one")
    if not found:
        return {}
    figures: Figures = {"proof of a task, on average": (sum(found) / len(found), "s", "")}
    if len(found) == len(bank):
        figures["proofs of all tasks, one after the other"] = (sum(found) / 60, "min", "")
    return figures


def measure(lab: Lab, write: Callable[[Figures], None], home: Path, second: bool) -> None:
    """Measure one sitting of the bank, and write each figure as it comes; nothing of the sitting is left.

    Args:
        home: the folder for its records and workspaces.
        second: one that has the second cluster; else one without it, which is also solved and graded.

    Raises:
        SystemExit: an exam is under way, somebody has the second cluster, or something does not go.
    """
    if theirs := Store().open():
        raise SystemExit(f"nothing was measured: {under_way(theirs)}\n  next: {go_on(theirs)}")
    lab("up")
    with terminable(), candidate(home) as env:
        clear(lab, env)  # of a run that was killed
        chosen = drawn(tasks(), second)
        if chosen is None:
            print(f"exams: left out, since no sitting is drawn {'with' if second else 'without'} the second cluster")
            return
        docker = answering()
        if second and docker and (there := kind.nodes(docker, names.second())):
            raise SystemExit(f"nothing was measured: somebody has the second cluster ({there[0].name})")
        exam, seed = chosen
        try:
            for figures in _sitting(lab, env, exam, seed, second):
                write(figures)
        finally:
            clear(lab, env)
        shutil.rmtree(home / "work", ignore_errors=True)  # copies of the workspaces


def drawn(bank: Sequence[Task], second: bool) -> tuple[str, int] | None:
    """An exam and a seed whose sitting has a task on the second cluster, or none; and none that needs the platform.

    The first one of so many tasks as the goals speak of, or else the one with most.
    """
    about = {task.name: task.about for task in bank}
    if second and not any(each.cluster == NODES for each in about.values()):
        return None
    most, found = 0, None
    for exam in EXAMS:
        for seed in range(SEEDS):
            try:
                own = [about[seat.task] for seat in drawing.seats(exam, bank, drawing.MINUTES, seed)]
            except LabError:  # the bank can't fill one, with whatever seed
                break
            fits = any(each.cluster != MAIN for each in own) is second and not any(each.needs for each in own)
            if fits and len(own) > most:
                most, found = len(own), (exam, seed)
                if most >= TASKS:
                    return found
    return found


def clear(lab: Lab, env: dict[str, str]) -> None:
    """Take the candidate's exam away, if there is one.

    Raises:
        SystemExit: not all of it goes; the next run tries again.
    """
    if (left := Store().open()) is None:
        return
    print(f"taking away: {under_way(left)}", flush=True)
    lab("exam", "stop", "--yes", within=LIMIT, env=env)


def _sitting(lab: Lab, env: dict[str, str], exam: str, seed: int, second: bool) -> Iterator[Figures]:
    """The figures of a sitting, as they come."""
    kind_of, goal = " with the second cluster" if second else "", f"at most {BEGUN_WITHIN[second]}"
    words = ("exam", "start", exam, "--seed", str(seed))
    print(f"exams: {exam}, seed {seed}{kind_of}; the memory before it", flush=True)
    before = bench_memory.idle(REST)
    print("exams: begun once, so that all is there, and given up", flush=True)
    lab(*words, within=BUILT_WITHIN, env=env)
    clear(lab, env)
    print("exams: begun", flush=True)
    took, _ = lab(*words, within=LIMIT, env=env)
    sitting = Store().open()
    assert sitting
    print(f"exams: {len(sitting.seats)} tasks stand after {took:.0f} s; its memory", flush=True)
    yield {f"lab exam start{kind_of}, warm, until the first task is shown": (took, "s", goal)}
    after = bench_memory.idle(REST)
    yield {f"memory of a whole sitting{kind_of}, beyond the idle cluster": (after - before, "GiB", "")}
    if second:
        own = bench_memory.idle(0, names.second())
        yield {"memory of the second cluster in a sitting, 2 nodes": (own, "GiB", f"at most {MEMORY_OF_SECOND}")}
        return
    print("exams: solved by the tasks' own solutions", flush=True)
    solve(sitting)
    print("exams: graded", flush=True)
    took = graded([sys.executable, "-m", "mlops_lab.cli.main", "exam", "submit", "--yes"], env)
    verdicts(sitting.number)
    yield {"grading of a whole sitting that is solved": (took, "s", f"at most {GRADED_WITHIN}")}


def solve(sitting: Sitting) -> None:
    """Do what each task's first solution does, a few side by side; what does not go is said, and stays undone."""
    store = Store()

    def one(seat: Seat) -> None:
        rendered = store.rendered(sitting, seat)
        try:
            proof.work(place_of(rendered.task), rendered, solutions(rendered)[0], workspace(seat))
        except LabError as trouble:
            print(f"task {seat.number} ({seat.task}) is not solved: {trouble.message}", flush=True)

    side_by_side([(f"task {seat.number} solved: {seat.title}", one, seat) for seat in sitting.seats])


def graded(words: Sequence[str], env: dict[str, str], within: float = LIMIT) -> float:
    """Hand it in; the seconds until the sheet was shown.

    Raises:
        SystemExit: it was not, or what follows does not end, within a limit.
    """
    began, took, said = time.monotonic(), 0.0, list[str]()
    process = subprocess.Popen(
        words, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    limit = threading.Timer(within, process.kill)
    limit.start()
    try:
        assert process.stdout
        for line in process.stdout:
            said.append(line)
            if SHOWN in line:
                took = took or time.monotonic() - began
        code = process.wait()
    finally:
        limit.cancel()
        process.kill()
        process.wait()
    if not took or code not in (0, 1):  # passed, or not
        raise SystemExit(f"it was not graded ({code}):\n{''.join(said[-40:])}")
    return took


def verdicts(number: int) -> None:
    """Say how it was graded.

    Raises:
        SystemExit: checks ended in errors, so that they were tried again: that is another thing to time.
    """
    sheet = handing_in.sheet_of(Store(), number)
    print(f"exams: {len(sheet.tasks)} tasks, {sheet.score} %", flush=True)
    wrong: list[Any] = [(task.task, each) for task in sheet.tasks for each in task.checks if each.verdict != "pass"]
    for task, each in wrong:
        print(f"  {task} {each.check}: {each.verdict}: {each.seen or each.why}", flush=True)
    if errors := [f"{task} {each.check}" for task, each in wrong if each.verdict == "error"]:
        raise SystemExit(f"the grading was not timed: checks ended in errors: {', '.join(errors)}")
