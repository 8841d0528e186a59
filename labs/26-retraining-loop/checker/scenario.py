"""What lab 26 plays once: one alert told again and again, another with nothing new to learn from, and a real drift."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

from mlops_lab.checks import Lab, Observation, absent, expect
from mlops_lab.kit.deployments import old_pods_gone
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.losses import none_lost
from mlops_lab.kit.pipeline_runs import progress, record
from mlops_lab.kit.pods import name
from mlops_lab.kit.registry import PRODUCTION
from mlops_lab.kit.scraping import newest
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.load import Load

from .alerts import ALIKE, NEARLY, OF_THE_MODEL, OTHERS, PREDICTION, active_alerts, alert, listed, message, now, post
from .days import HOME, days
from .runs import MODEL, STARTS_WITHIN, begins, count, ends, has_made, last_end, new_runs, nothing_learnt
from .still import nothing_goes_on
from .versions import SEEDED, days_of, kept, lineage, look_in, production, seeded, serves
from .warehouse import flights, set_warehouse

CALM, DRIFTED = 2, 5  # requests a second
LATE = 2.0  # s that requests may leave late: failures are counted, no latencies
ENOUGH = 500  # rows in two minutes, below which the platform's rules do not judge
READY_WITHIN = 150  # s for the first version to be trained and loaded
QUIET = 5  # s in which most runs would have come that must not come; the last look waits as long as a run may take
FIRES_WITHIN = 180  # s from the first drifted row
SERVES_WITHIN = 40  # s from the run's end
LAST = 5  # s at the end in which only the new version answers
AT_ONCE = 3  # messages about each of two features, for each of the receiver's pods: no pod of two gets all of them
AGO = timedelta(minutes=10)
SOON = timedelta(
    seconds=10
)  # from a run's end to the next drift; who sees the end by asking sees it some seconds later
FEATURES = ("temp", "wind_speed", "precip", "visib", "hour", "distance")  # what the alerts that are posted are about
UNSEEN = absent("this stage to its end", "it did not come to that")


@dataclass
class Story:
    """What a stage brought about; what it did not come to stays as it is here.

    Attributes:
        meanwhile: versions in production, or answering, while its run went on.
    """

    calm: Observation = UNSEEN
    watched: Observation = UNSEEN
    fired: Observation = UNSEEN
    started: Observation = UNSEEN
    once: Observation = UNSEEN
    ended: Observation = UNSEEN
    made: Observation = UNSEEN
    learnt: Observation = UNSEEN
    kept: Observation = UNSEEN
    moved: Observation = UNSEEN
    lineage: Observation = UNSEEN
    serving: Observation = UNSEEN
    unharmed: Observation = UNSEEN
    when: str = ""
    meanwhile: set[str] = field(default_factory=set)


async def first_version(lab: Lab) -> Observation:
    """The warehouse at its first day, and the alias on the version that the lab put there; it is the value.

    What the learner tries out has its end first: a run would bring its own version into service after that.
    """
    found = await lab.time.eventually(
        lambda: seeded(lab), bool, expected=f"a version of the model in MLflow, of {' to '.join(SEEDED)}",
        shown=lambda version: f"version {version}" if version else "none yet", within=READY_WITHIN,
    )  # fmt: skip
    if found.ok:
        await nothing_goes_on(lab)
        await ready(lab, "days")
        await set_warehouse(lab, HOME)
        # Only when the Job has set it; another trial lies between the version and its alias.
        await lab.time.eventually(
            lambda: production(lab), bool, expected="the alias", shown=lambda version: version or "none", within=20
        )
        await put_in_production(lab, found.value)
    return found


async def repeated_alert(lab: Lab) -> Story:
    """Post messages about one drift while labels are turned round."""
    story, first, plan = Story(), (await lab.once(first_version)).value, await lab.once(days)
    drifted, also, third, beside = drawn(lab, "alerts").sample(FEATURES, 4)
    try:
        await set_warehouse(lab, plan.righted, turned=plan.turned(0))
        known = await lab.platform.pipelines.runs()
        ended, chance = now() - timedelta(seconds=5), drawn(lab, "no drift")
        strange = [*(chance.choice(names) for names in (OTHERS, ALIKE)), *NEARLY]
        others = [message(alert(lab, now(), name=each)) for each in strange]
        others.append(message(alert(lab, now(), name=OF_THE_MODEL, of="prediction")))
        over, names = "a message that a drift is over", ", ".join((*strange, OF_THE_MODEL))
        for what, bodies, within in (
            (over, [message(alert(lab, now() - AGO, ended, of=drifted))], QUIET),
            (f"alerts of other names ({names}), or from {over}", others, STARTS_WITHIN),
        ):
            await again(lab, *bodies, within=within)
            made = await new_runs(lab, known)
            story.calm = Observation(
                not made, "no run from what is over, or has another name", f"{count(made)} from {what}"
            )
            if made:
                return story
        firing = message(alert(lab, now(), of=drifted))
        another = message(alert(lab, now(), of=beside))
        # Several at once, as Alertmanager sends what it has no answer to again.
        times = AT_ONCE * max(1, len(await lab.objects.pods_of("alerts")))
        statuses = await asyncio.gather(*(post(lab, each) for each in (firing, another) * times))
        story.started = await begins(lab, known, statuses=statuses)
        if not story.started.ok:
            return story
        run = story.started.value[0]
        other = message(alert(lab, now(), of=also))  # it begins while the run goes on, and is told when that has ended

        async def over_again() -> None:
            over = alert(lab, now(), now(), of=third)
            await again(lab, message(*firing["alerts"], over))

        steps: tuple[tuple[str, Callable[[], Awaitable[None]]], ...] = (
            ("told several times at the same moment, and of another feature", lambda: lab.time.pause(QUIET)),
            ("told again while the run went on", lambda: again(lab, firing)),
            ("told again after the run's end", lambda: after_the_end(lab, run, firing, story)),
            ("after the run's end told of another feature, which moved before that", lambda: again(lab, other)),
            ("told again after the run's end, beside an alert that began after it and is over", over_again),
            ("told again after the receiver's pod was replaced", lambda: replaced(lab, firing)),
        )
        for when, prepare in steps:
            await prepare()
            made = await new_runs(lab, known)
            story.once = Observation(len(made) == 1, "1 run for one alert", f"{count(made)}, {when}", len(made))
            story.when = f"Here: {when}."
            if len(made) != 1:
                return story
        await refused(lab, story, run, first)
        return story
    finally:
        await clear(lab, story.kept.ok)


async def refused(lab: Lab, story: Story, run: str, first: str) -> None:
    """What a run on poisoned days made, and what serves after it."""
    left = await record(lab, run)
    story.made = has_made(left, await lab.platform.pipelines.run(run), "system.Dataset", "the warehouse's days")
    story.learnt = nothing_learnt(left)
    story.kept = await kept(lab, first, story.meanwhile)


async def other_part(lab: Lab) -> Story:
    """An alert while the other part of the weeks is turned round.

    In its message it stands between two that have gone on since before the last run, beside one that is over.
    """
    first, plan = (await lab.once(first_version)).value, await lab.once(days)

    async def look(story: Story, run: str) -> None:
        await refused(lab, story, run, first)

    chance = drawn(lab, "alerts")
    new, over, *old = chance.sample(FEATURES, 4)
    over_first = chance.random() < 0.5

    def drift() -> Object:
        first, last = (alert(lab, now() - AGO, of=each) for each in old)
        between = [alert(lab, now() - AGO, now(), of=over), alert(lab, now(), of=new)]
        return message(first, *(between if over_first else between[::-1]), last)

    return await one_run(lab, plan.poisoned, plan.turned(1), drift, look)


async def cut_off(lab: Lab) -> Story:
    """An alert whose run the checker ends when it has begun, told again then; waits until the next alert may begin.

    Nothing that this run might still bring about is better than the model in service.
    """
    story, plan = Story(), await lab.once(days)
    of = drawn(lab, "an alert whose run is ended").choice(FEATURES)
    try:
        await set_warehouse(lab, plan.righted)
        known, firing = await lab.platform.pipelines.runs(), message(alert(lab, now(), of=of))
        story.once = await begins(lab, known, statuses=[await post(lab, firing)])
        for run in story.once.value:
            await lab.platform.pipelines.end(run)
        if story.once.ok:
            story.ended = await ends(lab, story.once.value[0])
            await again(lab, firing, within=SOON.total_seconds())
            made = [each["run_id"] for each in await new_runs(lab, known)]
            story.once = Observation(len(made) == 1, "1 run for one new alert", count(made), made)
        return story
    finally:
        await clear(lab, story.once.ok and story.ended.ok)


async def second_alert(lab: Lab) -> Story:
    """An alert about the predictions, which began soon after the last run's end, when there is nothing new to learn."""
    first, plan = (await lab.once(first_version)).value, await lab.once(days)
    ended = await last_end(lab)

    async def look(story: Story, run: str) -> None:
        story.made = has_made(await record(lab, run), await lab.platform.pipelines.run(run), MODEL, "a candidate")
        story.kept = await kept(lab, first, story.meanwhile)

    def drift() -> Object:
        began = min(now(), ended + SOON) if ended else now()
        return message(alert(lab, began, name=PREDICTION, of="prediction"))

    return await one_run(lab, plan.righted, [], drift, look)


async def one_run(
    lab: Lab, today: str, turned: list[str], drift: Callable[[], Object], look: Callable[[Story, str], Awaitable[None]]
) -> Story:
    """One message about a new drift, and the run that it starts."""
    story = Story()
    try:
        await set_warehouse(lab, today, turned=turned)
        known = await lab.platform.pipelines.runs()
        story.once = await begins(lab, known, statuses=[await post(lab, drift())])
        if story.once.ok:
            run = story.once.value[0]
            story.ended = await ends(lab, run, beside=lambda: look_in(lab, story.meanwhile))
            made = [each["run_id"] for each in await new_runs(lab, known)]
            if len(made) > 1:
                story.once = Observation(False, "1 run for one new alert", f"{len(made)} runs", made)
            elif story.ended.ok:
                await look(story, run)
        return story
    finally:
        await clear(lab, story.kept.ok)


async def real_drift(lab: Lab) -> Story:
    """Ordinary traffic, then a drift, until the new version serves."""
    story, first, plan = Story(), (await lab.once(first_version)).value, await lab.once(days)
    body = await flights(lab, *(await days_of(lab, first)))
    try:
        known = await lab.platform.pipelines.runs()
        async with lab.traffic.load("model", rate=CALM, duration=120, body=body, late_at_most=LATE):
            await ordinary(lab, story, known)
        if not (story.watched.ok and story.calm.ok):
            return story
        await set_warehouse(lab, plan.drifted)
        body = await flights(lab, *plan.storms)
        async with lab.traffic.load("model", rate=DRIFTED, duration=590, body=body, late_at_most=LATE) as load:
            await storms(lab, story, known, first, load)
            if not story.once.value:  # no run began
                return story
        story.unharmed = none_lost(load.report)
        return story
    finally:
        await clear(lab, False)


async def ordinary(lab: Lab, story: Story, known: list[Object]) -> None:
    """What alerts and runs come of ordinary traffic, once Prometheus counts it."""
    rows = f"max(app_of:model_rows:increase2m{{{lab.platform.prometheus.matcher}}})"

    async def counted() -> float:
        found = await lab.platform.prometheus.query(rows)
        return newest(found[0]) if found else 0.0

    story.watched = await lab.time.eventually(
        counted, lambda seen: seen >= ENOUGH, shown=lambda seen: f"{seen:.0f} rows",
        expected=f"{ENOUGH} rows or more in two minutes, as Prometheus counts them", within=60,
    )  # fmt: skip
    if story.watched.ok:
        await lab.time.pause(20)
        active, made = await active_alerts(lab, pending=True), await new_runs(lab, known)
        story.calm = Observation(
            not active and not made, "no alert and no run on ordinary traffic", f"{listed(active)}; {count(made)}"
        )


async def storms(lab: Lab, story: Story, known: list[Object], first: str, load: Load) -> None:
    """What comes of the drift: alerts, one run, and its version in every answer."""
    story.fired = await lab.time.eventually(
        lambda: active_alerts(lab), bool, expected="an alert about drift fires", shown=listed, within=FIRES_WITHIN
    )
    if not story.fired.ok:
        return
    story.once = await begins(lab, known, within=45)
    if not story.once.ok:
        return
    run = story.once.value[0]
    story.ended = await ends(lab, run, known)
    if story.ended.ok:
        version = await production(lab)
        story.moved = Observation(
            version not in ("", first), f"alias {PRODUCTION} on another version than {first}",
            f"on version {version}; the run: {progress(await lab.platform.pipelines.run(run))}",
        )  # fmt: skip
        if story.moved.ok:
            story.lineage = await lineage(lab, version, run, (await lab.once(days)).drifted)
            story.serving = await serves(lab, version, within=SERVES_WITHIN)
            await lab.time.pause(LAST + 1)
            at = load.elapsed
            answers = load.seen.window(at - LAST - 1, at - 1).labels
            others = {label: number for label, number in answers.items() if label not in ("", version)}
            if story.serving.ok and others:
                story.serving = absent(f"answers from {version} alone", f"{others} in the last s")
    made = await new_runs(lab, known)
    story.once = Observation(len(made) == 1, "1 run for one drift", count(made), len(made))
    begun = ", ".join(f"a run of {each.get('created_at')}" for each in made)
    story.when = f"Here: {begun}; alerts: {listed(await active_alerts(lab))}."


async def clear(lab: Lab, unchanged: bool) -> None:
    """Put the warehouse back; where something may have changed, end runs that are under way, and put the alias back."""
    await set_warehouse(lab, HOME)  # first, as somebody who is cut off may have little time
    first = (await lab.once(first_version)).value
    for run in [] if unchanged else await lab.platform.pipelines.runs():
        await lab.platform.pipelines.end(run["run_id"])
    if first and not unchanged:
        await put_in_production(lab, first)


async def put_in_production(lab: Lab, version: str) -> None:
    """Put the alias on a version, if it is elsewhere."""
    if await production(lab) != version:
        await lab.platform.mlflow.set_alias(PRODUCTION, version)


async def again(lab: Lab, *bodies: Object, within: float = QUIET) -> None:
    """Post messages, and wait for what must not come."""
    for body in bodies:
        await post(lab, body)
    await lab.time.pause(within)


async def after_the_end(lab: Lab, run: str, body: Object, story: Story) -> None:
    """Wait for the run's end, and tell once more."""
    story.ended = await ends(lab, run, beside=lambda: look_in(lab, story.meanwhile))
    await again(lab, body)


async def replaced(lab: Lab, body: Object) -> None:
    """Replace the receiver's pods, and tell the new ones."""
    for pod in await lab.objects.pods_of("alerts"):
        await lab.objects.kill(name(pod))
    await old_pods_gone(lab, "alerts", within=30)
    await ready(lab, "alerts")
    await again(lab, body, within=STARTS_WITHIN)  # who looks every 20 s shows what the messages before have done, too


async def ready(lab: Lab, deployment: str) -> None:
    """Wait until all pods of a Deployment are up to date and available."""
    seen = await lab.objects.deployment(deployment).rolled_out(within=60)
    expect(seen).because("kubectl describe pod and kubectl logs say what holds the pod up")
