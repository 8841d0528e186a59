"""Rights are asked about as the API server knows them: who, with which groups, what and where."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mlops_lab.kit import rights
from mlops_lab.kit.rights import EVERYWHERE, Right, allowed
from tests.made_up import made_up_lab

SECRET = Right("get", "secrets", "key")
LOG = Right("get", "pods", subresource="log")
PATCH = Right("patch", "deployments", "model", "apps", namespace="other")
NODES = Right("list", "nodes", namespace=EVERYWHERE)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was asked; secrets and nodes are allowed."""
    found: list[Any] = []

    def answer(kube: Any, spec: Any) -> bool:
        found.append(spec)
        return spec["resourceAttributes"]["resource"] in ("secrets", "nodes")

    monkeypatch.setattr(rights.reviews, "allowed", answer)
    return found


def test_those_that_the_api_server_allows_come_back(asked: list[Any]) -> None:
    found = asyncio.run(allowed(made_up_lab(), "trainer", (SECRET, LOG, PATCH, NODES)))
    assert found == [SECRET, NODES]
    assert [each["resourceAttributes"]["namespace"] for each in asked] == ["lab", "lab", "other", ""]
    assert asked[1]["resourceAttributes"] == {
        "verb": "get", "resource": "pods", "group": "", "name": "", "subresource": "log", "namespace": "lab",
    }  # fmt: skip


@pytest.mark.parametrize(("home", "at"), [("", "lab"), ("before", "before")])
def test_an_account_is_of_a_namespace_and_of_its_groups(asked: list[Any], home: str, at: str) -> None:
    asyncio.run(allowed(made_up_lab(), "trainer", [SECRET], home=home))
    assert asked[0]["user"] == f"system:serviceaccount:{at}:trainer"
    assert asked[0]["groups"] == ["system:serviceaccounts", f"system:serviceaccounts:{at}", "system:authenticated"]
    assert asked[0]["resourceAttributes"]["namespace"] == "lab"


@pytest.mark.parametrize(
    ("right", "said"),
    [
        (SECRET, "get secrets key"),
        (LOG, "get pods/log"),
        (PATCH, "patch deployments model in namespace other"),
        (NODES, "list nodes of the whole cluster"),
    ],
)
def test_a_right_in_words(right: Right, said: str) -> None:
    assert str(right) == said
