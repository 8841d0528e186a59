"""Lab 18: the learner's detector on streams that are drawn anew for each run, in a pod of the checker's.

Its answers are all that counts: which names, after how many rows. The streams are those of start/streams.py, so that
the learner can draw a report's again; the lab's own file is used, and not the one in the workspace.
"""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path
from typing import Any

from mlops_lab.checks import Check, Lab, Observation, check, expect

Note = dict[str, Any]

HERE = Path(__file__).parent
PROGRAMS = ("judge.py", "process.py", "host.py", "start/streams.py")
WITHIN = 1000  # rows after the first that has drifted
LIMIT = 100  # s that the detector may take of its own, for all streams
PATIENCE = 300  # s for the checker's pod
LARGEST = 500_000  # bytes of the learner's programs
CALENDAR, CODES = ("month", "day", "weekday"), ("carrier", "origin", "dest")
REALLY, HARDLY = 1.0, 0.01  # a month's PSI by feature: what must be named, and what must not
DOMAINS = ("ckad/observability-and-maintenance",)


@check(points=3, domains=DOMAINS)
async def finds_a_shift(lab: Lab) -> None:
    """A number that is suddenly in another unit, or higher, is named within 1000 rows, and not with all the others.

    Three streams, each with another feature. The checker takes detector.py, and programs beside it, from the workspace.
    """
    notes = await lab.once(first)
    answered(notes)
    late = [each for each in notes if not in_time(each)]
    expect(seen(notes, f"the feature that drifts, named within {WITHIN} rows", late)).because(
        "the others were found. In Celsius nearly every value is below all that the reference has, in kilometres some "
        "are above: such values need a bin as well. numpy.histogram leaves out what is beyond its edges, pandas.cut "
        "makes it missing"
        if 0 < len(late) < len(notes)
        else "Detector(reference) gets what was normal, update(rows) the next rows. One batch is too few to "
        "judge by: keep the last few hundred rows, and compare how each feature is distributed in them with the "
        "reference. Rows from before the shift have to leave that window soon: after 1000 rows it is too late"
    )
    vague = [each for each in notes if len(each["found"][1]) > 6]
    expect(seen(notes, "few names beside it", vague, "few names beside it")).because(
        "all other features are as they were. Who is woken up wants to know where to look: judge each feature by itself"
    )


@check(points=4, needs=finds_a_shift, domains=DOMAINS)
async def stays_quiet(lab: Lab) -> None:
    """Nothing is named in 10 streams of 2000 rows that are drawn from the same flights as the reference."""
    notes = (await lab.once(others))["stays_quiet"]
    answered(notes)
    alarms = [each for each in notes if each["first"]]
    codes = {name for each in alarms for name in each["first"]} <= set(CODES)
    expect(seen(notes, "no name in any of the streams", alarms, f"silence in {len(notes)} streams")).because(
        "only codes were named, and most codes are rare. What a window has by chance grows with the number of bins, "
        "for PSI it is about (bins - 1) / rows, and an empty bin counts most: put rare codes together, or raise the "
        "limit for a feature with many. To the chi-squared test, too, what is rare looks strange: it wants 5 expected "
        "rows at least"
        if codes
        else "nine features at every batch are many tests: with p < 0.05 one in twenty fires while nothing is the "
        "matter. A p-value has to be small enough for all the tests together (Bonferroni: divide by their number). A "
        "distance such as PSI has to be well above what a window of this size has by chance, about (bins - 1) / rows. "
        "And missing values are too few for the chi-squared test: below 5 expected rows take Fisher's exact test"
    )


@check(points=1, needs=stays_quiet, domains=DOMAINS)
async def keeps_streams_apart(lab: Lab) -> None:
    """Two detectors in one process watch two streams at once: what drifts in one is not named in the other."""
    notes = (await lab.once(others))["keeps_streams_apart"]
    answered(notes)
    mixed = [each for each in notes if false_names(each)]
    expect(
        seen(notes, "the calm stream's detector names nothing, the other one only temp", mixed, "no other name")
    ).because(
        "a list or dict that belongs to the class or to the module is one for all detectors. What a detector has seen "
        "belongs to it: make it in __init__, as an attribute of self"
    )
    late = [each for each in notes if each["feature"] and not in_time(each)]
    expect(seen(notes, f"temp, named within {WITHIN} rows", late)).because(
        "this drift was found when the stream flowed alone: another detector has changed what this one keeps"
    )


@check(points=2, needs=keeps_streams_apart, domains=DOMAINS)
async def finds_categories(lab: Lab) -> None:
    """A carrier's code that becomes another, unknown one, and an airport's that becomes another airport's."""
    await found(
        lab,
        "finds_categories",
        "codes have no mean and no order. What can be compared is each code's share of the rows, that of codes which "
        "the reference does not know included; the chi-squared test and PSI take such counts",
    )


@check(points=2, needs=keeps_streams_apart, domains=DOMAINS)
async def finds_missing_values(lab: Lab) -> None:
    """A feature that is missing in 40 % of the rows, at random; the values that are left are as ever."""
    await found(
        lab,
        "finds_missing_values",
        "whoever drops missing values looks at the others, and those have not changed. How many are missing is part of "
        "the distribution: a bin of its own, or a test of its own",
    )


@check(points=2, needs=keeps_streams_apart, domains=DOMAINS)
async def finds_other_shapes(lab: Lab) -> None:
    """A feature that spreads or shrinks about its mean, and a clock that is in UTC: the mean hardly moves."""
    await found(
        lab,
        "finds_other_shapes",
        "the mean of these features is nearly where it was. Compare whole distributions: shares in bins that the "
        "reference gives (PSI), or the largest distance between the two distribution functions (Kolmogorov-Smirnov)",
    )


@check(points=2, needs=keeps_streams_apart, domains=DOMAINS)
async def finds_what_was_there_at_first(lab: Lab) -> None:
    """A drift that was there before the stream's first row."""
    await found(
        lab,
        "finds_what_was_there_at_first",
        "nothing changes in these streams; they were different from the reference when they began. A window that is "
        "compared with the rows before it sees no change: what is compared with must be the reference, and stay it",
    )


@check(points=2, needs=keeps_streams_apart, domains=DOMAINS)
async def finds_after_a_long_calm(lab: Lab) -> None:
    """A drift after 6000 rows in which nothing happened."""
    await found(
        lab,
        "finds_after_a_long_calm",
        "among all rows since the start those of the drift are one in seven, and the longer it was calm, the fewer. "
        "Old rows have to be forgotten: keep the last few hundred",
    )


@check(points=2, needs=keeps_streams_apart, domains=DOMAINS)
async def takes_any_batches(lab: Lab) -> None:
    """Rows one by one, seven at a time, and in batches of 250, 0, 31 and 1 row: the drift is found all the same."""
    why = (
        "in batches of 100 such drifts were found. How many rows come at once is the sender's business, and says "
        "nothing about how many are needed to judge: count rows, not calls, and carry them over from call to call"
    )
    await found(lab, "takes_any_batches", why, why)


@check(points=2, needs=keeps_streams_apart, domains=DOMAINS)
async def sees_a_real_summer(lab: Lab) -> None:
    """From some row on the flights are those of July, in a second stream of another summer month: `temp` is named.

    Other features have changed too, more or less, and may be named. Those that are as in February may not, nor may the
    calendar's: month, day, weekday.
    """
    notes = (await lab.once(others))["sees_a_real_summer"]
    answered(notes)
    for each in notes:
        index = {name: value for name, value in each["changed"].items() if name not in CALENDAR}
        each["may"] = [name for name, value in index.items() if value >= HARDLY]
        each["must"] = [name for name, value in index.items() if value >= REALLY]
    names = [each for each in notes if false_names(each)]
    expect(seen(notes, "no name of what has not changed, and none of the calendar", names, "no other name")).because(
        "month and day change by themselves, and whoever is woken up by that can't do anything about it: leave the "
        "calendar out. Hour, origin and carrier are in summer as in winter"
    )
    late = [each for each in notes if not all(in_time(each, name) for name in each["must"])]
    expect(seen(notes, f"temp, named within {WITHIN} rows", late)).because(
        "in summer nearly every value of temp is above all that the reference has, and other features change with it. "
        "Each feature has to be judged by itself, and such values need a bin as well"
    )


async def found(lab: Lab, name: str, why: str, why_false: str = "") -> None:
    """Each of a check's drifts is named in time, and nothing else; if not, why."""
    notes = (await lab.once(others))[name]
    answered(notes)
    false = [each for each in notes if false_names(each)]
    expect(seen(notes, "no name before the drift, and none of what does not drift", false, "no other name")).because(
        why_false
        or "only one feature changes in each of these streams, and the calm ones before were passed in silence. A "
        "window with few rows in it, or a share of nothing, is where such names come from"
    )
    late = [each for each in notes if not in_time(each)]
    expect(seen(notes, f"the feature that drifts, named within {WITHIN} rows", late)).because(why)


def in_time(note: Note, name: str = "") -> bool:
    """Was the feature that drifts, or another one, named after the drift began and soon enough?"""
    if not name:
        return bool(note["found"] and note["found"][0] < note["begin"] + WITHIN + note["batch"])
    return bool(note["begin"] < note["first"].get(name, 0) < note["begin"] + WITHIN + note["batch"])


def false_names(note: Note) -> list[str]:
    """What was named and did not drift, or had not yet."""
    may = note.get("may", [note["feature"]])
    return [name for name, row in note["first"].items() if name not in may or row <= note["begin"]]


def answered(notes: list[Note]) -> None:
    """The detector has answered every time.

    Raises:
        Failure: it has not.
    """
    for each in notes:
        if "error" in each:
            lines = (*each.get("lines", ()), *replayed(each))
            trouble = f"{each['stream']}: {each['error']}"
            expect(Observation(False, "a list of features for every batch", trouble, evidence=lines)).because(
                f"that was after {each['rows']} rows of this stream. update takes any number of rows and returns a "
                "list of names, those of columns of the reference; who is woken up wants to know where to look. It has "
                f"10 s for a call, and all calls together have {LIMIT} s"
            )


def seen(notes: list[Note], expected: str, bad: list[Note], good: str = "") -> Observation:
    """What was named in which stream; the bad ones only, if there are any.

    Args:
        good: what is said if there are none; else all of it.
    """
    if good and not bad:
        return Observation(True, expected, good)
    texts = [told(each) for each in bad or notes]
    shown = "; ".join(texts[:3]) + (f"; and {len(texts) - 3} more" if len(texts) > 3 else "")
    return Observation(not bad, expected, shown, evidence=tuple(replayed(notes[0])))


def told(note: Note) -> str:
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


async def seed(lab: Lab) -> int:
    """Of this run's streams."""
    return random.randrange(10**6)


async def first(lab: Lab) -> list[Note]:
    """What is named in the streams of the first check: a look at them takes seconds."""
    return (await tried(lab, finds_a_shift))[finds_a_shift.name]


async def others(lab: Lab) -> dict[str, list[Note]]:
    """What is named in all other streams; those after a check that failed are left out."""
    return await tried(lab, *OTHERS)


async def tried(lab: Lab, *checks: Check) -> dict[str, list[Note]]:
    """What the detector names in the streams of some checks."""
    drawn = await lab.once(seed)
    files = {Path(name).name: (HERE / name).read_text() for name in PROGRAMS} | {"work.json": work(lab.work.folder)}
    env = {"SEED": str(drawn), "CHECKS": " ".join(item.name for item in checks), "LIMIT": str(LIMIT)}
    output = await lab.programs.run(
        "components:1", "python3", "/checker/judge.py", files=files, env=env, within=PATIENCE
    )  # fmt: skip
    return {name: [{**each, "seed": drawn} for each in notes] for name, notes in output.json().items()}


def work(workspace: Path) -> str:
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
            return json.dumps({file.name: base64.b64encode(file.read_bytes()).decode() for file in files})
        shown = f"{names}: {size // 1000} kB"
    except OSError as trouble:
        shown = f"{trouble.strerror}: {trouble.filename}"
    expect(Observation(False, expected, shown)).because(
        "the checker takes the file as it lies there; nothing has to be applied for it"
    )
    return ""


OTHERS = (
    stays_quiet,
    keeps_streams_apart,
    finds_categories,
    finds_missing_values,
    finds_other_shapes,
    finds_what_was_there_at_first,
    finds_after_a_long_calm,
    takes_any_batches,
    sees_a_real_summer,
)
