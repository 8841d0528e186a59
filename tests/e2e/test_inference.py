"""The inference chart on the real cluster: a version comes, another takes its place under load, a bad one never does.

Models are trained in the cluster, by the components' image on the flights that it carries, and come from MLflow.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kfp import compiler

from components.prepare.component import prepare
from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import project
from mlops_lab.base.progress import Progress
from mlops_lab.kube.client import Kube
from mlops_lab.labs import namespaces
from mlops_lab.platform.helm import Helm, program
from tests.e2e.conftest import CLUSTER, lab

pytestmark = [pytest.mark.cluster, pytest.mark.long]

REGISTRY = "localhost:5001"
CHART = project() / "charts" / "inference"
MODEL = f"test-{uuid.uuid4().hex[:6]}"
MLFLOW = "http://mlflow.mlops-lab-tracking:5000"

TRAIN = """
import sys, tempfile
from pathlib import Path
from delays import bundle, registry, rows, source
client = registry.connect(sys.argv[1])
import mlflow
for seed, first, last in ((1, "2013-03-01", "2013-03-10"), (2, "2013-03-01", "2013-03-20")):
    folder = Path(tempfile.mkdtemp()) / "bundle"
    file = folder.parent / "rows.csv"
    file.write_bytes(rows.join(source.fetch("", source.days(first, last))))
    frame = rows.read(file)
    made, unseen = bundle.train(frame, seed, trees=10)
    bundle.write(folder, made, {"model_version": "?", "auc": 0.7}, frame, unseen)
    mlflow.set_experiment("test-inference")
    with mlflow.start_run() as run:
        logged = mlflow.pyfunc.log_model(
            name="model", loader_module="delays.bundle", data_path=str(folder), pip_requirements=["scikit-learn"])
    kept = {"run_id": run.info.run_id, "model_id": logged.model_id}
    print("version", registry.register(client, sys.argv[2], kept, {}).version)
"""

ALIAS = """
import sys
from delays import registry
registry.connect(sys.argv[1]).set_registered_model_alias(sys.argv[2], sys.argv[3], sys.argv[4])
"""

# One new connection for each request, so that every pod gets its share; what is not 200 is kept with its reason.
LOAD = """
import collections, json, sys, threading, time, urllib.request
seen, wrong = collections.Counter(), []
flight = {"month": 7, "day": 4, "weekday": 3, "hour": 17, "carrier": "UA", "origin": "EWR", "dest": "ORD",
          "distance": 719, "temp": 80.1, "wind_speed": 9.2, "precip": 0.0, "visib": 10.0}
body = json.dumps({"rows": [flight]}).encode()
def ask():
    while time.monotonic() < end:
        request = urllib.request.Request("http://model/predict", body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                seen[json.loads(answer.read())["model_version"]] += 1
        except Exception as trouble:
            wrong.append(f"{time.time():.1f} {trouble!r}")
        time.sleep(0.05)
row, limit = 0, time.monotonic() + 60
# Policies learn a new pod's address after a moment, on each node for itself.
while row < 10 and time.monotonic() < limit:
    try:
        urllib.request.urlopen("http://model/version", timeout=5).close()
        row += 1
    except OSError:
        row = 0
    time.sleep(0.1)
end = time.monotonic() + float(sys.argv[1])
threads = [threading.Thread(target=ask) for _ in range(3)]
[each.start() for each in threads]; [each.join() for each in threads]
print(json.dumps({"seen": seen, "wrong": wrong}))
"""


def pod(name: str, command: list[str], image: str = "components:1", memory: str = "1Gi") -> dict[str, Any]:
    """A pod that does one thing, as restricted as the namespace asks."""
    container = {
        "name": "main",
        "image": f"{REGISTRY}/{image}",
        "command": command,
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": memory}},
        "securityContext": {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }  # fmt: skip
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def running(item: dict[str, Any] | None) -> dict[str, Any] | None:
    return item if item and item["status"].get("phase") == "Running" else None


class Place:
    """A namespace with a release in it."""

    def __init__(self, kube: Kube, namespace: str, folder: Path) -> None:
        self.kube, self.namespace, self._folder = kube, namespace, folder
        self.helm = Helm(program(Progress()), f"kind-{CLUSTER}")

    def start(self, what: dict[str, Any]) -> str:
        name = f"{what['metadata']['name']}-{uuid.uuid4().hex[:5]}"
        self.kube.apply([{**what, "metadata": {"name": name}}], self.namespace)
        return name

    def finish(self, name: str, within: float = 300) -> str:
        """What a pod of `start` wrote, once it ended well."""

        def ended(item: Any) -> Any:
            return item if item and item["status"].get("phase") in ("Succeeded", "Failed") else None

        done, seen = self.kube.wait("Pod", name, self.namespace, ended, within=within)
        said = self.kube.logs(name, self.namespace, tail=200)
        assert done, (seen, said)
        assert done["status"]["phase"] == "Succeeded", said
        return said

    def run(self, what: dict[str, Any], within: float = 300) -> str:
        return self.finish(self.start(what), within)

    def alias(self, alias: str, version: str) -> None:
        self.run(pod("alias", ["python3", "-c", ALIAS, MLFLOW, MODEL, alias, version]))

    def load(self, seconds: float) -> str:
        return self.start(pod("load", ["python3", "-c", LOAD, str(seconds)], "serving:1", "128Mi"))

    def loaded(self, name: str, seconds: float) -> dict[str, Any]:
        said = self.finish(name, seconds + 150).strip().splitlines()[-1]
        found: dict[str, Any] = json.loads(said)
        return found

    def upgrade(self, within: float = 240, **values: Any) -> None:
        file = self._folder / "values.yaml"
        known = {"name": "model", "model": {"name": MODEL, "pollSeconds": 2}, "progressSeconds": 60}
        file.write_text(yaml.safe_dump({**known, **values}))
        self.helm.upgrade(self.namespace, CHART, files=[file], values={"registry": REGISTRY}, within=within)


@pytest.fixture(scope="module")
def place(cluster: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A namespace of the project's kind, where MLflow may be talked to, with two versions in the registry."""
    for words in (("up", "--with", "tracking"), ("images", "push", REGISTRY, "mlops-lab/serving-bentoml:1")):
        done = lab(*words, within=1800)
        assert done.returncode == 0, done.stdout + done.stderr
    name = f"test-{uuid.uuid4().hex[:8]}"
    labels = {"app.kubernetes.io/managed-by": "mlops-lab", "pod-security.kubernetes.io/enforce": "restricted"}
    namespaces.make(cluster, name, labels)
    made = Place(cluster, name, tmp_path_factory.mktemp("inference"))
    try:
        said = made.run(pod("train", ["python3", "-c", TRAIN, MLFLOW, MODEL]), within=400)
        assert "version 2" in said
        made.alias("production", "1")
        yield made
    finally:
        cluster.delete("Namespace", name)
        cluster.wait_gone("Namespace", name, within=180)


def test_a_component_runs_in_its_image_as_a_task_does(place: Place, tmp_path: Path) -> None:
    compiler.Compiler().compile(prepare, str(tmp_path / "prepare.yaml"))
    executor = yaml.safe_load((tmp_path / "prepare.yaml").read_text())["deploymentSpec"]["executors"]["exec-prepare"]
    container = executor["container"]
    outputs = {
        name: {"artifacts": [{"name": name, "type": {"schemaTitle": "system.Dataset"}, "uri": f"/tmp/out/{name}"}]}
        for name in ("rows", "held_out")
    }
    asked = {
        "inputs": {"parameterValues": {"first_day": "2013-05-01", "last_day": "2013-05-03", "held_out_days": 1}},
        "outputs": {
            "artifacts": outputs,
            "outputFile": "/tmp/out/all",
            "parameters": {"Output": {"outputFile": "/tmp/out/digest"}},
        },
    }
    words = [json.dumps(asked) if word == "{{$}}" else word for word in (*container["command"], *container["args"])]
    said = place.run(pod("prepare", words))
    assert "held_out: " in said
    assert "2013-05-03 to 2013-05-03" in said


@pytest.mark.parametrize("flavour", ["fastapi", "bentoml"])
def test_the_alias_moves_under_load_and_no_request_fails(place: Place, flavour: str) -> None:
    place.alias("production", "1")
    place.upgrade(flavour=flavour)
    place.helm.run("test", place.namespace, "--namespace", place.namespace, within=180)
    load = place.load(90)
    started, seen = place.kube.wait("Pod", load, place.namespace, running, within=60)
    assert started, seen
    time.sleep(5)
    place.alias("production", "2")
    found = place.loaded(load, 90)
    assert found["wrong"] == []
    assert set(found["seen"]) == {"1", "2"}
    assert place.loaded(place.load(5), 5)["seen"].keys() == {"2"}, "all pods have it, well within a minute"


def test_a_pinned_version_is_rolled_out_and_one_that_is_not_there_is_rolled_back(place: Place) -> None:
    place.upgrade(model={"name": MODEL, "version": "1"})
    load = place.load(100)
    place.upgrade(model={"name": MODEL, "version": "2"})
    found = place.loaded(load, 100)
    assert found["wrong"] == []
    assert "2" in found["seen"]
    with pytest.raises(LabError):
        place.upgrade(within=90, model={"name": MODEL, "version": "99"})
    found = place.loaded(place.load(10), 10)
    assert found["wrong"] == []
    assert found["seen"].keys() == {"2"}


def test_a_canary_gets_its_share(place: Place) -> None:
    place.alias("candidate", "2")
    place.upgrade(replicas=4, model={"name": MODEL, "version": "1"}, canary={"weight": 25})
    found = place.loaded(place.load(40), 40)
    assert found["wrong"] == []
    share = found["seen"]["2"] / sum(found["seen"].values())
    assert 0.15 < share < 0.35, found


def test_uninstalling_leaves_nothing(place: Place) -> None:
    assert place.helm.uninstall(place.namespace)
    for kind in ("Deployment", "Service", "NetworkPolicy", "PodDisruptionBudget", "HorizontalPodAutoscaler"):
        assert place.kube.list(kind, place.namespace) == [], kind
