"""A pod of the checker's that the API server takes or refuses, and that is gone afterwards."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.kit import admission
from mlops_lab.kube.errors import NotFound, Refused
from tests.made_up import NothingThere, made_up_lab


class Objects(NothingThere):
    """A namespace that refuses pods so many times.

    Args:
        status: of a refusal.
    """

    def __init__(self, refusals: int = 0, status: int = 403) -> None:
        self.refusals, self.status = refusals, status
        self.there: dict[str, Any] = {}

    def named(self, kind: str, name: str) -> Any:
        async def now() -> Any:
            return self.there.get(name)

        return SimpleNamespace(now=now, present=now)

    async def apply(self, objects: Any) -> None:
        if self.refusals:
            self.refusals -= 1
            if self.status == 404:
                raise NotFound('Pod probe: namespaces "lab" not found', "make it")
            raise Refused("Pod probe: exceeded quota", "read it", self.status)
        self.there |= {each["metadata"]["name"]: each for each in objects}

    async def delete(self, kind: str, name: str, grace: int | None = None) -> None:
        self.there.pop(name, None)


def ask(objects: Objects, within: float = 0.0) -> admission.Admission:
    lab = made_up_lab(objects=objects)
    pod = admission.gated(lab, "probe", [{"resources": {"limits": {"memory": "8Mi"}}}], priorityClassName="high")
    return asyncio.run(admission.answered(lab, pod, within=within))


def test_a_pod_that_is_taken_is_seen_as_it_is_stored_and_gone_afterwards() -> None:
    objects = Objects()
    found = ask(objects)
    assert found.pod is not None and not found.refusal
    assert found.pod["spec"]["schedulingGates"] and found.pod["spec"]["priorityClassName"] == "high"
    assert found.pod["spec"]["containers"][0]["resources"] == {"limits": {"memory": "8Mi"}}
    assert not objects.there


def test_a_refusal_says_why() -> None:
    assert ask(Objects(refusals=1)) == admission.Admission(None, "exceeded quota")


def test_a_namespace_that_is_gone_takes_no_pods() -> None:
    assert ask(Objects(refusals=1, status=404)) == admission.Admission(None, 'namespaces "lab" not found')


def test_a_refusal_may_be_tried_again() -> None:
    assert ask(Objects(refusals=2), within=30).pod is not None


def test_trouble_of_the_api_server_is_no_refusal() -> None:
    with pytest.raises(Refused):
        ask(Objects(refusals=1, status=500))
