"""A Job's end is told of truly, and one made from a CronJob is its template's and is gone afterwards."""

from __future__ import annotations

import asyncio
import copy
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


def pod(name: str, made: str) -> Any:
    return {"metadata": {"name": name, "creationTimestamp": made}, "spec": {"containers": [{"name": "train"}]}}


def lab_with(found: Any, log: str | None = "KeyError: 'late'\n") -> Any:
    """A lab with a Job and two pods of its; without a log they have not begun."""

    async def until(test: Any, *, expected: str, shown: Any, within: float) -> Observation:
        over = test(found)
        return Observation(over, expected, shown(found), within, () if over else ("it waits",))

    async def now() -> Any:
        return found

    async def looked_up(kind: str, name: str) -> tuple[str, ...]:
        return ("a warning",)

    async def every(kind: str, selector: str = "") -> list[Any]:
        assert (kind, selector) == ("Pod", "job-name=train")
        return [pod("train-2", "2026-01-02"), pod("train-1", "2026-01-01")]

    async def logs(name: str, container: str | None, *, tail: int) -> str:
        if log is None:
            raise LabError(f"logs of pod {name}: status 400", "")
        return f"{name} {log}"

    watched = SimpleNamespace(until=until, now=now)
    return made_up_lab(objects=NothingThere(named=lambda *given: watched, evidence=looked_up, all=every, logs=logs))


LOG = "its log: train-2 KeyError: 'late'"


@pytest.mark.parametrize(
    ("found", "wanted", "ok", "evidence"),
    [
        (job(COMPLETE), "completed", True, ()),
        (job(FAILED), "completed", False, (LOG, "a warning")),
        (job(), "completed", False, (LOG, "it waits")),
        (job(FAILED), "failed", True, ()),
        (job(COMPLETE), "failed", False, (LOG, "a warning")),
    ],
)
def test_only_a_job_that_ended_as_wanted_is_good(found: Any, wanted: Any, ok: bool, evidence: tuple[str, ...]) -> None:
    seen = asyncio.run(jobs.ended(lab_with(found), "train", within=5, wanted=wanted))
    assert (seen.ok, seen.expected, seen.seen, seen.evidence) == (ok, wanted, jobs.outcome(found), evidence)


@pytest.mark.parametrize(("reason", "timed"), [("DeadlineExceeded", True), ("BackoffLimitExceeded", None)])
def test_a_machine_without_cpu_may_be_why_a_deadline_has_ended_a_job(reason: str, timed: bool | None) -> None:
    found = job({"type": "Failed", "status": "True", "reason": reason})
    seen = asyncio.run(jobs.ended(lab_with(found), "train", within=10))
    assert (seen.ok, seen.timed) == (False, timed)


def test_a_pod_that_has_not_begun_has_no_last_lines() -> None:
    assert asyncio.run(jobs.ended(lab_with(job(FAILED), None), "train", within=5)).evidence == ("a warning",)


TEMPLATE = {
    "metadata": {"labels": {"app": "score"}, "name": "old"},
    "spec": {"template": {"spec": {"containers": [{"name": "score"}], "initContainers": [{"name": "fetch"}]}}},
}


class Objects(NothingThere):
    """A CronJob, and one pod of the Job that is made of it.

    Args:
        stays: the pod can't be got rid of.
    """

    def __init__(self, stays: bool = False) -> None:
        self.cronjob = {
            "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly"},
            "spec": {"jobTemplate": copy.deepcopy(TEMPLATE), "suspend": False},
        }  # fmt: skip
        self.stays, self.job, self.done = stays, None, list[str]()

    def named(self, kind: str, name: str) -> Any:
        async def now() -> Any:
            return copy.deepcopy(self.cronjob)

        return SimpleNamespace(now=now)

    async def apply(self, objects: Any) -> None:
        (self.job,) = objects

    async def all(self, kind: str, selector: str = "") -> list[Any]:
        assert self.job and selector == f"job-name={self.job['metadata']['name']}"
        return [pod("nightly-1", "2026-01-01")]

    async def patch(self, kind: str, name: str, patch: Any) -> Any:
        self.cronjob["spec"] |= patch["spec"]
        self.done.append(f"{kind} {name} suspend={patch['spec']['suspend']}")

    async def delete(self, kind: str, name: str, grace: int | None = None) -> None:
        self.done.append(f"deleted {kind}")

    async def kill(self, name: str, grace: int | None = None) -> None:
        self.done.append(f"killed {name} {grace}")

    async def gone(self, kind: str, name: str, *, within: float) -> None:
        if self.stays:
            raise LabError(f"{kind} {name} is still there", "")
        self.done.append(f"{name} is gone")


BEFORE = ["CronJob nightly suspend=True"]
AFTER = ["deleted Job", "killed nightly-1 0", "nightly-1 is gone", "CronJob nightly suspend=False"]


def start(objects: Objects, trouble: BaseException | None = None, change: Any = None) -> None:
    async def play() -> None:
        async with jobs.started_from(made_up_lab(objects=objects), "nightly", change) as name:
            assert objects.job and objects.job["metadata"]["name"] == name
            assert objects.done == BEFORE
            if trouble:
                raise trouble

    asyncio.run(play())


def test_a_job_of_a_cron_job_is_its_templates_and_nothing_is_left_of_it() -> None:
    objects = Objects()
    start(objects)
    assert objects.job is not None
    name = objects.job["metadata"]["name"]
    assert name.startswith("nightly-check-")
    assert objects.job["metadata"] == {"labels": {"app": "score"}, "name": name}
    assert (objects.job["kind"], objects.job["spec"]) == ("Job", TEMPLATE["spec"])
    assert objects.done == BEFORE + AFTER
    assert objects.cronjob["spec"] == {"jobTemplate": TEMPLATE, "suspend": False}


@pytest.mark.parametrize("trouble", [RuntimeError("the check fails"), asyncio.CancelledError()])
def test_nothing_is_left_where_the_block_fails_or_is_cut_off(trouble: BaseException) -> None:
    objects = Objects()
    with pytest.raises(type(trouble)):
        start(objects, trouble)
    assert objects.done == BEFORE + AFTER


def test_a_check_that_is_cancelled_again_meanwhile_leaves_nothing_either() -> None:
    objects, freed = Objects(), asyncio.Event()

    async def slow(kind: str, name: str, grace: int | None = None) -> None:
        await freed.wait()
        objects.done.append("deleted Job")

    objects.delete = slow  # type: ignore[method-assign]

    async def play() -> None:
        async def check() -> None:
            async with jobs.started_from(made_up_lab(objects=objects), "nightly"):
                await asyncio.sleep(60)

        task = asyncio.create_task(check())
        for _ in range(2):
            await asyncio.sleep(0.01)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        freed.set()
        await asyncio.sleep(0.01)

    asyncio.run(play())
    assert objects.done == BEFORE + AFTER


def test_the_cron_job_is_put_back_also_where_a_pod_stays() -> None:
    objects = Objects(stays=True)
    with pytest.raises(LabError, match="nightly-1 is still there"):
        start(objects)
    assert objects.done[-1] == AFTER[-1]


def test_containers_of_the_job_are_changed_and_those_of_the_cron_job_are_not() -> None:
    objects = Objects()
    start(objects, change=lambda container: container.update(env=[]))
    assert objects.job is not None
    made = objects.job["spec"]["template"]["spec"]
    assert made == {
        "containers": [{"name": "score", "env": []}],
        "initContainers": [{"name": "fetch", "env": []}],
    }
    assert objects.cronjob["spec"]["jobTemplate"] == TEMPLATE


def test_a_cron_job_that_is_not_there_starts_nothing() -> None:
    async def play() -> None:
        async with jobs.started_from(made_up_lab(), "nightly"):
            raise AssertionError("it began")

    with pytest.raises(LabError, match="nightly"):
        asyncio.run(play())
