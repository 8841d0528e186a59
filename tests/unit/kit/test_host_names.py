"""Names by which no program tells the checker's pods from the learner's."""

from __future__ import annotations

import re

import pytest

from mlops_lab.kit.host_names import drawn_name, host_name


@pytest.mark.parametrize(
    ("pod", "spec", "host"),
    [
        ("model-5d8-x2", {}, "model-5d8-x2"),
        ("model.v1-x2", {}, "model-v1-x2"),
        (f"{'m' * 60}-v1-x2", {}, f"{'m' * 60}-v1"),
        (f"{'m' * 61}-.v1", {}, "m" * 61),
        ("model-5d8-x2", {"hostname": "alone"}, "alone"),
    ],
)
def test_a_host_name_is_one_that_another_pod_may_have(pod: str, spec: dict[str, str], host: str) -> None:
    assert host_name({"metadata": {"name": pod}, "spec": spec}) == host


def test_a_drawn_name_is_such_as_a_deployments_pods_have() -> None:
    names = {drawn_name("model") for _ in range(20)}
    assert len(names) == 20 and all(re.fullmatch("model-[b-z2-9]{10}-[b-z2-9]{5}", each) for each in names)
