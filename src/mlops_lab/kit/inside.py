"""Inside a learner's pods: which run, and what a command there prints. A container that does not run is a failure."""

from __future__ import annotations

from mlops_lab.checks import Lab, LabError, Observation, absent, expect
from mlops_lab.checks.rooms.objects import Printed
from mlops_lab.kit import deployments, presence
from mlops_lab.kit.logs import last_lines
from mlops_lab.kit.pods import leaving
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kube.client import Object
from mlops_lab.kube.execs import Unending
from mlops_lab.measure.pods.evidence import pod_state

# What most often holds a rollout up.
HELD_UP = "kubectl describe pod says in its events what holds a pod up, kubectl logs what its program says"
_AT_ONCE = 5.0  # s
_GONE_WITHIN = 35.0  # s; the usual grace period and a little


async def settled(lab: Lab, deployment: str, *, within: float, why: str = HELD_UP) -> list[Object]:
    """The pods of a Deployment that has rolled out: up to date, available, at least one; those from before are gone.

    Args:
        within: seconds.
        why: what to say if it does not roll out.

    Raises:
        Failure: there is no such Deployment, or it does not roll out in time.
    """
    await presence.exists(lab, "Deployment", deployment, "the task names it, and its pods are asked", others=True)
    seen = await deployments.rolled_out(lab, deployment, within=within)
    expect(seen).because(why)
    await deployments.old_pods_gone(lab, deployment, within=_GONE_WITHIN)  # until then they may answer
    return sorted((each for each in await deployments.owned_pods(lab, deployment) if not leaving(each)), key=name_of)


async def printed(
    lab: Lab, pod: Object, *command: str, container: str | None = None, within: float = 15, why: str = HELD_UP
) -> Printed:
    """What a command in a container prints.

    Args:
        container: the pod's first one if none is given.
        within: seconds.
        why: what to say if the container does not run.

    Raises:
        Failure: there is no such container, it does not run, or it runs other commands and this one does not end.
        LabError: it runs, and commands can't be run there all the same.
    """
    name, wanted = name_of(pod), container or str(pod["spec"]["containers"][0]["name"])
    try:
        return await lab.objects.run_in(name, *command, container=wanted, within=within)
    except LabError as trouble:
        now = await lab.objects.named("Pod", name).now()
        if now is not None and running(now, wanted):
            if isinstance(trouble, Unending) and await _takes_commands(lab, name, wanted):
                unending = Observation(False, f"{command[0]} in Pod {name} ends", trouble.message, timed=True)
                expect(unending).because("the image's own program of that name hangs, or has next to no CPU")
            raise
        lines = [f"its log: {line}" for line in await last_lines(lab, name, container=wanted)] if now else []
        seen = absent(f"container {wanted} of Pod {name} runs", pod_state(now) if now else "it is gone", evidence=lines)
        expect(seen).because(why)
        raise


async def _takes_commands(lab: Lab, pod: str, container: str) -> bool:
    """Does a command that does nothing end there at once?"""
    try:
        await lab.objects.run_in(pod, "true", container=container, within=_AT_ONCE)
    except LabError:
        return False
    return True


def running(pod: Object, container: str) -> bool:
    """Does a container run, an init container too, as the pod's status says?"""
    status = pod.get("status") or {}
    told = [*(status.get("containerStatuses") or []), *(status.get("initContainerStatuses") or [])]
    return any(each["name"] == container and "running" in (each.get("state") or {}) for each in told)
