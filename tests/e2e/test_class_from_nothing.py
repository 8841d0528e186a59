"""A class from nothing to its end, by the teacher's commands and a learner's: on the real cluster, over TLS.

The first tests collect only, so that what waits is known; the last one grades.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.port_forward import PortForward
from mlops_lab.kube.client import Kube
from mlops_lab.labs import variants
from mlops_lab.labs.catalog import resolve
from mlops_lab.platform.dashboard.prometheus import Prometheus
from tests.e2e.class_on_cluster import until
from tests.e2e.conftest import lab

pytestmark = [pytest.mark.cluster, pytest.mark.long]

NAMESPACE, KUEUE = "mlops-lab-class", "kueue-system"


@pytest.fixture(scope="module")
def folder(cluster: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of the teacher's; at the end no class is on the cluster."""
    found = tmp_path_factory.mktemp("class")
    (found / "roster.csv").write_text("id,name\nada,Ada\nbob,Bob\n")
    assert cluster.find("Namespace", NAMESPACE) is None, "a class is on this cluster already"
    before = cluster.find("Namespace", KUEUE)
    yield found
    done = lab("class", "down", "--data", "--no-backup", "--yes")
    assert done.returncode == 0, done.stderr
    assert cluster.find("Namespace", NAMESPACE) is None
    assert cluster.list("Namespace", selector=f"mlops-lab/grading={NAMESPACE}") == []
    assert bool(cluster.find("Namespace", KUEUE)) == bool(before), "the Kueue that the class has brought"


@pytest.fixture(scope="module")
def port(folder: Path) -> Iterator[int]:
    """The class is up, and lets learners in at this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = int(probe.getsockname()[1])
    program = Path(sys.executable).parent / "lab"
    words = ["class", "up", "--roster", str(folder / "roster.csv"), "--no-grading", "--listen", f"127.0.0.1:{number}"]
    with (folder / "up.log").open("w") as log:
        process = subprocess.Popen([str(program), *words], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 1500
            while "Learners are let in" not in (said := (folder / "up.log").read_text()):
                assert process.poll() is None and time.monotonic() < end, said
                time.sleep(1)
            yield number
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
    assert process.returncode == 0, (folder / "up.log").read_text()


def teach(*words: str, within: float = 1800) -> str:
    done = lab("class", *words, within=within)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def learner(folder: Path, name: str) -> dict[str, str]:
    """The environment of a learner who has put the file in its place, and has begun lab 04."""
    home, work = folder / name, folder / name / "work"
    kit = home / "config" / "class.json"
    kit.parent.mkdir(parents=True, exist_ok=True)
    kit.write_text((folder / "kits" / f"{name}.json").read_text())
    kit.chmod(0o600)
    place = work / resolve("04").slug
    place.mkdir(parents=True, exist_ok=True)
    (place / "model.yaml").write_text(f"# {name}\nkind: Deployment\n")
    return {**os.environ, "MLOPS_LAB_HOME": str(home), "MLOPS_LAB_WORKSPACE": str(work)}


def test_the_class_is_well_and_each_learner_hands_in_with_a_file(port: int, folder: Path) -> None:
    assert "learners  2" in teach("status")
    teach("kit", "--out", str(folder / "kits"))
    for name in ("ada", "bob"):
        file = folder / "kits" / f"{name}.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert json.loads(file.read_text())["address"] == f"https://127.0.0.1:{port}"
        done = lab("submit", "04", "--no-wait", env=learner(folder, name))
        assert done.returncode == 0 and "submission 1 of lab 04" in done.stdout, done.stdout + done.stderr
    assert "2 wait" in teach("status") and "none, as you have said" in teach("status")
    assert "ada" in teach("grades") and "bob,Bob" in teach("grades", "--csv")


@pytest.mark.parts("monitoring")
def test_prometheus_has_the_classs_figures(port: int, cluster: Kube) -> None:
    with PortForward(Kubectl(cluster.context), "mlops-lab-monitoring", "prometheus", 9090) as forward:
        prometheus = Prometheus(forward.address, forward.lost)
        end = time.monotonic() + 120
        while not (found := prometheus.query(f'classroom_learners{{namespace="{NAMESPACE}"}}')):
            assert time.monotonic() < end, prometheus.query(f'up{{namespace="{NAMESPACE}"}}')
            time.sleep(2)
    assert found[0].points[-1][1] == 2


def test_a_pod_that_is_replaced_is_found_by_the_next_submission(port: int, folder: Path, cluster: Kube) -> None:
    (pod,) = cluster.list("Pod", NAMESPACE, "app.kubernetes.io/component=server")
    cluster.delete("Pod", pod["metadata"]["name"], NAMESPACE)
    env = learner(folder, "ada")
    (Path(env["MLOPS_LAB_WORKSPACE"]) / resolve("04").slug / "model.yaml").write_text("# another\n")
    end = time.monotonic() + 180
    while (done := lab("submit", "04", "--no-wait", env=env)).returncode != 0:
        assert done.returncode == 3 and time.monotonic() < end, done.stderr
    assert "submission 2 of lab 04" in done.stdout


def test_a_changed_roster_is_taken_at_once(port: int, folder: Path) -> None:
    (folder / "roster.csv").write_text("id,name\nada,Ada\neve,Eve\n")
    begin = time.monotonic()
    assert "with 2 learners" in teach("up", "--roster", str(folder / "roster.csv"))
    assert time.monotonic() - begin < 180
    done = lab("submit", "04", "--no-wait", env=learner(folder, "bob"))
    assert done.returncode != 0 and "next" in done.stderr
    teach("kit", "eve", "--out", str(folder / "kits"))


def test_a_backup_is_back_after_all_was_deleted(port: int, folder: Path, cluster: Kube) -> None:
    teach("backup", str(folder / "autumn.tar"))
    before = teach("status")
    assert "stays" not in teach("down", "--data", "--no-backup", "--yes")
    assert cluster.find("Namespace", NAMESPACE) is None
    teach("up", "--roster", str(folder / "roster.csv"), "--no-grading", "--address", f"127.0.0.1:{port}")
    assert "0 wait" in teach("status")
    teach("restore", str(folder / "autumn.tar"), "--yes")
    after = teach("status")
    queue = [line for line in before.splitlines() if "queue" in line]
    assert queue == [line for line in after.splitlines() if "queue" in line] and "FAIL" not in after
    # The file of before the backup works: token, address and authority are the same.
    done = lab("submit", "04", "--no-wait", env=learner(folder, "ada"))
    assert done.returncode == 0, done.stderr


def test_without_data_the_gradebook_stays_and_lab_down_refuses(port: int, folder: Path, cluster: Kube) -> None:
    queue = [line for line in teach("status").splitlines() if "queue" in line]
    teach("down", "--yes", "--backup", str(folder / "end.tar"))
    assert cluster.find("Namespace", NAMESPACE)
    done = lab("down")
    assert done.returncode == 2 and "gradebook" in done.stderr
    teach("up", "--roster", str(folder / "roster.csv"))
    assert [line for line in teach("status").splitlines() if "queue" in line] == queue


@pytest.mark.timeout(5400, func_only=True)  # the first time images are built
def test_work_is_graded_though_its_grader_and_the_dispatcher_die_and_makes_a_certificate(
    port: int, folder: Path, cluster: Kube
) -> None:
    roster = str(folder / "roster.csv")
    teach("up", "--roster", roster, "--grading", within=4500)
    began = time.monotonic()
    teach("up", "--roster", roster)
    assert time.monotonic() - began < 120, "what is done already is not done again"
    teach("kit", "eve", "--out", str(folder / "kits"))
    env, exercise = learner(folder, "eve"), resolve("04")
    place = Path(env["MLOPS_LAB_WORKSPACE"]) / exercise.slug
    (place / "model.yaml").unlink()
    variants.lay_out(variants.solutions(exercise)[0], place)
    program = Path(sys.executable).parent / "lab"
    with (folder / "submit.log").open("w") as log:
        words = [str(program), "submit", "04", "--within", "60"]
        process = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env)
        try:
            pod = until(lambda: running(cluster), within=1800)  # others' work is before it
            cluster.delete("Pod", pod, f"{NAMESPACE}-grading", grace=0)
            for each in cluster.list("Pod", NAMESPACE, "app.kubernetes.io/component=grader"):
                cluster.delete("Pod", each["metadata"]["name"], NAMESPACE, grace=0)
            process.wait(2400)
        finally:
            process.kill()
    said = (folder / "submit.log").read_text()
    assert process.returncode == 0 and "10 of 10 points" in said, said
    until(lambda: "0 wait, 0 are being graded" in teach("status"), within=1800)
    assert "Jobs at work" in teach("status")
    of_submissions = f"mlops-lab/grading={NAMESPACE},mlops-lab/submission"
    until(lambda: not cluster.list("Namespace", selector=of_submissions), within=180)
    # Whoever has passed has proof of it; by the key in the learner's own file.
    assert "Eve: lab 04" in teach("certificate", "eve", "--out", str(folder / "certificates"))
    done = lab("class", "verify", str(folder / "certificates" / "eve.html"), env=env)
    assert done.returncode == 0 and "for Eve" in done.stdout, done.stdout + done.stderr


def running(cluster: Kube) -> str:
    """The pod of Eve's Job, once it runs."""
    found = cluster.list("Pod", f"{NAMESPACE}-grading", "mlops-lab/learner=eve")
    return next((each["metadata"]["name"] for each in found if each["status"].get("phase") == "Running"), "")
