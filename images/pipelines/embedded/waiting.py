"""How long a pod may be pending: until a node has room, its image is there and its container is made."""

from __future__ import annotations

import time
from collections.abc import Container

from embedded.pods import Pods, Seen
from embedded.settings import Settings

# A container that waits for one of these waits for somebody to put it right.
_STUCK = {
    *("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable", "ImageInspectError"),
    *("CreateContainerConfigError", "CreateContainerError", "RunContainerError"),
}


class Patience:
    """What pending pods wait for, and since when. What a pod waited for before does not count: its image may fail to
    be pulled as long after it waited for room."""

    def __init__(self, settings: Settings, pods: Pods) -> None:
        self._settings, self._pods = settings, pods
        self._waits: dict[str, tuple[str, float]] = {}

    def hopeless(self, pod: Seen) -> str:
        """Why a pending pod is given up; empty while it may still start. An image that is still pulled is waited for.

        Raises:
            Unreachable: the cluster does not say what became of the pod.
        """
        if pod.reason in _STUCK:
            what, patience = "its image", self._settings.pull_patience
        else:
            what, patience = "room" if pod.reason == "Unschedulable" else "its start", self._settings.start_patience
        at = time.monotonic()
        before, since = self._waits.get(pod.name, ("", at))
        since = since if before == what else at
        self._waits[pod.name] = what, since
        waited = at - since
        if pod.reason != "InvalidImageName" and waited <= patience:
            return ""
        events = self._pods.events(pod.name)
        if what == "its start" and events and events[-1].startswith("Pulling:"):
            self._waits[pod.name] = what, at
            return ""
        told = f"{pod.reason or 'Pending'}: {pod.message}" if pod.message else pod.reason or "Pending"
        last = next((event for event in reversed(events) if event.startswith("Failed")), "".join(events[-1:]))
        known = last.partition(": ")[2] in told
        return f"not started within {waited:.0f} s: {told}" + (f" ({last})" if last and not known else "")

    def forget(self, there: Container[str]) -> None:
        """Forget all pods but those that are there."""
        self._waits = {name: wait for name, wait in self._waits.items() if name in there}
