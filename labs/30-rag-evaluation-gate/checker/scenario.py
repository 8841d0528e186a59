"""What lab 30's checks share: releases that are served, one decision of the gate about each, and its traces."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops_lab.checks import Lab, Observation
from mlops_lab.checks.rooms.programs import Conversation
from mlops_lab.kit import sandbox
from mlops_lab.kit.drawn import drawn, seed

from .cases import CASES, Case
from .plants import same
from .rules import REASONS

HERE = Path(__file__).parent
MODULES = ("cases", "faults", "handbook", "harmless", "leaks", "library", "plants", "rows", "rules")
SERVICE = HERE.parent / "start" / "answers.py"  # the airline's service, as the learner has it
IMAGE, ARCHIVE, PORT = "rag:1", "programs.zip", 8080
SAID_WITHIN = 120.0  # s for the checker's own program; it computes vectors first
DECIDES_WITHIN, ALL_WITHIN = 60.0, 500.0  # s for one decision, and for all
AT_ONCE, SILENT = 2, 2  # releases that a gate gets at once; so many without an answer, and no more are sent
READ_WITHIN = 150.0  # s for reading MLflow
TRACED = (
    "2 of 36 answers after more than 1.3 s, in service too", "2 of 24 passages come sixth",
    "one answer lacks `tokens`",
)  # fmt: skip


@dataclass(frozen=True)
class Ruling:
    """What a gate said of a release.

    Attributes:
        accept: None if it did not say.
        trouble: why it did not.
    """

    case: Case
    accept: bool | None = None
    reasons: frozenset[str] = frozenset()
    trouble: str = ""

    @property
    def right(self) -> bool:
        """Is it decided as the rules are, for the right reasons?"""
        return self.accept is (not self.case.breaks) and self.reasons == self.case.breaks

    def right_but_for(self, known: frozenset[str]) -> bool:
        """Is it right, or, where more than one rule is broken, wrong in no reasons but these?"""
        many = len(self.case.breaks) > 1 and self.accept is False
        return self.right or (many and self.reasons ^ self.case.breaks <= known)

    @property
    def late_alone(self) -> bool:
        """Is it wrong in nothing but that answers were said to be slow, or to fail? A busy machine may be why."""
        if self.reasons == {"errors"}:  # an answer that takes longer than 5 s is one
            return not self.right
        return self.reasons - self.case.breaks == {"latency"} and self.case.breaks <= self.reasons

    @property
    def shown(self) -> str:
        """The decision in words."""
        if self.accept is None:
            return self.trouble
        if self.reasons:
            return f"{'accepted' if self.accept else 'refused'} for {', '.join(sorted(self.reasons))}"
        return "accepted" if self.accept else "refused without a reason"


@dataclass
class Play:
    """All that was seen.

    Attributes:
        rulings: one for each case.
        traces: what MLflow has of three more releases; None if the gate was not asked about them.
    """

    rulings: list[Ruling] = field(default_factory=list)
    traces: dict[str, Any] | None = None


class Stage:
    """The checker's pod with its releases."""

    def __init__(self, lab: Lab, conversation: Conversation, host: str) -> None:
        self.lab, self._conversation, self._host = lab, conversation, host
        self._turn = asyncio.Lock()
        self._draw = drawn(lab, "names of releases")

    async def say(self, **said: Any) -> dict[str, Any]:
        """One line to the checker's program, and its answer."""
        async with self._turn:
            return await self._conversation.ask(said, within=SAID_WITHIN)

    def word(self) -> str:
        """Of an address, or a name."""
        return f"{self._draw.randrange(16**8):08x}"

    async def decided(self, case: Case, at: tuple[str, str] | None = None) -> tuple[Ruling, dict[str, Any]]:
        """A release is served and the gate asked about it; the decision, and what it is about.

        Args:
            at: words in the addresses of the candidate and of the release in service, which may have been others'.
        """
        place, name = CASES.index(case), self.word()
        candidate, before = at or (self.word(), self.word())
        made = await self.say(
            case=place, seed=f"{seed(self.lab)} {place}", name=f"release-{name}", host=self._host,
            candidate=candidate, before=before,
        )  # fmt: skip
        answer = await self.lab.traffic.post("gate", "/releases", made["body"], within=DECIDES_WITHIN)
        made |= {"candidate": candidate, "name": f"release-{name}"}
        if answer.status != 200:
            return Ruling(case, trouble=f"no decision: {answer.shown}"), made
        return ruling(case, answer.fields_if_any, answer.shown), made


def ruling(case: Case, said: dict[str, Any], shown: str) -> Ruling:
    """A decision as the gate's answer says it."""
    accept, reasons = said.get("accept"), said.get("reasons")
    if not isinstance(accept, bool) or not isinstance(reasons, list):
        return Ruling(case, trouble=f'no {{"accept": ..., "reasons": [...]}}: {shown}')
    if strange := [each for each in reasons if each not in REASONS]:
        return Ruling(case, trouble=f"a reason that is none of the task's: {str(strange[0])[:60]!r}")
    return Ruling(case, accept, frozenset(reasons))


@contextlib.asynccontextmanager
async def staged(lab: Lab) -> AsyncIterator[Stage]:
    """The checker's pod, while the block runs."""
    packed = sandbox.archive(HERE / "world.py", (*(HERE / f"{name}.py" for name in MODULES), SERVICE))
    async with (
        lab.programs.pod(IMAGE, "sleep", "900", files={ARCHIVE: packed}) as pod,
        pod.talk("python3", f"/checker/{ARCHIVE}", f"{sandbox.PACKAGE}.world", str(PORT)) as conversation,
    ):
        address = f"[{pod.address}]" if ":" in pod.address else pod.address
        stage = Stage(lab, conversation, f"http://{address}:{PORT}")
        await stage.say(begin=drawn(lab, "documents").randrange(10**9))
        yield stage


async def played(lab: Lab) -> Play:
    """The gate decides about all releases, in a drawn order, two at a time; then about three whose traces are read."""
    found = Play()
    order = list(CASES)
    drawn(lab, "order of releases").shuffle(order)
    # Each address has had a plain release in service before it has a bad one.
    plain = [each for each in order if each.before is same][:AT_ONCE]
    order = [*plain, *(each for each in order if each not in plain)]
    async with staged(lab) as stage:
        found.rulings = await _all(stage, order)
        if sum(each.accept is None for each in found.rulings) < SILENT:
            found.traces = await _traces(stage)
    return found


async def _all(stage: Stage, order: Sequence[Case]) -> list[Ruling]:
    """A ruling about each."""
    waiting, found, began = list(order), dict[str, Ruling](), time.monotonic()

    async def one_after_another() -> None:
        here, before = stage.word(), stage.word()  # one release after another is at these addresses
        while waiting:
            case = waiting.pop(0)
            silent = sum(each.accept is None for each in found.values())
            if silent >= SILENT:
                found[case.what] = Ruling(case, trouble=f"not asked, after {silent} releases without a decision")
                continue
            if time.monotonic() - began > ALL_WITHIN:
                found[case.what] = Ruling(case, trouble=f"not asked: {len(found)} took {ALL_WITHIN:g} s")
                continue
            # One that fails has an address of its own: a gate may ask it something when it has decided already.
            at = stage.word() if case.group == "decides" else here, before
            said, _ = await stage.decided(case, at)
            if said.late_alone:
                said, _ = await stage.decided(case, at)
            found[case.what] = said

    await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))
    return [found[case.what] for case in CASES]


async def _traces(stage: Stage) -> dict[str, Any]:
    """What MLflow has of more decisions, two of them at once, as `traces.py` compares it with what was served."""
    first, *others = (next(case for case in CASES if case.what == what) for what in TRACED)

    async def then() -> list[tuple[Ruling, dict[str, Any]]]:
        return [await stage.decided(case) for case in others]

    one, more = await asyncio.gather(stage.decided(first), then())
    wanted = []
    for said, made in (one, *more):
        # Where there were errors there are no numbers, and traces are up to the gate.
        replies = (await stage.say(seen=made["candidate"]))["replies"] if made["metrics"] else {}
        wanted.append({"release": made["name"], "metrics": made["metrics"], "accept": said.accept, "replies": replies})
    experiment = stage.lab.platform.mlflow.name
    output = await stage.lab.programs.run(
        IMAGE, "python3", "/checker/traces.py", within=READ_WITHIN,
        files={"traces.py": (HERE / "traces.py").read_text(), "wanted.json": json.dumps(wanted)},
        env={"MLFLOW_EXPERIMENT_NAME": experiment},
    )  # fmt: skip
    found: dict[str, Any] = output.json()
    return found


def agreed(found: Play, group: str) -> Observation:
    """Whether all releases of a group were decided right, for the right reasons."""
    some = [each for each in found.rulings if each.case.group == group]
    # What a gate gets wrong where nothing else is, is no news where much is wrong at once.
    alone = [each.reasons ^ each.case.breaks for each in found.rulings if len(each.case.breaks) < 2]
    wrong = [each for each in some if not each.right_but_for(frozenset().union(*alone))]
    accepted = sum(not each.case.breaks for each in some)
    expected = f"{accepted} releases accepted and {len(some) - accepted} refused, for the right reasons and no others"
    if not wrong:
        return Observation(True, expected, "they are", timed=False)
    seen = "; ".join(f"{each.case.what}: {each.shown}, not {_due(each.case)}" for each in wrong[:2])
    evidence = tuple(f"{each.case.what}: {each.shown}, not {_due(each.case)}" for each in wrong)
    timed = all(each.late_alone or each.accept is None for each in wrong)
    return Observation(False, expected, seen, len(wrong), evidence, timed=timed)


def told_apart(found: Play) -> Observation:
    """Whether the gate refuses bad releases at all."""
    bad = [each for each in found.rulings if each.case.breaks]
    refused = sum(each.accept is False for each in bad)
    ok = 2 * refused >= len(bad)
    expected = f"at least half of the {len(bad)} releases that break a rule are refused"
    return Observation(ok, expected, f"{refused} are", refused, timed=False)


def _due(case: Case) -> str:
    return f"refused for {', '.join(sorted(case.breaks))}" if case.breaks else "accepted"
