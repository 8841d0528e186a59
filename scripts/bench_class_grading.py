"""Measures how long a class takes to grade: thirty submissions of labs of three kinds, against the plain checks' time.

Each submission is the lab's solution with a file of its own, so that none was ever handed in before. The times are the
server's: from when it took the first to the moment at which the last result was signed.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bench_class
import bench_sizing as names
import msgspec
from bench_class import Site
from bench_figures import Figures

from mlops_lab.base.errors import LabError
from mlops_lab.classroom import packing
from mlops_lab.classroom.teacher.asking import Server, asking
from mlops_lab.classroom.teacher.place import NAMESPACE
from mlops_lab.labs import variants
from mlops_lab.labs.catalog import about, resolve

# One lab of each kind: its files are applied; alone on the machine, under load; a program runs in the third place.
KINDS = {"04": "files", "10": "alone", "16": "a program"}
EACH = names.SUBMISSIONS // len(KINDS)  # learners, who hand in all of them
PLAIN_ROUNDS = 2
WITHIN = 3 * 3600.0  # s for all submissions
CHECKED = 1800.0  # s for one plain check
EVERY = 10.0  # s between two looks: the times are the server's
GRADED, FAILED = "graded", "failed"

Check = Callable[..., object]  # `lab WORDS...` in an environment
Asks = Callable[[], AbstractContextManager[Server]]
Started = Callable[[str], AbstractContextManager[tuple[dict[str, str], tuple[str, ...], Path]]]


class Result(msgspec.Struct):
    """A result as its learner is told it."""

    points: int
    possible: int
    at: datetime


class Handed(msgspec.Struct):
    """A submission as its learner is told it."""

    submission: int
    lab: str
    at: datetime
    state: str = "waiting"
    why: str = ""
    result: Result | None = None


class Token(msgspec.Struct):
    """A learner's own."""

    token: str


@dataclass(frozen=True)
class Graded:
    """What became of all submissions.

    Attributes:
        seconds: from the first handed in to the last result.
        passed: how many had all points.
    """

    seconds: float
    passed: int


def grading(found: Site, started: Started, check: Check) -> Iterator[Figures]:
    """The figures, as they come.

    Args:
        started: begins a lab for one learner, as `lab start` does.
        check: runs a command of `lab` in such a learner's environment.
    """
    if found.kube.find("Deployment", "dispatcher", NAMESPACE) is None:
        raise SystemExit("nothing was measured: no submission is graded in this class\n  next: docs/class-grading.md")
    needed = {each for lab in KINDS for each in about(resolve(lab)).needs}
    print(f"class: the plain checks of labs {', '.join(KINDS)}, which need {', '.join(sorted(needed))}", flush=True)
    plain = {lab: statistics.median(plainly(lab, started, check) for _ in range(PLAIN_ROUNDS)) for lab in KINDS}
    yield {
        f"a class: plain check of lab {lab}'s solution ({KINDS[lab]})": (took, "s", "") for lab, took in plain.items()
    }
    with bench_class.as_before(found):
        ids = bench_class.learners(EACH)
        bench_class.enrol(found, ids)
        with asking(found.place) as server:
            handed = hand_in(server, ids, KINDS)
        yield figures(graded(lambda: asking(found.place), handed), plain)


def figures(seen: Graded, plain: Mapping[str, float]) -> Figures:
    """The figures of all submissions, against what their checks take alone."""
    alone = sum(took * EACH for took in plain.values())
    return {
        names.GRADED: (seen.seconds / 60, "min", ""),
        names.RATIO: (seen.seconds / alone, "", "at most 1.2"),
        names.PASSED: (seen.passed, "submissions", str(names.SUBMISSIONS)),
    }


def plainly(lab: str, started: Started, check: Check) -> float:
    """Seconds from when a solution is applied until `lab check` has said that all of it passes."""
    with started(lab) as (env, _, work):
        for path in work.iterdir():  # what the lab begins with: a solution is laid into an empty folder
            if path.name != ".lab":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        variants.lay_out(variants.solutions(resolve(lab))[0], work)
        began = time.monotonic()
        variants.put_to_work(work)
        check("check", lab, env=env, within=CHECKED)
        return time.monotonic() - began


def archive(lab: str, mark: str) -> bytes:
    """A lab's solution as `lab submit` packs it, with a file that makes it another one than any before."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / resolve(lab).slug
        variants.lay_out(variants.solutions(resolve(lab))[0], folder)
        (folder / "measured.txt").write_text(f"{mark}\n", "utf-8")
        return packing.pack(folder).content


def hand_in(server: Server, ids: list[str], labs: Mapping[str, str]) -> dict[int, tuple[str, Handed]]:
    """Have each learner hand in each lab; submissions with their learners' tokens, by id."""
    mark, ends = uuid.uuid4().hex[:8], datetime.now(UTC) + timedelta(days=1)
    tokens = {each: server.post("kits", Token, learner=each, ends=ends).token for each in ids}
    found = {}
    for lab in labs:
        for learner in ids:
            text = server.text("POST", f"submissions?lab={lab}", archive(lab, f"{mark} {learner}"), tokens[learner])
            given = msgspec.json.decode(text, type=Handed)
            found[given.submission] = (tokens[learner], given)
    return found


def graded(ask: Asks, given: Mapping[int, tuple[str, Handed]], wait: Callable[[float], None] = time.sleep) -> Graded:
    """Wait until all are graded.

    Args:
        ask: reaches the server, anew for each look: a port forward may end within hours.

    Raises:
        SystemExit: one could not be graded, or not all were in time.
    """
    waiting, ended = dict(given), dict[int, Handed]()
    end = time.monotonic() + WITHIN
    while waiting:
        if time.monotonic() > end:
            raise SystemExit(f"{len(waiting)} of {len(given)} submissions are not graded after {WITHIN / 60:g} min")
        try:
            with ask() as server:
                for number, (token, _) in list(waiting.items()):
                    seen = msgspec.json.decode(server.text("GET", f"submissions/{number}", token=token), type=Handed)
                    if seen.state == FAILED:
                        raise SystemExit(f"submission {number} of lab {seen.lab} could not be graded: {seen.why}")
                    if seen.state == GRADED and seen.result is not None:
                        ended[number] = seen
                        del waiting[number]
                        print(f"class: {len(ended)} of {len(given)} are graded", flush=True)
        except LabError as away:
            print(f"class: {away.message}", flush=True)
        wait(EVERY)
    results = [each.result for each in ended.values() if each.result]
    last, first = max(each.at for each in results), min(each.at for _, each in given.values())
    return Graded((last - first).total_seconds(), sum(each.points == each.possible for each in results))
