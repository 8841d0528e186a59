"""`kit.volumes`: what a pod mounts."""

from __future__ import annotations

from mlops_lab.kit.volumes import config_maps


def test_config_maps_are_mounted_alone_and_projected() -> None:
    given = {"configMap": {"name": "orders"}}
    assert config_maps({"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", **given}]}) == ["orders"]
    assert config_maps({"volumes": [{"name": "b", "projected": {"sources": [given]}}]}) == ["orders"]
    assert config_maps({}) == []
