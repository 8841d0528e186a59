"""Pods of a Kubernetes cluster, by the official client, with this pod's own service account."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from embedded.manifests import OURS, same
from embedded.pods import Refused, Seen, Unreachable
from embedded.settings import Settings

_WITHIN = 20  # seconds for one call
_LABELS_ALONE = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


class Cluster:
    """The pods of one namespace that carry this server's label."""

    def __init__(self, settings: Settings) -> None:
        config.load_incluster_config()
        self._api = client.CoreV1Api()
        self._metadata = client.CoreV1Api(client.ApiClient(header_name="Accept", header_value=_LABELS_ALONE))
        self._namespace = settings.namespace

    def create(self, manifest: dict[str, Any]) -> None:
        """See `Pods.create`."""
        try:
            with _reachable():
                self._api.create_namespaced_pod(self._namespace, manifest, _request_timeout=_WITHIN)
        except ApiException as error:
            if error.status == 409 and "AlreadyExists" in str(error.body):
                self._made_before(manifest)
                return
            reason = _message(error)
            # A manifest may be too large for the API server (413), or for its database behind it (500).
            if error.status in (400, 403, 404, 409, 413, 422) or "request is too large" in reason:
                # A quota may have room later; what else is forbidden or malformed stays so.
                raise Refused(reason, final="exceeded quota" not in reason and error.status != 409) from error
            raise Unreachable(reason) from error

    def _made_before(self, manifest: dict[str, Any]) -> None:
        """A pod of this name is there, or was a moment ago: it has to be this one."""
        name = manifest["metadata"]["name"]
        try:
            with _reachable():  # by a list, since to get one pod is another right
                found = self._api.list_namespaced_pod(
                    self._namespace, field_selector=f"metadata.name={name}", _request_timeout=_WITHIN
                )
        except ApiException as error:
            raise Unreachable(_message(error)) from error
        if any(not same(manifest, pod.metadata.labels or {}) for pod in found.items):
            raise Refused(f"the name {name} is that of another pod", final=False)

    def seen(self) -> dict[str, Seen]:
        """See `Pods.seen`."""
        try:
            with _reachable():  # without a resource version: that of "0" may be older than what was created last
                found = self._api.list_namespaced_pod(self._namespace, label_selector=OURS, _request_timeout=_WITHIN)
        except ApiException as error:
            raise Unreachable(_message(error)) from error
        return {pod.metadata.name: _seen(pod) for pod in found.items}

    def secret(self, name: str) -> dict[str, str] | None:
        """See `Pods.secret`."""
        try:
            with _reachable():
                found = self._metadata.read_namespaced_secret(name, self._namespace, _request_timeout=_WITHIN)
        except ApiException as error:
            if error.status == 404:
                return None
            if error.status in (400, 403, 422):
                raise Refused(_message(error), final=True) from error
            raise Unreachable(_message(error)) from error
        return dict(found.metadata.labels or {})

    def delete(self, name: str, grace: int) -> None:
        """See `Pods.delete`."""
        try:
            with _reachable():
                self._api.delete_namespaced_pod(
                    name, self._namespace, grace_period_seconds=grace, _request_timeout=_WITHIN
                )
        except ApiException as error:
            if error.status != 404:
                raise Unreachable(_message(error)) from error

    def log(self, name: str, lines: int) -> str:
        """See `Pods.log`."""
        try:
            with _reachable():
                answer = self._api.read_namespaced_pod_log(
                    name,
                    self._namespace,
                    container="main",
                    tail_lines=lines,
                    _preload_content=False,
                    _request_timeout=_WITHIN,
                )
                return str(answer.data.decode(errors="replace"))
        except ApiException as error:
            if error.status in (400, 404):  # not started yet, or gone
                return ""
            raise Unreachable(_message(error)) from error

    def events(self, name: str) -> list[str]:
        """See `Pods.events`."""
        try:
            with _reachable():
                found = self._api.list_namespaced_event(
                    self._namespace, field_selector=f"involvedObject.name={name}", _request_timeout=_WITHIN
                )
        except ApiException as error:
            raise Unreachable(_message(error)) from error
        ordered = sorted(found.items, key=lambda each: str(each.last_timestamp or each.event_time or ""))
        return [f"{each.reason}: {' '.join((each.message or '').split())}" for each in ordered]


def _seen(pod: Any) -> Seen:
    status = pod.status
    reason, message, code = status.reason or "", status.message or "", None
    for condition in status.conditions or ():
        if condition.type == "PodScheduled" and condition.status == "False":
            reason, message = reason or condition.reason or "", message or condition.message or ""
    main_first = sorted(status.container_statuses or (), key=lambda each: each.name != "main")
    for container in [*(status.init_container_statuses or ()), *main_first]:
        state = container.state
        if state and state.waiting and state.waiting.reason not in (None, "PodInitializing", "ContainerCreating"):
            reason, message = state.waiting.reason, state.waiting.message or message
        ended = state.terminated if state else None
        if ended and container.name == "main":
            code = ended.exit_code
        if ended and ended.exit_code:
            reason, message = ended.reason or reason, ended.message or message
    return Seen(
        name=pod.metadata.name,
        phase=status.phase or "Unknown",
        labels=pod.metadata.labels or {},
        reason=reason,
        message=" ".join(message.split()),
        exit_code=code,
        stopping=pod.metadata.deletion_timestamp.isoformat() if pod.metadata.deletion_timestamp else "",
    )


@contextlib.contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Unreachable(f"the API server does not answer: {error}") from error


def _message(error: ApiException) -> str:
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return str(json.loads(error.body)["message"])
    return f"{error.status} {error.reason}"
