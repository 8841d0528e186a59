"""Lab 12: what its images are called, and whether an update is through when the program says so."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.kube.client import Object
from tests.lab_programs import loaded
from tests.made_up import NothingThere, Platform, made_up_lab

NEW, OLD = "localhost:5001/flight-delay:k3m9x2p", "localhost:5001/flight-delay:v1"


def deployment(image: str, updated: int = 3, there: int = 3) -> Object:
    return {
        "metadata": {"generation": 2},
        "spec": {"replicas": 3, "template": {"spec": {"containers": [{"image": image}]}}},
        "status": {
            "observedGeneration": 2, "replicas": there, "updatedReplicas": updated, "availableReplicas": there,
            "readyReplicas": there,
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("item", "ok", "seen"),
    [
        (deployment(NEW), True, f"image {NEW}, 3 pods, 3 of them up to date, 3 ready"),
        (deployment(NEW, updated=1, there=4), False, f"image {NEW}, 4 pods, 1 of them up to date, 4 ready"),
        (deployment(OLD), False, f"image {OLD}, 3 pods, 3 of them up to date, 3 ready"),
        (None, False, "image none, no Deployment"),
    ],
)
def test_an_update_is_through_when_all_pods_are_new(item: Object | None, ok: bool, seen: str) -> None:
    async def now() -> Object | None:
        return item

    lab = made_up_lab(objects=NothingThere(deployment=lambda name: SimpleNamespace(now=now)))
    found = asyncio.run(loaded("12").through_with(lab, NEW))
    assert (found.ok, found.seen) == (ok, seen)


def test_both_images_have_a_name_of_this_run() -> None:
    async def tagged(known: str, tag: str) -> str:
        return f"{known} as {tag}"

    def called(seed: int) -> Any:
        lab = made_up_lab("12", platform=Platform(tagged=tagged))
        lab.seed = seed
        return vars(asyncio.run(loaded("12").images_called(lab)))

    first = called(1)
    assert first["good"].startswith("v2 as ") and first["broken"].startswith("v3-broken as ")
    assert first["good"].split()[-1] != first["broken"].split()[-1]
    assert called(1) == first != called(2)


def with_server(replicas: int = 3, image: str = NEW, load: str = "4", command: str = "") -> Object:
    item = deployment(image)
    item["spec"]["replicas"] = replicas
    server = item["spec"]["template"]["spec"]["containers"][0]
    server["env"] = [{"name": "MODEL_LOAD_SECONDS", "value": load}]
    return item if not command else item | {"spec": item["spec"] | {"template": {"spec": {"containers": [
        server | {"command": [command]}]}}}}  # fmt: skip


@pytest.mark.parametrize(
    ("item", "ok"),
    [(with_server(), True), (with_server(image=OLD), True), (with_server(load="0"), False),
     (with_server(command="sleep"), False), (deployment(NEW), False), (None, False)],
)  # fmt: skip
def test_an_update_leaves_the_server_as_it_is(item: Object | None, ok: bool) -> None:
    assert loaded("12").given_server(item).ok is ok


@pytest.mark.parametrize(
    ("now", "scaled_by", "seen"),
    [(with_server(), [], ""), (with_server(replicas=4), [], ""), (with_server(replicas=1), [], "replicas: 1"),
     (with_server(replicas=1), ["hpa"], ""), (with_server(load="0"), ["hpa"], "MODEL_LOAD_SECONDS 0, not 4")],
)  # fmt: skip
def test_there_are_as_many_pods_of_the_given_server_as_before(now: Object, scaled_by: list[str], seen: str) -> None:
    async def present() -> Object:
        return now

    async def autoscalers(lab: Any) -> list[str]:
        return scaled_by

    checks = loaded("12")
    checks.autoscalers_of = autoscalers
    lab = made_up_lab(objects=NothingThere(deployment=lambda name: SimpleNamespace(now=present)))
    found = asyncio.run(checks.as_before(lab, with_server()))
    assert (found.ok, found.seen) == (not seen, seen or "it is")


@pytest.mark.parametrize("transient", [True, False])
def test_pods_that_nobody_tells_of_are_not_the_learners(transient: bool) -> None:
    checks, left = loaded("12"), [LabError("the API server is away", "wait", transient=transient)]
    pod = {"metadata": {"name": "model-1"}, "spec": {"containers": [{"image": NEW}]}, "status": {}}

    async def owned(lab: Any) -> list[Object]:
        if left:
            raise left.pop()
        return [pod]

    async def noted() -> dict[str, bool]:
        seen: dict[str, bool] = {}
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(checks.note_pods(made_up_lab(), NEW, seen), 0.5)
        return seen

    checks.owned_pods = owned
    if transient:
        assert asyncio.run(noted()) == {"model-1": False}
    else:
        with pytest.raises(LabError, match="is away"):
            asyncio.run(noted())
