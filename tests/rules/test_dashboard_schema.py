"""Dashboards are as Grafana's own schema has them: the chart's, and those that lab 16 begins with and ends in."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from mlops_lab.base.paths import project
from tests.rules.grafana_schema import faults

FOLDER = project() / "charts" / "monitoring" / "dashboards"
CLASS = project() / "charts" / "classroom" / "dashboards"
FILES = [*FOLDER.glob("*.json"), *CLASS.glob("*.json"), *(project() / "labs").glob("16-*/**/dashboard.json")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_a_dashboard_is_as_grafana_has_them(file: Any) -> None:
    assert faults(json.loads(file.read_text(encoding="utf-8"))) == []


def test_all_dashboards_are_looked_at() -> None:
    own = {"cluster", "serving", "model", "pipelines", "business", "class"}
    assert {file.stem for file in FILES} == own | {"dashboard"}
    assert sum(file.stem == "dashboard" for file in FILES) == 2


def panel(raw: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(each for each in raw["panels"] if each["type"] == kind)


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a field of a dashboard": (lambda raw: raw.update(titel="x"), "dashboard.titel is no field"),
    "a field of a panel": (lambda raw: panel(raw, "stat").update(descripton="x"), ".descripton is no field"),
    "a field of a query": (
        lambda raw: panel(raw, "stat")["targets"][0].update(legend="x"), ".targets[0].legend is no field"
    ),
    "an option": (lambda raw: panel(raw, "gauge")["options"].update(colour="x"), ".options.colour is no field"),
    "a field option": (
        lambda raw: panel(raw, "gauge")["fieldConfig"]["defaults"].update(units="s"), ".defaults.units is no field"
    ),
    "an option of time series": (
        lambda raw: panel(raw, "timeseries")["fieldConfig"]["defaults"]["custom"].update(width=3),
        ".custom.width is no field",
    ),
    "a place in words": (lambda raw: panel(raw, "stat")["gridPos"].update(w="wide"), "is 'wide', not of the type int"),
    "a text of numbers": (lambda raw: panel(raw, "stat").update(title=7), "is 7, not of the type str"),
    "a number of texts": (
        lambda raw: panel(raw, "gauge")["fieldConfig"]["defaults"].update(max="1"), "is '1', not of the type float"
    ),
    "a threshold of words": (
        lambda raw: panel(raw, "gauge")["fieldConfig"]["defaults"]["thresholds"]["steps"][1].update(value="high"),
        "is 'high', not of the type float",
    ),
    "a mode that there is not": (
        lambda raw: panel(raw, "timeseries")["fieldConfig"]["defaults"]["custom"]["stacking"].update(mode="piled"),
        "is 'piled', not one of ['none', 'normal', 'percent']",
    ),
    "a list that is none": (lambda raw: panel(raw, "stat").update(targets={"A": 1}), ".targets is {'A': 1}, which"),
    "panels that are none": (lambda raw: raw.update(panels=[7]), "it can't be read"),
    "a switch in words": (
        lambda raw: panel(raw, "gauge")["options"].update(showThresholdMarkers="yes"), "not of the type bool"
    ),
    "a field of a transformation": (
        lambda raw: panel(raw, "table")["transformations"][0].update(option={}),
        ".transformations[0].option is no field",
    ),
    "a kind of panel": (lambda raw: panel(raw, "stat").update(type="statt"), "'statt', which Grafana does not have"),
    "a kind of variable": (
        lambda raw: raw["templating"]["list"][0].update(type="querry"), "is 'querry', not one of"
    ),
    "a source of data": (
        lambda raw: panel(raw, "stat")["targets"][0].update(datasource={"type": "promtheus"}),
        "asks a datasource that Grafana does not have",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_dashboard_would_be_noticed(what: str) -> None:
    raw = json.loads((FOLDER / "cluster.json").read_text(encoding="utf-8"))
    assert faults(copy.deepcopy(raw)) == []
    change, said = BROKEN[what]
    change(raw)
    found = faults(raw)
    assert any(said in each for each in found), found
