"""What lab 04 makes of what is beside the model: who else makes such pods, and whether the shadow gets its next one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.paths import project
from mlops_lab.kit.given import in_manifests
from mlops_lab.kube.client import Object
from mlops_lab.kube.errors import Refused
from tests.lab_programs import loaded
from tests.made_up import NothingThere, made_up_lab

LABELS = {"app": "flight-delay", "track": "stable"}
MODEL = {"metadata": {"name": "model", "uid": "1"}, "spec": {"template": {"metadata": {"labels": LABELS}}}}


def maker(labels: Mapping[str, str], owner: str = "", over: bool = False) -> Object:
    owners = [{"controller": True, "uid": owner}] if owner else []
    conditions = [{"type": "Complete", "status": "True"}] if over else []
    return {
        "metadata": {"name": "other", "uid": "2", "ownerReferences": owners},
        "spec": {"template": {"metadata": {"labels": labels}}},
        "status": {"conditions": conditions},
    }


def of_cronjob(labels: Mapping[str, str]) -> Object:
    return {"metadata": {"name": "test", "uid": "3"}, "spec": {"jobTemplate": {"spec": maker(labels)["spec"]}}}


@pytest.mark.parametrize(
    ("there", "seen"),
    [
        ({"Deployment": [MODEL], "ReplicaSet": [maker(LABELS, "1")]}, ""),
        ({"Deployment": [MODEL, maker({"app": "flight-delay", "track": "shadow"})]}, ""),
        ({"CronJob": [of_cronjob({"app": "test"})], "Job": [maker(LABELS, over=True)]}, ""),
        ({"StatefulSet": [{"metadata": {"name": "bare", "uid": "4"}, "spec": {"template": {}}}]}, ""),
        ({"CronJob": [of_cronjob({**LABELS, "job": "test"})]}, "CronJob test does so, too"),
        ({"Job": [maker(LABELS)], "Deployment": [maker(LABELS)]}, "Deployment other, Job other does so, too"),
        ({"ReplicaSet": [maker(LABELS)]}, "ReplicaSet other does so, too"),
    ],
)
def test_nothing_else_makes_pods_with_the_labels_of_the_service(
    there: Mapping[str, Sequence[Object]], seen: str
) -> None:
    async def every(kind: str, selector: str = "") -> Sequence[Object]:
        return there.get(kind, ())

    async def service(name: str) -> Object:
        return {"spec": {"selector": LABELS}}

    lab = made_up_lab("04", objects=NothingThere(all=every, service=service))
    found = asyncio.run(loaded("04", "beside").no_other_maker(lab, MODEL))
    assert (found.ok, found.seen if seen else "") == (not seen, seen)


@pytest.mark.parametrize(
    ("refusal", "right"),
    [
        ("", True),
        ('pods "checker-shadow" is forbidden: exceeded quota: pods, requested: pods=1', True),
        ('pods "checker-shadow" is forbidden: maximum memory usage per Container is 500Mi, but limit is 512Mi', False),
        ('pods "checker-shadow" is forbidden: failed quota: cpu: must specify limits.cpu for: server', False),
    ],
)
def test_a_next_pod_of_the_shadow_is_let_in(refusal: str, right: bool) -> None:
    shadow = in_manifests(project() / "labs" / "04-deploy-and-survive" / "start", "Deployment", "shadow")
    made: list[Object] = []
    deleted: list[str] = []

    async def apply(objects: list[Object]) -> None:
        made.extend(objects)
        if refusal:
            raise Refused(f"Pod checker-shadow: {refusal}", "", 403)

    async def delete(kind: str, name: str, grace: int | None = None) -> None:
        deleted.append(name)

    def named(kind: str, name: str) -> Any:
        async def now() -> Object | None:
            return None

        async def present() -> Object:
            return made[0]

        return SimpleNamespace(now=now, present=present)

    lab = made_up_lab("04", objects=NothingThere(apply=apply, delete=delete, named=named))
    found = asyncio.run(loaded("04", "beside").next_pod_let_in(lab, shadow))
    assert found.ok is right and (right or found.seen == refusal)
    given, spec = shadow["spec"]["template"]["spec"], made[0]["spec"]
    assert spec["containers"][0]["resources"] == given["containers"][0]["resources"]
    assert spec["securityContext"] == given["securityContext"]
    assert spec["schedulingGates"] and deleted == ["checker-shadow"] and "labels" not in made[0]["metadata"]
    assert "containers" in given
