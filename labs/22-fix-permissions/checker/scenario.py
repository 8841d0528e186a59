"""A run of the pipeline: with flights of the checker's, to its end, and what is served then."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from mlops_lab.checks import Lab, Observation, absent, expect
from mlops_lab.kit import jobs
from mlops_lab.kit.logs import last_lines
from mlops_lab.kit.pods import newest
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.restore import put_back
from mlops_lab.kube.client import Object
from mlops_lab.kube.errors import Refused

from .accounts import STEPS

RUN_WITHIN = 150.0  # s for four pods one after the other, and a rollout
_IDLE_WITHIN = 60.0  # s for a run that the learner has just started
_SERVED_WITHIN = 20.0  # s until the nodes have heard of the pods that have the new model
_CHANGED = (
    ("ConfigMap", "flights"), ("ConfigMap", "training-set"), ("ConfigMap", "candidate"), ("Deployment", "model")
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """How a run ended, and what was served then."""

    ended: Observation
    served: Observation


async def run(lab: Lab, flights: str, answer: Mapping[str, object]) -> Run:
    """Run the pipeline with these flights, and put all that it changes back as it was.

    Args:
        flights: the text of ConfigMap flights.
        answer: what Service model is to say then.

    Raises:
        Failure: something of it is not there, or another run does not end.
    """
    must(
        await _idle(lab),
        "the checker's run and this one would change the same objects: wait for its end, or delete its Job",
    )
    before = [await lab.objects.named(kind, name).present() for kind, name in _CHANGED]
    try:
        await lab.objects.patch("ConfigMap", "flights", {"data": {"flights.csv": flights}})
        ended = await _run_of_nightly(lab)
        return Run(ended, await _served(lab, answer) if ended.ok else ended)
    except Refused as refused:
        if not refused.transient:
            expect(absent("ConfigMap flights takes new flights, and a run of nightly begins", refused.message)).because(
                "each night brings new flights and Jobs of its own: none of it may be immutable, and quotas need room"
            )
        raise
    finally:
        await asyncio.gather(*(put_back(lab, each) for each in before))


async def _run_of_nightly(lab: Lab) -> Observation:
    """Start nightly, and wait for its end; where it fails, with what the steps have said."""
    steps: list[str] = []
    try:
        async with jobs.started_from(lab, "nightly") as job:
            steps = [f"{job}-{step}" for step in STEPS]
            ended = await jobs.ended(lab, job, within=RUN_WITHIN)
            if ended.ok:
                return ended
            lines = [line for step in steps for line in await _said(lab, step)]
            return replace(ended, evidence=(*lines, *ended.evidence))
    finally:
        # They belong to the Job that is gone now, and would follow it sometime.
        await asyncio.gather(*(lab.objects.delete("Job", step) for step in steps))


async def _said(lab: Lab, job: str) -> list[str]:
    """The last lines of a step's log."""
    pod = newest(await jobs.pods_of(lab, job))
    return [f"{job}: {line}" for line in await last_lines(lab, pod, 2)] if pod else []


async def _idle(lab: Lab) -> Observation:
    """Wait until no Job of the namespace runs."""

    def running(found: list[Object]) -> list[str]:
        return [
            str(each["metadata"]["name"]) for each in found if not jobs.over(each) and not each["spec"].get("suspend")
        ]

    return await lab.time.eventually(
        lambda: lab.objects.all("Job"), lambda found: not running(found), expected="no other run is under way",
        shown=lambda found: f"{', '.join(running(found)) or 'none'} under way", within=_IDLE_WITHIN,
    )  # fmt: skip


async def _served(lab: Lab, answer: Mapping[str, object]) -> Observation:
    """Does Service model say what it should?"""
    return await lab.time.eventually(
        lambda: lab.traffic.get("model", "/"), lambda found: found.fields_if_any == answer,
        expected="Service model answers GET / with the model of these flights, signed",
        shown=lambda found: "it does" if found.fields_if_any == answer else found.shown, within=_SERVED_WITHIN,
    )  # fmt: skip
