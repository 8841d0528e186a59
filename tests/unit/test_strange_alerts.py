"""Lab 17: whatever Prometheus, the inboxes and promtool say, a check says what is wrong with it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import yaml

from mlops_lab.base.errors import Failure
from mlops_lab.checks.rooms.traffic import Traffic
from mlops_lab.labs.catalog import labs_folder
from mlops_lab.measure.traffic.http import Answer
from tests.lab_programs import loaded
from tests.made_up import made_up_lab

LAB = labs_folder() / "17-alert-that-matters"
FIRED = """  name: normal,
    expr: "count_over_time(ALERTS{alertstate=\\"firing\\",replay!=\\"normal/0/count\\"}[3600s])", time: 1h,
        exp: nil
        got: {%s, severity="critical"} 3.6E+02, {alertname="Other", severity="critical"} 1E+01
"""


checks = loaded("17")


class Answering(Traffic):
    """Services that answer what a test says."""

    def __init__(self, said: Any) -> None:
        self.said = said

    async def request(self, *given: Any, **more: Any) -> Answer:
        return Answer(200, {}, json.dumps(self.said).encode(), 0.01, "", "http://it")


def answering(said: Any) -> Any:
    return made_up_lab("17", traffic=Answering(said))


@pytest.mark.parametrize(
    "data",
    [None, {}, {"a": 1}, [["a", 1]], {"result": 5}, {"result": [1]}, {"result": [{}]}, {"result": [{"metric": []}]},
     {"result": [{"metric": {"pod": 7}}]}],
)  # fmt: skip
def test_what_is_no_result_of_a_query_is_no_prometheus(data: Any) -> None:
    with pytest.raises(Failure, match="prometheus"):
        asyncio.run(checks.query(answering({"data": data}), "up"))


def test_a_result_of_a_query_is_its_series() -> None:
    result = [{"metric": {"__name__": "ALERTS"}, "value": [1, "1"]}]
    found = asyncio.run(checks.query(answering({"data": {"result": result}}), "ALERTS"))
    assert found == result
    assert checks.in_words(found) == ["? ?"]


RULE = {"type": "alerting", "name": "A", "query": "up", "duration": 40, "labels": {"a": "b"}, "annotations": {}}


@pytest.mark.parametrize(
    "rule",
    [7, {}, {"type": "alerting"}, {**RULE, "labels": ["a"]}, {**RULE, "duration": float("nan")},
     {**RULE, "keepFiringFor": "1m"}, {**RULE, "query": None}],
)  # fmt: skip
def test_what_is_no_rule_is_not_replayed(rule: Any) -> None:
    assert not checks.has_rules({"groups": [{"name": "g", "rules": [rule]}]})


def test_rules_as_prometheus_has_them_are_replayed() -> None:
    recorded = {"type": "recording", "name": "a:b", "query": "up"}
    assert checks.has_rules({"groups": [{"name": "g", "rules": [RULE, recorded]}, {"name": "h", "rules": []}]})


@pytest.mark.parametrize(
    "said",
    [[], {"x": 1}, {"messages": [], "last": "x"}, {"messages": [{"message": {}}], "last": 1},
     {"messages": [{"message": [], "ago": 1}], "last": 1},
     {"messages": [{"message": {"alerts": [7]}, "ago": 1}], "last": 1}],
)  # fmt: skip
def test_an_inbox_that_is_not_the_labs_own_is_said_to_be_none(said: Any) -> None:
    with pytest.raises(Failure, match="pager"):
        asyncio.run(checks.inbox(answering(said), "pager"))


def test_an_inbox_has_messages() -> None:
    message = {"status": "firing", "alerts": [{"status": "firing", "labels": {"severity": "critical"}}]}
    said = {"messages": [{"number": 3, "ago": 1.5, "message": message}], "last": 3}
    messages, last = asyncio.run(checks.inbox(answering(said), "pager"))
    assert (len(checks.about(messages, severity="critical")), last) == (1, 3)
    assert asyncio.run(checks.inbox(answering({"messages": [], "last": 0}), "pager")) == ([], 0)


@pytest.mark.parametrize("said", [{}, {"without_weather": None}, {"without_weather": 0, "first_failed": "x"}])
def test_passengers_that_are_not_the_labs_own_are_said_to_be_none(said: Any) -> None:
    good = {"without_weather": 0.0, "first_failed": None, "last_failed": 2.5}
    assert asyncio.run(checks.fares(answering(good))) == good
    with pytest.raises(Failure, match="passengers"):
        asyncio.run(checks.fares(answering(said)))


@pytest.mark.parametrize("labels", [["severity"], "severity", None, 7])
def test_an_alert_without_labels_is_about_nothing(labels: Any) -> None:
    assert checks.about([{"alerts": [{"status": "firing", "labels": labels}]}], severity="warning") == []


def test_the_world_takes_labels_that_are_labels() -> None:
    files = next(yaml.safe_load_all((LAB / "start" / "seed.yaml").read_text()))["data"]
    text = "def shortened" + files["world.py"].split("def shortened")[1].split("\n\n\nclass")[0]
    names: dict[str, Any] = {}
    exec(text, names)
    alert = {"status": "firing", "labels": {"severity": "critical"}, "annotations": {"summary": "it fails"}}
    message = {"status": "firing", "receiver": "pager", "alerts": [alert]}
    assert names["shortened"](message) == message
    for strange in (["severity"], "severity", 7):
        with pytest.raises(AttributeError):
            names["shortened"]({**message, "alerts": [{**alert, "labels": strange}]})


@pytest.mark.parametrize("hint", ["ask the team", "ask {team}", "see expr: rate(x)", "} 7", r"say \"{\" twice", "🔥"])
def test_an_alert_is_seen_whatever_its_labels_say(hint: str) -> None:
    labels = f'alertname="Noise", alertstate="firing", hint="{hint}"'
    noise, other = checks.day.fired(FIRED % labels)["normal"]
    assert noise.labels == {"alertname": "Noise", "hint": hint, "severity": "critical"}
    assert (noise.lasted, other.lasted) == (3600, 100)


def test_a_label_is_no_complaint_of_promtools() -> None:
    output = FIRED % 'hint="error: rate"'
    assert checks.complained(output) == []
    assert checks.complained(f"{output}    err: many-to-many matching not allowed") == [
        "err: many-to-many matching not allowed"
    ]


def test_what_promtool_reads_has_no_halves_of_characters() -> None:
    given = {"summary": "🔥 fails", "half": "\ud83d", "text": "\\ud83d\\udd25", "del": "\x7f\u0085 é"}
    assert checks.day.written(given) == (
        r'{"summary": "🔥 fails", "half": "?", "text": "\\ud83d\\udd25", "del": "\u007f\u0085 \u00e9"}'
    )
