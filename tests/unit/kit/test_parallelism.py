"""How many of a Job's pods worked at the same time is told by what has been, not by what the Job says afterwards."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.checks import Failure
from mlops_lab.kit.parallelism import must_work_at_once
from tests.made_up import NothingThere, made_up_lab


def pod(span: str) -> Any:
    begun, over = (f"2026-05-01T08:00:{each}Z" for each in span.split("-"))
    ended = {"startedAt": begun, "finishedAt": over}
    return {
        "metadata": {"creationTimestamp": begun}, "status": {"containerStatuses": [{"state": {"terminated": ended}}]}
    }  # fmt: skip


@pytest.mark.parametrize(
    ("says", "spans", "said"),
    [
        (2, ["00-02", "00-03", "02-05"], ""),
        (1, ["00-02", "00-03", "02-05"], "parallelism: 2; saw 1"),
        (None, ["00-02", "00-03", "02-05"], "parallelism: 2; saw None"),
        (2, ["00-02", "03-05", "06-08"], "it began with 1"),
        (2, ["00-02", "00-03", "00-05"], "3 at once"),
    ],
)
def test_what_has_been_counts(says: int | None, spans: list[str], said: str) -> None:
    async def present() -> Any:
        return {"spec": {"parallelism": says} if says else {}}

    async def every(kind: str, selector: str) -> list[Any]:
        assert (kind, selector) == ("Pod", "job-name=job")
        return [pod(each) for each in spans]

    lab = made_up_lab(objects=NothingThere(named=lambda *given: SimpleNamespace(present=present), all=every))
    with pytest.raises(Failure, match=said) if said else contextlib.nullcontext():
        asyncio.run(must_work_at_once(lab, "job", 2))
