"""What the Deployment is once the learner's program has ended, held against what it was before the call."""

from __future__ import annotations

import json
import math
import re
import time

from mlops_lab.checks import Lab, Observation, rolled_out, rollout_state
from mlops_lab.kit.autoscalers import autoscalers_of
from mlops_lab.kit.pods import images, leaving, name, runs
from mlops_lab.kube.client import Object

from .calls import Tried, other_server, wanted_pods

SEEN_WITHIN = 1  # s from the program's end until what it waited for must be seen
BACK_WITHIN = 20  # s from the program's end until all pods are as they were
GRACE = 30  # s, where a pod says nothing
LEAST = 1  # s that a hook counts for which says no time, beside another one
SLEEPS = re.compile(r"\bsleep[ (\"']+(\d+(?:\.\d+)?)([smhd]?)\b")
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


async def through_with(lab: Lab, image: str) -> Observation:
    """Whether all pods of the Deployment are of an image, ready, and there are no others; looked at once or twice."""
    return await lab.time.eventually(
        lab.objects.deployment("model").now,
        lambda now: rolled_out(now) and template_images(now)[:1] == [image],
        expected=f"Deployment model with {image} in all pods, ready, once ./deploy has ended",
        shown=lambda now: f"image {', '.join(template_images(now)) or 'none'}, {rollout_state(now)}",
        within=SEEN_WITHIN,
    )


async def asked_back(lab: Lab, found: Object | None) -> Observation:
    """Whether the Deployment asks for the images from before the call again; looked at once or twice.

    Args:
        found: the Deployment before.
    """
    before = template_images(found)
    return await lab.time.eventually(
        lab.objects.deployment("model").now,
        lambda now: template_images(now) == before,
        expected=f"image {', '.join(before)} in Deployment model again, once ./deploy has ended",
        shown=lambda now: f"image {', '.join(template_images(now)) or 'none'}",
        within=SEEN_WITHIN,
    )


async def went_back(lab: Lab, found: Object | None, image: str) -> Observation:
    """Whether all pods are again what they were before an image was tried in vain, and none is left of that.

    They wait before they end, too, as they did: these are what the next update ends.

    Args:
        found: the Deployment before.
    """
    before, end = template_images(found), time.monotonic() + BACK_WITHIN
    back = await lab.objects.deployment("model").until(
        lambda item: rolled_out(item) and template_images(item) == before,
        expected=f"image {', '.join(before)} again, all pods ready,",
        shown=lambda item: f"image {', '.join(template_images(item))}, {rollout_state(item)}",
        within=BACK_WITHIN,
    )
    if not back.ok:
        return back

    async def left() -> list[str]:
        return [name(pod) for pod in await lab.objects.all("Pod") if runs(pod, image) and not leaving(pod)]

    none_left = await lab.time.eventually(
        left, lambda pods: not pods, expected=f"no pod of {image} left", shown=lambda pods: f"left: {', '.join(pods)}",
        within=max(1.0, round(end - time.monotonic())),
    )  # fmt: skip
    if not none_left.ok:
        return none_left
    for kept in await as_before(lab, found), waits_as_before(found, await lab.objects.deployment("model").now()):
        if not kept.ok:
            return kept
    return back


async def as_before(lab: Lab, before: Object | None) -> Observation:
    """Whether the Deployment is still the given server, not paused, and wants no fewer pods than before `./deploy`.

    Where an autoscaler says how many pods there are, that is its business.
    """
    now = await lab.objects.deployment("model").now()
    if not (server := given_server(now)).ok:
        return server
    if paused(now) and not paused(before):
        return Observation(False, "a Deployment that follows its template after ./deploy, as before it", "paused: true")
    were, are = wanted_pods(before), wanted_pods(now)
    if are >= were or await autoscalers_of(lab):
        return server
    return Observation(False, f"{were} pods or more after ./deploy, as before it", f"replicas: {are}")


def given_server(deployment: Object | None) -> Observation:
    """Whether a Deployment's first container is still the server that was given, whatever its image."""
    asked = "the server (command, MODEL_LOAD_SECONDS) as it was given, after ./deploy"
    if deployment is None:
        return Observation(False, asked, "no Deployment")
    said = other_server(deployment["spec"]["template"]["spec"])
    return Observation(not said, asked, said[0] if said else "it is", None, tuple(said[1:]))


async def all_along(lab: Lab, after: Observation, before: Object | None, pods: Tried) -> Observation:
    """What was seen after a call; or, if that is right, what was wrong meanwhile: a pod of the new image with another
    server, or fewer pods wanted than before, where no autoscaler decides about that.

    Args:
        before: the Deployment before.
    """
    if not after.ok:
        return after
    were, fewest = wanted_pods(before), pods.fewest
    if fewest is not None and fewest < were and not await autoscalers_of(lab):
        return Observation(False, f"{were} pods or more while ./deploy works, as before it", f"replicas: {fewest}")
    if not pods.others:
        return after
    lines = [f"pod {pod}: {said}" for pod, said in pods.others.items()]
    asked = "the server (command, MODEL_LOAD_SECONDS) as it was given, in each pod of the new image"
    return Observation(False, asked, lines[0], None, tuple(lines[1:8]))


def waits_as_before(before: Object | None, after: Object | None) -> Observation:
    """Whether pods wait before they end as long as those before `./deploy` did: these are what the next update ends.

    Args:
        before: the Deployment before the call.
        after: after it.
    """
    were, are = (each["spec"]["template"]["spec"] if each else {"containers": [{}]} for each in (before, after))
    of_unread = math.inf if _hook(were) == _hook(are) else LEAST
    ok = waits_for(are, of_unread) >= waits_for(were, of_unread)
    expected = "a preStop wait in the pods after ./deploy that is no shorter than before it"
    return Observation(ok, expected, _ending(are) if ok else f"{_ending(are)}; before it {_ending(were)}")


def waits_for(spec: Object, of_unread: float) -> float:
    """How many seconds a pod waits before it ends; with its grace period a preStop hook is over, too.

    Args:
        of_unread: how long a hook waits that does not say it.
    """
    return min(_seconds(_hook(spec), of_unread), _grace(spec))


def _seconds(hook: Object, of_unread: float) -> float:
    """How long a preStop hook takes by its `sleep`, or by those in its command; 0 without one."""
    if not hook:
        return 0.0
    if sleep := hook.get("sleep"):
        return float(sleep["seconds"])
    slept = SLEEPS.findall(" ".join((hook.get("exec") or {}).get("command") or []))
    return sum(float(number) * UNITS[unit] for number, unit in slept) if slept else of_unread


def _ending(spec: Object) -> str:
    """What becomes of a pod when it is deleted, in words."""
    hook = json.dumps(_hook(spec))[:120] if _hook(spec) else "none"
    return f"preStop {hook}, terminationGracePeriodSeconds {_grace(spec)}"


def _hook(spec: Object) -> Object:
    found: Object = (spec["containers"][0].get("lifecycle") or {}).get("preStop") or {}
    return found


def _grace(spec: Object) -> int:
    return int(spec.get("terminationGracePeriodSeconds", GRACE))


def paused(deployment: Object | None) -> bool:
    """Does it leave its pods as they are when its template changes?"""
    return bool(((deployment or {}).get("spec") or {}).get("paused"))


def template_images(deployment: Object | None) -> list[str]:
    """The images of a Deployment's pods; none without one."""
    return images(deployment["spec"]["template"]) if deployment else []
