"""What is said of an autoscaler that did not add a pod, or did not take one away."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.checks import LabError
from mlops_lab.kit.autoscaler_reasons import figures, why_no_second_pod, why_not_one
from mlops_lab.kit.autoscalers import Autoscaler
from mlops_lab.kube.client import Object

ACTIVE = {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound", "message": "fine"}
UTILISATION = {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 60}}}
SEEN = {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 12, "averageValue": "12m"}}}
RATE = {"type": "Pods", "pods": {"metric": {"name": "rate"}, "target": {"averageValue": "1500m"}}}
ACTS = "It acts."


def hpa(active: Object | None = ACTIVE, seen: Object | None = SEEN, **spec: Any) -> Object:
    return {
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "model"},
            "metrics": [UTILISATION],
            "maxReplicas": 4,
            **spec,
        },
        "status": {"conditions": [active] if active else [], "currentMetrics": [seen] if seen else []},
    }


def lab(*hpas: Object) -> Any:
    pod = {"spec": {"containers": [{"resources": {"requests": {"cpu": "100m"}}}, {"resources": {}}]}}

    async def every(kind: str, selector: str = "") -> list[Object]:
        return [pod] if kind == "Pod" else list(hpas)

    async def now() -> Object:
        return {"spec": {"selector": {"matchLabels": {"app": "model"}}}}

    return SimpleNamespace(objects=SimpleNamespace(all=every, deployment=lambda name: SimpleNamespace(now=now)))


def reason(*hpas: Object, cause: Any = lambda hpa: "") -> str:
    return asyncio.run(why_no_second_pod(lab(*hpas), cause, ACTS))[0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "no HorizontalPodAutoscaler is in this namespace"),
        ([hpa(scaleTargetRef={"kind": "StatefulSet", "name": "m"})], "the HPA web is for StatefulSet m, not for"),
        ([hpa({**ACTIVE, "status": "False", "reason": "AmbiguousSelector"})], "more than one HPA is for the same pods"),
        ([hpa({**ACTIVE, "status": "False"})], "the HPA cannot compute a number of pods"),
        ([hpa(maxReplicas=1)], "maxReplicas is 1"),
        ([hpa(behavior={"scaleUp": {"selectPolicy": "Disabled"}})], "behavior.scaleUp.selectPolicy is Disabled"),
        ([hpa(behavior={"scaleUp": {"stabilizationWindowSeconds": 99}})], "stabilizationWindowSeconds is 99"),
        (
            [hpa()],
            "it sees 12m of cpu a pod, 12 % of the request; its target is 60 %, which is 60m of its 100m. It acts",
        ),
    ],
)
def test_the_first_thing_that_explains_it_is_said(given: list[Object], said: str) -> None:
    assert said in reason(*given)


def test_what_a_lab_knows_comes_before_what_all_have_in_common() -> None:
    assert reason(hpa(maxReplicas=1), cause=lambda hpa: f"looks at {hpa.metrics}").startswith("looks at ['cpu']")

    def silent(hpa: Autoscaler) -> str:
        raise LabError("the metrics API is silent", "lab doctor")

    with pytest.raises(LabError, match="silent"):
        reason(hpa(), cause=silent)


def test_the_evidence_is_what_its_own_autoscalers_say() -> None:
    other = hpa(scaleTargetRef={"kind": "Deployment", "name": "other"})
    lines = asyncio.run(why_no_second_pod(lab(other, hpa()), lambda hpa: "", ACTS))[1]
    assert lines == ("HorizontalPodAutoscaler web: ScalingActive is True (ValidMetricFound): fine",)


def test_figures_are_shown_as_they_are_written_and_as_numbers() -> None:
    current = {"type": "Pods", "pods": {"metric": {"name": "rate"}, "current": {"averageValue": "250m"}}}
    assert asyncio.run(figures(lab(hpa(seen=current, metrics=[RATE])))) == (
        "it sees 250m of rate a pod; its target is 1500m, which is 1.5"
    )
    assert asyncio.run(figures(lab(hpa(seen=current)))).startswith("it sees ? of cpu a pod, ? % of the request")
    assert asyncio.run(figures(lab(hpa(seen=None)))) == "the HPA has no figures yet"
    assert asyncio.run(figures(lab(hpa(seen={"type": ""})))) == "the HPA has no figures yet"
    assert asyncio.run(figures(lab())) == "there is no HPA for Deployment model"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "the Deployment's own replicas count"),
        ([hpa(minReplicas=2)], "minReplicas is 2"),
        ([hpa(behavior={"scaleDown": {"selectPolicy": "Disabled"}})], "behavior.scaleDown.selectPolicy is Disabled"),
        ([hpa(behavior={"scaleDown": {"stabilizationWindowSeconds": 0}})], "in the last 0 s (behavior.scaleDown"),
        ([hpa()], "in the last 300 s (the default; behavior.scaleDown.stabilizationWindowSeconds), and after a load's "
         "end it falls; policies bound how many pods may go at a time. Or so; kubectl describe hpa web"),
    ],
)  # fmt: skip
def test_why_more_than_one_pod_is_left(given: list[Object], said: str) -> None:
    assert said in asyncio.run(why_not_one(lab(*given), "it falls", more="Or so"))
