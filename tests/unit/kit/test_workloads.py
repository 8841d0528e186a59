"""kit.workloads: the labels that pods get of what makes them."""

from __future__ import annotations

import pytest

from mlops_lab.kit.workloads import labels_of_pods
from mlops_lab.kube.client import Object

OWN: Object = {"app": "model"}
TEMPLATE: Object = {"template": {"metadata": {"labels": OWN}}}


@pytest.mark.parametrize(
    ("spec", "labels"),
    [
        (TEMPLATE, OWN),
        ({"jobTemplate": {"spec": TEMPLATE}}, OWN),
        ({"template": {"metadata": {}}}, {}),
        ({"template": {"metadata": None}}, {}),
        ({}, {}),
    ],
)
def test_pods_get_the_labels_of_the_template(spec: Object, labels: Object) -> None:
    assert labels_of_pods({"metadata": {"labels": {"of": "its-own"}}, "spec": spec}) == labels
