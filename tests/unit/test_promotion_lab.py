"""Lab 09: a registry of more than nine versions, what a hand moves the alias to, and tags that are put back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.checks import Failure
from mlops_lab.checks.rooms.objects import Printed
from mlops_lab.checks.rooms.work import Command
from mlops_lab.measure.services.rest import RefusedRequest
from tests.lab_programs import loaded
from tests.made_up import NothingThere, made_up_lab

prepared, as_found = loaded("09", "prepared"), loaded("09", "as_found")


class Registry:
    """Versions by number; it refuses to make one where it is told so."""

    name = "lab-09"

    def __init__(self, highest: int, refuses: bool = False) -> None:
        self.numbers, self.refuses, self.bodies = list(range(1, highest + 1)), refuses, list[Any]()
        self.about: dict[str, Any] = {"source": "models:/m-1", "run_id": "january"}

    async def versions(self) -> list[Any]:
        return [{"version": str(number), **self.about} for number in reversed(self.numbers)]

    async def ask(self, method: str, path: str, body: Any) -> Any:
        assert (method, path) == ("POST", "model-versions/create")
        if self.refuses:
            raise RefusedRequest("MLflow", 404, "RESOURCE_DOES_NOT_EXIST")
        self.bodies.append(body)
        self.numbers.append(self.numbers[-1] + 1)
        return {"model_version": {"version": str(self.numbers[-1])}}


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


def test_a_version_more_has_the_digest_of_its_data_and_no_other_tag() -> None:
    registry = Registry(1)
    registry.about["tags"] = [{"key": "data.digest", "value": "d"}, {"key": "served", "value": "1"}]
    asyncio.run(prepared.more_versions(lab_with(registry), "1"))
    assert all(body["tags"] == [{"key": "data.digest", "value": "d"}] for body in registry.bodies)


def test_where_no_version_more_was_made_a_hand_moves_the_alias_to_the_first() -> None:
    registry = Registry(12)
    known = {str(number) for number in registry.numbers}
    assert asyncio.run(prepared.another_version(lab_with(registry), "1", known)) == "1"
    assert asyncio.run(prepared.another_version(lab_with(registry), "1", known - {"9", "11"})) == "11"


@pytest.mark.parametrize(
    ("there", "removed"),
    [
        ([1, 12, 14, 15, 16], ""),
        ([1, 12, 14], ""),
        ([1, 14, 15], "removed: 12"),
        ([12, 14], "removed: 1"),
        ([1, 12, 14, 16, 18], "removed: 15, 17"),
    ],
)
def test_a_version_that_is_removed_is_missed_also_one_that_was_made_meanwhile(there: list[int], removed: str) -> None:
    """Version 14 was promoted; 2 to 11 and 13 had been removed before."""
    registry = Registry(1)
    registry.numbers = there
    seen = asyncio.run(prepared.all_there(lab_with(registry), ["1", "12"], "14"))
    assert (seen.ok, seen.seen if removed else "") == (not removed, removed)


@pytest.mark.parametrize(("code", "means"), [(1, "12"), (0, "13")])
def test_a_refusal_goes_back_to_what_was_in_production_and_no_further(code: int, means: str) -> None:
    """Version 13 serves, and 12 did before it."""
    lab09, called, put_back = loaded("09"), list[str](), list[bool]()
    runs = {name: SimpleNamespace(name=name, run_id=name) for name in ("next", "more", "broken")}
    known = {"candidates": SimpleNamespace(**runs), "promoted": SimpleNamespace(version={"version": "12"})}
    lab = made_up_lab("09", platform=SimpleNamespace(mlflow=None))

    async def once(function: Any) -> Any:
        return known.get(function.__name__)

    async def program(lab: Any, *words: str) -> Command:
        called.append(words[-1])
        return Command(code if words[-1] == "broken" else 0, "", 1.0)

    async def in_production(lab: Any) -> Any:
        return {"version": means if called[-1] == "broken" else "13"}

    async def back_as_found(lab: Any) -> None:
        put_back.append(True)

    lab.once = once  # type: ignore[method-assign]
    lab09.called, lab09.in_production, lab09.back_as_found = program, in_production, back_as_found
    again = asyncio.run(lab09.rolled_back(lab)).again
    assert (again.ok, called, put_back) == (False, ["more", "broken"], [True])
    assert ("it means 12" in again.seen) is (code == 1)


def test_tags_are_put_back_as_they_were_found() -> None:
    asked: list[Any] = []
    model = {"tags": [{"key": "served", "value": "1 12"}, {"key": "mine", "value": "x"}]}
    versions = [
        {"version": "2", "tags": [{"key": "served", "value": "yes"}]},
        {"version": "1", "tags": [{"key": "data.digest", "value": "d"}]},
    ]

    async def ask(method: str, path: str, body: Any = None, **query: Any) -> Any:
        if method == "GET":
            return {"registered_model": model}
        asked.append((method, path, body))
        return {}

    async def all_versions() -> Any:
        return versions

    mlflow = SimpleNamespace(name="lab-09", ask=ask, versions=all_versions)
    lab = made_up_lab("09", platform=SimpleNamespace(mlflow=mlflow))
    was = {"": {"served": "1"}, "1": {"data.digest": "d", "served": "yes"}, "2": {}}
    asyncio.run(as_found.put_back_notes(lab, was))
    assert asked == [
        ("POST", "registered-models/set-tag", {"name": "lab-09", "key": "served", "value": "1"}),
        ("DELETE", "registered-models/delete-tag", {"name": "lab-09", "key": "mine"}),
        ("DELETE", "model-versions/delete-tag", {"name": "lab-09", "version": "2", "key": "served"}),
        ("POST", "model-versions/set-tag", {"name": "lab-09", "version": "1", "key": "served", "value": "yes"}),
    ]


def test_registry_and_deployment_are_put_back_whichever_checks_ran() -> None:
    lab09, put_back = loaded("09", "as_found"), list[bool]()

    async def ask(method: str, path: str, body: Any = None, **query: Any) -> Any:
        return {"registered_model": {}}

    async def aliases(lab: Any) -> dict[str, str]:
        return {"production": "1"}

    async def back_as_found(lab: Any) -> None:
        put_back.append(True)

    async def story(lab: Any) -> None:
        await lab.once(lab09.found)
        await asyncio.sleep(0)
        assert not put_back
        await lab.end()

    registry = Registry(1)
    registry.ask = ask  # type: ignore[method-assign]
    lab09.aliases, lab09.back_as_found = aliases, back_as_found
    asyncio.run(story(made_up_lab("09", platform=SimpleNamespace(mlflow=registry, close=lambda: None))))
    assert put_back == [True]


@pytest.mark.parametrize(
    ("names", "cut"),
    [
        (["model-1"], "model-1"),
        (["model-2", "model-1"], "model-1"),
        (["model-3", "model-1", "model-2"], "model-2"),
        (["model-1", "model-2", "model-3", "model-4"], "model-2"),
    ],
)
def test_the_pod_that_is_cut_off_is_looked_at_from_its_first_container(names: Sequence[str], cut: str) -> None:
    cut_off, asked = loaded("09", "cut_off"), list[tuple[str, str | None]]()
    containers = [{"name": "server"}, {"name": "proxy"}]
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}

    async def owned_pods(lab: Any) -> list[Any]:
        return [{"metadata": {"name": each}, "spec": {"containers": containers}, "status": status} for each in names]

    async def run_in(name: str, *command: str, container: str | None = None, within: float) -> Printed:
        asked.append((name, container))
        return Printed(0, ["shut"], "")

    async def story() -> bool:
        async with cut_off.one_cut_off(made_up_lab("09", objects=NothingThere(run_in=run_in))) as shut:
            return bool(shut)

    cut_off.owned_pods = owned_pods
    assert asyncio.run(story())
    assert asked == [(cut, "server")]


def test_an_autoscaler_may_not_leave_one_pod() -> None:
    checks = loaded("09")
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "model"}
    hpa = {"metadata": {"name": "model"}, "spec": {"scaleTargetRef": target, "maxReplicas": 3}}

    async def every(kind: str, selector: str = "") -> list[Any]:
        return [hpa] if kind == "HorizontalPodAutoscaler" else []

    async def exists(*given: Any, **more: Any) -> Any:
        return {}

    checks.exists = exists
    with pytest.raises(Failure, match="HorizontalPodAutoscaler model may leave 1"):
        asyncio.run(checks.serves_production.run(made_up_lab("09", objects=NothingThere(all=every))))


@pytest.mark.parametrize(
    ("probe", "told", "untold"),
    [
        ({}, "the readiness probe asks nothing", "CPU limit"),
        ({"readinessProbe": {"httpGet": {"path": "/healthz"}}}, "the readiness probe asks /healthz", "CPU limit"),
        ({"readinessProbe": {"exec": {"command": ["python3", "ready.py"]}}}, "CPU limit", "the readiness probe"),
        ({"readinessProbe": {"httpGet": {"path": "/readyz"}}}, "CPU limit", "the readiness probe"),
    ],
)
def test_a_lost_answer_is_not_put_down_to_a_probe_that_knows_of_the_model(
    probe: dict[str, Any], told: str, untold: str
) -> None:
    why = loaded("09", "why")
    template = {"spec": {"containers": [{"name": "server", **probe}]}}
    known = {"found": SimpleNamespace(deployment={"spec": {"template": template}})}

    async def once(make: Any) -> Any:
        return known[make.__name__]

    said = asyncio.run(why.why_lost(SimpleNamespace(once=once), {0: 1, 200: 99}))
    assert told in said and untold not in said
