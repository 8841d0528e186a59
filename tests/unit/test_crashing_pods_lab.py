"""Lab 20: what counts as memory of a pod, what a large request says, and what the lab's own programs promise."""

from __future__ import annotations

import asyncio
import hashlib
import http.server
import itertools
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from mlops_lab.base.paths import project
from mlops_lab.checks import Failure, Observation
from mlops_lab.checks.rooms.objects import Printed
from mlops_lab.kube.client import Object
from mlops_lab.kube.errors import Refused
from mlops_lab.kube.execs import NotStarted
from mlops_lab.measure.traffic.http import Answer
from tests.lab_programs import loaded
from tests.made_up import NothingThere, Platform, Room, made_up_lab
from tests.unit.kit.test_edge import certificate

FOLDER = project() / "labs" / "20-fix-crashing-pods"
SEED = [each for each in yaml.safe_load_all((FOLDER / "start" / "seed.yaml").read_text()) if each]
PROGRAMS: dict[str, str] = next(each["data"] for each in SEED if each["metadata"]["name"] == "programs")
PYTHON, TABLE, FEATURES = (
    9,
    28,
    500 / 16,
)  # MiB: what Python takes at least, and what the model's program says at its top


@pytest.fixture(scope="module")
def lab20() -> Any:
    """The lab's checker."""
    return loaded("20")


def limited(name: str, memory: str | None, **more: Any) -> Object:
    return {"name": name, "resources": {"limits": {"memory": memory} if memory else {}}, **more}


@pytest.mark.parametrize(
    ("spec", "mebibytes", "by", "without"),
    [
        ({"containers": [limited("a", "48Mi"), limited("b", "16Mi")]}, 64, "", []),
        ({"containers": [limited("a", "48Mi")], "initContainers": [limited("i", "64Mi")]}, 64, "init container i", []),
        ({"containers": [limited("a", "48Mi")], "initContainers": [limited("i", "40Mi")]}, 48, "", []),
        ({"containers": [limited("a", "48Mi")], "initContainers": [limited("i", "48Mi")]}, 48, "", []),
        (
            {"containers": [limited("a", "8Mi")], "initContainers": [limited("s", "8Mi", restartPolicy="Always")]},
            16,
            "",
            [],
        ),
        (
            {
                "containers": [limited("a", "8Mi")],
                "initContainers": [limited("s", "8Mi", restartPolicy="Always"), limited("i", "32Mi")],
            },
            40,
            "init container i, and those beside it",
            [],
        ),
        ({"containers": [limited("a", None)], "initContainers": [limited("i", None)]}, 0, "", ["a", "i"]),
        (
            {"containers": [limited("a", None)], "resources": {"limits": {"memory": "1Gi"}}},
            1024,
            "limit of the pod",
            [],
        ),
        ({"containers": [{"name": "a"}]}, 0, "", ["a"]),
        ({"containers": [limited("a", "0"), limited("b", "16Mi")]}, 16, "", ["a"]),
    ],
)
def test_the_memory_of_a_pod_is_what_it_may_take_at_most(
    lab20: Any, spec: Object, mebibytes: int, by: str, without: list[str]
) -> None:
    assert lab20.limit(spec) == (mebibytes * lab20.MIB, by)
    assert lab20.unlimited(spec) == without


def memory(*folders: Path) -> dict[str, float]:
    """The limit in MiB of each Deployment's container, as the files of folders leave it, one after the other."""
    found: dict[str, float] = {}
    for folder in folders:
        for file in sorted(folder.glob("*.yaml")):
            for each in yaml.safe_load_all(file.read_text()):
                if each and each["kind"] == "Deployment":
                    container = each["spec"]["template"]["spec"]["containers"][0]
                    if text := ((container.get("resources") or {}).get("limits") or {}).get("memory"):
                        found[each["metadata"]["name"]] = float(text.removesuffix("Mi"))
    return found


def test_the_model_ends_at_the_seed_s_limit_and_fits_the_solutions(lab20: Any) -> None:
    at_start = memory(FOLDER / "start")
    assert at_start["model"] < PYTHON + TABLE
    for solution in sorted((FOLDER / "solution").iterdir()):
        then = memory(FOLDER / "start", solution)
        assert then["model"] > PYTHON + TABLE + FEATURES + 8 and sum(then.values()) <= 256, solution.name
    mistake = (FOLDER / "wrong" / "forecasts--enough-to-start" / "variant.toml").read_text()
    assert PYTHON + TABLE + 8 < 64 < PYTHON + TABLE + FEATURES and "memory: 64Mi" in mistake


def test_rows_are_asked_for_on_both_sides_of_what_is_late(lab20: Any) -> None:
    assert {lab20.LATE_FROM, lab20.LATE_FROM - 1} <= {*lab20.ROUTES.values()}


def answer(status: int, body: Any, error: str = "") -> Answer:
    return Answer(status, {}, json.dumps(body).encode(), 0.1, error, "http://model/forecast")


class Pods(NothingThere):
    """A model's Deployment with one pod, whose container was started anew so often."""

    counts: Iterator[int]

    def named(self, kind: str, name: str) -> Any:
        owner = {"metadata": {"name": name, "uid": "d"}, "spec": {}}

        async def now() -> Object:
            return owner

        return Room(now=now, present=now)

    async def all(self, kind: str, selector: str = "") -> list[Any]:
        owned = {"controller": True, "uid": "d" if kind == "ReplicaSet" else "r"}
        metadata = {"name": "model-1", "uid": "r" if kind == "ReplicaSet" else "p", "ownerReferences": [owned]}
        status = {} if kind == "ReplicaSet" else {"containerStatuses": [{"restartCount": next(self.counts)}]}
        return [{"metadata": metadata, "spec": {}, "status": status}]

    async def evidence(self, kind: str, name: str) -> tuple[str, ...]:
        return ("Pod model-1: last exit code 137 (OOMKilled)",)


@pytest.mark.parametrize(
    ("last", "counts", "ok", "said"),
    [
        ("right", [3, 3], True, "3 answers; its container was started anew 0 times"),
        ("right", [3, 4], False, "started anew 1 times"),
        ("none", [3, 4], False, "request 3: no answer: EOF"),
        ("wrong", [3, 3], False, "request 3: status 200"),
    ],
)
def test_a_large_request_must_be_answered_each_time(
    lab20: Any, last: str, counts: list[int], ok: bool, said: str
) -> None:
    routes = ["EWR-ORD", "JFK-MCO"]
    right = answer(200, {"minutes": [lab20.ROUTES[each] for each in routes]})
    other = {"right": right, "none": answer(0, "", "EOF"), "wrong": answer(200, {"minutes": [1, 2]})}[last]
    answers = iter([right, right, other])

    async def post(*given: Any, **more: Any) -> Answer:
        return next(answers)

    lab = made_up_lab("20", objects=Pods(counts=iter(counts)), traffic=Room(post=post))
    seen = asyncio.run(lab20.large_requests(lab, routes))
    assert seen.ok is ok and said in seen.seen


@pytest.mark.parametrize("found", [None, [], {}, "x", [1], [[{"id": "a"}]]])
def test_an_answer_without_reports_holds_none(lab20: Any, found: Any) -> None:
    async def get(*given: Any, **more: Any) -> Answer:
        return answer(200, {"reports": found})

    assert asyncio.run(lab20.newest_reports(made_up_lab("20", traffic=Room(get=get)), 5)) == []


@pytest.mark.parametrize(
    ("line", "report"),
    [
        ("reported {'id': 'a', 'release': 'v2', 'minutes': -3}", {"id": "a", "release": "v2", "minutes": -3}),
        ("reported {'id': 'a', 'rel", {}),
        ("reported 'x'", {}),
        ("the book took no report: timed out", {}),
    ],
)
def test_a_line_of_the_collector_s_tells_of_a_report(lab20: Any, line: str, report: Object) -> None:
    assert lab20.reported(line) == report


def test_a_report_counts_that_the_collector_has_made(lab20: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = ({"id": each, "release": "v2", "minutes": 1} for each in ("own", "other"))
    told: list[list[Object]] = []

    async def owned(lab: Any, deployment: str) -> list[Object]:
        return [{"metadata": {"name": "collector-1"}, "spec": {"containers": [{"name": "collector"}]}}]

    async def lines(*given: Any, **more: Any) -> list[str]:
        return [f"reported {own}"]

    async def get(*given: Any, **more: Any) -> Answer:
        return answer(200, {"reports": told.pop(0)})

    for module in lab20._modules:
        for name, made in (("owned_pods", owned), ("last_lines", lines)):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, made)
    lab = made_up_lab("20", traffic=Room(get=get), objects=Pods())
    told[:] = [[], [own, other]]
    assert asyncio.run(lab20.delivered(lab)).value == own
    for before, then in (([], [other]), ([own], [own, other])):
        told[:] = [before, then]
        seen = asyncio.run(lab20.delivered(lab))
        assert not seen.ok and "'other'" in seen.seen


@pytest.mark.parametrize(
    ("book", "logged", "seen"),
    [
        (["old", "first", "second"], ["first", "second"], ""),
        (["first"], ["first"], ""),
        ([], [], ""),
        (["first", "other", "second"], ["first", "second"], "1 of 2, such as"),
        (["first", "slow", "second"], ["first", "timed out", "second"], ""),
    ],
)
def test_reports_of_nobody_else_come_in_after_one_of_the_collector_s(
    lab20: Any, monkeypatch: pytest.MonkeyPatch, book: list[str], logged: list[str], seen: str
) -> None:
    def report(number: str) -> Object:
        return {"id": number, "release": "v2", "minutes": 1}

    async def owned(lab: Any, deployment: str) -> list[Object]:
        return [{"metadata": {"name": "collector-1"}}]

    async def lines(*given: Any, **more: Any) -> list[str]:
        slow = "the book took no report: timed out"
        return [slow if each == "timed out" else f"reported {report(each)}" for each in logged]

    async def get(*given: Any, **more: Any) -> Answer:
        return answer(200, {"reports": [report(each) for each in book]})

    reports = loaded("20", "reports")
    monkeypatch.setattr(reports, "owned_pods", owned)
    monkeypatch.setattr(reports, "last_lines", lines)
    found = asyncio.run(reports.of_nobody_else(made_up_lab("20", traffic=Room(get=get)), report("first")))
    assert found.ok is not bool(seen) and seen in found.seen


def cronjob(command: str, config_map: str = "", **more: Any) -> Object:
    volumes = [{"name": "files", "configMap": {"name": config_map}}] if config_map else []
    pods = {"containers": [{"name": "job", "command": ["sh", "-c", command]}], "volumes": volumes}
    template = {"spec": {"template": {"spec": pods}}}
    return {"metadata": {"name": "nightly"}, "spec": {"schedule": "0 2 * * *", "jobTemplate": template, **more}}


@pytest.mark.parametrize(
    ("found", "reports_then", "started", "ok"),
    [
        ([], True, 0, True),
        ([cronjob("python3 /program/collector.py", "programs")], True, 1, False),
        ([cronjob("wget --post-data x http://book/reports")], True, 1, False),
        ([cronjob("wget -O /copy/today http://book/reports?last=1000")], False, 1, True),
        ([cronjob("python3 /files/nightly.py", "nightly")], True, 1, False),
        ([cronjob("python3 /files/nightly.py", "programs")], True, 0, True),
        ([cronjob("python3 /program/collector.py", suspend=True)], True, 0, True),
        ([cronjob("kubectl rollout restart deployment/board")], True, 0, True),
        ([cronjob("cat /book/reports.jsonl"), cronjob("curl -d x book/reports")], False, 2, True),
    ],
)
def test_a_cronjob_that_reports_is_somebody_else(
    monkeypatch: pytest.MonkeyPatch, found: list[Object], reports_then: bool, started: int, ok: bool
) -> None:
    reports, made, report = loaded("20", "reports"), list[str](), {"id": "own"}

    async def all_of(kind: str, selector: str = "") -> list[Object]:
        return found if kind == "CronJob" else []

    def named(kind: str, name: str) -> Any:
        async def now() -> Object | None:
            script = "urlopen('http://book/reports', b'{}')"
            return {"data": {"nightly.py": script}} if (kind, name) == ("ConfigMap", "nightly") else None

        return SimpleNamespace(now=now)

    @asynccontextmanager
    async def started_from(lab: Any, name: str) -> AsyncIterator[str]:
        made.append(name)
        yield f"{name}-check"

    async def ended(lab: Any, name: str, *, within: float) -> Observation:
        return Observation(False, "completed", "running")

    async def delivered(lab: Any) -> Observation:
        return Observation(True, "a new report", "it is", report)

    async def of_nobody_else(lab: Any, after: Object) -> Observation:
        assert after is report
        return Observation(not (made and reports_then), "no reports of others", "1 of 3")

    monkeypatch.setattr(reports.jobs, "started_from", started_from)
    monkeypatch.setattr(reports.jobs, "ended", ended)
    monkeypatch.setattr(reports, "delivered", delivered)
    monkeypatch.setattr(reports, "of_nobody_else", of_nobody_else)
    seen = asyncio.run(reports.of_no_cronjob(made_up_lab("20", objects=NothingThere(all=all_of, named=named))))
    assert (seen.ok, len(made)) == (ok, started)


def test_the_board_refuses_the_seed_s_settings() -> None:
    settings = next(each["data"] for each in SEED if each["metadata"]["name"] == "board-settings")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAMS["board.py"]], env={**os.environ, **settings}, capture_output=True, timeout=20
    )
    assert done.returncode == 1 and b"BOARD_LATE_FROM is '15 min'" in done.stderr


@pytest.fixture
def book(tmp_path: Path) -> Iterator[str]:
    """The book as the seed has it, with a line that was cut off, on a folder and a port of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "routes.json").write_text('{"EWR-ORD": 15}')
    (tmp_path / "reports.jsonl").write_text('{"id": "old"}\n{"id": "cut o')
    text = PROGRAMS["book.py"]
    for was, now in [
        ("/book/reports.jsonl", f"{tmp_path}/reports.jsonl"), ("/archive/routes.json", f"{tmp_path}/routes.json"),
        ("/tmp/hung", f"{tmp_path}/hung"), ("READ_SECONDS = 8", "READ_SECONDS = 0"),
        ('"0.0.0.0", 8080', f'"127.0.0.1", {port}'),
    ]:  # fmt: skip
        assert was in text
        text = text.replace(was, now)
    running = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.kill()
        running.wait()


def told(url: str, body: Any = None, within: float = 5) -> Any:
    with urllib.request.urlopen(url, body and json.dumps(body).encode(), timeout=within) as said:
        return json.load(said)


def opens(book: str) -> None:
    """Wait until it answers."""
    end = time.monotonic() + 10
    while True:
        try:
            assert told(f"{book}/alive") == {"alive": True}
            break
        except urllib.error.URLError:
            assert time.monotonic() < end
            time.sleep(0.05)


def test_the_book_keeps_reports_and_answers_nobody_while_it_hangs(book: str, tmp_path: Path) -> None:
    end = time.monotonic() + 10
    while True:
        try:
            assert told(f"{book}/routes") == {"EWR-ORD": 15}
            break
        except urllib.error.URLError:
            assert time.monotonic() < end
            time.sleep(0.05)
    assert told(f"{book}/reports") == {"reports": [{"id": "old"}]}
    told(f"{book}/reports", {"id": "new"})
    assert told(f"{book}/reports?last=1") == told(f"{book}/reports?id=new") == {"reports": [{"id": "new"}]}
    assert (tmp_path / "reports.jsonl").read_text().endswith('{"id": "new"}\n')
    (tmp_path / "hung").touch()
    with pytest.raises(TimeoutError):
        told(f"{book}/alive", within=0.2)
    (tmp_path / "hung").unlink()
    assert told(f"{book}/alive") == {"alive": True}


def test_the_book_hangs_without_a_file_as_well(lab20: Any, book: str, tmp_path: Path) -> None:
    opens(book)
    # Of this test's book alone: another one may run beside it.
    text = lab20.STUCK.replace(
        'b"/program/book.py" in each.read_bytes().split(bytes(1))', f'b"{tmp_path}/hung" in each.read_bytes()'
    )
    assert text != lab20.STUCK
    assert subprocess.run([sys.executable, "-"], input=text.encode(), timeout=20).returncode == 0
    with pytest.raises(TimeoutError):
        told(f"{book}/alive", within=0.5)
    assert not (tmp_path / "hung").exists()


@pytest.mark.parametrize(
    ("probe", "said"),
    [
        ({"httpGet": {"path": "/alive", "port": "web"}}, ""),
        ({"httpGet": {"path": "routes?all=1", "port": "web"}}, ""),
        ({"httpGet": {"path": "/ready", "port": "web"}}, "HTTP Error 404"),
        ({"httpGet": {"path": "/alive", "port": 1}}, "refused"),
        ({"httpGet": {"path": "/alive", "port": "web", "scheme": "HTTPS"}}, "SSL"),
        ({"httpGet": {"path": "/alive", "port": "nobodys"}}, ""),
        ({"exec": {"command": ["true"]}}, ""),
        ({"exec": {"command": ["false"]}}, "exit code 1"),
        ({"exec": {"command": ["no-such-program"]}}, ""),
        ({"tcpSocket": {"port": "web"}}, ""),
        ({"tcpSocket": {"port": 1}}, "refused"),
        ({"tcpSocket": {"port": "nobodys"}}, ""),
        (None, ""),
    ],
)
def test_a_liveness_probe_leaves_a_book_alone_that_answers(
    book: str, monkeypatch: pytest.MonkeyPatch, probe: Object | None, said: str
) -> None:
    ports = [{"name": "web", "containerPort": int(book.rpartition(":")[2])}]
    container = {"name": "book", "livenessProbe": probe, "ports": ports}

    async def owned(lab: Any, deployment: str) -> list[Object]:
        return [{"metadata": {"name": "book-1"}, "spec": {"containers": [container]}}]

    async def printed(lab: Any, pod: Object, *command: str, container: str) -> Printed:
        assert container == "book"
        words = [sys.executable if each == "python3" else each for each in command]
        try:
            done = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True, timeout=20)
        except FileNotFoundError as missing:
            raise NotStarted(str(missing), "") from missing
        return Printed(done.returncode, done.stdout.splitlines(), done.stderr)

    opens(book)
    scenario = loaded("20", "scenario")
    monkeypatch.setattr(scenario, "owned_pods", owned)
    monkeypatch.setattr(scenario, "printed", printed)
    with pytest.raises(Failure) if said else nullcontext() as raised:
        asyncio.run(scenario.must_leave_it_alone(made_up_lab("20")))
    assert not said or said in raised.value.seen


def test_whoever_answers_a_probe_by_tls_need_not_prove_who_it_is(tmp_path: Path) -> None:
    class Alive(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/alive" else 404)
            self.end_headers()

        def log_message(self, *words: Any) -> None: ...

    (tmp_path / "both.pem").write_text("".join(certificate("book")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Alive) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for path, code in (("/alive", 0), ("/ready", 1)):
            get = {"path": path, "port": server.server_port, "scheme": "HTTPS"}
            _, *words = loaded("20", "scenario").in_its_place({"livenessProbe": {"httpGet": get}})
            assert subprocess.run([sys.executable, *words], capture_output=True, timeout=20).returncode == code
        server.shutdown()


TEN_BY_THREE = {"periodSeconds": 10, "timeoutSeconds": 3, "failureThreshold": 3}


@pytest.mark.parametrize(
    ("probe", "grace", "then", "within", "seen"),
    [
        ({"grpc": {"port": 8080}, **TEN_BY_THREE}, 1, "restarts", 36, "has ended in the 36 s"),
        ({"grpc": {"port": 8080}, **TEN_BY_THREE}, 1, "ends", 36, "has ended in the 36 s"),
        ({"grpc": {"port": 8080}, **TEN_BY_THREE}, 1, "runs", 36, ""),
        ({"grpc": {"port": 8080}, **TEN_BY_THREE}, 1, "is gone", 36, ""),
        ({"grpc": {"port": 8080}, **TEN_BY_THREE}, 1, "is leaving", 36, ""),
        ({"grpc": {"port": 8080}, **TEN_BY_THREE, "initialDelaySeconds": 5}, 10, "runs", 50, ""),
        ({"grpc": {"port": 8080}}, 30, "runs", 60, ""),
        ({"httpGet": {"path": "/", "port": 80, "host": "10.0.0.9"}}, 1, "restarts", 34, "has ended in the 34 s"),
        ({"tcpSocket": {"port": 80, "host": "10.0.0.9"}}, 1, "restarts", 34, "has ended in the 34 s"),
    ],
)
def test_a_book_whose_probe_asks_from_elsewhere_is_watched(
    monkeypatch: pytest.MonkeyPatch, probe: Object, grace: int, then: str, within: int, seen: str
) -> None:
    def pod(restarts: int, state: str = "running", **metadata: Any) -> Object:
        statuses = [{"name": "book", "restartCount": restarts, "state": {state: {}}}]
        return {
            "metadata": {"name": "book-1", **metadata},
            "spec": {
                "containers": [{"name": "book", "livenessProbe": probe}],
                "terminationGracePeriodSeconds": grace,
            },
            "status": {"containerStatuses": statuses},
        }

    later = {
        "restarts": pod(3),
        "ends": pod(2, "terminated"),
        "runs": pod(2),
        "is gone": None,
        "is leaving": pod(2, "terminated", deletionTimestamp="2026-01-01T00:00:00Z"),
    }[then]
    watched: list[float] = []

    class Book(NothingThere):
        def named(self, kind: str, name: str) -> Any:
            async def until(test: Any, *, expected: str, shown: Any, within: float) -> Observation:
                watched.append(within)
                return Observation(test(later), expected, shown(later))

            assert (kind, name) == ("Pod", "book-1")
            return Room(until=until)

        async def evidence(self, kind: str, name: str) -> tuple[str, ...]:
            return ("Liveness probe failed",)

    async def owned(lab: Any, deployment: str) -> list[Object]:
        return [pod(2)]

    scenario = loaded("20", "scenario")
    monkeypatch.setattr(scenario, "owned_pods", owned)
    with pytest.raises(Failure) if seen else nullcontext() as raised:
        asyncio.run(scenario.must_leave_it_alone(made_up_lab("20", objects=Book())))
    assert watched == [within] and (not seen or seen in raised.value.seen)


@pytest.mark.parametrize(
    ("probe", "code", "anew", "ok", "seen"),
    [
        ({"httpGet": {"path": "/alive", "port": 8080}}, 0, 0, True, "its liveness probe asks the book itself"),
        ({"httpGet": {"path": "/alive", "port": "web"}}, 0, 0, True, "its liveness probe asks the book itself"),
        ({"httpGet": {"path": "/", "port": 9090}}, 0, 0, False, "0 new containers"),
        ({"httpGet": {"path": "/", "port": 9090}}, 0, 1, True, "1 new containers"),
        ({"httpGet": {"path": "/", "port": 8080, "host": "10.0.0.9"}}, 0, 0, False, "0 new containers"),
        ({"tcpSocket": {"port": 9090}}, 0, 0, False, "0 new containers"),
        ({"exec": {"command": ["python3", "-c", "ask()"]}}, 0, 1, True, "1 new containers"),
        ({"exec": {"command": ["sh", "/alive/alive.sh"]}}, 0, 0, False, "0 new containers"),
        ({"exec": {"command": ["sh", "/alive/alive.sh"]}}, 1, 0, True, "it can't be made to hang so here"),
    ],
)
def test_whoever_the_probe_asks_must_notice_a_book_that_hangs_without_a_file(
    monkeypatch: pytest.MonkeyPatch, probe: Object, code: int, anew: int, ok: bool, seen: str
) -> None:
    killed: list[str] = []

    def pod(restarts: int) -> Object:
        first = {"name": "book", "livenessProbe": probe, "ports": [{"name": "web", "containerPort": 8080}]}
        statuses = [{"name": "book", "restartCount": restarts}]
        return {
            "metadata": {"name": "book-1"},
            "spec": {"containers": [first]},
            "status": {"containerStatuses": statuses},
        }

    class Book(NothingThere):
        def named(self, kind: str, name: str) -> Any:
            async def present() -> Object:
                return pod(0)

            async def until(test: Any, *, expected: str, shown: Any, within: float) -> Observation:
                then = pod(anew)
                return Observation(test(then), expected, shown(then))

            return Room(now=present, present=present, until=until)

        async def run_in(self, pod: str, *command: str, **more: Any) -> Printed:
            assert command[0] == "python3"
            return Printed(code, [], "")

        async def kill(self, pod: str, grace: int | None = None) -> None:
            killed.append(pod)

    async def owned(lab: Any, deployment: str) -> list[Object]:
        return [pod(0)]

    async def fresh(*given: Any, **more: Any) -> str:
        return "book-1"

    scenario = loaded("20", "scenario")
    for named, made in (("owned_pods", owned), ("_fresh", fresh), ("rolled_out", fresh)):
        monkeypatch.setattr(scenario, named, made)
    found = asyncio.run(scenario.hung_without_a_file(made_up_lab("20", objects=Book())))
    assert found.ok is ok and found.seen == seen
    assert killed == ([] if ok else ["book-1"])


def test_a_deployment_without_pods_takes_what_its_template_says(lab20: Any) -> None:
    waits = limited("wait-for-book", "112Mi")
    template = {"spec": {"containers": [limited("a", "80Mi")], "initContainers": [waits]}}

    class Scaled(Pods):
        def named(self, kind: str, name: str) -> Any:
            async def now() -> Object:
                return {"metadata": {"name": name, "uid": "d"}, "spec": {"template": template}}

            return Room(now=now, present=now)

        async def all(self, kind: str, selector: str = "") -> list[Any]:
            return []

    limits, total, lines = asyncio.run(lab20.accounted(made_up_lab("20", objects=Scaled())))
    assert limits.ok and total == 448 * lab20.MIB and len(lines) == 4
    assert lines[-1] == "Pod of model, the next one: 112Mi (init container wait-for-book)"


@pytest.mark.parametrize(
    ("pods", "next_one", "of_all"),
    [("40Mi", "80Mi", 320), ("96Mi", "80Mi", 384), (None, "80Mi", 320), ("80Mi", None, 320)],
)
def test_a_limit_that_a_pod_was_given_while_it_runs_is_not_the_next_one_s(
    monkeypatch: pytest.MonkeyPatch, pods: str | None, next_one: str | None, of_all: int
) -> None:
    template = {"spec": {"containers": [limited("a", next_one)]}}

    async def owned(lab: Any, deployment: str) -> list[Object]:
        return [{"metadata": {"name": deployment}, "spec": {"containers": [limited("a", pods)]}}]

    class Resized(NothingThere):
        def deployment(self, name: str) -> Any:
            async def present() -> Object:
                return {"metadata": {"name": name}, "spec": {"template": template}}

            return Room(present=present)

    budget = loaded("20", "budget")
    monkeypatch.setattr(budget, "owned_pods", owned)
    limits, total, _ = asyncio.run(budget.accounted(made_up_lab("20", objects=Resized())))
    assert limits.ok is (None not in (pods, next_one)) and total == of_all * budget.MIB


@pytest.mark.parametrize(
    ("probe", "seconds"),
    [
        ({}, 31),
        ({"periodSeconds": 2, "timeoutSeconds": 3, "failureThreshold": 4}, 14),
        ({"periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 4}, 45),
        ({"periodSeconds": 15, "timeoutSeconds": 3}, 48),
        ({"periodSeconds": 25, "timeoutSeconds": 3, "failureThreshold": 2}, 53),
    ],
)
def test_a_book_may_hang_just_after_a_good_answer(lab20: Any, probe: Object, seconds: int) -> None:
    assert lab20.silent_at_worst(probe) == seconds


@pytest.mark.parametrize(
    ("of_the_pod", "of_the_probe", "exit_code", "seconds"),
    [
        (1, None, 137, 15),
        (30, None, 137, 44),
        (None, None, 137, 44),
        (60, 1, 137, 15),
        (1, 60, 137, 74),
        (30, None, 0, 14),  # it ended when it was told to
        (30, None, None, 14),
    ],
)
def test_a_book_that_has_to_be_killed_takes_its_grace_period_as_well(
    lab20: Any, of_the_pod: int | None, of_the_probe: int | None, exit_code: int | None, seconds: int
) -> None:
    def told(grace: int | None) -> Object:
        return {} if grace is None else {"terminationGracePeriodSeconds": grace}

    probe = {"periodSeconds": 2, "timeoutSeconds": 3, "failureThreshold": 4, **told(of_the_probe)}
    before = {} if exit_code is None else {"terminated": {"exitCode": exit_code}}
    beside = {"name": "watch", "lastState": {"terminated": {"exitCode": 137}}}
    pod = {
        "spec": {"containers": [{"name": "book", "livenessProbe": probe}, {"name": "watch"}], **told(of_the_pod)},
        "status": {"containerStatuses": [beside, {"name": "book", "lastState": before}]},
    }
    assert lab20.ended_at_worst(pod) == seconds


@pytest.mark.parametrize(
    ("books", "later", "ok"),
    [
        ([["a", "b"]], "b", True),
        ([["a", "b"], ["a"]], "b", False),
        ([["b", "c"], ["b"]], "b", True),
        ([["b", "c"], ["b"]], "c", False),  # the board asks either of them
        ([["a", "b"], ["b", "c"]], "b", True),
        ([["a", "b"], None], "b", True),  # who gives no answer says nothing
        ([None], "b", False),
    ],
)
def test_the_newest_report_is_in_the_book_whichever_of_their_pods_are_asked(
    lab20: Any, books: list[list[str] | None], later: str, ok: bool
) -> None:
    asked = itertools.cycle(books)

    async def get(service: str, *given: Any, **more: Any) -> Answer:
        if service == "board":
            return answer(200, {"newest": {"id": later}})
        found = next(asked)
        return answer(503, {}) if found is None else answer(200, {"reports": [{"id": each} for each in found]})

    shown = answer(200, {"newest": {"id": "b"}})
    assert asyncio.run(lab20.shows_newest(made_up_lab("20", traffic=Room(get=get)), shown)).ok is ok


@pytest.mark.parametrize(
    ("image", "registry", "known", "ok"),
    [
        ("localhost:5001/flight-delay:v2", "localhost:5001", "sha256:0", True),
        ("localhost:5001/flight-delay@sha256:0", "localhost:5001", "sha256:0", True),
        ("localhost:5001/flight-delay:v2@sha256:0", "localhost:5001", "sha256:0", True),
        ("localhost:5001/flight-delay:v02@sha256:0", "localhost:5001", "sha256:0", True),  # the tag says nothing then
        ("localhost:5001/flight-delay:v02", "localhost:5001", "sha256:0", False),
        ("localhost:5001/flight-delay:v2b", "localhost:5001", "sha256:0", False),
        ("localhost:5001/my/flight-delay:v2", "localhost:5001", "sha256:0", False),
        ("localhost:5001/flight-delay@sha256:1", "localhost:5001", "sha256:0", False),
        ("localhost:5001/flight-delay:v2@sha256:1", "localhost:5001", "sha256:0", False),
        ("localhost:5001/flight-delay@sha256:2", "localhost:5001", "sha256:0", True),  # the same, pulled by another tag
        ("localhost:5001/flight-delay@sha256:1", "localhost:5001", "", True),  # a grader does not reach the registry
        ("registry.example/flight-delay:v2", "registry.example", None, True),
        ("registry.example/flight-delay:v2b", "registry.example", None, True),
        ("registry.example/flight-delay:v02", "registry.example", None, False),
        ("registry.example/flight-delay:v02@sha256:1", "registry.example", None, True),
    ],
)
def test_an_image_that_was_pushed_for_the_collector_is_not_its_own(
    monkeypatch: pytest.MonkeyPatch, image: str, registry: str, known: str | None, ok: bool
) -> None:
    async def owned(lab: Any, deployment: str) -> list[Object]:
        return [{"metadata": {"name": f"{deployment}-1"}, "spec": {"containers": [{"image": image}]}}]

    class Nodes(NothingThere):
        async def all(self, kind: str, selector: str = "") -> list[Any]:
            assert kind == "Node"
            names = ["localhost:5001/flight-delay@sha256:2", "localhost:5001/flight-delay@sha256:0"]
            pulled = [{"names": ["localhost:5001/flight-delay@sha256:1"]}, {"names": names}, {"names": None}]
            return [{"status": {}}, {"status": {"images": pulled}}]

    async def digest(lab: Any, name: str) -> str:
        assert name == "flight-delay:v2" and known is not None, "another registry is not asked"
        return known

    outside = loaded("20", "outside")
    monkeypatch.setattr(outside, "owned_pods", owned)
    monkeypatch.setattr(outside.pushed, "digest", digest)
    lab = made_up_lab("20", platform=Platform(registry=registry), objects=Nodes())
    found = asyncio.run(outside.of_an_image_that_was_there(lab, "v2"))
    assert found.ok is ok and (ok or image in found.seen)


@pytest.mark.parametrize(
    ("more", "files", "said"),
    [
        ({}, ["book.py", "collector.py"], ""),
        ({"image": "localhost:5001/other:1", "env": [{"name": "A", "value": "1"}]}, ["collector.py"], ""),
        ({"volumeMounts": [{"name": "m", "mountPath": "/data"}]}, ["collector.py"], ""),
        ({"volumeMounts": [{"name": "m", "mountPath": "/model"}]}, ["collector.py"], "something mounted at /model"),
        ({}, ["book.py"], "it is another program"),
        ({}, ["collector.py", "json.py"], "beside them /program/json.py"),
        ({"args": ["-v"]}, ["collector.py"], "by: python3 /program/collector.py -v"),
        ({"envFrom": [{"configMapRef": {"name": "more"}}]}, ["collector.py"], "a variable PYTHONPATH"),
        ({"envFrom": [{"configMapRef": {"name": "more"}, "prefix": "A_"}]}, ["collector.py"], ""),
    ],
)
def test_the_given_program_has_nothing_laid_over_it(
    lab20: Any, monkeypatch: pytest.MonkeyPatch, more: Object, files: list[str], said: str
) -> None:
    container = {"name": "c", "command": ["python3", "/program/collector.py"], **more}

    async def owned(lab: Any, deployment: str) -> list[Object]:
        return [{"metadata": {"name": "collector-1"}, "spec": {"containers": [container]}}]

    async def printed(*given: Any, **named: Any) -> Any:
        digests = {each: hashlib.sha256(PROGRAMS.get(each, "").encode()).hexdigest() for each in files}
        return Printed(0, [f"{digest}  /program/{each}" for each, digest in digests.items()], "")

    def named(kind: str, name: str) -> Any:
        async def now() -> Object:
            return {"data": {"PYTHONPATH": "/more", "TITLE": "x"}}

        return Room(now=now)

    for module in lab20._modules:
        for name, made in (("owned_pods", owned), ("printed", printed)):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, made)
    with pytest.raises(Failure) if said else nullcontext() as raised:
        asyncio.run(lab20.must_run_as_given(made_up_lab("20", objects=NothingThere(named=named)), "collector"))
    assert not said or said in raised.value.seen


@pytest.mark.parametrize(
    ("volume", "claim", "seen"),
    [
        ({"persistentVolumeClaim": {"claimName": "c"}}, {"storageClassName": "standard"}, ""),
        ({"persistentVolumeClaim": {"claimName": "c"}}, {}, ""),
        ({"persistentVolumeClaim": {"claimName": "c"}}, {"storageClassName": "flights-nvme"}, "class flights-nvme"),
        ({"persistentVolumeClaim": {"claimName": "c"}}, {"storageClassName": ""}, "claim c is of no class"),
        ({"hostPath": {"path": "/tmp/book"}}, {}, "volume book is one"),
        ({"ephemeral": {}}, {}, ""),
    ],
)
def test_the_book_s_volume_is_of_the_namespace(
    monkeypatch: pytest.MonkeyPatch, volume: Object, claim: Object, seen: str
) -> None:
    async def owned(lab: Any, deployment: str) -> list[Object]:
        return [{"spec": {"volumes": [{"name": "book", **volume}]}}]

    class Claims(NothingThere):
        def named(self, kind: str, name: str) -> Any:
            async def now() -> Object | None:
                return {"spec": claim} if kind == "PersistentVolumeClaim" else None

            return Room(now=now)

    outside = loaded("20", "outside")
    monkeypatch.setattr(outside, "owned_pods", owned)
    with pytest.raises(Failure) if seen else nullcontext() as raised:
        asyncio.run(outside.must_have_a_volume_of_the_clusters(made_up_lab("20", objects=Claims())))
    assert not seen or seen in raised.value.seen


YESTERDAY, BEGAN, SINCE = "2026-01-01T09:00:00Z", "2026-01-02T09:00:00Z", "2026-01-02T09:05:00Z"
FOR_IT, BY_IT = "volume.kubernetes.io/storage-provisioner", "pv.kubernetes.io/provisioned-by"


def made_at(at: str, *marks: str) -> Object:
    return {"metadata": {"creationTimestamp": at, "annotations": dict.fromkeys(marks, "some.example/csi")}}


@pytest.mark.parametrize(
    ("of", "marks", "storage_class", "volume", "seen"),
    [
        ("standard", [FOR_IT], made_at(YESTERDAY), made_at(SINCE, BY_IT), ""),
        ("standard", [FOR_IT], made_at(BEGAN), made_at(SINCE, BY_IT), ""),
        ("standard", [FOR_IT], 403, 403, ""),
        ("standard", [], 403, 403, ""),
        ("standard", [], made_at(YESTERDAY), made_at(SINCE, BY_IT), ""),
        ("standard", [FOR_IT], made_at(YESTERDAY), made_at(SINCE), ""),
        ("standard", [], made_at(YESTERDAY), made_at(SINCE), "volume v was made by hand"),
        ("shelf", [], made_at(YESTERDAY), made_at(YESTERDAY), ""),  # whoever runs the cluster has made some by hand
        ("shelf", [], None, made_at(YESTERDAY), ""),
        ("manual", [], None, made_at(SINCE), "volume v was made by hand"),
        ("manual", [], 403, made_at(SINCE), "volume v was made by hand"),
        ("flights-ssd", [FOR_IT], made_at(SINCE), made_at(SINCE, BY_IT), "class flights-ssd was made after"),
        ("flights-ssd", [], made_at(SINCE), made_at(SINCE), "class flights-ssd was made after"),
        ("flights-ssd", [FOR_IT], made_at(SINCE), 403, "class flights-ssd was made after"),
        ("flights-ssd", [FOR_IT], None, made_at(SINCE, BY_IT), "there is no such class"),
        (None, [FOR_IT], None, made_at(SINCE, BY_IT), ""),
    ],
)
def test_the_book_s_volume_is_of_what_the_cluster_had_when_the_lab_began(
    of: str | None, marks: list[str], storage_class: Object | int | None, volume: Object | int | None, seen: str
) -> None:
    there = {("StorageClass", of): storage_class, ("PersistentVolume", "v"): volume}

    class Cluster(NothingThere):
        def named(self, kind: str, name: str) -> Any:
            async def now() -> Object | None:
                found = there[kind, name]
                if isinstance(found, int):
                    raise Refused(f"{kind} {name}: forbidden", "", found)
                return found

            return Room(now=now)

        async def all(self, kind: str, selector: str = "") -> list[Any]:
            return [made_at(SINCE), made_at(BEGAN)]

    claim = made_at(SINCE, *marks) | {"spec": {"storageClassName": of, "volumeName": "v"}}
    said = asyncio.run(loaded("20", "outside").made_since(made_up_lab("20", objects=Cluster()), claim))
    assert (seen in said) if seen else not said


def test_a_cluster_that_does_not_tell_of_a_class_is_no_failure_of_the_learner_s() -> None:
    class Cluster(NothingThere):
        def named(self, kind: str, name: str) -> Any:
            async def now() -> Object | None:
                raise Refused(f"{kind} {name}: too much to do", "", 429)

            return Room(now=now)

    claim = {"spec": {"storageClassName": "standard"}}
    with pytest.raises(Refused):
        asyncio.run(loaded("20", "outside").made_since(made_up_lab("20", objects=Cluster()), claim))


def test_the_book_that_hangs_is_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    pods, killed, asked = ["book-1", "book-2"], [], []
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}

    async def owned(lab: Any, deployment: str) -> list[Object]:
        return [{"metadata": {"name": each}, "status": ready} for each in pods]

    class Book(NothingThere):
        async def kill(self, pod: str, grace: int | None = None) -> None:
            killed.append(pod)
            pods[:] = ["book-3"]

    async def get(service: str, path: str, **more: Any) -> Answer:
        asked.append(path)
        return answer(200, {})

    async def first_answer(ask: Any, *right: Any, within: float) -> Answer:
        found: Answer = await ask()
        return found

    async def some(lab: Any, service: str) -> str:
        return pods[0]

    scenario = loaded("20", "scenario")
    monkeypatch.setattr(scenario, "owned_pods", owned)
    monkeypatch.setattr(scenario, "some_pod", some)
    lab = made_up_lab("20", objects=Book(), traffic=Room(get=get, first_answer=first_answer))
    assert asyncio.run(scenario._fresh(lab)) == "book-3"
    assert killed == ["book-1", "book-2"] and asked == ["/routes"]
