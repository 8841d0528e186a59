"""Whom the API server takes the pods of the CronJobs for: asked in a pod of each one's template, by its own token."""

from __future__ import annotations

import json
from pathlib import Path

from mlops_lab.checks import Lab, LabError, Observation, holds
from mlops_lab.kit import jobs
from mlops_lab.kit.pods import name, newest
from mlops_lab.kit.side_by_side import together
from mlops_lab.kube.client import Object
from mlops_lab.kube.errors import Refused

from .accounts import ACCOUNTS

_WHO = (Path(__file__).parent / "who.py").read_text(encoding="utf-8")
_ENDS_WITHIN = 60.0  # s for a pod that asks one question, beside three others
_LENGTH = 160  # characters of what somebody says


async def identities(lab: Lab) -> Observation:
    """Do the pods of each CronJob act as its account, by a token that was made for the pod?"""
    said = dict(zip(ACCOUNTS, await together(*(_wrong(lab, each) for each in ACCOUNTS)), strict=True))
    wrong = [f"{cronjob}: {why}" for cronjob, why in said.items() if why]
    expected = f"the pods of {', '.join(ACCOUNTS)} are {', '.join(ACCOUNTS.values())} to the API server"
    return holds(not wrong, expected, "; ".join(wrong))


async def _wrong(lab: Lab, cronjob: str) -> str:
    """What is wrong with whom a pod of the CronJob's template is; empty if nothing is."""
    try:
        async with jobs.started_from(lab, cronjob, change=_asks) as job:
            ended = await jobs.ended(lab, job, within=_ENDS_WITHIN)
            pod = newest(await jobs.pods_of(lab, job))
            if not ended.ok or pod is None:
                return f"a pod of its template does not run to its end: {'; '.join((ended.seen, *ended.evidence[:2]))}"
            log = await lab.objects.logs(name(pod), pod["spec"]["containers"][0]["name"])
    except Refused as refused:  # such as a quota, of Jobs too
        if refused.transient:
            raise
        return f"no Job of its template is taken: {refused.message[:_LENGTH]}"
    return judged(log, name(pod), pod["metadata"]["namespace"], ACCOUNTS[cronjob])


def _asks(container: Object) -> None:
    container["command"] = ["python3", "-c", _WHO]
    container.pop("args", None)


def judged(log: str, pod: str, namespace: str, account: str) -> str:
    """What is wrong with what a pod has found out about itself; empty if nothing is.

    Args:
        account: whom it should be.

    Raises:
        LabError: the API server did not answer it.
    """
    line = (log.strip().splitlines() or [""])[-1]
    try:
        found = json.loads(line)
        trouble, nobody = str(found.get("trouble", "")), str(found.get("nobody", ""))
        user, pods = str(found.get("user", "")), list(found.get("pods") or [])
    except (ValueError, AttributeError, TypeError, RecursionError):
        return f"it said {line[:_LENGTH] or 'nothing'}"
    if trouble:
        raise LabError(f"pod {pod} has no answer of the API server: {trouble[:_LENGTH]}", "check again")
    if nobody:
        return f"nobody, not {account} ({nobody[:_LENGTH]})"
    if user != f"system:serviceaccount:{namespace}:{account}":
        return f"{user.removeprefix(f'system:serviceaccount:{namespace}:')}, not {account}"
    if pods != [pod]:
        return f"{account} by a token that was made for {', '.join(map(str, pods)) or 'no pod'}, and brought in here"
    return ""
