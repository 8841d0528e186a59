"""The load generator: a pod in the cluster that sends our requests, by `exec`: JSON lines in, JSON lines out."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from mlops_lab.base.errors import LabError
from mlops_lab.base.waiting import wait_until
from mlops_lab.kube.client import Kube
from mlops_lab.kube.execs import ExecStream
from mlops_lab.kube.objects import is_ready
from mlops_lab.measure.cluster.environment import SYSTEM_NAMESPACE

SELECTOR = "app.kubernetes.io/name=load"
_HINT = "bring the cluster's own parts in order again: lab up"
# A pod whose node was just restarted needs a moment.
READY_WITHIN = 30.0


def load_pod(kube: Kube, within: float = READY_WITHIN) -> str:
    """The name of the load generator's pod, once it is ready.

    Raises:
        LabError: there is none within the time; the message says the pods' states.
    """

    def probe() -> tuple[str | None, str]:
        pods = kube.list("Pod", SYSTEM_NAMESPACE, SELECTOR)
        for pod in pods:
            if is_ready(pod) and not pod["metadata"].get("deletionTimestamp"):
                return str(pod["metadata"]["name"]), ""
        return None, "; ".join(map(_state, pods)) or "no such pod"

    return wait_until(probe, what="the load generator's pod is not ready", within=within, hint=_HINT)


def start(kube: Kube, command: str, spec: Mapping[str, Any] | None = None) -> ExecStream:
    """Start `load COMMAND` in the pod and hand it its specification, if it takes one."""
    stream = kube.exec(load_pod(kube), SYSTEM_NAMESPACE, ["load", command])
    try:
        if spec is not None:
            stream.write(json.dumps(spec) + "\n")
    except BaseException:
        stream.close()
        raise
    return stream


def messages(stream: ExecStream, *, within: float, silent: float, idle: float = 0.2) -> Iterator[dict[str, Any] | None]:
    """The JSON lines of a started command; None about every `idle` s in which none came.

    Args:
        within: seconds that the command may take at most.
        silent: seconds without a line after which the connection counts as broken.

    Raises:
        LabError: it took longer, fell silent, failed, or wrote something else than JSON.
    """
    heard = time.monotonic()
    for line in stream.lines(within=within, idle=idle):
        if line:
            heard = time.monotonic()
            try:
                yield json.loads(line)
            except ValueError as broken:
                raise LabError(f"the load generator said {line[:80]!r}, which is not JSON", _HINT) from broken
        elif time.monotonic() - heard > silent:
            raise LabError(
                f"the load generator was silent for {silent:g} s: the API server or its node does not answer",
                "see what is wrong with the cluster: lab status",
            )
        else:
            yield None
    if stream.code != 0:
        raise LabError(f"the load generator failed with exit code {stream.code}", _HINT, stream.stderr().strip())


def _state(pod: Mapping[str, Any]) -> str:
    status = pod.get("status", {})
    waiting = [
        item["state"]["waiting"].get("reason", "")
        for item in status.get("containerStatuses") or []
        if item.get("state", {}).get("waiting")
    ]
    return f"{pod['metadata']['name']} is {status.get('phase', 'unknown')} {' '.join(waiting)}".strip()
