"""A class's grading on the cluster: work is graded as `lab check` would, and what programs try ends in their own pod.

`grader:1` is built and pushed where it is not in the cluster's registry. Kueue is not needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_lab.classroom.grader import grading, kubelets
from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.errors import Refused
from mlops_lab.labs import images, variants
from mlops_lab.labs.catalog import resolve
from mlops_lab.measure.cluster.environment import SYSTEM_NAMESPACE
from mlops_lab.measure.cluster.node_cpu import used
from mlops_lab.measure.pods.containers import cadvisor
from mlops_lab.measure.traffic import load_generator
from tests import class_attempts as attempts
from tests.e2e.class_on_cluster import until
from tests.e2e.grading_on_cluster import Grading

pytestmark = [pytest.mark.cluster, pytest.mark.long]


@pytest.fixture(scope="module")
def klass(cluster: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grading]:
    images.bring(["grader:1"])
    found = Grading(cluster, tmp_path_factory.mktemp("grading"))
    try:
        found.open()
        yield found
    finally:
        found.close()


@pytest.fixture(scope="module")
def api(cluster: Kube) -> list[tuple[str, int]]:
    found = cluster.get("EndpointSlice", "kubernetes", "default")
    return [(str(host), int(port["port"])) for each in found["endpoints"] for host in each["addresses"]
            for port in found["ports"]]  # fmt: skip


@pytest.fixture(scope="module")
def apart(klass: Grading, cluster: Kube) -> str:
    """A third place."""
    name = f"g-0-1-apart-{klass.klass.mark}"
    labels = {"mlops-lab/grading": klass.namespace, "pod-security.kubernetes.io/enforce": "restricted"}
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    klass.made.append(name)
    until(lambda: cluster.find("ServiceAccount", "default", name))
    return name


# Work


def test_a_solution_and_a_mistake_have_the_verdicts_that_lab_verify_proves(
    klass: Grading, api: list[tuple[str, int]], tmp_path: Path
) -> None:
    exercise = resolve("04")
    wrong = variants.wrongs(exercise)[0]
    for number, variant in enumerate((variants.solutions(exercise)[0], wrong)):
        folder = tmp_path / str(number)
        variants.lay_out(variant, folder)
        grader, told = klass.grader("04", folder, api)
        assert grading.run(grader, grader.server) == 0 and told.back_with == []
        (said,) = told.results
        failed = {each["check"] for each in said["checks"] if each["verdict"] == "fail"}
        assert failed == ({wrong.check} if variant is wrong else set()), said
        assert (said["points"] == said["possible"]) == (variant is not wrong)
        for each in (grader.task.sandbox, grader.task.apart):
            until(lambda each=each: klass.gone(each), within=120)  # type: ignore[misc]


def test_a_kustomization_that_fetches_and_an_alias_that_grows_end_in_kubectls_own_pod(
    klass: Grading, api: list[tuple[str, int]], tmp_path: Path
) -> None:
    aliases = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
    )
    for name, text in (
        ("kustomization.yaml", "resources: [https://example.org/manifests.yaml]\n"),
        ("bomb.yaml", f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: bomb}}\n{aliases}"),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text(text)
        grader, told = klass.grader("04", folder, api)
        assert grading.run(grader, grader.server) == 0 and told.back_with == []
        (said,) = told.results
        assert said["points"] == 0 and any(
            "kubectl apply" in line for each in said["report"] for line in each["evidence"]
        )


def test_a_job_reads_nodes_figures_and_has_no_right_over_kubelets(
    klass: Grading, api: list[tuple[str, int]], cluster: Kube, tmp_path: Path
) -> None:
    (tmp_path / "own.yaml").write_text("a: 1\n")
    kube, node = klass.grader("04", tmp_path, api)[0].kube, cluster.list("Node")[0]
    name, where = node["metadata"]["name"], kubelets.address(node)
    assert where
    for what in ("stats/summary", "metrics/cadvisor", "pods"):
        path = f"/api/v1/nodes/{name}/proxy/{what}"
        told, own = (each.text if "metrics" in what else each.raw for each in (cluster, kube))
        assert told(path, what), "with the right it is told"
        with pytest.raises(Refused) as refused:
            own(path, what)
        assert refused.value.status == 403
    direct = kubelets.Direct(kube, klass.namespace)
    assert until(lambda: used(direct, name, "lab-04")) and "container_cpu" in cadvisor(direct, name)
    for path in ("/pods", "/exec/kube-system/x/y?command=id&output=1", "/configz", "/logs/"):
        assert direct._asked(where, path, path)[0] == 403, path


def of_a_job(name: str) -> Object:
    """A ConfigMap where all Jobs have rights."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": SYSTEM_NAMESPACE}}


def test_a_job_keeps_to_its_own_where_all_have_rights_and_would_not_without_its_policy(
    klass: Grading, api: list[tuple[str, int]], cluster: Kube, tmp_path: Path
) -> None:
    (tmp_path / "own.yaml").write_text("a: 1\n")
    kube, name = klass.grader("04", tmp_path, api)[0].kube, f"{klass.namespace}-grader"
    pod = klass.klass.spelled(attempts.pod())
    pod["metadata"]["namespace"] = SYSTEM_NAMESPACE
    mark, load = klass.klass.mark, load_generator.load_pod(cluster)
    theirs = of_a_job(f"theirs-{mark}")
    cluster.apply([theirs])

    def taken(*items: Object) -> bool:
        try:
            kube.apply(items, dry_run=True)
        except Refused as refused:
            assert "ValidatingAdmissionPolicy" in str(refused), refused
            return False
        return True

    guard = cluster.get("ValidatingAdmissionPolicyBinding", name)
    try:
        until(lambda: not taken(pod))
        assert taken(of_a_job(f"history-00{mark}")) and not taken(of_a_job("tried"))
        with pytest.raises(Refused, match="gives Prometheus a past"):
            kube.delete("ConfigMap", f"theirs-{mark}", SYSTEM_NAMESPACE)
        with pytest.raises(Refused, match="gives Prometheus a past"):
            kube.delete("Pod", load, SYSTEM_NAMESPACE)
        with kube.exec(load, SYSTEM_NAMESPACE, ["load", "--help"]) as stream:
            assert list(stream.lines(within=30)) is not None
        cluster.delete("ValidatingAdmissionPolicyBinding", name)
        until(lambda: taken(pod, of_a_job("tried")), within=15)
        kube.delete("ConfigMap", f"theirs-{mark}", SYSTEM_NAMESPACE)
        assert not cluster.find("ConfigMap", f"theirs-{mark}", SYSTEM_NAMESPACE)
    finally:
        cluster.delete("ConfigMap", f"theirs-{mark}", SYSTEM_NAMESPACE)
        spec = {key: guard[key] for key in ("apiVersion", "kind", "spec")}
        cluster.apply([{**spec, "metadata": {"name": name, "labels": guard["metadata"]["labels"]}}])


# Programs

TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
REACH = "import socket; socket.create_connection(('HOST', PORT), 3); print('reached')"
ATTEMPTS = {
    "reads a token": (f"open('{TOKEN}')", "No such file"),
    "asks the API server": (REACH, "rror"),
    "asks the load maker's namespace": (
        "import socket; socket.create_connection(('load.mlops-lab-system', 80), 3)", "rror",
    ),
    "asks a name server": ("import socket; print(socket.gethostbyname('kubernetes.default.svc'))", "rror"),
    "reads the checkers": ("import os; print(os.listdir('/app/labs'), os.listdir('/app/src'))", "[] []"),
    "writes into the image": ("open('/app/x', 'w')", "Read-only"),
    "reads what runs it": ("import os; print(open(f'/proc/{os.getppid()}/environ').read())", "Permission denied"),
    "takes all memory": ("x = bytearray(4 << 30); x[::4096] = b'1' * len(x[::4096])", "of memory"),
    "imports kfp": ("from kfp import compiler, dsl; print('compiles')", "compiles"),
    "calls kubectl": ("import subprocess; subprocess.run(['kubectl', 'version', '--client'], check=True)", "Client"),
}  # fmt: skip


def program(folder: Path, text: str, api: list[tuple[str, int]]) -> None:
    host, port = api[0]
    (folder / "build").write_text(f"#!/usr/bin/env python3\n{text.replace('HOST', host).replace('PORT', str(port))}\n")
    (folder / "build").chmod(0o755)


@pytest.mark.parametrize("name", ATTEMPTS)
def test_a_program_reaches_nothing_and_finds_what_it_needs(
    name: str, klass: Grading, apart: str, api: list[tuple[str, int]], tmp_path: Path
) -> None:
    text, seen = ATTEMPTS[name]
    program(tmp_path, text, api)
    # A name server whose answers are dropped, and not refused, is waited for.
    ran = klass.place(apart, api).run(tmp_path, ["build"], within=90)
    assert seen in ran.output, ran


def test_a_program_that_talks_to_the_cluster_reaches_the_api_server(
    klass: Grading, apart: str, api: list[tuple[str, int]], tmp_path: Path
) -> None:
    """What the one above is refused is possible where the task says so."""
    program(tmp_path, REACH, api)
    assert "reached" in klass.place(apart, api).run(tmp_path, ["build"], within=30, kubeconfig="{}").output


def test_nothing_is_left_of_programs(klass: Grading, apart: str, cluster: Kube) -> None:
    until(lambda: not cluster.list("Pod", apart), within=60)
    assert cluster.list("NetworkPolicy", apart) == []
    assert [each["metadata"]["name"] for each in cluster.list("ConfigMap", apart)] == ["kube-root-ca.crt"]
