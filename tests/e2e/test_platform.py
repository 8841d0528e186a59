"""The platform on the live cluster: installed, left alone, repaired, upgraded, rolled back, its data kept throughout.

The part `tracking` stands for all of them here; what each part does is its own test.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import project
from mlops_lab.base.progress import Progress
from mlops_lab.cluster import record
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.port_forward import forward
from mlops_lab.kube.client import Kube
from mlops_lab.kube.objects import is_ready
from mlops_lab.platform import install, releases
from mlops_lab.platform.helm import Helm, program
from mlops_lab.platform.installed import installed
from tests.e2e.conftest import CLUSTER, docker, lab
from tests.e2e.test_cluster import REGISTRY, SHUT, fetch, ready, server

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(1200, func_only=True),
    pytest.mark.parts("tracking", "pipelines"),
]

SPACE = "mlops-lab-tracking"
CONTEXT = f"kind-{CLUSTER}"
KUBECTL = Kubectl(CONTEXT)


@pytest.fixture(scope="module")
def tracking(cluster: Kube) -> Kube:
    """The cluster with the part installed."""
    done = lab("up", "--with", "tracking", within=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lab open mlflow" in done.stdout
    return cluster


@pytest.fixture
def helm(tracking: Kube) -> Helm:
    return Helm(program(Progress()), CONTEXT)


@contextlib.contextmanager
def mlflow() -> Iterator[str]:
    """The server's URL on this machine."""
    with forward(KUBECTL, SPACE, "service/mlflow", 5000) as port:
        yield f"http://127.0.0.1:{port}"


def ask(url: str, body: dict[str, Any] | None = None, raw: bytes | None = None, method: str = "") -> Any:
    data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(
        url, data, {"Content-Type": "application/json"}, method=method or ("POST" if data else "GET")
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read()
    return json.loads(text) if text.startswith(b"{") else text


def store(note: bytes) -> tuple[str, str]:
    """A run with a metric and an artifact; its id and where the artifact is."""
    now = int(time.time() * 1000)
    with mlflow() as url:
        name = f"e2e-{now}"
        experiment = ask(f"{url}/api/2.0/mlflow/experiments/create", {"name": name})["experiment_id"]
        run = ask(f"{url}/api/2.0/mlflow/runs/create", {"experiment_id": experiment, "start_time": now})["run"]["info"]
        metric = {"run_id": run["run_id"], "key": "seen", "value": 1.5, "timestamp": now}
        ask(f"{url}/api/2.0/mlflow/runs/log-metric", metric)
        place = "/api/2.0/mlflow-artifacts/artifacts/" + run["artifact_uri"].partition(":/")[2].lstrip("/") + "/note"
        ask(f"{url}{place}", raw=note, method="PUT")
    return run["run_id"], place


def stored(run: str, place: str) -> tuple[float, bytes]:
    with mlflow() as url:
        metrics = ask(f"{url}/api/2.0/mlflow/runs/get?run_id={run}")["run"]["data"]["metrics"]
        return metrics[0]["value"], ask(f"{url}{place}")


def revision(helm: Helm) -> int:
    return helm.history(SPACE)[-1].number


def changed_chart(folder: Path, file: str, old: str, new: str) -> Path:
    """A copy of the chart with one change, beside the other charts."""
    copy = folder / "charts" / "mlflow"
    shutil.copytree(project() / "charts", folder / "charts")
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new))
    return copy


def pods(cluster: Kube) -> dict[str, str]:
    """Name and uid of the part's pods."""
    return {
        item["metadata"]["name"]: item["metadata"]["uid"]
        for item in cluster.list("Pod", SPACE)
        if item["status"]["phase"] == "Running" and "deletionTimestamp" not in item["metadata"]
    }


def replaced(cluster: Kube, before: dict[str, str]) -> None:
    """Wait until as many other pods are ready in place of those."""
    end = time.monotonic() + 200
    while True:
        there = [item for item in cluster.list("Pod", SPACE) if item["metadata"]["uid"] not in before.values()]
        if len([item for item in there if is_ready(item)]) == len(before):
            return
        assert time.monotonic() < end, [item["status"] for item in there]
        time.sleep(1)


def whole(cluster: Kube) -> None:
    """Wait until the part's workloads are ready."""
    ready(cluster, "mlflow", SPACE)
    seen, last = cluster.wait(
        *("StatefulSet", "postgresql", SPACE),
        lambda item: True if item and item["status"].get("readyReplicas") else None,
        within=120,
    )
    assert seen, last


def test_the_charts_own_test_passes(helm: Helm) -> None:
    done = helm.run("test", SPACE, "--namespace", SPACE, within=180, check=False)
    assert done.code == 0, done.stdout + done.stderr


def test_a_pipeline_runs_on_the_platform(tracking: Kube, helm: Helm) -> None:
    done = lab("up", "--with", "pipelines", within=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    space = "mlops-lab-pipelines"
    tested = helm.run("test", space, "--namespace", space, within=240, check=False)  # a run of two steps
    assert tested.code == 0, tested.stdout + tested.stderr


def test_up_again_changes_nothing_and_is_quick(tracking: Kube, helm: Helm) -> None:
    number, before = revision(helm), pods(tracking)
    times: dict[str, list[float]] = {"status": [], "up": []}
    while len(times["up"]) < 6:  # each beside the other, since a suite shares its cores
        for command, taken in times.items():
            begin = time.monotonic()
            done = lab(command, within=120)
            taken.append(time.monotonic() - begin)
            assert done.returncode == 0, done.stderr
        assert revision(helm) == number and pods(tracking) == before
        if quick := min(times["up"]) < 3 * min(times["status"]):
            break
    assert quick, times


def test_status_and_open_tell_of_the_part(tracking: Kube) -> None:
    done = lab("status", within=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tracking" in done.stdout
    assert re.search("^mlflow +ready ", lab("open", within=60).stdout, re.MULTILINE)


def test_what_was_deleted_by_hand_is_repaired(tracking: Kube) -> None:
    tracking.delete("Service", "mlflow", SPACE)
    tracking.delete("Deployment", "mlflow", SPACE)
    assert lab("status", within=60).returncode == 3
    done = lab("up", within=400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "repairing tracking" in done.stderr
    assert lab("status", within=60).returncode == 0


def test_data_outlives_the_pods(tracking: Kube) -> None:
    run, place = store(b"kept over a kill")
    before = pods(tracking)
    for name in before:
        tracking.delete("Pod", name, SPACE, grace=0)
    replaced(tracking, before)
    whole(tracking)
    assert stored(run, place) == (1.5, b"kept over a kill")


def test_data_outlives_a_kill_of_the_database_in_its_container(tracking: Kube) -> None:
    run, place = store(b"kept over a crash")
    node = tracking.get("Pod", "postgresql-0", SPACE)["spec"]["nodeName"]
    docker("exec", node, "sh", "-c", "kill -9 $(pgrep -x postgres)")

    def again(item: dict[str, Any] | None) -> bool | None:
        states = (item or {}).get("status", {}).get("containerStatuses") or [{}]
        return True if states[0].get("restartCount") and states[0].get("ready") else None

    seen, last = tracking.wait("Pod", "postgresql-0", SPACE, again, within=60)
    assert seen, last
    whole(tracking)
    for _ in range(20):  # connections from before the crash each fail once, with a status that MLflow's clients retry
        with contextlib.suppress(urllib.error.HTTPError):
            assert stored(run, place) == (1.5, b"kept over a crash")
            return
        time.sleep(1)
    pytest.fail("the server found no way back to its database")


def test_data_and_password_outlive_an_upgrade_from_the_chart_before(tracking: Kube, helm: Helm, tmp_path: Path) -> None:
    run, place = store(b"kept over an upgrade")
    password = tracking.get("Secret", "postgresql", SPACE)["data"]
    before = changed_chart(tmp_path, "Chart.yaml", "version: 0.1.0", "version: 0.0.9")
    text = before / "templates/postgresql/configmap.yaml"
    text.write_text(text.read_text().replace("shared_buffers = 64MB", "shared_buffers = 32MB"))
    # Labels go over to the next revision, so what somebody upgrades by hand is left alone; another one must say so.
    helm.upgrade(
        *(SPACE, before), values={"registry": REGISTRY}, labels={"mlops-lab/fingerprint": "before"}, within=240
    )
    older = pods(tracking)
    done = lab("up", "--with", "tracking", within=400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "shared_buffers = 64MB" in tracking.get("ConfigMap", "postgresql", SPACE)["data"]["postgresql.conf"]
    assert pods(tracking).keys() & {"postgresql-0"} and pods(tracking)["postgresql-0"] != older["postgresql-0"]
    assert tracking.get("Secret", "postgresql", SPACE)["data"] == password
    assert stored(run, place) == (1.5, b"kept over an upgrade")


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        pytest.param(
            "templates/mlflow/deployment.yaml", "readinessProbe: {httpGet: {path: /health",
            "readinessProbe: {httpGet: {path: /nosuch", "runs and is not ready", marks=pytest.mark.long,
        ),
        ("templates/mlflow/deployment.yaml", "/mlflow:{{ .Chart.AppVersion }}", "/mlflow:nosuch", "Image"),
        pytest.param(
            "templates/postgresql/configmap.yaml", "listen_addresses = '*'", "nosuch_setting = 1", "exit code 1",
            marks=pytest.mark.long,
        ),
    ],
    ids=["never ready", "no image", "database ends"],
)  # fmt: skip
def test_a_broken_upgrade_is_rolled_back_and_the_old_one_serves(
    tracking: Kube,
    helm: Helm,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    old: str,
    new: str,
    says: str,
) -> None:
    run, place = store(b"kept over a failure")
    known = installed(KUBECTL)["tracking"]
    changed_chart(tmp_path, file, old, new)
    monkeypatch.setattr(releases, "project", lambda: tmp_path)
    short = tuple(dataclasses.replace(each, within=60) for each in releases.RELEASES)
    monkeypatch.setattr(releases, "RELEASES", short)
    with pytest.raises(LabError) as error:
        install.with_parts(["tracking"], None, record.current(), Progress())
    assert "the previous release is back in place" in error.value.message
    assert says in error.value.message + error.value.detail, error.value.detail
    whole(tracking)
    assert installed(KUBECTL)["tracking"] == known
    assert stored(run, place) == (1.5, b"kept over a failure")
    monkeypatch.undo()
    number = revision(helm)
    assert lab("up", within=300).returncode == 0
    assert revision(helm) == number


OLDER = """
import os, sys
from alembic import command
from alembic.script import ScriptDirectory
import sqlalchemy
from mlflow.store.db import utils
from mlflow.store.tracking.dbmodels.initial_models import Base

uri = os.environ["MLFLOW_BACKEND_STORE_URI"].removesuffix("/mlflow") + "/older"
config = utils._get_alembic_config(uri.replace("%", "%%"))
head, older = [each.revision for each in ScriptDirectory.from_config(config).walk_revisions()][:2]
Base.metadata.create_all(sqlalchemy.create_engine(uri))
command.upgrade(config, older)
print(head, older)
"""


def psql(*statements: str) -> list[str]:
    """What statements give, as PostgreSQL's superuser."""
    words = [word for each in statements for word in ("-c", each)]
    done = KUBECTL.run(
        *("exec", "-n", SPACE, "postgresql-0", "--", "psql", "-h", "/tmp", "-U", "postgres", "-v", "ON_ERROR_STOP=1"),
        *("-Atq", *words),
    )
    return done.stdout.splitlines()


def databases(what: str) -> list[str]:
    return [name for name in psql("SELECT datname FROM pg_database ORDER BY datname") if f"_{what}_" in name]


def ended(item: dict[str, Any] | None) -> dict[str, Any] | None:
    return item if item and item["status"].get("phase") in ("Succeeded", "Failed") else None


@contextlib.contextmanager
def without_the_server(tracking: Kube) -> Iterator[None]:
    """No MLflow runs while the block does; afterwards it is ready again."""
    KUBECTL.run("scale", "-n", SPACE, "deployment/mlflow", "--replicas=0")
    for item in tracking.list("Pod", SPACE, "app.kubernetes.io/component=mlflow"):
        tracking.wait_gone("Pod", item["metadata"]["name"], SPACE, within=90)
    try:
        yield
    finally:
        KUBECTL.run("scale", "-n", SPACE, "deployment/mlflow", "--replicas=1")
    whole(tracking)


def test_an_update_of_the_schema_copies_the_database_and_an_older_server_goes_back(tracking: Kube) -> None:
    run, place = store(b"kept over a newer schema")
    spec = tracking.get("Deployment", "mlflow", SPACE)["spec"]["template"]
    labels = {key: value for key, value in spec["metadata"]["labels"].items() if key.startswith("app.kubernetes.io/")}
    (server,) = spec["spec"]["containers"]
    kept = ("name", "image", "env", "securityContext", "volumeMounts")
    older = {**{key: server[key] for key in kept}, "command": ["python3", "-c", OLDER]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "older", "namespace": SPACE, "labels": labels},
           "spec": {**spec["spec"], "containers": [older], "restartPolicy": "Never"}}  # fmt: skip
    was = databases("aside")
    with without_the_server(tracking):
        psql("DROP DATABASE IF EXISTS older", "CREATE DATABASE older OWNER mlflow")
        tracking.apply([pod], SPACE)
        try:
            done, seen = tracking.wait("Pod", "older", SPACE, ended, within=120)
            said = tracking.logs("older", SPACE, tail=20)
            assert done and done["status"]["phase"] == "Succeeded", (seen, said)
            head, before = said.splitlines()[-1].split()
        finally:
            tracking.delete("Pod", "older", SPACE, grace=0)
        psql("ALTER DATABASE mlflow RENAME TO mine", "ALTER DATABASE older RENAME TO mlflow")
    try:
        assert len(databases(f"at_{before}")) == 1  # the newer one has copied it, and serves
    finally:
        with without_the_server(tracking):
            psql("ALTER DATABASE mlflow RENAME TO older", "ALTER DATABASE mine RENAME TO mlflow", "DROP DATABASE older")
            psql(f'CREATE DATABASE "mlflow_at_{head}_20260101000000" OWNER mlflow TEMPLATE mlflow')
            KUBECTL.run(
                *("exec", "-n", SPACE, "postgresql-0", "--", "psql", "-h", "/tmp", "-U", "postgres", "-q", "mlflow"),
                *("-c", "UPDATE alembic_version SET version_num = 'ffffffffffff'"),
            )
    assert stored(run, place) == (1.5, b"kept over a newer schema")
    (aside,) = [name for name in databases("aside") if name not in was]
    assert aside.startswith("mlflow_aside_ffffffffffff_")
    log = KUBECTL.run("logs", "-n", SPACE, "deployment/mlflow").stdout
    assert "which MLflow" in log and aside in log
    psql(*(f'DROP DATABASE "{name}"' for name in (aside, *databases(f"at_{before}"))))


def test_an_unknown_value_is_one_clear_error(tracking: Kube, helm: Helm, tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("server: {replicas: 3}\n")
    number = revision(helm)
    with pytest.raises(LabError) as error:
        helm.upgrade(SPACE, project() / "charts" / "mlflow", files=[file], values={"registry": REGISTRY}, within=60)
    assert "server" in error.value.detail and "'replicas' not allowed" in error.value.detail
    assert revision(helm) == number


def test_a_helm_that_was_killed_is_cleared_up_after(tracking: Kube, helm: Helm, tmp_path: Path) -> None:
    slow = changed_chart(tmp_path, "templates/mlflow/deployment.yaml", "path: /health", "path: /nosuch")
    words = [str(helm.program), "--kube-context", CONTEXT, "upgrade", SPACE, str(slow), "--namespace", SPACE,
             "--wait", "--set", f"registry={REGISTRY}"]  # fmt: skip
    killed = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while helm.history(SPACE)[-1].status != "pending-upgrade" and time.monotonic() < end:
        time.sleep(0.5)
    killed.kill()
    killed.wait()
    assert helm.history(SPACE)[-1].status == "pending-upgrade"
    done = lab("up", within=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert helm.history(SPACE)[-1].status == "deployed"
    assert lab("status", within=60).returncode == 0


def test_a_part_that_is_not_there(tracking: Kube) -> None:
    done = lab("up", "--with", "nosuch", within=60)
    assert done.returncode == 2 and "'nosuch'" in done.stderr
    done = lab("open", "nosuch", within=60)
    assert done.returncode == 2 and "mlflow" in done.stderr


def test_open_forwards_and_follows_a_replaced_pod(tracking: Kube) -> None:
    ready(tracking, "mlflow", SPACE)  # also where this is tried once more
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    opened = subprocess.Popen(
        [str(Path(sys.executable).parent / "lab"), "open", "mlflow", "--no-browser", "--port", str(port)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert opened.stdout and f"http://127.0.0.1:{port}/" in opened.stdout.readline()
        assert ask(f"http://127.0.0.1:{port}/health") == b"OK"
        for name in pods(tracking):
            if name.startswith("mlflow"):
                tracking.delete("Pod", name, SPACE, grace=0)
        end = time.monotonic() + 200  # the startup probe gives it 180
        while True:
            try:
                assert ask(f"http://127.0.0.1:{port}/health") == b"OK"
                break
            except (OSError, http.client.HTTPException):  # the latter where its pod ends in the middle of an answer
                assert time.monotonic() < end and opened.poll() is None
                time.sleep(0.5)
        opened.send_signal(signal.SIGINT)
        assert opened.wait(20) == 0
    finally:
        if opened.poll() is None:
            opened.kill()
        opened.communicate()


@pytest.mark.parametrize(("managed", "wanted"), [("mlops-lab", ("200",)), ("somebody", SHUT)])
def test_only_the_projects_namespaces_reach_the_server(
    tracking: Kube, namespace: str, managed: str, wanted: tuple[str, ...]
) -> None:
    labels = {"app.kubernetes.io/managed-by": managed}
    tracking.patch("Namespace", namespace, {"metadata": {"labels": labels}})
    tracking.apply(server("client", f"{REGISTRY}/flight-delay:v2"), namespace)
    ready(tracking, "client", namespace)
    url = f"http://mlflow.{SPACE}.svc:5000/health"
    end = time.monotonic() + 60
    while (seen := fetch(tracking, namespace, url)) not in wanted and time.monotonic() < end:
        time.sleep(1)  # a policy knows a new pod's address only after a moment
    assert seen in wanted
    database = fetch(tracking, namespace, f"http://postgresql.{SPACE}.svc:5432/")
    assert database in SHUT, "the database is for its server alone"


def test_the_server_is_light(tracking: Kube) -> None:
    whole(tracking)
    end = time.monotonic() + 90
    while time.monotonic() < end:
        found = [
            container["usage"]["memory"]
            for item in tracking.list("PodMetrics", SPACE, api_version="metrics.k8s.io/v1beta1")
            for container in item["containers"]
            if container["name"] == "mlflow"
        ]
        if found:
            break
        time.sleep(3)
    assert found and int(found[0].removesuffix("Ki")) < 450 * 1024, found


def test_uninstalling_leaves_data_and_password_and_nothing_else(tracking: Kube, helm: Helm) -> None:
    run, place = store(b"kept over an uninstallation")
    password = tracking.get("Secret", "postgresql", SPACE)["data"]
    assert helm.uninstall(SPACE)
    for item in tracking.list("Pod", SPACE):  # they end in their own time
        tracking.wait_gone("Pod", item["metadata"]["name"], SPACE, within=60)
    for kind in ("Deployment", "StatefulSet", "Service", "NetworkPolicy", "Pod"):
        assert tracking.list(kind, SPACE) == [], kind
    secrets = [item["metadata"]["name"] for item in tracking.list("Secret", SPACE)]
    assert secrets == ["postgresql"]
    claims = {item["metadata"]["name"] for item in tracking.list("PersistentVolumeClaim", SPACE)}
    assert claims == {"data-postgresql-0", "mlflow-artifacts"}
    done = lab("up", "--with", "tracking", within=400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert tracking.get("Secret", "postgresql", SPACE)["data"] == password
    assert stored(run, place) == (1.5, b"kept over an uninstallation")


@pytest.mark.long
def test_data_outlives_the_cluster_when_that_is_asked_for(
    tracking: Kube, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a second, small cluster of its own, so that the others find theirs as it was."""
    from mlops_lab.base.paths import cache

    folder = tmp_path_factory.mktemp("kept")
    env = {
        "MLOPS_LAB_CLUSTER": "mlops-lab-kept", "XDG_STATE_HOME": str(folder / "state"),
        "XDG_CACHE_HOME": str(cache().parent), "KUBECONFIG": str(folder / "kubeconfig"),
    }  # fmt: skip
    monkeypatch.setattr(sys.modules[__name__], "KUBECTL", Kubectl("kind-mlops-lab-kept", str(folder / "kubeconfig")))
    lab("down", "--yes", env=env, within=180)  # what a run that was killed has left is another home's
    try:
        done = lab("up", "--nodes", "small", "--with", "tracking", env=env, within=900)
        assert done.returncode == 0, done.stdout + done.stderr
        run, place = store(b"kept over a cluster")
        done = lab("down", "--keep-data", env=env, within=300)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{SPACE}/data-postgresql-0" in done.stdout
        done = lab("up", "--nodes", "small", env=env, within=900)
        assert done.returncode == 0, done.stdout + done.stderr
        assert stored(run, place) == (1.5, b"kept over a cluster")
        assert not list((folder / "state").rglob("kept.json"))
        done = lab("down", env=env, within=300)
        assert done.returncode == 0, done.stdout + done.stderr
        assert not list((folder / "state").rglob("*.tar"))
    finally:
        lab("down", env=env, within=180)


@pytest.mark.long
def test_a_bucket_that_does_not_answer_is_said_and_tracking_goes_on(helm: Helm, namespace: str, tracking: Kube) -> None:
    chart = project() / "charts" / "mlflow"
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    tracking.apply(
        [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bucket"}, "stringData": keys}], namespace
    )
    bucket = {"destination": "s3://models/x", "endpoint": "http://127.0.0.1:1", "secretName": "bucket"}
    values = {f"artifacts.{key}": value for key, value in bucket.items()}
    helm.upgrade(namespace, chart, values={"registry": REGISTRY, **values}, within=240)
    try:
        with forward(KUBECTL, namespace, "service/mlflow", 5000) as port:
            url = f"http://127.0.0.1:{port}"
            run = ask(f"{url}/api/2.0/mlflow/runs/create", {"experiment_id": "0", "start_time": 1})["run"]["info"]
            with pytest.raises(urllib.error.HTTPError) as refused:
                ask(f"{url}/api/2.0/mlflow-artifacts/artifacts/0/{run['run_id']}/x", raw=b"x", method="PUT")
            assert refused.value.code == 500
            assert ask(f"{url}/api/2.0/mlflow/runs/get?run_id={run['run_id']}")["run"]["info"]["status"] == "RUNNING"
    finally:
        helm.uninstall(namespace)
