"""`Kube`: one connection to one cluster, with all that a caller may ask of it: single requests, watches and waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Event
from typing import Any, TypeVar

from mlops_lab.base.errors import LabError
from mlops_lab.kube.errors import translated
from mlops_lab.kube.objects import Object, Objects
from mlops_lab.kube.requests import Requests, items_of

__all__ = ["Kube", "Object", "Objects"]

T = TypeVar("T")
# The longest a watch stays silent before the object is read again and a cancelled wait is noticed.
_WATCH_CHUNK = 5
_GONE = 410


class Kube(Requests):
    """A connection that can also wait; every wait has a limit in seconds."""

    def watch(
        self,
        kind: str,
        namespace: str | None = None,
        *,
        selector: str = "",
        within: float,
        stop: Event | None = None,
        api_version: str | None = None,
    ) -> Iterator[tuple[str, Object]]:
        """The objects that exist now, as (`ADDED`, object), then each change, until `within` seconds are over.

        Ends early, within a few seconds, once `stop` is set.
        """
        end = time.monotonic() + within
        resource_version: str | None = None
        while (left := end - time.monotonic()) > 0 and not (stop and stop.is_set()):
            with translated(f"{kind} watch"):
                resource = self._resource(kind, api_version)
                if resource_version is None:
                    found = self._plain(
                        resource.get(namespace=namespace, label_selector=selector or None, serialize=False)
                    )
                    resource_version = found["metadata"]["resourceVersion"]
                    for item in items_of(found):
                        yield "ADDED", item
                chunk = max(1, min(_WATCH_CHUNK, int(left)))
                for event in _events(
                    resource,
                    namespace=namespace,
                    label_selector=selector or None,
                    resource_version=resource_version,
                    timeout=chunk,
                ):
                    if event["type"] == "ERROR":  # usually 410 Gone: that version is no longer stored, so list again
                        resource_version = None
                        break
                    raw = event["raw_object"]
                    resource_version = raw["metadata"]["resourceVersion"]
                    if stop and stop.is_set():
                        return
                    yield event["type"], raw

    def wait(
        self,
        kind: str,
        name: str,
        namespace: str | None,
        condition: Callable[[Object | None], T | None],
        *,
        within: float,
        stop: Event | None = None,
        api_version: str | None = None,
    ) -> tuple[T | None, Object | None]:
        """Watch one object until `condition` yields something that is not None.

        Returns:
            What the condition yielded (None when the time ran out or `stop` was set) and the object as last seen
            (None if it is not there).
        """
        end = time.monotonic() + within
        while True:
            seen = self.find(kind, name, namespace, api_version)
            if (value := condition(seen)) is not None:
                return value, seen
            left = end - time.monotonic()
            if left <= 0 or (stop and stop.is_set()):
                return None, seen
            # The object's own watch wakes us at each change; the short chunk re-reads what a watch can't tell.
            with translated(f"{kind} {name}"):
                for event in _events(
                    self._resource(kind, api_version),
                    namespace=namespace,
                    name=name,
                    resource_version=seen["metadata"]["resourceVersion"] if seen else None,
                    timeout=max(1, min(_WATCH_CHUNK, int(left))),
                ):
                    if event["type"] == "ERROR":
                        break
                    seen = None if event["type"] == "DELETED" else event["raw_object"]
                    if (value := condition(seen)) is not None:
                        return value, seen
                    if time.monotonic() > end or (stop and stop.is_set()):
                        return None, seen

    def wait_all(
        self,
        kind: str,
        namespace: str | None,
        condition: Callable[[Objects], T | None],
        *,
        selector: str = "",
        within: float,
        stop: Event | None = None,
        api_version: str | None = None,
    ) -> tuple[T | None, Objects]:
        """Watch the objects of a kind until `condition` yields, for all of them together, something that is not None.

        Returns:
            As `wait`, with the objects as last seen.
        """
        end = time.monotonic() + within
        while True:
            with translated(f"{kind} list"):
                resource = self._resource(kind, api_version)
                found = self._plain(resource.get(namespace=namespace, label_selector=selector or None, serialize=False))
            seen = {item["metadata"]["name"]: item for item in items_of(found)}
            if (value := condition(list(seen.values()))) is not None:
                return value, list(seen.values())
            left = end - time.monotonic()
            if left <= 0 or (stop and stop.is_set()):
                return None, list(seen.values())
            with translated(f"{kind} watch"):
                for event in _events(
                    resource,
                    namespace=namespace,
                    label_selector=selector or None,
                    resource_version=found["metadata"]["resourceVersion"],
                    timeout=max(1, min(_WATCH_CHUNK, int(left))),
                ):
                    if event["type"] == "ERROR":
                        break
                    item = event["raw_object"]
                    if event["type"] == "DELETED":
                        seen.pop(item["metadata"]["name"], None)
                    else:
                        seen[item["metadata"]["name"]] = item
                    if (value := condition(list(seen.values()))) is not None:
                        return value, list(seen.values())
                    if time.monotonic() > end or (stop and stop.is_set()):
                        return None, list(seen.values())

    def wait_gone(self, kind: str, name: str, namespace: str | None = None, *, within: float) -> None:
        """Wait until an object is gone.

        Raises:
            LabError: it is still there after `within` seconds; the message carries its conditions.
        """
        gone, seen = self.wait(kind, name, namespace, lambda now: True if now is None else None, within=within)
        if not gone:
            state = (seen or {}).get("status", {})
            raise LabError(
                f"{kind} {name} is still there after {within:g} s; last seen: {state or 'no status'}",
                f"see what keeps it: kubectl describe {kind.lower()} {name}",
            )


def _events(resource: Any, **where: Any) -> Iterator[Object]:
    """A watch's events; the last one is of type `ERROR` where the API server no longer keeps the version asked for.

    The server says so (410 Gone) in one of two ways: in the stream, or instead of it.
    """
    from kubernetes.client.exceptions import ApiException
    from kubernetes.dynamic.exceptions import DynamicApiError

    try:
        yield from resource.watch(**where)
    except (ApiException, DynamicApiError) as answer:
        if answer.status != _GONE:
            raise
        yield {"type": "ERROR", "raw_object": {"code": _GONE}}
