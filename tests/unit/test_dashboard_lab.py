"""Lab 16: a number that a wrong query returns is never the true one, and says how it was made."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import Failure
from mlops_lab.measure.services.grafana import read
from mlops_lab.platform.dashboard.prometheus import NoPrometheus, QueryRefused, Series
from tests.lab_programs import loaded
from tests.made_up import made_up_lab

checks, wording = loaded("16"), loaded("16", "wording")
WRONG = {
    "Flights answered": "wrong_flights",
    "Rebookings accepted": "wrong_shares",
    "Money saved": "wrong_money",
    "Answer time p95": "wrong_p95",
    "Error budget left": "wrong_budget",
    "Connections watched": "wrong_connections",
}


@pytest.mark.parametrize("seed", [0, 1, 58])
def test_no_wrong_number_is_true(seed: int) -> None:
    world = checks.draw(random.Random(seed), 1_700_000_000)
    for wanted in checks.WANTED:
        truth = wanted.truth(world, world.airlines[:1], checks.SPAN)
        for value, why in getattr(checks, WRONG[wanted.title])(world) if wanted.title in WRONG else ():
            assert checks.scale_of(wanted, {"": value}, truth) is None, f"{wanted.title}: {why}"


def test_a_time_may_be_in_any_unit_that_grafana_writes_seconds_or_milliseconds_with() -> None:
    for seconds, milliseconds in (("s", "ms"), ("dtdurations", "dtdurationms"), ("clocks", "clockms")):
        for wanted in (checks.LATENCY, checks.LATEST):
            assert (wanted.scale(seconds), wanted.scale(milliseconds)) == (1, 1000)
    assert checks.LATEST.scale("dthms") == checks.LATEST.scale("dtdhms") == 1
    assert checks.LATENCY.scale("hertz") is None


@pytest.mark.parametrize("seed", range(3))
def test_one_airline_has_overspent_and_one_has_not_failed(seed: int) -> None:
    world = checks.draw(random.Random(seed), 1_700_000_000)
    left = [checks.BUDGET.truth(world, [airline], checks.SPAN)[""] for airline in world.airlines[:3]]
    assert 0.3 < left[0] < 0.95
    assert left[1] < -0.3
    assert left[2] == 1
    assert len(set(world.failures)) == 3 and "500" in world.failures
    assert {each[:2] > "50" for each in world.failures} == {True, False}, "a part of the 5xx has not all of them"
    assert set(world.failures).isdisjoint({"502", "503", "504"}), "a list that somebody types has all of them"
    statuses = {each.labels["status"] for each in world.pods["a"].counters if each.metric == "answer_requests_total"}
    assert statuses == {"200", *world.answers, *world.failures}
    assert [each[0] for each in world.answers] == ["4", "2", "3", "4"], (
        "who takes a class of them for failures is wrong"
    )


@pytest.mark.parametrize("seed", range(3))
def test_an_airline_has_just_signed_one_asks_for_nothing_and_one_is_always_refused(seed: int) -> None:
    world = checks.draw(random.Random(seed), 1_700_000_000)
    told = [each for past in world.pods.values() for each in past.counters]
    seen = {name: {each.metric for each in told if each.labels["airline"] == name} for name in {*world.airlines}}
    new = world.airlines[2]
    assert seen[world.airlines[0]] - seen[new] == {
        "rebookings_offered_total", "rebookings_accepted_total", "saved_cents_total",
    }  # fmt: skip
    idle = [each for each in told if each.labels["airline"] == world.idle]
    assert {each.metric for each in idle} == seen[world.airlines[0]]
    assert all(each.rate == 0 for each in idle)
    failed = [each for each in told if each.labels["airline"] == world.refused]
    assert {each.labels["status"] for each in failed} == set(world.failures)
    assert checks.BUDGET.truth(world, [world.refused], checks.SPAN)[""] == pytest.approx(-199)
    assert not [each for each in told if each.labels["airline"] == world.nowhere]
    assert len({*world.airlines, world.nowhere, world.idle, world.refused}) == 6


@pytest.mark.parametrize("seed", range(3))
def test_few_flights_go_to_the_latest_destination(seed: int) -> None:
    world = checks.draw(random.Random(seed), 1_700_000_000)
    mine = world.airlines[:1]
    late = max(world.lateness(mine).items(), key=lambda item: item[1])[0]
    assert late in checks.LATEST.truth(world, mine, checks.SPAN)
    assert 2 < world.events(checks.DELAYS, mine, checks.RECENT, dest=late) < 4
    means = [world.lateness(mine, [pod]) for pod in checks.PODS]
    first = checks.first_three({dest: checks.mean([each[dest] for each in means]) for dest in checks.DESTINATIONS})
    assert set(first) != set(checks.LATEST.truth(world, mine, checks.SPAN)), "who averages means is wrong"


@pytest.mark.parametrize("seed", range(3))
def test_a_pod_that_is_gone_tells_nothing_of_now(seed: int) -> None:
    world = checks.draw(random.Random(seed), 1_700_000_000)
    assert 310 < world.at - world.ended < 430, "older than what Prometheus looks back, and within the past that it has"
    assert all(each.rate == 0 for each in world.gone.counters)
    wrong = sum(each.values[0] for each in world.gone.gauges if each.labels["airline"] == world.airlines[0])
    truth = checks.CONNECTIONS.truth(world, world.airlines[:1], checks.SPAN)
    assert checks.scale_of(checks.CONNECTIONS, {"": truth[""] + wrong}, truth) is None


@pytest.mark.parametrize("seconds", [20, 40, 60, 120, 300, 600, 900])
def test_the_mean_of_a_gauge_in_any_window_is_another_number_than_now(seconds: int) -> None:
    for seed in range(3):
        world = checks.draw(random.Random(seed), 1_700_000_000)
        for airlines in (world.airlines[:1], world.airlines[:2]):
            gauges = [each for past in world.pods.values() for each in past.gauges]
            mine = [each for each in gauges if each.labels["airline"] in airlines]
            windows = [each.values[: seconds // checks.STEP] for each in mine]
            mean = sum(sum(window) / len(window) for window in windows)
            truth = checks.CONNECTIONS.truth(world, airlines, checks.SPAN)
            assert checks.scale_of(checks.CONNECTIONS, {"": mean}, truth) is None


@pytest.mark.parametrize("seconds", [40, 60, 120, 600, 900])
def test_shares_percentiles_and_means_of_another_window_are_other_numbers(seconds: int) -> None:
    for seed in range(3):
        world = checks.draw(random.Random(seed), 1_700_000_000)
        mine = world.airlines[:1]
        others = [
            (checks.REBOOKINGS, checks.REBOOKINGS.truth(world, mine, checks.SPAN, seconds=seconds)),
            (checks.LATENCY, checks.LATENCY.truth(world, mine, checks.SPAN, seconds=seconds)),
            (checks.LATEST, checks.first_three(world.lateness(mine, seconds=seconds))),
        ]
        for wanted, other in others:
            # By chance two minutes may have the same three means; those of two airlines are looked at, too.
            if (wanted.by, seconds) != ("dest", 120):
                assert checks.scale_of(wanted, other, wanted.truth(world, mine, checks.SPAN)) is None, wanted.title


@pytest.mark.parametrize("seed", range(3))
def test_a_code_begins_with_another_airlines(seed: int) -> None:
    world = checks.draw(random.Random(seed), 1_700_000_000)
    mine = world.airlines[:1]
    assert world.longer.startswith(*mine) and world.longer not in world.airlines
    for wanted in checks.WANTED:
        truth = wanted.truth(world, mine, checks.SPAN)
        assert checks.scale_of(wanted, wanted.truth(world, [*mine, world.longer], checks.SPAN), truth) is None


def showing(value: float) -> Any:
    """A lab in which each panel's query returns one number, of the world of seed 1."""
    world = checks.draw(random.Random(1), 1_700_000_000)
    panel = SimpleNamespace(title="Answer time p95", queries=[SimpleNamespace(expr="x")])
    board = SimpleNamespace(panels=[panel], variables={}, fill=lambda expr, *given, **more: expr)

    async def query(expr: str, at: float) -> list[Series]:
        return [Series({}, [(at, value)])]

    lab = made_up_lab("16", platform=SimpleNamespace(prometheus=SimpleNamespace(query=query)))

    async def once(stage: Any) -> Any:
        return {"dashboard": board, "injected": world}[stage.__name__]

    return SimpleNamespace(once=once, platform=lab.platform), world


@pytest.mark.parametrize(("soon_over", "kind"), [(True, NoPrometheus), (False, Failure)])
def test_a_query_without_an_answer_is_the_learners_where_prometheus_is_well(
    soon_over: bool, kind: type[Exception]
) -> None:
    lab, _ = showing(0)

    async def query(expr: str, at: float | None = None) -> list[Series]:
        if expr == "vector(1)":
            return []
        raise NoPrometheus("no answer", "see what is wrong", transient=soon_over)

    lab.platform.prometheus = SimpleNamespace(query=query, limit=10.0)
    with pytest.raises(kind):
        asyncio.run(checks.right(lab, checks.LATENCY, "otherwise", checks.wrong_p95))


def test_a_wrong_number_that_is_known_says_how_it_was_made() -> None:
    _, world = showing(0)
    (mean, said), *_ = checks.wrong_p95(world)
    with pytest.raises(Failure) as failed:
        asyncio.run(checks.right(showing(mean)[0], checks.LATENCY, "otherwise", checks.wrong_p95))
    assert failed.value.why == said
    with pytest.raises(Failure) as failed:
        asyncio.run(checks.right(showing(mean * 7)[0], checks.LATENCY, "otherwise", checks.wrong_p95))
    assert failed.value.why == "otherwise"


def test_which_wrong_destinations_lead_is_said() -> None:
    _, world = showing(0)
    right = set(checks.LATEST.truth(world, world.airlines[:1], checks.SPAN))
    assert checks.why_others_lead(world, right).startswith("a mean is a _sum")
    mine = world.airlines[:1]
    total = {dest: world.events(checks.DELAY, mine, checks.RECENT, dest=dest) for dest in checks.DESTINATIONS}
    most = set(checks.first_three(total))
    assert most != right and checks.why_others_lead(world, most).startswith("these have the most delay")


def written(defaults: Any = None, overrides: Any = None) -> Any:
    config = {"defaults": defaults or {}, "overrides": overrides or []}
    panel = {"type": "stat", "title": "Money saved", "fieldConfig": config}
    return wording.wordings(json.dumps({"panels": [{"type": "row", "panels": [panel]}]}))["Money saved"]


@pytest.mark.parametrize("text", ["-", "—", "?", "No data", "no value", "N/A", "n/a", "unknown", "NaN"])
def test_that_nothing_is_known_may_be_said(text: str) -> None:
    special = {"type": "special", "options": {"match": "null+nan", "result": {"text": text}}}
    assert not written({"noValue": text, "mappings": [special]}).claims


@pytest.mark.parametrize("text", ["0", "100 %", "OK", "all good", "none", "full"])
def test_what_else_is_written_for_nothing_is_a_claim(text: str) -> None:
    special = {"type": "special", "options": {"match": "null", "result": {"text": text}}}
    value = {"type": "value", "options": {"null": {"text": text}}}
    override = [{"matcher": {}, "properties": [{"id": "noValue", "value": text}]}]
    for each in (written({"noValue": text}), written({"mappings": [special]}), written({"mappings": [value]})):
        assert each.claims == [text]
        assert not each.words
    assert written(overrides=override).claims == [text]


def test_a_mapping_that_writes_a_word_hides_a_number_and_one_that_colours_does_not() -> None:
    between = {"type": "range", "options": {"from": 0, "to": 1, "result": {"text": "fine"}}}
    one = {"type": "value", "options": {"1": {"text": "full", "index": 0}, "2": {"color": "red"}}}
    red = {"type": "range", "options": {"from": 0, "to": 1, "result": {"color": "red"}}}
    assert written({"mappings": [between, red, one]}).words == ("fine", "full")
    properties = [{"id": "mappings", "value": [between]}, {"id": "unit", "value": "bytes"}]
    found = written({"unit": "none"}, [{"matcher": {}, "properties": properties}])
    assert (found.words, found.unit, found.overriding) == (("fine",), "none", ("bytes",))
    assert written().unit == ""
    iso = [{"id": "unit", "value": "dateTimeAsIso"}]  # of the time, in a table: it is no value
    for kind, options in (("byName", "Time"), ("byType", "time")):
        assert (
            written({"unit": "none"}, [{"matcher": {"id": kind, "options": options}, "properties": iso}]).overriding
            == ()
        )


def hiding(viz: bool, of: str) -> dict[str, Any]:
    """An override that may take what has a name out of a panel."""
    hidden = {"id": "custom.hideFrom", "value": {"legend": False, "tooltip": False, "viz": viz}}
    return {"matcher": {"id": "byName", "options": of}, "properties": [hidden]}


def test_what_keeps_a_reader_from_the_values_is_seen() -> None:
    computed = {"refId": "B", "type": "math", "expression": "$A * 2"}
    of_100, on = {"mode": "percent", "group": "A"}, {"mode": "normal", "group": "A"}
    stacking = {"id": "custom.stacking", "value": of_100}
    unseen = {"defaults": {"custom": {"axisPlacement": "hidden"}}}
    left = {"properties": [{"id": "custom.axisPlacement", "value": "left"}]}
    axes: list[dict[str, Any]] = [
        {"fieldConfig": unseen},
        {"fieldConfig": unseen, "options": {"legend": {"calcs": ["lastNotNull"], "showLegend": False}}},
        {"fieldConfig": unseen, "options": {"legend": {"calcs": ["lastNotNull"]}}},
        {"fieldConfig": {**unseen, "overrides": [left]}},
        {"fieldConfig": {"defaults": {"custom": {"axisPlacement": "auto"}}}},
    ]
    panels = [
        {"title": "Late", "timeShift": "1d", "targets": [{"refId": "A", "expr": "up"}]},
        {"title": "Typed", "type": "text"},
        {"title": "Named", "type": "stat", "options": {"textMode": "name"}},
        {"title": "Twice", "targets": [computed, {**computed, "hide": True}]},
        {"title": "Bars", "type": "bargauge", "options": {"valueMode": "hidden"}},
        {"title": "Left over", "type": "stat", "options": {"valueMode": "hidden", "displayLabels": []}},
        {"title": "Clicked", "type": "piechart", "options": {"displayLabels": ["name"], "legend": {"values": []}}},
        {"title": "Legend", "type": "piechart", "options": {"legend": {"values": ["percent", "value"]}}},
        {"title": "Slices", "type": "piechart", "options": {"displayLabels": ["value"]}},
        {"title": "Away", "type": "piechart", "options": {"legend": {"showLegend": False, "values": ["value"]}}},
        {"title": "Counted", "type": "histogram"},
        {"title": "Shares", "type": "timeseries", "fieldConfig": {"defaults": {"custom": {"stacking": of_100}}}},
        {"title": "In part", "type": "timeseries", "fieldConfig": {"overrides": [{"properties": [stacking]}]}},
        {"title": "Bar by bar", "type": "barchart", "options": {"stacking": "percent"}},
        {"title": "One on another", "type": "timeseries", "fieldConfig": {"defaults": {"custom": {"stacking": on}}}},
        *({"title": f"Axis {number}", "type": "timeseries", **more} for number, more in enumerate(axes)),
        {"title": "Was a line", "type": "stat", "fieldConfig": {"defaults": {"custom": {"stacking": of_100}}}},
        *(
            {"title": each, "fieldConfig": {"overrides": [hiding(viz, of)]}}
            for each, viz, of in (("Hidden", True, "a"), ("Shown", False, "a"), ("Untimed", True, "Time"))
        ),
        *(
            {"title": f"Table {number}", "type": "table", **without_column(kind, options)}
            for number, (kind, options) in enumerate(
                [("byName", "Value"), ("byName", "Value #A"), ("byType", "number"), ("byName", "Time")]
            )
        ),
        {"title": "Empty", "fieldConfig": {"defaults": {"custom": {"hideFrom": {"viz": True}}}}},
    ]
    found = wording.wordings(json.dumps({"dashboard": {"panels": panels}}))
    assert found["Late"].moved == ("timeShift 1d",)
    assert found["Twice"].computed == ("target B, of type math",)
    assert {title: each.mute for title, each in found.items() if each.mute} == {
        "Typed": ("type text",), "Named": ("textMode name",), "Bars": ("valueMode hidden",),
        "Clicked": ("a pie without values",), "Away": ("a pie without values",), "Counted": ("type histogram",),
        **dict.fromkeys(("Shares", "In part", "Bar by bar"), ("series stacked to 100 %",)),
        "Axis 0": ("a hidden axis",), "Axis 1": ("a hidden axis",),
        **dict.fromkeys(("Table 0", "Table 1", "Table 2"), ("a hidden column of values",)),
        "Hidden": ("an override that hides series",), "Empty": ("fieldConfig.defaults that hides series",),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("reduced", "legend", "said"),
    [
        ({}, "", False),
        ({"fields": ""}, "", False),
        ({"fields": "/.*/"}, "", False),
        ({"fields": "/^Value #A$/"}, "", False),
        ({"fields": "/^ATL$/"}, "{{dest}}", True),
        ({"fields": "/^version 8$/"}, "version {{version}}", True),
        ({"fields": r"/^version \d+$/"}, "version {{version}}", False),
        ({"fields": r'/^\{version="8"\}$/'}, "", True),
        ({"values": True, "limit": 1}, "", True),
        ({"values": True, "limit": 25}, "", False),
        ({"values": False, "limit": 1}, "", False),
    ],
)
def test_series_that_an_option_leaves_out_are_seen_where_there_are_several(
    reduced: dict[str, Any], legend: str, said: bool
) -> None:
    panel = {"title": "x", "options": {"reduceOptions": reduced}, "targets": [{"expr": "y", "legendFormat": legend}]}
    for kind, chosen in (("stat", said), ("timeseries", False)):
        found = wording.wordings(json.dumps({"panels": [panel | {"type": kind}]}))["x"]
        assert bool(found.chosen) is chosen


@pytest.mark.parametrize(
    ("kind", "config", "said"),
    [
        ("timeseries", {"defaults": {"min": 0, "max": 1}}, True),
        ("barchart", {"overrides": [{"matcher": {}, "properties": [{"id": "min", "value": 0.5}]}]}, True),
        ("timeseries", {"defaults": {"min": -1}}, False),
        ("timeseries", {"defaults": {}}, False),
        ("gauge", {"defaults": {"min": 0}}, False),
    ],
)
def test_an_axis_shows_a_budget_that_is_overspent(kind: str, config: dict[str, Any], said: bool) -> None:
    config["defaults"] = {**config.get("defaults", {}), "unit": "percentunit"}
    text = json.dumps({"panels": [{"title": "x", "type": kind, "fieldConfig": config}]})
    panel, written = read(text).panels[0], wording.wordings(text)["x"]
    assert checks.plainly(checks.REBOOKINGS, panel, written) == 1
    with pytest.raises(Failure, match="below 0") if said else contextlib.nullcontext():
        checks.plainly(checks.BUDGET, panel, written)


def test_a_panel_may_be_drawn_for_each_value_that_is_chosen() -> None:
    panels = [
        {"title": "Alone", "repeat": "airline"},
        {"type": "row", "title": "Open", "repeat": "airline"},
        {"title": "After it"},
        {"type": "row", "title": "Closed", "repeat": "place", "panels": [{"title": "In it"}]},
        {"type": "row", "title": "Plain"},
        {"title": "Once"},
    ]
    found = wording.wordings(json.dumps({"panels": panels}))
    said = {title: each.repeated for title, each in found.items()}
    assert said == {"Alone": "airline", "After it": "airline", "In it": "place", "Once": ""}
    assert checks.once(checks.MONEY, "airline").ok is False and checks.once(checks.MONEY, "").ok


def test_a_variable_may_be_hidden_from_the_page() -> None:
    variables = [{"name": "airline", "hide": 2}, {"name": "namespace", "hide": 0}, {"name": "other", "hide": "2"}]
    assert wording.hidden_variables(json.dumps({"spec": {"templating": {"list": variables}}})) == {"airline"}


def test_panels_within_panels_end() -> None:
    deep: dict[str, Any] = {"title": "inside"}
    for _ in range(2000):
        deep = {"panels": [deep]}
    assert len([*wording._panels(deep)]) == 2000


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, ""),
        ({"timeFrom": "1h"}, "timeFrom 1h"),
        ({"timeShift": "1d"}, "timeShift 1d"),
        ({"type": "text"}, "type text"),
        ({"transformations": [{"id": "reduce"}]}, "transformed by reduce"),
    ],
)
def test_a_panel_shows_what_its_queries_return_at_the_dashboards_time(more: dict[str, Any], said: str) -> None:
    panel = {"title": "Answer time p95", "type": "stat", "fieldConfig": {"defaults": {"unit": "ms"}}, **more}
    text = json.dumps({"panels": [panel]})
    plainly = loaded("16", "reading").plainly
    try:
        assert plainly(checks.LATENCY, read(text).panels[0], wording.wordings(text)["Answer time p95"]) == 1000
        assert not said
    except Failure as failed:
        assert said and said in failed.seen


def overridden(kind: str, options: Any, name: str) -> dict[str, Any]:
    """A panel's part that names the series that a matcher finds."""
    properties = [{"id": "displayName", "value": name}]
    return {"fieldConfig": {"overrides": [{"matcher": {"id": kind, "options": options}, "properties": properties}]}}


def unlisted(on: bool) -> dict[str, Any]:
    """A panel's part that may take its series out of the legend."""
    return {"fieldConfig": {"defaults": {"custom": {"hideFrom": {"legend": on, "tooltip": False, "viz": False}}}}}


def without_column(kind: str, options: Any, *, of: bool = True) -> dict[str, Any]:
    """A table's part that may hide the columns that a matcher finds."""
    hidden = {"id": "custom.hidden", "value": of}
    return {"fieldConfig": {"overrides": [{"matcher": {"id": kind, "options": options}, "properties": [hidden]}]}}


@pytest.mark.parametrize(
    ("more", "target", "said"),
    [
        ({}, {}, False),
        ({}, {"legendFormat": "__auto"}, False),
        ({}, {"legendFormat": "to {{ dest }}"}, False),
        ({}, {"legendFormat": "mean delay"}, True),
        ({}, {"legendFormat": "{{version}}"}, True),
        ({}, {"legendFormat": "mean delay", "format": "table"}, False),
        ({"options": {"textMode": "value"}}, {}, True),
        ({"options": {"textMode": "value_and_name"}}, {}, False),
        ({"fieldConfig": {"defaults": {"displayName": "delay"}}}, {}, True),
        ({"fieldConfig": {"defaults": {"displayName": "${__field.labels.dest}"}}}, {}, False),
        ({"fieldConfig": {"defaults": {"displayName": '[[__field.labels["dest"]]]'}}}, {}, False),
        ({"fieldConfig": {"defaults": {"displayName": "${__field.labels}"}}}, {}, False),
        ({"fieldConfig": {"defaults": {"displayName": "${__field.labels.version}"}}}, {}, True),
        ({"fieldConfig": {"defaults": {"displayName": "${__field.labels.dest}"}}}, {"legendFormat": "delay"}, False),
        ({"fieldConfig": {"defaults": {"displayName": "${__series.name}"}}}, {"legendFormat": "{{dest}}"}, False),
        ({"fieldConfig": {"defaults": {"displayName": "${__field.displayName}"}}}, {"legendFormat": "delay"}, True),
        ({}, {"legendFormat": "$airline"}, True),
        ({}, {"legendFormat": "$airline to {{dest}}"}, False),
        (overridden("byRegexp", "/.*/", "delay"), {"legendFormat": "{{dest}}"}, True),
        (overridden("byRegexp", r"/^\w+$/i", "delay"), {}, True),
        (overridden("byRegexp", "/.*/", "${__field.labels.dest}"), {"legendFormat": "delay"}, False),
        (overridden("byRegexp", "/.*ATL/", "Atlanta"), {"legendFormat": "{{dest}}"}, False),
        (overridden("byRegexp", "/^flights to .*$/", "flights"), {"legendFormat": "flights to {{dest}}"}, True),
        (overridden("byRegexp", "/^flights to ATL$/", "Atlanta"), {"legendFormat": "flights to {{dest}}"}, False),
        (overridden("byRegexp", "/to .*/", "${__field.labels.dest}"), {"legendFormat": "to {{dest}}"}, False),
        (overridden("byName", "ATL", "Atlanta"), {"legendFormat": "{{dest}}"}, False),
        (overridden("byNames", {"mode": "include", "names": ["ATL"]}, "Atlanta"), {}, False),
        (overridden("byNames", {"mode": "include", "names": ["ATL", "BOS"]}, "delay"), {}, True),
        (overridden("byFrameRefID", "A", "delay"), {}, True),
        (overridden("byType", "number", "delay"), {}, True),
        (overridden("byType", "time", "when"), {}, False),
        (overridden("byType", "number", "delay") | {"type": "table"}, {"format": "table"}, False),
        ({"type": "bargauge", "options": {"namePlacement": "hidden"}}, {}, True),
        ({"type": "bargauge", "options": {"namePlacement": "hidden", "legend": {"showLegend": True}}}, {}, False),
        ({"type": "bargauge", "options": {"namePlacement": "left"}}, {}, False),
        ({"options": {"namePlacement": "hidden"}}, {}, False),
        ({"type": "timeseries", "options": {"legend": {"showLegend": False}}}, {"legendFormat": "{{dest}}"}, True),
        ({"type": "timeseries", "options": {"legend": {"displayMode": "hidden"}}}, {"legendFormat": "{{dest}}"}, True),
        ({"type": "timeseries", "options": {"legend": {"displayMode": "list"}}}, {"legendFormat": "{{dest}}"}, False),
        ({"type": "barchart", "options": {"legend": {"showLegend": False}}}, {}, True),
        ({"type": "barchart", "options": {"legend": {"showLegend": False}}}, {"format": "table"}, False),
        ({"type": "timeseries", **unlisted(True)}, {}, True),
        ({"type": "timeseries", **unlisted(False)}, {}, False),
        ({"type": "bargauge", **unlisted(True)}, {}, False),
        ({"type": "table", **without_column("byName", "dest")}, {"format": "table"}, True),
        ({"type": "table", **without_column("byType", "string")}, {"format": "table"}, True),
        ({"type": "table", **without_column("byNames", {"names": ["dest"]})}, {"format": "table"}, True),
        ({"type": "table", **without_column("byName", "Time")}, {"format": "table"}, False),
        ({"type": "table", **without_column("byName", "namespace")}, {"format": "table"}, False),
        ({"type": "table", **without_column("byName", "dest", of=False)}, {"format": "table"}, False),
        ({"type": "stat", **without_column("byName", "dest")}, {}, False),
        ({"type": "piechart", "options": {"legend": {"showLegend": False}}}, {}, True),
        ({"type": "piechart", "options": {"legend": {"showLegend": False}, "displayLabels": ["name"]}}, {}, False),
    ],
)
def test_a_reader_sees_which_series_is_which(more: dict[str, Any], target: dict[str, Any], said: bool) -> None:
    panel = {"title": "x", "type": "stat", "targets": [{"expr": "y", **target}], **more}
    found = wording.wordings(json.dumps({"panels": [panel]}))["x"]
    assert bool(found.nameless("dest")) is said


@pytest.mark.parametrize(
    ("kind", "query", "options", "said"),
    [
        ("stat", {}, {}, ""),
        ("stat", {}, {"calcs": ["lastNotNull"]}, ""),
        ("stat", {}, {"calcs": ["lastNotNull"], "values": True}, "all of its values"),
        ("gauge", {"range": True}, {"calcs": ["mean"]}, "the mean of its values"),
        ("table", {"format": "table"}, {}, "a table of a whole time range"),
        ("barchart", {"format": "table"}, {}, "a barchart of a whole time range"),
        ("timeseries", {}, {"calcs": ["count"]}, ""),
        ("table", {"instant": True}, {}, ""),
        ("stat", {"instant": True, "range": False}, {"calcs": ["lastNotNull"]}, ""),
        ("stat", {"instant": True}, {"values": True}, ""),
        ("bargauge", {"instant": True}, {"calcs": ["mean"]}, ""),
        ("bargauge", {"instant": True}, {"calcs": ["count"]}, "the count of its values"),
    ],
)
@pytest.mark.parametrize("latest", [True, False])
def test_a_number_is_that_of_one_moment(
    kind: str, query: dict[str, Any], options: dict[str, Any], said: str, latest: bool
) -> None:
    """The latest destinations, by a panel that has one number for each, are asked for at one moment in any case."""
    ranked = query if latest else {**query, "instant": True}
    said = said or (f"a {kind} of a whole time range" if kind == "stat" and not ranked.get("instant") else "")
    panels = [
        {"title": each.title, "type": kind, "options": {"reduceOptions": options},
         "targets": [{"expr": "x", **(ranked if each is checks.LATEST else query)}],
         "fieldConfig": {"defaults": {"unit": next(iter(each.units))}}}
        for each in checks.WANTED
    ]  # fmt: skip
    text = json.dumps({"panels": panels})
    board, (lab, world) = read(text), showing(0)
    stages = {
        "dashboard": SimpleNamespace(
            panels=board.panels, variables={}, wordings=wording.wordings(text), fill=lambda expr, *given, **more: expr
        ),
        "injected": world,
    }

    async def once(stage: Any) -> Any:
        return stages[stage.__name__]

    lab.once = once
    try:
        asyncio.run(checks.reads_right.run(lab))
        assert not said
    except Failure as failed:
        assert said and failed.seen == said


@pytest.mark.parametrize(
    ("every", "lacking"), [("", []), (".+", []), ("[A-Z]{3}", ["ABCD"]), ("broken{", []), ("AAL|ABCD", ["DAL"])]
)
def test_all_is_each_airline_whatever_its_code_looks_like(every: str, lacking: list[str]) -> None:
    async def values(series: str, label: str) -> list[str]:
        if "broken" in series:
            raise QueryRefused("bad regular expression", "mend it")
        assert label == "airline"
        return [each for each in ("AAL", "DAL", "ABCD", "XYZ") if re.fullmatch(every, each)]

    lab = made_up_lab("16", platform=SimpleNamespace(prometheus=SimpleNamespace(values=values)))
    board = SimpleNamespace(variables={"airline": SimpleNamespace(every=every)})
    assert asyncio.run(checks.left_out(lab, board, ["ABCD", "AAL", "DAL"])) == lacking


def test_all_values_are_chosen_of_variables_of_the_learners_own_too() -> None:
    def variable(name: str, series: str, **more: Any) -> dict[str, Any]:
        query = f"label_values({series}, {name})"
        return {"name": name, "type": "query", "query": query, "includeAll": True, "multi": True, **more}

    every = {"current": {"value": ["$__all"]}}
    variables = [
        variable("airline", "x"),
        variable("dest", 'x{airline=~"$airline"}', **every),
        variable("place", "broken{", allValue=".*", **every),
    ]
    panel = {"title": "Money saved", "targets": [{"expr": 'x{airline=~"$airline",dest=~"$dest",place=~"$place"}'}]}
    board = read(json.dumps({"panels": [panel], "templating": {"list": variables}}))
    has = {("x", "airline"): ["AA", "UA"], ('x{airline=~"(AA|UA)"}', "dest"): ["LAX", "ORD"],
           ('x{airline=~"AA"}', "dest"): ["ORD", "SFO"]}  # fmt: skip

    async def values(series: str, label: str) -> list[str]:
        return has[series, label]

    async def query(expr: str, at: float | None) -> list[Series]:
        return []

    lab = made_up_lab("16", platform=SimpleNamespace(prometheus=SimpleNamespace(query=query, values=values)))

    def sent(*airlines: str) -> str:
        (said,) = asyncio.run(checks.ask(lab, board, checks.MONEY, airlines)).queries
        return str(said)

    assert sent("AA") == 'x{airline=~"AA",dest=~"(ORD|SFO)",place=~".*"}'
    assert sent("$__all") == 'x{airline=~"(AA|UA)",dest=~"(LAX|ORD)",place=~".*"}'
