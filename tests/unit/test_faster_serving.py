"""Lab 14: its crowd against servers that behave oddly, what its checks conclude, and the pods and clocks it uses."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import importlib.util
import json
import math
import random
import re
import runpy
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mlops_lab.base.errors import Failure, LabError
from mlops_lab.base.paths import project
from mlops_lab.checks import Lab, Observation
from mlops_lab.checks.rooms import usage as rooms_usage
from mlops_lab.checks.rooms.usage import Usage
from mlops_lab.kit.copies import Copy
from mlops_lab.kit.pods import lasting
from mlops_lab.kit.probabilities import own_values
from mlops_lab.kube.execs import ExecStream
from mlops_lab.labs.catalog import resolve
from mlops_lab.labs.variants import lay_out, wrongs
from mlops_lab.measure.pods.cpu_time import Spent
from mlops_lab.measure.pods.own_pod import OwnPod, Talk
from mlops_lab.measure.traffic.http import Answer
from tests.lab_programs import loaded

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


crowd, checks = loaded("14", "crowd"), loaded("14")


def asked(*handlers: Handler, within: float = 2.0) -> list[tuple[int, bytes]]:
    """What a client gets, one request for each handler; a connection is served by the next handler."""
    turns = iter(handlers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await next(turns)(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def run() -> list[tuple[int, bytes]]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        client = crowd.Client("127.0.0.1", server.sockets[0].getsockname()[1])
        try:
            return [await client.post(b"{}", within) for _ in handlers]
        finally:
            client.close()
            server.close()

    return asyncio.run(run())


def says(*parts: bytes, forever: bool = False) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        for part in parts:
            writer.write(part)
        await writer.drain()
        while forever:
            writer.write(b"9\r\ndata: x\n\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.005)

    return handler


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_the_crowd_reads_answers_of_every_framing() -> None:
    assert asked(says(OK)) == [(200, b"hi")]
    assert asked(says(CHUNKED, b"1\r\nh\r\n1;x=y\r\ni\r\n0\r\n\r\n")) == [(200, b"hi")]
    assert asked(says(b"HTTP/1.0 503 no\r\n\r\n", b"gone")) == [(503, b"gone")]


def test_a_body_in_chunks_says_so_and_has_an_end() -> None:
    body = json.dumps({"rows": [{"carrier": "UA"}] * 9}).encode()
    head, _, rest = sys.modules[crowd.Client.__module__].in_chunks(body).partition(b"\r\n\r\n")
    assert head == b"Transfer-Encoding: chunked"
    parts, sizes = b"", []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        sizes.append(int(size, 16))
        parts, end, rest = parts + rest[: sizes[-1]], rest[sizes[-1] : sizes[-1] + 2], rest[sizes[-1] + 2 :]
        assert end == b"\r\n"
    assert (parts, sizes[-1]) == (body, 0) and len(sizes) > 2


def test_a_kept_connection_that_the_server_closed_is_opened_again_once() -> None:
    assert asked(says(OK), says(OK)) == [(200, b"hi"), (200, b"hi")]
    status, why = asked(says(b""))[0]  # a new connection that is closed is the server's own doing
    assert (status, b"without an answer" in why) == (0, True)


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (says(b"SSH-2.0-OpenSSH\r\n\r\n"), b"no HTTP answer"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"), b"99999999 bytes"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"), b"ValueError"),
        (says(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * (1 << 20)), b"more than 256 KiB"),
        (says(CHUNKED, b"fffffff\r\n"), b"more than 256 KiB"),
        (says(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20000), b"headers without an end"),
        (says(CHUNKED, forever=True), b"nothing whole within 0.3 s"),
    ],
)
def test_what_is_no_answer_is_told_in_bounded_time_and_size(handler: Handler, why: bytes) -> None:
    status, said = asked(handler, within=0.3)[0]
    assert status == 0
    assert why in said


def test_an_answer_is_judged_by_its_values_and_their_version() -> None:
    def judged(said: Any, wanted: list[float], status: int = 200) -> str:
        return str(crowd.judged(status, json.dumps(said).encode(), wanted, "v1")[0])

    assert judged({"model_version": "v1", "probabilities": [0.25]}, [0.250009]) == ""
    assert "away from" in judged({"model_version": "v1", "probabilities": [0.25]}, [0.2502])
    for strange in ([math.nan, 0.3], [0.25, math.nan], [0.25, math.inf]):
        assert "away from" in judged({"model_version": "v1", "probabilities": strange}, [0.25, 0.3])
    assert "model_version v2" in judged({"model_version": "v2", "probabilities": [0.25]}, [0.25])
    assert "2 probabilities for 1 rows" in judged({"model_version": "v1", "probabilities": [0.2, 0.3]}, [0.2])
    for strange in ([], {"probabilities": [True]}, {"probabilities": "0.2"}, {"probabilities": [10**400]}):
        assert "no probabilities" in judged(strange, [0.2])
    assert judged({}, [0.2], 503).startswith("status 503")
    more = judged({"model_version": "v1", "probabilities": [0.2], "warnings": []}, [0.2])
    assert more == "more than the members of the contract: warnings"
    assert "two members" in checks.why_unusual(f"weather null: {more}")
    assert "two members" in checks.why_wrong_in_a_crowd(seen(wrong=2, mixed=1, problems=[more]))


@pytest.mark.parametrize(
    ("given", "right"),
    [([0.1, 0.2], True), ([0.1, math.nan], False), ([math.nan, 0.2], False), ([0.1], False), ([0.1, 10**400], False),
     ({"0.1": 0.2}, False)],
)  # fmt: skip
def test_values_are_the_models_own_only_if_all_of_them_are(given: Any, right: bool) -> None:
    answer = Answer(200, {}, json.dumps({"model_version": "v1", "probabilities": given}).encode(), 0.01, "", "")
    assert own_values(answer, [0.1, 0.2], "2 flights", within=checks.SAME).ok is right


def answered_with(said: str = "application/json", **more: Any) -> None:
    """Have `answers_right` look at right answers with this Content-Type that also have these members."""
    headers = {"content-type": said} if said else {}
    rows = [{"hour": number % 24, "distance": 90.0 + number} for number in range(60)]
    own = {row["distance"]: row["distance"] / 1000 for row in rows}

    async def post(service: str, path: str, body: Any, within: float) -> Answer:
        given = {"model_version": "v1", "probabilities": [own[row["distance"]] for row in body["rows"]], **more}
        return Answer(200, headers, json.dumps(given).encode(), 0.01, "", "")

    async def first_answer(ask: Any, test: Any, within: float) -> Answer:
        return cast(Answer, await ask())

    flights = SimpleNamespace(rows=rows, probabilities=lambda version: [*own.values()])
    traffic = SimpleNamespace(hidden_rows=lambda count: flights, post=post, first_answer=first_answer)
    asyncio.run(checks.answers_right.run(SimpleNamespace(traffic=traffic)))


def test_an_answer_has_the_members_of_the_contract_and_no_others() -> None:
    answered_with()
    for more in ({"batch": 12}, {"cached": False}, {"seconds": None}):
        with pytest.raises(Failure, match=f"also {next(iter(more))}") as failed:
            answered_with(**more)
        assert failed.value.timed is False


def test_an_answer_does_not_call_itself_anything_but_json() -> None:
    answered_with("Application/JSON; charset=utf-8")
    answered_with("")
    for other in ("text/plain; charset=utf-8", "text/html"):
        with pytest.raises(Failure, match=other) as failed:
            answered_with(other)
        assert failed.value.timed is False


def alone(mine: float, **problems: str) -> None:
    async def once(stage: Any) -> Any:
        found = {"took": {"baseline": [0.01] * 21, "model": [mine] * 21}, "problems": problems}
        return checks.Measured(Observation(True, "", ""), alone=found)

    asyncio.run(checks.lone_client_does_not_wait.run(SimpleNamespace(once=once)))


def test_a_client_that_is_alone_gets_right_answers_and_gets_them_soon() -> None:
    alone(0.001)
    alone(0.001, baseline="status 500: busy")
    with pytest.raises(Failure, match="alone"):
        alone(0.001, model="status 500: oops")
    with pytest.raises(Failure, match="median"):
        alone(0.5, model="status 500: oops")
    for problem, timed in (("no answer: nothing whole within 10 s", True), ("status 500: oops", None)):
        with pytest.raises(Failure) as failed:
            alone(0.001, model=problem)
        assert failed.value.timed is timed


def test_a_copy_whose_log_nobody_can_get_has_ended_all_the_same() -> None:
    init = {"name": "fetch", "state": {"terminated": {"exitCode": 3}}}
    status = {"phase": "Failed", "initContainerStatuses": [init], "containerStatuses": [{"name": "server"}]}

    async def logs(pod: str, container: str, *, tail: int) -> str:
        assert container == "fetch"
        raise LabError("a container name must be specified", "")

    async def now() -> Any:
        return {"metadata": {"name": checks.COPY}, "status": status}

    objects = SimpleNamespace(named=lambda kind, name: SimpleNamespace(now=now), logs=logs)
    lab = cast(Lab, SimpleNamespace(objects=objects))
    seen = asyncio.run(checks.copy_is_up(lab, Copy(lab, checks.COPY)))
    assert (seen.ok, seen.seen) == (False, "the program ended")


def test_no_flight_of_the_crowd_comes_twice() -> None:
    known = [{"carrier": "UA", "distance": 719.0, "temp": 50.0}, {"carrier": "DL", "distance": 80.0, "temp": None}]
    rows = crowd.Flights(known, 1).rows(500)
    assert len({row["distance"] for row in rows}) > 490
    assert {row["carrier"] for row in rows} == {"UA", "DL", "ZZ"}
    assert rows == crowd.Flights(known, 1).rows(500) != crowd.Flights(known, 2).rows(500)


def test_a_crowd_counts_what_was_wrong_and_whose_values_came() -> None:
    wanted = {0: [0.1], 1: [0.2], 2: [0.3, 0.4]}
    assert crowd._anothers([0.2], wanted, 0)
    assert not crowd._anothers([0.1], wanted, 0)
    assert not crowd._anothers([0.3], wanted, 0)


def test_a_crowd_that_nobody_answers_goes_home() -> None:
    class Known:
        def probabilities(self, rows: list[Any]) -> list[float]:
            return [0.5 for _ in rows]

    async def run() -> Any:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()  # until the client goes
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        spec = {"version": "v1", "host": "127.0.0.1", "port": port, "clients": 4, "requests": 40, "sizes": [1]}
        flights = crowd.Flights([{"carrier": "UA", "distance": 719.0}], 1)
        said = await crowd.crowd(spec | {"within": 9, "answer_within": 0.2}, {"v1": Known()}, flights)
        server.close()
        return said

    said = asyncio.run(run())
    assert 4 <= said["ended"] == said["none"] < 8 < said["planned"]
    assert said["seconds"] < 3


def test_of_each_so_many_requests_of_a_crowd_two_ask_the_same() -> None:
    class Known:
        def probabilities(self, rows: list[Any]) -> list[float]:
            return [0.5 for _ in rows]

    bodies: list[bytes] = []

    async def run(**every: int) -> Any:
        async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while head := await reader.readuntil(b"\r\n\r\n"):
                    bodies.append(await reader.readexactly(int(head.rpartition(b": ")[2])))
                    content = json.dumps({"model_version": "v1", "probabilities": [0.5]}).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content))
            writer.close()

        bodies.clear()
        server = await asyncio.start_server(answers, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        spec = {"version": "v1", "host": "127.0.0.1", "port": port, "clients": 4, "requests": 24, "sizes": [1]}
        flights = crowd.Flights([{"carrier": "UA", "distance": 719.0}], 1)
        said = await crowd.crowd(spec | every | {"within": 9, "answer_within": 5}, {"v1": Known()}, flights)
        server.close()
        return said

    assert asyncio.run(run(twin_every=8))["wrong"] == 0
    assert (len(bodies), len(set(bodies))) == (24, 21)
    assert asyncio.run(run())["ended"] == len(set(bodies)) == 24


def test_of_two_that_ask_the_same_one_gets_no_answer_where_those_that_wait_are_kept_by_their_rows() -> None:
    class Known:
        def probabilities(self, rows: list[Any]) -> list[float]:
            return [0.5 for _ in rows]

    waiting: dict[bytes, asyncio.StreamWriter] = {}

    async def run() -> Any:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while head := await reader.readuntil(b"\r\n\r\n"):
                    body = await reader.readexactly(int(head.rpartition(b": ")[2]))
                    waiting[body] = writer
                    await asyncio.sleep(0.1)
                    content = json.dumps({"model_version": "v1", "probabilities": [0.5]}).encode()
                    if there := waiting.pop(body, None):
                        there.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content))
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        spec = {"version": "v1", "host": "127.0.0.1", "port": port, "clients": 4, "requests": 24, "sizes": [1]}
        flights = crowd.Flights([{"carrier": "UA", "distance": 719.0}], 1)
        said = await crowd.crowd(spec | {"twin_every": 8, "within": 30, "answer_within": 3}, {"v1": Known()}, flights)
        server.close()
        return said

    said = asyncio.run(run())
    assert said["wrong"] == said["none"] == said["alike"] > 0
    assert "in a dict" in checks.why_wrong_in_a_crowd(said)


def seen(**given: Any) -> dict[str, Any]:
    none = {
        "planned": 10,
        "ended": 10,
        "good": 10,
        "wrong": 0,
        "none": 0,
        "alike": 0,
        "refused_good": 0,
        "mixed": 0,
        "problems": [],
    }
    return none | given


def test_what_a_crowd_saw_gets_its_verdict_and_its_reason() -> None:
    assert checks.crowd_seen(seen()).ok
    assert not checks.crowd_seen(seen(ended=9)).ok
    for late in ({"ended": 9}, {"wrong": 2, "none": 1}):
        assert checks.crowd_seen(seen(**late)).timed is True
    for other in ({}, {"wrong": 2}, {"restarted": 1}):
        assert checks.crowd_seen(seen(**other)).timed is None
    assert not checks.crowd_seen(seen(restarted=1)).ok
    assert not checks.crowd_seen(seen(wrong=1)).ok
    assert "OOMKilled" in checks.why_wrong_in_a_crowd(seen(restarted=1))
    assert "somebody else's" in checks.why_wrong_in_a_crowd(seen(wrong=2, mixed=2))
    assert "turned away" in checks.why_wrong_in_a_crowd(seen(wrong=2, refused_good=2))
    assert "did not come" in checks.why_wrong_in_a_crowd(seen(wrong=2, none=2))
    assert "to be full" in checks.why_wrong_in_a_crowd(seen(wrong=2, none=2, alike=1))
    assert "to be full" in checks.why_wrong_in_a_crowd(seen(ended=9))
    assert "in a dict" in checks.why_wrong_in_a_crowd(seen(wrong=2, none=2, alike=2, ended=9))


@pytest.mark.parametrize(
    ("statuses", "timed"),
    [({"422": 9}, "passes"), ({"422": 9, "500": 1}, None), ({"422": 9, "0": 1}, True), ({"0": 16}, True), ({}, True)],
)
def test_a_bad_request_that_gets_no_answer_may_be_a_starved_machines_fault(statuses: Any, timed: Any) -> None:
    async def once(stage: Any) -> Any:
        return checks.Measured(Observation(True, "", ""), mixed=seen(bad_statuses=statuses, bad_taken=[]))

    def judged() -> None:
        asyncio.run(checks.bad_rows_stay_alone.run(SimpleNamespace(once=once)))

    if timed == "passes":
        judged()
        return
    with pytest.raises(Failure) as failed:
        judged()
    assert failed.value.timed is timed


def test_what_is_strange_is_within_the_contract_and_what_is_bad_is_not() -> None:
    question = runpy.run_path(str(project() / "labs" / "14-faster-serving" / "start" / "contract.py"))["Question"]
    codes = {"carrier": "UA", "origin": "EWR", "dest": "ORD"}
    row = {"month": 7, "day": 4, "weekday": 3, "hour": 17, **codes, "distance": 719.0, "temp": 80.0}
    flights = loaded("14", "flights")
    made = flights.Flights([row], 1)
    for what, rows in flights.strange(row, row).items():
        taken = question.model_validate({"rows": rows}).rows
        for sent, meant in zip(taken, flights.meant(rows), strict=True):
            assert all(getattr(sent, name) == value for name, value in meant.items()), what
    question.model_validate({"rows": [row, row]})
    sent = [made.spoilt([row, row], number) for number in range(len(flights.BAD))]
    for body, _ in sent:
        with pytest.raises(ValueError, match="validation error"):
            question.model_validate_json(crowd.sent(body))
    assert sorted(bad.what for _, bad in sent) == sorted(bad.what for bad in flights.BAD)
    assert [bad for _, bad in sent] != list(flights.BAD)
    assert {bad.what for bad in flights.BAD if bad.no_json} == {"temp nan", "visib inf", "distance nan", "temp 1e999"}
    assert not any(
        len(crowd.sent(body)) > 0.6 * loaded("14", "client").LARGEST for body, _ in sent
    )  # a refusal may repeat it


def test_each_rule_is_broken_by_a_flight_that_is_alone_and_by_one_of_five_wherever_it_stands() -> None:
    flights, scenario = loaded("14", "flights"), loaded("14", "scenario")
    bad_sizes = scenario.MIXED_SIZES[scenario.EVERY - 1 :: scenario.EVERY]
    assert (len(bad_sizes), len(scenario.MIXED_SIZES)) == (2 * len(flights.BAD), 8 * len(flights.BAD))
    made, places = flights.Flights(known_flights(), 1), set()
    sizes: dict[str, set[int]] = {}
    for number, size in enumerate(bad_sizes):
        rows = made.rows(size)
        body, bad = made.spoilt(rows, number)
        sizes.setdefault(bad.what, set()).add(size)
        if bad.field:
            (at,) = (at for at, row in enumerate(body["rows"]) if row != rows[at])
            places.add((size, at))
    assert set(map(frozenset, sizes.values())) == {frozenset({1, 5})}
    assert places == {(1, 0), *((5, at) for at in range(5))}
    assert any(isinstance(made.spoilt(made.rows(1), number)[0], bytes) for number in range(len(flights.BAD)))
    assert crowd.sent(b"\xc9") == b"\xc9" and crowd.sent("x") == b"x" and crowd.sent([1]) == b"[1]"


def test_what_is_strange_is_refused_by_a_contract_that_is_stricter_than_it_has_to_be() -> None:
    row = {"month": 7, "day": 4, "weekday": 3, "hour": 17, "carrier": "UA", "distance": 719.0, "temp": 80.0}
    flights = loaded("14", "flights")
    bodies = flights.strange(row, row)
    for name in flights.WEATHER:
        numbers = [each[name] for each in bodies["weather as it never was here"]]
        assert min(numbers) < -1e6 and max(numbers) > 1e6, name
    assert not any(isinstance(value, int | float) for value in bodies["numbers written as text"][-1].values())


def test_a_body_in_latin_1_is_right_but_for_the_bytes_that_are_no_utf_8() -> None:
    flights, codes = loaded("14", "flights"), {"carrier": "UA", "origin": "EWR", "dest": "ORD"}
    made = flights.Flights([codes | {"distance": 719.0}], 1)
    sent = [made.spoilt([codes], number)[0] for number in range(len(flights.BAD))]
    (body,) = (each for each in sent if isinstance(each, bytes) and each)
    (row,) = json.loads(body.decode("utf-8", "ignore"))["rows"]
    assert re.fullmatch("[A-Z0-9]{2,4}", row["dest"])


def test_an_unseen_model_reads_some_of_the_features_and_the_day() -> None:
    modelling = loaded("14", "modelling")
    hours = ("month", "weekday", "hour")
    versions = [*hours, *modelling.CODES, "distance", *modelling.WEATHER]
    for seed in range(20):
        found = modelling.another_order(versions, random.Random(seed))
        assert len(found) == len({*found}) == 6 and {"day", "temp"} < {*found} and "distance" not in found
        assert [len({*found} & {*some}) for some in (modelling.CODES, hours, modelling.WEATHER)] == [1, 1, 3]
        assert [name for name in found if name != "day"] != [name for name in versions if name in found]


@pytest.mark.parametrize("pattern", ["^[A-Z0-9]{2,3}$", "^[A-Z0-9]{3,4}$", "^[A-Z]{2,4}$", "^[A-Z0-9]{0,2}[A-Z]{2}$"])
@pytest.mark.parametrize("field", ["carrier", "origin", "dest"])
def test_codes_are_of_each_length_and_of_digits_alone(field: str, pattern: str) -> None:
    codes = {"carrier": "UA", "origin": "EWR", "dest": "ORD"}
    sent = loaded("14", "flights").strange(codes, codes)["codes of two to four characters, letters or digits"]
    assert not all(re.search(pattern, row[field]) for row in sent)


@pytest.mark.parametrize(
    ("old", "new", "taken"),
    [
        ("distance: float = Field(gt=0, le=20000)", "distance: float = Field(default=1000, gt=0, le=20000)",
         "distance left out"),
        ("min_length=1, max_length=1000", "min_length=1", "1001 rows"),
        ("min_length=1, max_length=1000", "max_length=1000", "no row"),
        ("hour: int = Field(ge=0, le=23)", "hour: int", "hour 24"),
        ("hour: int = Field(ge=0, le=23)", "hour: int", "hour '24'"),
        ("month: int = Field(ge=1, le=12)", "month: float = Field(ge=1, le=12)", "month '12.'"),
        ("weekday: int = Field(ge=0, le=6)", "weekday: float = Field(ge=0, le=6)", "weekday '6e0'"),
        ("gt=0, le=20000", "gt=0", "distance '20001'"),
        ("ge=1, le=31", "ge=1", "day 32"),
        ("ge=1, le=12", "le=12", "month 0"),
        ("gt=0, le=20000", "ge=0, le=20000", "distance 0"),
        ("A-Z0-9", "A-Za-z0-9", "origin 'ewr'"),
        ("{2,4}", "{2,}", "dest 'NEWAR'"),
        ("{2,4}", "{1,4}", "carrier 'E'"),
        ('extra="forbid"', 'regex_engine="python-re", extra="forbid"', "dest 'EWR\\n'"),
        ("[A-Z0-9]{2,4}", "[A-Z0-9]{2,4} *", "carrier 'EW '"),
        ("A-Z0-9", "\\\\w", "origin 'ÉW'"),
        ("wind_speed: float | None", "wind_speed: object", "wind_speed 'mild'"),
        ('extra="forbid", ', "", "gate 'B7'"),
        ('"""The body of POST /predict."""', 'model_config = ConfigDict(extra="ignore")', "a field beside rows"),
        ("allow_inf_nan=False", "allow_inf_nan=True", "temp nan"),
        ("allow_inf_nan=False", "allow_inf_nan=True", "wind_speed 'nan'"),
        ("allow_inf_nan=False", "allow_inf_nan=True", "precip 'inf'"),
        ("allow_inf_nan=False", "allow_inf_nan=True", "temp '-Infinity'"),
        ("allow_inf_nan=False", "allow_inf_nan=True", "temp 1e999"),
        ("precip: float | None", "precip: object", "precip [0.1]"),
        ("rows: list[Flight]", "rows: list[Flight | None]", "None in the place of a row"),
        ("rows: list[Flight]", "rows: dict | list[Flight]", "rows that are one flight, not a list"),
        ("rows: list[Flight]", "rows: str | list[Flight]", "'UA' in the place of rows"),
    ],
)  # fmt: skip
def test_each_rule_of_the_contract_has_a_body_that_breaks_it_alone(
    old: str, new: str, taken: str, tmp_path: Path
) -> None:
    text = (project() / "labs" / "14-faster-serving" / "start" / "contract.py").read_text()
    assert old in text
    (tmp_path / "laxer.py").write_text(text.replace(old, new))
    assert taken in taken_by(tmp_path / "laxer.py")


def test_whole_numbers_written_as_text_with_a_point_are_taken_by_the_contract_and_not_by_int(tmp_path: Path) -> None:
    lay_out(
        next(each for each in wrongs(resolve("14")) if each.name.endswith("text-with-a-point-is-refused")), tmp_path
    )
    assert refused_by(tmp_path / "contract.py") == {"whole numbers written as text with a point"}


def test_whole_numbers_with_a_point_are_taken_by_the_contract_and_not_by_who_asks_for_an_int(tmp_path: Path) -> None:
    lay_out(
        next(each for each in wrongs(resolve("14")) if each.name.endswith("hours-with-a-point-are-refused")), tmp_path
    )
    assert refused_by(tmp_path / "contract.py") == {"whole numbers with a point"}


def test_true_and_false_are_taken_by_the_contract_and_not_by_one_that_knows_them_apart(tmp_path: Path) -> None:
    lay_out(next(each for each in wrongs(resolve("14")) if each.name.endswith("true-is-refused")), tmp_path)
    assert refused_by(tmp_path / "contract.py") == {"true and false, which stand for 1 and 0"}


def refused_by(contract: Path) -> set[str]:
    """Which of the bodies that are strange and allowed a contract refuses."""
    codes = {"carrier": "UA", "origin": "EWR", "dest": "ORD"}
    row = {"month": 7, "day": 4, "weekday": 3, "hour": 17, **codes, "distance": 719.0, "temp": 80.0}
    question, refused = runpy.run_path(str(contract))["Question"], set()
    for what, rows in loaded("14", "flights").strange(row, row).items():
        try:
            question.model_validate({"rows": rows})
        except ValueError:
            refused.add(what)
    return refused


def taken_by(contract: Path) -> set[str]:
    """Which of the bodies that break the contract another contract takes."""
    question = runpy.run_path(str(contract))["Question"]
    flights = loaded("14", "flights")
    codes = {"carrier": "UA", "origin": "EWR", "dest": "ORD"}
    row = {"month": 7, "day": 4, "weekday": 3, "hour": 17, **codes, "distance": 719.0, "temp": 80.0}
    made, found = flights.Flights([row], 1), set()
    for number in range(len(flights.BAD)):
        body, bad = made.spoilt([row, row], number)
        with contextlib.suppress(ValueError):
            question.model_validate_json(crowd.sent(body))
            found.add(bad.what)
    return found


def ended_by(contract: Path) -> set[str]:
    """By which of the bodies that break the contract a check is ended, rather than to refuse them."""
    question = runpy.run_path(str(contract))["Question"]
    flights = loaded("14", "flights")
    made, found = flights.Flights(known_flights(), 1), set()
    for number in range(len(flights.BAD)):
        body, bad = made.spoilt(known_flights(2), number)
        try:
            question.model_validate_json(crowd.sent(body))
        except ValueError:
            continue
        except OverflowError:
            found.add(bad.what)
    return found


def test_a_flights_fields_come_in_another_order_and_are_what_they_were() -> None:
    one, other = known_flights(2)
    first, second, third = loaded("14", "flights").strange(one, other)["fields in another order"]
    assert (first, second, third) == (one, other, other)
    assert [*first] == [*one][::-1] and [*second] == [*other] and [*third] == [*other][::-1]
    assert "no order" in checks.why_unusual("fields in another order: up to 0.1 away from the model's own")


@pytest.mark.parametrize(
    ("mistake", "taken"),
    [
        ("weather-of-empty-text", {f"{name} ''" for name in ("temp", "wind_speed", "precip", "visib")}),
        ("distance-that-is-nan", {"distance nan", "distance 'nan'"}),
        (
            "weather-that-is-infinite",
            {"temp '-Infinity'", "precip 'inf'", "visib inf", "temp 1e999", "temp of 401 digits"},
        ),
        ("nulls-beside-the-rows", {"a null beside rows"}),
    ],
)
def test_a_mistake_in_a_contract_is_told_by_the_bodies_that_it_takes(
    mistake: str, taken: set[str], tmp_path: Path
) -> None:
    variant = next(each for each in wrongs(resolve("14")) if each.name.endswith(mistake))
    lay_out(variant, tmp_path)
    assert taken_by(tmp_path / "contract.py") == taken


@pytest.mark.parametrize(
    ("mistake", "ended"),
    [
        ("more-than-a-float-holds", {"distance of 401 digits"}),
        (
            "whole-numbers-by-way-of-float",
            {f"{name} {what}" for name in ("month", "day", "weekday", "hour") for what in ("'inf'", "of 401 digits")},
        ),
    ],
)
def test_a_number_that_is_too_large_is_refused_by_the_contract_and_ends_a_check_by_hand(
    mistake: str, ended: set[str], tmp_path: Path
) -> None:
    variant = next(each for each in wrongs(resolve("14")) if each.name.endswith(mistake))
    lay_out(variant, tmp_path)
    assert refused_by(tmp_path / "contract.py") == set()
    assert ended_by(tmp_path / "contract.py") == ended


def test_a_crowd_takes_a_5xx_for_what_is_no_json_and_names_what_was_taken() -> None:
    class Known:
        def probabilities(self, rows: list[Any]) -> list[float]:
            return [0.5 for _ in rows]

    async def run() -> Any:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode()
                    size = int(head.split("Content-Length: ")[1].split("\r\n")[0])
                    text = (await reader.readexactly(size)).decode(errors="replace")
                    rows, status = [], 422
                    with contextlib.suppress(ValueError, TypeError, KeyError):
                        rows = json.loads(text)["rows"]
                        if rows and all("distance" in row for row in [*rows]):
                            status = 500 if re.search(": (NaN|Infinity|1e999)", text) else 200
                    given = [0.5] * (len(rows) if isinstance(rows, list) else 0)
                    said = json.dumps({"model_version": "v1", "probabilities": given}).encode()
                    writer.write(b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n%s" % (status, len(said), said))
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        bad = loaded("14", "flights").BAD
        spec = {"version": "v1", "host": "127.0.0.1", "port": port, "clients": 4, "requests": 4 * len(bad),
                "sizes": [1, 2], "bad_every": 4, "within": 20, "answer_within": 5}  # fmt: skip
        row = {"month": 7, "carrier": "UA", "distance": 719.0, "temp": 1.0}
        said = await crowd.crowd(spec, {"v1": Known()}, crowd.Flights([row], 1))
        server.close()
        return said, len(bad)

    said, kinds = asyncio.run(run())
    assert (said["ended"], said["good"], said["wrong"]) == (4 * kinds, 3 * kinds, 0)
    assert said["bad_statuses"] == {"422": 17, "200": kinds - 21}
    assert all(each.endswith(": status 200") for each in said["bad_taken"])


def test_the_cost_is_that_of_all_rounds_together() -> None:
    cost = checks.Cost(((0.010, 0.001), (0.012, 0.0012)))
    assert cost.times == pytest.approx(10)
    assert cost.theirs == pytest.approx(2 / 0.022)
    assert checks.Cost(((0.010, math.inf),)).times == 0


def test_a_request_that_nobody_answers_costs_no_number() -> None:
    assert checks.milliseconds(0.0105) == "10.50 ms"
    assert checks.milliseconds(math.inf) == "none answered right, or a container ended"


def test_sidecars_run_as_long_as_their_pod() -> None:
    once, always = {"name": "once"}, {"name": "always", "restartPolicy": "Always"}
    pod = {"spec": {"containers": [{"name": "idle"}], "initContainers": [once, always]}}
    assert [each["name"] for each in lasting(pod)] == ["idle", "always"]


def test_other_values_get_the_likely_reason() -> None:
    wanted, others = [0.21, 0.39, 0.77], [0.25, 0.35, 0.61]

    def why(given: list[float] | None) -> str:
        return str(checks.why_other_values(given, wanted, others))

    assert "classes" in why([0.0, 0.0, 1.0])
    assert "on time" in why([1 - value for value in wanted])
    assert "another order" in why(wanted[::-1])
    assert "v2" in why(others)
    assert "lose digits" in why([0.2, 0.4, 0.8])
    assert "first dimension" in why([0.21])
    assert "one number for each row" in why(None)


def test_the_copy_is_told_of_the_other_model_and_of_nothing_else() -> None:
    configured = {"env": [{"name": "MODEL", "value": "/model/v1"}, {"name": "THREADS", "value": "1"}]}
    for container, env in ((configured, [{"name": "THREADS", "value": "1"}]), ({}, [])):
        bare = dict(container)
        checks.without_model(bare)
        assert bare["env"] == env
        checks.with_v2(container)
        assert container["env"] == [*env, {"name": "MODEL", "value": "/model/v2"}]


def test_a_copy_without_the_variable_has_it_from_no_config_map_either_and_keeps_what_else_that_holds() -> None:
    other = loaded("14", "other_model")

    async def there(kind: str) -> list[Any]:
        named = {"ConfigMap": [("settings", {"MODEL": "/model/v1", "THREADS": "1"}), ("others", {"MODEL_OF": "1"})]}
        return [{"metadata": {"name": name}, "data": data} for name, data in named.get(kind, [("key", {"EL": "x"})])]

    held = asyncio.run(other.sources(cast(Lab, SimpleNamespace(objects=SimpleNamespace(all=there)))))
    settings, others = ({"configMapRef": {"name": name}} for name in ("settings", "others"))
    prefixed = {"secretRef": {"name": "key"}, "prefix": "MOD"}
    own = {"name": "THREADS", "value": "2"}
    bare = {"envFrom": [settings, others, prefixed], "env": [own]}
    other.without_model(bare, held)
    key = {"name": "THREADS", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "THREADS"}}}
    assert bare == {"envFrom": [others], "env": [key, own]}


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The package `flight_delay`, as the image has it, and a folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("made")))
    server = project() / "images" / "flight-delay" / "server"
    spec = importlib.util.spec_from_file_location(
        "flight_delay", server / "__init__.py", submodule_search_locations=[str(server)]
    )
    assert spec
    for name in ("features", "model"):
        monkeypatch.delitem(sys.modules, f"flight_delay.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "flight_delay", importlib.util.module_from_spec(spec))


SHARES = {name: {f"{name[0].upper()}{number}": 0.2 for number in range(3)} for name in ("carrier", "origin", "dest")}


def known_flights(count: int = 60) -> list[dict[str, Any]]:
    draw = random.Random(5)
    return [
        {
            "month": draw.randint(1, 12), "day": draw.randint(1, 28), "weekday": draw.randint(0, 6),
            "hour": draw.randint(0, 23), **{name: draw.choice(sorted(codes)) for name, codes in SHARES.items()},
            "distance": 700.0, "temp": draw.uniform(10, 90), "wind_speed": draw.uniform(0, 30),
            "precip": draw.choice((0.0, 0.1)), "visib": draw.uniform(0, 10),
        }
        for _ in range(count)
    ]  # fmt: skip


def made(seed: int, version: str) -> tuple[Any, dict[str, bytes]]:
    """The crowd's own model of that version, and the files that a copy would get."""
    from flight_delay.features import FEATURES

    bundle = {"features": FEATURES["v2"], "categories": SHARES, "defaults": dict.fromkeys(FEATURES["v2"], 0.2)}
    models = {"v2": SimpleNamespace(_bundle=bundle, metadata={"model_version": "v2", "auc": 0.7})}
    task = {"do": "make", "version": version, "seed": seed}
    said = json.loads(json.dumps(crowd.made(task, models, crowd.Flights(known_flights(), 1))))
    return models[version], {name: base64.b64decode(text) for name, text in said["files"].items()}


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("seed", [1, 2**31 - 1])
def test_the_model_that_nobody_has_seen_has_the_form_of_the_others_and_its_own_content(
    seed: int, tmp_path: Path
) -> None:
    from flight_delay.features import FEATURES
    from flight_delay.model import Model

    model, files = made(seed, "v77")
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    served, rows = Model(tmp_path), crowd.Flights(known_flights(), 7).rows(100)
    served.start_loading().join()
    version, values = served.answer(rows)
    assert (version, values) == ("v77", model.probabilities(rows))
    assert len({round(value, 5) for value in values}) > 50  # else a constant would do
    bundle, features = served._bundle, served._bundle["features"]
    assert list(features) == served.metadata["features"]
    assert len(set(features)) == len(features) == len(FEATURES["v2"]) - 5
    assert set(features) > {"day", "temp"} and {*features} - {*FEATURES["v2"]} == {"day"}
    assert "distance" not in features
    assert list(features) != [name for name in FEATURES["v2"] if name in features]
    assert list(bundle["forest"].classes_) == [False, True]
    trees = bundle["forest"].estimators_
    assert 40 < len(trees) == served.metadata["trees"]
    assert trees[-1].tree_.max_depth > 25  # those of the versions go 22 steps down
    assert set(bundle["defaults"]) == {*FEATURES["v2"], "day"}
    assert {name: len(codes) for name, codes in bundle["categories"].items()} == dict.fromkeys(SHARES, 2)
    assert sum(map(len, files.values())) < 500_000  # a ConfigMap has room for a megabyte
    for cut in (trees[:40], trees[:-1]):
        bundle["forest"].estimators_ = cut
        apart = [abs(one - other) for one, other in zip(served.probabilities(rows), values, strict=True)]
        assert max(apart) > 1e-3
    bundle["forest"].estimators_ = trees
    for order in (sorted(features), [name for name in (*FEATURES["v2"], "day") if name in features]):
        served._bundle = {**bundle, "features": order}
        apart = [abs(one - other) for one, other in zip(served.probabilities(rows), values, strict=True)]
        assert max(apart) > 0.05
    dayless = [{name: value for name, value in row.items() if name != "day"} for row in rows]
    assert max(abs(one - other) for one, other in zip(served.probabilities(dayless), values, strict=True)) > 1e-3
    for changed in ({"defaults": dict.fromkeys([*FEATURES["v2"], "day"], 0.2)}, {"categories": SHARES}):
        served._bundle = {**bundle, **changed}
        apart = [abs(one - other) for one, other in zip(served.probabilities(rows), values, strict=True)]
        assert max(apart) > 1e-3


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("distance", [True, False])
def test_flights_are_apart_by_one_field_and_by_a_fraction_where_the_model_tells_them_apart(
    distance: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if distance:
        monkeypatch.setitem(crowd.make.__globals__, "LEFT_OUT", ())
    flights, (model, _) = loaded("14", "flights"), made(3, "v78")
    assert ("distance" in model._bundle["features"]) is distance
    read, every = set(model._bundle["features"]), crowd.Flights(known_flights(), 7)
    bodies = flights.one_field_apart(model, every)
    names = {what.split()[-2] for what in bodies}
    assert len(bodies) == 3 * len(names)
    assert names <= read
    assert {"distance", "temp", "weekday"} & read <= names
    for name in names:
        (one,), (other,), both = (rows for what, rows in bodies.items() if what.endswith(f" in {name} alone"))
        assert [field for field in one if one[field] != other[field]] == [name]
        assert both == [other, one]
    for name in ("distance", "temp"):
        rows = flights.with_fractions(model, name, 6, every)
        assert bool(rows) is (name in read)
        assert len(rows) <= 18
        for value, below, above in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
            assert below[name] == math.floor(value[name]) and above[name] == math.ceil(value[name])
            here, *whole = model.probabilities([value, below, above])
            assert max(abs(here - each) for each in whole) > 10 * flights.NEAR


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("name", ["distance", "temp"])
def test_flights_on_splits_show_float32_splits_and_float64_values(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np
    from flight_delay.features import encode

    if name == "distance":
        monkeypatch.setitem(crowd.make.__globals__, "LEFT_OUT", ())
    (model, _), every = made(3, "v79"), crowd.Flights(known_flights(), 7)
    bundle = model._bundle
    bodies = loaded("14", "flights").on_splits(model, name, 6, every)
    trees = [each.tree_ for each in bundle["forest"].estimators_]

    def walked(rows: list[Any], values: Any, splits: Any) -> list[float]:
        """The mean of the leaves, with values and splits of these types."""
        found = []
        for numbers in np.asarray(encode(rows, bundle["features"], bundle["categories"], bundle["defaults"]), values):
            leaves = []
            for tree in trees:
                at, thresholds = 0, tree.threshold.astype(splits)
                while tree.children_left[at] >= 0:
                    below = float(numbers[tree.feature[at]]) <= float(thresholds[at])
                    at = (tree.children_left if below else tree.children_right)[at]
                leaves.append(tree.value[at, 0, 1] / tree.value[at, 0].sum())
            found.append(float(np.mean(leaves)))
        return found

    def wrong(rows: list[Any], values: Any, splits: Any) -> set[bool]:
        own = model.probabilities(json.loads(json.dumps(rows)))
        return {abs(one - other) > 1e-5 for one, other in zip(walked(rows, values, splits), own, strict=True)}

    on, exact = bodies[f"flights with {name} on a split"], bodies[f"flights with {name} on a split, in 64 bits"]
    assert 1 <= len(on) == len(exact) <= 6
    assert wrong(on, np.float32, np.float64) == wrong(exact, np.float32, np.float64) == {False}
    assert wrong(on, np.float32, np.float32) == wrong(exact, np.float64, np.float64) == {True}
    assert "float32 first" in checks.why_not_v2(f"flights with {name} on a split, in 64 bits", None, ())
    assert "rounded up" in checks.why_not_v2(f"flights with {name} on a split", None, ())


def test_what_is_unusual_and_wrong_gets_the_likely_reason() -> None:
    assert "four characters" in checks.why_unusual("codes of two to four characters, letters or digits: status 422")
    for what in ("a flight that differs in day alone", "two flights that differ in day alone"):
        assert "remembers" in checks.why_unusual(what)
    assert "other side" in checks.why_unusual("distances with a fraction: up to 0.01 away")
    assert "int()" in checks.why_unusual("whole numbers written as text with a point: status 422")
    assert "17.0" in checks.why_unusual("whole numbers with a point: status 422: no fraction, please")
    assert "(ge, le)" in checks.why_unusual("the ends of each range: status 422")
    for what in crowd.IN_CHUNKS:
        assert "Content-Length" in checks.why_unusual(f"{what}: status 411")
    for what in ("weather null", "a flight of which another differs in day alone"):
        assert "bundle['defaults']" in checks.why_unusual(what)


def test_where_a_flight_is_wrong_before_its_like_comes_it_is_no_memory_that_is_told_of() -> None:
    before, after = "a flight of which another differs in hour alone", "a flight that differs in hour alone"
    fraction = "distances with a fraction"
    assert checks.telling([before, after, fraction, "1000 rows in chunks"]) == fraction
    assert checks.telling(["a flight that differs in month alone", before, after, fraction]) == fraction
    assert checks.telling([after, before]) == before
    assert checks.telling(["weather null", before, after]) == "weather null"
    assert checks.telling([after, fraction]) == after  # what remembers flights without their distance
    assert checks.telling([]) == ""
    found, *_ = unseen_asked({"probabilities": [0.25, 0.5]}, [(before, "0.1 away"), (after, "0.1 away")])
    assert "list of them" in found.why


@pytest.mark.usefixtures("reader")
def test_each_run_makes_another_model() -> None:
    assert made(1, "v5")[1]["metadata.json"] != made(2, "v5")[1]["metadata.json"]


def unseen_asked(said: dict[str, Any], wrong: list[Any], up: int = 200, first: int = 200) -> Any:
    """What is concluded of a copy with the unseen model that gives this answer, and is wrong about these bodies."""
    applied: list[Any] = []
    gone: list[str] = []
    copied = {
        "metadata": {"name": "model-1"},
        "spec": {"containers": [{"name": "server", "env": [{"name": "MODEL", "value": "/model/v1"}]}]},
    }
    service = {"spec": {"ports": [{"port": 80, "targetPort": "http"}]}}

    async def answers(value: Any) -> Any:
        return value

    async def ask(do: str, **what: Any) -> Any:
        if do == "make":
            return {"files": {"metadata.json": "e30=", "model.joblib": "AA=="}}
        return {"probabilities": [0.25, 0.5]}

    async def apply(objects: Any) -> None:
        applied.extend(objects)

    async def delete(kind: str, name: str, grace: int | None = None) -> None:
        gone.append(kind)

    def named(kind: str, name: str) -> Any:
        running = {"status": {"phase": "Running"}} if applied else None
        return SimpleNamespace(now=lambda: answers(service if kind == "Service" else running))

    def got(status: int, body: Any) -> Answer:
        return Answer(status, {}, json.dumps(body).encode(), 0.01, "", "")

    objects = SimpleNamespace(
        pods_of=lambda name: answers([copied]), named=named, apply=apply, delete=delete,
        kill=lambda name, grace: answers(None), gone=lambda *words, **more: answers(None),
    )  # fmt: skip
    flights = SimpleNamespace(rows=[{"hour": 1}, {"hour": 2}], body={"rows": []})

    def answered() -> dict[str, Any]:
        version = checks.drawn(lab, "unseen model").randrange(3, 1000)
        return {"model_version": f"v{version}"} | said

    traffic = SimpleNamespace(
        hidden_rows=lambda count: flights, host=lambda name: answers("10.0.0.1"),
        get=lambda *words, **more: answers(got(up, {})), post=lambda *words, **more: answers(got(first, answered())),
    )  # fmt: skip
    time = SimpleNamespace(pause=lambda seconds: answers(None))
    lab = cast(Lab, SimpleNamespace(objects=objects, traffic=traffic, time=time, seed=3, number="14"))
    stage = SimpleNamespace(lab=lab, ask=ask, unusual=lambda *words, **more: answers({"sent": 7, "wrong": wrong}))
    return asyncio.run(checks.unseen_model(stage)), applied, gone


def test_a_copy_has_to_serve_a_model_that_nobody_has_seen() -> None:
    found, applied, gone = unseen_asked({"probabilities": [0.25, 0.500009]}, [])
    assert found.seen.ok
    assert found.seen.seen == "all 8 bodies were answered so"
    files, pod, _ = applied
    (server,) = pod["spec"]["containers"]
    ((variable, folder),) = (each.values() for each in server["env"])
    assert variable == "MODEL" and folder not in ("/model/v1", "/model/v2")
    (volume,) = pod["spec"]["volumes"]
    assert volume["configMap"] == {"name": files["metadata"]["name"]}
    assert files["binaryData"] == {"metadata.json": "e30=", "model.joblib": "AA=="}
    assert [(each["name"], each["mountPath"], each["subPath"]) for each in server["volumeMounts"]] == [
        (volume["name"], f"{folder}/{file}", file) for file in files["binaryData"]
    ], "the folder has these two files and nothing of the kubelet's"
    assert sorted(gone) == ["ConfigMap", "Pod", "Service"]


@pytest.mark.parametrize(
    ("said", "wrong", "why"),
    [
        ({"probabilities": [0.25, 0.51]}, [], "list of them"),
        ({"probabilities": [0.25, 0.5], "model_version": "v2"}, [], "metadata.json"),
        ({"probabilities": [0.25, 0.5]}, [("weather null", "up to 0.1 away")], "what is missing"),
    ],
)
def test_a_copy_that_serves_another_model_than_the_unseen_one_is_told_why(
    said: dict[str, Any], wrong: list[Any], why: str
) -> None:
    found, _, gone = unseen_asked(said, wrong)
    assert not found.seen.ok
    assert why in found.why
    assert sorted(gone) == ["ConfigMap", "Pod", "Service"]


def test_a_copy_that_says_too_early_that_it_is_ready_is_told_so() -> None:
    found, *_ = unseen_asked({"probabilities": [0.25, 0.5]}, [], first=503)
    assert not found.seen.ok
    assert "once the pod can answer" in found.why
    found, *_ = unseen_asked({"probabilities": [0.25, 0.5]}, [("a flight that differs in temp alone", "0.1 away")])
    assert "remembers answers" in found.why


def test_the_memory_limit_is_that_of_all_containers_that_something_keeps_running() -> None:
    def pod(name: str, limit: str = "", owner: bool = True, phase: str = "Running", **more: Any) -> dict[str, Any]:
        container = {"name": "it", "resources": {"limits": {"memory": limit}} if limit else {}}
        owners = [{"controller": True, "uid": "1"}] if owner else []
        metadata = {"name": name, "ownerReferences": owners} | more
        return {"metadata": metadata, "spec": {"containers": [container]}, "status": {"phase": phase}}

    model = pod("model", "1Gi")
    model["spec"] |= {"initContainers": [{"name": "first"}], "ephemeralContainers": [{"name": "debugger"}]}
    others = [
        model, pod("scorer", "2Gi"), pod("shell", owner=False), pod("done", phase="Succeeded"),
        pod("old", deletionTimestamp="2026-11-27T00:00:00Z"),
    ]  # fmt: skip
    assert checks.limits([model, *checks.helping(others, [model])]) == [
        ("container it of pod model", "1Gi"), ("container first of pod model", "no limit"),
        ("container it of pod scorer", "2Gi"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("limit", "right"),
    [("1Gi", True), ("768Mi", True), ("1073741824", True), ("1100M", False), ("0", False), ("no limit", False)],
)
def test_a_memory_limit_is_one_of_a_gibibyte_at_most_and_not_of_nothing(limit: str, right: bool) -> None:
    assert checks.limited(limit) is right


class Stream:
    """A command in a container that answers each line that it is told."""

    def __init__(self, *answers: str | None, code: int | None = None) -> None:
        self.told: list[str] = []
        self._answers, self.code = list(answers), code

    def write(self, text: str) -> None:
        self.told.append(text)

    def lines(self, *, within: float) -> Iterator[str | None]:
        while self._answers:
            yield self._answers.pop(0)

    def stderr(self) -> str:
        return "Traceback"

    def close(self) -> None:
        self.told.append("closed")


def test_a_talk_takes_one_line_for_each_and_says_when_there_is_none() -> None:
    stream = Stream(None, '{"a": 1}', "oh")
    with Talk(cast(ExecStream, stream), "crowd.py") as talk:
        assert talk.ask({"do": "it"}, within=1) == {"a": 1}
        with pytest.raises(LabError, match="no JSON object"):
            talk.hear(within=1)
        with pytest.raises(LabError, match=r"crowd\.py ended"):
            talk.hear(within=1)
    assert stream.told == ['{"do": "it"}\n', "closed"]


def test_an_own_pod_waits_until_it_is_ready_and_is_deleted_with_its_files() -> None:
    applied: list[Any] = []
    deleted: list[str] = []
    pod: dict[str, Any] = {"status": {"podIP": "10.1.1.1", "conditions": [{"type": "Ready", "status": "True"}]}}
    kube = SimpleNamespace(
        apply=applied.extend,
        wait=lambda kind, name, namespace, test, within, stop: (test(pod), pod),
        delete=lambda kind, name, namespace, grace=None: deleted.append(kind),
        list=lambda *names: [], find=lambda *names: None, events=lambda *names: [],
    )  # fmt: skip
    mine = OwnPod(cast(Any, kube), "workbench:1", ["sleep"], files={"a.py": "1"}, env={}, readiness={"httpGet": {}})
    mine.start()
    assert mine.address == "10.1.1.1"
    assert applied[-1]["spec"]["containers"][0]["readinessProbe"] == {"httpGet": {}}
    mine.delete()
    assert deleted == ["Pod", "ConfigMap"]


def test_an_own_pod_that_is_made_after_it_was_deleted_goes_too() -> None:
    there: set[str] = set()
    kube = SimpleNamespace(
        apply=lambda objects: (mine.delete(), there.update(each["kind"] for each in objects)),
        wait=lambda *words, **named: (False, None),
        delete=lambda kind, name, namespace, grace=None: there.discard(kind),
        list=lambda *names: [], find=lambda *names: None, events=lambda *names: [],
    )  # fmt: skip
    mine = OwnPod(cast(Any, kube), "workbench:1", ["sleep"], files={"a.py": "1"}, env={})
    with pytest.raises(LabError, match="not ready"):
        mine.start()
    assert there == set()


def usage(value: float, at: int, pod: str = "model-1", number: str = "c1", container: str = "server") -> str:
    place = f"/kubepods/pod7/cri-containerd-{number}.scope"
    labels = f'container="{container}",cpu="total",id="{place}",namespace="lab-14",pod="{pod}"'
    return f"container_cpu_usage_seconds_total{{{labels}}} {value} {at}000\n"


class Kubelet:
    """An API server with some pods, and what a kubelet says of them, one answer after the other."""

    def __init__(self, *texts: str, pods: dict[str, list[str]] | None = None) -> None:
        self.texts = list(texts)
        self.pods = {"model-1": ["c1"]} if pods is None else pods

    def list(self, kind: str, namespace: str) -> list[Any]:
        return [
            {
                "metadata": {"name": name}, "spec": {"nodeName": "one"},
                "status": {"containerStatuses": [
                    {"name": "server", "containerID": f"containerd://{number}", "state": {"running": {}}}
                    for number in numbers
                ]},
            }
            for name, numbers in self.pods.items()
        ]  # fmt: skip

    def text(self, path: str, what: str) -> str:
        return self.texts.pop(0) if len(self.texts) > 1 else self.texts[0]


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms_usage, "LOOK_EVERY", 0.0)


@pytest.mark.usefixtures("no_pause")
def test_cpu_time_is_that_between_two_measurements_of_the_kubelets() -> None:
    kubelet = Kubelet(usage(1, 10), usage(1, 10), usage(1.5, 20), usage(1.5, 20), usage(4, 30))
    clock = Usage(cast(Any, kubelet), "lab-14").cpu_time()

    async def measured() -> Any:
        await clock.begin()
        return await clock.spent()

    assert asyncio.run(measured()) == (2.5, ())


@pytest.mark.usefixtures("no_pause")
def test_a_pod_that_comes_or_goes_meanwhile_counts() -> None:
    both = usage(2, 30) + usage(3, 30, "helper", "c2")
    kubelet = Kubelet(usage(1, 10), usage(1, 20), both, usage(2, 30), usage(2, 40))
    clock = Usage(cast(Any, kubelet), "lab-14").cpu_time()

    async def measured() -> Any:
        await clock.begin()
        await clock.look()
        return await clock.spent()

    assert asyncio.run(measured()) == (4, ("container server of pod helper",))


@pytest.mark.usefixtures("no_pause")
def test_a_container_that_the_kubelet_has_not_seen_yet_is_waited_for() -> None:
    texts = [usage(1, 10), usage(1, 20), usage(1, 30) + usage(0.5, 30, number="c2")]
    kubelet = Kubelet(*texts, pods={"model-1": ["c1", "c2"]})
    clock = Usage(cast(Any, kubelet), "lab-14").cpu_time()
    asyncio.run(clock.begin())
    assert kubelet.texts == texts[-1:]


@pytest.mark.usefixtures("no_pause")
def test_a_kubelet_that_measures_no_more_is_the_environments_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms_usage, "MEASURED_WITHIN", 0.0)
    clock = Usage(cast(Any, Kubelet(usage(1, 10))), "lab-14").cpu_time()
    with pytest.raises(LabError, match="no new measurement"):
        asyncio.run(clock.begin())


def test_only_the_containers_of_the_pods_that_are_named_are_counted() -> None:
    kubelet = Kubelet(usage(1, 10) + usage(9, 10, "other", "c9") + usage(5, 10, container=""))
    pod = {"metadata": {"name": "model-1", "namespace": "lab-14"}}
    (found,) = Usage(cast(Any, kubelet), "lab-14").cpu_time(pod)._meter.look().containers.values()
    assert (found.seconds, found.what) == (1, "container server of pod model-1")


def test_what_a_right_answer_costs() -> None:
    cost, theirs, mine = loaded("14", "cost").cost, Spent(2.0, ()), Spent(1.0, ())
    assert cost((theirs, mine), (100, 500)) == (0.02, 0.002)
    assert cost((theirs, mine), (100, 0)) == (0.02, math.inf)
    assert cost((theirs, Spent(1.0, ("container server of pod model-1",))), (100, 500)) == (0.02, math.inf)
    for used in ((Spent(0, ()), mine), (Spent(2.0, ("it",)), mine), (theirs, Spent(0, ()))):
        with pytest.raises(LabError):
            cost(used, (100, 500))


LATE = "not sent any more: those before took"


def test_unusual_bodies_are_sent_within_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, bool]] = []

    async def post(client: Any, body: bytes, within: float, *, chunked: bool) -> tuple[int, bytes]:
        sent.append((len(json.loads(body)["rows"]), chunked))
        return 200, json.dumps({"model_version": "v1", "probabilities": [0.5] * sent[-1][0]}).encode()

    monkeypatch.setattr(crowd.Client, "post", post)
    monkeypatch.setattr(crowd, "strange", lambda one, two: {"one": [one], "two": [two]})
    monkeypatch.setattr(crowd, "one_field_apart", lambda model, flights: {})
    monkeypatch.setattr(crowd, "with_fractions", lambda *given: [])
    known = {"v1": SimpleNamespace(probabilities=lambda rows: [0.5 for _ in rows])}
    flights = crowd.Flights([{"carrier": "UA", "distance": 719.0}], 1)
    task = {"version": "v1", "host": "127.0.0.1", "port": 9, "answer_within": 1.0}
    whole = asyncio.run(crowd.unusual(task | {"within": 60.0}, known, flights))
    assert (whole["sent"], whole["wrong"]) == (4, [])
    assert sent == [(1, False), (1, False), (2, True), (1000, True)]
    late = asyncio.run(crowd.unusual(task | {"within": -1.0}, known, flights))
    assert (late["wrong"], len(sent)) == ([("one", f"{LATE} -1 s")], 4)


@pytest.mark.parametrize(
    ("wrong", "timed"),
    [
        ([("weather null", f"{LATE} 60 s")], True),
        ([("weather null", "no answer: nothing whole within 10 s")], True),
        ([("weather null", "up to 0.1 away")], None),
    ],
)
def test_unusual_bodies_that_are_late_may_be_a_starved_machines_fault(wrong: list[Any], timed: bool | None) -> None:
    async def answers(said: Any) -> Any:
        return said

    async def once(*given: Any, **more: Any) -> Observation:
        return Observation(True, "", "")

    unusual = lambda *given, **more: answers({"sent": 7, "wrong": wrong})  # noqa: E731
    asked = loaded("14", "other_model")
    asked.copy_is_up, asked.own_values = once, lambda *given, **more: Observation(True, "", "")
    asked.service_address = lambda *given: answers(("10.0.0.1", 80))
    flights = SimpleNamespace(body={}, probabilities=lambda version: [])
    post = lambda *given, **more: answers(Answer(200, {}, b"{}", 0.01, "", ""))  # noqa: E731
    traffic = SimpleNamespace(hidden_rows=lambda count: flights, post=post)
    stage = SimpleNamespace(unusual=unusual, address=("10.0.0.1", 80), lab=SimpleNamespace(traffic=traffic))
    seen = [
        asyncio.run(loaded("14", "scenario").unusual(stage)),
        asyncio.run(asked.other_model(stage, None)).seen,
        unseen_asked({"probabilities": [0.25, 0.5]}, wrong)[0].seen,
    ]
    assert [(each.ok, each.timed) for each in seen] == [(False, timed)] * 3


def test_a_copy_that_is_late_may_be_a_starved_machines_fault() -> None:
    async def answers(path: str, **more: Any) -> AsyncIterator[Answer]:
        yield Answer(503, {}, b"", 0.01, "", "http://copy/readyz")

    copy = SimpleNamespace(answers=answers, ended=None)
    seen = asyncio.run(checks.copy_is_up(cast(Lab, None), copy))
    assert (seen.ok, seen.timed) == (False, True)
