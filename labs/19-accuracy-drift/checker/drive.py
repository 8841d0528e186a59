"""Draw streams of predictions and labels, give them to the learner's detector, and say when it alarmed.

Runs in a pod of the checker's; the last line printed is the answer as JSON. What the detector does wrong is part of the
answer; an exit code other than 0 is not its fault.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

from mlops_lab.kit.sandbox.process import Ended, Sandbox, Spent, Trouble, protect, unpacked

from .flights import Flights
from .streams import CPU_SECONDS, TESTS, WITHIN, Detector

FOLDER = Path("/data/flights")
MEMORY = 512 << 20  # bytes
STARTS_WITHIN = 150.0  # s for the imports
TROUBLES = 3  # tests that end in trouble, after which no more are begun
FIRST = ("finds", "quiet")  # without these the others say nothing

Seen = dict[str, Any]


def passed(name: str, seen: Seen) -> bool:
    """Is it worth going on to the others?"""
    if seen.get("trouble"):
        return False
    if name == "finds":
        return all(stream["found"] is not None and stream["found"] <= WITHIN for stream in seen["streams"])
    return not any(stream["alarms"] for stream in seen["streams"])


def described(trouble: Trouble) -> str:
    """What a detector did that ends a test."""
    if isinstance(trouble, Ended):
        killed = trouble.code in (-signal.SIGXCPU, -signal.SIGKILL)
        how = f"it was killed: there are {CPU_SECONDS:.0f} s of CPU for all tests" if killed else "it ended itself"
        return f"{how} (exit code {trouble.code})"
    return trouble.seen


def run(sandbox: Sandbox, flights: Flights, rng: np.random.Generator, name: str) -> Seen:
    """One test; what was seen."""
    seen: Seen = {"streams": []}
    detector = Detector(sandbox)
    try:
        left = CPU_SECONDS - sandbox.spent.cpu
        if left < 1:
            spent = f"the tests before used the {CPU_SECONDS:.0f} s of CPU that there are for all"
            raise Trouble(f"not begun: {spent}", [])
        sandbox.begin(int(left) + 1)
        for stream in TESTS[name](detector, flights, rng):
            seen["streams"].append(stream.seen())
            if stream.grown is not None:
                seen["grown"] = stream.grown
        sandbox.end()
    except Trouble as trouble:
        seen |= {"trouble": described(trouble), "lines": trouble.lines[:3], "calls": detector.calls}
    return seen


def main() -> None:
    """Test the detector of the learner's files."""
    protect()
    work, rng = unpacked(), np.random.default_rng(int(os.environ["SEED"]))
    flights, sandbox = Flights(rng, FOLDER), None
    found: dict[str, Seen] = {}
    spent = Spent()
    for name in TESTS:
        if sum("trouble" in seen for seen in found.values()) >= TROUBLES:
            found[name] = {"streams": [], "trouble": f"not begun: {TROUBLES} tests before had to be ended", "calls": 0}
            continue
        try:
            sandbox = sandbox or Sandbox(
                f"{__package__}.driver", work, memory=MEMORY, within=STARTS_WITHIN, what="the import of detector.py",
                spent=spent,
            )  # fmt: skip
        except Trouble as trouble:
            found[name] = {"streams": [], "trouble": described(trouble), "lines": trouble.lines, "calls": 0}
            if name in FIRST:
                break
            continue
        began = time.monotonic()
        found[name] = run(sandbox, flights, rng, name)
        found[name]["seconds"] = round(time.monotonic() - began, 2)
        if name in FIRST and not passed(name, found[name]):
            break
        if found[name].get("trouble"):  # its process may be anywhere
            sandbox.close()
            sandbox = None
    if sandbox:
        sandbox.close()
    print(json.dumps({"tests": found}))


if __name__ == "__main__":
    main()
