"""What makes pods that a Service leads to."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import Any

import pytest

from mlops_lab.checks import Failure
from mlops_lab.kit import makers
from mlops_lab.kube.client import Object
from tests.made_up import NothingThere, made_up_lab


def made_by(kind: str, name: str, labels: Object) -> Object:
    template = {"template": {"metadata": {"labels": labels}}}
    return {"metadata": {"name": name}, "spec": {"jobTemplate": {"spec": template}} if kind == "CronJob" else template}


class Objects(NothingThere):
    """A Service, and an object that makes pods."""

    def __init__(self, item: Object, kind: str) -> None:
        super().__init__()
        self.item, self.kind = item, kind

    async def all(self, asked: str, selector: str = "") -> list[Object]:
        return [self.item] if asked == self.kind else []

    async def service(self, name: str) -> Object:
        return {"spec": {"selector": {"app": "book"}}}


@pytest.mark.parametrize(
    ("kind", "name", "labels", "seen"),
    [
        ("Deployment", "book", {"app": "book"}, ""),
        ("Deployment", "books", {"app": "book", "at": "night"}, "Deployment books"),
        ("CronJob", "copy", {"app": "book"}, "CronJob copy"),
        ("CronJob", "copy", {"app": "copy"}, ""),
        ("Job", "copy", {}, ""),
        ("Job", "copy", {"app": "book"}, "Job copy"),
    ],
)
def test_pods_that_are_yet_to_come_are_not_behind_the_service(
    monkeypatch: pytest.MonkeyPatch, kind: str, name: str, labels: Object, seen: str
) -> None:
    async def answers(*given: Any) -> None: ...

    monkeypatch.setattr(makers, "must_answer", answers)
    with pytest.raises(Failure) if seen else nullcontext() as raised:
        asyncio.run(makers.answers_alone(made_up_lab(objects=Objects(made_by(kind, name, labels), kind)), "book"))
    assert not seen or seen in raised.value.seen


def test_a_job_that_is_over_makes_no_more_pods(monkeypatch: pytest.MonkeyPatch) -> None:
    done = made_by("Job", "copy", {"app": "book"})
    done["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}

    async def nothing(*given: Any) -> None: ...

    monkeypatch.setattr(makers, "must_answer", nothing)
    asyncio.run(makers.answers_alone(made_up_lab(objects=Objects(done, "Job")), "book"))
