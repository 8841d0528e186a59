"""A desk without a cluster: labs whose checks look at files, an exam that a test winds, and a browser's requests."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import AsyncMock

import websocket

from mlops_lab.base.errors import Failure, LabError
from mlops_lab.checks import current
from mlops_lab.checks.check import Check
from mlops_lab.checks.verdicts import Result, Verdict
from mlops_lab.desk.desk import Desk
from mlops_lab.desk.server import serving
from mlops_lab.desk.sitting import Sheet, Sitting, Task
from mlops_lab.labs.catalog import About, Exercise
from mlops_lab.labs.rows import View
from mlops_lab.labs.workspace import folder_of
from mlops_lab.learner.changes import Change
from mlops_lab.learner.path import Course
from mlops_lab.learner.records import Records
from mlops_lab.learner.watch import Watch
from mlops_lab.measure.traffic.report import LoadReport, Request

_PATIENCE = 30.0  # s that anything may take while others use the machine
EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>'
README = f"""# 04 Deploy

Deploy it. {EVIL} [docs](https://kubernetes.io/docs/) [here](../../secret.md) [run](javascript:alert(1))

    kubectl apply -f deployment.yaml

| request | answer |
|---|---|
| `GET /healthz` | 200 |
"""


def load_of(count: int = 120) -> LoadReport:
    """A load of a minute in which the middle was slow and some requests failed."""
    asked = [
        Request(
            n * 0.5, 0.001, 0.02 + (0.4 if 40 < n < 60 else 0.01 * (n % 5)), 0 if n in (50, 51) else 200, "", "lost"
        )
        for n in range(count)
    ]
    return LoadReport(tuple(asked), count, count, 0, 60.0, 200)


def checks_on(folder: Path) -> list[Check]:
    """One that looks whether a file is there, and one that sends a load and looks what is in it."""

    async def deployed(lab: Any) -> None:
        if not (folder / "deployment.yaml").exists():
            raise Failure("a Deployment named model", f"none in this namespace {EVIL}", "nothing was applied yet")

    async def survives(lab: Any) -> None:
        current.trace().load("http://model/predict", "2 requests a second", load_of)
        if "replicas: 2" not in (folder / "deployment.yaml").read_text():
            raise Failure("at most 1 failed request", "2 failed", "a single pod was deleted, and no other served")

    quick = Check("deployed", "The model is deployed.", deployed, 2, (), ("ckad/deployment",))
    return [quick, Check("survives_a_kill", "It survives the loss of a pod.", survives, 3, (quick,), (), owns="model")]


@dataclass
class FakeCluster:
    """What would be done on a cluster, done in the workspace.

    Attributes:
        trouble: is raised instead.
        silent: seconds that it takes to tell what leads to nodes.
        putting_back: seconds that checks take to put back what they changed.
        leads: what terminals have to lead to nodes.
    """

    leads: Mapping[str, str] = field(default_factory=dict)
    trouble: LabError | None = None
    silent: float = 0.0
    putting_back: float = 0.0
    watches: int = 0
    watch: Watch | None = None

    def start(self, exercise: Exercise, records: Records, say: Callable[[str], None]) -> None:
        if self.trouble:
            raise self.trouble
        folder = folder_of(exercise)
        (folder / ".lab").mkdir(parents=True, exist_ok=True)
        (folder / ".lab" / "kubeconfig").write_text("apiVersion: v1\nkind: Config\n")
        records.start(exercise.number, folder)

    def reset(self, exercise: Exercise, records: Records, say: Callable[[str], None]) -> None:
        for file in folder_of(exercise).glob("*.yaml"):
            file.unlink()
        self.start(exercise, records, say)

    @contextlib.contextmanager
    def watched(
        self, exercise: Exercise, checks: Sequence[Check], records: Records, view: View, kept: Callable[[], None]
    ) -> Iterator[Watch]:
        if self.trouble:
            raise self.trouble

        def keep(results: list[Result]) -> None:
            records.attempt(exercise.number, results, whole=True)
            kept()

        lab = cast(Any, SimpleNamespace(end=AsyncMock(), work=SimpleNamespace(runs_program=False)))
        self.watch = Watch(checks, lambda: lab, list, lambda: "", view, keep)
        self.watches += 1
        yield self.watch
        time.sleep(self.putting_back)
        self.watches -= 1

    def environment(self, exercise: Exercise) -> Mapping[str, str]:
        time.sleep(self.silent)
        return self.leads

    def changed(self) -> None:
        """The learner saved a file."""
        assert self.watch
        self.watch.notify(Change("file deployment.yaml", is_file=True))


@dataclass(frozen=True)
class FakeTask:
    number: int
    title: str
    weight: int
    minutes: int
    domain: str
    text: str
    workspace: Path
    namespace: str
    kubeconfig: Path
    environment: Mapping[str, str]
    flagged: bool = False
    note: str = ""


@dataclass(frozen=True)
class FakeDomainScore:
    name: str
    earned: float
    possible: float


@dataclass(frozen=True)
class FakeTaskScore:
    number: int
    title: str
    weight: int
    earned: float
    results: Sequence[Result]
    left_out: bool
    solution: Mapping[str, str]


@dataclass(frozen=True)
class FakeSheet:
    score: float
    needed: float
    passed: bool
    domains: Sequence[FakeDomainScore]
    tasks: Sequence[FakeTaskScore]


class FakeSitting:
    """An exam of three tasks, of which a test winds the clock."""

    name = "cka"

    def __init__(self, root: Path, practice: bool = False) -> None:
        self.practice, self.left, self.submitted, self.graded = practice, 7200.0, 0, False
        self.broken: LabError | None = None
        self.standing, self.kept, self.cleared = "", root / "exam.20260101-100000", True
        (root / "task").mkdir(parents=True, exist_ok=True)
        text = "# 1 Volumes\n\nMake a *StorageClass* named `fast`. " + EVIL
        own = {"PATH": str(root / "exams-own")}
        self._tasks = [
            FakeTask(n, title, weight, 7, domain, text, root / "task", f"exam-{n}", root / "task" / "kubeconfig", own)
            for n, title, weight, domain in (
                (1, "A volume that grows", 6, "cka/storage"),
                (2, "A node that is not ready", 8, "cka/troubleshooting"),
                (3, "Who may read secrets", 4, "cka/cluster-architecture"),
            )
        ]

    def tasks(self) -> Sequence[Task]:
        return list(self._tasks)

    def seconds_left(self) -> float:
        return 0.0 if self.graded else self.left

    def flag(self, number: int, on: bool) -> None:
        self._change(number, flagged=on)

    def write_note(self, number: int, text: str) -> None:
        self._change(number, note=text)

    def check(self, number: int) -> Sequence[Result]:
        return self._results()

    def hints(self, number: int) -> Sequence[str]:
        return ["Look at the **events**."]

    def submit(self) -> None:
        self.submitted += 1
        if self.broken:
            raise self.broken
        self.graded = True

    def ended(self) -> bool:
        return self.graded and self.cleared

    def sheet(self) -> Sheet | None:
        if not self.graded:
            return None
        scores = [FakeTaskScore(each.number, each.title, each.weight, each.weight / 2, self._results(), False,
                            {"storageclass.yaml": "kind: StorageClass\n"}) for each in self._tasks]  # fmt: skip
        domains = [FakeDomainScore(each.domain, each.weight / 2, each.weight) for each in self._tasks]
        return FakeSheet(50.0, 66.0, False, domains, scores)

    def _results(self) -> list[Result]:
        return [
            Result("class_is_there", "There is a class.", Verdict.PASS, 1, seen="fast"),
            Result("it_grows", "A claim grows.", Verdict.FAIL, 1, (), "a claim of 2Gi", f"1Gi {EVIL}", "no expansion"),
        ]

    def _change(self, number: int, **new: Any) -> None:
        self._tasks = [replace(each, **new) if each.number == number else each for each in self._tasks]


@dataclass
class Answer:
    """What a request got."""

    status: int
    text: str
    headers: Mapping[str, str]


@dataclass
class Served:
    """A desk that is served, and how a browser that has its cookie asks it."""

    desk: Desk
    cluster: FakeCluster
    records: Records
    root: Path
    address: str
    sitting: list[Sitting]
    cookie: str = ""

    @property
    def host(self) -> str:
        return self.address.split("/")[2]

    @property
    def origin(self) -> str:
        return f"http://{self.host}"

    def ask(self, path: str, method: str = "GET", body: Any = None, /, **headers: str) -> Answer:
        """One request; headers of None are not sent, those not given are a browser's."""
        usual = {"Host": self.host, "Cookie": self.cookie} | ({} if method == "GET" else {"Origin": self.origin})
        sent = {name: value for name, value in {**usual, **headers}.items() if value is not None}
        connection = http.client.HTTPConnection(self.host, timeout=_PATIENCE)
        try:
            text = body if isinstance(body, str | None) else json.dumps(body)
            connection.putrequest(method, path, skip_host=True)
            for name, value in sent.items():
                connection.putheader(name, value)
            if text is not None:
                connection.putheader("Content-Length", str(len(text.encode())))
            connection.endheaders(text.encode() if text is not None else None)
            got = connection.getresponse()
            return Answer(got.status, got.read().decode(), dict(got.getheaders()))
        finally:
            connection.close()

    def socket(self, path: str, **more: Any) -> websocket.WebSocket:
        given = {"origin": self.origin, "cookie": self.cookie, "timeout": _PATIENCE, **more}
        return websocket.create_connection(f"ws://{self.host}{path}", **given)

    @contextlib.contextmanager
    def listening(self, path: str) -> Iterator[Callable[[Callable[[Any], bool]], Any]]:
        """Gives a function that reads messages until one is as it should be, and returns it."""
        socket = self.socket(path)

        def until(wanted: Callable[[Any], bool]) -> Any:
            end = time.monotonic() + _PATIENCE
            while time.monotonic() < end:
                kind, data = socket.recv_data(control_frame=True)  # else pings would keep it in there for good
                if kind == websocket.ABNF.OPCODE_TEXT and wanted(message := json.loads(data)):
                    return message
            raise TimeoutError

        try:
            yield until
        finally:
            socket.close()

    def begin(self, number: str = "04") -> Path:
        """Start a lab as `lab start` would, beside the desk."""
        exercise = next(each for each in self.desk.course().labs if each.number == number)
        self.cluster.start(exercise, self.records, print)
        return folder_of(exercise)


@contextlib.contextmanager
def served(
    root: Path, cluster: FakeCluster | None = None, say: Callable[[str], None] = lambda text: None
) -> Iterator[Served]:
    """Serve a desk from a thread of its own; MLOPS_LAB_HOME and MLOPS_LAB_WORKSPACE lie in `root`.

    Args:
        say: is told what the desk waits for at its end.
    """
    cluster, records, sitting = cluster or FakeCluster(), Records(), list[Sitting]()
    labs = []
    for number, name, title in (("04", "deploy", "Deploy a model"), ("10", "autoscale", f"Autoscale {EVIL}")):
        folder = root / "labs" / f"{number}-{name}"
        folder.mkdir(parents=True)
        (folder / "README.md").write_text(README)
        (folder / "hints.md").write_text(f"## 1\nLook {EVIL}\n## 2\nlook *for*\n## 3\nnearly `kubectl get`\n")
        labs.append((Exercise(folder, number, name), About(title, "B", 40, "what it is about", ("cluster",))))
    course = Course(
        [each for each, _ in labs], {each.number: about for each, about in labs},
        {each.number: checks_on(folder_of(each)) for each, _ in labs}, {}, [],
    )  # fmt: skip
    desk = Desk(course, records, cluster, lambda: sitting[0] if sitting else None)
    with running(desk, say) as address:
        found = Served(desk, cluster, records, root, address, sitting)
        path = "/" + found.address.split("/", 3)[3]
        found.cookie = found.ask(path, Cookie="").headers["Set-Cookie"].split(";")[0]
        yield found


@contextlib.contextmanager
def running(desk: Desk, say: Callable[[str], None] = lambda text: None) -> Iterator[str]:
    """Serve a desk from a thread of its own while the block runs; gives the address to open."""
    ready, began = threading.Event(), dict[str, Any]()

    async def main() -> None:
        began["stop"], began["loop"] = asyncio.Event(), asyncio.get_running_loop()
        async with serving(desk, 0, say) as address:
            began["address"] = address
            ready.set()
            await began["stop"].wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),), daemon=True)
    thread.start()
    assert ready.wait(_PATIENCE)
    try:
        yield began["address"]
    finally:
        began["loop"].call_soon_threadsafe(began["stop"].set)
        thread.join(_PATIENCE)
        assert not thread.is_alive()


def lives(pid: int) -> bool:
    """Does this process run? One that only waits for its exit code to be taken does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition: Callable[[], Any], within: float = _PATIENCE) -> None:
    """Wait until it holds."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
