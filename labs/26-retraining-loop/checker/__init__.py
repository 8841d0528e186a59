"""Lab 26: the checker plays passengers, the warehouse and Alertmanager, and follows what the learner's loop does.

Four stages, each run once: an alert that is told again and again while the warehouse's labels are spoilt, an alert with
nothing new to learn from, a control of ordinary traffic, and a real drift. The model in service, the warehouse and the
alias are afterwards as they were.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from mlops_lab.checks import Lab, Observation, check, expect
from mlops_lab.kit.losses import none_lost

Object = dict[str, Any]

ALIAS = "production"
BEFORE, AFTER = "2013-02-21", "2013-07-11"  # the warehouse's day before and after the drift
STORMS = ("2013-07-10", "2013-07-11")  # the flights of the drift: a summer's thunderstorms, for a model of February
ROWS = 200  # in each request of the traffic
CALM, DRIFTED = 2, 5  # requests a second
LATE = 2.0  # s that requests may leave late: failures are counted, no latencies
ENOUGH = 500  # rows in two minutes, below which the platform's rules do not judge
READY_WITHIN = 150  # s for the first version to be trained and loaded
ANSWERS_WITHIN = 20  # s for a Service whose pods are ready; the network learns of new ones after a moment
STARTS_WITHIN = 25  # s from a message to the run
QUIET = 5  # s in which a run would have come that must not come
ENDS_WITHIN = 210  # s for a run
FIRES_WITHIN = 180  # s from the first drifted row
SERVES_WITHIN = 40  # s from the run's end
LAST = 5  # s at the end in which only the new version answers
AGO = timedelta(minutes=10)
DRIFT = "PredictionDrift|FeatureDrift"


@check(points=1, domains=("ckad/services-and-networking",))
async def serves_the_first_version(lab: Lab) -> None:
    """Service `model` answers from the version in production on every pod, and Service `alerts` answers.

    The checker first puts the alias `production` on the oldest version, if it is elsewhere, and waits up to 150 s.
    """
    for name in ("model", "alerts"):
        if await lab.objects.deployment(name).now() is None:
            expect(Observation(False, f"a Deployment named {name}", "there is none in this namespace")).because(
                "nothing runs before it is applied: kubectl apply -k ."
            )
    first = await lab.once(put_back)
    expect(first).because(
        "the Job first-model registers the first version and gives it the alias; kubectl logs job/first-model says how "
        "far it is. Do not delete it, nor the version"
    )
    for name in ("model", "alerts"):
        seen = await lab.objects.deployment(name).rolled_out(within=READY_WITHIN)
        expect(seen).because(
            "kubectl get pods, kubectl describe pod and kubectl logs say what holds a pod up; a pipeline that can't be "
            "compiled shows in kubectl logs deploy/alerts --container compile"
        )
    expect(await served(lab, first.value, within=30)).because(
        "the Service sends to the pods that its selector matches, at targetPort; the server listens on 8080 and "
        "follows MODEL_ALIAS of MODEL_NAME. kubectl get endpointslices shows addresses and port"
    )
    answered = await lab.time.eventually(
        lambda: lab.traffic.get("alerts", "/", within=5), lambda answer: answer.status > 0, within=ANSWERS_WITHIN,
        expected="Service alerts answers GET /, with any status",
        shown=lambda answer: f"status {answer.status} (0: no answer) {answer.error}".strip(),
    )  # fmt: skip
    expect(answered).because(
        "Alertmanager posts to http://alerts.NAMESPACE/ on port 80: selector and targetPort must lead to the receiver"
    )


@check(points=4, needs=serves_the_first_version, owns="model", domains=("ckad/design-and-build",))
async def starts_one_run(lab: Lab) -> None:
    """An alert starts one run in the pipelines experiment named like the namespace, however often it is told.

    The checker posts what Alertmanager would: a `resolved` message (no run), then a firing one twice at the same
    moment, once more while the run goes on, after its end, and after the receiver's pod was replaced. A message that
    is answered by an error comes again at once.
    """
    story = await lab.once(told)
    expect(story.calm).because(
        "send_resolved: the message has `status: resolved` when an alert is over, for the group and for each alert in "
        "it. There is nothing to do then"
    )
    expect(story.started).because(
        "look at what arrives: kubectl logs deploy/alerts. A run counts if it is in the experiment named by "
        "KFP_EXPERIMENT. An answer of 500 says why in the same log"
    )
    expect(story.once).because(
        "Alertmanager repeats a message until the alert is over, tells each group by itself, and asks again when it "
        "got no 200: at least once, never exactly once. So look for what has been done already: is a run under way, "
        f"and did the newest one end after the alert's startsAt? {story.when}"
    )


@check(points=3, needs=starts_one_run, owns="model", domains=("ckad/design-and-build",))
async def refuses_poison(lab: Lab) -> None:
    """That run found a warehouse in which `late` says the opposite: nothing of it ever serves.

    It fetched the warehouse's days; when it has ended, the alias is where it was, and every pod still answers with the
    version from before.
    """
    story = await lab.once(told)
    expect(story.ended).because("the engine's page shows what a run waits for: lab open pipelines")
    expect(story.made).because(
        "a run that breaks before it has seen the days refuses everything, and proves nothing. Its first failed step's "
        "log says why: lab open pipelines"
    )
    expect(story.kept).because(
        "the labels of all these days were turned round, also of the held-out ones: by them the spoilt candidate is "
        "far better than the model in service. No comparison finds that, only a look at the data before: `validate` "
        "knows from the model in service what late flights look like, for rows and for held_out"
    )


@check(points=3, needs=refuses_poison, owns="model", domains=("ckad/deployment",))
async def refuses_worse(lab: Lab) -> None:
    """A new alert starts a run again; its candidate is not better than the model in service, and never serves.

    The warehouse is whole again, and still at 21 February 2013: a week after the days that the model was trained on. So
    this run trains one.
    """
    story = await lab.once(idle)
    expect(story.once).because(
        "this alert began after the last run had ended, so it is another one: what was done about the last is no "
        "reason to do nothing. Its fingerprint is the same, since its labels are; its startsAt is not"
    )
    expect(story.ended).because("the engine's page shows what a run waits for: lab open pipelines")
    expect(story.made).because(
        "that nothing worse serves is an achievement only where something was trained and compared: these are whole "
        "rows. The first failed step's log says why there is no candidate: lab open pipelines"
    )
    expect(story.kept).because(
        "a model that looks good on its own training rows may be worse than what serves. Let `evaluate` compare both "
        "on the held-out days, and let nothing after it happen, neither the alias nor a rollout, unless it said true: "
        "dsl.If(judged.outputs['Output'] == True)"
    )


@check(points=4, needs=refuses_worse, owns="model", domains=("ckad/observability-and-maintenance",))
async def one_drift_one_run(lab: Lab) -> None:
    """Ordinary traffic starts nothing; then the storms of July fire alerts within 180 s, and these exactly one run.

    200 flights a request, 2 requests a second of the days that the model knows, then 5 of 10 and 11 July. Alertmanager
    tells you itself; several alerts fire for this one drift.
    """
    story = await lab.once(drifted)
    expect(story.watched).because(
        "drift is computed by Prometheus from the server's histograms, and it scrapes what asks for it: the pods' "
        'annotation prometheus.io/scrape: "true" (in the pod template), and prometheus.io/port. See the query '
        "app_of:model_rows:increase2m in lab open prometheus"
    )
    expect(story.calm).because("on traffic as it was trained on, no alert fires; so no run is due")
    expect(story.fired).because("query app_of:model_psi:2m and ALERTS in lab open prometheus")
    expect(story.once).because(
        "one drift moves many things: each feature is an alert of its own, and predictions follow some seconds later "
        "in another group. So several messages with several fingerprints arrive for one drift, at once and during the "
        f"run and after. {story.when}"
    )


@check(points=5, needs=one_drift_one_run, owns="model", domains=("ckad/deployment",))
async def rolls_out(lab: Lab) -> None:
    """That run ends, and its version serves: on all pods, with lineage, and with no failed request of that load.

    The version's tag `pipeline.run` names the run, `data.days` days that end at most 14 days before the warehouse's.
    """
    story = await lab.once(drifted)
    expect(story.ended).because("the engine's page shows what a run waits for: lab open pipelines")
    expect(story.moved).because(
        "the run ended and the alias stands where it stood. A candidate that was trained on the same old days can't be "
        "better now: ask the warehouse for today (GET /today), and take the last four weeks. Why it was not better is "
        "the tag evaluation.why of its MLflow run; why a step failed is on the engine's page"
    )
    expect(story.lineage).because(
        "who asks in a year why this model decided so needs the way back: version, run, days. `register` writes these "
        "tags if it is given dsl.PIPELINE_JOB_ID_PLACEHOLDER as pipeline_run"
    )
    expect(story.serving).because("servers follow the alias within MODEL_POLL_SECONDS; their log says `in service`")
    expect(story.unharmed).because(
        "a new version is loaded beside the old one, so moving the alias costs no request. Restarting pods does, "
        "unless new ones are ready before old ones go"
    )


@dataclass
class Story:
    """What a stage brought about; what it did not come to stays as it is here."""

    calm: Observation = field(default_factory=lambda: unseen("nothing"))
    watched: Observation = field(default_factory=lambda: unseen("rows"))
    fired: Observation = field(default_factory=lambda: unseen("an alert"))
    started: Observation = field(default_factory=lambda: unseen("a run"))
    once: Observation = field(default_factory=lambda: unseen("one run"))
    ended: Observation = field(default_factory=lambda: unseen("the run's end"))
    made: Observation = field(default_factory=lambda: unseen("what the run made"))
    kept: Observation = field(default_factory=lambda: unseen("the old version"))
    moved: Observation = field(default_factory=lambda: unseen("another version"))
    lineage: Observation = field(default_factory=lambda: unseen("tags"))
    serving: Observation = field(default_factory=lambda: unseen("the new version"))
    unharmed: Observation = field(default_factory=lambda: unseen("no failure"))
    when: str = ""


def unseen(what: str) -> Observation:
    return Observation(False, what, "it did not come to that")


async def put_back(lab: Lab) -> Observation:
    """The warehouse at its first day, and the alias on the oldest version; that version as the observation's value."""

    async def oldest() -> str:
        versions = await lab.platform.mlflow.versions()
        return str(versions[-1]["version"]) if versions else ""

    found = await lab.time.eventually(
        oldest, bool, expected="a first version of the model in MLflow",
        shown=lambda version: f"version {version}" if version else "none yet", within=READY_WITHIN,
    )  # fmt: skip
    if found.ok:
        await ready(lab, "days")
        await world(lab, BEFORE, turned=False)
        # Only when the Job has set it; a moment lies between the version and its alias.
        await lab.time.eventually(
            lambda: production(lab), bool, expected="the alias", shown=lambda version: version or "none", within=20
        )
        if await production(lab) != found.value:
            await lab.platform.mlflow.set_alias(ALIAS, found.value)
    return found


async def told(lab: Lab) -> Story:
    """Post messages about one alert while the labels are turned round."""
    story, first = Story(), (await lab.once(put_back)).value
    try:
        await world(lab, BEFORE, turned=True)
        known = await runs(lab)
        over = message(lab, now() - AGO, ended=now() - timedelta(seconds=5))
        await post(lab, over)
        await lab.time.pause(QUIET)
        made = await new(lab, known)
        story.calm = Observation(not made, "no run from a resolved message", f"{count(made)}")
        if made:
            return story
        firing = message(lab, now())
        answered = await asyncio.gather(post(lab, firing), post(lab, firing))
        story.started = await begun(lab, known, answered=answered)
        if not story.started.ok:
            return story
        run = story.started.value[0]
        for when, prepare in (
            ("told twice at the same moment", lambda: lab.time.pause(QUIET)),
            ("told again while the run went on", lambda: again(lab, firing)),
            ("told again after the run's end", lambda: after_the_end(lab, run, firing, story)),
            ("told again after the receiver's pod was replaced", lambda: replaced(lab, firing)),
        ):
            await prepare()
            made = await new(lab, known)
            story.once = Observation(len(made) == 1, "1 run for one alert", f"{count(made)}, {when}", len(made))
            story.when = f"Here: {when}."
            if len(made) != 1:
                return story
        story.made = await has_made(lab, run, "system.Dataset", "the warehouse's days")
        story.kept = await kept(lab, first)
        return story
    finally:
        await clear(lab, story.kept.ok)


async def idle(lab: Lab) -> Story:
    """An alert when there is nothing new to learn."""
    story, first = Story(), (await lab.once(put_back)).value
    try:
        await world(lab, BEFORE, turned=False)
        known = await runs(lab)
        answered = [await post(lab, message(lab, now()))]
        story.once = await begun(lab, known, answered=answered)
        if story.once.ok:
            story.ended = await ended(lab, story.once.value[0])
            if story.ended.ok:
                story.made = await has_made(lab, story.once.value[0], "system.Model", "a candidate")
                story.kept = await kept(lab, first)
        return story
    finally:
        await clear(lab, story.kept.ok)


async def has_made(lab: Lab, run: str, kind: str, what: str) -> Observation:
    """Whether a run came as far as an artifact of a type."""
    found = await lab.platform.pipelines.artifacts(run)
    kinds = sorted({str(each.get("type")) for each in found.values()})
    return Observation(
        any(each.startswith(kind) for each in kinds), f"the run has {what}: an artifact of type {kind}",
        f"artifacts of {', '.join(kinds) or 'no type'}; the run: {state(await one(lab, run))}",
    )  # fmt: skip


async def drifted(lab: Lab) -> Story:
    """Ordinary traffic, then a drift, until the new version serves."""
    story, first = Story(), (await lab.once(put_back)).value
    body = await flights(lab, *(await days_of(lab, first)))
    try:
        known = await runs(lab)
        async with lab.traffic.load("model", rate=CALM, duration=120, body=body, late_at_most=LATE):
            rows = f'max(app_of:model_rows:increase2m{{{lab.platform.prometheus.matcher},app="model"}})'
            story.watched = await lab.time.eventually(
                lambda: value(lab, rows), lambda seen: seen >= ENOUGH, shown=lambda seen: f"{seen:.0f} rows",
                expected=f"{ENOUGH} rows or more in two minutes, as Prometheus counts them", within=60,
            )  # fmt: skip
            if not story.watched.ok:
                return story
            await lab.time.pause(20)
            fired, made = await alerts(lab, pending=True), await new(lab, known)
            story.calm = Observation(
                not fired and not made, "no alert and no run on ordinary traffic", f"{named(fired)}; {count(made)}"
            )
        if not story.calm.ok:
            return story
        await world(lab, AFTER, turned=False)
        body = await flights(lab, *STORMS)
        async with lab.traffic.load("model", rate=DRIFTED, duration=590, body=body, late_at_most=LATE) as load:
            story.fired = await lab.time.eventually(
                lambda: alerts(lab), bool, expected="an alert about drift fires", shown=named, within=FIRES_WITHIN
            )
            if not story.fired.ok:
                return story
            story.once = await begun(lab, known, within=45)
            if not story.once.ok:
                return story
            run = story.once.value[0]
            story.ended = await ended(lab, run, many=lambda: new(lab, known))
            if story.ended.ok:
                version = await production(lab)
                story.moved = Observation(
                    version not in ("", first), f"alias {ALIAS} on another version than {first}",
                    f"on version {version}; the run: {state(await one(lab, run))}",
                )  # fmt: skip
                if story.moved.ok:
                    story.lineage = await lineage(lab, version, run)
                    story.serving = await served(lab, version, within=SERVES_WITHIN)
                    await lab.time.pause(LAST + 1)
                    at = load.elapsed
                    answers = load.seen.window(at - LAST - 1, at - 1).labels
                    others = {label: number for label, number in answers.items() if label not in ("", version)}
                    if story.serving.ok and others:
                        story.serving = Observation(False, f"answers from {version} alone", f"{others} in the last s")
            made = await new(lab, known)
            story.once = Observation(len(made) == 1, "1 run for one drift", count(made), len(made))
            story.when = f"Here: {', '.join(created(run) for run in made)}; alerts: {named(await alerts(lab))}."
        story.unharmed = none_lost(load.report)
        return story
    finally:
        await clear(lab, False)


async def clear(lab: Lab, unchanged: bool) -> None:
    """End runs that are under way, and put the warehouse and the alias back."""
    task = asyncio.current_task()
    if unchanged or (task and task.cancelling()):
        return
    first = (await lab.once(put_back)).value
    for run in await runs(lab):
        await lab.platform.pipelines.end(run["run_id"])
    await world(lab, BEFORE, turned=False)
    if first and await production(lab) != first:
        await lab.platform.mlflow.set_alias(ALIAS, first)


# What is done to the world.


async def world(lab: Lab, today: str, *, turned: bool) -> None:
    """The warehouse at a day, its labels right or turned round."""
    set_to = await lab.time.eventually(
        lambda: lab.traffic.post("days", "/world", {"today": today, "turned": turned}, within=10),
        lambda answer: answer.status == 200, expected="the warehouse, Service days, answers with status 200",
        shown=lambda answer: f"status {answer.status} {answer.error}".strip(), within=ANSWERS_WITHIN,
    )  # fmt: skip
    expect(set_to).because(
        "the warehouse is the lab's own: Deployment and Service days. Leave them as they are, or: lab reset"
    )


async def flights(lab: Lab, first: str, last: str) -> Object:
    """A body of POST /predict with flights spread over some days."""
    answer = await lab.traffic.get("days", f"/flights?first={first}&last={last}&rows={ROWS}", within=30)
    return answer.fields()


async def post(lab: Lab, body: Object) -> int:
    """Post a message as Alertmanager does: again when the answer is an error, three times at most; the last status."""
    status = 0
    for _ in range(3):
        status = (await lab.traffic.post("alerts", "/", body, within=15)).status
        if 200 <= status < 300 or 400 <= status < 500:
            break
        await lab.time.pause(1)
    return status


def message(lab: Lab, began: datetime, ended: datetime | None = None) -> Object:
    """Alertmanager's message (version 4) about one alert of this namespace."""
    labels = {"alertname": "FeatureDrift", **lab.platform.prometheus.labels, "app": "model", "of": "temp",
              "severity": "warning"}  # fmt: skip
    group = {name: labels[name] for name in ("alertname", "app", "namespace")}
    status = "resolved" if ended else "firing"
    alert = {
        "status": status, "labels": labels, "annotations": {"summary": "Feature temp of model has moved"},
        "startsAt": stamp(began), "endsAt": stamp(ended) if ended else "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph", "fingerprint": "26c0ffee26c0ffee",
    }  # fmt: skip
    key = '{}/{namespace=~"^(?:(.+-)?lab-[0-9]+)$"}:{' + ", ".join(f'{name}="{group[name]}"' for name in group) + "}"
    return {
        "receiver": "own", "status": status, "alerts": [alert], "groupLabels": group, "commonLabels": labels,
        "commonAnnotations": alert["annotations"], "externalURL": "http://alertmanager:9093", "version": "4",
        "groupKey": key, "truncatedAlerts": 0,
    }  # fmt: skip


async def again(lab: Lab, body: Object) -> None:
    await post(lab, body)
    await lab.time.pause(QUIET)


async def after_the_end(lab: Lab, run: str, body: Object, story: Story) -> None:
    story.ended = await ended(lab, run)
    await again(lab, body)


async def replaced(lab: Lab, body: Object) -> None:
    """Replace the receiver's pods, and tell the new ones."""
    old = [pod["metadata"]["name"] for pod in await lab.objects.pods_of("alerts")]
    for name in old:
        await lab.objects.kill(name)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(30):
            while any(pod["metadata"]["name"] in old for pod in await lab.objects.all("Pod")):
                await lab.time.pause(0.5)
    await ready(lab, "alerts")
    await again(lab, body)


async def ready(lab: Lab, name: str) -> None:
    seen = await lab.objects.deployment(name).rolled_out(within=60)
    expect(seen).because("kubectl describe pod and kubectl logs say what holds the pod up")


# What is seen of it.


def now() -> datetime:
    return datetime.now(UTC)


def stamp(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def runs(lab: Lab) -> list[Object]:
    """The runs of this lab's experiment, newest first."""
    return await lab.platform.pipelines.runs()


async def new(lab: Lab, known: list[Object]) -> list[Object]:
    """The runs that were not there before."""
    before = {run["run_id"] for run in known}
    return [run for run in await runs(lab) if run["run_id"] not in before]


async def begun(
    lab: Lab, known: list[Object], within: float = STARTS_WITHIN, answered: Sequence[int] = ()
) -> Observation:
    """Wait for a run that was not there before; the value is a list of its id."""
    seen = await lab.time.eventually(lambda: new(lab, known), bool, expected="1 run begins", shown=count, within=within)
    told = (
        f"; the messages were answered with status {', '.join(map(str, answered))} (0: no answer)" if answered else ""
    )
    return Observation(seen.ok, seen.expected, seen.seen + told, [run["run_id"] for run in seen.value])


async def one(lab: Lab, run: str) -> Object:
    return await lab.platform.pipelines.run(run)


async def ended(lab: Lab, run: str, many: Any = None) -> Observation:
    """Wait for a run's end; with `many` also until there is more than one."""

    async def look() -> tuple[Object, int]:
        return await one(lab, run), len(await many()) if many else 1

    return await lab.time.eventually(
        look, lambda seen: lab.platform.pipelines.over(seen[0]) or seen[1] > 1, expected="the run ends",
        shown=lambda seen: state(seen[0]), within=ENDS_WITHIN, every=2,
    )  # fmt: skip


async def production(lab: Lab) -> str:
    """The version in production; empty for none."""
    found = await lab.platform.mlflow.by_alias(ALIAS)
    return str(found["version"]) if found else ""


async def answers(lab: Lab) -> set[str]:
    """The versions that some requests in a row were answered by."""
    found = set()
    for _ in range(4):
        answer = await lab.traffic.get("model", "/version", within=5)
        found.add(str(answer.fields_if_any.get("model_version")) if answer.status == 200 else f"status {answer.status}")
    return found


async def served(lab: Lab, version: str, within: float) -> Observation:
    """Wait until all answers come from a version."""
    return await lab.time.eventually(
        lambda: answers(lab), lambda seen: seen == {version}, expected=f"every pod answers with version {version}",
        shown=lambda seen: f"answers from version {', '.join(sorted(seen))}", within=within,
    )  # fmt: skip


async def kept(lab: Lab, first: str) -> Observation:
    """The alias where it was, and nobody answers with another version."""
    version = await production(lab)
    if version != first:
        return Observation(False, f"alias {ALIAS} on version {first}", f"on version {version}: it was put into service")
    seen = await served(lab, first, within=10)
    return Observation(seen.ok, f"version {first} in production and in every answer", seen.seen)


async def lineage(lab: Lab, version: str, run: str) -> Observation:
    tags = await tags_of(lab, version)
    named_run, days = tags.get("pipeline.run", ""), re.findall(r"\d{4}-\d\d-\d\d", tags.get("data.days", ""))
    late = None
    with contextlib.suppress(IndexError, ValueError):  # no day, or one that no calendar has
        late = (date.fromisoformat(AFTER) - date.fromisoformat(days[-1])).days
    return Observation(
        named_run == run and late is not None and 0 <= late <= 14,
        f"pipeline.run {run}, data.days that end 0 to 14 days before {AFTER}",
        json.dumps({name: tags.get(name, "") for name in ("pipeline.run", "data.days")}),
    )


async def days_of(lab: Lab, version: str) -> tuple[str, str]:
    """The days that a version was trained on."""
    tag = (await tags_of(lab, version)).get("data.days", "")
    days = re.findall(r"\d{4}-\d\d-\d\d", tag)
    expect(
        Observation(len(days) == 2, f"version {version} with its first and last day as data.days", tag or "no such tag")
    ).because(
        "the ordinary traffic is of the days that the oldest version was trained on, and the lab made that version "
        "with this tag. If it is gone: lab reset makes it again"
    )
    return days[0], days[1]


async def tags_of(lab: Lab, version: str) -> dict[str, str]:
    """The tags of a version; none if it is gone."""
    versions = await lab.platform.mlflow.versions()
    found: Object = next((each for each in versions if str(each["version"]) == version), {})
    return {tag["key"]: str(tag.get("value", "")) for tag in found.get("tags", [])}


async def value(lab: Lab, query: str) -> float:
    found = await lab.platform.prometheus.query(query)
    return float(found[0].points[0][1] or 0) if found else 0.0


async def alerts(lab: Lab, *, pending: bool = False) -> list[str]:
    """The alerts about drift that fire, or also those that would in a moment."""
    state = "firing|pending" if pending else "firing"
    query = f'ALERTS{{alertstate=~"{state}",{lab.platform.prometheus.matcher},app="model",alertname=~"{DRIFT}"}}'
    found = await lab.platform.prometheus.query(query)
    return sorted({f"{each.labels['alertname']} of {each.labels.get('of')}" for each in found})


def named(found: list[str]) -> str:
    return ", ".join(found) or "no alert"


def count(found: list[Object]) -> str:
    return f"{len(found)} run{'s' * (len(found) != 1)}" if found else "no run"


def state(run: Object) -> str:
    steps = (run.get("run_details") or {}).get("task_details") or []
    at = [f"{each['display_name']} {each.get('state')}" for each in steps if each.get("state") in ("RUNNING", "FAILED")]
    return ", ".join([str(run.get("state")), *at])


def created(run: Object) -> str:
    return f"a run of {run.get('created_at')}"
