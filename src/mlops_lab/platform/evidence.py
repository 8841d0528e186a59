"""Why a part does not become ready: its pods' states, the ends of their logs, and warning events."""

from __future__ import annotations

import datetime
import json
import re
import time
from collections.abc import Mapping
from typing import Any

from mlops_lab.base.errors import LabError
from mlops_lab.cluster.kubectl import Kubectl

# States that don't go away by waiting: the first ones count at once, the second once they have lasted.
_HOPELESS = ("InvalidImageName", "ErrImageNeverPull")
_LASTING = ("ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError")
_COMING = ("ContainerCreating", "PodInitializing")
_NOT_READY = "NotReady"
_FIELD = re.compile(r"spec\.(?:initC|c)ontainers\{(.+)\}$")  # what an event about a container names
_PATIENCE = 30.0  # s that an image may take to appear, or a Secret
_CRASHES = 5
_EVERY = 3.0  # s between two looks
_RELEASE = "app.kubernetes.io/instance"  # the label that all pods of a chart have


class Watch:
    """Looks at a release's pods while helm waits for them; others in its namespace, such as pods of runs, are nobody's
    reason to end an installation.

    Args:
        kubectl: the cluster.
        namespace: the part's, which is also the release's name.
        room: seconds that a pod may be without a node; None for any time, say where nodes are added on demand.
    """

    def __init__(self, kubectl: Kubectl, namespace: str, room: float | None = None) -> None:
        self._kubectl, self._namespace = kubectl, namespace
        self._patience = {**dict.fromkeys(_HOPELESS, 0.0), **dict.fromkeys(_LASTING, _PATIENCE), "crashes": 0.0}
        if room is not None:
            self._patience["Unschedulable"] = room
        self._begin = time.time()
        self._next = 0.0
        self._since: dict[str, float] = {}
        self._before: dict[str, int] = {}
        self._seen: list[tuple[str, str, str]] = []
        self._states: list[tuple[str, str, str]] = []  # of the last look
        self._coming: dict[tuple[str, str], float] = {}  # containers that had not begun, and when that was seen last
        self._pods: set[str] = set()  # the release's own, of any time

    def __call__(self) -> str:
        """A reason to stop waiting, or an empty text."""
        now = time.monotonic()
        if now < self._next:
            return ""
        self._next = now + _EVERY
        try:
            pods = self._kubectl.get("pods", "-n", self._namespace, "-l", f"{_RELEASE}={self._namespace}")
        except LabError:
            return ""  # helm will say so
        self._pods.update(item["metadata"]["name"] for item in pods)
        for item in pods:
            for container, count in restarts(item).items():
                self._before.setdefault(container, count if _created(item) < self._begin else 0)
        states = self._states = [state for item in pods for state in troubles(item, self._before)]
        if states:
            # How the pod ended says more than that its successor, after helm's rollback, has just begun.
            before = {each[0]: each for each in self._seen}
            self._seen = [before.get(each[0], each) if each[1] == _NOT_READY else each for each in states]
        for item in pods:
            if not item["metadata"].get("deletionTimestamp"):
                name = item["metadata"]["name"]
                self._coming = {key: at for key, at in self._coming.items() if key[0] != name}
                self._coming.update({(name, each): time.time() for each in coming(item)})
        # The kubelet calls an image that does not come by two names in turn.
        keys = [f"{pod} {'lasting' if reason in _LASTING else reason}" for pod, reason, _ in states]
        self._since = {key: self._since.get(key, now) for key in keys}
        for key, (pod, reason, text) in zip(keys, states, strict=True):
            lasted = now - self._since[key]
            limit = self._patience.get(reason)
            if limit is not None and (lasted > limit or not limit):
                return f"{pod} can't start: {text}"
        return ""

    def waits(self) -> str:
        """What is not ready now, in one line: two pods at most, and the newest warning; empty where all is."""
        states, events = self._in_order(self._states)
        return "; ".join([*states[:2], *self._warnings(events)[-1:]]) if states else ""

    def detail(self) -> str:
        """What was seen: pods that were not ready, the end of a crashing one's log, and warnings since the start. First
        comes what kept them, then images that were still pulled, then who only waited."""
        states, events = self._in_order(self._seen)
        return "\n".join([*states[:6], *self._logs(), *self._warnings(events)])

    def _in_order(self, seen: list[tuple[str, str, str]]) -> tuple[list[str], list[dict[str, Any]]]:
        """States of pods, what keeps one first, and the events that they were completed from."""
        events = [event for event in self._events() if self._ours(event["involvedObject"])]
        kept = [f"{pod}: {text}" for pod, reason, text in seen if reason != _NOT_READY]
        waited = [f"{pod}: {text}" for pod, reason, text in seen if reason == _NOT_READY]
        return [*kept, *pulled(events, self._coming), *waited], events

    def _warnings(self, events: list[dict[str, Any]]) -> list[str]:
        return warnings([event for event in events if event.get("type") == "Warning"], self._begin)

    def _logs(self) -> list[str]:
        """The end of the log of a pod that ended again and again; it may be gone by now."""
        for pod, _, text in self._seen:
            if "exit code" in text:
                words = ("logs", "-n", self._namespace, pod, "--tail=8", "--all-containers")
                done = self._kubectl.run(*words, check=False)
                return [f"  {line}" for line in done.stdout.splitlines()]
        return []

    def _events(self) -> list[dict[str, Any]]:
        done = self._kubectl.run("get", "events", "-n", self._namespace, "-o", "json", check=False)
        return list(json.loads(done.stdout)["items"]) if done.code == 0 else []

    def _ours(self, about: dict[str, Any]) -> bool:
        """Not of a run: neither its pod nor its workflow."""
        if about["kind"] == "Pod":
            return about["name"] in self._pods
        return not str(about.get("apiVersion", "")).startswith("argoproj.io/")


def restarts(pod: dict[str, Any]) -> dict[str, int]:
    """How often each container was started again in the pod's life, by `POD/CONTAINER`."""
    return {f"{pod['metadata']['name']}/{each['name']}": each.get("restartCount", 0) for each in _containers(pod)}


def troubles(pod: dict[str, Any], before: Mapping[str, int] | None = None) -> list[tuple[str, str, str]]:
    """What keeps a pod from being ready: its name, a reason in one word, and a text for people.

    Args:
        before: restarts that count no longer, as `restarts` has them: those of a pod that was there already, say when
            its node was started again.
    """
    name, status = pod["metadata"]["name"], pod.get("status", {})
    node = (pod.get("spec") or {}).get("nodeName", "")  # an image may be on one and not on another
    if pod["metadata"].get("deletionTimestamp") or status.get("phase") == "Succeeded":
        return []
    found = []
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            found.append((name, "Unschedulable", f"not scheduled: {condition.get('message', '')}"))
    for container in _containers(pod):
        waiting = container["state"].get("waiting") or {}
        ended = (container.get("lastState") or {}).get("terminated") or container["state"].get("terminated") or {}
        reason = waiting.get("reason", "")
        if ended.get("exitCode") and not container.get("ready"):
            count = container.get("restartCount", 0)
            why = f", {ended['reason']}" if ended.get("reason") not in (None, "Error") else ""
            text = f"{container['name']} ended with exit code {ended['exitCode']}{why} ({count} restarts)"
            # The kubelet holds back one that fails now.
            new = count - (before or {}).get(f"{name}/{container['name']}", 0)
            held = reason == "CrashLoopBackOff" and new >= _CRASHES
            found.append((name, "crashes" if held else "ended", text))
        elif reason not in ("", *_COMING):
            place = f" on {node}" if node and reason in (*_HOPELESS, *_LASTING) else ""
            text = f"{container['name']}{place}: {reason}: {waiting.get('message', '')}"
            found.append((name, reason, text.rstrip(": ")))
        elif not container.get("ready") and "running" in container["state"]:
            found.append((name, _NOT_READY, f"{container['name']} runs and is not ready"))
    return found


def coming(pod: dict[str, Any]) -> list[str]:
    """The containers of a pod on a node that have not begun: their images are pulled, say, or others come first."""
    return [each["name"] for each in _containers(pod) if (each["state"].get("waiting") or {}).get("reason") in _COMING]


def pulled(events: list[dict[str, Any]], coming: Mapping[tuple[str, str], float]) -> list[str]:
    """Which images were still pulled when their containers were seen last.

    Args:
        coming: when (Unix seconds) each container, by pod and name, was seen last as not begun.
    """
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for event in sorted(events, key=_when):
        about, at = event["involvedObject"], _FIELD.match(event["involvedObject"].get("fieldPath", ""))
        key = (about["name"], at.group(1)) if at else ("", "")
        if key in coming and _when(event) <= coming[key]:
            newest[key] = event
    return [
        f"{pod}: {container}: still {event['message'][:1].lower()}{event['message'][1:]},"
        f" for {coming[pod, container] - _when(event):.0f} s"
        for (pod, container), event in newest.items()
        if event.get("reason") == "Pulling"
    ]


def warnings(events: list[dict[str, Any]], since: float) -> list[str]:
    """Warning events after a time (Unix seconds), newest last, each text once."""
    texts: dict[str, str] = {}
    for event in sorted(events, key=_when):
        if _when(event) >= since:
            about = event["involvedObject"]
            text = f"{about['kind']} {about['name']}: {event.get('reason', '')}: {event.get('message', '')}"
            texts[text] = text
    return list(texts)[-8:]


def _containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    status = pod.get("status", {})
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _created(pod: dict[str, Any]) -> float:
    text = pod["metadata"].get("creationTimestamp")
    return datetime.datetime.fromisoformat(text).timestamp() if text else float("inf")


def _when(event: dict[str, Any]) -> float:
    text = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp")
    return datetime.datetime.fromisoformat(text).timestamp() if text else 0.0
