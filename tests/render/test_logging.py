"""What is particular to the logging chart: how its programs fit together, and what vlagent is handed when it was away.

`leftovers.py` is run on a folder like a node's /var/log, in which a test is the kubelet and vlagent.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.render.charts import CHARTS, Chart, Rendered, template

CHART = Chart(CHARTS / "logging")
CASES = CHART.cases()
POD, NODE = "vlagent-x1", "worker"


def flags(objects: list[Rendered], name: str) -> dict[str, str]:
    """The flags of a program, without their dash."""
    (container,) = next(each.pod or {} for each in objects if each.name == name)["containers"]
    return {flag.removeprefix("-"): value for flag, _, value in (each.partition("=") for each in container["args"])}


def shipper(objects: list[Rendered]) -> dict[str, Any]:
    return next(each.pod or {} for each in objects if each.name == "DaemonSet vlagent")


def test_the_shipper_sends_to_the_store_and_waits_for_it() -> None:
    objects = CHART.render()
    sends, (service,) = flags(objects, "DaemonSet vlagent"), [each for each in objects if each.kind == "Service"]
    port = service.body["spec"]["ports"][0]["port"]
    assert sends["remoteWrite.url"] == f"http://{service.metadata['name']}:{port}/insert/native"
    assert flags(objects, "StatefulSet victoria-logs")["httpListenAddr"] == f":{port}"
    assert int(sends["remoteWrite.retryMaxTime"].removesuffix("s")) <= 10, "later than that is not within 30 s"


def test_a_nodes_logs_are_read_only_and_what_the_shipper_keeps_outlives_its_pod() -> None:
    pod = shipper(CHART.render())
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert volumes["logs"]["hostPath"] == {"path": "/var/log", "type": "Directory"}
    assert volumes["state"]["hostPath"]["path"] == "/var/lib/mlops-lab-logging"
    for container in (*pod["initContainers"], *pod["containers"]):
        mounts = {each["name"]: each for each in container["volumeMounts"]}
        assert mounts["logs"] == {"name": "logs", "mountPath": "/var/log", "readOnly": True}, "links lead to it"
        assert mounts["state"]["mountPath"] == "/state"
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["tolerations"] == [{"operator": "Exists"}], "the control plane has logs, too"


def test_leftovers_are_collected_as_the_logs_themselves_are() -> None:
    objects = CHART.render(CASES["ci/everything"])
    sends = flags(objects, "DaemonSet vlagent")
    (before,) = shipper(objects)["initContainers"]
    assert before["command"][-2:] == [sends["tmpDataPath"], "/var/log/containers"]
    assert sends["fileCollector.glob"] == f"{sends['tmpDataPath']}/leftovers/*.log"
    for flag in ("streamFields", "msgField", "timeField"):
        assert sends[f"fileCollector.{flag}"] == sends[f"kubernetesCollector.{flag}"] != ""
    assert sends["kubernetesCollector.msgField"] == "message,text"
    assert (sends["fileCollector.fileField"], sends["fileCollector.hostnameField"]) == ("", "")


def test_what_is_kept_and_left_out_is_as_the_values_say() -> None:
    objects = CHART.render(CASES["ci/everything"])
    sends, store = flags(objects, "DaemonSet vlagent"), flags(objects, "StatefulSet victoria-logs")
    assert sends["kubernetesCollector.excludeFilter"] == 'kubernetes.pod_namespace:in(noisy, "kube-system")'
    assert (sends["remoteWrite.maxDiskUsagePerURL"], store["inmemoryDataFlushInterval"]) == ("2GB", "1s")
    assert "kubernetesCollector.excludeFilter" not in flags(CHART.render(), "DaemonSet vlagent")
    kept = [flags(CHART.render(CASES[case]), "StatefulSet victoria-logs") for case in ("defaults", "profiles/small")]
    assert [each["retentionPeriod"] for each in kept] == ["7d", "2d"]
    assert [each["retention.maxDiskSpaceUsageBytes"] for each in kept] == ["1GB", "500MB"]


@pytest.mark.parametrize(
    "given",
    [
        {"store": {"retentionTime": "12h"}},  # the store keeps whole days
        {"store": {"flush": "500ms"}},
        {"shipper": {"buffer": "100MB"}},  # it would be taken for 500 MB
        {"shipper": {"messages": ["a,b"]}},
        {"shipper": {"state": "logs"}},
    ],
)
def test_what_the_programs_would_not_take_is_refused(given: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(given))
    assert template(CHART.folder, (tmp_path / "values.yaml",)).returncode != 0


def test_idle_requests_fit_three_nodes() -> None:
    from mlops_lab.platform.room import asked_in

    for case in CASES.values():
        assert asked_in(template(CHART.folder, case).stdout, 3) <= 250 * 2**20


@pytest.fixture(scope="module")
def leftovers() -> ModuleType:
    """The init container's program, as the chart passes it on."""
    text = next(each.body["data"] for each in CHART.render() if each.name == "ConfigMap vlagent")["leftovers.py"]
    file = CHART.folder / "files" / "leftovers.py"
    assert text.strip() == file.read_text().strip()
    module = ModuleType("leftovers")
    exec(compile(text, str(file), "exec"), module.__dict__)  # an import would leave compiled files in the chart
    return module


class Node:
    """A node's logs, and how far vlagent has read them."""

    def __init__(self, at: Path, program: ModuleType) -> None:
        self.state, self.logs, self.pods = at / "state", at / "log" / "containers", at / "log" / "pods"
        self.program = program
        for each in (self.state, self.logs, self.pods):
            each.mkdir(parents=True)
        self.marks: dict[str, dict[str, Any]] = {}

    def log(self, pod: str, container: str, number: int, *lines: str) -> Path:
        """The log of a pod's container, which was the pod's `number`-th in this place."""
        folder = self.pods / f"shop_{pod}_uid" / container
        folder.mkdir(parents=True, exist_ok=True)
        file, link = folder / f"{number}.log", self.logs / f"{pod}_shop_{container}-{number:064x}.log"
        with file.open("a") as out:
            out.writelines(f"{each}\n" for each in lines)
        if not link.is_symlink():
            link.symlink_to(file)
        return link

    def read(self, link: Path, number: int | None = None) -> None:
        """vlagent has read so many lines of it, or all."""
        lines = link.read_bytes().splitlines(keepends=True)
        offset = sum(map(len, lines[:number]))
        self.marks[str(link)] = {
            "path": str(link), "inode": link.stat().st_ino, "fingerprint": 7, "offset": offset,
        }  # fmt: skip

    def note(self, ago: float = 0) -> None:
        """vlagent has noted how far it was."""
        file = self.state / "vlagent-kubernetes-checkpoints.json"
        file.write_text(json.dumps(list(self.marks.values())))
        os.utime(file, (time.time() - ago,) * 2)

    def noted(self) -> dict[str, dict[str, Any]]:
        found = json.loads((self.state / "vlagent-kubernetes-checkpoints.json").read_text())
        return {each["path"]: each for each in found}

    def start(self) -> list[dict[str, Any]]:
        """The init container runs; what it hands over."""
        before = set(self.state.rglob("leftovers/*"))
        count = self.program.main(self.state, self.logs, POD, NODE)
        new = sorted(set(self.state.rglob("leftovers/*")) - before)
        found = [json.loads(line) for file in new for line in file.read_text().splitlines()]
        assert len(found) == count and all(file.suffix == ".log" for file in new)
        return found


@pytest.fixture
def node(tmp_path: Path, leftovers: ModuleType) -> Node:
    return Node(tmp_path, leftovers)


def line(text: str, ago: float = 60, flag: str = "F", stream: str = "stdout") -> str:
    at = datetime.fromtimestamp(time.time() - ago, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.123456789Z {stream} {flag} {text}"


def messages(found: list[dict[str, Any]]) -> list[str]:
    return [each["_msg"] for each in found]


def test_where_vlagent_is_new_nothing_is_left_over(node: Node) -> None:
    node.log("api", "server", 0, line("a"))
    node.log("api", "server", 1, line("b"))
    assert node.start() == []


def test_the_last_words_of_a_container_that_was_replaced_are_handed_over_once(node: Node) -> None:
    old = node.log("api-7d", "server", 0, line("read"), line("last words"))
    node.read(old, 1)
    node.note()
    node.log("api-7d", "server", 1, line("the new one's"))
    (found,) = node.start()
    assert found["_msg"] == "last words" and found["_time"].endswith(".123456789Z")
    assert {key: value for key, value in found.items() if "." in key} == {
        "kubernetes.pod_name": "api-7d", "kubernetes.pod_namespace": "shop", "kubernetes.container_name": "server",
        "kubernetes.pod_node_name": NODE, "kubernetes.container_id": f"containerd://{0:064x}",
    }  # fmt: skip
    assert node.noted()[str(old)]["offset"] == old.stat().st_size, "vlagent would read it again"
    assert node.start() == []


def test_a_container_that_still_runs_is_vlagents_own(node: Node) -> None:
    link = node.log("api", "server", 0, line("read"), line("not read"))
    node.read(link, 1)
    node.note()
    marks = node.noted()
    assert node.start() == [] and node.noted() == marks
    assert list((node.state / "leftovers").iterdir()) == []


def test_after_a_restart_of_the_node_all_are_looked_at(node: Node) -> None:
    """Also those that are not replaced yet, and what vlagent may have had in memory when it was ended."""
    own = node.log(POD, "leftovers", 0, line("leftovers handed over", 300))
    link = node.log("api", "server", 0, line("long ago", 300), line("just read", 3), line("not read", 0))
    node.read(own)
    node.read(link, 2)
    node.note()
    assert messages(node.start()) == ["just read", "not read"]
    assert node.noted()[str(link)]["offset"] == link.stat().st_size
    fresh = node.log("new", "server", 0, line("vlagent reads this itself", 0))
    assert str(fresh) not in node.noted() and "vlagent reads this itself" not in messages(node.start())


def test_a_container_that_came_and_went_meanwhile_is_found_and_an_old_one_is_not(node: Node) -> None:
    seen = node.log("api", "server", 1, line("read"))
    node.read(seen)
    before = node.log("old", "server", 0, line("over before vlagent came", 600))
    node.log("old", "server", 1, line("runs"))
    os.utime(before, (time.time() - 600,) * 2)
    node.note(ago=30)
    node.log("api", "server", 2, line("came and went"))
    node.log("api", "server", 3, line("runs"))
    assert messages(node.start()) == ["came and went"]


def test_json_that_can_not_be_read_is_a_message(node: Node) -> None:
    old = node.log("api", "server", 0, line('{"a":' * 100_000), line('{"half": '), line('{"number": 1}'))
    node.read(old, 0)
    node.note()
    node.log("api", "server", 1, line("runs"))
    deep, half, whole = node.start()
    assert (deep["_msg"][:10], half["_msg"], whole["number"]) == ('{"a":{"a":', '{"half": ', 1)
    assert node.noted()[str(old)]["offset"] == old.stat().st_size


def test_a_log_that_was_renamed_for_its_length_is_read_to_its_end(node: Node) -> None:
    link = node.log("api", "server", 0, line("read"), line("before the turn"))
    node.read(link, 1)
    node.note()
    file = link.resolve()
    file.rename(file.with_name("0.log.20260101-000000"))
    file.with_name("0.log.20260102-000000.gz").write_text(line("packed") + "\n")
    node.log("api", "server", 0, line("after the turn"))
    node.log("api", "server", 1, line("runs"))
    assert messages(node.start()) == ["before the turn", "after the turn"]
    assert node.noted()[str(link)] == {
        "path": str(link), "inode": file.stat().st_ino, "fingerprint": 0, "offset": file.stat().st_size,
    }  # fmt: skip


def test_lines_become_what_vlagent_makes_of_them(node: Node) -> None:
    old = node.log(
        "api", "server", 0,
        line("read"), line('{"message": "hi", "request_id": "7c", "a": {"b": 1}}'), line('{"no": "json'), line(""),
        line("be", flag="P"), line("elsewhere", stream="stderr"), line("gin", flag="P"), line(" end"),
        "rubbish", line("[1]"), line("cut", flag="P"),
    )  # fmt: skip
    with old.open("a") as file:
        file.write(line("half a line"))
    node.read(old, 1)
    node.note()
    node.log("api", "server", 1)
    first, *rest = node.start()
    assert (first["message"], first["request_id"], first["a"]) == ("hi", "7c", {"b": 1}) and "_msg" not in first
    assert messages(rest) == ['{"no": "json', "elsewhere", "begin end", "[1]", "cut"]


def test_nobody_else_on_the_node_reads_what_waits(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kubelet shows logs to root alone, and the folder on the node is one that everybody may look into."""
    node.state.chmod(0o755)
    node.read(node.log("api", "server", 0, line("a"), line("secret")), 1)
    node.note()
    node.log("api", "server", 1)
    program = CHART.folder / "files" / "leftovers.py"
    names = {**os.environ, "POD_NAME": POD, "NODE_NAME": NODE}
    words = ["sh", "-c", 'umask 022; exec "$@"', "sh", sys.executable, program, node.state, node.logs]
    done = subprocess.run(words, env=names, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout)["lines"] == 1
    written = [each for each in node.state.rglob("*") if each.is_file() or each == node.state / "leftovers"]
    assert len(written) == 3
    assert [f"{each.stat().st_mode & 0o077:o}" for each in (node.state, *written)] == ["0"] * 4

    def refused(self: Path, mode: int) -> None:
        if self == node.state:
            raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refused)  # a folder that somebody has made for it
    assert node.start() == []


def test_a_pod_that_is_gone_is_no_trouble(node: Node) -> None:
    link = node.log("api", "server", 0, line("a"))
    node.read(link)
    node.read(node.log(POD, "vlagent", 0, line("an hour ago", 3600)))  # the node was restarted
    node.note()
    link.resolve().unlink()
    (node.logs / "stray.log").write_text("no container's")
    assert node.start() == []


def test_leftovers_that_were_collected_are_removed(node: Node) -> None:
    old = node.log("api", "server", 0, line("a"))
    node.read(old, 0)
    node.note()
    node.log("api", "server", 1)
    assert messages(node.start()) == ["a"]
    (file,) = (node.state / "leftovers").iterdir()
    collected = {"path": str(file), "inode": 1, "fingerprint": 1, "offset": file.stat().st_size - 1}
    marks = node.state / "vlagent-file-checkpoints.json"
    for offset, there in ((collected["offset"], True), (file.stat().st_size, False)):
        marks.write_text(json.dumps([{**collected, "offset": offset}]))
        node.start()
        assert file.exists() is there
    marks.write_text("[]")
    file.write_text("nobody took it")
    (file.with_suffix(".part")).write_text("half")
    os.utime(file, (time.time() - 8 * 86400,) * 2)
    node.start()
    assert list((node.state / "leftovers").iterdir()) == []
