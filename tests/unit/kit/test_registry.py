"""The version in production, and the tags of one, as MLflow's REST API has them: what is empty it leaves out."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.kit.registry import in_production, tags
from tests.made_up import made_up_lab


@pytest.mark.parametrize(("found", "version"), [({"version": "3"}, {"version": "3"}), (None, {})])
def test_the_alias_means_a_version_or_none(found: Any, version: Any) -> None:
    async def by_alias(alias: str) -> Any:
        assert alias == "production"
        return found

    lab = made_up_lab(platform=SimpleNamespace(mlflow=SimpleNamespace(by_alias=by_alias)))
    assert asyncio.run(in_production(lab)) == version


def test_a_version_has_tags_with_values_or_without() -> None:
    assert tags({"tags": [{"key": "data.days", "value": "2013-02-01"}, {"key": "bare"}]}) == {
        "data.days": "2013-02-01",
        "bare": "",
    }
    assert tags({}) == tags({"tags": None}) == {}
