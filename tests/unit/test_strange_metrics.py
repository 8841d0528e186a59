"""Lab 15: whatever a model server answers or counts, a check says what is wrong with it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import Failure
from tests.lab_programs import loaded
from tests.made_up import NoTraffic, made_up_lab

checks, traffic, scrapes = loaded("15"), loaded("15", "traffic"), loaded("15", "scrapes")


@pytest.mark.parametrize(
    "probabilities",
    ['["0.1"]', '{"0.1": 1}', "[true]", "[[1]]", f"[{'9' * 400}]", "[" * 60_000, "null", "7"],
)
def test_only_a_list_of_numbers_is_an_answer(probabilities: str) -> None:
    said = traffic.said(f'{{"model_version": "v1", "probabilities": {probabilities}}}'.encode())
    assert "not an answer" in said["error"]


def test_the_numbers_and_the_version_are_what_is_kept_of_an_answer() -> None:
    assert traffic.said(b'{"model_version": "v1", "probabilities": [0, 0.5]}') == {
        "version": "v1", "probabilities": [0.0, 0.5],
    }  # fmt: skip
    assert len(traffic.said(json.dumps({"model_version": "v" * 999, "probabilities": []}).encode())["version"]) == 80


@pytest.mark.parametrize("port", [99_999, 2**63])
def test_a_port_that_there_is_not_is_no_answer(port: int) -> None:
    status, *_, error = traffic.ask("127.0.0.1", port, "GET", "/metrics")
    assert status == 0 and error


@pytest.mark.parametrize("location", ["http://[", "//[::1", "http://elsewhere/"])
def test_a_redirect_to_nowhere_is_followed_no_further(location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrapes, "ask", lambda *words, **named: (302, {"location": location}, b"", 0.01, ""))
    found = scrapes.scraped({"address": "10.0.0.1", "metrics": [(8080, "/metrics")]})
    assert found["error"] == "10.0.0.1:8080/metrics: status 302"


@pytest.mark.parametrize(
    ("given", "right"),
    [([0.003, 0.004], True), ([0.003, math.nan], False), ([math.nan, 0.004], False), ([0.003], False), ([], False)],
)
def test_values_are_the_models_own_only_if_all_of_them_are(given: list[float], right: bool) -> None:
    own = [number / 1000 for number in range(500)]
    rows = SimpleNamespace(probabilities=lambda version: own)
    lab = made_up_lab("15", traffic=NoTraffic(hidden_rows=lambda count: rows))
    first = {"status": 200, "version": "v1", "first": 3, "rows": 2, "pod": "model-1", "probabilities": given}
    assert checks.right(lab, first).ok is right


@pytest.mark.parametrize(("port", "places"), [("9090", 2), ("²", 1), ("9" * 5000, 1), ("٣", 1), ("", 1)])
def test_an_annotation_that_is_no_port_leads_nowhere(port: str, places: int) -> None:
    notes = {"prometheus.io/port": port}
    assert len(checks.target(pod_with(notes))["metrics"]) == places


def pod_with(notes: dict[str, str], *ports: int) -> dict[str, Any]:
    """A pod that is asked on 8080, with such annotations and declared ports."""
    spec = {"containers": [{"name": "server", "ports": [{"containerPort": each} for each in ports]}, {"name": "other"}]}
    return {
        "metadata": {"name": "m", "annotations": notes}, "status": {"podIP": "10.0.0.1"}, "port": 8080, "spec": spec,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("notes", "ports", "places"),
    [
        ({}, (8080,), [[8080, "/metrics"]]),
        ({}, (8080, 9100), [[8080, "/metrics"], [9100, "/metrics"]]),
        ({"prometheus.io/path": "/own"}, (8080,), [[8080, "/own"], [8080, "/metrics"]]),
        ({"prometheus.io/port": "9100"}, (8080,), [[9100, "/metrics"], [8080, "/metrics"]]),
    ],
)
def test_metrics_are_looked_for_where_prometheus_does(
    notes: dict[str, str], ports: tuple[int, ...], places: list[Any]
) -> None:
    assert checks.target(pod_with(notes, *ports))["metrics"] == places


def test_a_pod_is_asked_again_only_where_it_has_shown_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def ask(address: str, port: int, method: str, path: str, **named: Any) -> Any:
        asked.append(path)
        return (200, {}, b"up 1\n", 0.01, "") if path == "/metrics" else (404, {}, b"", 0.01, "")

    monkeypatch.setattr(scrapes, "ask", ask)
    pod = {"address": "10.0.0.1", "metrics": [[8080, "/own"], [8080, "/metrics"]]}
    assert [scrapes.scraped(pod)["series"] for _ in range(2)] == [1, 1]
    assert asked == ["/own", "/metrics", "/metrics"]


def test_where_no_metrics_are_each_place_is_told_the_annotated_one_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a NetworkPolicy lets Prometheus alone ask the port of the metrics."""
    asked: list[int] = []

    def ask(address: str, port: int, method: str, path: str, **named: Any) -> Any:
        asked.append(port)
        return (404, {}, b"", 0.01, "") if port == 8080 else (0, {}, b"", 0.0, "no whole answer within 10 s")

    monkeypatch.setattr(scrapes, "ask", ask)
    for notes, named in (({"prometheus.io/port": "9464"}, True), ({}, False)):
        asked.clear()
        own = pod_with(notes, 8080)
        pod = checks.target(own)
        found = [scrapes.scraped(pod) for _ in range(3)]
        annotated = "10.0.0.1:9464/metrics: no whole answer within 10 s; " if named else ""
        assert found == [{"type": "", "error": f"{annotated}10.0.0.1:8080/metrics: status 404"}] * 3
        assert asked == ([9464] if named else []) + [8080]
        whole: dict[str, Any] = {when: {} for when in ("early", "read", "middle", "later")}
        seen = checks.Seen([own], {**whole, "before": {"m": found[0]}, "after": {"m": found[0]}})
        shown = checks.each_shows_metrics(seen)
        assert (shown.ok, shown.seen) == (False, f"m: {found[0]['error']}")
        why = checks.why_no_metrics(seen, shown.value)
        assert ("prometheus.io/port" in why and "NetworkPolicy" in why and "mlops-lab-system" in why) is named


def scrape(count: int, buckets: list[int]) -> dict[str, Any]:
    latency = {"count": count, "sum": count / 100, "buckets": dict(zip(["0.005", "0.01", "inf"], buckets, strict=True))}
    none = {"count": None, "sum": None, "buckets": {}}
    return {"types": {checks.LATENCY: "histogram"}, "latency": latency, "predictions": none, "requests": {}}


def check(name: str, after: list[int], middle: Any = None) -> None:
    """A check of 16 answers that took 10 ms each."""
    answer = {"kind": "predict", "path": "/predict", "status": 200, "seconds": 0.01, "pod": "", "error": ""}
    answer["type"] = "application/json"
    whole = {
        "answers": [answer | {"kind": "read"}] + [answer] * 15, "first": 0, "brief": 10, "timed": 13, "trouble": "",
        "before": {"m": scrape(0, [0, 0, 0])}, "early": {"m": scrape(9, [0, 9, 9])},
        "read": {"m": scrape(10, [0, 10, 10])}, "middle": {"m": middle or scrape(10, [0, 10, 10])},
        "later": {"m": scrape(13, [0, 13, 13])}, "after": {"m": scrape(16, after)},
    }  # fmt: skip

    async def once(stage: Any) -> Any:
        return checks.Seen([], whole)

    asyncio.run(getattr(checks, name).run(SimpleNamespace(once=once)))


@pytest.mark.parametrize("buckets", [[0, 0, 0], [16, 0, 16], [0, 16, 15], [0, 16, 17]])
def test_buckets_that_do_not_count_are_no_histogram(buckets: list[int]) -> None:
    check("times_requests", [0, 16, 16])
    with pytest.raises(Failure, match="_bucket"):
        check("times_requests", buckets)


def test_what_requests_usually_take_is_not_what_they_took() -> None:
    """Three that took 50 ms each to read, three that took 10 ms and three that took 100, and 40 ms of each are told."""
    waited = [{"kind": "read", "path": "/predict", "seconds": 0.05}] * 3
    waited += [{"kind": "predict", "path": "/predict", "seconds": seconds} for seconds in [0.01] * 3 + [0.1] * 3]
    latency = [{"latency": {"count": 3 * number, "sum": 0.12 * number, "buckets": {}}} for number in range(4)]
    whole: dict[str, Any] = {"answers": waited, "first": 0, "brief": 3, "timed": 6, "middle": {"m": latency[1]}}
    whole |= {when: {"m": each} for when, each in zip(("early", "read", "later", "after"), latency, strict=True)}
    assert [each.ok for each in checks.times_in_seconds(checks.Seen([], whole))] == [False, False, True]
    whole["read"] = {"m": {"latency": {**latency[1]["latency"], "sum": 0.012}}}  # the model's own 4 ms
    assert [each.ok for each in checks.times_in_seconds(checks.Seen([], whole))] == [False, False, False]
    for when, seconds in (("read", 0.1), ("later", 0.145), ("after", 0.42)):
        whole[when] = {"m": {"latency": {**latency[1]["latency"], "sum": seconds}}}
    assert all(each.ok for each in checks.times_in_seconds(checks.Seen([], whole)))


@pytest.mark.parametrize(("seconds", "right"), [(0.14, True), (0.5, True), (14.0, False)])
def test_a_clock_may_be_read_once_a_large_answer_is_sent(seconds: float, right: bool) -> None:
    """Six took 20 ms each, and 140 ms are told in all, or half a second; not so where those are milliseconds."""
    waited = [{"kind": "read", "path": "/predict", "seconds": 0.02}] * 6
    waited += [{"kind": "predict", "path": "/predict", "seconds": each} for each in [0.003] * 6 + [0.02] * 6]
    sums = {"early": 0.0, "read": seconds, "middle": seconds, "later": 2 * seconds, "after": 3 * seconds}
    whole: dict[str, Any] = {"answers": waited, "first": 0, "brief": 6, "timed": 12}
    whole |= {when: {"m": {"latency": {"count": 0, "sum": each, "buckets": {}}}} for when, each in sums.items()}
    assert [each.ok for each in checks.times_in_seconds(checks.Seen([], whole))] == [False, right, right]


@pytest.mark.parametrize(("short", "right"), [(0, True), (2, True), (3, False), (6, False)])
def test_what_is_long_to_read_is_not_counted_as_short(short: int, right: bool) -> None:
    """Six that took 30 ms and more, of which some are in the bucket up to 10 ms; one that took long fills the sum."""
    waited = [
        {"kind": "read", "path": "/predict", "seconds": seconds} for seconds in (0.03, 0.04, 0.03, 0.05, 0.5, 0.03)
    ]
    none = {"latency": {"count": 0, "sum": 0.0, "buckets": {"0.01": 0, "0.025": 0, "inf": 0}}}
    read = {"latency": {"count": 6, "sum": 0.6, "buckets": {"0.01": short, "0.025": 3, "inf": 6}}}
    seen = checks.Seen([], {"answers": waited, "first": 0, "early": {"m": none}, "read": {"m": read}})
    assert checks.times_the_reading(seen).ok is right


def test_metrics_that_fail_between_the_requests_are_the_servers_own_fault() -> None:
    check("shows_metrics", [0, 16, 16])
    with pytest.raises(Failure, match="metrics of each"):
        check("shows_metrics", [0, 16, 16], middle={"type": "", "error": "10.0.0.1:8080/metrics: status 500"})


@pytest.mark.parametrize(("last", "right"), [({"series": 30, "labels": {}}, True), ({"error": "status 500"}, False)])
def test_metrics_that_are_gone_at_the_end_are_the_servers_own_fault(last: dict[str, Any], right: bool) -> None:
    grown = scrapes.grown({"series": 25, "labels": {}}, last)

    async def once(stage: Any) -> Any:
        return checks.Seen([], {"telling": {}, "grown": {"model-1": grown}})

    with contextlib.nullcontext() if right else pytest.raises(Failure, match="metrics of model-1 at the end"):
        asyncio.run(checks.stays_bounded.run(SimpleNamespace(once=once)))
