"""Bring a version into service, and go back when that does not work out.

Two ways, as the server is set up (charts/inference):

- it follows the registry's alias: the alias is moved, and then the Service must answer with the new version, many times
  in a row and then for a while, each time on a new connection;
- its version is pinned (MODEL_VERSION in the Deployment): the Deployment is patched, and its rollout waited for. Its
  readiness probe and strategy keep requests on the old pods until new ones are ready. Only then is the alias moved.

Every request has a limit of its own, and the whole has one.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubernetes.client import AppsV1Api, CoreV1Api

REQUEST = 10  # s
IN_A_ROW, EVERY = 40, 0.25
VARIABLE = "MODEL_VERSION"
_HOPELESS = {"CrashLoopBackOff", "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError"}


class Failed(Exception):
    """The new version did not come into service; the text says what was last seen."""


class Pinned:
    """A Deployment whose pods are told their version by MODEL_VERSION.

    Args:
        where: `namespace/name`.
        apps, core: the API; None connects with the pod's own service account.
    """

    def __init__(self, where: str, apps: AppsV1Api | None = None, core: CoreV1Api | None = None) -> None:
        self._namespace, _, self._name = where.partition("/")
        if not self._namespace or not self._name:
            raise ValueError(f"deployment {where!r} is not written as namespace/name")
        if apps is None or core is None:
            from kubernetes import client, config

            config.load_incluster_config()
            apps, core = client.AppsV1Api(), client.CoreV1Api()
        self._apps, self._core = apps, core

    def change(self, version: str, within: float) -> str:
        """Roll out a version; the version before. Goes back to it when the rollout fails.

        Raises:
            Failed: not all pods had the new version within the limit (s).
        """
        before = self._set(version)
        try:
            self._wait(within)
        except Failed as trouble:
            self._set(before)
            try:
                self._wait(within)
            except Failed as worse:
                raise Failed(f"{trouble}; going back to {before or 'none'} did not finish either: {worse}") from worse
            raise Failed(f"{trouble}; went back to version {before or 'none'}") from trouble
        return before

    def _set(self, version: str) -> str:
        found = self._apps.read_namespaced_deployment(self._name, self._namespace, _request_timeout=REQUEST)
        container = found.spec.template.spec.containers[0]
        before = next((each.value for each in container.env or [] if each.name == VARIABLE), None)
        if before is None:
            raise Failed(f"Deployment {self._name} sets no {VARIABLE}: it does not pin its version")
        patch = {"containers": [{"name": container.name, "env": [{"name": VARIABLE, "value": version}]}]}
        self._apps.patch_namespaced_deployment(
            self._name, self._namespace, {"spec": {"template": {"spec": patch}}}, _request_timeout=REQUEST
        )
        return str(before)

    def _wait(self, within: float) -> None:
        end = time.monotonic() + within
        while True:
            found = self._apps.read_namespaced_deployment(self._name, self._namespace, _request_timeout=REQUEST)
            status, wanted = found.status, found.spec.replicas
            settled = (status.observed_generation or 0) >= found.metadata.generation
            updated, ready = status.updated_replicas or 0, status.available_replicas or 0
            if settled and updated == wanted == ready == (status.replicas or 0):
                return
            stuck = any(each.reason == "ProgressDeadlineExceeded" for each in status.conditions or []) and settled
            state = f"{updated} of {wanted} pods updated, {ready} available"
            reason = self._trouble(found.spec.selector.match_labels) if settled else ""
            if stuck or reason or time.monotonic() > end:
                raise Failed(f"rollout of {self._name}: {state}{'; ' + reason if reason else ''}")
            time.sleep(1)

    def _trouble(self, labels: dict[str, str]) -> str:
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        pods = self._core.list_namespaced_pod(self._namespace, label_selector=selector, _request_timeout=REQUEST)
        for pod in pods.items:
            for each in pod.status.container_statuses or []:
                waiting = each.state.waiting if each.state else None
                if waiting and waiting.reason in _HOPELESS:
                    return f"pod {pod.metadata.name}: {waiting.reason}"
        return ""


def answers(
    url: str, version: str, within: float, bake: float = 0, ask: Callable[[str], dict[str, Any]] | None = None
) -> None:
    """Wait until GET url/version gives the version, IN_A_ROW times running and then for as long as it bakes.

    Args:
        within: seconds until the last answer of another version, or none.
        bake: seconds in which all answers must be of the version.

    Raises:
        Failed: it did not within the limit.
    """
    ask = ask or _version
    end, row, state = time.monotonic() + within, 0, "no answer yet"
    since = time.monotonic()
    while row < IN_A_ROW or time.monotonic() - since < bake:
        try:
            seen = str(ask(url.rstrip("/") + "/version").get("model_version"))
            state = f"answers with version {seen}"
            row = row + 1 if seen == version else 0
        except (OSError, ValueError, urllib.error.URLError) as trouble:
            row, state = 0, f"no answer: {trouble}"
        if row == 0:
            since = time.monotonic()
            if since > end:
                raise Failed(f"{url}: not all answers are of version {version}; last seen: {state}")
        time.sleep(0 if 0 < row < IN_A_ROW else EVERY)


def _version(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=REQUEST) as answer:  # a new connection each time, so another pod
        found: dict[str, Any] = json.loads(answer.read())
        return found
