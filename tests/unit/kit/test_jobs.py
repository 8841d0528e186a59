"""A Job's end is told of truly, and one made from a CronJob is its template's and is gone afterwards."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.checks import LabError, Observation
from mlops_lab.kit import jobs
from tests.made_up import NothingThere, made_up_lab

COMPLETE = {"type": "Complete", "status": "True"}
FAILED = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}


def job(*conditions: Any, **status: Any) -> Any:
    return {"kind": "Job", "metadata": {"name": "train"}, "status": {"conditions": [*conditions], **status}}


@pytest.mark.parametrize(
    ("found", "said", "over"),
    [
        (None, "no Job", False),
        (job(COMPLETE), "completed", True),
        (job(FAILED, failed=3), "failed (BackoffLimitExceeded)", True),
        (job({"type": "Failed", "status": "True"}), "failed (no reason)", True),
        (job({"type": "Failed", "status": "False"}), "running", False),
        (job(failed=2), "running, 2 pods failed", False),
        ({"metadata": {}}, "running", False),
    ],
)
def test_how_a_job_is(found: Any, said: str, over: bool) -> None:
    assert (jobs.outcome(found), jobs.over(found)) == (said, over)


@pytest.mark.parametrize(
    ("found", "ok", "evidence"),
    [(job(COMPLETE), True, ()), (job(FAILED), False, ("a warning",)), (job(), False, ("it waits",))],
)
def test_only_a_job_that_completed_is_good(found: Any, ok: bool, evidence: tuple[str, ...]) -> None:
    async def until(test: Any, *, expected: str, shown: Any, within: float) -> Observation:
        ended = test(found)
        return Observation(ended, expected, shown(found), within, () if ended else ("it waits",))

    async def now() -> Any:
        return found

    async def looked_up(kind: str, name: str) -> tuple[str, ...]:
        return ("a warning",)

    watched = SimpleNamespace(until=until, now=now)
    lab = made_up_lab(objects=NothingThere(named=lambda *given: watched, evidence=looked_up))
    seen = asyncio.run(jobs.ended(lab, "train", within=5))
    assert (seen.ok, seen.seen, seen.evidence) == (ok, jobs.outcome(found), evidence)


def test_a_job_of_a_cron_job_is_its_templates_and_is_deleted() -> None:
    template = {"metadata": {"labels": {"app": "score"}, "name": "old"}, "spec": {"backoffLimit": 1}}
    applied: list[Any] = []
    deleted: list[str] = []

    async def now() -> Any:
        return {"spec": {"jobTemplate": template}}

    async def apply(objects: Any) -> None:
        applied.extend(objects)

    async def delete(kind: str, name: str, **more: Any) -> None:
        deleted.append(f"{kind} {name}")

    objects = NothingThere(named=lambda *given: SimpleNamespace(now=now), apply=apply, delete=delete)

    async def play() -> str:
        async with jobs.started_from(made_up_lab(objects=objects), "nightly") as name:
            assert not deleted
            return name

    name = asyncio.run(play())
    assert name.startswith("nightly-check-") and deleted == [f"Job {name}"]
    assert applied[0]["metadata"] == {"labels": {"app": "score"}, "name": name}
    assert (applied[0]["kind"], applied[0]["spec"]) == ("Job", {"backoffLimit": 1})
    assert template["metadata"] == {"labels": {"app": "score"}, "name": "old"}


def test_a_cron_job_that_is_not_there_starts_nothing() -> None:
    async def play() -> None:
        async with jobs.started_from(made_up_lab(), "nightly"):
            raise AssertionError("it began")

    with pytest.raises(LabError, match="nightly"):
        asyncio.run(play())
