"""Alerts that the checker posts to Alertmanager as Prometheus would, and who is notified of them."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from mlops_lab.checks import Lab
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.prerequisites import must
from mlops_lab.kube.client import Object

from .forms import answered
from .prometheus import PODS
from .tracing import traced
from .world import GOOD, about, in_service, inbox, release

WITHIN = 60  # s from an alert in Alertmanager to its message
SERVICES = ("tickets", "baggage", "checkin", "crews", "fuel", "lounge", "meals", "seats")
ALERTS = ("CertificateExpired", "DiskFull", "QueueGrows", "BackupFailed", "QuotaReached", "ClockSkewed")
MORE_WITHIN = 6  # s in which the rest comes, where one message of a kind has come


@dataclass
class Notifications:
    """What came of the alerts.

    Attributes:
        pages: messages at the pager about the critical one.
        notes: in the chat, about the warning that nothing inhibits.
        pages_all, notes_all: all messages about any of the alerts.
        woken: warnings at the pager.
        doubled: warnings in the chat about what the pager has rung for.
        waited: seconds.
        changed: the release in service, if it is another one by then.
        inhibited: whether the warning is that nothing should inhibit.
    """

    pages: list[Object] = field(default_factory=list)
    notes: list[Object] = field(default_factory=list)
    pages_all: list[Object] = field(default_factory=list)
    notes_all: list[Object] = field(default_factory=list)
    woken: int = 0
    doubled: int = 0
    waited: float = 0
    changed: str = ""
    inhibited: bool = False

    def elsewhere(self, severity: str) -> str:
        """Where the alert of a severity went that did not go where it should."""
        there = about(self.notes_all if severity == "critical" else self.pages_all, severity=severity)
        return f"it came to the {'chat' if severity == 'critical' else 'pager'} alone" if there else "it came to nobody"


async def notified(lab: Lab) -> Notifications:
    """Post three critical alerts about one service, and warnings about it and about another; see what comes.

    And a critical one about the model, which is not that too many requests fail.
    """
    # If these bring another release, the pods go whose logs ./trace reads.
    await settled(lab, traced)
    await in_service(lab)
    chance, key = drawn(lab, "alerts"), uuid.uuid4().hex[:6]
    tickets, baggage = (f"{word}-{key}" for word in chance.sample(SERVICES, 2))
    name, of_model, slow = (f"{word}-{key}" for word in chance.sample(ALERTS, 3))
    since = {place: (await inbox(lab, place))[1] for place in ("pager", "chat")}
    critical = [alert(name, "critical", tickets, pod=f"{tickets}-{number}") for number in range(PODS)]
    critical.append(alert(of_model, "critical", "model"))
    doubled, warning = alert(slow, "warning", tickets), alert(slow, "warning", baggage)

    async def came(place: str) -> list[Object]:
        return [each for each in (await inbox(lab, place, since[place]))[0] if key in json.dumps(each)]

    story, began, end = Notifications(), time.monotonic(), None
    try:
        await post(lab, critical)
        await lab.time.pause(1)
        await post(lab, [doubled, warning])
        while True:
            story.pages_all, story.notes_all = await came("pager"), await came("chat")
            story.pages, story.notes = about(story.pages_all, alertname=name), about(story.notes_all, service=baggage)
            story.waited = time.monotonic() - began
            if end is None and story.pages and story.notes:
                end = story.waited + MORE_WITHIN
            if story.waited > (WITHIN if end is None else end):
                break
            await lab.time.pause(1)
        story.inhibited = not story.notes and await is_inhibited(lab, baggage)
        story.woken = len(about(story.pages_all, severity="warning"))
        story.doubled = len(about(story.notes_all, service=tickets, severity="warning"))
        if (now := await release(lab)) != GOOD:
            story.changed = now
    finally:
        over = datetime.now(UTC)
        with contextlib.suppress(Exception):
            await post(lab, [{**each, "endsAt": over.isoformat()} for each in (*critical, doubled, warning)])
        if story.changed:
            await in_service(lab)
    return story


def alert(name: str, severity: str, service: str, **more: str) -> Object:
    """An alert as Prometheus posts it, which fires now and for 3 minutes."""
    now = datetime.now(UTC)
    return {
        "labels": {"alertname": name, "severity": severity, "service": service, **more},
        "annotations": {"summary": "Posted by the checker", "runbook_url": "https://runbooks.example.org/none"},
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(minutes=3)).isoformat(),
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


async def is_inhibited(lab: Lab, service: str) -> bool:
    """Does Alertmanager say that an alert about a service is inhibited?"""
    known = (await lab.traffic.get("alertmanager", "/api/v2/alerts?inhibited=true", port=9093)).text
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        found = [each for each in json.loads(known) if each["labels"].get("service") == service]
        return any(each["status"]["inhibitedBy"] for each in found)
    return False


async def settled(lab: Lab, stage: Callable[[Lab], Awaitable[Any]]) -> None:
    """Wait for the end of a stage, whatever it is."""
    with contextlib.suppress(Exception):
        await lab.once(stage)
