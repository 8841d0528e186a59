"""The logging chart's programs with the chart's own flags, on this machine: a folder is the node's /var/log, a small
server the API server. What is written there is found, once, whatever is ended meanwhile.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.base.paths import project
from mlops_lab.base.progress import Progress
from mlops_lab.engine.docker import Docker, architecture
from mlops_lab.images.build import run_steps
from mlops_lab.images.catalog import sources
from mlops_lab.images.recipes import victoria_logs
from mlops_lab.images.store import Store
from tests.render.api_server import ApiServer
from tests.render.charts import CHARTS, Chart

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

CHART = Chart(CHARTS / "logging")
WITHIN = 30  # s until a line is found
NODE = "worker"


@pytest.fixture(scope="module")
def programs() -> Path:
    """The folder with both."""
    step = victoria_logs.on_host(sources("build", architecture("")))
    run_steps([step], Docker({}), Store(), Progress())
    return Store().folder(step)


class Site:
    """A node with its logs, the store, and vlagent as its pod has it."""

    def __init__(self, at: Path, programs: Path) -> None:
        self.at, self._programs = at, programs
        self.logs, self.pods, self.state = at / "log" / "containers", at / "log" / "pods", at / "state"
        for each in (self.logs, self.pods, self.state):
            each.mkdir(parents=True)
        self.api = ApiServer(NODE)
        with ExitStack() as free:
            ports = []
            for _ in range(2):
                probe = free.enter_context(socket.socket())
                probe.bind(("127.0.0.1", 0))
                ports.append(probe.getsockname()[1])
        self.store_port, self.shipper_port = ports
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self._numbers: Counter[str] = Counter()

    def _flags(self, name: str) -> list[str]:
        """A program's flags in the chart, with this machine's addresses and folders."""
        pod = next(each.pod or {} for each in CHART.render() if each.name == name)
        there = {
            ":9428": f"127.0.0.1:{self.store_port}", ":9429": f"127.0.0.1:{self.shipper_port}",
            "/data": str(self.at / "data"),
        }  # fmt: skip
        found = []
        for each in pod["containers"][0]["args"]:
            flag, _, value = each.partition("=")
            value = there.get(value, value).replace("victoria-logs:9428", f"127.0.0.1:{self.store_port}")
            value = f"{self.state}{value.removeprefix('/state')}" if value.startswith("/state") else value
            found.append(f"{flag}={value}" if "=" in each else each)
        return found

    def _start(self, name: str, flags: list[str]) -> None:
        with (self.at / f"{name}.log").open("ab") as out:
            self.children[name] = subprocess.Popen(
                [self._programs / name, *flags],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.at,
                env={**os.environ, "KUBECONFIG": str(self.at / "kubeconfig"), "GOMAXPROCS": "1"},
            )  # fmt: skip

    def start_store(self) -> None:
        self._start("victoria-logs", self._flags("StatefulSet victoria-logs"))

    def start_shipper(self, pod: str = "vlagent-1") -> int:
        """The init container, then vlagent; returns how many lines were left over."""
        done = subprocess.run(
            [sys.executable, CHART.folder / "files" / "leftovers.py", self.state, self.logs],
            env={**os.environ, "POD_NAME": pod, "NODE_NAME": NODE}, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        self._start("vlagent", [*self._flags("DaemonSet vlagent"), f"-kubernetesCollector.logsPath={self.logs}"])
        return int(json.loads(done.stdout)["lines"])

    def end(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        child = self.children.pop(name)
        child.send_signal(how)
        child.wait(60)

    def container(self, namespace: str, pod: str, name: str = "server") -> Path:
        """The log of a new container of a pod, of which the API server knows."""
        folder = self.pods / f"{namespace}_{pod}_uid" / name
        folder.mkdir(parents=True, exist_ok=True)
        number = self._numbers[f"{namespace}/{pod}/{name}"]
        self._numbers[f"{namespace}/{pod}/{name}"] += 1
        file, identity = folder / f"{number}.log", f"{number:064x}"
        file.touch()
        (self.logs / f"{pod}_{namespace}_{name}-{identity}.log").symlink_to(file)
        self.api.pod(namespace, pod, **{name: identity})
        return file

    def search(self, query: str) -> list[dict[str, Any]]:
        body = urllib.parse.urlencode({"query": f"_time:1h {query}"}).encode()
        return [json.loads(line) for line in self.ask("/select/logsql/query", body).splitlines()]

    def ask(self, path: str, body: bytes | None = None, port: int = 0, kind: str = "") -> bytes:
        url = f"http://127.0.0.1:{port or self.store_port}{path}"
        request = urllib.request.Request(url, body, {"Content-Type": kind} if kind else {})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bytes(answer.read())

    def numbers(self, log: str) -> Counter[int]:
        return Counter(int(each["number"]) for each in self.search(f'log:="{log}"'))

    def noted(self) -> list[dict[str, Any]]:
        """How far vlagent has noted that it was."""
        file = self.state / "vlagent-kubernetes-checkpoints.json"
        return list(json.loads(file.read_text() or "[]")) if file.exists() else []


def write(log: Path, *texts: str, flag: str = "F") -> None:
    with log.open("a") as file:
        for text in texts:
            at = datetime.now(UTC)
            file.write(f"{at:%Y-%m-%dT%H:%M:%S.%f}000Z stdout {flag} {text}\n")


def count(log: Path, name: str, first: int, last: int) -> None:
    """Numbered lines."""
    write(log, *(json.dumps({"message": "counted", "log": name, "number": number}) for number in range(first, last)))


def until(look: Callable[[], Any], wanted: Callable[[Any], bool] = bool, within: float = WITHIN) -> Any:
    end, seen = time.monotonic() + within, None
    while True:
        try:
            seen = look()
            if wanted(seen):
                return seen
        except OSError as trouble:
            seen = trouble
        assert time.monotonic() < end, f"not within {within:g} s; last seen: {seen}"
        time.sleep(0.2)


@pytest.fixture
def site(tmp_path: Path, programs: Path) -> Iterator[Site]:
    made = Site(tmp_path, programs)
    with made.api.serving(tmp_path / "kubeconfig"):
        made.start_store()
        until(lambda: made.ask("/health"))
        try:
            yield made
        finally:
            for name in list(made.children):
                made.end(name, signal.SIGKILL)


def once(found: Counter[int], numbers: int) -> bool:
    return sorted(found) == list(range(numbers)) and set(found.values()) == {1}


def all_found(site: Site, numbers: int) -> None:
    """Wait until so many lines of `a` are found, each once."""
    until(lambda: site.numbers("a"), lambda found: once(found, numbers))


def shipped(site: Site) -> Path:
    """The log of a container whose first hundred lines are found."""
    log = site.container("shop", "api-1")
    site.start_shipper()
    count(log, "a", 0, 100)
    all_found(site, 100)
    return log


def test_lines_are_found_by_a_requests_id_with_what_kubernetes_knows(site: Site) -> None:
    gateway = site.container("shop", "gateway-7d")
    site.start_shipper()
    model = site.container("models", "model-5c")  # one that comes later
    write(gateway, '{"message": "asked", "time": "2013-01-01T05:00:00Z", "request_id": "7c1f", "deep": {"er": 1}}')
    write(model, "answered 7c1f with 200", "Traceback:", "  below")
    write(model, "long ", flag="P")
    write(model, "line", '{"event": "predicted"}', '{"nothing": 1}')
    begun = time.monotonic()
    found = until(lambda: site.search('*:"7c1f"'), lambda seen: len(seen) == 2)
    assert time.monotonic() - begun < WITHIN
    asked, answered = sorted(found, key=lambda each: each["kubernetes.pod_namespace"], reverse=True)
    wanted = {
        "_msg": "asked", "request_id": "7c1f", "deep.er": "1", "time": "2013-01-01T05:00:00Z",
        "kubernetes.pod_namespace": "shop", "kubernetes.pod_name": "gateway-7d", "kubernetes.container_name": "server",
        "kubernetes.pod_node_name": NODE, "kubernetes.pod_labels.app": "gateway",
    }  # fmt: skip
    assert {key: asked.get(key) for key in wanted} == wanted
    assert abs(datetime.fromisoformat(asked["_time"]).timestamp() - time.time()) < 300
    assert (answered["_msg"], answered["kubernetes.pod_namespace"]) == ("answered 7c1f with 200", "models")
    said = until(lambda: site.search('{kubernetes.pod_name="model-5c"} | sort by (_time)'), lambda seen: len(seen) == 6)
    assert [each["_msg"] for each in said] == [
        "answered 7c1f with 200", "Traceback:", "  below", "long line", "predicted", "no message",
    ]  # fmt: skip
    assert site.search('request_id:="7c1"') == []


def test_the_page_the_bulk_api_and_the_figures_are_there(site: Site) -> None:
    site.start_shipper()
    assert b'id="root"' in site.ask("/select/vmui/")
    path = "/insert/elasticsearch/_bulk?_time_field=@timestamp&_msg_field=message&_stream_fields=service"
    now = datetime.now(UTC).isoformat()
    document = {"@timestamp": now, "message": "batch done", "service": "nightly", "rows": 336776}
    body = f'{{"create": {{}}}}\n{json.dumps(document)}\n'.encode()
    answer = json.loads(site.ask(path, body, kind="application/x-ndjson"))
    assert answer["errors"] is False and len(answer["items"]) == 1
    (found,) = until(lambda: site.search('{service="nightly"} rows:>300000'))
    assert found["_msg"] == "batch done" and found["rows"] == "336776"
    assert b"vl_rows_dropped_total" in site.ask("/metrics")
    shipped = until(lambda: site.ask("/metrics", port=site.shipper_port))
    assert b"vlagent_remotewrite_pending_data_bytes" in shipped and b'version="v' in shipped


def test_the_charts_own_test_finds_what_it_prints_and_sends(site: Site) -> None:
    """What it prints goes into the log of a container, as in its pod."""
    text = next(each.body["data"]["test.py"] for each in CHART.render() if each.name == "ConfigMap logging-test")
    (site.at / "test.py").write_text(text.replace("victoria-logs:9428", f"127.0.0.1:{site.store_port}"))
    log = site.container("mlops-lab-test", "logging-test", "test")
    site.start_shipper()
    child = subprocess.Popen(
        [sys.executable, site.at / "test.py"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "NAMESPACE": "mlops-lab-test"},
    )  # fmt: skip
    with child:
        assert child.stdout
        said = []
        for each in child.stdout:
            said.append(each)
            write(log, each.rstrip("\n"))
    assert child.returncode == 0 and said[-1] == "printed, sent and found\n", said


def test_the_store_takes_the_queries_of_the_documentation(site: Site) -> None:
    text = (project() / "docs" / "logs.md").read_text().replace('\\"', '"').replace("$ID", "7c1f2a90")
    rows = re.findall(r"^\| [^|]+ \| `((?:[^`|\\]|\\\|)+)` \|", text, re.MULTILINE)
    given = re.findall(r"""["']query=(.+?)["'](?:$| --)""", text, re.MULTILINE)
    assert len(rows) == 10 and len(given) == 3
    for query in (*(row.replace("\\|", "|") for row in rows), *given):
        assert isinstance(site.search(query), list), query
    with pytest.raises(urllib.error.HTTPError, match="400"):
        site.search("status:>")


def test_a_store_that_is_away_or_killed_has_all_lines_once(site: Site) -> None:
    log = shipped(site)
    site.end("victoria-logs")
    count(log, "a", 100, 200)
    time.sleep(8)
    site.start_store()
    all_found(site, 200)
    time.sleep(3)  # after that it is on disk (store.flush)
    site.end("victoria-logs", signal.SIGKILL)
    count(log, "a", 200, 300)
    site.start_store()
    all_found(site, 300)


def test_a_shipper_that_is_replaced_reads_on_and_what_waited_is_sent(site: Site) -> None:
    log = shipped(site)
    site.end("victoria-logs")
    count(log, "a", 100, 200)
    time.sleep(12)  # it has read them, and can't send them
    site.end("vlagent")
    count(log, "a", 200, 300)
    assert site.start_shipper("vlagent-2") == 0, "the container is the same"
    site.start_store()
    all_found(site, 300)


def test_a_shipper_that_is_killed_loses_nothing_and_doubles_a_minute_at_most(site: Site) -> None:
    log = site.container("shop", "api-1")
    site.start_shipper()
    count(log, "a", 0, 100)
    until(site.noted, within=90)
    count(log, "a", 100, 200)
    all_found(site, 200)
    site.end("vlagent", signal.SIGKILL)
    count(log, "a", 200, 300)
    site.start_shipper("vlagent-2")
    found = until(lambda: site.numbers("a"), lambda found: len(found) == 300)
    assert {number for number, times in found.items() if times > 1} <= set(range(100, 200))
    assert max(found.values()) <= 2


def test_the_last_words_of_a_container_that_was_replaced_meanwhile(site: Site) -> None:
    first = shipped(site)
    site.end("vlagent")
    count(first, "a", 100, 110)
    second = site.container("shop", "api-1")
    count(second, "a", 110, 115)
    count(site.container("shop", "api-1"), "a", 115, 120)
    assert site.start_shipper("vlagent-2") == 15
    all_found(site, 120)
    last = site.search('log:="a" number:=109')[0]
    assert last["kubernetes.pod_name"] == "api-1" and last["kubernetes.pod_namespace"] == "shop"
    assert last["_stream"] == site.search('log:="a" number:=1')[0]["_stream"]


def test_a_restart_of_the_node_loses_nothing(site: Site) -> None:
    """All programs are killed at once, and each container has another one in its place."""
    log, own = site.container("shop", "api-1"), site.container("logging", "vlagent-1", "vlagent")
    site.start_shipper()
    count(log, "a", 0, 100)
    write(own, "started")
    until(site.noted, lambda marks: len(marks) == 2, within=90)
    count(log, "a", 100, 150)
    all_found(site, 150)
    count(log, "a", 150, 200)
    site.end("vlagent", signal.SIGKILL)
    count(log, "a", 200, 210)
    site.end("victoria-logs", signal.SIGKILL)
    site.container("logging", "vlagent-1", "vlagent")
    assert site.start_shipper("vlagent-1") >= 60
    count(site.container("shop", "api-1"), "a", 210, 220)
    site.start_store()
    found = until(lambda: site.numbers("a"), lambda found: len(found) == 220)
    assert max(found.values()) <= 2 and all(found[number] == 1 for number in range(200, 220))


def test_logs_that_are_renamed_for_their_length_are_read_on(site: Site) -> None:
    log = site.container("shop", "api-1")
    site.start_shipper()
    for turn in range(3):
        count(log, "a", 100 * turn, 100 * turn + 100)
        all_found(site, 100 * turn + 100)
        if turn == 1:
            site.end("vlagent")
        log.rename(log.with_name(f"0.log.2026010{turn + 1}-000000"))
        log.touch()
        if turn == 1:
            count(log, "a", 200, 200)
            site.start_shipper("vlagent-2")
    shutil.rmtree(log.parent)
