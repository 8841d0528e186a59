"""Lab 15: which bucket a quantile falls into, which lines are about an answer, and why Prometheus lacks the counts."""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import itertools
import json
import math
import re
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel, Field, ValidationError

from mlops_lab.base.errors import Failure
from mlops_lab.checks import Observation
from mlops_lab.labs.catalog import resolve
from mlops_lab.platform.dashboard.prometheus import Series
from tests.lab_programs import loaded
from tests.made_up import NothingThere, made_up_lab

checks, traffic, other = loaded("15"), loaded("15", "traffic"), loaded("15", "other_model")
_SERVER = (resolve("15").folder / "start/app.py").read_text()
GIVEN: dict[str, Any] = {"BaseModel": BaseModel, "Field": Field}
# What the given server takes.
exec(compile(_SERVER[_SERVER.index("class Flight") : _SERVER.index("@app.post")], "", "exec", dont_inherit=True), GIVEN)


@pytest.mark.parametrize(
    ("share", "bounds"), [(0.1, (0.0, 0.01)), (0.5, (0.01, 0.1)), (0.95, (0.1, math.inf)), (1.0, (0.1, math.inf))]
)
def test_a_quantile_falls_into_a_bucket(share: float, bounds: tuple[float, float]) -> None:
    assert checks.bucket_of({"inf": 20, "0.01": 4, "0.1": 16}, share) == bounds


ANSWER = {"returned": "a1", "given": "a1", "status": 404, "path": "/x", "kind": "unknown"}


@pytest.mark.parametrize(
    ("lines", "seen"),
    [
        ([json.dumps({"request_id": "a1", "path": "/x?q=1", "status": "404"})], "each has its line"),
        ([json.dumps({"request_id": "a1", "path": "/y", "status": 404})], "1 missing: 404 /x, id a1"),
        (["a1 404 /x"], "1 missing: 404 /x, id a1"),
        ([], "1 missing: 404 /x, id a1"),
    ],
)
def test_an_answer_has_its_line(lines: list[str], seen: str) -> None:
    async def logs(pod: str, container: str, *, tail: int) -> str:
        return "\n".join(["INFO started", *lines])

    pods = [{"metadata": {"name": "model-1"}, "spec": {"containers": [{"name": "server"}]}}]
    lab = made_up_lab("15", objects=NothingThere(logs=logs))
    found = asyncio.run(checks.logged(lab, checks.Seen(pods, {}), [ANSWER]))
    assert (found.ok, found.seen) == (seen == "each has its line", seen)
    if not found.ok:
        assert found.evidence == (
            f"what the log says of it: {lines[-1]}" if lines else "that id is nowhere in the log",
        )


@pytest.mark.parametrize(
    ("line", "lacks"),
    [
        ({"request_id": "a1", "status": 500}, "`path`"),
        ({"id": "a1", "path": "/x", "status": 500}, "`request_id`"),
        ({"request_id": "a1", "message": "ValueError"}, "`path` and `status`"),
        ({"request_id": "a1", "path": "/x", "status": 200}, ""),
        (None, ""),
    ],
)
def test_a_line_that_is_there_and_lacks_a_key_is_told(line: dict[str, Any] | None, lacks: str) -> None:
    lines = loaded("15", "lines")

    async def logs(pod: str, container: str, *, tail: int) -> str:
        return json.dumps(line) if line else "Traceback: a1"

    pods = [{"metadata": {"name": "model-1"}, "spec": {"containers": [{"name": "server"}]}}]
    lab = made_up_lab("15", objects=NothingThere(logs=logs))
    found = asyncio.run(checks.logged(lab, checks.Seen(pods, {}), [ANSWER | {"status": 500}]))
    why = lines.why_other_line(found.value)
    assert not found.ok and ((f"lacks {lacks}:" in why) if lacks else why == "")


@pytest.mark.parametrize(("count", "said"), [(45.0, "more were observed"), (1.0, "a mean hides")])
def test_more_or_fewer_probabilities_than_clients_got_have_other_reasons(count: float, said: str) -> None:
    answers = [{"status": 200, "probabilities": [0.1] * 20}] * 2
    assert said in loaded("15", "why").why_other_count(checks.Seen([], {"answers": answers, "first": 0}), count)


@pytest.mark.parametrize(("count", "said"), [(6.0, "An answer counts once"), (3.0, ""), (1.0, "as ever")])
def test_more_answers_counted_than_came_have_another_reason(count: float, said: str) -> None:
    counts = {"before": {"/predict 500": 1.0}, "after": {"/predict 500": 1.0 + count}}
    whole = {when: {"model-1": {"requests": each}} for when, each in counts.items()}
    found = checks.Seen([], whole).rise("/predict 500", 3)
    assert found.ok is not bool(said)
    assert said in loaded("15", "why").why_other_rise(found, 3, "as ever")


def test_a_sidecar_may_write_the_line() -> None:
    async def logs(pod: str, container: str, *, tail: int) -> str:
        return json.dumps({"request_id": "a1", "path": "/x", "status": 404}) if container == "proxy" else "started"

    spec = {"initContainers": [{"name": "proxy", "restartPolicy": "Always"}], "containers": [{"name": "server"}]}
    lab = made_up_lab("15", objects=NothingThere(logs=logs))
    pods = [{"metadata": {"name": "model-1"}, "spec": spec}]
    assert asyncio.run(checks.logged(lab, checks.Seen(pods, {}), [ANSWER])).ok


def test_each_answer_has_a_line_of_its_own() -> None:
    """Three answers with one id: no line is for two of them, and what fits any path leaves the others theirs."""
    answers = [ANSWER | {"kind": "quoted", "path": "/%22"}, ANSWER, ANSWER]
    written = [json.dumps({"request_id": "a1", "path": path, "status": 404}) for path in ("/x", '/"', "/x")]

    async def found(lines: list[str]) -> bool:
        async def logs(pod: str, container: str, *, tail: int) -> str:
            return "\n".join(lines)

        pods = [{"metadata": {"name": "model-1"}, "spec": {"containers": [{"name": "server"}]}}]
        lab = made_up_lab("15", objects=NothingThere(logs=logs))
        return bool((await checks.logged(lab, checks.Seen(pods, {}), answers)).ok)

    assert asyncio.run(found(written))
    assert not asyncio.run(found(written[:2]))


def why(up: dict[str, float], content_type: str = "text/plain", has: Any = None) -> str:
    async def query(expr: str) -> list[Series]:
        if expr.startswith("min("):
            return [Series({}, [(0.0, 2.0)])]
        return [Series({"pod": pod.split("/")[0], "instance": pod}, [(0.0, value)]) for pod, value in up.items()]

    prometheus = SimpleNamespace(matcher='namespace="x"', query=query)
    lab = made_up_lab("15", platform=SimpleNamespace(prometheus=prometheus))
    seen = checks.Seen([], {"after": {"model-1": {"type": content_type}}})
    return str(asyncio.run(checks.why_not_scraped(lab, seen, has or {})))


def test_why_prometheus_lacks_the_counts() -> None:
    assert "scrapes none of these pods" in why({"other/1": 1.0})
    assert "asks model-1/1 and does not take the answer" in why({"model-1/1": 0.0}, content_type="application/json")
    assert "asks model-1/1 and gets no metrics there" in why({"model-1/1": 0.0})
    assert "scrapes a pod more than once" in why({"model-1/1": 1.0, "model-1/2": 1.0})
    assert "of others than the checker" in why({"model-1/1": 1.0}, has={("model-1", "200"): 7.0})
    assert "finds no http_requests_total there" in why({"model-1/1": 1.0})


@pytest.mark.parametrize("template", [{"prometheus.io/scrape": "true"}, {}])
def test_the_next_pods_are_scraped_as_well(template: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    spec = {"containers": [{"ports": [{"containerPort": 8080}]}]}
    pod = {"metadata": {"name": "model-1", "annotations": {"prometheus.io/scrape": "true"}}, "spec": spec}

    async def measured(lab: Any) -> Any:
        return checks.Seen([pod], {})

    async def counted(*given: Any) -> Observation:
        return Observation(True, "the pods' own numbers", "they are")

    async def present() -> Any:
        made = {"metadata": {"annotations": template}, "spec": spec}
        return {"metadata": {"name": "model"}, "spec": {"template": made}}

    it = loaded("15")
    monkeypatch.setattr(it, "measured", measured)
    monkeypatch.setattr(it, "counts_in_prometheus", counted)
    objects = NothingThere(deployment=lambda name: SimpleNamespace(present=present))
    with contextlib.nullcontext() if template else pytest.raises(Failure, match="by them nothing is scraped"):
        asyncio.run(it.is_scraped.run(made_up_lab("15", objects=objects)))


@pytest.mark.parametrize(
    ("found", "right"),
    [
        ([("v2", 1)], True),
        ([("v2", 1), ("v2", 1)], True),  # a series for each process
        ([("v2", 0), ("v2", 1)], True),  # and of one that was forked before it was set
        ([("v2", 1), ("v1", 1)], False),
        ([("v2", 1), ("v1", 0)], False),
        ([("v2", 0)], False),
        ([("v2", 2)], False),
        ([("v1", 1)], False),
        ([], False),
    ],
)
def test_all_series_of_the_model_have_its_version(found: list[tuple[str, float]], right: bool) -> None:
    assert checks.names_only("v2", [[{"version": version}, value] for version, value in found]) is right


def test_a_wrong_method_is_refused_as_ever() -> None:
    for status, right in ((405, True), (404, False), (200, False)):
        seen = checks.Seen([], {"answers": [{"kind": "method", "status": status}]})
        assert checks.each_has_its_status(seen).ok is right


@pytest.mark.parametrize(
    ("said", "right"), [("application/json", True), ("Application/JSON; charset=utf-8", True), ("text/html", False)]
)
def test_an_answer_says_that_it_is_json(said: str, right: bool) -> None:
    answers = [
        {"kind": "predict", "status": 200, "type": said},
        {"kind": "unknown", "status": 404, "type": "text/html"},
    ]
    assert checks.each_is_json(checks.Seen([], {"answers": answers})).ok is right


def test_wrong_methods_come_in_turn_and_a_crash_is_behind_good_flights() -> None:
    sender = traffic.Sender({"rows": [FLIGHT], "service": ("", 80)})
    assert [sender.made("method")[0] for _ in range(8)] == ["GET", "PUT", "PATCH", "DELETE"] * 2
    for count, rows in ((1, 2), (2, 3), (20, 3)):
        _, _, body, _ = sender.made("crash", count=count)
        assert [row["hour"] for row in body["rows"]] == [7] * (rows - 1) + [24]
        assert len(GIVEN["Question"].model_validate(body).rows) == rows


def test_bad_rows_have_one_fault_each_and_come_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    sender, sent = sender_to(lambda *words: (422, {}, b"", 0.01, ""), monkeypatch)
    bodies = traffic.refused(FLIGHT, traffic.MANY_ROWS)
    assert len({json.dumps(each) for each in bodies}) == len(bodies)
    for each in bodies:
        with pytest.raises(ValidationError):
            GIVEN["Question"].model_validate_json(each if isinstance(each, str) else json.dumps(each))
    sender.plan["rows"] = [FLIGHT]
    for _ in bodies:
        sender.send("refused")
    assert len({words[4] for words in sent}) == len(bodies)


def test_what_has_no_weather_or_has_fields_that_nobody_knows_is_a_flight() -> None:
    sender = traffic.Sender({"rows": [FLIGHT], "service": ("", 80)})
    _, _, body, _ = sender.made("odd", count=6)
    assert {*body} > {"rows"} and all("gate" in row for row in body["rows"])
    assert [row.get("temp") is None for row in body["rows"]] == [False, True, True] * 2
    assert ["temp" in row for row in body["rows"]] == [True, True, False] * 2
    assert len({row["distance"] for row in body["rows"]} - {FLIGHT["distance"]}) == 6
    assert len(GIVEN["Question"].model_validate(body).rows) == 6


@pytest.mark.parametrize(
    ("version", "values", "right"),
    [
        ("v2", [0.25, 0.5000005], True),
        ("v2", [0.25, 0.51], False),
        ("v2", [0.25], False),
        ("v2", [math.nan, 0.5], False),
        ("v1", [0.25, 0.5], False),
        ("v7", [0.25, 0.5], False),
        ("v7", [], False),
    ],
)
def test_strange_flights_get_the_models_own_values(
    version: str, values: list[float], right: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Known:
        def __init__(self, folder: Path) -> None:
            self.own = [0.25, 0.5] if folder == Path("/model/v2") else [0.1, 0.2]

        def start_loading(self) -> Any:
            return SimpleNamespace(join=lambda: None)

        def probabilities(self, rows: list[Any]) -> list[float]:
            return self.own[: len(rows)]

    monkeypatch.setitem(sys.modules, "flight_delay", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "flight_delay.model", SimpleNamespace(Model=Known))
    said = {"model_version": version, "probabilities": values, "lines": ["07:00 UA ORD"] * 2}
    sender, _ = sender_to(lambda *words: (200, {}, json.dumps(said).encode(), 0.01, ""), monkeypatch)
    for kind in ("predict", "odd"):
        sender.send(kind, rows=2)
    traffic.hold_against_the_model(sender.odd)
    seen = checks.Seen([], {"answers": json.loads(json.dumps(sender.answers))})
    assert ["apart" in each for each in seen.answers] == [False, True]
    assert checks.strange_are_right(seen).ok is right


def test_a_pod_has_met_each_class_of_sizes_before_others_come(monkeypatch: pytest.MonkeyPatch) -> None:
    sender, sent = sender_to(lambda *words: (200, {}, b"", 0.01, ""), monkeypatch)
    traffic.salvo(sender, ["predict"] * 300)
    sizes = {len(json.loads(words[4])["rows"]) for words in sent}
    assert len(sizes) > 30 and sizes.isdisjoint(traffic.FIRST_SIZES)
    for bounds in ((1, 10, 100), (1, 5, 20, 50, 100), (1, 2, 4, 8, 16, 32, 64), range(5, 60, 5)):
        assert {bisect.bisect_left(bounds, size) for size in sizes} <= {
            bisect.bisect_left(bounds, size) for size in traffic.FIRST_SIZES
        }


def test_a_pod_of_nobody_knows_who_is_not_the_deployments_own() -> None:
    assert checks.own_pods_answer(checks.Seen([], {})).ok
    assert "observed-1" in checks.own_pods_answer(checks.Seen([], {}, ("observed-1",))).seen


def test_displays_get_their_lines() -> None:
    row = {"hour": 7, "carrier": "UA", "dest": "ORD"}
    answer = {"model_version": "v2", "probabilities": [0.1], "lines": ["07:00 UA ORD"]}
    assert traffic.misread(json.dumps(answer).encode(), [row]) == ""
    assert traffic.misread(json.dumps(answer | {"id": "a"}).encode(), [row]) == "a field more, id"
    for text in (b"{}", b"[]", b"", b'{"lines": []}', b'{"lines": ["07:00 UA"]}'):
        said = traffic.misread(text, [row])
        assert "07:00 UA ORD" in said
        assert not checks.each_has_its_line(checks.Seen([], {"answers": [{"lines": said}]})).ok
    assert checks.each_has_its_line(checks.Seen([], {"answers": [{"lines": ""}, {}]})).ok


def test_of_every_kind_some_come_without_an_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "ask", lambda *words, **named: (404, {}, b"", 0.01, ""))
    sender = traffic.Sender({"rows": [{"carrier": "UA"}], "service": ("", 80)})
    for kind in ("unknown", "refused", "broken", "crash"):
        given = [bool(sender.send(kind)["given"]) for _ in range(9)]
        assert given.count(False) == 3


def test_requests_that_took_alike_are_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine's first brief requests take 20 ms and its long ones 25; then a brief one takes 5."""
    seconds = iter([0.03] * 6 + [0.02] * 6 + [0.025] * 6 + [0.005] * 6 + [0.025] * 6)
    monkeypatch.setattr(traffic, "ask", lambda *words, **named: (404, {}, b"", next(seconds), ""))
    looks: Any = itertools.count()
    monkeypatch.setattr(traffic, "settled", lambda *words: {"m": {"look": next(looks)}})
    sender, found = traffic.Sender({"rows": [{"carrier": "UA"}], "service": ("", 80)}), dict[str, Any]()
    traffic.one_after_the_other(sender, [], set(), found)
    assert (found["brief"], found["timed"], len(sender.answers)) == (18, 24, 30)
    assert [found[when]["m"]["look"] for when in ("early", "read", "middle", "later", "after")] == [0, 1, 3, 4, 5]
    assert [each["kind"] for each in sender.answers[:7]] == ["read"] * 6 + ["predict"]


def test_a_large_field_that_nobody_knows_is_passed_over_and_long_to_read() -> None:
    sender = traffic.Sender({"rows": [FLIGHT], "service": ("", 80)})
    _, _, body, named = sender.made("read")
    assert len(GIVEN["Question"].model_validate(body).rows) == 1 and named
    assert 700_000 < len(json.dumps(body)) < 800_000  # some frameworks take a megabyte at most
    given = checks.Seen([], {"answers": [{"kind": "read", "status": 200}]})
    assert checks.each_has_its_status(given).ok


def test_clients_have_ids_of_several_forms_and_tell_who_they_are_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, str]] = []

    def ask(*words: Any, **named: Any) -> Any:
        sent.append(words[5])
        return 404, {}, b"", 0.01, ""

    monkeypatch.setattr(traffic, "ask", ask)
    sender = traffic.Sender({"rows": [{"carrier": "UA"}], "service": ("", 80)})
    given = [sender.send("method")["given"] for _ in range(400)]
    assert len(set(given)) > 340 and all(re.fullmatch(r"[\w.-]{1,128}", each) for each in given)
    lengths = [len(each) for each in given]
    assert {1, 128} <= set(lengths) and sum(12 <= each <= 64 for each in lengths) > 250
    forms = "[0-9a-f]{32}", "it-is-me-.*", "[0-9a-f]{8}(-[0-9a-f]{4}){3}-.{12}", "Gate.B7_[0-9A-F]{12}", r".{32}\..*"
    for form in forms:
        assert any(re.fullmatch(form, each) for each in given), form
    assert [each["x-request-id"] for each in sent] == given
    for name in ("x-display", "User-Agent", "Referer", "Accept-Language", "X-Forwarded-For"):
        assert 60 < sum(name not in each for each in sent) < 220
        told = [each[name] for each in sent if name in each]
        assert len({*told}) > 0.9 * len(told) and re.fullmatch(r"[\w:/.-]+", told[0])


def test_methods_and_hosts_that_there_are_not_are_no_answers_to_be_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[Any, ...]] = []

    def ask(*words: Any, **named: Any) -> Any:
        sent.append(words)
        return 0, {}, b"", 0.0, "refused"

    monkeypatch.setattr(traffic, "ask", ask)
    sender = traffic.Sender({"rows": [{"carrier": "UA"}], "service": ("", 80)})
    sender.strangers({"address": "10.0.0.1", "port": 8080}, 32)
    assert 3 <= len(sent) < 32 and not sender.answers  # who answers none is not asked on and on
    assert len({words[5]["Host"] for words in sent}) == len({words[3] for words in sent}) == len(sent)
    sent.clear()
    monkeypatch.setattr(traffic, "ask", lambda *words, **named: (sent.append(words), (400, {}, b"", 0.0, ""))[1])
    sender.strangers({"address": "10.0.0.1", "port": 8080}, 32)
    assert [words[2] for words in sent].count("GET") == 16
    assert len({words[2] for words in sent}) == 17


def test_a_number_that_json_does_not_have_is_refused_or_ends_in_an_exception() -> None:
    flight = {"month": 7, "day": 4, "weekday": 3, "hour": 7}
    sender = traffic.Sender({"rows": [flight], "service": ("", 80)})
    for _ in range(20):
        method, _, body, _ = sender.made("broken")
        (row,) = body["rows"]
        assert method == "POST" and [name for name in row if not math.isfinite(row[name])] != []
    for status, right, crash in ((422, True, False), (400, True, False), (500, True, True), (200, False, False)):
        answer = {"kind": "broken", "status": status}
        assert checks.each_has_its_status(checks.Seen([], {"answers": [answer]})).ok is right
        assert checks.crashed(answer) is crash
    assert checks.crashed({"kind": "crash", "status": 500}) and not checks.crashed({"kind": "odd", "status": 500})


ROW = {"month": 7, "hour": 7, "carrier": "UA", "dest": "ORD"}
FLIGHT = ROW | {"day": 4, "weekday": 3, "origin": "EWR", "distance": 719, "temp": 79, "wind_speed": 9.2, "visib": 10}


def sender_to(answer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[tuple[Any, ...]]]:
    """A sender of lab 15's to a server that answers so, and what was sent."""
    sent: list[tuple[Any, ...]] = []
    monkeypatch.setattr(traffic, "ask", lambda *words, **named: (sent.append(words), answer(*words))[1])
    return traffic.Sender({"rows": [ROW], "service": ("", 80)}), sent


def test_lists_in_lists_come_in_every_depth_and_then_in_those_that_ended_in_an_exception(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer(*words: Any) -> Any:
        depth = words[4].count("[") - 1
        return (422 if depth < 958 else 500 if depth < 960 else 400), {}, b"", 0.01, ""

    sender, sent = sender_to(answer, monkeypatch)
    pod = {"name": "model-1", "address": "10.0.0.1", "port": 8080}
    traffic.dive(sender, pod)
    assert [words[4].count("[") - 1 for words in sent] == [*range(920, 1000), 999]
    assert sender.depths == [958, 959]
    assert all("]]" in words[4] and words[4].count("[") == words[4].count("]") for words in sent)
    sent.clear()
    traffic.dive(sender, pod)  # another one
    assert [words[4].count("[") - 1 for words in sent] == [958, 959, 999]
    assert sender.send("deep")["status"] == 500
    for status, right, crash in ((422, True, False), (400, True, False), (500, True, True), (200, False, False)):
        answer_to = {"kind": "deep", "status": status}
        assert checks.each_has_its_status(checks.Seen([], {"answers": [answer_to]})).ok is right
        assert checks.crashed(answer_to) is crash


def test_where_nothing_ends_in_an_exception_the_deepest_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    for status, times in ((422, 81), (0, 1)):
        sender, sent = sender_to(lambda *words, status=status: (status, {}, b"", 0.0, ""), monkeypatch)
        traffic.dive(sender, {"name": "model-1", "address": "10.0.0.1", "port": 8080})
        assert (len(sent), sender.depths) == (times, [999])


def test_a_question_that_comes_again_is_the_same_but_for_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"model_version": "v2", "probabilities": [0.25] * 20, "lines": ["07:00 UA ORD"] * 20}
    sender, sent = sender_to(lambda *words: (200, {}, json.dumps(given).encode(), 0.01, ""), monkeypatch)
    answers = [sender.send("again", rows=20), *(sender.send("again") for _ in range(59))]
    assert len({words[3:5] for words in sent}) == 1
    assert len({words[5]["x-display"] for words in sent}) == len({words[5]["User-Agent"] for words in sent}) == 1
    ids = [each["given"] for each in answers]
    assert ids.count("") >= 20  # of three one, and of these the same question may be the first
    if first := ids[0]:
        assert ids.count(first) > 5
    assert len({*ids}) > 8
    assert all(each["rows"] == 20 and not each["lines"] and each["probabilities"] for each in answers)
    assert checks.each_has_its_status(checks.Seen([], {"answers": answers})).ok


def test_a_body_has_its_fault_in_another_place_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    sender, sent = sender_to(lambda *words: (422, {}, b"", 0.01, ""), monkeypatch)
    sender.places = [2, 3, 17, 18]
    traffic.salvo(sender, ["misplaced"] * 4)
    bodies = sorted((words[4] for words in sent), key=len)
    assert [body.index("?") for body in bodies if "?" in body] == [12, 26]
    whole = [json.loads(body)["rows"] for body in bodies if "?" not in body]
    assert [[row["hour"] for row in rows] for rows in whole] == [[7, 31], [7] * 17 + [31]]
    for status, right in ((422, True), (400, True), (200, False), (500, True), (404, False)):
        assert (
            checks.each_has_its_status(checks.Seen([], {"answers": [{"kind": "misplaced", "status": status}]})).ok
            is right
        )


def test_airports_and_carriers_may_be_unknown() -> None:
    sender = traffic.Sender({"rows": [FLIGHT], "service": ("", 80)})
    _, _, body, _ = sender.made("odd", count=2)
    codes = {row[name] for row in body["rows"] for name in ("carrier", "origin", "dest")}
    assert len(codes - {*FLIGHT.values()}) == 6 and {row["hour"] for row in body["rows"]} == {7}


@pytest.mark.parametrize(
    ("returned", "right"), [(["a", "b"], True), (["a", "a"], False), (["a", ""], False), (["", ""], False)]
)
def test_who_brings_no_id_gets_one(returned: list[str], right: bool) -> None:
    answers = [{"given": "", "returned": each, "status": 404, "kind": "unknown"} for each in returned]
    found = checks.ids_are_made([*answers, {"given": "x", "returned": "x"}])
    assert found.ok is right
    assert ("404 unknown" in found.seen) is ("" in returned)


def test_ids_may_begin_with_any_of_their_signs() -> None:
    sender = traffic.Sender({"rows": [], "service": ("", 80)})
    first = {sender.an_id()[0] for _ in range(10_000)}
    assert {"-", ".", "_"} < first and any(each.isdigit() for each in first)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("10.244.1.7", True), ("10.244.1.7:50312", True), ("::ffff:10.244.1.7", True), ("10.244.1.70", False),
        ("110.244.1.7", False), ("/predict", False), ("", False),
    ],
)  # fmt: skip
def test_a_label_with_the_address_of_who_asks_is_seen(value: str, told: bool) -> None:
    labels = {("http_requests_total", "client"): {"10.244.0.1", value}, ("http_requests_total", "route"): {"/predict"}}
    found = traffic.telling({"labels": labels}, "10.244.1.7")
    assert found == ([("http_requests_total", "client")] if told else [])
    assert traffic.telling({"error": "none"}, "10.244.1.7") == []


def test_requests_come_from_an_address_of_this_machine() -> None:
    assert traffic.own_address([{"address": "127.0.0.1", "port": 9}]) == "127.0.0.1"


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ({"command": ["python3", "/lab/app.py"]}, ["python3", "/lab/app.py"]),
        ({"command": ["python3"], "args": ["/lab/app.py"]}, ["python3", "/lab/app.py"]),
        ({"args": ["python3", "/lab/app.py"]}, ["python3", "/lab/app.py"]),
        ({}, []),
    ],
)
def test_a_copy_has_the_other_model_in_a_folder_of_another_name(words: dict[str, Any], command: list[str]) -> None:
    env = [{"name": "MODEL_DIR", "value": "/model/v2"}, {"name": "X", "value": "y"}]
    container = {"env": env, "volumeMounts": [{"name": "program", "mountPath": "/lab"}], **words}
    other.given("/model/v1", container)
    assert {each["name"]: each["value"] for each in container["env"]} == {
        "MODEL_DIR": "/checker-model/today" if command else "/model/v1", "X": "y",
    }  # fmt: skip
    assert container.get("command", [])[4:] == command and "args" not in container
    assert len(container["volumeMounts"]) == 1 + bool(command)


@pytest.mark.parametrize(
    ("trouble", "error", "timed"),
    [
        ("", "", None), ("not done with 50 requests within 75 s", "", True), ("model-1 at 10.0.0.1: refused", "", None),
        ("", "no whole answer within 10 s", True), ("", "ConnectionRefusedError", None),
    ],
)  # fmt: skip
def test_what_is_late_may_be_a_starved_machines_fault(trouble: str, error: str, timed: bool | None) -> None:
    answers = [{"kind": "predict", "status": 0 if error else 200, "error": error}]
    seen = checks.Seen([], {"trouble": trouble, "answers": answers})
    if not trouble and not error:
        checks.served(seen)
        return
    with pytest.raises(Failure) as failed:
        checks.served(seen)
    assert failed.value.timed is timed


@pytest.mark.parametrize(("ended", "timed"), [(None, True), ({"status": {"phase": "Failed"}}, None)])
def test_a_copy_that_is_late_may_be_a_starved_machines_fault_and_one_that_ended_is_not(ended: Any, timed: Any) -> None:
    copies = loaded("15", "other_model")

    async def answers(path: str, *, within: float) -> AsyncIterator[Any]:
        yield SimpleNamespace(status=0, shown="refused")

    @contextlib.asynccontextmanager
    async def copied(*given: Any, **more: Any) -> AsyncIterator[Any]:
        yield SimpleNamespace(answers=answers, ended=ended)

    copies.copied = copied
    seen = SimpleNamespace(first=lambda kind: [{"version": "v1"}])
    found = asyncio.run(copies.other_model(made_up_lab("15"), seen))
    assert (found.ok, found.timed, "refused" in found.seen) == (False, timed, True)
