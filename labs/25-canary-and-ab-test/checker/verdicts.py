"""The learner's judge on canaries that are drawn, and whether it errs more often than the task allows."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

from mlops_lab.checks import Lab, Observation, absent, expect
from mlops_lab.kit import sandbox
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.one_program import must_be_there

HERE = Path(__file__).parent
PROGRAM = "judge.py"
DONE_WITHIN = 400  # s for the checker's pod; with a judge that does its work it takes some 30
ALLOWED = 0.05  # how often a judge may err
DOUBT = 0.0005  # how often chance may make it look worse than that, for each kind
PROMOTE, BACK = "promote", "take back"
GOOD = {
    "same": "as good as the stable one",
    "better": "better in everything",
    "incident": "as good, in an incident that both have",
    "storm": "as good, on a day that becomes stormy for both",
}
BAD = {
    "errors": "with more errors",
    "slow": "slower in all answers",
    "tail": "much slower in some answers",
    "too high": "with probabilities that are too high",
    "too low": "with probabilities that are too low",
    "mixed up": "with probabilities that are far off and right on average",
}
UNKNOWN = "no outcomes"
EACH = dict.fromkeys(GOOD, 40) | dict.fromkeys(BAD, 25) | {UNKNOWN: 10}


def most(count: int) -> int:
    """How often a judge may be wrong in so many canaries, so that chance alone explains it."""
    sure, wrong = 0.0, 0
    while True:
        sure += math.comb(count, wrong) * ALLOWED**wrong * (1 - ALLOWED) ** (count - wrong)
        if 1 - sure < DOUBT:
            return wrong
        wrong += 1


async def verdicts(lab: Lab) -> list[tuple[str, str, int]]:
    """What the judge decided about each canary: its kind, the verdict (or nothing), and after how many looks.

    Raises:
        Failure: there is no judge that looks as agreed.
    """
    must_be_there(lab, PROGRAM)
    found = await lab.once(played)
    if trouble := found.get("trouble"):
        which = ", whose outcomes never come" if found.get("kind") == UNKNOWN else ""
        seen = f"in canary {len(found['verdicts']) + 1}{which}: {trouble}"
        expect(
            absent("a judge that looks and says None, 'promote' or 'take back'", seen, evidence=found["lines"])
        ).because(
            "a judge that raises, hangs or ends its process decides about nothing. replay.py in your folder plays some "
            "canaries to it: python3 replay.py"
        )
    return [(str(kind), str(said), int(number)) for kind, said, number in found["verdicts"]]


async def played(lab: Lab) -> dict[str, Any]:
    """All canaries, one after another, in one pod."""
    return await sandbox.judged(
        lab, HERE / "play.py", HERE / "driver.py", HERE / "streams.py",
        program={PROGRAM: (lab.work.folder / PROGRAM).read_bytes()}, within=DONE_WITHIN,
        env={"SEED": str(drawn(lab, "canaries").randrange(10**9)), "EACH": json.dumps(EACH)},
    )  # fmt: skip


def looked_at_all(found: list[tuple[str, str, int]]) -> Observation:
    """Whether the judge's verdict depends on the canary at all."""
    said = Counter((kind in GOOD, verdict) for kind, verdict, _ in found if kind != UNKNOWN)
    good, bad = (sum(count for (kind, _), count in said.items() if kind is wanted) for wanted in (True, False))
    promoted, back = said[True, PROMOTE] / max(good, 1), said[False, BACK] / max(bad, 1)
    ok = promoted + back > 1.1
    seen = f"{promoted:.0%} of the good ones promoted, {back:.0%} of the bad ones taken back"
    return Observation(ok, "verdicts that depend on the candidate", seen if not ok else "they do", timed=False)


def errs_seldom(found: list[tuple[str, str, int]], kinds: dict[str, str], right: str) -> Observation:
    """Whether the judge is right about candidates of some kinds, but for one in twenty: of each kind, and in all."""
    wrong = {kind: Counter(said for each, said, _ in found if each == kind and said != right) for kind in kinds}
    counts = {kind: sum(said.values()) for kind, said in wrong.items()}
    limits = {kind: most(EACH[kind]) for kind in kinds}
    worst = max(kinds, key=lambda kind: counts[kind] - limits[kind])
    whole, number = sum(counts.values()), sum(EACH[kind] for kind in kinds)
    seen = f"{whole} of {number} wrong"
    ok = counts[worst] <= limits[worst] and whole <= most(number)
    if counts[worst] > limits[worst]:
        how = ", ".join(f"{count} {_HOW.get(said, said)}" for said, count in wrong[worst].most_common())
        seen = f"candidates {kinds[worst]}: {counts[worst]} of {EACH[worst]} wrong ({how})"
    each = EACH[worst]
    expected = (
        f"{right}: wrong about one in twenty at most; with what chance may add {most(each)} of {each} of a kind, and "
        f"{most(number)} of all {number}"
    )
    others = tuple(f"{kinds[kind]}: {counts[kind]} of {EACH[kind]} wrong" for kind in kinds)
    return Observation(ok, expected, seen, whole, () if ok else others, timed=False)


def none_unknown(found: list[tuple[str, str, int]]) -> Observation:
    """Whether no candidate is promoted of whose predictions nobody knows anything."""
    said = [(verdict, number) for kind, verdict, number in found if kind == UNKNOWN]
    when = sorted(number for verdict, number in said if verdict == PROMOTE)
    expected = f"of {len(said)} candidates whose outcomes never come none is promoted"
    seen = f"{len(when)} are, at look {when[0]} the first" if when else "none is"
    return Observation(not when, expected, seen, len(when), timed=False)


_HOW = {PROMOTE: "promoted", BACK: "taken back", "": "never decided"}
