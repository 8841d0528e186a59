"""Why an object is not as it should be: the states of pods and the events that explain it, in few lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlops_lab.base.errors import LabError
from mlops_lab.kube.client import Kube, Object

_MOST = 8
_RECENT = 20


def evidence(kube: Kube, kind: str, name: str, namespace: str) -> tuple[str, ...]:
    """Lines about an object and the pods it selects; empty when there is nothing to tell or the API is away."""
    try:
        item = kube.find(kind, name, namespace)
        if item is None:
            return (f"there is no {kind} {name} in this namespace",)
        lines = [f"{kind} {name}: {text}" for text in _warnings(kube, name, namespace, kind)]
        lines += _conditions(item)
        selector = item.get("spec", {}).get("selector") or {}
        labels = selector.get("matchLabels", selector if kind == "Service" else None)
        if labels:
            text = ",".join(f"{key}={value}" for key, value in labels.items())
            pods = kube.list("Pod", namespace, text)
            lines += [] if pods else [f"no pod has the labels {text}"]
            for pod in pods:
                lines += _pod(pod)
                lines += [f"  {text}" for text in _warnings(kube, pod["metadata"]["name"], namespace, "Pod")[-2:]]
        return tuple(lines[:_MOST])
    except LabError:
        return ()


def recent(kube: Kube, namespace: str, names: Sequence[tuple[str, str]]) -> list[str]:
    """The last events of objects and of what they made, oldest first; what they made begins with their names.

    Args:
        names: kind and name of each.
    """
    if not names:
        return []
    owners = [name for kind, name in names if kind != "Service"]  # what a Service selects is not named after it
    told: list[tuple[str, str]] = []
    for event in kube.list("Event", namespace, api_version="v1"):
        about = event.get("involvedObject") or {}
        kind, name = str(about.get("kind")), str(about.get("name"))
        if (kind, name) not in names and not any(name.startswith(f"{owner}-") for owner in owners):
            continue
        at = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or ""
        times = f" (x{event['count']})" if (event.get("count") or 1) > 1 else ""
        text = " ".join(str(event.get("message", "")).split())[:200]
        told.append((at[:19], f"{at[11:19]} {event.get('type')} {kind} {name}: {event.get('reason')}: {text}{times}"))
    return [line for _, line in sorted(told)][-_RECENT:]


def pod_state(pod: Object) -> str:
    """A pod in a few words, such as `Running, ready` or `CrashLoopBackOff (exit code 137, OOMKilled), 3 restarts`."""
    if pod["metadata"].get("deletionTimestamp"):
        return "Terminating"
    status = pod.get("status", {})
    containers = status.get("containerStatuses") or []
    ready = bool(containers) and all(each.get("ready") for each in containers)
    words = [str(status.get("phase", "Unknown")), "ready" if ready else "not ready"]
    for each in containers:
        waiting = each.get("state", {}).get("waiting") or {}
        ended = each.get("state", {}).get("terminated") or each.get("lastState", {}).get("terminated") or {}
        if waiting.get("reason"):
            words = [waiting["reason"]]
        if ended:
            words.append(f"last exit code {ended.get('exitCode')} ({ended.get('reason', 'no reason')})")
        if each.get("restartCount"):
            words.append(f"{each['restartCount']} restarts")
    return ", ".join(words)


def _pod(pod: Object) -> list[str]:
    return [f"Pod {pod['metadata']['name']}: {pod_state(pod)}"]


def _conditions(item: Object) -> list[str]:
    conditions: list[dict[str, Any]] = item.get("status", {}).get("conditions") or []
    return [
        f"{item['kind']} {item['metadata']['name']}: {each['type']} is {each['status']} ({each.get('reason', '')}): "
        f"{each.get('message', '')}"
        for each in conditions
        if each["type"] not in ("Available", "Ready") and each["status"] == "False"
    ]


def _warnings(kube: Kube, name: str, namespace: str, kind: str) -> list[str]:
    events = [event for event in kube.events(name, namespace, kind) if event.get("type") == "Warning"]
    return [f"{event.get('reason')}: {' '.join(str(event.get('message', '')).split())[:160]}" for event in events[-3:]]
