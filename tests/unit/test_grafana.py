"""A learner's dashboard, read as Grafana reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlops_lab.measure.services.grafana import ALL, Dashboard, NotADashboard, read


def board(panels: list[Any] | None = None, variables: list[Any] | None = None) -> Dashboard:
    return read(json.dumps({"panels": panels or [], "templating": {"list": variables or []}}))


AIRLINE = {"name": "airline", "type": "query", "multi": True, "includeAll": True}


def test_panels_come_with_queries_units_and_what_they_write() -> None:
    (panel,) = board(
        [
            {
                "type": "stat",
                "title": "Saved",
                "fieldConfig": {
                    "defaults": {
                        "unit": "currencyEUR",
                        "noValue": "-",
                        "mappings": [
                            {"type": "special", "options": {"match": "null+nan", "result": {"text": "0 €"}}},
                            {"type": "value", "options": {"1": {"text": "one"}}},
                        ],
                    },
                    "overrides": [{"matcher": {}, "properties": [{"id": "unit", "value": "short"}, {"id": "min"}]}],
                },
                "options": {"reduceOptions": {"calcs": ["mean"]}},
                "transformations": [{"id": "limit"}, {"id": "reduce", "disabled": True}],
                "targets": [
                    {"expr": "up", "instant": True},
                    {"expr": "down", "instant": True, "range": True},
                    {"expr": "hidden", "hide": True},
                    {"expr": " "},
                    {"rawSql": "select"},
                ],
            }
        ]
    ).panels
    assert [(query.expr, query.instant) for query in panel.queries] == [("up", True), ("down", False)]
    assert (panel.title, panel.kind, panel.units) == ("Saved", "stat", ("currencyEUR", "short"))
    assert (panel.calcs, panel.empty, panel.transformed) == (("mean",), ("-", "0 €"), ("limit",))


def test_rows_are_no_panels_and_hide_none() -> None:
    inside = {"type": "stat", "title": "inside"}
    found = board([{"type": "row", "title": "r"}, {"type": "row", "panels": [inside]}, {"type": "stat", "title": "b"}])
    assert [panel.title for panel in found.panels] == ["inside", "b"]


@pytest.mark.parametrize("wrapper", ["dashboard", "spec"])
def test_a_dashboard_may_be_wrapped_as_the_api_does_it(wrapper: str) -> None:
    assert read(json.dumps({"kind": "Dashboard", wrapper: {"panels": [{"title": "a"}]}})).panels[0].title == "a"


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        ('{\n  "panels": [],\n}', "line 3, column 1: ", 3),
        ("", "line 1, column 1: Expecting value", 1),
        ("[1]", "JSON, but a list", 0),
        ('{"rows": []}', "without a list `panels`; its fields: rows", 0),
        ('{"panels": {}}', "without a list `panels`", 0),
        ("[" * 100_000, "nested too deep", 0),
        ("9" * 5000, "Exceeds the limit", 0),
        ('{"panels": [' + " " * 4_000_000 + "]}", "characters", 0),
    ],
)
def test_what_is_no_dashboard_says_why_and_where(text: str, said: str, line: int) -> None:
    with pytest.raises(NotADashboard) as caught:
        read(text)
    assert said in str(caught.value)
    assert caught.value.line == line


def test_strange_values_in_it_do_no_harm() -> None:
    strange: Any = ["x", 1, None, {"title": 3, "targets": "x", "fieldConfig": [], "options": 1}]
    found = board([*strange, {"type": "row", "panels": 7}], ["x", {"name": "v", "query": None, "current": [1]}])
    assert [panel.title for panel in found.panels] == ["3"]
    assert found.panels[0].queries == ()
    assert found.variables["v"].label_values is None


@pytest.mark.parametrize(
    ("chosen", "written"),
    [
        (["AAL"], "AAL"),
        (["AAL", "DAL"], "(AAL|DAL)"),
        ([ALL], "(AAL|B.A|DAL)".replace(".", r"\\.")),
        (["B.A", 'x"'], r"(B\\.A|x\")"),
    ],
)
def test_choices_of_several_are_a_regular_expression_between_quotes(chosen: list[str], written: str) -> None:
    found = board(variables=[AIRLINE]).fill(
        'x{a=~"$airline"}', {"airline": chosen}, span=60, options={"airline": ["AAL", "B.A", "DAL"]}
    )
    assert found == f'x{{a=~"{written}"}}'


def test_a_custom_all_value_stands_as_it_is() -> None:
    assert board(variables=[AIRLINE | {"allValue": ".+"}]).fill("$airline", {"airline": [ALL]}, span=60) == ".+"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("${airline}", r"(A\\.|B)"),
        ("[[airline]]", r"(A\\.|B)"),
        ("${airline:regex}", r"(A\.|B)"),
        ("[[airline:pipe]]", "A.|B"),
        ("${airline:csv}", "A.,B"),
        ("${airline:raw}", "A.,B"),
        ("${airline:doublequote}", '"A.","B"'),
        ("$airlines ${other} $1", "$airlines ${other} $1"),
        ("[$__range] $__range_s ${__range_ms}", "[600s] 600 600000"),
        ("[$__interval] [$__rate_interval]", "[10s] [40s]"),
    ],
)
def test_the_forms_and_formats_of_names(text: str, written: str) -> None:
    assert board(variables=[AIRLINE]).fill(text, {"airline": ["A.", "B"]}, span=600) == written


def test_a_single_choice_is_no_regular_expression() -> None:
    found = board(variables=[{"name": "n", "type": "query"}])
    assert found.fill('{n="$n"}', {"n": ['a.b"\\']}, span=60) == '{n="a.b\\"\\\\"}'


@pytest.mark.parametrize(
    ("variable", "written"),
    [
        ({"type": "textbox", "query": "0.99"}, "0.99"),
        ({"type": "constant", "query": "5m"}, "5m"),
        ({"type": "custom", "query": "1,2", "current": {"value": "2"}}, "2"),
        ({"type": "interval", "current": {"value": "1m"}}, "1m"),
        ({"type": "interval", "query": "5m,1h"}, "5m"),
        ({"type": "custom", "query": "two : 2, 1", "current": {}}, "2"),
        ({"type": "custom", "query": r",a\,b,c"}, "a,b"),
        ({"type": "custom", "query": ""}, ""),
        ({"type": "query", "query": "up,down"}, ""),
    ],
)
def test_variables_that_nobody_chose_keep_what_they_have(variable: dict[str, Any], written: str) -> None:
    assert board(variables=[{"name": "v", **variable}]).fill("$v", {}, span=60) == written


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("label_values(up, pod)", ("up", "pod")),
        ({"qryType": 1, "query": 'label_values(up{a="1", b=~"(x|y)"}, pod)'}, ('up{a="1", b=~"(x|y)"}', "pod")),
        (" label_values( pod ) ", ('{pod!=""}', "pod")),
        ("label_values(up, pod name)", None),
        ("label_values(, pod)", None),
        ("label_values(" + " " * 100_000, None),
        ("query_result(up)", None),
        ("AAL,DAL", None),
    ],
)
def test_what_a_variable_asks_for(query: Any, asked: tuple[str, str] | None) -> None:
    assert board(variables=[{"name": "v", "type": "query", "query": query}]).variables["v"].label_values == asked


def test_only_variables_that_ask_are_asked() -> None:
    typed = {"name": "v", "type": "custom", "query": "label_values(up, pod)"}
    assert board(variables=[typed]).variables["v"].label_values is None


@pytest.mark.parametrize(
    ("regex", "kept"),
    [("", ["lab-1", "kube"]), ("/lab-.*/", ["lab-1"]), ("/(lab)-.*/i", ["lab"]), ("/(?<value>ku)be/", ["ku"])],
)
def test_a_variables_regex_keeps_and_cuts(regex: str, kept: list[str]) -> None:
    assert board(variables=[{"name": "v", "regex": regex}]).variables["v"].kept(["lab-1", "kube"]) == kept


@pytest.mark.parametrize("regex", ["/(/", "(" * 2000 + ")" * 2000, "a{99999999999999}"])
def test_a_broken_regex_is_said(regex: str) -> None:
    with pytest.raises(NotADashboard, match=r"variable v: .* is no regular expression"):
        board(variables=[{"name": "v", "regex": regex}]).variables["v"].kept(["a"])


def test_a_regex_that_needs_years_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_lab.measure.services.grafana._MATCHED_WITHIN", 1)
    with pytest.raises(NotADashboard, match="not done with 1 values after 1 s"):
        board(variables=[{"name": "v", "regex": "((((.*)*)*)*)*!"}]).variables["v"].kept(["a" * 40])
