"""The logging chart on the live cluster: what pods print is found soon, once, and whatever is restarted meanwhile."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from mlops_lab.base.progress import Progress
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.port_forward import ForwardFailed, PortForward
from mlops_lab.kube.client import Kube
from mlops_lab.labs import namespaces
from mlops_lab.measure.pods.containers import readings
from mlops_lab.platform.helm import Helm, program
from tests.e2e.conftest import CLUSTER, lab
from tests.e2e.test_monitoring import pod, until

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(1200)]

SPACE = "mlops-lab-logging"
KUBECTL = Kubectl(f"kind-{CLUSTER}")
WITHIN = 30  # s until a line is found
AGAIN = 60  # s until lines are found that waited for a store, or for vlagent
IDLE = 250 * 2**20  # bytes that all of it may use on three nodes

# Prints a number ten times a second for some seconds, then how many they were; then it waits, or ends if that is said.
COUNTER = """
import json, sys, time
end = time.monotonic() + float(sys.argv[2])
number = 0
while time.monotonic() < end:
    print(json.dumps({"message": "counted", "run": sys.argv[1], "number": number}), flush=True)
    number += 1
    time.sleep(0.1)
print(json.dumps({"message": "last words", "run": sys.argv[1], "count": number}), flush=True)
time.sleep(3600 if len(sys.argv) < 4 else 0)
"""


class Store:
    """The store, as somebody at this machine asks it."""

    def __init__(self, forward: PortForward) -> None:
        self._forward = forward

    def ask(self, path: str, body: bytes | None = None, kind: str = "application/x-www-form-urlencoded") -> bytes:
        """What it answers; asked again while the way to it is made anew."""
        end = time.monotonic() + 30
        while True:
            request = urllib.request.Request(f"{self._forward.address()}{path}", body, {"Content-Type": kind})
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return bytes(answer.read())
            except urllib.error.HTTPError:
                raise
            except (OSError, ForwardFailed):
                if time.monotonic() > end:
                    raise
                self._forward.lost()
                time.sleep(1)

    def search(self, query: str) -> list[dict[str, Any]]:
        """Every line of the last hour that a query finds."""
        body = urllib.parse.urlencode({"query": f"_time:1h {query}"}).encode()
        return [json.loads(line) for line in self.ask("/select/logsql/query", body).splitlines()]

    def numbers(self, run: str) -> Counter[int]:
        """How often each number of a counter's was found."""
        return Counter(int(each["number"]) for each in self.search(f'run:="{run}" number:*'))


@pytest.fixture(scope="module")
def helm(cluster: Kube) -> Iterator[Helm]:
    """The part is installed; if it was not there before, it goes afterwards, since later tests measure memory."""
    there = cluster.find("Namespace", SPACE) is not None
    done = lab("up", "--with", "logging", within=3600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lab open logs" in done.stdout
    made = Helm(program(Progress()), KUBECTL.context)
    yield made
    if not there:
        made.run("uninstall", SPACE, "--namespace", SPACE, "--wait", within=180)
        cluster.delete("Namespace", SPACE)
        cluster.wait_gone("Namespace", SPACE, within=180)


@pytest.fixture
def store(helm: Helm) -> Iterator[Store]:
    with PortForward(KUBECTL, SPACE, "victoria-logs", 9428) as forward:
        yield Store(forward)


@pytest.fixture(scope="module")
def spaces(cluster: Kube) -> Iterator[tuple[str, str]]:
    """Two namespaces for all tests here."""
    names = (f"test-{uuid.uuid4().hex[:8]}", f"test-{uuid.uuid4().hex[:8]}")
    for name in names:
        namespaces.make(cluster, name)
    yield names
    for name in names:
        cluster.delete("Namespace", name)
    for name in names:
        cluster.wait_gone("Namespace", name, within=180)


def run(cluster: Kube, space: str, name: str, code: str, *words: str) -> None:
    """A pod that runs a program and has begun."""
    spec = pod("program", ["python3", "-c", code, *words]) | {"restartPolicy": "Never"}
    meta = {"name": name, "labels": {"app": name}}
    cluster.apply([{"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}], space)
    done, seen = cluster.wait(
        "Pod", name, space,
        lambda item: True if item and item.get("status", {}).get("phase") in ("Running", "Succeeded") else None,
        within=120,
    )  # fmt: skip
    assert done, seen


def rolled_out(what: str) -> None:
    KUBECTL.run("rollout", "status", what, "-n", SPACE, "--timeout=180s", within=200)


def counting(cluster: Kube, store: Store, space: str, seconds: str) -> str:
    """The name of a pod that prints numbers for so long, once the first is found."""
    name = f"run-{uuid.uuid4().hex[:6]}"
    run(cluster, space, name, COUNTER, name, seconds)
    until(lambda: store.numbers(name), bool, WITHIN)
    return name


def all_once(store: Store, run: str, within: float = AGAIN) -> None:
    """A counter's lines are all found, each once."""
    words = until(lambda: store.search(f'run:="{run}" "last words"'), bool, within)
    count = int(words[0]["count"])
    found = until(lambda: store.numbers(run), lambda seen: len(seen) >= count, within)
    assert sorted(found) == list(range(count))
    assert set(found.values()) == {1}, [number for number, times in found.items() if times > 1]


def test_the_charts_own_test_passes(helm: Helm) -> None:
    helm.run("test", SPACE, "--namespace", SPACE, "--timeout", "180s", within=200)


def test_the_page_is_served(store: Store) -> None:
    assert b'id="root"' in store.ask("/select/vmui/")


def test_a_request_is_found_by_its_id_across_namespaces(cluster: Kube, store: Store, spaces: tuple[str, str]) -> None:
    """One service logs JSON, the other a sentence; the time is from the line to the answer."""
    ident = uuid.uuid4().hex
    code = "import json, sys, time; time.sleep(5); print(json.dumps(dict(json.loads(sys.argv[1]), at=time.time())))"
    run(cluster, spaces[0], "gateway", code, json.dumps({"message": "asked", "request_id": ident, "status": 200}))
    said = f"answered {ident} with 200"
    code = "import sys, time; time.sleep(5); print(sys.argv[1], flush=True); time.sleep(3600)"
    run(cluster, spaces[1], "model", code, said)
    begun = time.monotonic()
    found = until(lambda: store.search(f'*:"{ident}"'), lambda seen: len(seen) == 2, 5 + WITHIN)
    assert time.monotonic() - begun < 5 + WITHIN
    by_pod = {each["kubernetes.pod_name"]: each for each in found}
    asked, answered = by_pod["gateway"], by_pod["model"]
    assert (asked["request_id"], asked["status"], asked["_msg"]) == (ident, "200", "asked")
    assert answered["_msg"] == said
    for each, space in ((asked, spaces[0]), (answered, spaces[1])):
        assert each["kubernetes.pod_namespace"] == space and each["kubernetes.container_name"] == "program"
        assert each["kubernetes.pod_labels.app"] == each["kubernetes.pod_name"]
    assert store.search(f'request_id:="{ident}"') == [asked]


def test_every_node_sends_the_logs_of_its_pods(cluster: Kube, store: Store) -> None:
    nodes = {node["metadata"]["name"] for node in cluster.list("Node")}
    seen = {each["kubernetes.pod_node_name"] for each in store.search("* | uniq by (kubernetes.pod_node_name)")}
    assert nodes <= seen


def test_documents_come_by_elasticsearchs_bulk_api(store: Store) -> None:
    mark = uuid.uuid4().hex
    documents = [{"@timestamp": "0", "message": f"row {n}", "service": "nightly", "mark": mark} for n in range(100)]
    body = "".join(f'{{"index": {{"_index": "logs"}}}}\n{json.dumps(each)}\n' for each in documents).encode()
    path = "/insert/elasticsearch/_bulk?_time_field=@timestamp&_msg_field=message&_stream_fields=service"
    answer = json.loads(store.ask(path, body, "application/x-ndjson"))
    assert answer["errors"] is False and len(answer["items"]) == 100
    query = f'{{service="nightly"}} mark:="{mark}"'
    found = until(lambda: store.search(query), lambda seen: len(seen) == 100, WITHIN)
    assert {each["_msg"] for each in found} == {f"row {n}" for n in range(100)}
    assert json.loads(store.ask("/insert/elasticsearch/"))["version"]["number"], "clients ask for it at their start"


def test_a_restart_of_the_store_loses_nothing(cluster: Kube, store: Store, spaces: tuple[str, str]) -> None:
    """It is restarted, and then away for 20 seconds, while somebody prints."""
    name = counting(cluster, store, spaces[0], "60")
    cluster.delete("Pod", "victoria-logs-0", SPACE)
    time.sleep(5)
    rolled_out("statefulset/victoria-logs")
    KUBECTL.run("scale", "statefulset/victoria-logs", "--replicas=0", "-n", SPACE)
    cluster.wait_gone("Pod", "victoria-logs-0", SPACE, within=90)
    time.sleep(20)
    KUBECTL.run("scale", "statefulset/victoria-logs", "--replicas=1", "-n", SPACE)
    rolled_out("statefulset/victoria-logs")
    all_once(store, name)


def test_a_restart_of_the_shipper_loses_and_doubles_nothing(
    cluster: Kube, store: Store, spaces: tuple[str, str]
) -> None:
    name = counting(cluster, store, spaces[0], "30")
    KUBECTL.run("rollout", "restart", "daemonset/vlagent", "-n", SPACE)
    rolled_out("daemonset/vlagent")
    all_once(store, name)


def test_the_last_words_of_a_container_come_though_nobody_was_there(
    cluster: Kube, store: Store, spaces: tuple[str, str]
) -> None:
    """It ends and is started anew while there is no vlagent on any node."""
    name = f"run-{uuid.uuid4().hex[:6]}"
    once = f"import os, sys\nif os.path.exists('/tmp/{name}'): sys.argv[1] += '-again'\nopen('/tmp/{name}', 'w')\n"
    spec = pod("program", ["python3", "-c", once + COUNTER, name, "20", "ends"])
    spec["containers"][0]["volumeMounts"] = [{"name": "tmp", "mountPath": "/tmp"}]
    spec |= {"volumes": [{"name": "tmp", "emptyDir": {}}], "restartPolicy": "Always"}
    cluster.apply([{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}], spaces[0])
    until(lambda: store.numbers(name), bool, 60)
    nowhere = {"spec": {"template": {"spec": {"nodeSelector": {"nowhere": "yes"}}}}}
    KUBECTL.run("patch", "daemonset/vlagent", "-n", SPACE, "--patch", json.dumps(nowhere))
    try:
        selector = "app.kubernetes.io/component=vlagent"
        until(lambda: cluster.list("Pod", SPACE, selector), lambda seen: not seen, 90)

        def restarts() -> int:
            status = cluster.get("Pod", name, spaces[0]).get("status", {})
            return sum(each["restartCount"] for each in status.get("containerStatuses") or [])

        assert restarts() == 0, "it was replaced before the last vlagent had gone"
        until(restarts, bool, 60)
        time.sleep(2)
    finally:
        nowhere["spec"]["template"]["spec"]["nodeSelector"]["nowhere"] = None  # type: ignore[assignment]
        KUBECTL.run("patch", "daemonset/vlagent", "-n", SPACE, "--patch", json.dumps(nowhere))
    rolled_out("daemonset/vlagent")
    all_once(store, name)


def test_idle_memory_is_little(cluster: Kube, helm: Helm) -> None:
    pods = [each for each in cluster.list("Pod", SPACE) if each["status"]["phase"] == "Running"]
    used = {key: reading.memory for key, reading in readings(cluster, pods).items()}
    assert len(used) == 1 + len(cluster.list("Node"))
    assert sum(used.values()) <= IDLE, used
