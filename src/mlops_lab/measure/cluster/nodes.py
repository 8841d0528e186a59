"""Nodes out of service for a while: a cordon that is lifted whatever happens, and evictions as a drain makes them.

An annotation on a cordoned node says which process cordoned it, and until when it may. If that process was killed, the
next check of the cluster (`measure.cluster.environment`) uncordons the node; cordons without the annotation are
others', and stay. This never drains a whole node: it evicts one pod at a time, by name.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator

from mlops_lab.base.errors import LabError
from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.errors import NotFound, Refused
from mlops_lab.kube.objects import is_ready

MARK = "mlops-lab/cordoned-by"
# A check may take ten minutes; a cordon that is older is stale, even if its process still runs.
_LONGEST = 600.0
_LIFTED_WITHIN = 25.0
# Nodes that this process has cordoned now.
_held: set[str] = set()


def workers(kube: Kube, at_least: int = 2) -> list[Object]:
    """The schedulable nodes: ready, not cordoned, and without a taint that keeps ordinary pods away; by name.

    Raises:
        LabError: there are fewer than `at_least`; it says what can be done.
    """
    nodes = kube.list("Node")
    found = sorted((node for node in nodes if _takes_pods(node)), key=lambda node: str(node["metadata"]["name"]))
    if len(found) >= at_least:
        return found
    closed = [node["metadata"]["name"] for node in nodes if node["spec"].get("unschedulable")]
    raise LabError(
        f"{at_least} schedulable nodes are needed, but the cluster has {len(found)}",
        f"kubectl uncordon {' '.join(closed)}" if closed else "create it again with two workers: lab down, then lab up",
    )


@contextlib.asynccontextmanager
async def cordoned(kube: Kube, node: str) -> AsyncIterator[None]:
    """No new pods on a node while the block runs; lifted also if the block is cancelled.

    Raises:
        LabError: it cannot be cordoned, or the cordon is not lifted within 25 s; the next look at the cluster lifts it.
    """
    _held.add(node)
    work = asyncio.ensure_future(asyncio.to_thread(_cordon, kube, node))
    try:
        await asyncio.shield(work)
        yield
    finally:
        # A request that is under way could otherwise arrive after the one that takes it back.
        await asyncio.wait([work])
        await asyncio.shield(asyncio.to_thread(_release, kube, node))


def uncordon(kube: Kube, node: str, within: float = _LIFTED_WITHIN) -> None:
    """Uncordon a node, with retries until the API server has accepted it.

    Raises:
        LabError: it has not within so many seconds.
    """
    end = time.monotonic() + within
    while True:
        try:
            kube.patch("Node", node, {"metadata": {"annotations": {MARK: None}}, "spec": {"unschedulable": None}})
            return
        except NotFound:
            return
        except LabError:
            if time.monotonic() > end:
                raise
        time.sleep(1)


def stale_cordon(node: Object) -> bool:
    """Was it cordoned by a checker that has ended?"""
    mark = (node["metadata"].get("annotations") or {}).get(MARK)
    if not mark or node["metadata"]["name"] in _held:
        return False
    try:
        host, process, until = mark.split("/")
        number, end = int(process), float(until)
    except ValueError:
        return True
    return time.time() > end or (host == socket.gethostname() and (number == os.getpid() or not _lives(number)))


def evict(kube: Kube, pod: str, namespace: str, *, dry_run: bool = False) -> str:
    """Ask for a pod's eviction, as `kubectl drain` does.

    https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/

    Args:
        dry_run: only ask whether it would be granted.

    Returns:
        Empty if it was granted (or the pod is gone), else the API server's words, where a disruption budget was why.

    Raises:
        LabError: the API server refused for another reason, or does not answer.
    """
    try:
        kube.evict(pod, namespace, dry_run=dry_run)
    except NotFound:
        return ""
    except Refused as no:
        # 429 for a budget that has nothing left, 500 for more than one budget: both name it. 429 also says that the
        # API server has too much to do.
        if "disruption" not in no.message.lower():
            raise
        return no.message.removeprefix(f"eviction of pod {pod}: ")
    return ""


def _cordon(kube: Kube, node: str) -> None:
    mark = f"{socket.gethostname()}/{os.getpid()}/{time.time() + _LONGEST:.0f}"
    kube.patch("Node", node, {"metadata": {"annotations": {MARK: mark}}, "spec": {"unschedulable": True}})


def _release(kube: Kube, node: str) -> None:
    try:
        uncordon(kube, node)
    finally:
        _held.discard(node)


def _takes_pods(node: Object) -> bool:
    taints = node["spec"].get("taints") or []
    closed = any(taint["effect"] in ("NoSchedule", "NoExecute") for taint in taints)
    return is_ready(node) and not closed and not node["spec"].get("unschedulable")


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True
