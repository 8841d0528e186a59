"""What lab 12 plays once: the learner's own `deploy` brings v2 under load, and then tries a broken image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mlops_lab.checks import Lab, Observation, rolled_out, rollout_state
from mlops_lab.kit.answering import own_answers
from mlops_lab.kit.autoscalers import autoscalers_of
from mlops_lab.kit.losses import none_lost
from mlops_lab.kit.pods import images, leaving, runs
from mlops_lab.kit.restore import interrupted, put_back
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.report import LoadReport

from .calls import WITHIN, Tried, deploy, noted, other_server
from .releases import images_called

RATE, DURATION = 160, 125  # requests a second, s: 20,000 requests
LATE = 1.0  # s that requests may leave late while pods start on a small machine: failures are counted, no latencies
BEFORE = 5  # s of load on what is there, before the program is called
AFTER, LAST = 5, 10  # s after the program's end, and after those the seconds in which only the new version answers
RATE_BROKEN = 25  # requests a second while the broken image is tried
SEEN_WITHIN = 1  # s from the program's end until what it waited for must be seen
BACK_WITHIN = 20  # s from the program's end until all pods are as they were
FOLLOW_WITHIN = 90  # s until the pods of a Deployment that was put back are ready


@dataclass(frozen=True)
class Update:
    """What the update brought about.

    Attributes:
        through: whether the Deployment had no pod but new ones when the program said that it was done.
        given: whether the program left the server what it was, but for the image, in no fewer pods.
        own: whether the answers at the end came from the Deployment itself.
    """

    exited: Observation
    through: Observation
    given: Observation
    own: Observation
    replaced: Observation
    unharmed: Observation
    report: LoadReport

    @property
    def well(self) -> bool:
        """Whether all was as asked."""
        return all(each.ok for each in (self.exited, self.through, self.given, self.own, self.replaced, self.unharmed))


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


async def updated(lab: Lab) -> Update:
    """Let the program update to v2 under load; if anything was not as asked, put the Deployment back."""
    from . import replaces_the_old, updates_without_a_failure

    found = await lab.once(deployment_before)
    image = (await lab.once(images_called)).good
    update = None
    try:
        body = lab.traffic.hidden_rows(1).body
        async with lab.traffic.load("model", rate=RATE, duration=DURATION, body=body, late_at_most=LATE) as load:
            await lab.time.pause(BEFORE)
            async with noted(lab, image, every=1.0) as pods:
                command = await deploy(lab, image)
            done = await through_with(lab, image)
            given = all_along(await as_before(lab, found), pods)
            await lab.time.pause(AFTER + LAST)
            so_far, now = load.seen, load.elapsed
            through = set(with_version(so_far.window(now - LAST, now).labels)) == {"v2"}
            decided = command.code != 0 or not done.ok or not given.ok or not through or so_far.failed
            if not decided and lab.thorough(replaces_the_old, updates_without_a_failure):
                await load.finished()
            ended = load.elapsed
        report = load.report
        seen, last = report.labels, report.window(ended - LAST, ended).labels
        replaced = Observation(
            bool(seen.get("v1") and seen.get("v2") and set(with_version(last)) == {"v2"}),
            f"answers from v1, then from v2; in the last {LAST} s from v2 alone",
            f"in all {versions(seen)}; in the last {LAST} s {versions(last)}",
        )
        asked = f"./deploy {image}: exit code 0 within {WITHIN} s"
        exited = command.observed(command.code == 0, asked)
        update = Update(exited, done, given, await own_answers(lab), replaced, none_lost(report), report)
        return update
    finally:
        if not (update and update.well):
            await back_as_found(lab)
            await lab.platform.untagged(*vars(await lab.once(images_called)).values())


async def tried(lab: Lab) -> Trial:
    """Let the program try the broken image on the updated Deployment, then put the Deployment back as it was found."""
    await lab.once(updated)
    broken, deployment = (await lab.once(images_called)).broken, lab.objects.deployment("model")
    try:
        found = await deployment.now()
        before = template_images(found)
        whole, body = WITHIN + BACK_WITHIN, lab.traffic.hidden_rows(1).body
        async with (
            lab.traffic.load("model", rate=RATE_BROKEN, duration=whole, body=body, late_at_most=LATE) as load,
            noted(lab, broken, every=0.3) as pods,
        ):
            command = await deploy(lab, broken)
            await lab.time.pause(5)
        back = await deployment.until(
            lambda item: rolled_out(item) and template_images(item) == before,
            expected=f"image {', '.join(before)} again, all pods ready,",
            shown=lambda item: f"image {', '.join(template_images(item))}, {rollout_state(item)}",
            within=BACK_WITHIN,
        )
        left = [
            pod["metadata"]["name"] for pod in await lab.objects.all("Pod") if runs(pod, broken) and not leaving(pod)
        ]
        if back.ok and left:
            back = replace(back, ok=False, expected="no pod of the broken image left", seen=f"left: {', '.join(left)}")
        if back.ok and not (kept := await as_before(lab, found)).ok:
            back = kept
        tries = pods.ever_ready
        asked = f"./deploy {broken}: an exit code other than 0 within {WITHIN} s"
        return Trial(
            Observation(bool(tries), "1 pod or more tries the broken image", f"{len(tries)} tried it"),
            none_lost(load.report),
            command.observed(command.code not in (0, None), asked),
            back,
            await own_answers(lab),
            any(tries.values()),
            command.seconds if command.code is None else None,
        )
    finally:
        await back_as_found(lab)
        await lab.platform.untagged(*vars(await lab.once(images_called)).values())


async def through_with(lab: Lab, image: str) -> Observation:
    """Whether all pods of the Deployment are of an image, ready, and there are no others; looked at once or twice."""
    return await lab.time.eventually(
        lab.objects.deployment("model").now,
        lambda now: rolled_out(now) and template_images(now)[:1] == [image],
        expected=f"Deployment model with {image} in all pods, ready, once ./deploy has ended",
        shown=lambda now: f"image {', '.join(template_images(now)) or 'none'}, {rollout_state(now)}",
        within=SEEN_WITHIN,
    )


def given_server(deployment: Object | None) -> Observation:
    """Whether a Deployment's first container is still the server that was given, whatever its image."""
    asked = "the server (command, MODEL_LOAD_SECONDS) as it was given, after ./deploy"
    if deployment is None:
        return Observation(False, asked, "no Deployment")
    said = other_server(deployment["spec"]["template"]["spec"])
    return Observation(not said, asked, said[0] if said else "it is", None, tuple(said[1:]))


def all_along(after: Observation, pods: Tried) -> Observation:
    """What was seen after a call; or, if that is right, that a pod of the new image had another server meanwhile."""
    if not after.ok or not pods.others:
        return after
    lines = [f"pod {pod}: {said}" for pod, said in pods.others.items()]
    asked = "the server (command, MODEL_LOAD_SECONDS) as it was given, in each pod of the new image"
    return Observation(False, asked, lines[0], None, tuple(lines[1:8]))


async def as_before(lab: Lab, before: Object | None) -> Observation:
    """Whether the Deployment is still the given server, and wants no fewer pods than before `./deploy`.

    Where an autoscaler says how many pods there are, that is its business.
    """
    now = await lab.objects.deployment("model").now()
    if not (server := given_server(now)).ok:
        return server
    were, are = (int(((item or {}).get("spec") or {}).get("replicas", 1)) for item in (before, now))
    if are >= were or await autoscalers_of(lab):
        return server
    return Observation(False, f"{were} pods or more after ./deploy, as before it", f"replicas: {are}")


async def back_as_found(lab: Lab) -> None:
    """Make the Deployment again what it was found to be, and wait until its pods follow."""
    await put_back(lab, await lab.once(deployment_before))
    if not interrupted():
        await lab.objects.deployment("model").rolled_out(within=FOLLOW_WITHIN)


def template_images(deployment: Object | None) -> list[str]:
    """The images of a Deployment's pods; none without one."""
    return images(deployment["spec"]["template"]) if deployment else []


def with_version(labels: Mapping[str, int]) -> dict[str, int]:
    """The answers that say a version."""
    return {label: number for label, number in labels.items() if label}


def versions(labels: Mapping[str, int]) -> str:
    """How many answers came from which version, in words."""
    return ", ".join(f"{number} from {label}" for label, number in sorted(with_version(labels).items())) or "no answers"
