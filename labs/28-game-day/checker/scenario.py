"""What goes before the day: a Job that learns and refuses to, a release by a canary, a page, and a request's way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from mlops_lab.checks import Lab, LabError, Observation, absent, expect
from mlops_lab.kit import jobs, presence
from mlops_lab.kit.answering import must_answer
from mlops_lab.kit.deployments import exists, rolled_out
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.pods import name

from .faults import production, put, take_back
from .plan import SERVICES, Fault
from .stage import Event, Stage, share, staged

READY_WITHIN, JOB_WITHIN, SERVED_WITHIN, REFUSED_WITHIN = 120.0, 150.0, 60.0, 120.0  # s
ENOUGH = 0.98  # of answers
LASTS, SLACK = 20.0, 2.0  # s that a canary goes on at least
SHARE = (0.04, 0.28)  # of the requests; README says 5 to 25 %
RELEASED_WITHIN = 150.0  # s from the Job's beginning
LOGGED_WITHIN = 15.0  # s
MODELS = ("forecast", "recommend")
NOT_YET = absent("this to be played", "it did not come to that")
PARTS = {"forecast": "forecast", "recommend": "recommendations"}


@dataclass
class Learnt:
    """Of each model: whether it is right, and whether its version is named."""

    job: Observation = NOT_YET
    right: dict[str, Observation] = field(default_factory=dict)
    named: dict[str, Observation] = field(default_factory=dict)


def judged(events: Sequence[Event], what: str, *, enough: float = ENOUGH, least: int = 8) -> Observation:
    """Whether answers are right, but for a few."""
    wrong = [each.wrong for each in events if not each.right]
    ok = len(events) >= least and share(events) >= enough
    shown = f"{len(wrong)} of {len(events)} are not" if wrong else f"all {len(events)} are"
    late = sum(each.endswith(" s") for each in wrong)
    timed = None if ok else late > len(wrong) / 2 or len(events) < least
    return Observation(
        ok, f"{enough:.0%} of {what} are right, within 2 s", shown, len(wrong), tuple(wrong[:5]), timed=timed
    )


async def job_ended(lab: Lab, job: str, *, within: float) -> Observation:
    """Whether a Job has ended, well or not."""
    return await lab.objects.named("Job", job).until(jobs.over, expected="ended", shown=jobs.outcome, within=within)


async def until_right(stage: Stage, kind: str, what: str, *, within: float) -> Observation:
    """Wait until the answers of the last 3 s are right."""

    async def look() -> Observation:
        await stage.look()
        return judged(stage.since(stage.now - 3.0, kind), what, enough=1.0, least=6)

    seen = await stage.lab.time.eventually(
        look, lambda found: found.ok, expected="", shown=lambda found: found.seen, within=within
    )
    found: Observation = seen.value
    return Observation(seen.ok, f"{what} are right within {within:g} s", found.seen, found.value, found.evidence)


async def learnt(lab: Lab) -> Learnt:
    """The Job on right data, and what is answered then."""
    found = Learnt()
    await presence.exists(lab, "CronJob", "train", "the checker starts a Job of it, as its schedule would")
    async with staged(lab, 0) as stage:
        await stage.rates(forecast=4.0, recommend=4.0)
        async with jobs.started_from(lab, "train") as job:
            found.job = await jobs.ended(lab, job, within=JOB_WITHIN)
            if not found.job.ok:
                return found
            for model in MODELS:
                what = f"answers of Service {model}"
                found.right[model] = await until_right(stage, model, what, within=SERVED_WITHIN)
                found.named[model] = await version_named(stage, model)
    return found


async def refused(lab: Lab) -> dict[str, Observation]:
    """By model whether a Job learnt nothing from wrong prices, and from wrong bookings."""
    found, draw = {}, drawn(lab, "wrong rows")
    async with staged(lab, 0) as stage:
        await stage.rates(forecast=4.0, recommend=4.0)
        for model, feed, ways in (
            ("forecast", "exchange", ("cents", "twice")),
            ("recommend", "bookings", ("code", "twice")),
        ):
            await until_right(stage, model, model, within=30)
            found[model] = await _refused(stage, model, feed, draw.choice(ways))
    return found


async def version_named(stage: Stage, model: str) -> Observation:
    """Whether the version in the last answers is the one in production."""

    async def look() -> tuple[str, str]:
        await stage.look()
        events = stage.since(stage.now - 4.0, model)
        return events[-1].version if events else "", await production(stage.lab, model)

    seen = await stage.lab.time.eventually(
        look, lambda both: bool(both[1]) and both[0] == both[1], expected="", within=30,
        shown=lambda both: f"answers say {both[0] or 'none'}, the alias means {both[1] or 'none'}",
    )  # fmt: skip
    expected = f"answers of {model} name the version that alias production of its model means"
    return Observation(seen.ok, expected, seen.seen, seen.value)


async def _refused(stage: Stage, model: str, feed: str, how: str) -> Observation:
    """A Job while a feed gives wrong rows: until 10 s after its end all answers are the old ones."""
    lab, began = stage.lab, stage.now
    await stage.say(feeds={feed: how})
    try:
        async with jobs.started_from(lab, "train") as job:
            ended = await job_ended(lab, job, within=REFUSED_WITHIN)
            if not ended.ok:
                return ended
            await lab.time.pause(10)
            await stage.look()
    finally:
        await stage.say(feeds={feed: "right"})
    return judged(stage.since(began, model), f"answers of {model} while {feed} had wrong rows ({how}) and after it")


async def released(lab: Lab) -> dict[str, list[Observation]]:
    """A month and bookings more, a Job, and who answers until the new versions do; by model what was seen."""
    found: dict[str, list[Observation]] = {}
    async with staged(lab, 0) as stage:
        await stage.rates(forecast=20.0, recommend=20.0)
        old = {model: await steady(stage, model) for model in MODELS}
        await stage.say(state=1, states=[0, 1])
        began = stage.now
        async with jobs.started_from(lab, "train"):

            async def look() -> dict[str, bool]:
                await stage.look()
                last = {model: stage.since(stage.now - 5.0, model) for model in MODELS}
                return {
                    model: len(events) > 40 and all(each.version not in ("", old[model]) for each in events)
                    for model, events in last.items()
                }

            over = await lab.time.eventually(
                look, lambda done: all(done.values()), expected="", within=RELEASED_WITHIN,
                shown=lambda done: ", ".join(model for model, ok in done.items() if not ok) or "both",
            )  # fmt: skip
        await stage.say(states=[1])
        after = stage.now
        await lab.time.pause(4)
        await stage.look()
        for model in MODELS:
            events = stage.since(began, model)
            new = Observation(
                bool(over.value[model]), f"a new version of {model} answers all requests within {RELEASED_WITHIN:g} s",
                "it does" if over.value[model] else f"{_versions(events[-100:])} in the last answers", timed=True,
            )  # fmt: skip
            found[model] = [
                new,
                *canary(events, old[model], model),
                judged(events, f"answers of {model} meanwhile"),
                judged(stage.since(after + 1, model), f"answers of {model} of the new month"),
            ]
    return found


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
    long = f"both versions of {model} answer for {LASTS:g} s"
    few = f"the new version of {model} answers 5 to 25 % meanwhile"
    return [
        Observation(lasted >= LASTS - SLACK, long, f"for {lasted:.0f} s"),
        Observation(SHARE[0] <= part <= SHARE[1], few, f"{part:.1%}"),
    ]


def _versions(events: Sequence[Event]) -> str:
    counts: dict[str, int] = {}
    for each in events:
        counts[each.version or "none"] = counts.get(each.version or "none", 0) + 1
    return ", ".join(f"{number} of version {one}" for one, number in sorted(counts.items())) or "no answers"


async def up(lab: Lab, *deployments: str) -> None:
    """Wait until Deployments have rolled out.

    Raises:
        Failure: one is not there, or does not.
    """
    for each in deployments:
        await exists(lab, each)
        expect(await rolled_out(lab, each, within=READY_WITHIN)).because(
            "kubectl get pods and kubectl logs say what holds its pods up"
        )
        await must_answer(lab, each, each)


@dataclass
class Page:
    """What was seen of the page, whole and with a part away."""

    whole: Observation = NOT_YET
    degraded: Observation = NOT_YET
    again: Observation = NOT_YET


async def page(lab: Lab) -> Page:
    """The page, and then while the Service of one of its parts leads nowhere."""
    found, draw = Page(), drawn(lab, "page")
    part = draw.choice(MODELS)
    async with staged(lab, 1) as stage:
        await stage.rates(page=6.0)
        found.whole = await until_right(stage, "page", "pages", within=30)
        if found.whole.ok:
            last = stage.since(stage.now - 3.0, "page")
            away = sorted({part for each in last for part in each.away})
            found.whole = Observation(
                not away, "pages with both parts", f"{', '.join(away)} not available" if away else "both are there"
            )
        if not found.whole.ok:
            return found
        began = stage.now
        for number in range(4):
            fault = Fault("selector-changed", part, 0.0, 0.0, "", f"{draw.getrandbits(24):06x}{number}")
            changed = await put(lab, stage, fault)
            try:
                await lab.time.pause(6)
            finally:
                await take_back(changed)
            await stage.look()
            if any(PARTS[part] in each.away or not each.right for each in stage.since(began, "page")):
                break
        found.degraded = judged(
            stage.since(began, "page"), f"pages while Service {part} leads nowhere", enough=0.95, least=20
        )
        found.again = await until_right(stage, "page", "pages with both parts again", within=30)
    return found


async def found_in_logs(lab: Lab) -> Observation:
    """Whether an id that came with a request to the page stands in the logs of all three services."""
    draw = drawn(lab, "ids")
    identity = f"{draw.choice(('trip', 'call', 'x'))}-{draw.getrandbits(64):016x}"
    async with staged(lab, 1):
        answer = await lab.traffic.get("page", "/?passenger=p-1", headers={"X-Request-Id": identity}, within=10)
        if answer.status != 200:
            return Observation(False, "GET / of Service page is answered with status 200", answer.shown)

        async def look() -> list[str]:
            return [service for service in SERVICES if not await _logged(lab, service, identity)]

        seen = await lab.time.eventually(
            look, lambda missing: not missing, expected="", within=LOGGED_WITHIN,
            shown=lambda missing: f"not in those of {', '.join(missing)}",
        )  # fmt: skip
    expected = f"X-Request-Id stands as request_id in a JSON line of the logs of {', '.join(SERVICES)}"
    return Observation(seen.ok, expected, "it does in all" if seen.ok else seen.seen, seen.value)


async def _logged(lab: Lab, service: str, identity: str) -> bool:
    for pod in await lab.objects.pods_of(service):
        try:
            text = await lab.objects.logs(name(pod), tail=500)
        except LabError:  # it has just gone, or has not begun
            continue
        for line in text.splitlines():
            if identity in line:
                try:
                    said = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(said, dict) and said.get("request_id") == identity:
                    return True
    return False
