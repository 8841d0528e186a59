"""Alerts that the checker posts to Alertmanager as Prometheus would, and who is notified of them."""

from __future__ import annotations

import contextlib
import json
import random
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import yaml

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.prerequisites import must
from mlops_lab.kube.client import Object

from .day import Labels
from .forms import answered
from .plan import RESOLVED_WITHIN
from .prometheus import PODS
from .world import GOOD, about, fires, in_service, inbox, release

WITHIN = 60  # s from an alert in Alertmanager to its message
SERVICES = ("tickets", "baggage", "checkin", "crews", "fuel", "lounge", "meals", "seats")
ALERTS = ("CertificateExpired", "DiskFull", "QueueGrows", "BackupFailed", "QuotaReached", "ClockSkewed")
WORDS = ("Training", "Nightly", "Import", "Upload", "Backup", "Billing")  # in names of other alerts
NAMES = 3  # of the learner's alerts, to which names are made that are near
PLACES = 2  # of each name, at which a word is put between its parts
# Where a part of a name begins: at an inner capital, or after what is no letter and no digit.
PART = re.compile(r"(?<=[^A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[\W_])(?=[^\W_])")
OWN_AT_MOST, SILENT_AT_MOST = 12, 4  # of the learner's warnings, and of what tells nobody: 20 are read of a message
MORE_WITHIN = 6  # s in which the rest comes, where one message of a kind has come
ACTS_WITHIN = 36  # s in which a responder has acted that is told 30 s (the default of group_wait) later than others
LOOK_EVERY = 2  # s
MOST_ROUTES = 1000  # that are looked at; in YAML a list may be in itself
LATE = 5  # s by which a message may seem later than it was


@dataclass
class Notifications:
    """What came of the alerts.

    Attributes:
        pages: messages at the pager about the critical one.
        pods: how many alerts about it each of them has.
        notes: in the chat, about the warning that nothing inhibits.
        noted: how many alerts about it each of them has.
        pages_all, notes_all: all messages about any of the alerts.
        woken: warnings at the pager.
        doubled: warnings in the chat about what the pager has rung for.
        waited: seconds.
        changed: the release in service, if it is another one by then.
        posted: the names of what was posted by then.
        inhibited: whether the warning is that nothing should inhibit.
        critical: the name of the critical alert about another service of next week that is soon over.
        over: when it was, by the monotonic clock; None if that could not be posted.
        told: the number of the pager's last message by then.
        unheard: what about the service `model` of others did not come where it should, in words.
    """

    pages: list[Object] = field(default_factory=list)
    pods: list[int] = field(default_factory=list)
    notes: list[Object] = field(default_factory=list)
    noted: list[int] = field(default_factory=list)
    pages_all: list[Object] = field(default_factory=list)
    notes_all: list[Object] = field(default_factory=list)
    woken: int = 0
    doubled: int = 0
    waited: float = 0
    changed: str = ""
    posted: list[str] = field(default_factory=list)
    inhibited: bool = False
    critical: str = ""
    over: float | None = None
    told: int = -1
    unheard: str = ""

    def elsewhere(self, severity: str) -> str:
        """Where the alert of a severity went that did not go where it should."""
        there = about(self.notes_all if severity == "critical" else self.pages_all, severity=severity)
        return f"it came to the {'chat' if severity == 'critical' else 'pager'} alone" if there else "it came to nobody"


async def notified(lab: Lab, own: Sequence[Labels] | None = None, acted_on: Sequence[str] = ()) -> Notifications:
    """Post critical alerts of three pods of one service, a warning about it, and warnings of three pods of another.

    With them one about a third service, which is soon over: the news of that has to wait for as long as a group's news
    ever does, as its group has just been told of. And another team's warning about the model; a critical alert about it
    comes afterwards, as that silences warnings. And alerts of the learner's, none of which is that too many requests
    fail: warnings and what tells nobody with the others, and critical ones afterwards. Whoever acts on one has time to.

    Args:
        own: the labels of such alerts of the learner's; None if none is posted, and no response is waited for.
        acted_on: the names of the learner's alerts that too many requests fail. Alerts are posted whose names have
            such a one or its parts in them, or its letters in the other case, and are others.
    """
    await in_service(lab)
    chance, key = drawn(lab, "alerts"), uuid.uuid4().hex[:6]
    tickets, baggage, fuel = (f"{word}-{key}" for word in chance.sample(SERVICES, 3))
    name, of_model, slow, short, mild = (f"{word}-{key}" for word in chance.sample(ALERTS, 5))
    since = {place: (await inbox(lab, place))[1] for place in ("pager", "chat")}
    critical, noted = (
        [alert(key, labelled(*labels) | of_pod(labels[-1], number)) for number in range(PODS)]
        for labels in ((name, "critical", tickets), (slow, "warning", baggage))
    )
    warnings = [
        alert(key, labels) for labels in (labelled(slow, "warning", tickets), labelled(mild, "warning", "model"))
    ]
    warnings += noted
    mine = {each: [labels for labels in own or () if labels["severity"] == each] for each in ("warning", "critical")}
    silent = [labels for labels in own or () if labels["severity"] not in mine][:SILENT_AT_MOST]
    about_model = [alert(key, labels) for labels in (*mine["warning"][:OWN_AT_MOST], *silent)]
    soon_over = [alert(key, labelled(short, "critical", fuel))]
    story, began = Notifications(critical=short), time.monotonic()
    firing: list[Object] = []

    async def put(alerts: Sequence[Object]) -> None:
        firing.extend(alerts)
        story.posted = [*dict.fromkeys([*story.posted, *(each["labels"]["alertname"] for each in alerts)])]
        await post(lab, alerts)

    async def end(alerts: Sequence[Object]) -> None:
        over = datetime.now(UTC).isoformat()
        await post(lab, [{**each, "endsAt": over} for each in alerts])
        firing[:] = [each for each in firing if each not in alerts]

    async def look() -> None:
        for place, kept in (("pager", story.pages_all), ("chat", story.notes_all)):
            kept[:] = [each for each in (await inbox(lab, place, since[place]))[0] if key in json.dumps(each)]
        if of_model not in story.posted:  # where all alerts are one group, it is told again once that one is in it
            story.pages = about(story.pages_all, alertname=name)
            story.pods = [sum(fires(each, alertname=name) for each in page["alerts"]) for page in story.pages]
            story.notes = about(story.notes_all, service=baggage)
            story.noted = [sum(fires(each, service=baggage) for each in note["alerts"]) for note in story.notes]
        story.waited = time.monotonic() - began

    async def seen(enough: Callable[[], bool], within: float) -> bool:
        until = time.monotonic() + within
        while True:
            await look()
            if enough() or time.monotonic() > until:
                return enough()
            await lab.time.pause(1)

    async def changed(within: int = 0) -> bool:
        for left in range(within // LOOK_EVERY, -1, -1):
            if (now := await release(lab)) != GOOD:
                story.changed = now
            if story.changed or not left:
                break
            await lab.time.pause(LOOK_EVERY)
        return bool(story.changed)

    try:
        await put([*critical, *soon_over])
        await lab.time.pause(1)
        await put([*warnings, *about_model])
        heard = await seen(lambda: bool(story.pages and story.notes), WITHIN)
        if heard:
            names = {each["alertname"] for each in mine["warning"][:OWN_AT_MOST]}
            await seen(lambda: all(about(story.notes_all, alertname=each) for each in names), MORE_WITHIN)
            await lab.time.pause(MORE_WITHIN)
            await look()
            if (
                not about(story.notes_all, alertname=mild)
                and await led_away(lab, mild, story.notes)
                and not await seen(lambda: bool(about(story.notes_all, alertname=mild)), WITHIN)
            ):
                story.unheard = "a warning about service model does not come to the chat"
        story.inhibited = not story.notes and await is_inhibited(lab, baggage)
        story.woken = len(about(story.pages_all, severity="warning"))
        story.doubled = len(about(story.notes_all, service=tickets, severity="warning"))
        story.told = (await inbox(lab, "pager"))[1]
        with contextlib.suppress(Exception):
            await end(soon_over)
            story.over = time.monotonic()
        if heard and not await changed(ACTS_WITHIN if own is not None else 0):
            others = (text for each in acted_on[:NAMES] for text in near(chance, each) if own is not None)
            more = [*mine["critical"], *(labelled(each, "critical", "model") for each in others)]
            await put([alert(key, labels) for labels in (labelled(of_model, "critical", "model"), *more)])
            paged = await seen(lambda: bool(about(story.pages_all, alertname=of_model)), WITHIN)
            if not paged and await led_away(lab, of_model, story.pages):
                story.unheard = story.unheard or "a critical alert about service model does not come to the pager"
            await changed(ACTS_WITHIN if own is not None else 0)
        await changed()
    finally:
        with contextlib.suppress(Exception):
            await end(firing)
        if story.changed:
            await in_service(lab)
    return story


def one_message(place: str, counts: Sequence[int]) -> Observation:
    """Whether several pods were one message; of each that came it is known about how many of them it was.

    The chat may hear it again, where its group gets one alert more.
    """
    most, once = max(counts, default=0), len(counts) == 1 or place == "chat"
    return Observation(
        once and {*counts} == {PODS},
        f"1 message about {PODS} pods, at the {place}",
        f"{len(counts)} message{'s' * (len(counts) != 1)}, about {most} pod{'s' * (most != 1)} at most",
    )


async def must_hear_of_the_end(lab: Lab, story: Notifications) -> None:
    """The pager has heard that the critical alert about a service of next week is over, too; no news then.

    Raises:
        Failure: not within the time that there is for the model's own.
    """
    if story.over is None:
        return
    until = story.over + RESOLVED_WITHIN

    async def ended() -> bool:
        messages = (await inbox(lab, "pager", story.told))[0]
        messages = [each for each in messages if time.monotonic() - each["ago"] <= until + LATE]
        return any(is_over(each, story.critical) for message in messages for each in message["alerts"])

    left = until - time.monotonic()
    heard = await lab.time.eventually(
        ended, bool, expected=f"the pager hears that {story.critical}, about another service, is over as well",
        shown=lambda found: "it does" if found else f"not within {RESOLVED_WITHIN} s", within=max(left, 1.0), every=2,
    )  # fmt: skip
    must(
        heard,
        "whoever was woken wants to know when it is over, whichever service it is about: send_resolved has to be true "
        "at each receiver that writes to the pager, and no group_interval longer than that",
    )


def is_over(alert: Object, name: str) -> bool:
    """Does an alert of a message say that the one of that name is over?"""
    labels = alert.get("labels")
    return alert.get("status") == "resolved" and isinstance(labels, dict) and labels.get("alertname") == name


def labelled(name: str, severity: str, service: str) -> Labels:
    """The labels of an alert of the checker's own."""
    return {"alertname": name, "severity": severity, "service": service}


def of_pod(service: str, number: int) -> Labels:
    """The labels that tell one of a service's pods from the others, as Prometheus gives them to what it scrapes."""
    return {"pod": f"{service}-{number}", "instance": f"198.18.0.{number + 1}:8080"}


def near(chance: random.Random, name: str) -> list[str]:
    """Names that have another one in them, at the end, at the beginning or with a word inside; and its other case."""
    before, after, *inside = chance.sample(WORDS, 2 + PLACES)
    parts = [found.start() for found in PART.finditer(name)] or [len(name) // 2]
    places = chance.sample(parts, min(PLACES, len(parts)))
    split = [f"{name[:at]}{word}{name[at:]}" for at, word in zip(places, inside, strict=False)]
    return [each for each in (f"{before}{name}", f"{name}{after}", *split, name.swapcase()) if each != name]


def alert(key: str, labels: Labels) -> Object:
    """An alert as Prometheus posts it, which fires now and for 6 minutes.

    Args:
        key: by which its messages are known.
    """
    now = datetime.now(UTC)
    return {
        "labels": labels,
        "annotations": {
            "summary": f"Posted by the checker ({key})",
            "runbook_url": "https://runbooks.example.org/none",
        },
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(minutes=6)).isoformat(),
    }


async def post(lab: Lab, alerts: Sequence[Object]) -> None:
    """Post alerts to the learner's Alertmanager."""
    seen = await lab.time.eventually(
        lambda: lab.traffic.post("alertmanager", "/api/v2/alerts", alerts, port=9093),
        lambda answer: answer.status == 200,
        expected="Alertmanager takes alerts at Service alertmanager:9093, POST /api/v2/alerts",
        shown=answered,
        within=15,
    )
    must(seen, "kubectl logs deployment/alertmanager; its Service must lead to port 9093 of its pod")


async def asleep(lab: Lab, receivers: Collection[str]) -> list[str]:
    """The time intervals of these receivers' routes, as Alertmanager has loaded them."""
    status = (await lab.traffic.get("alertmanager", "/api/v2/status", port=9093)).fields_if_any
    with contextlib.suppress(yaml.YAMLError, KeyError, ValueError, TypeError, AttributeError, RecursionError):
        routes = [yaml.safe_load(status["config"]["original"])["route"]]
        for each in routes:  # a route without a receiver has that of the one above it
            if len(routes) < MOST_ROUTES:
                routes += [{"receiver": each.get("receiver"), **child} for child in each.get("routes") or ()]
        mine = [each for each in routes if each.get("receiver") in receivers]
        return [
            f"{name} {' '.join(map(str, each[name]))}"
            for each in mine
            for name in ("mute_time_intervals", "active_time_intervals")
            if each.get(name)
        ]
    return []


async def is_inhibited(lab: Lab, service: str) -> bool:
    """Does Alertmanager say that an alert about a service is inhibited?"""
    known = (await lab.traffic.get("alertmanager", "/api/v2/alerts?inhibited=true", port=9093)).text
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        found = [each for each in json.loads(known) if each["labels"].get("service") == service]
        return any(each["status"]["inhibitedBy"] for each in found)
    return False


async def led_away(lab: Lab, name: str, messages: Sequence[Object]) -> bool:
    """Does Alertmanager say that an alert goes to none of the receivers by which these messages came?

    One that goes there may be told of later: its group may have been told of others just now.
    """
    only = quote(f'alertname="{name}"')
    known = (await lab.traffic.get("alertmanager", f"/api/v2/alerts?filter={only}", port=9093)).text
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        receivers = {str(one["name"]) for each in json.loads(known) for one in each["receivers"]}
        return bool(receivers) and not receivers & {str(each["receiver"]) for each in messages}
    return False


async def settled(lab: Lab, stage: Callable[[Lab], Awaitable[Any]], but: tuple[type[Exception], ...] = ()) -> None:
    """Wait for the end of a stage, whatever it is.

    Args:
        but: what is raised all the same.
    """
    try:
        await lab.once(stage)
    except but:
        raise
    except Exception:
        return
