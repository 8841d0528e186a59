"""A copy of one of the learner's pods with something changed, which runs beside it while a block runs.

The copy has what the pod's template says, a Service of its own, and no probes but the startup probes of sidecars (init
containers with restartPolicy Always), which hold up what follows them: no other container is started a second time, and
it is asked whether it says that it is ready or not. It has no token but one of its own, and may run on any node. It has
the pod's host name: no program tells it from the pod by that.
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from mlops_lab.checks import Lab, LabError
from mlops_lab.kit.host_names import host_name
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.http import Answer

LIVES = 600  # s, should nobody be left to delete it
_ENDED = ("Failed", "Succeeded")
# What the API server, the scheduler or the learner for their own pods has filled in. Placement goes too, as it may keep
# the copy away from wherever the learner's own pods are.
_NOT_COPIED = (
    "nodeName", "subdomain", "serviceAccount", "priority", "tolerations", "affinity", "topologySpreadConstraints",
    "nodeSelector", "ephemeralContainers",
)  # fmt: skip
# Of a container: probes, by which it is restarted or not asked, and rules by which it is restarted; restartPolicy Never
# of the pod allows no resizePolicy that restarts a container.
_OF_A_SIDECAR = ("livenessProbe", "readinessProbe", "resizePolicy", "restartPolicyRules")
_OF_OTHERS = (*_OF_A_SIDECAR, "startupProbe", "restartPolicy")


class Copy:
    """A copy that was started.

    Attributes:
        name: of its pod and of its Service.
        ended: its pod, once the program in it has ended; None while it may still run.
    """

    def __init__(self, lab: Lab, name: str) -> None:
        self._lab, self.name = lab, name
        self.ended: Object | None = None

    async def answers(
        self, path: str, *, within: float, answer_within: float = 10.0, every: float = 0.5
    ) -> AsyncIterator[Answer]:
        """What it answers to a GET, again and again, until its program has ended (see `ended`) or the time is over.

        Args:
            within: seconds from now.
            answer_within: seconds for one answer; without one by then its status is 0.
            every: seconds between an answer and the next request.

        Raises:
            LabError: the time is over, and the copy does not run: no node has room for it, say.
        """
        end, phase, begun = time.monotonic() + within, "gone", False
        while time.monotonic() < end:
            pod: Object = await self._lab.objects.named("Pod", self.name).now() or {"status": {"phase": "gone"}}
            phase, begun = pod["status"].get("phase", "gone"), begun or _begun(pod)
            if phase in _ENDED:
                self.ended = pod
                return
            yield await self._lab.traffic.get(self.name, path, within=answer_within)
            await self._lab.time.pause(every)
        # Pending is also what waits for its own init containers.
        if phase != "Running" and not (phase == "Pending" and begun):
            raise LabError(
                f"the checker's copy of the pod is {phase} after {within:g} s", "see how the nodes are: lab status"
            )


def _begun(pod: Object) -> bool:
    """Has a container of it been started, of those too that only prepare something?"""
    told = [each for kind in ("initContainerStatuses", "containerStatuses") for each in pod["status"].get(kind) or []]
    return any({"running", "terminated"} & {*(each.get("state") or {})} for each in told)


@contextlib.asynccontextmanager
async def copied(
    lab: Lab,
    name: str,
    *,
    change: Callable[[Object], Any],
    service: str = "model",
    volumes: Sequence[Object] = (),
    beside: Sequence[Object] = (),
) -> AsyncIterator[Copy]:
    """A copy of a pod behind a Service, and a Service of that name for it, while the block runs.

    What a check that was cut off has left under that name is removed first.

    Args:
        name: of the copy.
        change: takes each container of the copy, init containers too, and changes it.
        service: behind which the pod is.
        volumes: which the copy has beside the pod's own.
        beside: objects that stand as long as the copy, such as a ConfigMap that a volume names.

    Raises:
        Failure: there is no such Service.
        LabError: no pod is behind it, or the copy can't be made.
    """
    pods, found = await lab.objects.pods_of(service), await lab.objects.named("Service", service).now()
    if not pods or found is None:
        raise LabError(
            f"the pods behind Service {service} went away during the check", "wait until they are ready again"
        )
    async with standing(lab, [*beside, *of_pod(pods[0], found, name, change=change, volumes=volumes)], grace=1):
        yield Copy(lab, name)


def of_pod(
    pod: Object, service: Object, name: str, *, change: Callable[[Object], Any], volumes: Sequence[Object] = ()
) -> list[Object]:
    """The copy's Pod and Service; the Service leads to it whether it is ready or not. Arguments as for `copied`."""
    # By its name, too: a check may have two of them at once.
    metadata = {"name": name, "labels": {"mlops-lab/checker": "copy", "mlops-lab/copy": name}}
    spec = copy.deepcopy(pod["spec"])
    tokens = {each["name"] for each in spec.get("volumes") or [] if each["name"].startswith("kube-api-access-")}
    for field in _NOT_COPIED:
        spec.pop(field, None)
    spec["hostname"] = host_name(pod)
    spec["restartPolicy"] = "Never"
    spec["activeDeadlineSeconds"] = LIVES
    spec["volumes"] = [each for each in spec.get("volumes") or [] if each["name"] not in tokens] + list(volumes)
    first = spec.get("initContainers") or []
    for container in [*spec["containers"], *first]:
        sidecar = container in first and container.get("restartPolicy") == "Always"
        for field in _OF_A_SIDECAR if sidecar else _OF_OTHERS:
            container.pop(field, None)
        mounts = container.get("volumeMounts") or []
        container["volumeMounts"] = [each for each in mounts if each["name"] not in tokens]
        change(container)
    target = next(each.get("targetPort", each["port"]) for each in service["spec"]["ports"] if each["port"] == 80)
    service_spec = {
        "selector": metadata["labels"],
        "publishNotReadyAddresses": True,
        "ports": [{"port": 80, "targetPort": target}],
    }
    return [
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service_spec},
    ]
