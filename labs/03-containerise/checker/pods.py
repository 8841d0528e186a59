"""Two pods that run the image: as the platform runs it, and with all rights; and the end of one that is at work."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import re
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import yaml

from mlops_lab.checks import Lab, LabError, Observation, at_least, is_ready
from mlops_lab.kit.logs import last_lines
from mlops_lab.kit.pods import containers_of
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.flights import numbers
from mlops_lab.measure.traffic.http import Answer

from .planting import PLATFORM

LABEL, PLAIN, STRICT = "mlops-lab/checker", "checker-plain", "checker-strict"
UP_WITHIN = 60  # s, the pull included
ROWS, BATCHES = 80, 2  # the server looks up ten rows a second: a batch takes 8 s
QUICKEST = 7.5  # s; what answers a batch sooner is another server
BATCH_WITHIN = 45  # s
ENDED_WITHIN = 22  # s, of the 30 s that the platform grants
GRACE_OVER = 45  # s, after which the kubelet has killed what did not end
# What a kubelet says of a container that will never start; other reasons may pass, such as a Secret not yet seen.
HOPELESS = re.compile(
    r"runAsNonRoot|non-numeric|executable file not found|no such file|no command specified|permission denied|"
    r"not a directory|read-only file system",
    re.IGNORECASE,
)
NOT_OURS = re.compile(
    r"ErrImagePull|ImagePullBackOff|RegistryUnavailable|ContainerCreating|timed out|deadline exceeded|"
    r"reserve container name"
)


@dataclass
class Drain:
    """What became of a pod that was deleted at work.

    Attributes:
        begun: it said that it was at work.
        answers: to the batches.
        ended: s until its container had ended; None: never.
    """

    begun: Observation
    answers: list[Answer]
    ended: float | None


async def remove_secrets(lab: Lab) -> None:
    """Delete the Secrets that an interrupted run has left."""
    for item in await lab.objects.all("Secret", LABEL):
        await lab.objects.delete("Secret", item["metadata"]["name"])


@contextlib.asynccontextmanager
async def pods(lab: Lab, image: str) -> AsyncIterator[None]:
    """The two pods with a Service each and a Secret, while the block runs."""
    secret = {"name": f"checker-{uuid.uuid4().hex[:8]}", "labels": {LABEL: "secret"}}
    objects: list[Object] = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": secret, "stringData": {"ARCHIVE_TOKEN": uuid.uuid4().hex}}
    ]
    deployment = yaml.safe_load(PLATFORM.read_text(encoding="utf-8").split("\n---\n")[0])
    for name in (PLAIN, STRICT):
        objects += of_platform(deployment, name, image, secret["name"])
    async with standing(lab, objects, grace=0):
        yield


def of_platform(deployment: Object, name: str, image: str, secret: object) -> list[Object]:
    """A pod as the platform makes it, or for `PLAIN` with all rights, and a Service for it."""
    spec = copy.deepcopy(deployment["spec"]["template"]["spec"])
    spec["restartPolicy"] = "Never"
    (server,) = spec["containers"]
    server["image"] = image
    server["env"][0]["valueFrom"]["secretKeyRef"]["name"] = secret
    if name == PLAIN:
        spec["securityContext"], server["securityContext"] = {"runAsUser": 0}, {}
    meta = {"name": name, "labels": {LABEL: name}}
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    return [
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec},
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"selector": {LABEL: name}, "ports": ports}},
    ]


async def up(lab: Lab, name: str) -> Observation:
    """Wait until the pod is ready, or never will be.

    Raises:
        LabError: no node has room for it, or its image does not come from the registry.
    """
    pod = lab.objects.named("Pod", name)
    seen = await pod.until(
        lambda item: is_ready(item) or bool(ended_or_refused(item)), expected="ready", shown=state, within=UP_WITHIN
    )
    item = await pod.now() or {}
    if is_ready(item):
        return seen
    waits = state(item)
    if "nodeName" not in item.get("spec", {}) or NOT_OURS.search(waits):
        raise LabError(f"the checker's pod {name} does not start: {waits}", "see how the cluster is: lab status")
    log = await last_lines(lab, name, 6, width=200)
    return Observation(False, seen.expected, waits, None, tuple(dict.fromkeys((*log, *seen.evidence))))


async def drained(lab: Lab, pod: str) -> Drain:
    """Begin batches, delete the pod when the server says that it is at them, and see both to their end.

    Args:
        pod: its name, and that of its Service.

    Raises:
        LabError: the machine was too busy: the batches had ended before the pod was told to.
    """
    body = lab.traffic.hidden_rows(ROWS).body

    async def batch() -> tuple[Answer, float]:
        answer = await lab.traffic.post(pod, "/batch", body, within=BATCH_WITHIN)
        return answer, time.monotonic()

    under_way = [asyncio.create_task(batch()) for _ in range(BATCHES)]
    try:
        begun = await under_way_at(lab, pod, 1, within=12)
        if begun.ok:  # both, if one process has them; with more each tells of its own
            await under_way_at(lab, pod, BATCHES, within=2)
        counts = numbers([begun.value.fields_if_any.get("batches")]) is not None
        hurried = any(hurry(task.result()[0]) for task in under_way if task.done())
        if not begun.ok and begun.value.status == 200 and (hurried or not counts):
            return Drain(begun, [], None)
        if not begun.ok:
            raise LabError(f"the batches did not begin: {begun.seen}", "the machine is busy: try again")
        since = time.monotonic()
        await lab.objects.kill(pod)
        over, _ = await asyncio.gather(has_ended(lab, pod), asyncio.wait(under_way))
        heard = [task.result() for task in under_way]
        # The kubelet hears of it within a second; a batch that was done by then proves nothing.
        if any(answer.status == 200 and at < since + 2 and not hurry(answer) for answer, at in heard):
            raise LabError("the batches were done before the pod was told to end", "the machine is busy: try again")
        return Drain(begun, [answer for answer, _ in heard], None if over is None else over - since)
    finally:
        for task in under_way:
            task.cancel()


def hurry(answer: Answer) -> bool:
    """Was a batch answered sooner than the given server can?"""
    return answer.status == 200 and answer.seconds < QUICKEST


async def under_way_at(lab: Lab, pod: str, batches: int, within: float) -> Observation:
    """Wait until the server says that it is at so many batches."""
    return await lab.time.eventually(
        lambda: lab.traffic.get(pod, "/healthz"),
        lambda answer: at_least(batches)(answer.fields_if_any.get("batches")),
        expected="the batches are under way", shown=lambda answer: answer.text[:100], within=within, every=0.2,
    )  # fmt: skip


async def has_ended(lab: Lab, pod: str) -> float | None:
    """When the container of the deleted pod had ended (time.monotonic); None: not in time."""
    seen = await lab.objects.named("Pod", pod).until(
        lambda item: item is None or any("terminated" in each.get("state", {}) for each in containers_of(item)),
        expected="ended",
        shown=state,
        within=GRACE_OVER,
    )
    return time.monotonic() if seen.ok else None


def ended_or_refused(pod: Object | None) -> str:
    """Why it will never be ready; empty as long as it may."""
    for each in containers_of(pod or {}):
        now = each.get("state", {})
        if ended := now.get("terminated"):
            return f"the container ended with exit code {ended['exitCode']}"
        waiting = now.get("waiting") or {}
        if HOPELESS.search(said := refusal(waiting)):
            return said
    return ""


def refusal(waiting: Object) -> str:
    """Why a container waits, in a line."""
    return f"{waiting.get('reason', 'waiting')}: {' '.join(str(waiting.get('message', '')).split())[:300]}".rstrip(": ")


def state(pod: Object | None) -> str:
    """How a pod stands, in words."""
    if not pod:
        return "no pod"
    if said := ended_or_refused(pod):
        return said
    for each in containers_of(pod):
        if waiting := each.get("state", {}).get("waiting"):
            return refusal(waiting)
        if "running" in each.get("state", {}):
            return "ready" if is_ready(pod) else "running, not ready"
    return str(pod.get("status", {}).get("phase", "unknown"))
