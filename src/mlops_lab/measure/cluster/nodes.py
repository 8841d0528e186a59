"""Nodes out of service for a while: a cordon that is lifted whatever happens, and evictions as a drain makes them.

An annotation on a cordoned node says which process cordoned it, and that process renews it every few seconds, as the
holder of a lease does. If it was killed, the next check of the cluster (`measure.cluster.environment`) uncordons the
node: at once where one can see that the process has ended, else when nobody renews the annotation. No two clocks are
compared, so it does not matter how they are set. Cordons without the annotation are others', and stay. This never
drains a whole node: it evicts one pod at a time, by name.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence

from mlops_lab.base import identity
from mlops_lab.base.errors import LabError
from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.errors import NotFound, Refused
from mlops_lab.kube.objects import is_ready

MARK = "mlops-lab/cordoned-by"
# A holder that has not renewed its mark in so many looks, a second apart, has ended: several renewals are missing then.
# Looks are counted and not seconds, so that a machine that was asleep in between does not count.
_RENEWED_EVERY = 5.0  # s
_LOOKS, _LOOK_EVERY = 30, 1.0
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
    if marks := [mark for node in nodes if node["spec"].get("unschedulable") and (mark := _mark(node))]:
        raise LabError(
            f"{at_least} schedulable nodes are needed, and another check has taken one out of service "
            f"({identity.spelled(_who(marks[0])) or marks[0]})",
            "check again when it has ended",
        )
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
    over = threading.Event()
    renewing = threading.Thread(target=_renew, args=(kube, node, over), daemon=True)
    work = asyncio.ensure_future(asyncio.to_thread(_cordon, kube, node))
    try:
        await asyncio.shield(work)
        renewing.start()
        yield
    finally:
        # A request that is under way could otherwise arrive after the one that takes it back.
        over.set()
        await asyncio.wait([work])
        await asyncio.shield(asyncio.to_thread(_release, kube, node, renewing))


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


def abandoned(kube: Kube, nodes: Sequence[Object]) -> list[str]:
    """The names of those of these nodes that a checker which has ended left cordoned.

    This takes half a minute where one can only see that the mark is not renewed.
    """
    marks = {node["metadata"]["name"]: mark for node in nodes if (mark := _mark(node))}
    others = {name: mark for name, mark in marks.items() if name not in _held}
    # What this process cordoned and has not now, it could not lift.
    runs = {name: _who(mark) != identity.own() and identity.lives(_who(mark)) for name, mark in others.items()}
    unsure = {name: others[name] for name, known in runs.items() if known is None}
    return [name for name, known in runs.items() if known is False] + list(_unrenewed(kube, unsure))


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


def _mark(node: Object) -> str:
    return str((node["metadata"].get("annotations") or {}).get(MARK) or "")


def _who(mark: str) -> str:
    """The process in a mark; behind it stands how often it was renewed."""
    return mark.rpartition("/")[0]


def _unrenewed(kube: Kube, marks: dict[str, str]) -> Iterator[str]:
    """The nodes whose marks stay as they are."""
    for _ in range(_LOOKS if marks else 0):
        time.sleep(_LOOK_EVERY)
        now = {node["metadata"]["name"]: _mark(node) for node in kube.list("Node")}
        marks = {name: mark for name, mark in marks.items() if now.get(name) == mark}
        if not marks:
            break
    yield from marks


def _cordon(kube: Kube, node: str) -> None:
    mark = f"{identity.own()}/0"
    kube.patch("Node", node, {"metadata": {"annotations": {MARK: mark}}, "spec": {"unschedulable": True}})


def _renew(kube: Kube, node: str, over: threading.Event) -> None:
    number = 0
    while not over.wait(_RENEWED_EVERY):
        number += 1
        with contextlib.suppress(LabError):  # the next one will do
            kube.patch("Node", node, {"metadata": {"annotations": {MARK: f"{identity.own()}/{number}"}}})


def _release(kube: Kube, node: str, renewing: threading.Thread) -> None:
    try:
        if renewing.ident:
            renewing.join()
        uncordon(kube, node)
    finally:
        _held.discard(node)


def _takes_pods(node: Object) -> bool:
    taints = node["spec"].get("taints") or []
    closed = any(taint["effect"] in ("NoSchedule", "NoExecute") for taint in taints)
    return is_ready(node) and not closed and not node["spec"].get("unschedulable")
