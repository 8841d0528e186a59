"""What `lab dashboard` draws of a dashboard's JSON: units, field options, tables, rows, variables."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.paths import project
from mlops_lab.cli.main import main
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.platform.dashboard import answers, fields, publish, tables, units, variables
from mlops_lab.platform.dashboard.boards import DRAWN, Board, Variable, boards, targets
from mlops_lab.platform.dashboard.prometheus import Prometheus
from mlops_lab.platform.dashboard.times import moment, seconds, window
from tests.unit.fake_prometheus import fake_prometheus

PAGE = Path(answers.__file__).parent / "page"
BOARDS = boards()
# What Grafana can be told of a panel and the page has its own way for.
OWN_WAY = {"justifyMode", "displayMode", "cellHeight", "scheme", "steps", "axisPlacement", "sort", "footer", "fields"}
OWN_WAY |= {"indexByName", "group"}


# Everything that the dashboards use


def drawn() -> set[str]:
    """The types of panels that the page has a function for."""
    found = re.search(r"const DRAW = \{(.*?)\}", (PAGE / "draw.js").read_text())
    assert found
    return set(re.findall(r"\w+", found[1]))


def test_the_page_has_a_function_for_each_type() -> None:
    assert drawn() == set(DRAWN)


def faults(panel: dict[str, Any]) -> list[str]:
    """What of a panel the page does not draw as it is asked for."""
    options, config = panel.get("options") or {}, panel["fieldConfig"]
    found = answers.notes(panel)
    stated = [config["defaults"].get("unit"), (options.get("yAxis") or {}).get("unit")]
    stated += [
        each["value"] for over in config["overrides"] for each in over["properties"] if each["id"].endswith("unit")
    ]
    found += [f"unit {name}" for name in stated if name and name not in units.UNITS]
    mapped = {each["type"] for each in config["defaults"].get("mappings") or ()}
    found += [f"mapping {name}" for name in mapped - {"value", "range", "special", "regex"}]
    source = "\n".join(path.read_text() for path in (*PAGE.glob("*.js"), *PAGE.parent.glob("*.py")))
    words = set(re.findall(r"\w+", source))
    asked = {*keys(options), *keys(config["defaults"].get("custom") or {})}
    return found + [f"option {name}" for name in asked - words - OWN_WAY]


def keys(raw: Mapping[str, Any]) -> Iterator[str]:
    for name, value in raw.items():
        yield name
        if isinstance(value, dict):
            yield from keys(value)


@pytest.mark.parametrize("uid", BOARDS)
def test_everything_of_a_dashboard_is_drawn(uid: str) -> None:
    assert {panel["title"]: said for panel in BOARDS[uid].panels.values() if (said := faults(panel))} == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"type": "canvas"}, "canvas panels are not drawn here"),
        ({"transformations": [{"id": "groupBy", "options": {}}]}, "the transformation groupBy is not made here"),
        ({"type": "stat", "transformations": [{"id": "merge"}]}, "the transformation merge is not made here"),
        ({"repeat": "app"}, "the panel is not repeated here"),
        ({"fieldConfig": {"defaults": {"unit": "lightyear"}, "overrides": []}}, "unit lightyear"),
        ({"fieldConfig": {"defaults": {"mappings": [{"type": "moon"}]}, "overrides": []}}, "mapping moon"),
        ({"fieldConfig": {"defaults": {"custom": {"wobble": 3}}, "overrides": []}}, "option wobble"),
        ({"options": {"reduceOptions": {"calcs": ["variance"]}}}, "the calculation variance is not made here"),
        ({"options": {"calculate": True}}, "buckets of values are not made here: ask for a histogram's"),
    ],
)
def test_what_is_not_drawn_would_be_noticed(change: dict[str, Any], said: str) -> None:
    panel = next(panel for panel in BOARDS["cluster"].panels.values() if panel["type"] == "table")
    assert faults({**panel, **change}) == [said]


LAB = project() / "labs" / "16-business-dashboard"


@pytest.mark.parametrize("form", ["start", "solution/handwritten", "solution/generated"])
def test_lab_16s_dashboards_are_drawn(form: str, tmp_path: Path) -> None:
    folder = LAB / form
    if (build := folder / "build").exists():
        for each in folder.rglob("*"):
            if each.is_file():
                copy = tmp_path / each.relative_to(folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(each.read_bytes())
        subprocess.run([sys.executable, tmp_path / build.name], check=True, timeout=30)
        folder = tmp_path
    ((_, board),) = boards(folder).items()
    assert len(board.panels) >= (2 if form == "start" else 8)
    assert {panel["title"]: said for panel in board.panels.values() if (said := answers.notes(panel))} == {}


# Units


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "text"),
    [
        (None, "s", None, "-"),
        (0, "", None, "0"),
        (1234567, "", None, "1234567"),
        (1234, "short", None, "1.23 K"),
        (999.9, "short", None, "1000"),
        (-2_500_000, "short", None, "-2.5 Mil"),
        (0.000123456, "none", None, "0.000123"),
        (12.345, "none", 1, "12.3"),
        (0.4267, "percentunit", None, "42.7%"),
        (42, "percent", 1, "42.0%"),
        (0, "s", None, "0 s"),
        (0.0123, "s", None, "12.3 ms"),
        (2e-9, "s", None, "2 ns"),
        (90, "s", None, "1.5 mins"),
        (7200, "s", None, "2 hours"),
        (3600, "s", None, "1 hour"),
        (250, "ms", None, "250 ms"),
        (90, "m", None, "1.5 hours"),
        (1536, "bytes", None, "1.5 KiB"),
        (1024**2, "bytes", None, "1 MiB"),
        (1500, "decbytes", None, "1.5 kB"),
        (12, "bytes", None, "12 B"),
        (2_000_000, "Bps", None, "2 MB/s"),
        (1500, "reqps", 2, "1.50 K req/s"),
        (0.04, "currencyEUR", 2, "€0.04"),
        (7, "opm", None, "7 ops/min"),
        (7, "flights/min", None, "7 flights/min"),
        (7, "suffix: flights", None, "7  flights"),
        (7, "prefix:#", None, "#7"),
        (7, "currency:CHF ", None, "CHF 7"),
        (1500, "count:flights", None, "1.5 K flights"),
        (1500, "si:g", None, "1.5 kg"),
        (0, "bool_yes_no", None, "No"),
        (3, "bool", None, "True"),
    ],
)
def test_values_are_written_in_their_unit(value: float | None, unit: str, decimals: int | None, text: str) -> None:
    assert units.form(value, unit, decimals) == text


def test_every_unit_writes_and_has_an_axis() -> None:
    for name in units.UNITS:
        assert units.form(12.5, name)
        assert units.axis(name, 12.5)["tickformat"]


def test_an_axis_is_in_thousands_where_its_values_are() -> None:
    assert units.axis("short", 0.6) == {"tickformat": "~g", "tickprefix": "", "ticksuffix": ""}
    assert units.axis("reqps", 1000) == {"tickformat": "~s", "tickprefix": "", "ticksuffix": " req/s"}


# Options of fields


def panel(kind: str = "stat", overrides: list[Any] | None = None, **defaults: Any) -> dict[str, Any]:
    return {"id": 1, "type": kind, "fieldConfig": {"defaults": defaults, "overrides": overrides or []}}


def steps(*pairs: tuple[float | None, str], mode: str = "absolute") -> dict[str, Any]:
    return {"mode": mode, "steps": [{"value": value, "color": colour} for value, colour in pairs]}


@pytest.mark.parametrize(
    ("kind", "defaults", "value", "colour"),
    [
        ("stat", {}, 79, "green"),
        ("stat", {}, 80, "red"),
        ("stat", {"thresholds": steps((None, "red"), (1, "green"))}, 0.5, "red"),
        ("stat", {"thresholds": steps((None, "red"), (1, "green"))}, None, "red"),
        ("gauge", {"thresholds": steps((None, "a"), (50, "b"), mode="percentage"), "min": 10, "max": 20}, 15, "b"),
        ("gauge", {"thresholds": steps((None, "a"), (50, "b"), mode="percentage"), "min": 10, "max": 20}, 14, "a"),
        ("stat", {"color": {"mode": "fixed", "fixedColor": "purple"}}, 5, "purple"),
        ("stat", {"color": {"mode": "palette-classic"}}, 5, ""),
        ("timeseries", {}, 90, ""),
        ("timeseries", {"color": {"mode": "thresholds"}}, 90, "red"),
        ("stat", {"mappings": [{"type": "value", "options": {"5": {"color": "blue"}}}]}, 5, "blue"),
    ],
)
def test_a_value_has_the_colour_of_its_threshold(
    kind: str, defaults: dict[str, Any], value: float | None, colour: str
) -> None:
    assert fields.field(panel(kind, **defaults), "x").colour(value) == colour


MAPPINGS = [
    {"type": "value", "options": {"0": {"text": "down"}, "1.5": {"text": "one and a half"}}},
    {"type": "range", "options": {"from": 10, "to": None, "result": {"text": "many"}}},
    {"type": "special", "options": {"match": "null+nan", "result": {"text": "nothing known"}}},
    {"type": "regex", "options": {"pattern": "/^7$/", "result": {"text": "seven"}}},
]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "down"), (1.5, "one and a half"), (12, "many"), (None, "nothing known"), (7, "seven"), (2, "2")],
)
def test_values_are_mapped_to_texts(value: float | None, text: str) -> None:
    assert fields.field(panel(mappings=MAPPINGS), "x").text(value) == text


def test_a_value_that_there_is_not_has_a_text_of_its_own() -> None:
    assert fields.field(panel(noValue="none yet"), "x").text(None) == "none yet"


@pytest.mark.parametrize(
    ("matcher", "fits"),
    [
        ({"id": "byName", "options": "p99"}, True),
        ({"id": "byName", "options": "p50"}, False),
        ({"id": "byRegexp", "options": "/^p/"}, True),
        ({"id": "byFrameRefID", "options": "B"}, True),
        ({"id": "byFrameRefID", "options": "A"}, False),
        ({"id": "byType", "options": "number"}, True),
        ({"id": "byNames", "options": {"mode": "exclude", "names": ["p50"]}}, True),
        ({"id": "byNames", "options": {"names": ["p50"]}}, False),
        ({"id": "byMoon", "options": "p99"}, False),
    ],
)
def test_an_override_is_for_the_fields_that_it_names(matcher: dict[str, Any], fits: bool) -> None:
    properties = [{"id": "unit", "value": "s"}, {"id": "custom.lineWidth", "value": 5}]
    over = [{"matcher": matcher, "properties": properties}]
    found = fields.field(panel(overrides=over, unit="short", custom={"lineWidth": 1}), "p99", "B")
    assert (found.unit, found.custom) == (("s", {"lineWidth": 5}) if fits else ("short", {"lineWidth": 1}))
    assert fields.field(panel(unit="short"), "p99").unit == "short"


@pytest.mark.parametrize(
    ("calc", "value"),
    [
        ("lastNotNull", 3), ("last", None), ("first", None), ("firstNotNull", 1), ("min", 1), ("max", 5), ("mean", 3),
        ("median", 3), ("sum", 9), ("count", 5), ("range", 4), ("diff", 2),
    ],
)  # fmt: skip
def test_a_series_is_made_one_number(calc: str, value: float | None) -> None:
    assert fields.CALCS[calc]([None, 1, 5, 3, None]) == value
    assert fields.CALCS[calc]([]) in (None, 0)


# What a panel's answer holds


def shown(raw: dict[str, Any], **chosen: list[str]) -> dict[str, Any]:
    board = Board({"uid": "x", "panels": [raw], "templating": {"list": []}})
    with fake_prometheus() as fake:
        found = answers.series(board, raw["id"], chosen, 3600, Prometheus(lambda: fake.url), now=10_000)
    json.dumps(found, allow_nan=False)
    return found


def asking(
    kind: str, form: str = "time_series", *, instant: bool = True, expr: str = "x", **more: Any
) -> dict[str, Any]:
    target = {"refId": "A", "expr": expr, "legendFormat": "{{status}}", "instant": instant, "format": form}
    return {**panel(kind), "targets": [target], **more}


def test_a_gauge_has_a_value_for_each_series_and_a_scale() -> None:
    found = shown({**asking("gauge"), "fieldConfig": {"defaults": {"unit": "percentunit", "min": 0}, "overrides": []}})
    assert [(each["name"], each["text"]) for each in found["values"]] == [("200", "60%"), ("500", "10%")]
    assert (found["min"], found["max"]) == (0, 1)
    assert shown(asking("gauge"))["max"] == 0.6


def test_bars_of_buckets_stand_in_the_order_of_their_bounds() -> None:
    raw = asking("bargauge", expr="sum by (le) (x)")
    raw["targets"][0]["legendFormat"] = "{{le}}"
    assert [each["name"] for each in shown(raw)["values"]] == ["0.1", "0.5", "1.0", "+Inf"]


def test_a_heatmaps_buckets_are_in_its_own_unit() -> None:
    found = shown(asking("heatmap", "heatmap", instant=False, expr="sum by (le) (x)", options={"yAxis": {"unit": "s"}}))
    assert found["bounds"] == {"0.1": "≤ 100 ms", "0.5": "≤ 500 ms", "1.0": "≤ 1 s", "+Inf": "more"}


def test_a_time_series_says_its_values_and_its_legends_calculations() -> None:
    raw = asking("timeseries", instant=False, options={"legend": {"calcs": ["max"]}})
    first = shown({**raw, "fieldConfig": {"defaults": {"unit": "percentunit", "decimals": 0}, "overrides": []}})[
        "series"
    ][0]
    assert len(first["texts"]) == len(first["points"]) and re.fullmatch(r"\d+%", first["texts"][0])
    assert first["calcs"] == ["max: 72%"]


def test_a_title_and_a_text_name_variables() -> None:
    raw = {**panel("text"), "title": "Of $app", "options": {"content": "Look at $app"}}
    listed = [{"name": "app", "type": "custom", "query": "model,other"}]
    board = Board({"uid": "x", "panels": [raw], "templating": {"list": listed}})
    found = answers.series(board, 1, {"app": ["other"]}, 3600, Prometheus(lambda: ""))
    assert (found["title"], found["content"]) == ("Of other", "Look at other")


def test_the_least_step_of_a_panel_is_kept() -> None:
    raw = {**asking("timeseries", instant=False, expr="rate(x[$__interval])"), "interval": "5m"}
    found = shown(raw)
    assert (found["step"], found["queries"]) == (300, ["rate(x[300s])"])


def test_a_query_that_is_switched_off_is_not_asked() -> None:
    raw = asking("stat")
    raw["targets"].append({"refId": "B", "expr": "y", "hide": True})
    assert [target.ref for target in targets(raw)] == ["A"]


# Tables


def frame(*rows: list[Any], ref: str = "A", columns: str = "Time pod Value", kinds: str = "") -> tables.Frame:
    names = tuple(columns.split())
    return tables.Frame(ref, names, tuple(kinds.split()) or ("time", "string", "number")[: len(names)], list(rows))


def test_a_table_has_a_column_for_each_label() -> None:
    (found,) = shown(asking("table", "table"))["tables"]
    names = [column["name"] for column in found["columns"]]
    assert names[0] == "Time" and names[-1] == "Value" and {"namespace", "pod", "status"} < set(names)
    assert found["rows"][0][0] == {"at": 1000.5} and found["rows"][0][-1] == {"text": "0.6", "colour": "green"}


def test_queries_without_a_merge_are_tables_of_their_own() -> None:
    raw = asking("table", "table")
    raw["targets"].append({**raw["targets"][0], "refId": "B"})
    found = shown(raw)["tables"]
    assert [each["ref"] for each in found] == ["A", "B"]
    assert [each["columns"][-1]["name"] for each in found] == ["Value #A", "Value #B"]
    (merged,) = shown({**raw, "transformations": [{"id": "merge", "options": {}}]})["tables"]
    assert [column["name"] for column in merged["columns"]][-2:] == ["Value #A", "Value #B"]
    assert len(merged["rows"]) == 2


def test_rows_are_merged_where_they_agree() -> None:
    one = frame([1.0, "a", 5.0], [1.0, "b", 6.0], columns="Time pod Value#A")
    two = frame([1.0, "b", 7.0], [1.0, "c", 8.0], ref="B", columns="Time pod Value#B")
    (found,) = tables.merged([one, two], {})
    assert found.columns == ("Time", "pod", "Value#A", "Value#B")
    assert found.rows == [[1.0, "a", 5.0, None], [1.0, "b", 6.0, 7.0], [1.0, "c", None, 8.0]]


def test_columns_are_left_out_put_in_order_and_renamed() -> None:
    options = {"excludeByName": {"Time": True}, "indexByName": {"Value": 0}, "renameByName": {"pod": "Pod"}}
    (found,) = tables.organized([frame([1.0, "a", 5.0])], options)
    assert (found.columns, found.rows) == (("Value", "Pod"), [[5.0, "a"]])
    (found,) = tables.organized([frame([1.0, "a", 5.0])], {"includeByName": {"pod": True}})
    assert found.columns == ("pod",)


def test_rows_are_sorted_limited_and_columns_filtered() -> None:
    rows = ([1.0, "a", 5.0], [1.0, "b", None], [1.0, "c", 7.0])
    (found,) = tables.ordered([frame(*rows)], {"sort": [{"field": "Value", "desc": True}]})
    assert [row[1] for row in found.rows] == ["c", "a", "b"]
    (found,) = tables.limited([found], {"limitField": 2})
    assert [row[1] for row in found.rows] == ["c", "a"]
    (found,) = tables.filtered([found], {"include": {"pattern": "/^V/"}})
    assert found.rows == [[7.0], [5.0]]


def test_a_tables_own_order_hidden_columns_and_colours_hold() -> None:
    properties = [{"id": "custom.hidden", "value": True}]
    value = [{"id": "custom.cellOptions", "value": {"type": "color-text"}}, {"id": "unit", "value": "s"}]
    over = [
        {"matcher": {"id": "byName", "options": "Time"}, "properties": properties},
        {"matcher": {"id": "byName", "options": "Value"}, "properties": value},
    ]
    raw = {**panel("table", over), "options": {"sortBy": [{"displayName": "Value", "desc": True}]}}
    (found,) = tables.tables(raw, [frame([1.0, "a", 5.0], [1.0, "b", 90.0])])
    assert [column["name"] for column in found["columns"]] == ["pod", "Value"]
    assert found["columns"][1]["fill"] == "color-text"
    assert found["rows"][0] == [{"text": "b"}, {"text": "1.5 mins", "colour": "red"}]


# Rows, times, variables


def test_the_panels_of_a_row_that_is_closed_are_there() -> None:
    inner, outer = {"id": 2, "type": "stat"}, {"id": 3, "type": "stat"}
    raw = {"panels": [{"id": 1, "type": "row", "collapsed": True, "panels": [inner]}, outer]}
    assert set(Board(raw).panels) == {2, 3}


def test_a_dashboard_may_be_wrapped_and_have_no_uid(tmp_path: Path) -> None:
    inner = {"title": "Mine", "panels": [], "schemaVersion": 41}
    (tmp_path / "own.json").write_text(json.dumps({"dashboard": inner, "meta": {}}))
    ((uid, board),) = boards(tmp_path).items()
    assert (uid, board.title, board.times) == ("own", "Mine", ("now-6h", "now"))


@pytest.mark.parametrize(
    ("text", "at"), [("now", 1000.0), ("now-5m", 700.0), ("now-1h", -2600.0), ("1700000000500", 1700000000.5)]
)
def test_a_moment_is_relative_or_in_milliseconds(text: str, at: float) -> None:
    assert moment(text, 1000.0) == at


def test_a_window_has_two_ends() -> None:
    assert window("now-1h", "now-30m", 10_000).span == 1800
    assert (seconds("5m"), seconds("10s"), seconds(""), seconds("soon")) == (300, 10, 0, 0)
    with pytest.raises(ValueError, match="is not within"):
        window("now", "now-1h", 0)
    with pytest.raises(LabError, match="yesterday is no time such as"):
        Board({"uid": "x", "time": {"from": "yesterday", "to": "now"}}).window(0)


def variable(**raw: Any) -> Variable:
    (found,) = Board({"templating": {"list": [{"name": "v", **raw}]}}).variables
    return found


def test_variables_of_every_kind() -> None:
    every = variable(type="query", query="label_values(pod)", includeAll=True, hide=2)
    assert (every.series, every.label, every.every, every.hidden) == ('{pod!=""}', "pod", ".+", True)
    custom = variable(type="custom", query=r"high : 0.99, 0.5, a\,b", multi=True)
    assert custom.values == (("high", "0.99"), ("0.5", "0.5"), ("a,b", "a,b")) and custom.default == ("0.99",)
    assert variable(type="custom", query="a,b", includeAll=True, allValue=".*").every == ".*"
    assert variable(type="constant", query="blue") == Variable("v", "v", default=("blue",), hidden=True)
    assert variable(type="textbox", query="3", label="How many").title == "How many"
    assert variable(type="interval", query="1m,5m").default == ("1m",)
    assert variable(type="datasource", query="prometheus").hidden


@pytest.mark.parametrize(
    ("regex", "sort", "kept"),
    [
        ("", 0, ["pod-10", "Pod-9", "web"]),
        ("", 1, ["Pod-9", "pod-10", "web"]),
        ("", 2, ["web", "pod-10", "Pod-9"]),
        ("", 3, ["web", "Pod-9", "pod-10"]),
        ("", 4, ["pod-10", "Pod-9", "web"]),
        ("", 5, ["pod-10", "Pod-9", "web"]),
        ("/pod-(?<number>.+)/", 0, ["10"]),
        ("od", 0, ["pod-10", "Pod-9"]),
    ],
)
def test_values_are_kept_by_an_expression_and_sorted(regex: str, sort: int, kept: list[str]) -> None:
    wanted = Variable("v", "v", "up", "pod", regex=regex, sort=sort)
    assert variables.kept(wanted, ["pod-10", "Pod-9", "web"]) == kept


def test_an_expression_that_is_none_is_said() -> None:
    with pytest.raises(ValueError, match="the variable v: \\( is no regular expression"):
        variables.kept(Variable("v", "v", "up", "pod", regex="/(/"), [])


# Into Grafana


def test_a_learners_dashboards_become_a_config_map_that_grafana_mounts(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    monkeypatch.setattr(Kubectl, "apply", lambda self, text: given.append(text))
    mine = Board({"uid": "mine", "title": "Mine", "panels": []})
    publish.publish(Kubectl("nowhere"), "space", {"mine": mine}, BOARDS)
    item = json.loads(given[0])
    values = yaml.safe_load((project() / "charts" / "monitoring" / "values.yaml").read_text())
    assert item["metadata"]["name"] == values["grafana"]["learner"]["configMap"]
    assert item["metadata"]["namespace"] == "space"
    assert {name: json.loads(text) for name, text in item["data"].items()} == {"mine.json": mine.raw}


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"title": "Mine"}, "Mine has no uid"),
        ({"uid": "cluster", "title": "Mine"}, "has the uid cluster, as the platform's Cluster"),
        ({"uid": "mine", "title": "x" * 900_000}, "larger than 900000 characters"),
    ],
)
def test_what_grafana_would_not_keep_is_refused(raw: dict[str, Any], says: str) -> None:
    board = Board(raw, "own")
    with pytest.raises(UsageError, match=says):
        publish.publish(Kubectl("nowhere"), "space", {board.uid: board}, BOARDS)


def test_grafana_wants_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["dashboard", "--to-grafana"])
    assert ended.value.code == 2
    assert "lab dashboard --folder . --to-grafana" in capsys.readouterr().err
