"""Lab 09: a registry of more than nine versions, one pod more, and what an exit code 0 claims."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.checks.rooms.work import Command
from mlops_lab.measure.services.rest import RefusedRequest
from tests.lab_programs import loaded
from tests.made_up import made_up_lab

prepared, scenario = loaded("09", "prepared"), loaded("09", "scenario")


class Registry:
    """Versions by number; it refuses to make one where it is told so."""

    name = "lab-09"

    def __init__(self, highest: int, refuses: bool = False) -> None:
        self.numbers, self.refuses, self.bodies = list(range(1, highest + 1)), refuses, list[Any]()

    async def versions(self) -> list[Any]:
        about = {"source": "models:/m-1", "run_id": "january"}
        return [{"version": str(number), **about} for number in reversed(self.numbers)]

    async def ask(self, method: str, path: str, body: Any) -> Any:
        assert (method, path) == ("POST", "model-versions/create")
        if self.refuses:
            raise RefusedRequest("MLflow", 404, "RESOURCE_DOES_NOT_EXIST")
        self.bodies.append(body)
        self.numbers.append(self.numbers[-1] + 1)
        return {"model_version": {"version": str(self.numbers[-1])}}

    async def by_alias(self, alias: str) -> Any:
        return {"version": "2"}


def lab_with(registry: Registry) -> Any:
    return made_up_lab("09", platform=SimpleNamespace(mlflow=registry))


@pytest.mark.parametrize("highest", [1, 4, 30])
def test_the_next_version_has_two_digits(highest: int) -> None:
    registry = Registry(highest)
    asyncio.run(prepared.more_versions(lab_with(registry), "1"))
    assert max(registry.numbers) == 30 if highest == 30 else 9 <= max(registry.numbers) <= 11
    assert all(body["model_id"] == "m-1" and body["run_id"] == "january" for body in registry.bodies)


def test_a_registry_that_takes_no_more_versions_is_left_as_it_is() -> None:
    registry = Registry(1, refuses=True)
    asyncio.run(prepared.more_versions(lab_with(registry), "1"))
    assert registry.numbers == [1]


@pytest.mark.parametrize(
    ("code", "said", "ok"), [(1, {"1", "2"}, True), (None, {"1"}, True), (0, {"2"}, True), (0, {"1", "2"}, False)]
)
def test_a_rollback_exits_with_0_only_if_all_pods_serve_it(
    monkeypatch: pytest.MonkeyPatch, code: int | None, said: set[str], ok: bool
) -> None:
    async def called(lab: Any, *words: str) -> Command:
        assert words == ("rollback",)
        return Command(code, "", 3.0)

    async def by_all_pods(lab: Any) -> Any:
        return [(version, []) for version in said]

    monkeypatch.setattr(scenario, "called", called)
    monkeypatch.setattr(scenario, "by_all_pods", by_all_pods)
    assert asyncio.run(scenario.no_false_rollback(lab_with(Registry(1)))).ok is ok
