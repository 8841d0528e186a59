"""The pods that run the image: as the platform runs it, with all rights, and with these but without a token."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import AsyncIterator

import yaml

from mlops_lab.checks import Lab, LabError, Observation, is_ready
from mlops_lab.kit.host_names import drawn_name
from mlops_lab.kit.logs import last_lines
from mlops_lab.kit.pods import containers_of
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object

from .planting import PLATFORM

LABEL, PLAIN, STRICT = "mlops-lab/checker", "checker-plain", "checker-strict"
BARE = "checker-bare"
UP_WITHIN = 60  # s, the pull included
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
    for name in (PLAIN, STRICT):
        objects += of_platform(name, image, secret["name"])
    async with standing(lab, objects, grace=0):
        yield


async def without_token(lab: Lab, image: str) -> Observation:
    """Whether a pod with all rights becomes ready that nobody gives a token; waits until it has ended, or is ready.

    Raises:
        LabError: as for `up`.
    """
    async with standing(lab, of_platform(BARE, image)[:1], grace=0):
        return await up(lab, BARE)


def of_platform(name: str, image: str, secret: object = None) -> list[Object]:
    """A pod as the platform makes it, or for all but `STRICT` with all rights, and a Service for it.

    Args:
        secret: the Secret that has the token; None for a pod without one.
    """
    deployment = yaml.safe_load(PLATFORM.read_text(encoding="utf-8").split("\n---\n")[0])
    spec = deployment["spec"]["template"]["spec"]
    spec["restartPolicy"] = "Never"
    spec["hostname"] = drawn_name("model")  # as the platform's pods have; what runs in the image may ask for it
    (server,) = spec["containers"]
    server["image"] = image
    if secret is None:
        server["env"] = []
    else:
        server["env"][0]["valueFrom"]["secretKeyRef"]["name"] = secret
    if name != STRICT:
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
