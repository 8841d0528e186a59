"""Deployments of the learner's that must run, and what their pods complain of where they don't."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence

from mlops_lab.checks import Lab, LabError, Observation, expect, rolled_out, rollout_state
from mlops_lab.kit import deployments
from mlops_lab.kit.pods import containers_of, newest
from mlops_lab.kit.rollouts import pods_of_now
from mlops_lab.kube.client import Object

READY_WITHIN = 90  # s for what is applied to run
GONE_WITHIN = 15  # s for the pods of the configuration before, which get requests and answer them until they have ended
WIDTH = 500  # characters of a complaint


async def runs(lab: Lab, name: str) -> None:
    """A Deployment with all of its pods up to date and ready.

    Raises:
        Failure: there is none, it is not ready in time, or a container of it ends again and again.
    """
    await deployments.exists(lab, name, why=f"{deployments.NOTHING_RUNS}kubectl apply -k .")
    deployment = lab.objects.deployment(name)

    async def state() -> tuple[Object | None, list[Object]]:
        item = await deployment.now()
        return item, await pods_of_now(lab, item)

    seen = await lab.time.eventually(
        state, lambda now: rolled_out(now[0]) or ends_again(now[1]), expected=f"all pods of Deployment {name} ready",
        shown=lambda now: rollout_state(now[0]), within=READY_WITHIN,
    )  # fmt: skip
    item, pods = seen.value
    ready = rolled_out(item)
    lines = () if ready else await complaints(lab, pods) or (await deployment.rolled_out(within=0)).evidence
    again = ", and the container ends again and again" if not ready and ends_again(pods) else ""
    expect(Observation(ready, seen.expected, seen.seen + again, evidence=lines)).because(
        f"kubectl logs deployment/{name} says what it does not like about its configuration, with file and line. Where "
        "the one before still runs, that one goes on with the configuration before"
    )
    await deployments.old_pods_gone(lab, name, within=GONE_WITHIN)


def ends_again(pods: Sequence[Object]) -> bool:
    """Has a container been started three times?"""
    return any(
        each.get("restartCount", 0) >= 2 and not each.get("ready") for pod in pods for each in containers_of(pod)
    )


async def complaints(lab: Lab, pods: Sequence[Object]) -> tuple[str, ...]:
    """What the newest of a Deployment's pods logged when it ended."""
    if (pod := newest(pods)) is None:
        return ()
    for previous in (True, False):
        with contextlib.suppress(LabError):
            text = await lab.objects.logs(pod["metadata"]["name"], tail=30, previous=previous)
            if lines := [line for line in text.splitlines() if re.search(r"\berr(or)?=|level=error|Error", line)]:
                return tuple(complaint(line) for line in lines[-3:])
    return ()


def complaint(line: str) -> str:
    """What a line of a log complains about; without the folder that a ConfigMap's files really lie in."""
    said = re.sub(r"^.*?\berr(or)?=", "", line).replace('\\"', '"').strip('"')
    return re.sub(r"\.\.\d{4}_[^/\s]+/", "", said)[-WIDTH:]
