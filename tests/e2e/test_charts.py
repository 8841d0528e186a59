"""Every chart with every profile before the cluster's own API: it takes each object and warns of none.

Nothing is stored; that a chart then runs is each part's own test.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections import defaultdict
from collections.abc import Iterator

import pytest
import yaml

from mlops_lab.base.processes import find
from mlops_lab.base.progress import Progress
from mlops_lab.base.quick_yaml import dump_all, load_all
from mlops_lab.cluster import kueue
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.engine import start
from mlops_lab.images.build import bring
from mlops_lab.images.recipes import kueue as recipe
from mlops_lab.kube.client import Kube, Object
from tests.e2e.conftest import CLUSTER
from tests.render import kubeflow_facts
from tests.render.charts import CHARTS, Chart, Rendered, charts, helm, template

pytestmark = pytest.mark.cluster

CASES = [(chart, case) for chart in charts() for case in chart.cases()]
PIPELINES = Chart(CHARTS / "pipelines")
KUBEFLOW = PIPELINES.folder / "profiles" / "kubeflow.yaml"


def dry_run(text: str, namespace: str) -> subprocess.CompletedProcess[str]:
    words = ("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-")
    return subprocess.run(
        [str(find("kubectl")), "--context", f"kind-{CLUSTER}", "-n", namespace, *words],
        input=text, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def restrict(cluster: Kube, namespace: str, level: str) -> None:
    """Have the API server refuse pods below a level, and warn of workloads that would make some."""
    labels = {f"pod-security.kubernetes.io/{mode}": level for mode in ("enforce", "warn")}
    cluster.patch("Namespace", namespace, {"metadata": {"labels": labels}})


@pytest.fixture(scope="module")
def kueues_kinds(cluster: Kube) -> Iterator[None]:
    """The API server knows Kueue's kinds, which a class that grades has objects of; Kueue itself need not run."""
    kubectl = Kubectl(f"kind-{CLUSTER}")
    if kueue.whose(kubectl) is not kueue.Whose.NOBODYS:
        yield
        return
    docker, progress = start.ensure(print), Progress()
    bring([], "auto", docker, progress, also=(recipe.manifests,))
    kinds = [each for each in load_all(kueue.manifests(docker)) if each["kind"] == "CustomResourceDefinition"]
    kubectl.apply(dump_all({**each, "spec": {**each["spec"], "conversion": None}} for each in kinds))
    names = [each["metadata"]["name"] for each in kinds]
    kubectl.run("wait", "--for=condition=Established", "crd", *names, within=60)
    yield
    kubectl.run("delete", "crd", *names, "--ignore-not-found", within=120)


@pytest.mark.usefixtures("kueues_kinds")
@pytest.mark.parametrize(("chart", "case"), CASES, ids=[f"{chart.name} {case}" for chart, case in CASES])
def test_the_api_server_takes_every_object(chart: Chart, case: str, cluster: Kube, namespace: str) -> None:
    restrict(cluster, namespace, chart.annotations.get("mlops-lab/pod-security", "restricted"))
    rendered = template(chart.folder, chart.cases()[case], cluster.version())
    assert rendered.returncode == 0, rendered.stderr
    text = rendered.stdout
    for each in ("mlops-lab-test", "mlops-lab-monitoring"):  # the namespaces of parts need not be there
        text = text.replace(f"namespace: {each}", f"namespace: {namespace}")
    placed: dict[str, list[Object]] = defaultdict(list)  # a chart may put a RoleBinding into kube-system
    for item in load_all(text):
        placed[item["metadata"].get("namespace", namespace)].append(item)
    taken = 0
    for where, objects in placed.items():
        done = dry_run(dump_all(objects), where)
        assert done.returncode == 0, done.stderr
        assert "would violate" not in done.stderr, done.stderr
        assert "unknown field" not in done.stderr and "deprecated" not in done.stderr, done.stderr
        taken += len(done.stdout.splitlines())
    assert taken == len(chart.render(chart.cases()[case]))


def test_the_dry_run_fails_where_it_should(cluster: Kube, namespace: str) -> None:
    restrict(cluster, namespace, "restricted")
    container = {"name": "c", "image": "x"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [container]}}
    done = dry_run(json.dumps(pod), namespace)
    assert done.returncode != 0 and "violates PodSecurity" in done.stderr
    unknown = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "datas": {}}
    done = dry_run(json.dumps(unknown), namespace)
    assert "datas" in done.stderr, done.stderr


def run_pods(objects: list[Rendered], **changed: object) -> list[Object]:
    """The pods that a run of Kubeflow's engine makes, with the settings of the chart."""
    data = next(each.body["data"] for each in objects if each.name == "ConfigMap workflow-controller-configmap")
    server = next(each.containers[-1] for each in objects if each.name == "Deployment ml-pipeline")
    told = {each["name"]: each.get("value") for each in server["env"]}
    given = {
        "executor": yaml.safe_load(data["executor"])["securityContext"],
        "user": int(told["DEFAULT_SECURITY_CONTEXT_RUN_AS_USER"]),
        "non_root": told["DEFAULT_SECURITY_CONTEXT_RUN_AS_NON_ROOT"] == "true",
        **changed,
    }
    return kubeflow_facts.pods_of_a_run(**given)


def test_pods_of_a_run_are_restricted_ones_by_the_charts_settings(cluster: Kube, namespace: str) -> None:
    restrict(cluster, namespace, "restricted")
    objects = PIPELINES.render((KUBEFLOW,))
    done = dry_run(yaml.safe_dump_all(run_pods(objects)), namespace)
    assert done.returncode == 0, done.stderr
    for changed in ({"executor": {}}, {"user": None, "non_root": None}, {"user": 0}):
        done = dry_run(yaml.safe_dump_all(run_pods(objects, **changed)), namespace)
        assert done.returncode != 0 and "violates PodSecurity" in done.stderr, changed


def keep_secrets(cluster: Kube, namespace: str, release: str, **data: dict[str, str]) -> None:
    """Make Secrets as a release of helm's has left them."""
    notes = {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": namespace}
    cluster.apply([
        {
            "apiVersion": "v1", "kind": "Secret", "stringData": each,
            "metadata": {"name": name.replace("_", "-"), "namespace": namespace, "annotations": notes},
        }
        for name, each in data.items()
    ])  # fmt: skip


def rendered_there(namespace: str) -> subprocess.CompletedProcess[str]:
    """What helm would install as the release x, with what it finds in the cluster."""
    words = ("template", "x", str(PIPELINES.folder), "--values", str(KUBEFLOW), "--namespace", namespace)
    return subprocess.run(
        [helm(), *words, "--dry-run=server", "--kube-context", f"kind-{CLUSTER}"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_passwords_of_somebody_else_are_used_as_they_are(cluster: Kube, namespace: str) -> None:
    store = {"accesskey": "a", "secretkey": "b", "s3.json": "{}"}
    keep_secrets(cluster, namespace, "y", mysql_secret={"username": "root"}, mlpipeline_minio_artifact=store)
    done = rendered_there(namespace)
    assert done.returncode != 0 and "from before, and has no key password" in done.stderr
    keep_secrets(cluster, namespace, "y", mysql_secret={"username": "root", "password": "theirs"})
    done = rendered_there(namespace)
    assert done.returncode == 0 and "kind: Secret\n" not in done.stdout, done.stderr


def test_passwords_in_the_cluster_are_kept(cluster: Kube, namespace: str) -> None:
    """What helm finds there stays; a part that is missing is made."""
    database, store = {"username": "root", "password": "kept"}, {"accesskey": "kept"}
    keep_secrets(cluster, namespace, "x", mysql_secret=database, mlpipeline_minio_artifact=store)
    done = rendered_there(namespace)
    assert done.returncode == 0, done.stderr
    made = {
        item["metadata"]["name"]: {key: base64.b64decode(text).decode() for key, text in item["data"].items()}
        for item in yaml.safe_load_all(done.stdout)
        if item and item["kind"] == "Secret"
    }
    assert made["mysql-secret"] == database
    pair = made["mlpipeline-minio-artifact"]
    assert pair["accesskey"] == "kept" and len(pair["secretkey"]) == 40
    (identity,) = json.loads(pair["s3.json"])["identities"]
    assert identity["credentials"] == [{"accessKey": "kept", "secretKey": pair["secretkey"]}]
