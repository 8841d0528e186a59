"""The fault: requests come without weather, the pager rings, v1 comes into service, and it is over."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from mlops_lab.checks import Lab, LabError, absent
from mlops_lab.kit.prerequisites import must
from mlops_lab.kube.client import Object

from .plan import RESOLVED_WITHIN
from .prometheus import in_words, query
from .world import GOOD, OLD, fares, fires, in_service, inbox, leave_weather_out, put_in_service, release, untouched

SHARE, LARGER_SHARE = 0.1, 0.5  # of the requests that come without weather
FIRES_WITHIN = 120  # s from the fault to the message
MADE_WITHIN = 30  # s until the first request fails
BACK_WITHIN = 45  # s from the page until the release before is asked for
CALM = 7  # s without a failure, after which the fault is over
OVER_WITHIN = 60  # s for that, from when the release before is asked for
AFTERWARDS = 12  # s in which nothing more may be changed
LOOK_EVERY = 2  # s; messages say themselves how long ago they came


@dataclass
class Page:
    """The first message at the pager, and how many seconds after the first failed request it came."""

    alert: Object
    after: float


@dataclass
class Story:
    """What the fault led to.

    Attributes:
        images: of the Deployment, as they were seen one after the other.
        waited: seconds for the page.
        alerts: what Prometheus has, where no page came.
        resolved: seconds from the last failed request to the message that it is over.
        waited_for_end: seconds.
    """

    images: list[str] = field(default_factory=list)
    page: Page | None = None
    waited: float = 0
    alerts: str = "no alert"
    resolved: float | None = None
    waited_for_end: float = 0

    def unheard(self) -> str:
        """How things stand where no message came."""
        acted = f", and {OLD} is in service" if OLD in self.images else ""
        return f"none after {self.waited:.0f} s, while Prometheus has {self.alerts}{acted}"


async def inject_fault(lab: Lab, *, whole: bool, stays: bool) -> Story:
    """Let requests come without weather until the pager has rung, and see it through to the end.

    Args:
        whole: whether the end is looked at; else more requests fail, and it is over once v1 is asked for.
        stays: whether to look on until whoever hears later of the end has heard of it, too.
    """
    await in_service(lab)
    await quiet(lab)
    story = Story()
    _, last = await inbox(lab, "pager")
    try:
        await leave_weather_out(lab, SHARE if whole else LARGER_SHARE)
        await paged(lab, story, last)
        if story.page:
            await fallen_back(lab, story, whole=whole)
            if whole:
                await resolved(lab, story, last)
                if stays:
                    await all_told(lab)
                await nothing_more(lab, story)
    finally:
        try:
            await leave_weather_out(lab, 0)
        finally:
            await put_in_service(lab)
    return story


async def quiet(lab: Lab) -> None:
    """No critical alert about the model is on its way while nothing is wrong."""

    async def active() -> list[str]:
        return in_words(await query(lab, 'ALERTS{severity="critical",service="model"}'))

    seen = await lab.time.eventually(
        active, lambda found: not found, expected="no critical alert about the model before the fault",
        shown=lambda found: ", ".join(found) or "none", within=FIRES_WITHIN, every=2,
    )  # fmt: skip
    must(seen, "all requests are answered with 200 at this time: an alert that always fires says nothing")


async def look(lab: Lab, story: Story) -> Object:
    """How the passengers fare; and note a change of the release."""
    now = await release(lab)
    if not story.images or story.images[-1] != now:
        story.images.append(now)
    return await fares(lab)


async def alerts(lab: Lab, last: int) -> AsyncIterator[tuple[Object, float]]:
    """The alerts of the messages that came to the pager after a number, each with when, by the monotonic clock."""
    for message in (await inbox(lab, "pager", last))[0]:
        for each in message["alerts"]:
            yield each, time.monotonic() - message["ago"]


async def paged(lab: Lab, story: Story, last: int) -> None:
    """Wait for the first message."""
    began, first = time.monotonic(), None
    while True:
        now = await look(lab, story)
        story.waited = time.monotonic() - began
        if first is None and now["first_failed"] is not None:
            first = began = time.monotonic() - now["first_failed"]
        if first is None and OLD in story.images:
            must(
                absent(f"{GOOD} in service until requests fail", " -> ".join(story.images)),
                "nothing was wrong when the release was changed: kubectl logs deployment/responder shows what it was "
                "told, and when",
            )
        if first is None and story.waited > MADE_WITHIN:
            await untouched(lab)
            raise LabError(
                "requests without weather do not fail: the fault could not be made", "try again, or: lab reset"
            )
        async for each, at in alerts(lab, last):
            if first is not None and fires(each, severity="critical", service="model"):
                story.page = story.page or Page(each, at - first)
        if story.page or story.waited > FIRES_WITHIN:
            break
        await lab.time.pause(LOOK_EVERY)
    if not story.page:
        story.alerts = ", ".join(in_words(await query(lab, 'ALERTS{service="model"}'))) or "no alert"


async def fallen_back(lab: Lab, story: Story, *, whole: bool) -> None:
    """Wait until the release before is asked for, and no request fails any more; else end the fault."""
    began = time.monotonic()
    while OLD not in story.images and time.monotonic() - began < BACK_WITHIN:
        await look(lab, story)
        await lab.time.pause(LOOK_EVERY)
    began = time.monotonic()
    while OLD in story.images and time.monotonic() - began < OVER_WITHIN:
        last = (await look(lab, story))["last_failed"]
        if not whole or (last is not None and last > CALM):
            return
        await lab.time.pause(LOOK_EVERY)
    # Nobody fell back, or not for long: the weather is back.
    await leave_weather_out(lab, 0)


async def resolved(lab: Lab, story: Story, last: int) -> None:
    """Wait for the message that the alert is over."""
    assert story.page
    over = time.monotonic() - ((await look(lab, story))["last_failed"] or 0.0)
    while story.resolved is None and (waited := time.monotonic() - over) < RESOLVED_WITHIN:
        story.waited_for_end = waited
        await look(lab, story)
        async for each, at in alerts(lab, last):
            if each.get("status") == "resolved" and each.get("labels") == story.page.alert["labels"]:
                story.resolved = max(0.0, at - over)
        await lab.time.pause(LOOK_EVERY)


async def all_told(lab: Lab) -> None:
    """Let Alertmanager tell of the end whom it would tell later: who has a longer `group_interval` than the pager.

    When it has read its configuration again, it makes all groups anew, and what is in one and is older than its
    `group_wait` is told at once. What a receiver has been told of already it is not told of again.
    """
    await lab.traffic.post("alertmanager", "/-/reload", {}, port=9093)


async def nothing_more(lab: Lab, story: Story) -> None:
    """See that nothing more is changed."""
    until = time.monotonic() + AFTERWARDS
    while time.monotonic() < until:
        await look(lab, story)
        await lab.time.pause(LOOK_EVERY)
