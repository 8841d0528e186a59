"""A release: a month more, a Job, and who answers until the new versions answer all; and the edge that follows."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace

from mlops_lab.base.errors import LabError
from mlops_lab.checks import Lab, Observation, absent
from mlops_lab.kit import jobs

from .air import Strangers
from .faults import Put, is_good, not_there, production, put, set_production, take_back, versions
from .plan import Fault
from .scenario import MODELS, NOT_YET, RELEASED_WITHIN, job_ended, judged, until_right, version_named
from .stage import Event, Stage, staged

LASTS, SLACK = 20.0, 2.0  # s that a canary goes on at least
# It began before the first answer of the new version's: in 1 of 1,000 canaries by chance 7 times as long as from one of
# them to the next. Where these are 5 % of 20 requests a second, that is 7 s.
LUCK, LUCK_MOST = 7.0, 8.0
SHARE = (0.02, 0.33)  # of the requests: what 5 to 25 % may be by chance, of some hundred answers
WINDOW, MOST, FEW = 5.0, 0.45, 50  # s; share of the new version in it at most, of so many answers at least
SWITCHES = 5.0  # s at a canary's end, in which one pod after the other may take up the new version for all
SLOW = 5.0
TAKEN_OVER_WITHIN = 30.0 + SLOW  # s in which the edge follows
UNREAD, AGAIN_EVERY, AFTER = 7.0, 1.0, 4.0  # s: how long `production` means what nobody can read, and is good again


@dataclass
class Released:
    """By model what was seen, and whether `production` means what answers; and whether the edge took it over.

    Attributes:
        numbered: whether all versions that answers name are in the registry.
        unread: of each model what is answered while `production` means a version that nobody can read.
    """

    models: dict[str, list[Observation]] = field(default_factory=dict)
    named: dict[str, Observation] = field(default_factory=dict)
    numbered: dict[str, Observation] = field(default_factory=dict)
    unread: dict[str, list[Observation]] = field(default_factory=dict)
    edge: Observation = NOT_YET


async def released(lab: Lab) -> Released:
    """A month and bookings more, a Job, and who answers until the new versions do."""
    found = Released()
    async with staged(lab, 0) as stage:
        await stage.rates(forecast=20.0, recommend=20.0)
        old = {model: await steady(stage, model) for model in MODELS}
        known = {model: set(await versions(lab, model)) for model in MODELS}
        await stage.say(state=1, states=[0, 1], old={model: [version] for model, version in old.items()})
        began = stage.now
        beside = {model: Strangers(lab, model) for model in MODELS}
        async with jobs.started_from(lab, "train") as job:

            async def look() -> dict[str, bool]:
                await stage.look()
                for each in beside.values():
                    await each.look(stage.now)
                if any(each.version not in ("", old["recommend"]) for each in stage.since(began, "recommend")):
                    await stage.say(alone={"bookings": 2})  # which no Job has learnt, and the edge must not
                last = {model: stage.since(stage.now - 5.0, model) for model in MODELS}
                return {
                    model: len(events) > 40 and all(each.version not in ("", old[model]) for each in events)
                    for model, events in last.items()
                }

            over = await lab.time.eventually(
                look, lambda done: all(done.values()), expected="", within=RELEASED_WITHIN,
                shown=lambda done: ", ".join(model for model, ok in done.items() if not ok) or "both",
            )  # fmt: skip
            await stage.say(states=[1], old={})
            after = stage.now
            await stage.rates(forecast=20.0, recommend=20.0, air=8.0)
            await lab.time.pause(4)
            await stage.look()
            found.edge = await _taken_over(stage, after)
            await job_ended(lab, job, within=max(1.0, began + RELEASED_WITHIN - stage.now))
            found.named = {model: await version_named(stage, model) for model in MODELS if over.value[model]}
        for model in MODELS:
            events = [each for each in stage.since(began, model) if each.at < after + 4.0]
            new = Observation(
                bool(over.value[model]), f"a new version of {model} answers all requests within {RELEASED_WITHIN:g} s",
                "it does" if over.value[model] else f"{_versions(events[-100:])} in the last answers", timed=True,
            )  # fmt: skip
            alone = Observation(
                not beside[model].found, f"behind Service {model} the pods of Deployment {model} alone, meanwhile too",
                beside[model].found or "they were",
            )  # fmt: skip
            found.numbered[model] = numbered(events, known[model] | set(await versions(lab, model)), model)
            found.models[model] = [
                new,
                alone,
                *canary(events, old[model], model),
                judged(events, f"answers of {model} meanwhile"),
                judged([each for each in events if each.at > after + 1], f"answers of {model} of the new month"),
            ]
        names = (found.named.values(), found.numbered.values())
        if all(each.ok for seen in (*found.models.values(), *names) for each in seen):
            found.unread = await _unread(stage)
    return found


async def _unread(stage: Stage) -> dict[str, list[Observation]]:
    """What is answered while `production` means a version that nobody can read: by the one before, and in its name."""
    lab, began, moved = stage.lab, stage.now, list[Put]()
    async with contextlib.AsyncExitStack() as stack:
        for model in MODELS:
            moved.append(await put(lab, stage, Fault("alias-moved", model, 0.0, 0.0, "", f"{int(began) % 10**6:06d}")))
            stack.push_async_callback(take_back, moved[-1])
        while stage.now < began + UNREAD:
            await lab.time.pause(AGAIN_EVERY)
            for each in moved:  # somebody may have put it right
                if await production(lab, each.fault.where) != each.before["bad"]:
                    try:
                        await set_production(lab, each.fault.where, each.before["bad"])
                    except LabError as refused:  # or have deleted it as well
                        if not not_there(refused):
                            raise
    await lab.time.pause(AFTER)
    await stage.look()
    what = "while `production` means a version that nobody can read"
    return {
        each.fault.where: [
            unread_never_named(stage.events, each.fault.where, each.before["bad"]),
            judged(_well_named(stage.since(began, each.fault.where), each), f"answers of {each.fault.where} {what}"),
        ]
        for each in moved
    }


def _well_named(events: Sequence[Event], moved: Put) -> list[Event]:
    """The events; an answer is not right that names a version which `production` must not mean now."""
    good, bad = moved.before["good"], moved.before["bad"]
    return [
        replace(each, right=False, wrong=f"it names version {each.version}")
        if each.right and not is_good(each.version, good, bad)
        else each
        for each in events
    ]


def numbered(events: Sequence[Event], known: Set[str], model: str) -> Observation:
    """Whether all versions that answers of a service name are numbers in the registry.

    Args:
        known: the versions of the model that are in the registry, or were.
    """
    strange = sorted({each.version for each in events} - {"", *known})
    expected = f"the versions that answers of {model} name are in the registry"
    shown = f"{', '.join(strange[:3])} {'is' if len(strange) == 1 else 'are'} not" if strange else "they are"
    return Observation(not strange, expected, shown, len(strange), timed=False)


def unread_never_named(events: Sequence[Event], model: str, bad: str) -> Observation:
    """Whether no answer of a service names a version that nobody can read."""
    named = [each for each in events if each.kind == model and each.version == bad]
    expected = f"no answer of {model} names version {bad}, which nobody can read"
    return Observation(not named, expected, f"{len(named)} do" if named else "none does", len(named), timed=False)


async def _taken_over(stage: Stage, after: float) -> Observation:
    """Whether the edge, which has a link, answers as the recommender's new version does."""
    if not stage.targets.get("air"):
        return absent("a Service edge that takes over a new version", "there was none when a version was released")
    left = max(1.0, after + TAKEN_OVER_WITHIN - stage.now)
    seen = await until_right(stage, "air", "answers of the edge", within=left, last=5.0, least=25)
    expected = f"the edge answers as the new version does within {TAKEN_OVER_WITHIN - SLOW:g} s, while it has a link"
    return Observation(seen.ok, expected, seen.seen, seen.value, seen.evidence, timed=seen.timed)


async def steady(stage: Stage, model: str) -> str:
    """Wait until no canary goes on, if that is soon; the version that is in production."""

    async def look() -> tuple[str, set[str]]:
        await stage.look()
        last = stage.since(stage.now - 6.0, model)
        return await production(stage.lab, model), {each.version for each in last} if len(last) > 60 else set()

    seen = await stage.lab.time.eventually(
        look, lambda both: both[1] == {both[0]}, expected="", shown=lambda both: ", ".join(sorted(both[1])), within=45
    )
    return str(seen.value[0])


def canary(events: Sequence[Event], old: str, model: str) -> list[Observation]:
    """How long both versions answered, and in which shares."""
    ours = [each for each in events if each.version]
    news = [each.at for each in ours if each.version != old]
    olds = [each.at for each in ours if each.version == old]
    if not news or not olds:
        return [absent(f"two versions of {model} side by side", f"{_versions(ours)}")]
    lasted = max(olds) - min(news)
    inner = [each for each in ours if min(news) + SLACK <= each.at <= max(olds) - SLACK]
    part = sum(each.version != old for each in inner) / len(inner) if inner else 0.0
    slack = max(SLACK, min(LUCK * lasted / max(1, sum(at <= max(olds) for at in news)), LUCK_MOST))
    long = f"both versions of {model} answer for {LASTS:g} s"
    few = f"the new version of {model} answers 5 to 25 % meanwhile"
    most = max((_new_share(ours, old, at) for at in _seconds(min(news), max(olds) - WINDOW - SWITCHES)), default=part)
    even = f"in no {WINDOW:g} s of the canary of {model} the new version answers more than {MOST:.0%}"
    return [
        Observation(lasted >= LASTS - slack, long, f"for {lasted:.0f} s"),
        Observation(SHARE[0] <= part <= SHARE[1], few, f"{part:.1%}"),
        Observation(most <= MOST, even, f"{most:.1%} at most"),
    ]


def _seconds(first: float, last: float) -> list[float]:
    return [first + number for number in range(int(max(-1.0, last - first)) + 1)]


def _new_share(events: Sequence[Event], old: str, at: float) -> float:
    """The share of the new version in a window; 0 where there are too few answers to say."""
    inner = [each for each in events if at <= each.at < at + WINDOW]
    return sum(each.version != old for each in inner) / len(inner) if len(inner) >= FEW else 0.0


def _versions(events: Sequence[Event]) -> str:
    counts: dict[str, int] = {}
    for each in events:
        counts[each.version or "none"] = counts.get(each.version or "none", 0) + 1
    return ", ".join(f"{number} of version {one}" for one, number in sorted(counts.items())) or "no answers"
