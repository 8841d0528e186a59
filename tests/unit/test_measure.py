"""Load, single requests and hidden rows, against a load generator that follows a script instead of a cluster."""

import asyncio
import base64
import contextlib
import json
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.base.errors import Failure, LabError
from mlops_lab.images.recipes.flight_delay import TRAIN
from mlops_lab.kube.errors import Unreachable
from mlops_lab.measure.traffic import load as load_module
from mlops_lab.measure.traffic import load_generator
from mlops_lab.measure.traffic.asking import Asking
from mlops_lab.measure.traffic.flights import difference, hidden_rows
from mlops_lab.measure.traffic.http import ask
from mlops_lab.measure.traffic.load import Load
from mlops_lab.measure.traffic.report import LoadReport, Request

URL = "http://10.96.0.9:80/predict"


def row(seq: int, *, late_ms: float = 0, latency_ms: float = 5, status: int = 200, error: str = "") -> list[Any]:
    return [seq, seq * 10_000, late_ms * 1000, latency_ms * 1000, status, 40, "v1" if status == 200 else "", error]


def report(*requests: Request, **given: Any) -> LoadReport:
    count = len(requests)
    return LoadReport(requests, **{"due": count, "sent": count, "unfinished": 0, "seconds": 10.0, **given})


def parsed(count: int, **given: Any) -> list[Request]:
    return [Request.parse(row(seq, **given)) for seq in range(count)]


class TestReport:
    def test_counts(self) -> None:
        seen = report(
            *parsed(96),
            *parsed(1, status=503),
            *parsed(1, status=0, error="dial tcp 10.96.0.9:80: connect: connection refused"),
            *(Request.parse(row(0, status=0, error=f"read tcp 10.1.1.1:{port}->10.9.1.2:80: odd")) for port in (1, 2)),
        )  # fmt: skip
        assert (seen.good, seen.failed, seen.failed_ratio) == (96, 4, 0.04)
        assert seen.statuses == {200: 96, 503: 1, 0: 3}
        assert seen.labels == {"v1": 96}
        assert seen.errors == {"connection refused": 1, "read tcp 10.9.1.2:80: odd": 2}

    def test_percentiles_are_measured_values_of_good_answers(self) -> None:
        requests = [Request(0, 0, ms / 1000, 200, "", "") for ms in range(1, 101)]
        seen = report(*requests, Request(0, 0, 9, 503, "", ""))
        assert (seen.p(50), seen.p(99), seen.p(100)) == (0.05, 0.099, 0.1)
        assert math.isinf(report(Request(0, 0, 9, 503, "", "")).p(99))

    def test_window_is_of_due_times(self) -> None:
        seen = report(*parsed(1000)).window(2, 3.5)
        assert (seen.good, seen.sent, seen.seconds) == (150, 150, 1.5)

    @pytest.mark.parametrize(
        ("given", "late", "kept"),
        [
            ({}, 0, True),
            ({"sent": 991}, 0, True),
            ({"sent": 989}, 0, False),
            ({"sent": 1011}, 0, False),
            ({}, 49, True),
            ({}, 51, False),
        ],
    )
    def test_a_load_that_was_not_sent_is_told(self, given: dict[str, int], late: float, kept: bool) -> None:
        seen = report(*parsed(1000, late_ms=late), due=1000, **({"sent": 1000} | given))
        assert bool(seen.broken_schedule) is not kept

    def test_one_late_request_in_a_hundred_is_no_matter(self) -> None:
        assert not report(*parsed(990), *parsed(10, late_ms=500)).broken_schedule


class Program:
    """A load generator that says what the script says; `heard` is what it was told."""

    def __init__(self, script: Callable[["Program"], None], code: int = 0) -> None:
        self.heard: queue.Queue[str] = queue.Queue()
        self.asked: list[dict[str, Any]] = []
        self._said: queue.Queue[str | None] = queue.Queue()
        self.closed = threading.Event()
        self._exit, self.code = code, None

        def run() -> None:
            script(self)
            self._said.put(None)

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def say(self, **message: Any) -> None:
        self._said.put(json.dumps(message))

    def write(self, text: str) -> None:
        self.heard.put(text)

    def lines(self, *, within: float, idle: float = 0.02) -> Iterator[str | None]:
        end = time.monotonic() + within
        while True:
            try:
                line = self._said.get(timeout=idle)
            except queue.Empty:
                yield None
            else:
                if line is None:
                    self.code = self._exit  # type: ignore[assignment]
                    return
                yield line
            if time.monotonic() > end:
                raise LabError("did not end", "")

    def stderr(self) -> str:
        return "load: bad spec"

    def close(self) -> None:
        self.closed.set()

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


Pods = list[dict[str, Any]]
Words = list[str]


class Cluster:
    """As much of `Kube` as the measuring needs."""

    def __init__(self, script: Callable[[Program], None], code: int = 0, ready: bool = True) -> None:
        self._script, self._code, self._ready = script, code, ready
        self.program: Program | None = None
        self.command: Words = []

    def list(self, kind: str, namespace: str, selector: str) -> Pods:
        conditions = [{"type": "Ready", "status": str(self._ready)}]
        waiting = {"state": {"waiting": {"reason": "ErrImagePull"}}}
        status = {"phase": "Pending", "conditions": conditions, "containerStatuses": [waiting]}
        return [{"metadata": {"name": "load-1"}, "status": status}]

    def exec(self, name: str, namespace: str, command: Words) -> Program:
        self.command = command
        self.program = Program(self._script, self._code)
        return self.program


def whole(program: Program, count: int = 200, *, due: int | None = None) -> None:
    program.say(started=1)
    program.say(results=[row(seq) for seq in range(count)])
    program.say(done=True, stopped=False, due=count if due is None else due, sent=count, unfinished=0, seconds=2.0)


def until_stopped(program: Program) -> None:
    program.say(started=1)
    program.say(results=[row(seq) for seq in range(50)])
    program.heard.get(timeout=5)  # the specification
    assert program.heard.get(timeout=10) == "stop\n"
    program.say(results=[row(50), row(51, status=0)])
    program.say(done=True, stopped=True, due=53, sent=52, unfinished=0, seconds=0.52)


def until_aborted(program: Program) -> None:
    """What it sent hangs: told to stop, it waits for an answer."""
    program.say(started=1)
    program.say(results=[row(seq) for seq in range(50)])
    program.heard.get(timeout=5)  # the specification
    assert program.heard.get(timeout=10) == "stop\n"
    assert program.heard.get(timeout=10) == "abort\n"
    program.say(done=True, stopped=True, due=53, sent=52, unfinished=2, seconds=0.52)


def loading(cluster: Cluster, **given: Any) -> Load:
    return Load(cluster, URL, **{"rate": 100, "duration": 2, "body": {"rows": []}, **given})  # type: ignore[arg-type]


class TestLoad:
    def test_runs_to_its_end(self) -> None:
        cluster = Cluster(whole)

        async def check() -> LoadReport:
            async with loading(cluster, ramp_to=200, keepalive=True) as load:
                return await load.finished()

        seen = asyncio.run(check())
        assert (seen.sent, seen.good, seen.labels) == (200, 200, {"v1": 200})
        assert cluster.program and cluster.command == ["load", "attack"]
        spec = json.loads(cluster.program.heard.get_nowait())
        assert spec["url"] == URL and spec["body"] == '{"rows": []}' and spec["method"] == "POST"
        assert (spec["rate"], spec["to_rate"], spec["duration_s"], spec["keepalive"]) == (100, 200, 2, True)
        assert cluster.program.closed.wait(2)

    def test_it_may_begin_with_no_answers(self) -> None:
        def slow(program: Program) -> None:
            program.say(started=1)
            program.say(results=None)
            program.say(results=[row(0)])
            program.say(done=True, stopped=False, due=1, sent=1, unfinished=0, seconds=1.0)

        async def check() -> LoadReport:
            async with loading(Cluster(slow), rate=1, duration=1) as load:
                return await load.finished()

        assert asyncio.run(check()).sent == 1

    def test_headers_go_with_each_request(self) -> None:
        cluster = Cluster(whole)

        async def check() -> None:
            async with loading(cluster, headers={"X-API-Key": "k"}) as load:
                await load.finished()

        asyncio.run(check())
        assert cluster.program
        assert json.loads(cluster.program.heard.get_nowait())["headers"] == {"X-API-Key": "k"}

    def test_leaving_the_block_stops_it(self) -> None:
        cluster = Cluster(until_stopped)

        async def check() -> tuple[LoadReport, LoadReport]:
            async with loading(cluster, duration=300) as load:
                await asyncio.sleep(0.3)
                seen = load.seen
                with pytest.raises(RuntimeError, match="not ended"):
                    _ = load.report
            return seen, load.report

        began = time.monotonic()
        seen, done = asyncio.run(check())
        assert time.monotonic() - began < 2
        assert (seen.sent, done.sent, done.good, done.failed) == (50, 52, 51, 1)

    def test_a_stopped_one_waits_for_what_is_under_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(load_module, "_STOP_WITHIN", 0.3)

        def slow(program: Program) -> None:
            program.say(started=1)
            program.say(results=[row(seq) for seq in range(8)])
            program.heard.get(timeout=5)
            assert program.heard.get(timeout=10) == "stop\n"
            time.sleep(1)
            program.say(results=[row(8, status=0, error="Client.Timeout exceeded")])
            program.say(done=True, stopped=True, due=9, sent=9, unfinished=0, seconds=0.1)

        async def check() -> LoadReport:
            async with loading(Cluster(slow), duration=300, answer_within=1) as load:
                await asyncio.sleep(0.1)
            return load.report

        assert asyncio.run(check()).errors == {"no answer in time": 1}

    def test_requests_that_were_given_up_are_neither_good_nor_failed(self) -> None:
        def gives_up(program: Program) -> None:
            program.say(started=1)
            program.say(results=[row(seq) for seq in range(80)])
            program.say(done=True, stopped=True, due=120, sent=120, unfinished=40, seconds=15.0)

        async def check() -> None:
            async with loading(Cluster(gives_up), rate=8, duration=60):
                pass

        with pytest.raises(LabError, match="before 40 of 120 requests were answered or out of time"):
            asyncio.run(check())

    @pytest.mark.parametrize("leaving", [0, 0.4], ids=["inside the block", "while it is left"])
    def test_cancelling_aborts_it(self, leaving: float) -> None:
        cluster = Cluster(until_aborted)

        async def check() -> None:
            async with loading(cluster, duration=300):
                await asyncio.sleep(0 if leaving else 100)

        async def cancel() -> None:
            task = asyncio.create_task(check())
            await asyncio.sleep(0.3 + leaving)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        began = time.monotonic()
        asyncio.run(cancel())
        assert time.monotonic() - began < 2.3
        assert cluster.program and cluster.program.closed.wait(2)

    def test_one_that_does_not_obey_is_cut_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(load_module, "_STOP_WITHIN", 0.3)

        def deaf(program: Program) -> None:
            program.say(started=1)
            program.closed.wait(10)

        cluster = Cluster(deaf)

        async def check() -> None:
            async with loading(cluster, duration=300, answer_within=0.1):
                pass

        with pytest.raises(LabError, match="without a report"):
            asyncio.run(check())
        assert cluster.program and cluster.program.closed.is_set()

    def test_one_that_was_not_sent_as_planned_is_no_measurement(self) -> None:
        async def check() -> None:
            async with loading(Cluster(lambda program: whole(program, 200, due=300))) as load:
                await load.finished()

        with pytest.raises(LabError, match="200 of 300 requests were sent"):
            asyncio.run(check())

    def test_the_checks_own_failure_goes_first(self) -> None:
        async def check() -> None:
            async with loading(Cluster(lambda program: whole(program, 200, due=300))):
                await asyncio.sleep(0.1)
                raise Failure("a", "b", "c")

        with pytest.raises(Failure):
            asyncio.run(check())

    def test_silence_is_the_environments_fault(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(load_module, "_SILENT", 0.3)

        def silent(program: Program) -> None:
            program.say(started=1)
            program.closed.wait(10)

        async def check() -> None:
            async with loading(Cluster(silent)) as load:
                await load.finished()

        with pytest.raises(LabError, match="the load generator was silent"):
            asyncio.run(check())

    def test_a_refused_specification_tells_why(self) -> None:
        async def check() -> None:
            async with loading(Cluster(lambda program: None, code=2)):
                pass

        with pytest.raises(LabError, match="exit code 2") as raised:
            asyncio.run(check())
        assert raised.value.detail == "load: bad spec"

    def test_an_api_server_that_is_away(self) -> None:
        class Away(Cluster):
            def list(self, kind: str, namespace: str, selector: str) -> Pods:
                raise Unreachable("the API server does not answer", "lab status")

        async def check() -> None:
            async with loading(Away(whole)):
                pass

        with pytest.raises(Unreachable):
            asyncio.run(check())


class TestPod:
    def test_one_that_is_not_ready_is_told_with_its_state(self) -> None:
        with pytest.raises(LabError, match="load-1 is Pending ErrImagePull"):
            load_generator.load_pod(Cluster(whole, ready=False), within=0.1)  # type: ignore[arg-type]


def answering(**given: Any) -> Cluster:
    said = {"refused": "", "status": 200, "headers": {}, "body": "", "truncated": False, "seconds": 0.01, "error": ""}

    def answers(program: Program) -> None:
        while not program.closed.is_set():
            with contextlib.suppress(queue.Empty):
                question = json.loads(program.heard.get(timeout=0.1))
                program.asked.append(question)
                program.say(number=question["number"], **{**said, **given})

    return Cluster(answers)


class TestAsk:
    def test_answer(self) -> None:
        cluster = answering(body=base64.b64encode(b'{"a": 1}').decode(), headers={"server": "uvicorn"})
        got = asyncio.run(ask(cluster, "POST", URL, body={"rows": []}, within=3))  # type: ignore[arg-type]
        assert (got.status, got.json(), got.text, got.headers["server"]) == (200, {"a": 1}, '{"a": 1}', "uvicorn")
        assert cluster.program and cluster.command == ["load", "ask"]
        assert cluster.program.asked[0]["timeout_s"] == 3

    def test_one_program_asks_for_all_and_ends_when_nobody_asks(self) -> None:
        cluster = answering()
        who = Asking(cluster, idle=0.3)  # type: ignore[arg-type]

        async def several() -> list[Any]:
            return await asyncio.gather(*(asyncio.to_thread(who.ask, {"url": URL}, within=3) for _ in range(20)))

        assert len({said["number"] for said in asyncio.run(several())}) == 20
        first = cluster.program
        assert first and len(first.asked) == 20
        assert first.closed.wait(5)
        who.ask({"url": URL}, within=3)
        assert cluster.program is not first

    def test_what_the_program_refuses_is_no_answer(self) -> None:
        with pytest.raises(LabError, match="neither a Service"):
            asyncio.run(ask(answering(refused="url: neither a Service"), "GET", URL))  # type: ignore[arg-type]

    def test_all_who_wait_hear_that_the_program_has_ended(self) -> None:
        who = Asking(Cluster(lambda program: program.heard.get(timeout=5), code=137))  # type: ignore[arg-type, return-value]

        async def several() -> list[Any]:
            asked = (asyncio.to_thread(who.ask, {"url": URL}, within=3) for _ in range(3))
            return await asyncio.gather(*asked, return_exceptions=True)

        assert all("exit code 137" in str(said) for said in asyncio.run(several()))

    def test_what_is_not_json_is_the_learners_failure(self) -> None:
        got = asyncio.run(ask(answering(body=base64.b64encode(b"<html>").decode()), "GET", URL))  # type: ignore[arg-type]
        with pytest.raises(Failure, match="<html>"):
            got.json()
        with pytest.raises(Failure, match="<html>"):
            got.fields()
        assert got.fields_if_any == {}

    def test_json_that_is_no_object_has_no_fields(self) -> None:
        got = asyncio.run(ask(answering(body=base64.b64encode(b"[1]").decode()), "GET", URL))  # type: ignore[arg-type]
        with pytest.raises(Failure, match=r"a JSON object .*; saw status 200, \[1\]"):
            got.fields()
        assert (got.json(), got.fields_if_any) == ([1], {})

    def test_no_answer_is_an_answer_with_status_zero(self) -> None:
        got = asyncio.run(ask(answering(status=0, error="connection refused"), "GET", URL))  # type: ignore[arg-type]
        assert (got.status, got.error, got.shown) == (0, "connection refused", "no answer: connection refused")
        assert got.refused and not replace(got, seconds=8.0).refused and not replace(got, status=503).refused

    def test_an_answer_in_a_line(self) -> None:
        got = asyncio.run(ask(answering(status=500, body=base64.b64encode(b"a\n b" * 99).decode()), "GET", URL))  # type: ignore[arg-type]
        assert got.shown.startswith("status 500, a ba b") and got.shown.endswith("...") and len(got.shown) < 200

    def test_no_word_is_the_environments_fault(self) -> None:
        with pytest.raises(LabError, match="the load generator reported nothing"):
            asyncio.run(ask(Cluster(lambda program: None), "GET", URL))  # type: ignore[arg-type]

    def test_nonsense_is_the_environments_fault(self) -> None:
        class Garbled(Program):
            def lines(self, *, within: float, idle: float = 0.02) -> Iterator[str | None]:
                yield "OCI runtime exec failed"

        cluster = Cluster(whole)
        cluster.exec = lambda name, namespace, command: Garbled(whole)  # type: ignore[method-assign]
        with pytest.raises(LabError, match="not JSON"):
            asyncio.run(ask(cluster, "GET", URL))  # type: ignore[arg-type]


class TestDifference:
    def test_of_as_many_numbers(self) -> None:
        assert difference([0.5, 1, 0.25], [0.5, 0.5, 0.5]) == 0.5
        assert difference([], []) == 0

    @pytest.mark.parametrize("given", [None, "0.5", {"0": 0.5}, [0.5], ["0.5", 0.5], [True, 0.5], [10**400, 0.5]])
    def test_none_of_anything_else(self, given: Any) -> None:
        assert difference(given, [0.5, 0.5]) is None

    def test_infinite_where_one_is_nan_wherever_it_stands(self) -> None:
        assert math.inf == difference([math.nan, 0.5], [0.5, 0.5]) == difference([0.5, math.nan], [0.5, 0.5])


class TestHiddenRows:
    @pytest.fixture
    def made(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path))
        home = tmp_path / "cache" / "build" / TRAIN.replace("/", "-")
        (home / "abc").mkdir(parents=True)
        (home / "current").symlink_to("abc")
        whole = {"rows": [{"month": 1}, {"month": 2}], "auc": {"v1": 0.6, "v2": 0.7}}
        whole["probabilities"] = {"v1": [0.1, 0.2], "v2": [0.3, 0.4]}  # type: ignore[assignment]
        (home / "abc" / "hidden.json").write_text(json.dumps(whole))
        return home / "abc" / "hidden.json"

    def test_the_first_ones(self, made: Path) -> None:
        rows = hidden_rows(1)
        assert rows.body == {"rows": [{"month": 1}]}
        assert (rows.probabilities("v1"), rows.probabilities("v2"), rows.auc["v2"]) == ([0.1], [0.3], 0.7)
        with pytest.raises(ValueError, match="there are 2"):
            hidden_rows(3)

    def test_broken_or_missing_ones_say_what_to_do(self, made: Path) -> None:
        made.write_text("{")
        with pytest.raises(LabError, match="hidden flights is damaged"):
            hidden_rows(1)
        made.unlink()
        with pytest.raises(LabError, match="made with the images"):
            hidden_rows(1)
