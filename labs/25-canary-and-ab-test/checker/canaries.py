"""Canaries with passengers, until the learner's judge has decided: a good one, and bad ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from mlops_lab.checks import Lab, Observation, at_most, expect, observe
from mlops_lab.kit.drawn import drawn

from .everywhere import READY_WITHIN, says_everywhere
from .scenario import replaced, where
from .stage import (
    ENDS,
    SETTLES,
    Seen,
    Stage,
    as_the_model_said,
    each_of_them,
    put,
    seed_of,
    service_address,
    staged,
    state,
)  # fmt: skip

RATE = 150.0  # requests a second
DECIDED_WITHIN = 180.0  # s
SOON = 100.0  # s of bad candidates; then the good one comes, whatever was drawn: a check has ten minutes
WATCHED, SEEN = 3.0, 50  # s in which nothing comes any more where nothing is to come; of so many requests at least
SHARE, MORE = 0.12, 40  # of the requests, and so many beside: those that a bad candidate may get
WORSE = ("errors", "latency", "predictions")
STAYS_FOR = 80  # requests after all pods were replaced
NOT_YET = Observation(False, "", "it was not come to")
FAILS_WITH = (502, 503, 504)  # 500 comes to the users before
STABLE: Seen = {"errors": 0.01, "fails_with": FAILS_WITH, "median": 0.03, "spread": 0.4}
REFUSED = 0.12  # the share of requests that the good candidate answers with a status that is no failure
BEFORE, BEFORE_RATE = 3000, 200.0  # requests of a canary that another one takes the place of, and how many a second


@dataclass
class Canary:
    """What was seen of one canary.

    Attributes:
        verdict: its state at the end.
        took: seconds until then.
        harmed, sent: requests to the candidate, and all, until the verdict was known.
        after: how many requests went where some seconds later.
        own: whether answers came as the models gave them.
        stays: whether the verdict outlives the pods.
        again: whether a canary with the same names begins after it.
    """

    kind: str
    verdict: str = ""
    took: float = 0.0
    harmed: int = 0
    sent: int = 0
    refused: int = 0
    posted: int = 0
    after: dict[str, int] = field(default_factory=dict)
    own: Observation = NOT_YET
    stays: Observation = NOT_YET
    again: Observation = NOT_YET


async def before(lab: Lab) -> dict[str, list[Canary]]:
    """The bad candidates before the good one: as many as are drawn, fewer with a judge that takes its time."""
    return await _bad_ones(lab, {}, in_order(lab)[0], lambda found: spent(found) > SOON)


async def good(lab: Lab) -> list[Canary]:
    """A candidate that is as good in all three; once more if it was not promoted.

    Both fail as often, the stable one by breaking connections: whoever does not count these sees the candidate fail
    more, and so does who counts its refusals.
    """
    await lab.once(before)
    stable, candidate = as_good(drawn(lab, "good").uniform(0.072, 0.08))
    async with staged(lab, "good") as stage:
        found = await _tried(lab, stage, "good", stable, candidate, "promoted")
        last = found[-1]
        if last.verdict == "promoted" and over(last, "stable").ok:
            last.stays = await outlives(lab, stage, "promoted")
            if last.stays.ok:
                last.again = await begins_again(lab, stage, "promoted")
        return found


def as_good(broken: float) -> tuple[Seen, Seen]:
    """How a stable model behaves that breaks that share of connections, and a candidate that fails as often."""
    fails = broken + (1 - broken) * STABLE["errors"]
    return STABLE | {"broken": round(broken, 4)}, STABLE | {"errors": round(fails, 4), "refused": REFUSED}


async def outlives(lab: Lab, stage: Stage, verdict: str) -> Observation:
    """Whether the model that a verdict leaves answers all requests when all pods are new."""
    await replaced(lab)
    seen = await says_everywhere(lab, stage, verdict)
    if not seen.ok:
        return seen
    targets = [await service_address(lab), *await each_of_them(lab, within=READY_WITHIN)]
    await stage.send(targets, rate=40, count=STAYS_FOR, seed=seed_of(lab, "stays"))
    by = (await stage.done())["by"]
    one, other = ("candidate", "stable") if verdict == "promoted" else ("stable", "candidate")
    return Observation(
        not by.get(other, 0) and by.get(one, 0) > STAYS_FOR / 2,
        f"after all pods were replaced all requests come to the {one} model: the candidate is {verdict}", where(by),
    )  # fmt: skip


async def begins_again(lab: Lab, stage: Stage, verdict: str) -> Observation:
    """Whether a canary begins that has the names of the one before, which is over; nobody asks for a prediction."""
    await put(lab, stage.names["stable"], stage.names["candidate"])
    return await says_everywhere(lab, stage, "running", f" after the PUT of a candidate that was {verdict}")


async def some_bad(lab: Lab) -> dict[str, list[Canary]]:
    """Those before the good one, and as many after it as it takes until one is taken back."""
    return await _bad_ones(lab, await lab.once(before), list(chain(*in_order(lab))), lambda found: told_apart(found).ok)


async def bad(lab: Lab) -> dict[str, list[Canary]]:
    """Candidates that are worse in one thing each, in an order that is drawn; each once more if it is promoted."""
    return await _bad_ones(lab, await lab.once(some_bad), list(chain(*in_order(lab))), lambda found: False)


def spent(seen: Mapping[str, Sequence[Canary]]) -> float:
    """The seconds that canaries took, all together."""
    return sum(each.took for canaries in seen.values() for each in canaries)


def remembered(lab: Lab) -> str:
    """The kind of bad candidate of which it is seen whether its end outlives the pods; not the last one."""
    return drawn(lab, "remembered").choice(list(chain(*in_order(lab)))[:-1])


def taken_over(lab: Lab) -> str:
    """The kind of bad candidate whose canary has begun when all pods are replaced, so that others go on with it.

    It is the last one: where nobody does, no other candidate comes after it.
    """
    return in_order(lab)[1][-1]


def in_order(lab: Lab) -> tuple[list[str], list[str]]:
    """The kinds of bad candidates before the good one, and those after it, of which there is one at least."""
    chance = drawn(lab, "order of candidates")
    kinds, place = chance.sample(WORSE, len(WORSE)), chance.randrange(len(WORSE))
    return kinds[:place], kinds[place:]


async def _bad_ones(
    lab: Lab,
    known: Mapping[str, list[Canary]],
    kinds: Sequence[str],
    enough: Callable[[dict[str, list[Canary]]], bool],
) -> dict[str, list[Canary]]:
    """More bad candidates than are known, until there are enough; none after one without a verdict.

    That one took three minutes, and says enough.
    """
    random = drawn(lab, "bad")
    worse: dict[str, Seen] = {
        "errors": {"errors": round(random.uniform(0.09, 0.14), 4)},
        "latency": random.choice([{"median": 0.06}, {"tail": 0.15}]),
        "predictions": random.choice([{"odds": 6.0}, {"mixed": 2.2}]),
    }
    found = dict(known)
    for kind in (each for each in kinds if each not in known):
        if enough(found) or any(seen[-1].verdict not in ENDS for seen in found.values()):
            break
        async with staged(lab, f"bad {kind}") as stage:
            found[kind] = await _tried(lab, stage, kind, STABLE, STABLE | worse[kind], "taken back")
            last = found[kind][-1]
            if kind == remembered(lab) and last.verdict == "taken back" and over(last, "candidate").ok:
                last.stays = await outlives(lab, stage, "taken back")
                if last.stays.ok:
                    last.again = await begins_again(lab, stage, "taken back")
    return found


async def _tried(lab: Lab, stage: Stage, kind: str, stable: Seen, candidate: Seen, wanted: str) -> list[Canary]:
    """One canary; where the verdict is wrong, a second one: a judge may err, but not twice."""
    found = [await judged(lab, stage, kind, stable, candidate)]
    if found[0].verdict != wanted and found[0].verdict in ENDS:
        found.append(await judged(lab, stage, kind, stable, candidate))
    return found


async def judged(lab: Lab, stage: Stage, kind: str, stable: Seen, candidate: Seen) -> Canary:
    """One canary, from its beginning to some seconds after its end.

    With the good one requests come to each pod by its own address, and what became of them is told at another pod; it
    takes the place of another canary, and nobody asks what goes on until its requests show an end. With a bad one that
    is taken over requests come once all pods have been replaced: that gives the judge more time, and not less.
    """
    found, each = Canary(kind), kind == "good"
    targets = await each_of_them(lab, within=READY_WITHIN) if each else [await service_address(lab)]
    if each:
        await another(lab, stage)
    await stage.behave(stable, candidate)
    await put(lab, stage.names["stable"], stage.names["candidate"])
    if kind == taken_over(lab):
        await replaced(lab)
    await stage.send(targets, rate=RATE, outcomes=True, elsewhere=each, seed=seed_of(lab, kind))
    try:
        await lab.time.pause(SETTLES)
        begun = await stage.look(fresh=True)
        left = DECIDED_WITHIN - float(begun["seconds"])
        shown = await (_shown(lab, stage, left) if each else _said(lab, left))
        said = shown or await state(lab)
        seen = await stage.look()
        found.verdict, found.took = said, float(seen["seconds"])
        found.sent, found.harmed = sum(seen["counts"].values()), seen["counts"]["candidate"]
        if said in ENDS:
            loser = "stable" if said == "promoted" else "candidate"
            found.after = await _afterwards(lab, stage, loser)
            if not shown and found.after[loser] == 0:
                found.verdict = f"{said} when GET /canary asked, and not before,"
    finally:
        seen = await stage.stop()
    found.own = as_the_model_said(seen, "while the canary went on and after it")
    found.refused, found.posted = seen["refused"], seen["posted"]
    return found


async def another(lab: Lab, stage: Stage) -> None:
    """A canary goes on with both models the other way round, and fails always; what is to be tried takes its place.

    No outcomes come, so nothing is decided about it, and nothing of it counts for the one that follows.
    """
    await stage.behave({"errors": 1.0, "fails_with": FAILS_WITH}, {})
    await put(lab, stage.names["candidate"], stage.names["stable"])
    await stage.send([await service_address(lab)], rate=BEFORE_RATE, count=BEFORE, seed=seed_of(lab, "another"))
    await stage.done()


async def _said(lab: Lab, within: float) -> str:
    """How a canary ends, or what goes on when its time is over."""
    seen = await lab.time.eventually(
        lambda: state(lab), lambda said: said in ENDS, expected="", shown=str, within=within, every=1.5
    )
    return str(seen.value)


async def _shown(lab: Lab, stage: Stage, within: float) -> str:
    """How a canary ends, where nobody asks before all requests come to one model; empty if they never do."""

    async def look() -> str:
        came = await _coming(lab, stage)
        return await state(lab) if sum(came.values()) >= SEEN and 0 in came.values() else ""

    seen = await lab.time.eventually(
        look, lambda said: said in ENDS, expected="", shown=str, within=within + SETTLES + WATCHED, every=0.5
    )
    return str(seen.value) if seen.ok else ""


async def _coming(lab: Lab, stage: Stage) -> dict[str, int]:
    """How many requests come to which model for some seconds."""
    before = (await stage.look())["counts"]
    await lab.time.pause(WATCHED)
    after: dict[str, int] = (await stage.look())["counts"]
    return {each: after[each] - before[each] for each in after}


async def _afterwards(lab: Lab, stage: Stage, model: str) -> dict[str, int]:
    """How many requests come to which model some seconds after a verdict: as soon as none comes to that one."""
    seen = await lab.time.eventually(
        lambda: _coming(lab, stage), lambda found: found[model] == 0, expected="", shown=str, within=SETTLES, every=0.5
    )
    found: dict[str, int] = seen.value
    return found


def told_apart(bad_ones: Mapping[str, list[Canary]]) -> Observation:
    """Whether the judge promotes not just whatever comes."""
    ends = [seen[-1].verdict for seen in bad_ones.values()]
    ok = "taken back" in ends
    expected = "of the bad candidates one at least is taken back"
    return Observation(ok, expected, expected if ok else f"they are {', '.join(sorted(set(ends)))}", timed=False)


def decided(seen: Canary, wanted: str, why: str, late: str) -> None:
    """A canary had the right end, in time; the seconds are no news where it had.

    Raises:
        Failure: it had not.
    """
    without = seen.verdict not in ENDS
    timed = without or seen.kind != "predictions"  # by a machine that is starved both models answer late
    shown = f"{seen.verdict} after {seen.took:.0f} s"
    expect(Observation(seen.verdict == wanted, f"{wanted} ({seen.kind})", shown, seen.took, timed=timed)).because(
        late if without else why
    )


def harm(seen: Canary) -> Observation:
    """How many requests a bad candidate got until the verdict was known."""
    most = round(SHARE * seen.sent + MORE)
    what = f"requests to the candidate, of {seen.sent}"
    return observe(what, seen.harmed, at_most(most), timed=False)


def over(seen: Canary, model: str) -> Observation:
    """How many requests a model got that is not to get any more."""
    return observe(f"requests to the {model} model {SETTLES:g} s later", seen.after.get(model, 0), at_most(0))


def heard(seen: Canary) -> Observation:
    """Whether Service `model` took the outcomes."""
    ok = seen.refused == 0 or seen.refused <= seen.posted / 50
    expected = "POST /outcomes is answered with status 2xx, but for one in 50"
    return Observation(ok, expected, f"{seen.refused} of {seen.posted} were not" if not ok else "they were")
