"""Pods of the checker's own that the scheduler places, or refuses; their names are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops_lab.checks import Observation
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.side_by_side import together
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object
from mlops_lab.kube.objects import phase, scheduled
from mlops_lab.tasks import nodes
from mlops_lab.tasks.lab import TaskLab

# Prints the status of an answer, 0 without one.
_GET = """
import sys, urllib.error, urllib.request
try:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[1], timeout=3) as answer:
        print(answer.status)
except urllib.error.HTTPError as other:
    print(other.code)
except OSError:
    print(0)
"""
_RUNS_WITHIN = 40.0  # s


async def place(
    lab: TaskLab, what: str, *, node: str, within: float, labels: Mapping[str, str] | None = None,
    tolerates: Sequence[Object] = (),
) -> Observation:  # fmt: skip
    """Does a new pod run?

    Args:
        what: the pod in words.
        node: where it belongs; empty for wherever the scheduler places it.
        labels: of nodes that it asks for.
        within: seconds.
    """
    pod = trial(lab, what, node=node, labels=labels, tolerates=tolerates)
    async with standing(lab, [pod], grace=0):
        seen = await lab.objects.named("Pod", pod["metadata"]["name"]).until(
            lambda it: phase(it) == "Running", expected=f"{what} runs{f' on {node}' if node else ''}", shown=placed,
            within=within,
        )  # fmt: skip
        if not seen.ok:
            return seen
        where = placed(await lab.objects.named("Pod", pod["metadata"]["name"]).now())
    return Observation(True, seen.expected, where, what=what)


async def refuse(lab: TaskLab, what: str, *, node: str, within: float) -> Observation:
    """Does the scheduler refuse to place a new pod on a node?

    Args:
        what: the pod in words.
        within: seconds in which the scheduler has looked at it.
    """
    pod = trial(lab, what, node=node)
    async with standing(lab, [pod], grace=0):
        return await lab.objects.named("Pod", pod["metadata"]["name"]).until(
            lambda it: scheduled(it).get("reason") == "Unschedulable", expected=f"{what} is not placed on {node}",
            shown=placed, within=within,
        )  # fmt: skip


async def answers(lab: TaskLab, service: str, path: str, *, within: float) -> Observation:
    """Does a Service answer with status 200, asked from a pod on each node, whatever that is closed to?

    Args:
        within: seconds.
    """
    address = (await lab.objects.service(service))["spec"].get("clusterIP")

    async def asked_from(node: str) -> Observation:
        pod = trial(lab, "who asks", node=node, tolerates=[{"operator": "Exists"}])
        pod["spec"]["nodeName"] = node  # past the scheduler
        asker = pod["metadata"]["name"]
        async with standing(lab, [pod], grace=0):
            await lab.objects.named("Pod", asker).until(
                lambda it: phase(it) == "Running", expected="the checker's pod runs", shown=placed, within=_RUNS_WITHIN
            )

            async def status() -> str:
                done = await lab.objects.run_in(asker, "python3", "-c", _GET, f"http://{address}{path}", within=15)
                return done.lines[-1] if done.lines else "0"

            return await lab.time.eventually(
                status, lambda code: code == "200", expected=f"Service {service} answers {node} with status 200",
                shown=lambda code: f"status {code}" if code != "0" else "no answer", within=within,
            )  # fmt: skip

    seen: list[Observation] = await together(
        *(asked_from(node) for node in (nodes.worker(lab), nodes.control_plane(lab)))
    )
    return next((each for each in seen if not each.ok), seen[0])


def trial(
    lab: TaskLab, what: str, *, node: str, labels: Mapping[str, str] | None = None, tolerates: Sequence[Object] = ()
) -> Object:
    """A pod that does nothing; arguments as for `place`."""
    word = f"{drawn(lab, what + node).randrange(16**6):06x}"
    container = {
        "name": "trial", "image": lab.platform.image("v1"), "command": ["sleep", "600"],
        "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}},
    }  # fmt: skip
    asks = {**(labels or {}), **({"kubernetes.io/hostname": node} if node else {})}
    spec: dict[str, Any] = {
        "containers": [container], "terminationGracePeriodSeconds": 0, "tolerations": list(tolerates),
        "nodeSelector": asks, "automountServiceAccountToken": False,
    }  # fmt: skip
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"trial-{word}"}, "spec": spec}


def placed(pod: Object | None) -> str:
    """Where a pod is, or what the scheduler says of it."""
    if pod is None:
        return "it is gone"
    if where := pod["spec"].get("nodeName"):
        return f"runs on {where}" if phase(pod) == "Running" else f"{phase(pod)} on {where}"
    return f"waits: {scheduled(pod).get('message') or 'no scheduler has looked at it'}"[:240]
