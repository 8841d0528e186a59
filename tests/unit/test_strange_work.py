"""Whatever a learner's cluster and programs are like, and do while they are checked, a check has its verdict."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import Failure, LabError
from mlops_lab.checks import Observation
from mlops_lab.kit.given import in_manifests
from mlops_lab.measure.pods.containers import Reading
from mlops_lab.measure.traffic.http import Answer
from tests.lab_programs import loaded
from tests.made_up import READY, NothingThere, NoTraffic, made_up_lab

KEY = "0123456789abcdef0123"


@pytest.mark.parametrize(
    ("number", "called"),
    [
        ("02", "reference_answers_itself"),
        ("05", "incidents"),
        ("12", "updated"),
        ("13", "maintained"),
        ("13", "lets_a_pod_go"),
    ],
)
def test_what_was_deleted_meanwhile_is_missed(number: str, called: str) -> None:
    found = getattr(loaded(number), called)
    with pytest.raises(Failure):
        asyncio.run(getattr(found, "run", found)(made_up_lab()))


def test_no_pod_is_evicted_when_the_service_was_deleted_meanwhile() -> None:
    with pytest.raises(Failure):
        asyncio.run(loaded("13").emptied(made_up_lab(), "node", 0.0))


def test_pods_that_are_ready_only_now_and_then_fail() -> None:
    checks = loaded("04")
    checks.pods_ready = lambda lab: lab.objects.pods_until()
    with pytest.raises(Failure, match="ready"):
        asyncio.run(checks.kill_under_load(made_up_lab()))


@pytest.mark.parametrize(("images", "right"), [(["v1"], True), (["v1", "v2"], False), ([], False)])
def test_the_reference_is_the_companys_server(images: list[str], right: bool) -> None:
    given = in_manifests(loaded("02").START, "Deployment", "reference")

    async def deployment() -> dict[str, Any]:
        return given | {"metadata": {"name": "reference", "uid": "1"}}

    async def every(kind: str, selector: str = "") -> list[Any]:
        uid, made_by = ("2", "1") if kind == "ReplicaSet" else ("3", "2")
        meta = {"name": uid, "uid": uid, "ownerReferences": [{"uid": made_by, "controller": True}]}
        made = [{"metadata": meta}]
        if kind == "Pod":
            specs = [{"containers": [{"image": f"localhost:5001/flight-delay:{tag}"}]} for tag in images]
            made = [{"metadata": meta, "spec": spec, "status": {}} for spec in specs]
        return made if kind in ("Pod", "ReplicaSet") else []

    async def service(name: str) -> dict[str, Any]:
        return {"spec": {}}

    there = NothingThere(
        all=every, deployment=lambda name: NothingThere(now=deployment, present=deployment), service=service
    )
    with contextlib.nullcontext() if right else pytest.raises(Failure):
        asyncio.run(loaded("02").reference_answers_itself(made_up_lab(objects=there)))


@pytest.mark.parametrize(
    ("applied", "data", "places"),
    [
        (None, {"a": "b"}, []),
        ({"env": [{"value": KEY}]}, {}, ["metadata.annotations.kubectl.kubernetes.io/last-applied-configuration"]),
        ({"data": {"a": KEY}}, {"a": KEY}, ["data.a"]),
        (None, {KEY: "1"}, ["data.(an entry with the key as its name)"]),
        ({"data": {"a": "b"}}, {"a": "b"}, []),
    ],
)
def test_a_key_is_found_wherever_it_is_in_an_object_and_not_shown(applied: Any, data: Any, places: list[str]) -> None:
    checks = loaded("07")
    annotations = {checks.LAST_APPLIED: json.dumps(applied)} if applied else {}
    item = {"kind": "ConfigMap", "metadata": {"name": "it", "annotations": annotations}, "data": data}
    found = list(checks.in_object(item, checks.forms(KEY)))
    assert found == [f"ConfigMap it: {place}" for place in places]


@pytest.mark.parametrize("said", ['"20"', '"inf"', "1e999", "NaN", "[20]", "null", "19.9", "9" * 400, "20.5"])
def test_a_model_loads_for_a_number_of_seconds(said: str) -> None:
    async def rolled_out(**wanted: Any) -> Observation:
        return READY

    async def first_answer(*given: Any, **more: Any) -> Answer:
        return Answer(200, {}, f'{{"load_seconds": {said}}}'.encode(), 0.01, "", "http://model/version")

    async def now() -> Any:
        return {}

    def hidden_rows(count: int) -> Any:
        raise LookupError("the predictions come next")

    deployment = SimpleNamespace(now=now, rolled_out=rolled_out)
    objects = NothingThere(named=lambda kind, name: deployment)
    lab = made_up_lab(objects=objects, traffic=NoTraffic(first_answer=first_answer, hidden_rows=hidden_rows))
    with pytest.raises(LookupError if said == "20.5" else Failure):
        asyncio.run(loaded("05").comes_up.run(lab))


@pytest.mark.parametrize(("size", "seen"), [(10**400, True), ("much", True), (None, True), (256 << 20, False)])
def test_another_programs_report_says_what_it_likes(size: Any, seen: bool) -> None:
    watched = loaded("06").Watched(made_up_lab(), {"model": {}})
    assert watched._saw(size) is seen


@pytest.mark.parametrize(("memory", "seen"), [((134,), False), ((6, 134), False), ((134, 390), True)])
def test_a_report_is_seen_by_what_it_takes_and_not_by_what_a_young_server_does(
    memory: tuple[int, ...], seen: bool
) -> None:
    watched = loaded("06").Watched(made_up_lab(), {"model": {}})
    watched._before["model"] = Reading(0.0, 0.0, 4 << 20, None, None)
    watched.readings["model"] = [Reading(at, 0.0, mib << 20, None, None) for at, mib in enumerate(memory, 1)]
    assert watched._saw(256 << 20) is seen


@pytest.mark.parametrize(("status", "fault"), [(409, False), (200, True)])
def test_a_report_that_is_refused_to_the_end_is_the_learners(status: int, fault: bool) -> None:
    checks = loaded("06")
    checks.LONGEST, checks.SETTLED = 2, 0

    async def post(*given: Any, **more: Any) -> Answer:
        return Answer(status, {}, b'{"bytes": 1000}', 0.01, "", "http://model/report")

    async def quiet(self: Any) -> None:
        return None

    checks.Watched._harmed = checks.Watched.look = quiet
    watched = checks.Watched(made_up_lab(traffic=NoTraffic(post=post)), {"model": {}})
    if fault:
        with pytest.raises(LabError):
            asyncio.run(watched.until_known(30))
    else:
        assert asyncio.run(watched.until_known(30)).status == status


def test_replicas_without_end_are_taken_in_at_once() -> None:
    pace = loaded("11").Pace(made_up_lab())
    pace._take({"spec": {"replicas": 2**31 - 1}, "status": {"replicas": 3}})
    assert (pace.most, 2 in pace.asked, len(pace.asked) < 2000) == (3, True, True)


class Closed(type(Path())):  # type: ignore[misc]
    """A path into a folder that may not be entered."""

    def stat(self, **more: Any) -> os.stat_result:
        if self.name == "detector.py":
            raise PermissionError(13, "Permission denied", str(self))
        return super().stat(**more)  # type: ignore[no-any-return]


def test_a_program_in_a_closed_folder_is_not_to_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Closed(tmp_path)
    (folder / "detector.py").symlink_to("/nowhere/detector.py")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # whoever runs this may enter all
    with pytest.raises(Failure):
        loaded("18").work(folder)
    with pytest.raises(Failure):
        asyncio.run(loaded("19").result(made_up_lab(folder=folder), "finds"))
