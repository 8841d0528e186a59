"""What the detector names in the streams that are drawn for this run, and what is to be said of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_lab.checks import Lab, Observation, absent, expect
from mlops_lab.kit import sandbox
from mlops_lab.kit.drawn import drawn

Note = dict[str, Any]  # a stream, and what was named in it; see judge.py


@dataclass(frozen=True)
class Seen:
    """What was named, by check, and the seconds of its own that the detector has spent by then."""

    notes: dict[str, list[Note]]
    spent: float


HERE = Path(__file__).parent
WITHIN = 1000  # rows after the first that has drifted
LIMIT = 120  # s that the detector may take of its own, for all streams
PATIENCE = 600  # s for the checker's pod, on a busy machine; what takes its limit on an idle one needs half of it
LARGEST = 500_000  # bytes of the learner's programs
FIRST = "finds_a_shift"
OTHERS = (
    "stays_quiet", "keeps_streams_apart", "finds_what_was_there_at_first", "finds_categories", "finds_other_shapes",
    "finds_missing_values", "finds_after_a_long_calm", "takes_any_batches", "sees_a_real_summer",
)  # fmt: skip


async def seed(lab: Lab) -> int:
    """Of this run's streams."""
    return drawn(lab, "streams").randrange(10**6)


async def first(lab: Lab) -> Seen:
    """What is named in the streams of the first check: a look at them takes seconds."""
    return await named(lab, FIRST)


async def others(lab: Lab) -> Seen:
    """What is named in all other streams; those after a check that failed are left out."""
    return await named(lab, *OTHERS, spent=(await lab.once(first)).spent)


async def named(lab: Lab, *checks: str, spent: float = 0.0) -> Seen:
    """What the detector names in the streams of some checks.

    Args:
        spent: seconds of its own that it took before.
    """
    chosen = await lab.once(seed)
    said = await sandbox.judged(
        lab, HERE / "judge.py", HERE / "driver.py", HERE.parent / "start" / "streams.py",
        program=work(lab.work.folder), within=PATIENCE,
        env={"SEED": str(chosen), "CHECKS": " ".join(checks), "LIMIT": str(LIMIT), "SPENT": f"{spent:.3f}"},
    )  # fmt: skip
    notes = {name: [{**each, "seed": chosen} for each in found] for name, found in said["notes"].items()}
    return Seen(notes, float(said["spent"]))


def work(workspace: Path) -> dict[str, bytes]:
    """The learner's programs: detector.py, and what lies beside it and may be imported by it.

    Raises:
        Failure: there is none, or they can't be read, or are too large.
    """
    expected = f"detector.py in the workspace, {LARGEST // 1000} kB at most with other programs there"
    try:
        files = [file for file in sorted(workspace.glob("*.py")) if file.is_file()]
        names = ", ".join(file.name for file in files) or "no program at all"
        size = sum(file.stat().st_size for file in files)
        if size <= LARGEST and workspace / "detector.py" in files:
            return {file.name: file.read_bytes() for file in files}
        shown = f"{names}: {size // 1000} kB"
    except OSError as trouble:
        shown = f"{trouble.strerror}: {trouble.filename}"
    expect(absent(expected, shown)).because(
        "the checker takes the file as it lies there; nothing has to be applied for it"
    )
    return {}


async def finds(lab: Lab, name: str, why: str, why_false: str = "") -> None:
    """Each of a check's drifts is named in time, and nothing else; if not, why."""
    notes = (await lab.once(others)).notes[name]
    answered(notes)
    false = [each for each in notes if false_names(each)]
    expect(
        observed(notes, "no name before the drift, and none of what does not drift", false, "no other name")
    ).because(
        why_false
        or "nothing else changes in these streams, and the calm ones before were passed in silence. A "
        "window with few rows in it, or a share of nothing, is where such names come from"
    )
    late = [each for each in notes if not in_time(each) or (each["second"] and not in_time(each, each["second"]))]
    expect(observed(notes, f"what drifts, named within {WITHIN} rows", late)).because(why)


def in_time(note: Note, name: str = "") -> bool:
    """Was the feature that drifts, or another one, named after the drift began and soon enough?"""
    if not name:
        return bool(note["found"] and note["found"][0] < note["begin"] + WITHIN + note["batch"])
    return bool(begin(note, name) < note["first"].get(name, 0) < begin(note, name) + WITHIN + note["batch"])


def begin(note: Note, name: str) -> int:
    """How many rows came before the first in which a feature has drifted."""
    return int(note["second_begin" if name == note["second"] else "begin"])


def drifting(notes: list[Note]) -> list[Note]:
    """Those in which something drifts."""
    return [each for each in notes if each["feature"]]


def false_names(note: Note) -> list[str]:
    """What was named and did not drift, or had not yet."""
    may = note.get("may", [note["feature"], note["second"]])
    return [name for name, row in note["first"].items() if name not in may or row <= begin(note, name)]


def answered(notes: list[Note], why: str = "") -> None:
    """The detector has answered every time.

    Args:
        why: to be said besides where it has not.

    Raises:
        Failure: it has not.
    """
    for each in notes:
        if "error" in each:
            lines = (*each.get("lines", ()), *replayed(each))
            trouble = f"{each['stream']}: {each['error']}"
            expect(absent("a list of features for every batch", trouble, evidence=lines)).because(
                f"that was after {each['rows']} rows of this stream. update takes any number of rows and returns a "
                "list of names, those of columns of the reference; who is woken up wants to know where to look. It has "
                f"10 s for a call, and all calls together have {LIMIT} s{why and f'. {why}'}"
            )


def observed(notes: list[Note], expected: str, bad: list[Note], good: str = "") -> Observation:
    """What was named in which stream; the bad ones only, if there are any.

    Args:
        good: what is said if there are none; else all of it.
    """
    if good and not bad:
        return Observation(True, expected, good)
    texts = [described(each) for each in bad or notes]
    shown = "; ".join(texts[:3]) + (f"; and {len(texts) - 3} more" if len(texts) > 3 else "")
    return Observation(not bad, expected, shown, evidence=tuple(replayed(notes[0])))


def described(note: Note) -> str:
    """A stream, and what was named in it."""
    rows: dict[int, list[str]] = {}
    for name, row in note["first"].items():
        rows.setdefault(row, []).append(name)
    said = [
        ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "") + when(note, row)
        for row, names in sorted(rows.items())[:4]
    ]
    where = f"{note['stream']} from row {note['begin']} on" if note["feature"] else note["stream"]
    return f"{where}: {', '.join(said) or 'nothing named'}"


def when(note: Note, row: int) -> str:
    """After how many rows something was named; counted from the drift, if there is one."""
    if not note["feature"]:
        return f" at row {row}"
    after = row - note["begin"]
    return f" after {after} rows of that" if after > 0 else f" {-after} rows before that"


def replayed(note: Note) -> list[str]:
    """How to draw these streams again."""
    return [f"SEED {note['seed']} in job.yaml draws these streams again"]
