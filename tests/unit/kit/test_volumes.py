"""`kit.volumes`: what a pod mounts."""

from __future__ import annotations

import pytest

from mlops_lab.kit.volumes import config_maps, mounted


def test_config_maps_are_mounted_alone_and_projected() -> None:
    given = {"configMap": {"name": "orders"}}
    assert config_maps({"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", **given}]}) == ["orders"]
    assert config_maps({"volumes": [{"name": "b", "projected": {"sources": [given]}}]}) == ["orders"]
    assert config_maps({}) == []


@pytest.mark.parametrize(
    ("container", "used"), [("sign", ["text"]), ("copier", ["text", "colour"]), ("other", ["text"])]
)
def test_a_volume_that_nobody_mounts_is_not_mounted(container: str, used: list[str]) -> None:
    template = {
        "initContainers": [{"name": "copier", "volumeMounts": [{"name": "colour"}]}] * (container == "copier"),
        "containers": [{"name": "sign", "volumeMounts": [{"name": "text"}]}, {"name": "other"}],
        "volumes": [{"name": "text"}, {"name": "colour"}],
    }
    assert [each["name"] for each in mounted(template)] == used
