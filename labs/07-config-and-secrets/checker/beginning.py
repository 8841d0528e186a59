"""What a pod's containers run before they serve, when they end, or for a moment: in a copy that is watched."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from mlops_lab.checks import Lab, LabError
from mlops_lab.kit.copies import of_pod
from mlops_lab.kit.pods import containers_of, lives_long
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object
from mlops_lab.kube.objects import over

from .exposure import told

COPY, WATCHER = "checker-copy-that-begins", "checker-watcher"
LOOKS = 300  # s that the watcher goes on; the copy is gone long before
BEGINS_WITHIN = 60  # s for the copy's containers to run: then init containers and hooks have ended
SCRIPTS = 6.0  # s after that, in which what starts a server has come to it
ENDS_WITHIN = 15  # s for what runs before a container ends
STARTED = "/tmp/checker-watches"
BEGUN = f"open({STARTED!r}, 'w').close()\n"


async def begun(lab: Lab, pod: Object, watch: str, signs: Sequence[str]) -> list[str]:
    """Where a key shows, in words, in what init containers, hooks and scripts that start servers run in a pod's copy.

    A copy that does not come to run shows what it has run until then.

    Args:
        watch: a program that prints command lines and environments, as `told` reads them.
    """
    copy = of_pod(pod, await lab.objects.service("model"), COPY, change=lambda container: None)[0]
    with_watcher(copy["spec"], watch)
    text = ""
    async with standing(lab, [copy], grace=1):
        with contextlib.suppress(LabError):  # nobody's mistake: no node has room for it, say
            await lab.time.eventually(
                lambda: lab.objects.named("Pod", COPY).now(), has_begun,
                expected="the copy's containers run", shown=lambda seen: "not yet", within=BEGINS_WITHIN,
            )  # fmt: skip
            await lab.time.pause(SCRIPTS)
            await asyncio.gather(*(_end(lab, each) for each in lives_long(pod["spec"])))
            text = await lab.objects.logs(COPY, WATCHER, tail=None)
    return told(pod, "of any name, while it starts", text.splitlines(), signs)


async def _end(lab: Lab, container: Object) -> None:
    """Run what a container of the copy runs before it ends; what becomes of it is nobody's concern."""
    hook = ((container.get("lifecycle") or {}).get("preStop") or {}).get("exec") or {}
    if command := hook.get("command"):
        with contextlib.suppress(LabError):
            await lab.objects.run_in(COPY, *map(str, command), container=str(container["name"]), within=ENDS_WITHIN)


def with_watcher(spec: Object, watch: str) -> None:
    """Put a container before all others of a pod's spec that sees their processes, and looks before they begin."""
    first = spec["containers"][0]
    watcher: Object = {
        "name": WATCHER,
        "image": first["image"],
        "restartPolicy": "Always",
        "command": ["python3", "-u", "-c", BEGUN + watch, str(LOOKS), "/proc"],
        "startupProbe": {"exec": {"command": ["test", "-e", STARTED]}, "periodSeconds": 1, "failureThreshold": 60},
        # The same user, who may read the others' environments.
        "securityContext": {**(first.get("securityContext") or {}), "readOnlyRootFilesystem": False},
    }
    spec["shareProcessNamespace"] = True
    spec["initContainers"] = [watcher, *(spec.get("initContainers") or [])]


def has_begun(pod: Object | None) -> bool:
    """Have all containers of the pod started, and their hooks ended? Or is it over with the pod?"""
    if pod is None or over(pod):
        return True
    states = [each.get("state") or {} for each in containers_of(pod)]
    return bool(states) and all("running" in each or "terminated" in each for each in states)
