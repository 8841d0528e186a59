"""Programs of learners in the third place: what they get and give, and whatever they try."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import stat
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from mlops_lab.base.errors import Failure, LabError
from mlops_lab.classroom.grader.apart import inside, place
from mlops_lab.classroom.grader.apart.place import Place
from mlops_lab.classroom.grader.apart.work import ApartWork
from mlops_lab.kube.client import Kube
from tests.unit.grader.third_place import Pods

NS = "g-7-1-apart"
ADDRESS = ("10.0.0.1", 6443)


@pytest.fixture
def pods(tmp_path: Path) -> Pods:
    (tmp_path / "pods").mkdir()
    return Pods(tmp_path / "pods")


@pytest.fixture
def work(pods: Pods, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ApartWork:
    monkeypatch.setenv("SECRET_OF_THE_GRADER", "s3cret")
    folder = tmp_path / "work"
    (folder / ".lab").mkdir(parents=True)
    (folder / ".lab" / "kubeconfig").write_text("the kubeconfig")
    settings = {"LAB_NAMESPACE": "g-7-1-lab-08", "MLFLOW_TRACKING_URI": "http://mlflow.tracking:5000"}
    where = Place(cast(Kube, pods), NS, "registry/grader:1", ["/app/labs"], "/app/site", [ADDRESS], {"k8s-app": "dns"})
    return ApartWork(folder, "g-7-1-lab-08", "registry", settings, where)


def program(work: ApartWork, text: str, name: str = "build") -> str:
    file = work.folder / name
    file.write_text(text if text.startswith("#!") else f"#!/usr/bin/env python3\n{text}")
    file.chmod(0o755)
    return name


def ran(work: ApartWork, text: str, *, within: float = 10, **more: Any) -> Any:
    return asyncio.run(work.command(program(work, text), within=within, **more))


def test_a_program_is_run_and_heard(work: ApartWork, pods: Pods) -> None:
    done = ran(work, "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert done.code == 3 and set(done.output.split()) == {"out", "err"} and 0 < done.seconds < 10
    assert {kind for kind, _ in pods.deleted} == {"Pod", "ConfigMap", "NetworkPolicy"}


def test_arguments_settings_and_files_go_in_and_addresses_do_not(work: ApartWork) -> None:
    (work.folder / "data").mkdir()
    (work.folder / "data" / "rows.csv").write_text("1")
    text = "import os; print(open('data/rows.csv').read(), sorted(os.environ), os.environ['LAB_NAMESPACE'])"
    done = ran(work, text, env={"OWN": "1"})
    assert done.output.startswith("1 ") and "g-7-1-lab-08" in done.output and "OWN" in done.output
    assert "MLFLOW" not in done.output and "SECRET_OF" not in done.output and "POD" not in done.output


def test_a_kubeconfig_is_there_for_programs_that_talk_to_the_cluster_alone(work: ApartWork, pods: Pods) -> None:
    text = "import os; print(open(os.environ['KUBECONFIG']).read() if 'KUBECONFIG' in os.environ else 'none')"
    assert ran(work, text).output.strip() == "none"
    assert ran(work, text, cluster=True).output.strip() == "the kubeconfig"
    ways = [each["spec"]["egress"] for each in pods.made if each["kind"] == "NetworkPolicy"]
    assert ways[0] == []
    assert ways[1] == [{"to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}], "ports": [{"protocol": "TCP", "port": 6443}]}]


def test_a_part_of_the_platform_is_reached_where_the_check_gives_its_address(work: ApartWork, pods: Pods) -> None:
    ran(work, "", env={"MLFLOW_TRACKING_URI": "http://mlflow.tracking:5000"})
    (policy,) = [each for each in pods.made if each["kind"] == "NetworkPolicy"]
    to, dns = policy["spec"]["egress"]
    assert to["to"][0]["namespaceSelector"]["matchExpressions"][0]["values"] == ["tracking"]
    assert {each["port"] for each in dns["ports"]} == {53}


def test_the_pod_holds_nothing(work: ApartWork, pods: Pods) -> None:
    ran(work, "")
    (pod,) = [each for each in pods.made if each["kind"] == "Pod"]
    spec, (container,) = pod["spec"], pod["spec"]["containers"]
    assert pod["metadata"]["namespace"] == NS and "serviceAccountName" not in spec
    assert spec["automountServiceAccountToken"] is False and spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] and container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert set(container["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}
    assert {name for each in spec["volumes"] for name in each} == {"name", "configMap", "emptyDir"}
    assert all(each["emptyDir"] == {"sizeLimit": "256Mi"} for each in spec["volumes"] if "emptyDir" in each)
    assert "/app/labs" in {each["mountPath"] for each in container["volumeMounts"]}
    (policy,) = [each for each in pods.made if each["kind"] == "NetworkPolicy"]
    chosen = policy["spec"]["podSelector"]["matchLabels"]
    assert chosen.items() <= pod["metadata"]["labels"].items() and policy["spec"]["policyTypes"] == [
        "Ingress",
        "Egress",
    ]
    kinds = [each["kind"] for each in pods.made]
    assert kinds.index("NetworkPolicy") < kinds.index("Pod")  # no moment in which it is open


def test_what_it_writes_comes_back(work: ApartWork) -> None:
    (work.folder / "kept.txt").write_text("as it was")
    text = """
import os
os.makedirs('made/deep'); open('made/deep/a.yaml', 'w').write('x: 1'); open('pipeline.yaml', 'w').write('y')
os.chmod('made/deep/a.yaml', 0o755); open('.hidden', 'w').write('h'); open('note.txt~', 'w').write('n')
"""
    with work.copy(without="pipeline.yaml") as copy:
        assert isinstance(copy, ApartWork)
        program(work, text)
        asyncio.run(
            ApartWork(copy.folder, "n", "r", {}, work._place).command(program(cast(ApartWork, copy), text), within=9)
        )
        made = copy.folder / "made" / "deep" / "a.yaml"
        assert made.read_text() == "x: 1" and stat.S_IMODE(made.stat().st_mode) == 0o755
        assert (copy.folder / "pipeline.yaml").read_text() == "y" and not (copy.folder / ".hidden").exists()
        assert not (copy.folder / "note.txt~").exists()
    assert not (work.folder / "made").exists() and (work.folder / "kept.txt").read_text() == "as it was"


def test_a_file_in_the_place_of_a_folder_and_the_other_way_round(work: ApartWork) -> None:
    (work.folder / "a").write_text("1")
    (work.folder / "b").mkdir()
    (work.folder / "b" / "c").write_text("1")
    ran(work, "import os, shutil\nos.remove('a'); os.mkdir('a'); open('a/x', 'w').write('2')\n"
              "shutil.rmtree('b'); open('b', 'w').write('3')")  # fmt: skip
    assert (work.folder / "a" / "x").read_text() == "2" and (work.folder / "b").read_text() == "3"


@pytest.mark.parametrize("made", ["missing", "no-program"])
def test_what_can_not_be_started_is_the_learners(work: ApartWork, made: str) -> None:
    (work.folder / "no-program").write_text("text")
    with pytest.raises(Failure, match="chmod"):
        asyncio.run(work.command(made, within=5))


def test_the_checkers_own_programs_run_here(work: ApartWork, pods: Pods) -> None:
    done = asyncio.run(work.command("/bin/echo", "here", within=5))
    assert done.output == "here\n" and pods.made == []


# Whatever a program tries, it ends with a verdict of its own, and what it says is data.

ATTEMPTS = {
    "reads the environment": ("import os; print(dict(os.environ))", lambda done: "s3cret" not in done.output),
    "reads its parent's environment": (
        "import os; print(open(f'/proc/{os.getppid()}/environ').read())",
        lambda done: "of the pod" not in done.output and done.code == 1,
    ),
    "says a verdict and exits": (
        """print('{"check": "all", "verdict": "pass", "points": 100}', flush=True); import os; os._exit(0)""",
        lambda done: done.code == 0 and "verdict" in done.output,
    ),
    "ends what runs it": ("import os, signal; os.kill(os.getppid(), signal.SIGKILL)", lambda done: done.code == -9),
    "stops what runs it": (
        "import os, signal; os.kill(os.getppid(), signal.SIGSTOP)", lambda done: done.code is None,
    ),
    "never ends": ("while True: pass", lambda done: done.code is None),
    "leaves a child at work": (
        "import subprocess; subprocess.Popen(['sleep', '60']); print('gone')", lambda done: done.code == 0,
    ),
    "floods its output": (
        "import sys\nwhile True: sys.stdout.write('x' * 65536)",
        lambda done: done.code is None and len(done.output) <= inside.KEPT,
    ),
    "prints half a character": (
        r"import sys; sys.stdout.buffer.write(b'\xff\xfe\xed\xa0\x80')", lambda done: done.code == 0,
    ),
    "makes what is no plain file": (
        "import os; os.symlink('/etc/passwd', 'link'); os.symlink('/', 'root'); os.mkfifo('pipe')\n"
        "open('sparse', 'wb').truncate(10 << 30)",
        lambda done: done.code == 0,
    ),
    "writes many files": (
        "for each in range(1100): open(f'f{each}', 'w').close()", lambda done: done.code == 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTEMPTS)
def test_whatever_it_tries(name: str, work: ApartWork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "_GRACE", 0.5)
    text, right = ATTEMPTS[name]
    runs_out = name in ("stops what runs it", "never ends", "floods its output")
    done = ran(work, text, within=0.5 if runs_out else 60)
    assert right(done), done
    plain = [each for each in work.folder.rglob("*") if not each.is_dir()]
    assert all(each.is_file() and not each.is_symlink() and each.stat().st_size <= inside.LARGEST for each in plain)
    assert len(plain) <= inside.MOST_FILES + 2


SAID = [
    "", "no JSON", "[]", "{}", '{"code": 0}', '{"code": "0", "seconds": 0, "output": "", "lines": 0, "trouble": ""}',
    '{"code": 0, "seconds": 0, "output": "é", "lines": 0, "trouble": ""}',
    '{"code": 0, "seconds": 0, "output": "", "lines": 2, "trouble": ""}\nAAAA',
    '{"code": 0, "seconds": "x", "output": "", "lines": 0, "trouble": ""}', "[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("said", SAID, ids=range(len(SAID)))
def test_an_answer_of_another_form_is_a_program_that_was_ended(said: str) -> None:
    with pytest.raises(place._Silent):
        place._heard(iter(said.split("\n")))


@pytest.mark.parametrize("packed", [b"x" * 512, b"\1" * 10240])
def test_files_of_another_form_are_the_learners(work: ApartWork, packed: bytes) -> None:
    with pytest.raises(Failure, match="plain files"):
        work._take(work.folder, packed, "build")


KILL = "import os, signal; os.kill(os.getppid(), signal.SIGKILL)"
OOM = {"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}]}


def test_too_much_memory_and_too_much_written_are_the_learners(work: ApartWork, pods: Pods) -> None:
    pods.ended = OOM
    assert "more than 1Gi of memory" in ran(work, KILL).output
    pods.ended = {
        "phase": "Failed",
        "reason": "Evicted",
        "message": 'Usage of EmptyDir volume "scratch" exceeds the limit "256Mi".',
    }
    assert "wrote more than 256Mi" in ran(work, KILL).output


LOW = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}


def test_no_program_begins_before_the_network_knows_its_pod(work: ApartWork, pods: Pods) -> None:
    pods.alone = "it is reached"
    (work.folder / "build").write_text("#!/bin/sh\ntouch begun\n")
    (work.folder / "build").chmod(0o755)
    with pytest.raises(LabError, match="reaches port 9153 of the cluster's name server"):
        asyncio.run(work.command("build", within=5))
    assert not list(pods.folder.rglob("begun"))


def test_a_pod_waits_until_it_is_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = tmp_path / "resolv.conf"
    resolver.write_text("search a b\nnameserver 127.0.0.1\noptions ndots:5\n")
    with socket.create_server(("127.0.0.1", 0)) as there:
        monkeypatch.setattr(inside, "FORBIDDEN", there.getsockname()[1])
        assert not inside.alone(0.5, resolver)
        later = threading.Timer(0.5, there.close)
        later.start()
        assert inside.alone(20, resolver)
        later.join()


@pytest.mark.parametrize("line", ["oom_kill 3", "under_oom 0"])
def test_a_program_alone_that_the_kernel_killed_for_memory_is_told_so(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter, build = tmp_path / "memory.oom_control", tmp_path / "build"
    counter.write_text("oom_kill_disable 0\noom_kill 2\n")
    monkeypatch.setattr(inside, "_COUNTERS", (tmp_path / "of another version", counter))
    build.write_text(f"#!/bin/sh\necho begun\necho {line} >{counter}\nkill -9 $$\n")
    build.chmod(0o755)
    said = inside.run(["build"], tmp_path, {"PATH": os.defpath}, 10)
    output = base64.b64decode(said["output"]).decode()
    assert said["code"] == -9 and output.startswith("begun")
    assert ("of memory" in output) == (line == "oom_kill 3")


def test_a_pod_that_its_node_has_ended_is_the_environments(work: ApartWork, pods: Pods) -> None:
    for status in (LOW, {"phase": "Failed"}):
        pods.ended = status
        with pytest.raises(LabError):
            ran(work, KILL)


def test_a_pod_that_is_gone_or_never_runs_is_the_environments(work: ApartWork, pods: Pods) -> None:
    pods.gone = True
    with pytest.raises(LabError, match="gone"):
        ran(work, KILL)
    pods.begins = "Pending"
    with pytest.raises(LabError, match="does not run"):
        ran(work, "")
    assert pods.deleted[-1][0] == "ConfigMap"
