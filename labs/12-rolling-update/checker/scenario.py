"""What lab 12 plays once: the learner's own `deploy` brings v2 under load, and is then called with images that fail.

The first of these is not in the registry yet; after it the next good one is brought. Before the call with the second
v1 is put in again past the program, and what was not there is: the broken image has that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlops_lab.checks import Lab, LabError, Observation
from mlops_lab.checks.rooms.work import Command
from mlops_lab.kit.answering import own_answers
from mlops_lab.kit.losses import none_lost
from mlops_lab.kit.restore import interrupted, put_back
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.report import LoadReport

from .calls import WITHIN, deploy, deployment_now, noted
from .kept import (
    BACK_WITHIN,
    all_along,
    as_before,
    asked_back,
    template_images,
    through_with,
    waits_as_before,
    went_back,
)
from .releases import forgotten, images_called, pushed_late

RATE, DURATION = 160, 125  # requests a second, s: 20,000 requests
LATE = 1.0  # s that requests may leave late while pods start on a small machine: failures are counted, no latencies
BEFORE = 5  # s of load on what is there, before the program is called
AFTER, LAST = 5, 10  # s after the program's end, and after those the seconds in which only the new version answers
RATE_BROKEN = 25  # requests a second while the broken image is tried
FOLLOW_WITHIN = 90  # s until the pods of a Deployment that was put back are ready


@dataclass(frozen=True)
class Absent:
    """What became of an image that the registry does not have.

    Attributes:
        back: whether after it all pods were what they were before.
    """

    refused: Observation
    back: Observation


@dataclass(frozen=True)
class Update:
    """What the update brought about.

    Attributes:
        through: whether the Deployment had no pod but new ones when the program said that it was done.
        given: whether the program left the server what it was, but for the image, in no fewer pods.
        waits: whether it left the pods what lets them end without a loss in the next update.
        own: whether the answers at the end came from the Deployment itself.
        until: seconds of the load that are of the update; what comes after them, of the image that is not there.
        absent: None where that was not tried.
        again: how the next good image was brought; nothing where that was not tried.
    """

    exited: Observation
    through: Observation
    given: Observation
    waits: Observation
    own: Observation
    replaced: Observation
    unharmed: Observation
    report: LoadReport
    until: float
    absent: Absent | None
    again: tuple[Observation, ...]

    @property
    def well(self) -> bool:
        """Whether all was as asked."""
        seen = self.exited, self.through, self.given, self.waits, self.own, self.replaced, self.unharmed, *self.again
        return all(each.ok for each in seen)


@dataclass(frozen=True)
class Trial:
    """What the broken image brought about.

    Attributes:
        own: whether the answers after it come from the Deployment itself.
        was_ready: whether a pod of it was ever ready.
        stopped_after: the limit, if the program had to be stopped.
    """

    begun: Observation
    unharmed: Observation
    refused: Observation
    back: Observation
    own: Observation
    was_ready: bool
    stopped_after: float | None


async def deployment_before(lab: Lab) -> Object:
    """The Deployment as it was before the checker let anything happen to it."""
    return await lab.objects.deployment("model").present()


async def deployment_updated(lab: Lab) -> Object:
    """The Deployment as the update has left it."""
    return await lab.objects.deployment("model").present()


async def updated(lab: Lab) -> Update:
    """Let the program update to v2 under load; if anything was not as asked, put the Deployment back.

    While the rest of the load goes on, it is called with an image that can't be pulled.
    """
    from . import broken_never_serves, replaces_the_old, rolls_back, updates_without_a_failure

    found = await lab.once(deployment_before)
    image = (await lab.once(images_called)).good
    whole = lab.thorough(replaces_the_old, updates_without_a_failure)
    update = absent = None
    again: tuple[Observation, ...] = ()
    try:
        body = lab.traffic.hidden_rows(1).body
        async with lab.traffic.load("model", rate=RATE, duration=DURATION, body=body, late_at_most=LATE) as load:
            await lab.time.pause(BEFORE)
            async with noted(lab, image, every=1.0) as pods:
                command = await deploy(lab, image)
            done = await through_with(lab, image)
            given = await all_along(lab, await as_before(lab, found), found, pods)
            waits = waits_as_before(found, await deployment_now(lab))
            await lab.time.pause(AFTER + LAST)
            so_far, now = load.seen, load.elapsed
            through = set(with_version(so_far.window(now - LAST, now).labels)) == {"v2"}
            own, until = await own_answers(lab), load.elapsed
            good = command.code == 0 and all((done.ok, given.ok, waits.ok, own.ok, through, not so_far.failed))
            if good and whole:
                absent = await tried_in_vain(lab)
                await load.finished()
        if good and not whole and lab.thorough(broken_never_serves, rolls_back):
            absent = await tried_in_vain(lab)
        if good and lab.thorough(replaces_the_old):
            again = await released_again(lab)
        report = load.report
        seen, last = report.window(0, until).labels, report.window(until - LAST, until).labels
        replaced = Observation(
            bool(seen.get("v1") and seen.get("v2") and set(with_version(last)) == {"v2"}),
            f"answers from v1, then from v2; in the last {LAST} s from v2 alone",
            f"in all {versions(seen)}; in the last {LAST} s {versions(last)}",
        )
        asked = f"./deploy {image}: exit code 0 within {WITHIN} s"
        exited = command.observed(command.code == 0, asked)
        update = Update(exited, done, given, waits, own, replaced, none_lost(report), report, until, absent, again)
        return update
    finally:
        # `tried` goes on from here, and puts all back; but it comes only where its checks do.
        if not (update and update.well and lab.runs(broken_never_serves, rolls_back)):
            await back_as_found(lab)
            await forgotten(lab)


async def tried_in_vain(lab: Lab) -> Absent:
    """Call the program with an image that the registry does not have; the Deployment is then as before the call."""
    image, found = (await lab.once(images_called)).late, await lab.once(deployment_updated)
    command = await deploy(lab, image)
    asked_for = await asked_back(lab, found)
    back = await went_back(lab, found, image) if asked_for.ok else asked_for
    asked = f"./deploy {image}, which the registry does not have: an exit code other than 0 within {WITHIN} s"
    refused = command.observed(command.code not in (0, None), asked)
    if not (refused.ok and back.ok):
        await put_back(lab, found)
        await lab.objects.deployment("model").rolled_out(within=FOLLOW_WITHIN)
    return Absent(refused, back)


async def released_again(lab: Lab) -> tuple[Observation, ...]:
    """Call the program with the next good image; nothing where the registry has one name for both."""
    names = await lab.once(images_called)
    if names.later == names.good:
        return ()
    command = await deploy(lab, names.later)
    asked = f"./deploy {names.later}, the next image: exit code 0 within {WITHIN} s"
    return command.observed(command.code == 0, asked), await through_with(lab, names.later)


async def tried(lab: Lab) -> Trial:
    """Let the program try the broken image on a Deployment that it has not brought about itself, and put that back."""
    await lab.once(updated)
    try:
        await put_in_by_hand(lab)
        broken = await pushed_late(lab)
        found = await lab.objects.deployment("model").now()
        whole, body = WITHIN + BACK_WITHIN, lab.traffic.hidden_rows(1).body
        async with (
            lab.traffic.load("model", rate=RATE_BROKEN, duration=whole, body=body, late_at_most=LATE) as load,
            noted(lab, broken, every=0.3) as pods,
        ):
            command = await deploy(lab, broken)
            asked_for = await asked_back(lab, found)
            await lab.time.pause(5)
        back = await went_back(lab, found, broken) if asked_for.ok else asked_for
        tries = pods.ever_ready
        asked = f"./deploy {broken}: an exit code other than 0 within {WITHIN} s"
        return Trial(
            tried_it(len(tries), command),
            none_lost(load.report),
            command.observed(command.code not in (0, None), asked),
            back,
            await own_answers(lab),
            any(tries.values()),
            command.seconds if command.code is None else None,
        )
    finally:
        await back_as_found(lab)
        await forgotten(lab)


def tried_it(pods: int, command: Command) -> Observation:
    """Whether pods of the Deployment have tried the broken image; if none has, how the program ended, and its words."""
    asked, ended = "1 pod or more tries the broken image", command.observed(pods > 0, "")
    if pods:
        return Observation(True, asked, f"{pods} tried it")
    return Observation(False, asked, f"none tried it; ./deploy: {ended.seen}", evidence=ended.evidence)


async def put_in_by_hand(lab: Lab) -> None:
    """Put the image from before the check into the Deployment, as somebody would who does not use the program.

    Raises:
        LabError: its pods do not become ready.
    """
    now, before = await lab.once(deployment_updated), await lab.once(deployment_before)
    first, *others = now["spec"]["template"]["spec"]["containers"]
    containers = [first | {"image": template_images(before)[0]}, *others]
    await lab.objects.patch("Deployment", "model", {"spec": {"template": {"spec": {"containers": containers}}}})
    seen = await lab.objects.deployment("model").rolled_out(within=FOLLOW_WITHIN)
    if not seen.ok:
        message = f"what ran before the check, put in once more: {seen.seen} after {FOLLOW_WITHIN} s"
        raise LabError(message, "kubectl describe pods says what holds them up; then check again")


async def back_as_found(lab: Lab) -> None:
    """Make the Deployment again what it was found to be, and wait until its pods follow."""
    await put_back(lab, await lab.once(deployment_before))
    if not interrupted():
        await lab.objects.deployment("model").rolled_out(within=FOLLOW_WITHIN)


def with_version(labels: Mapping[str, int]) -> dict[str, int]:
    """The answers that say a version."""
    return {label: number for label, number in labels.items() if label}


def versions(labels: Mapping[str, int]) -> str:
    """How many answers came from which version, in words."""
    return ", ".join(f"{number} from {label}" for label, number in sorted(with_version(labels).items())) or "no answers"
