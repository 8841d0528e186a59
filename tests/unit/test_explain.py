"""What a failed check leaves for `lab explain`: its requests, loads, objects and events; bounded, and drawn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from mlops_lab.base.errors import Failure, LabError
from mlops_lab.checks import Check, Lab, current
from mlops_lab.checks.run import run_checks
from mlops_lab.checks.trace import Trace, drawn, shortened
from mlops_lab.checks.verdicts import Result
from mlops_lab.kube.client import Kube
from mlops_lab.learner.explain import explained, plot
from mlops_lab.measure.pods.evidence import recent
from mlops_lab.measure.traffic.http import Answer
from mlops_lab.measure.traffic.report import LoadReport, Request
from tests.made_up import NothingThere, made_up_lab


def answer(status: int = 200, body: bytes = b"{}", error: str = "") -> Answer:
    return Answer(status, {}, body, 0.0123, error, "http://a/predict")


def report(seconds: int = 30, per_second: int = 10, lost_from: int = 20) -> LoadReport:
    """Answers take 10 ms, one in ten 50 ms; from a second on nothing is answered."""
    requests = tuple(
        Request(at / per_second, 0.0, 0.05 if at % 10 == 0 else 0.01, 0, "", "connection refused")
        if at / per_second >= lost_from
        else Request(at / per_second, 0.0, 0.05 if at % 10 == 0 else 0.01, 200, "v1", "")
        for at in range(seconds * per_second)
    )
    return LoadReport(requests, len(requests), len(requests), 0, seconds)


class Eventful(NothingThere):
    """Objects whose events are known."""

    def __init__(self, events: list[str] | None = None) -> None:
        self._events = events

    async def recent_events(self, names: list[tuple[str, str]]) -> list[str]:
        if self._events is None:
            raise LabError("the API server does not answer", "wait")
        return [f"{kind} {name}: {event}" for kind, name in names for event in self._events]


def eventful(events: list[str] | None) -> Lab:
    return made_up_lab(objects=Eventful(events))


def run(body: Callable[[Any], Awaitable[None]], lab: Any) -> Result:
    (result,) = asyncio.run(run_checks(lab, [Check("answers", "It answers.", body, 2)]))
    return result


async def fails(lab: Any) -> None:
    current.trace().request("POST", "http://a/predict", "{}", answer(500, b"oops"))
    current.trace().load("http://a/predict", "10 requests a second", report)
    current.trace().looked_at("Deployment", "model")
    raise Failure("200", "500", "look at the log")


async def passes(lab: Any) -> None:
    current.trace().request("POST", "http://a/predict", "{}", answer())


def test_a_failed_check_tells_what_it_did_and_a_passed_one_nothing() -> None:
    trace = run(fails, eventful(["Killing"])).trace
    assert trace["requests"] == [
        {"method": "POST", "url": "http://a/predict", "sent": "{}", "status": 500, "got": "oops", "seconds": 0.0123}
    ]
    assert (trace["loads"][0]["sent"], trace["loads"][0]["failed"]) == (300, 100)
    assert (trace["objects"], trace["events"]) == (["Deployment/model"], ["Deployment model: Killing"])
    assert run(passes, eventful([])).trace == {}


def test_without_an_answer_about_events_the_verdict_stands() -> None:
    result = run(fails, eventful(None))
    assert (result.verdict, result.trace["events"]) == ("fail", [])


def test_what_checks_share_is_told_by_each_of_them() -> None:
    apart, first, second = Trace(), Trace(), Trace()
    for each in (first, second):
        each.shared.append(apart)
    with current.traced(apart):
        current.trace().request("GET", "http://a/", "", answer())
        current.trace().looked_at("Service", "model")
    assert [len(each.plain()["requests"]) for each in (first, second)] == [1, 1]
    assert first.names() == [("Service", "model")]


def test_a_trace_is_bounded() -> None:
    trace = Trace()
    for number in range(100):
        trace.request("GET", f"http://a/{number}", "x" * 10_000, answer(200, b"y" * 10_000_000))
        trace.looked_at("Pod", f"model-{number}")
        trace.load("http://a", "1 a second", report)
    plain = trace.plain()
    assert [each["url"][9:] for each in plain["requests"]] == ["0", "1", "2", "3", "4", "5", *map(str, range(94, 100))]
    assert plain["left_out"] == 88
    assert (len(plain["objects"]), len(plain["loads"])) == (20, 4)
    assert max(len(each[name]) for each in plain["requests"] for name in ("sent", "got")) < 450
    assert shortened("y" * 500).endswith("(500 characters)")


def test_a_load_is_drawn_in_slices() -> None:
    whole = drawn(report(seconds=120, lost_from=90))
    assert whole["slice"] == 2
    assert len(whole["slices"]) == 60
    assert whole["slices"][0] == {"sent": 20, "failed": 0, "p50": 0.01, "p99": 0.05}
    assert whole["slices"][50] == {"sent": 20, "failed": 20, "p50": None, "p99": None}
    assert whole["statuses"] == {"0": 300, "200": 900}
    assert [each["sent"] for each in drawn(LoadReport((), 0, 0, 0, 0.0))["slices"]] == [0]


def test_the_explanation_shows_what_was_sent_what_came_back_and_a_plot() -> None:
    result = {"check": "answers", "title": "It answers.", "expected": "200", "seen": "500", "why": "w", "evidence": []}
    trace = run(fails, eventful(["12:00:00 Warning Pod model-a: BackOff: again"])).trace
    text = explained(result, trace, width=80)
    for line in (
        "POST http://a/predict -> 500 after 12 ms", "< oops", "300 sent, 100 failed: 100 x no answer, 200 x 200",
        "100 x connection refused", "p99 in ms", "seconds since the load began", "BackOff: again",
    ):  # fmt: skip
        assert line in text
    assert "\x1b" not in text
    assert "\x1b" in explained(result, trace, width=80, colour=True)
    assert max(map(len, text.splitlines())) <= 80


def test_a_load_without_any_answer_has_no_plot() -> None:
    assert plot(drawn(report(lost_from=0)), 80, False) == ""


def test_events_are_those_of_the_objects_and_of_what_they_made() -> None:
    def event(kind: str, name: str, at: str, count: int = 1) -> dict[str, Any]:
        return {
            "metadata": {}, "involvedObject": {"kind": kind, "name": name}, "lastTimestamp": f"2026-01-01T{at}Z",
            "type": "Warning", "reason": "BackOff", "message": "a\n b", "count": count,
        }  # fmt: skip

    class Told(Kube):
        def __init__(self) -> None: ...

        def list(self, kind: str, *arguments: Any, **named: Any) -> list[dict[str, Any]]:
            return [
                event("Pod", "model-1-a", "10:00:02", 3), event("Deployment", "model", "10:00:01"),
                event("Pod", "models", "10:00:00"), event("Pod", "shadow-1", "10:00:00"),
            ]  # fmt: skip

    found = recent(Told(), "lab-04", [("Deployment", "model"), ("Service", "shadow")])
    assert found == [
        "10:00:01 Warning Deployment model: BackOff: a b",
        "10:00:02 Warning Pod model-1-a: BackOff: a b (x3)",
    ]
    assert recent(Told(), "lab-04", []) == []


def test_an_answer_of_any_bytes_does_not_steer_the_terminal() -> None:
    async def odd(lab: Any) -> None:
        current.trace().request("POST", "http://a/predict", "{}", answer(200, b"\x1f\x8b\x08\x1b[2J\x0e"))
        raise Failure("JSON", "\x1b]0;x\x07", "it is none")

    result = replace(run(odd, eventful([])), evidence=("log: \x1b[31mred",))
    text = explained(result.plain(), result.trace)
    assert "\\x1b[2J\\x0e" in text and "\\x1b]0;x\\x07" in text and "log: \\x1b[31mred" in text
    assert all(each == "\n" or each.isprintable() for each in text)
