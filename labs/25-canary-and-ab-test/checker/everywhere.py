"""Each pod behind Service `model`, asked by its own address: it takes canaries and outcomes, and says what goes on."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.drawn import drawn

from .passengers import fields
from .stage import PUT_WITHIN, SETTLES, STATES, Stage, each_of_them

READY_WITHIN = 60.0  # s for pods
TOLD = 200  # outcomes for each pod, as many as there may be
Answer = tuple[int, str]


async def taken_at_each(lab: Lab, stage: Stage) -> Observation:
    """A canary that begins, or ends, at any of the pods does so at all; each takes outcomes when it is over."""
    targets = await each_of_them(lab, within=READY_WITHIN)
    one, other = stage.names["stable"], stage.names["candidate"]
    for target in targets:
        for stable, candidate, state in ((other, one, "running"), (one, None, "none")):
            seen = await put_at(lab, stage, target, stable, candidate)
            if seen.ok:
                seen = await says_everywhere(lab, stage, state, f" after that was sent to {target}")
            if not seen.ok:
                return seen
    return await outcomes_at_each(lab, stage, targets)


async def one_for_another(lab: Lab, stage: Stage) -> Observation:
    """A canary with both models the other way round begins, and in its place the one that is to go on."""
    first = (await each_of_them(lab, within=READY_WITHIN))[0]
    one, other = stage.names["stable"], stage.names["candidate"]
    seen = await put_at(lab, stage, first, other, one)
    return await put_at(lab, stage, first, one, other) if seen.ok else seen


async def put_at(lab: Lab, stage: Stage, target: str, stable: str, candidate: str | None) -> Observation:
    """Whether a pod takes a canary."""
    body = {"stable": stable, "candidate": candidate}

    async def asked() -> list[Answer]:
        return await stage.call([("PUT", target, "/canary", body)])

    return await _taken(lab, asked, f"PUT /canary {body}", [target], PUT_WITHIN)


async def outcomes_at_each(lab: Lab, stage: Stage, targets: Sequence[str]) -> Observation:
    """Whether pods take outcomes, also those that come when no canary goes on any more."""
    chance = drawn(lab, "outcomes of before")
    known = [  # by users of a canary that is over
        {
            "user": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            "probability": round(chance.uniform(0.05, 0.95), 3),
            "late": chance.random() < 0.3,
        }
        for _ in range(TOLD)
    ]

    async def asked() -> list[Answer]:
        return await stage.call([("POST", each, "/outcomes", {"outcomes": known}) for each in targets])

    return await _taken(lab, asked, "POST /outcomes without a canary", targets, SETTLES)


async def says_everywhere(lab: Lab, stage: Stage, state: str, when: str = "") -> Observation:
    """Whether each pod says that state, some seconds after it has begun."""

    async def look() -> list[str]:
        targets = await each_of_them(lab, within=READY_WITHIN)
        answers = await stage.call([("GET", each, "/canary", None) for each in targets])
        return [_state(*each) for each in answers]

    return await lab.time.eventually(
        look, lambda said: set(said) == {state}, within=SETTLES, every=1,
        expected=f"GET /canary says {state!r} at each pod behind Service model{when}",
        shown=lambda said: ", ".join(f"{count} {what}" for what, count in sorted(Counter(said).items())),
    )  # fmt: skip


async def _taken(
    lab: Lab, ask: Callable[[], Awaitable[list[Answer]]], what: str, targets: Sequence[str], within: float
) -> Observation:
    def refused(answers: list[Answer]) -> list[str]:
        pairs = zip(targets, answers, strict=True)
        return [f"{each}: status {status} {text[:120]}" for each, (status, text) in pairs if not 200 <= status < 300]

    return await lab.time.eventually(
        ask, lambda answers: not refused(answers), within=within, every=1,
        expected=f"{what} is answered with status 2xx by each pod behind Service model",
        shown=lambda answers: "; ".join(refused(answers)) or "by each",
    )  # fmt: skip


def _state(status: int, text: str) -> str:
    said = fields(text.encode()).get("state") if status == 200 else None
    return said if isinstance(said, str) and said in STATES else f"no state (status {status} {text[:60]})"
