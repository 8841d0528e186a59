"""What goes before the day: a Job that learns, a page, and a request's way; how answers are judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mlops_lab.checks import Lab, LabError, Observation, absent, expect
from mlops_lab.kit import jobs, presence
from mlops_lab.kit.deployments import exists, rolled_out
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.json_lines import json_object, json_objects
from mlops_lab.kit.makers import answers_alone
from mlops_lab.kit.pods import lives_long, name
from mlops_lab.kube.client import Object

from .crowd import AWAY
from .faults import production
from .plan import SERVICES
from .stage import Event, Stage, share, staged

READY_WITHIN, JOB_WITHIN, SERVED_WITHIN = 120.0, 150.0, 60.0  # s
ENOUGH = 0.98  # of answers
RELEASED_WITHIN = 150.0  # s from the Job's beginning
LOGGED_WITHIN, AT_ONCE = 15.0, 4  # s; ids that come at the same time: a backlog of 5 has to hold them
SHOWN = 300  # characters of a line
ASKED, ASKED_EVERY = 4, 3.0  # how often at most, until both parts are in all pages, s
MODELS = ("forecast", "recommend")
NOT_YET = absent("this to be played", "it did not come to that")
EACH_MONTH, EACH_DAY = ("*", "*/1", "1-12"), ("*", "*/1", "?", "0-6", "0-7", "1-7")  # of a schedule
PARTS = {"forecast": "forecast", "recommend": "recommendations"}


@dataclass
class Learnt:
    """When it is due, how its Job ended; and of each model whether it is right, and whether its version is named."""

    due: Observation = NOT_YET
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


async def until_right(
    stage: Stage, kind: str, what: str, *, within: float, last: float = 3.0, least: int = 6
) -> Observation:
    """Wait until the answers of the last seconds are right, and no part of a page is away."""

    async def look() -> Observation:
        await stage.look()
        return judged(whole(stage.since(stage.now - last, kind)), what, enough=1.0, least=least)

    seen = await stage.lab.time.eventually(
        look, lambda found: found.ok, expected="", shown=lambda found: found.seen, within=within
    )
    found: Observation = seen.value
    return Observation(seen.ok, f"{what} are right within {within:g} s", found.seen, found.value, found.evidence)


def whole(events: Sequence[Event], away: Callable[[Event, str], bool] = lambda event, part: False) -> list[Event]:
    """The events; a page that says that a part is away is not right.

    Args:
        away: tells of an event and a part whether the part may be away.
    """
    gone = [(each, [part for part in each.away if not away(each, part)]) for each in events]
    return [
        Event(each.at, each.kind, False, each.away, each.version, f"{', '.join(parts)} not available")
        if parts
        else each
        for each, parts in gone
    ]


def not_monthly(spec: Object) -> str:
    """Why a CronJob is not due once in each month, in words; empty if it is."""
    schedule = str(spec.get("schedule", ""))
    if spec.get("suspend"):
        return "it is suspended"
    if schedule.strip() == "@monthly":
        return ""
    fields = schedule.split()
    numbers = fields[:3] if len(fields) == 5 and all(each.isdecimal() for each in fields[:3]) else []
    ok = bool(numbers) and 1 <= int(numbers[2]) <= 28 and fields[3] in EACH_MONTH and fields[4] in EACH_DAY
    return "" if ok else f"its schedule is {schedule[:60]!r}"


async def learnt(lab: Lab) -> Learnt:
    """The Job on right data, and what is answered then."""
    found = Learnt()
    train = await presence.exists(lab, "CronJob", "train", "the checker starts a Job of it, as its schedule would")
    trouble = not_monthly(train["spec"])
    found.due = Observation(not trouble, "CronJob train is due once a month, by day 28", trouble or "it is")
    async with staged(lab, 0) as stage:
        await stage.rates(forecast=4.0, recommend=4.0)
        began = stage.now
        async with jobs.started_from(lab, "train") as job:
            found.job = await jobs.ended(lab, job, within=JOB_WITHIN)
            if not found.job.ok:
                return found
            end = max(stage.now + SERVED_WITHIN, began + RELEASED_WITHIN)
            for model in MODELS:
                what, left = f"answers of Service {model}", max(5.0, end - stage.now)
                found.right[model] = await until_right(stage, model, what, within=left)
                found.named[model] = await version_named(stage, model)
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


async def up(lab: Lab, *deployments: str) -> None:
    """Wait until Deployments have rolled out; each alone makes pods for the Service of its name.

    Raises:
        Failure: one is not there, or does not.
    """
    for each in deployments:
        await exists(lab, each)
        expect(await rolled_out(lab, each, within=READY_WITHIN)).because(
            "kubectl get pods and kubectl logs say what holds its pods up"
        )
        await answers_alone(lab, each)


async def found_in_logs(lab: Lab) -> Observation:
    """Whether ids that came at once with requests to the page stand in the logs of all three services."""
    draw = drawn(lab, "ids")
    word = draw.choice(("trip", "call", "x"))
    async with staged(lab, 1) as stage:
        for _ in range(ASKED):  # a part that was not reached has not seen the id
            ids = [f"{word}-{draw.getrandbits(64):016x}" for _ in range(AT_ONCE)]
            wrong = list((await stage.say(ids=ids))["wrong"].values())
            if not any(AWAY in each for each in wrong):
                break
            await lab.time.pause(ASKED_EVERY)
        if wrong:
            expected = f"{AT_ONCE} requests to the page that come at once have status 200, with both parts"
            shown, late = f"{len(wrong)} have not: {wrong[0]}", ("no", "0 'TimeoutError", f"200, {AWAY}")
            return Observation(False, expected, shown, timed=any(each.startswith(late) for each in wrong))

        async def look() -> dict[str, list[str]]:
            return {service: await _lines(lab, service, ids) for service in SERVICES}

        seen = await lab.time.eventually(
            look, lambda lines: not any(_missing(each, ids) for each in lines.values()), expected="",
            within=LOGGED_WITHIN, shown=lambda lines: _apart(lines, ids),
        )  # fmt: skip
    expected = f"{AT_ONCE} ids stand as request_id in JSON lines of the logs of each of {', '.join(SERVICES)}"
    return Observation(seen.ok, expected, "they do in all" if seen.ok else seen.seen, seen.value)


def _missing(lines: Sequence[str], ids: Sequence[str]) -> int:
    """How many of the ids stand in no line that is a JSON object."""
    return len(set(ids) - {str(said.get("request_id")) for said in json_objects(lines)})


def _apart(lines: Mapping[str, Sequence[str]], ids: Sequence[str]) -> str:
    """What is missing in which service's lines, and one that is no JSON object, in words."""
    missing = {service: _missing(each, ids) for service, each in lines.items()}
    said = ", ".join(f"{number} not in those of {service}" for service, number in missing.items() if number)
    broken = next((each for of in lines.values() for each in of if json_object(each) is None), "")
    return f"{said}; no JSON object is {broken[:SHOWN]}" if broken else said


async def _lines(lab: Lab, service: str, ids: Sequence[str]) -> list[str]:
    """The lines with one of the ids in the logs of a Service's pods."""
    found: list[str] = []
    for pod in await lab.objects.pods_of(service):
        for container in lives_long(pod["spec"]):
            try:
                text = await lab.objects.logs(name(pod), container["name"], tail=1000)
            except LabError:  # it has just gone, or has not begun
                continue
            found += [line for line in text.splitlines() if any(each in line for each in ids)]
    return found
