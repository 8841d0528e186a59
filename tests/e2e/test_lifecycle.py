"""Whatever happens to a cluster on its way up or later, `lab up` makes it whole and `lab down` leaves nothing behind.

A second, small cluster of the tests' own; its kubeconfig and records are in a temporary folder, images are shared.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_lab.base.paths import cache
from mlops_lab.kube.client import Kube
from mlops_lab.kube.connection import connect
from tests.e2e.conftest import docker, lab

pytestmark = [pytest.mark.cluster, pytest.mark.second_cluster]

NAME = "mlops-lab-life"
CONTEXT = f"kind-{NAME}"
OURS = {"app.kubernetes.io/managed-by": "mlops-lab"}
MINE = {"apiVersion": "v1", "kind": "Config", "current-context": "mine", "contexts": [{"name": "mine", "context": {}}]}


@pytest.fixture(scope="module")
def env(cluster: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of the second cluster; the first one's images are used."""
    folder = tmp_path_factory.mktemp("life")
    (folder / "kubeconfig").write_text(yaml.safe_dump(MINE))
    env = {
        "MLOPS_LAB_CLUSTER": NAME,
        "XDG_STATE_HOME": str(folder / "state"),
        "XDG_CACHE_HOME": str(cache().parent),
        "KUBECONFIG": str(folder / "kubeconfig"),
    }
    if left := containers():  # by a run that was killed
        docker("rm", "-f", "-v", *left)
    try:
        yield env
    finally:
        lab("down", env=env, within=180)


@pytest.fixture(scope="module")
def up(env: dict[str, str]) -> dict[str, str]:
    """The same, with the cluster up."""
    done = lab("up", "--nodes", "small", env=env, within=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return env


def containers(*more: str) -> list[str]:
    return docker("ps", "-aq", "--filter", f"label=io.x-k8s.kind.cluster={NAME}", *more).split()


def asked() -> bool:
    """Has kind asked the engine for the node's container?"""
    every = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return f"docker run --name {NAME}-control-plane" in every or bool(containers())


def begin(env: dict[str, str], *words: str, until: Callable[[], Any] = containers) -> subprocess.Popen[str]:
    """`lab up`, running, once its node's container is listed, or what else is to be true."""
    program = Path(sys.executable).parent / "lab"
    started = subprocess.Popen(
        [str(program), "up", "--nodes", "small", *words],
        env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    end = time.monotonic() + 120
    while not until() and started.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    assert started.poll() is None, started.communicate()[0]
    assert until()
    return started


def free(lock: Path) -> bool:
    """Does no command hold the lock?"""
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def nothing_left(env: dict[str, str]) -> None:
    assert containers() == []
    whole = yaml.safe_load(Path(env["KUBECONFIG"]).read_text())
    assert [item["name"] for item in whole["contexts"]] == ["mine"]
    assert whole["current-context"] == "mine"


@pytest.mark.parametrize(
    ("sign", "until", "later"),
    [
        pytest.param(signal.SIGINT, asked, 0, id="asked for"),
        pytest.param(signal.SIGINT, containers, 0, id="listed, not made"),  # for a second it can't be inspected
        pytest.param(signal.SIGTERM, containers, 3, id="running"),
    ],
)
def test_an_interrupted_up_leaves_nothing(
    env: dict[str, str], sign: signal.Signals, until: Callable[[], Any], later: float
) -> None:
    started = begin(env, until=until)
    time.sleep(later)
    started.send_signal(sign)
    output, _ = started.communicate(timeout=120)
    assert started.returncode == 130, output
    assert "interrupted" in output and "next: " in output
    nothing_left(env)


def test_up_after_a_killed_up_makes_the_cluster_anew(env: dict[str, str]) -> None:
    started = begin(env)
    time.sleep(4)
    started.kill()
    started.communicate()
    assert containers()
    assert lab("status", env=env, within=60).returncode == 3
    done = lab("up", "--nodes", "small", env=env, within=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not created completely" in done.stderr
    assert lab("status", env=env, within=60).returncode == 0


def test_the_users_current_context_stays(up: dict[str, str]) -> None:
    whole = yaml.safe_load(Path(up["KUBECONFIG"]).read_text())
    assert whole["current-context"] == "mine"
    assert {item["name"] for item in whole["contexts"]} == {"mine", CONTEXT}


def test_a_second_command_that_must_not_wait_ends(up: dict[str, str]) -> None:
    docker("stop", *containers())
    first = subprocess.Popen([str(Path(sys.executable).parent / "lab"), "up"], env={**os.environ, **up})
    try:
        lock = Path(up["XDG_STATE_HOME"]) / "mlops-lab" / f"{NAME}.lock"
        end = time.monotonic() + 60
        while free(lock) and time.monotonic() < end:
            time.sleep(0.1)
        second = lab("up", "--no-wait", env=up, within=30)
        assert second.returncode == 3
        assert "another `lab` command" in second.stderr
    finally:
        assert first.wait(timeout=300) == 0


def test_stopped_nodes_are_started_again(up: dict[str, str]) -> None:
    before = containers("--no-trunc")
    docker("stop", *before)
    assert lab("status", env=up, within=60).returncode == 3
    done = lab("up", env=up, within=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert containers("--no-trunc") == before
    assert lab("status", env=up, within=60).returncode == 0


def test_a_context_that_the_kubeconfig_has_lost_is_put_back(up: dict[str, str]) -> None:
    Path(up["KUBECONFIG"]).write_text(yaml.safe_dump(MINE))
    assert lab("status", env=up, within=60).returncode == 3
    done = lab("up", env=up, within=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert lab("status", env=up, within=60).returncode == 0


def test_other_nodes_than_it_has_are_refused(up: dict[str, str]) -> None:
    done = lab("up", "--nodes", "default", env=up, within=60)
    assert done.returncode == 2
    assert "lab down" in done.stderr


def test_a_named_context_is_looked_at_before_anything_is_created(up: dict[str, str], tmp_path: Path) -> None:
    kube = connect(CONTEXT, Path(up["KUBECONFIG"]))
    kube.delete("Namespace", "mlops-lab-system")
    kube.wait_gone("Namespace", "mlops-lab-system", within=180)
    theirs = {**up, "XDG_STATE_HOME": str(tmp_path / "state"), "MLOPS_LAB_CLUSTER": "none-here"}
    words = ("up", "--context", CONTEXT, "--registry", "localhost:5001")
    default = "storageclass.kubernetes.io/is-default-class"
    kube.patch("StorageClass", "standard", {"metadata": {"annotations": {default: "false"}}})
    refused = lab(*words, env=theirs, within=60)
    assert refused.returncode == 3
    assert "no default storage class" in refused.stderr
    assert kube.find("Namespace", "mlops-lab-system") is None
    kube.patch("StorageClass", "standard", {"metadata": {"annotations": {default: "true"}}})
    wrong = lab("up", "--context", CONTEXT, "--registry", "localhost:5001/nothing", env=theirs, within=200)
    assert wrong.returncode == 3
    assert "lab images push localhost:5001/nothing" in wrong.stderr
    done = lab(*words, env=theirs, within=200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert lab("status", env=theirs, within=60).returncode == 0
    kube.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "someone-elses", "labels": OURS}}])
    refused = lab("down", env=theirs, within=60)
    assert refused.returncode == 2 and "--yes" in refused.stderr
    assert kube.find("Namespace", "mlops-lab-system")
    down = lab("down", "--yes", env=theirs, within=200)
    assert down.returncode == 0, down.stdout + down.stderr
    assert kube.find("Namespace", "mlops-lab-system") is None
    assert "Namespace someone-elses" in down.stdout
    assert kube.find("Namespace", "someone-elses")
    assert kube.find("PriorityClass", "mlops-lab-measuring"), "it was there before"
    kube.delete("Namespace", "someone-elses")
    assert len(kube.list("Node")) == 1


def test_down_leaves_nothing_and_can_be_repeated(up: dict[str, str]) -> None:
    volumes = docker("inspect", "--format", "{{range .Mounts}}{{.Name}} {{end}}", *containers()).split()
    assert volumes
    assert lab("down", env=up, within=120).returncode == 0
    nothing_left(up)
    assert not set(volumes) & set(docker("volume", "ls", "-q").split())
    again = lab("down", env=up, within=60)
    assert again.returncode == 0
    assert "Nothing to remove" in again.stdout


def test_a_cluster_of_somebody_else_is_left_alone(env: dict[str, str]) -> None:
    image = docker("inspect", "--format", "{{.Config.Image}}", "mlops-lab-registry")
    stranger = f"{NAME}-control-plane"
    docker("create", "--name", stranger, "--label", f"io.x-k8s.kind.cluster={NAME}", image)
    try:
        for command in ("up", "down"):
            done = lab(command, env=env, within=60)
            assert done.returncode == 3
            assert "did not create" in done.stderr
        assert docker("inspect", "--format", "{{.Name}}", stranger) == f"/{stranger}"
    finally:
        docker("rm", stranger)


def test_without_an_engine_the_way_out_is_said(env: dict[str, str]) -> None:
    done = lab("up", env={**env, "DOCKER_HOST": "tcp://127.0.0.1:9"}, within=60)
    assert done.returncode == 3
    assert "DOCKER_HOST" in done.stderr and "next: " in done.stderr
    assert shutil.which("docker")
