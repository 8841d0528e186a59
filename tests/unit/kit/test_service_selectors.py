"""By which labels a Service selects."""

from __future__ import annotations

import pytest

from mlops_lab.kit.service_selectors import beside_the_template, by_the_template
from mlops_lab.kube.client import Object

DEPLOYMENT: Object = {"spec": {"template": {"metadata": {"labels": {"app": "a", "tier": "back"}}}}}


@pytest.mark.parametrize(
    ("selector", "beside", "said"),
    [
        ({"app": "a"}, [], ""),
        ({"app": "a", "tier": "back"}, [], ""),
        ({"tier": "front", "app": "a", "pod-template-hash": "5d8f"}, ["pod-template-hash=5d8f", "tier=front"], "front"),
        ({"app": "b"}, ["app=b"], "app=b is not in it"),
        ({}, [], "it has no selector"),
        (None, [], "it has no selector"),
    ],
)
def test_a_service_selects_by_labels_of_the_template(selector: Object | None, beside: list[str], said: str) -> None:
    service = {"metadata": {"name": "store"}, "spec": {"selector": selector}}
    assert beside_the_template(service, DEPLOYMENT) == beside
    seen = by_the_template(service, DEPLOYMENT)
    assert seen.ok is not bool(said) and said in seen.seen and "Service store" in seen.expected


def test_a_template_without_labels_says_none() -> None:
    bare = {"spec": {"template": {"metadata": {}}}}
    assert beside_the_template({"spec": {"selector": {"app": "a"}}}, bare) == ["app=a"]
