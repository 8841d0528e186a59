"""Bring a version into service, and go back when that does not work out.

Two ways, as the server is set up (charts/inference):

- it follows the registry's alias: the alias is moved, and then the Service must answer with the new version, many times
  in a row and then for a while, each time on a new connection;
- its version is pinned (MODEL_VERSION in the Deployment): the Deployment is patched, and its rollout waited for. Its
  readiness probe and strategy keep requests on the old pods until new ones are ready. Only then is the alias moved.

Every request has a limit of its own, and the whole has one.
"""

from __future__ import annotations

import functools
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from kubernetes.client import AppsV1Api, CoreV1Api

REQUEST = 10  # s
PATIENCE = 60  # s in which an API server that restarts is asked again
IN_A_ROW, EVERY = 40, 0.25
VARIABLE = "MODEL_VERSION"
Asked = TypeVar("Asked")
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
        """Roll out a version; the version before. Goes back to it when the rollout fails, whatever the reason.

        Raises:
            Failed: not all pods had the new version within the limit (s), or the API did not tell.
        """
        before = self._set(version)
        try:
            self._wait(within)
        except Exception as trouble:  # also what the API raises: the alias is on the version before
            try:
                self._set(before)
                self._wait(within)
            except Exception as worse:
                raise Failed(f"{trouble}; going back to {before or 'none'} did not finish either: {worse}") from worse
            raise Failed(f"{trouble}; went back to version {before or 'none'}") from trouble
        return before

    def _set(self, version: str) -> str:
        container = self._patiently(self._read).spec.template.spec.containers[0]
        before = _version([container])
        if before is None:
            raise Failed(f"Deployment {self._name} sets no {VARIABLE}: it does not pin its version")
        patch = {"containers": [{"name": container.name, "env": [{"name": VARIABLE, "value": version}]}]}
        change = {"spec": {"template": {"spec": patch}}}
        self._patiently(
            lambda: self._apps.patch_namespaced_deployment(
                self._name, self._namespace, change, _request_timeout=REQUEST
            )
        )
        return str(before)

    def _wait(self, within: float) -> None:
        end = time.monotonic() + within
        while True:
            found = self._patiently(self._read)
            status, wanted = found.status, found.spec.replicas
            settled = (status.observed_generation or 0) >= found.metadata.generation
            updated, ready = status.updated_replicas or 0, status.available_replicas or 0
            if settled and updated == wanted == ready == (status.replicas or 0):
                return
            stuck = any(each.reason == "ProgressDeadlineExceeded" for each in status.conditions or []) and settled
            state = f"{updated} of {wanted} pods updated, {ready} available"
            reason = self._patiently(functools.partial(self._trouble, found)) if settled else ""
            if stuck or reason or time.monotonic() > end:
                raise Failed(f"rollout of {self._name}: {state}{'; ' + reason if reason else ''}")
            time.sleep(1)

    def _read(self) -> Any:
        return self._apps.read_namespaced_deployment(self._name, self._namespace, _request_timeout=REQUEST)

    def _trouble(self, found: Any) -> str:
        """What keeps a pod of the version that is asked for from starting; pods of other versions don't count.

        Pods are told by MODEL_VERSION, as the chart lets the component ask for no ReplicaSets.
        """
        wanted = _version(found.spec.template.spec.containers)
        selector = ",".join(f"{name}={value}" for name, value in found.spec.selector.match_labels.items())
        pods = self._core.list_namespaced_pod(self._namespace, label_selector=selector, _request_timeout=REQUEST)
        for pod in pods.items:
            if _version(pod.spec.containers) != wanted:
                continue
            for each in pod.status.container_statuses or []:
                waiting = each.state.waiting if each.state else None
                if waiting and waiting.reason in _HOPELESS:
                    return f"pod {pod.metadata.name}: {waiting.reason}"
        return ""

    @staticmethod
    def _patiently(ask: Callable[[], Asked]) -> Asked:
        """Ask the API, again where it does not answer for a while, as one that restarts.

        Raises:
            Failed: it refused, or did not answer within PATIENCE.
        """
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        end = time.monotonic() + PATIENCE
        while True:
            try:
                return ask()
            except ApiException as trouble:
                passing = trouble.status in (408, 429) or not 400 <= (trouble.status or 0) < 500
                if not passing or time.monotonic() > end:
                    raise Failed(f"the API server says {trouble.status} {trouble.reason}") from trouble
            except (HTTPError, OSError) as trouble:
                if time.monotonic() > end:
                    raise Failed(f"no answer of the API server for {PATIENCE} s: {trouble}") from trouble
            time.sleep(1)


def _version(containers: list[Any]) -> str | None:
    """What a pod's containers are told by MODEL_VERSION; None where nobody is."""
    return next((each.value for one in containers for each in one.env or [] if each.name == VARIABLE), None)


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
    ask = ask or _asked
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


def _asked(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=REQUEST) as answer:  # a new connection each time, so another pod
        found: dict[str, Any] = json.loads(answer.read())
        return found
