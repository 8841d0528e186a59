"""The learner's detector before drive.py's tests, and what their figures say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlops_lab.checks import Lab, Observation, absent, expect
from mlops_lab.kit import sandbox
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.one_program import must_be_there

Seen = dict[str, Any]  # a test, or a stream of it, as streams.py says it

HERE = Path(__file__).parent
PROGRAM = "detector.py"
# What a stream of the second test is about, beside which another one went wrong, and what that one is about.
BESIDE, OTHER = "beside", "other"
WITHIN = 600  # labels of drifted flights
DONE_WITHIN = 600  # s for the checker's pod; with a detector that does its work it takes some 10

OF_TROUBLE = (
    "a detector that raises, hangs or ends its process watches nothing from then on. Play it the replay: kubectl "
    "replace --force -k . and kubectl logs --follow job/replay. There is 0.25 ms of CPU for each call, on average, and "
    "512 MB of memory; and nothing to wait for"
)


async def result(lab: Lab, name: str) -> Seen:
    """What one of drive.py's tests saw of a detector that took all calls and answered as agreed."""
    must_be_there(lab, PROGRAM)
    found: Seen = (await lab.once(driven))["tests"][name]
    if trouble := found.get("trouble"):
        seen = f"after {found.get('calls', 0):,} calls of this test: {trouble}"
        lines = tuple(found.get("lines", ()))
        expect(absent("a detector that takes every call", seen, evidence=lines)).because(OF_TROUBLE)
    return found


async def driven(lab: Lab) -> Seen:
    """All tests, one after another, in one pod."""
    seed = drawn(lab, "streams").randrange(10**9)
    return await sandbox.judged(
        lab, HERE / "drive.py", HERE / "driver.py", HERE / "flights.py", HERE / "streams.py",
        program={PROGRAM: (lab.work.folder / PROGRAM).read_bytes()}, within=DONE_WITHIN,
        env={"LABELS": str(WITHIN), "SEED": str(seed)},
    )  # fmt: skip


def silent(found: Seen, where: str = "of a stream") -> Observation:
    """No alarm while the model was right."""
    labels = sum(stream["labels"] if stream["before"] is None else stream["before"] for stream in found["streams"])
    false = [stream["false"][0] for stream in found["streams"] if stream["alarms"]]
    return Observation(
        not false,
        "no alarm while the model is right",
        f"an alarm at label {false[0]:,} {where}" if false else f"no alarm in {labels:,} labels while it was right",
    )


def in_time(stream: Seen) -> bool:
    """Was the drift found soon enough?"""
    return bool(stream["found"] is not None and stream["found"] <= WITHIN)


def all_found(found: Seen) -> Observation:
    """An alarm in time in each stream."""
    seen = []
    for stream in found["streams"]:
        late = "no alarm in" if stream["found"] is None else "alarm after"
        kind = f"{stream['about']}: " if stream["about"] in ("fewer", "others") else ""
        seen.append(f"{kind}{late} {stream['found'] or stream['drifted']:,} labels")
    return Observation(
        all(in_time(stream) for stream in found["streams"]),
        f"an alarm within {WITHIN} labels after the model went wrong",
        ", ".join(seen),
    )
