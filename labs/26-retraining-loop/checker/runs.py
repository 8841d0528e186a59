"""Runs of this lab's experiment that the learner's loop starts: how many begin, when one ends, what it has made."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.pipeline_runs import Record, progress
from mlops_lab.kube.client import Object

STARTS_WITHIN = 25  # s from a message to the run
ENDS_WITHIN = 300  # s for a run; on a busy machine Kubeflow takes 10 s for each of its pods, two a step
MODEL = "system.Model"


async def new_runs(lab: Lab, known: Sequence[Object]) -> list[Object]:
    """The runs that were not there before, newest first."""
    before = {run["run_id"] for run in known}
    return [run for run in await lab.platform.pipelines.runs() if run["run_id"] not in before]


async def begins(
    lab: Lab, known: Sequence[Object], *, within: float = STARTS_WITHIN, statuses: Sequence[int] = ()
) -> Observation:
    """Wait so many seconds for a run that was not there before; the value is a list of its id.

    Args:
        statuses: with which messages about it were answered.
    """
    look = partial(new_runs, lab, known)
    seen = await lab.time.eventually(look, bool, expected="1 run begins", shown=count, within=within)
    posted = ", ".join(map(str, statuses))
    answered = f"; the messages were answered with status {posted} (0: no answer)" if posted else ""
    return Observation(seen.ok, seen.expected, seen.seen + answered, [run["run_id"] for run in seen.value])


async def ends(
    lab: Lab, run: str, known: Sequence[Object] | None = None, *, beside: Callable[[], Awaitable[None]] | None = None
) -> Observation:
    """Wait for a run's end; where the runs before it are known, only until there is more than one beside them.

    Args:
        beside: what is looked at meanwhile, every two seconds.
    """

    async def look() -> tuple[Object, int]:
        if beside:
            await beside()
        return await lab.platform.pipelines.run(run), 1 if known is None else len(await new_runs(lab, known))

    return await lab.time.eventually(
        look, lambda seen: lab.platform.pipelines.over(seen[0]) or seen[1] > 1, expected="the run ends",
        shown=lambda seen: progress(seen[0]), within=ENDS_WITHIN, every=2,
    )  # fmt: skip


async def last_end(lab: Lab) -> datetime | None:
    """When the newest run ended; None where that is not known."""
    runs = await lab.platform.pipelines.runs()
    with contextlib.suppress(ValueError):
        when = datetime.fromisoformat(str(runs[0].get("finished_at")) if runs else "")
        return when if when.tzinfo else when.replace(tzinfo=UTC)
    return None


def has_made(left: Record, run: Object, kind: str, what: str) -> Observation:
    """Whether a run came as far as an artifact of a type."""
    kinds = sorted({each.type for each in left.artifacts.values()})
    return Observation(
        any(each.startswith(kind) for each in kinds), f"the run has {what}: an artifact of type {kind}",
        f"artifacts of {', '.join(kinds) or 'no type'}; the run: {progress(run, left)}",
    )  # fmt: skip


def nothing_learnt(left: Record) -> Observation:
    """Whether a run came to its end without a model."""
    models = [each for each in left.artifacts.values() if each.type.startswith(MODEL)]
    return Observation(
        not models, f"the run has learnt nothing: no artifact of type {MODEL}",
        f"{len(models)} of them" if models else "none",
    )  # fmt: skip


def count(runs: Sequence[Object]) -> str:
    """How many runs, in words."""
    return f"{len(runs)} run{'s' * (len(runs) != 1)}" if runs else "no run"
