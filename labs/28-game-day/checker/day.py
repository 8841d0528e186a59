"""The day: passengers ask, the plane has no link for five minutes, and faults come one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlops_lab.checks import Failure, Lab, LabError, Observation
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.pods import leaving, name
from mlops_lab.kit.side_by_side import together
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object

from . import incidents, plan
from .air import KILLED, LINK, Strangers, kill_ground, link_trouble, lossy_way
from .faults import put, take_back, versions
from .plan import HURTS, RATES, SERVICES, Day
from .release import unread_never_named
from .scenario import ENOUGH, MODELS, PARTS, judged, whole
from .stage import GROUND, Event, Stage, policy, staged, target

EVERY = 2.0  # s between two looks
RESTARTS_WITHIN = 30.0  # s that the plane's pod may take to come back
HANDED_WITHIN = 60.0  # s after the link is back, and the last record was handed in
KNOWN_WITHIN = 15.0  # s for what is on the ground before the day begins
LAST_LOOK = 32.0  # s after the last fault, in which the log may note its end
CUT_SETTLES = 5.0  # s at both ends of the cut that are not judged
FEW = 10  # records of the plane's that may be taken while the checker counts them
SURE = 5.0  # s by which a fault's end is seen late


@dataclass
class Played:
    """What was seen of the day.

    Attributes:
        events: all requests of the day.
        seen: its faults.
        log: the incident log at the end; `said` is what was answered last.
        named: kinds and places that it had at any time; `foretold` those with an end that had not come yet.
        ledger: records on board and on the ground, at the end.
        no_flight: why the plane did not fly, or not without a link; empty if it did.
        unanswered: how many answers of the ground's to the edge got lost.
        began, cut, killed, back: Unix times.
    """

    day: Day
    events: Sequence[Event] = ()
    seen: list[incidents.Seen] = field(default_factory=list)
    log: Sequence[incidents.Incident] = ()
    said: str = ""
    named: set[tuple[str, str]] = field(default_factory=set)
    foretold: set[tuple[str, str]] = field(default_factory=set)
    ledger: dict[str, Any] = field(default_factory=dict)
    unanswered: int = 0
    began: float = 0.0
    cut: float = 0.0
    killed: float = 0.0
    back: float = 0.0
    no_flight: str = ""

    @property
    def asked(self) -> float:
        """From when on the incident log is compared, Unix time."""
        return self.began + plan.QUIET


class _Course:
    """The day as it goes on."""

    def __init__(self, stage: Stage, day: Day) -> None:
        self.stage, self.lab, self.found = stage, stage.lab, Played(day, began=stage.now)
        self.link: tuple[Object, Mapping[str, str]] | None = None  # the policy's spec and the edge's labels, in the air
        self.beside = Strangers(stage.lab, "edge")

    async def at(self, seconds: float) -> None:
        """Wait until so many seconds after the day's beginning."""
        await self.lab.time.pause(max(0.0, self.found.began + seconds - self.stage.now))

    async def watch(self, over: asyncio.Event) -> None:
        """Take what comes back, and read the log, until it is over."""
        while not over.is_set():
            try:
                await self.stage.look()
                await self.read()
                await self.look_at_link()
            except LabError as trouble:
                if not trouble.transient:
                    raise
            await self.lab.time.pause(EVERY)

    async def read(self) -> None:
        """Read the incident log, and note what it has for the first time."""
        if not await target(self.lab, "incidents"):
            return
        try:
            answer = await self.lab.traffic.get("incidents", "/incidents", within=4)
        except Failure as away:  # the Service, or its port, has just gone
            self.found.said = away.seen
            return
        self.found.said = answer.shown
        if answer.status == 200:
            self.found.log = incidents.read(answer.fields_if_any)
            self.found.named |= incidents.named(self.found.log, self.found.asked)
            self.found.foretold |= incidents.foretold(self.found.log, self.found.asked, self.stage.now)
            for each in self.found.seen:
                if each.over is None and each.has_end(self.found.log):
                    each.ends.append(self.stage.now)
        for each in self.found.seen:
            if each.noticed is None and any(map(each.is_it, self.found.log)):
                each.noticed = self.stage.now

    async def look_at_link(self) -> None:
        """While the plane flies: is its link cut, and is it alone that answers?"""
        if self.link and not self.found.no_flight:
            trouble = await link_trouble(self.lab, *self.link)
            await self.beside.look(self.stage.now, every=5.0)
            beside = f"behind Service edge was also {self.beside.found}" if self.beside.found else ""
            if self.link:  # it may be back meanwhile
                self.found.no_flight = trouble or beside

    async def faults(self) -> None:
        """Faults, one after the other: four, and more while there is time."""
        for number, fault in enumerate(self.found.day.faults):
            begins = fault.after + (self.stage.now - self.found.began if number else 0.0)
            if number >= len(plan.GROUPS) and begins > plan.LAST:
                break
            await self.at(begins)
            changed = await put(self.lab, self.stage, fault)
            seen = incidents.Seen(fault, changed.at, bad=changed.before.get("bad", ""))
            self.found.seen.append(seen)
            try:
                if fault.lasts:
                    await self.lab.time.pause(fault.lasts)
                else:
                    over = await self.lab.time.eventually(
                        changed.over, bool, expected="", shown=str, within=fault.limit + SURE, every=EVERY
                    )
                    seen.mended = over.ok
            finally:
                await take_back(changed)
            seen.over = self.stage.now
        await self.lab.time.pause(LAST_LOOK)

    async def flight(self) -> None:
        """The plane: without a link for five minutes, its pod killed meanwhile; then its records."""
        day = self.found.day
        await self.answers_lost()
        await self.at(day.link_lost)
        edge = await self.lab.objects.deployment("edge").now()
        if edge is None:
            self.found.no_flight = "there is no Deployment edge"
            return
        async with standing(self.lab, [policy(LINK, edge["spec"]["selector"], self.stage.address)]):
            self.found.cut = self.stage.now
            made = await self.lab.objects.named("NetworkPolicy", LINK).now()
            if made is None:
                self.found.no_flight = f"NetworkPolicy {LINK} is gone"
            else:
                self.link = (made["spec"], edge["spec"]["template"]["metadata"].get("labels") or {})
            await self.at(day.ground_killed)
            await kill_ground(self.lab)
            await self.at(day.edge_killed - plan.BURSTS[0])
            await self.stage.say(rates={"records": plan.BURST})  # what was taken last is lost first
            await self.at(day.edge_killed)
            self.found.killed = self.stage.now
            for pod in await owned_pods(self.lab, "edge"):
                if not leaving(pod):
                    await self.lab.objects.kill(name(pod), grace=KILLED)
            await self.lab.time.pause(plan.BURSTS[1])
            await self.stage.say(rates={"records": RATES["records"]})
            await self.at(day.edge_killed + RESTARTS_WITHIN)
            taken = (await self._counted()).get("taken")
            await self.at(day.link_back - 2)
            self.found.no_flight = self.found.no_flight or carried(taken, await self._counted())
            await self.at(day.link_back)
            await self.look_at_link()
            self.link = None
        self.found.back = self.stage.now
        await self.lab.time.pause(10)  # some more on the ground
        await self.stage.say(rates={"records": 0.0})
        seen = await self.lab.time.eventually(
            self._ledger, lambda ledger: ledger.get("lost") == 0, expected="", shown=str,
            within=HANDED_WITHIN, every=3.0,
        )  # fmt: skip
        await self.lab.time.pause(10)  # what is handed over twice may come later
        self.found.ledger = seen.value if not seen.ok else await self._ledger()

    async def answers_lost(self) -> None:
        """On the ground some records come, and the edge, which has a link, is not told."""
        await self.at(plan.LOSSY[0])
        if not (way := await lossy_way(self.lab, self.stage.address)):
            return
        ground, ends = way
        await self.stage.say(lossy=ground)
        try:
            async with standing(self.lab, ends):
                await self.at(plan.LOSSY[1])
        finally:
            self.found.unanswered = int((await self.stage.say(lossy=[])).get("lost", 0))

    async def _counted(self) -> dict[str, Any]:
        """As `_ledger`, in the air, where it is not waited for."""
        try:
            return await self._ledger()
        except LabError as trouble:
            if not trouble.transient:
                raise
            return {}

    async def _ledger(self) -> dict[str, Any]:
        """What the ground has of what was taken on board."""
        return dict((await self.stage.say(ground=await target(self.lab, GROUND)))["ledger"])


def carried(taken: int | None, ledger: Mapping[str, Any]) -> str:
    """What came to the ground without a link, in words; empty if nothing did, or nobody knows.

    Args:
        taken: how many records there were when the pod that has no link had come up.
        ledger: of the ground, just before the link is back.
    """
    if taken is None or "lost" not in ledger:
        return ""
    more = ledger["taken"] - ledger["lost"] - taken
    return f"{more} records that were taken in the air were on the ground before it had a link" if more > FEW else ""


async def played(lab: Lab) -> Played:
    """The day, once for all checks that ask about it."""
    day = plan.day(drawn(lab, "day"))
    await lab.objects.delete("NetworkPolicy", LINK)  # a check that was cut off may have left it
    async with staged(lab, 1) as stage:
        # The feeds have a month more, which no Job has learnt: what answers by them, and not by the registry, is wrong.
        # A version that is made in the day may have learnt it, or be the one in service once more.
        known = {model: await versions(lab, model) for model in MODELS}
        await stage.say(state=2, states=[1, 1, 2], old=known)
        await _known(stage)
        await stage.rates(**RATES)
        course = _Course(stage, day)
        over = asyncio.Event()

        async def through() -> None:
            try:
                await together(course.faults(), course.flight())
            finally:
                over.set()

        await together(through(), course.watch(over))
        await stage.look()
        await course.read()
        course.found.events = list(stage.events)
        return course.found


async def _known(stage: Stage) -> None:
    """Learn which records are on the ground before the day begins; a ground that does not answer has none."""

    async def look() -> bool:
        return bool((await stage.say(known=await target(stage.lab, GROUND)))["known"])

    await stage.lab.time.eventually(look, bool, expected="", shown=str, within=KNOWN_WITHIN, every=3.0)


def kept(day: Played) -> list[Observation]:
    """Of each service, whether its answers were right, but for where a fault at it had not to be over yet."""
    hurt = [each for each in day.seen if each.fault.what in HURTS]

    def excused(event: Event, where: str) -> bool:
        return any(
            each.fault.where == where and each.began - 2 <= event.at <= each.began + each.fault.limit + 2
            for each in hurt
        )

    found, services = [], {part: service for service, part in PARTS.items()}
    found += [unread_never_named(day.events, each.fault.where, each.bad) for each in day.seen if each.bad]
    for service in SERVICES:
        own = [each for each in day.events if each.kind == service and not excused(each, service)]
        if service == "page":
            own = whole(own, lambda event, part: excused(event, services.get(part, "")))
        found.append(judged(own, f"answers of {service}", enough=ENOUGH, least=100))
    return found


def in_the_air(day: Played) -> list[Observation]:
    """Whether the plane answered, and took records, while there was no link."""
    cut = f"for 300 s NetworkPolicy {LINK} is as it was made, and nothing else lets the edge out or answers for it"
    found = [Observation(not day.no_flight, cut, day.no_flight or "it was, and nothing did")]
    for kind, what in (("air", "answers on board"), ("records", "records that are handed in on board")):
        own = [
            each
            for each in day.events
            if each.kind == kind
            and day.cut + CUT_SETTLES <= each.at <= day.back - CUT_SETTLES
            and not day.killed - 1 <= each.at <= day.killed + RESTARTS_WITHIN
        ]
        found.append(judged(own, f"{what} without a link", enough=ENOUGH, least=100))
    return found


def handed_over(day: Played) -> Observation:
    """Whether the ground has each record of the plane's once."""
    seen = day.ledger
    expected = "each record that was taken on board is on the ground, once, as it was handed in"
    if "unread" in seen or not seen:
        return Observation(False, expected, f"GET /records of Service {GROUND}: {seen.get('unread', 'no answer')}")
    wrong = {kind: seen[kind] for kind in ("lost", "doubled", "changed", "strange") if seen[kind]}
    shown = ", ".join(f"{number} {kind}" for kind, number in wrong.items()) or "none lost, none doubled"
    lost = f", and {day.unanswered} answers of the ground's got lost" if day.unanswered else ""
    said = f"of {seen['taken']}, {seen['twice']} of them handed in twice{lost}: {shown}"
    ok = not wrong and seen["taken"] >= 100
    return Observation(ok, expected, said, seen["taken"], tuple(seen["examples"]))
