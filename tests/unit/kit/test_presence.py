"""An object of the learner's is given, or its absence fails with what to do."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import Failure
from mlops_lab.kit.presence import exists
from tests.made_up import NothingThere, made_up_lab

SECRET = {"kind": "Secret", "metadata": {"name": "api-key"}}


def test_what_is_there_is_given() -> None:
    async def now() -> Any:
        return SECRET

    lab = made_up_lab(objects=NothingThere(named=lambda kind, name: SimpleNamespace(now=now)))
    assert asyncio.run(exists(lab, "Secret", "api-key", "make it")) == SECRET


@pytest.mark.parametrize(
    ("others", "there", "seen"),
    [
        (False, ["b"], "there is none in this namespace"),
        (True, ["b", "a"], "Secrets here: a, b"),
        (True, [], "Secrets here: none"),
    ],
)
def test_what_is_not_there_fails_with_why_and_perhaps_what_is_instead(
    others: bool, there: list[str], seen: str
) -> None:
    async def every(kind: str) -> list[Any]:
        assert kind == "Secret"
        return [{"metadata": {"name": name}} for name in there]

    with pytest.raises(Failure) as failed:
        asyncio.run(exists(made_up_lab(objects=NothingThere(all=every)), "Secret", "api-key", "make it", others=others))
    assert (failed.value.expected, failed.value.seen, failed.value.why) == ("a Secret named api-key", seen, "make it")
