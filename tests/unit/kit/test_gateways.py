"""Gateways and HTTPRoutes: found by name in one of their versions, and served or not."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from mlops_lab.checks import Failure, Lab, LabError
from mlops_lab.checks.rooms.work import Command
from mlops_lab.kit import gateways
from tests.made_up import made_up_lab

GATEWAY = {"kind": "Gateway", "metadata": {"name": "amber"}, "status": {"conditions": []}}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What kubectl was asked; there is one Gateway."""
    words: list[tuple[str, ...]] = []

    async def kubectl(lab: Lab, *given: str) -> Command:
        words.append(given)
        one = given[2] if not given[2].startswith("-") else ""
        found: dict[str, Any] | None = {"items": [GATEWAY]} if not one else GATEWAY if one == "amber" else None
        return Command(0, json.dumps(found) if found else "", 0.1)

    monkeypatch.setattr(gateways, "kubectl", kubectl)
    return words


def test_one_is_found_in_the_version_that_is_meant(asked: list[tuple[str, ...]]) -> None:
    assert asyncio.run(gateways.exists(made_up_lab(), "Gateway", "amber", "why")) == GATEWAY
    assert asked[0][:3] == ("get", "gateways.v1.gateway.networking.k8s.io", "amber")


def test_where_there_is_none_of_that_name_the_others_are_said(asked: list[tuple[str, ...]]) -> None:
    with pytest.raises(Failure) as failed:
        asyncio.run(gateways.exists(made_up_lab(), "Gateway", "coral", "a route needs one"))
    assert (failed.value.seen, failed.value.why) == ("Gateways here: amber", "a route needs one")


@pytest.mark.parametrize(("status", "ok"), [("True", True), ("Unknown", False), ("", False)])
def test_one_is_served_once_its_controller_says_so(
    asked: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, status: str, ok: bool
) -> None:
    conditions = [{"type": "Programmed", "status": status}] if status else []
    monkeypatch.setitem(GATEWAY, "status", {"conditions": conditions})
    seen = asyncio.run(gateways.programmed(made_up_lab(), "amber", within=1))
    assert seen.ok is ok
    assert (f"Programmed {status}" if status else "nobody says anything") in seen.seen


@pytest.mark.parametrize("code", [1, None])
def test_a_kubectl_that_fails_has_not_seen_that_there_is_none(
    monkeypatch: pytest.MonkeyPatch, code: int | None
) -> None:
    async def kubectl(lab: Lab, *given: str) -> Command:
        return Command(code, "I am busy\nerror: the server said no\n", 0.1)

    monkeypatch.setattr(gateways, "kubectl", kubectl)
    with pytest.raises(LabError, match="kubectl get Gateway failed: error: the server said no") as failed:
        asyncio.run(gateways.exists(made_up_lab(), "Gateway", "amber", "why"))
    assert failed.value.transient
