"""What `lab up` promises: a real cluster that listens on 127.0.0.1 only, with DNS, policy, metrics and a registry."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest
import yaml

from mlops_lab.base.paths import cache
from mlops_lab.images.recipes import helm as helm_program
from mlops_lab.images.store import Store
from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.errors import Unreachable
from mlops_lab.measure.cluster.environment import problems
from tests.e2e.conftest import CLUSTER, docker, lab

pytestmark = pytest.mark.cluster

REGISTRY = "localhost:5001"


def server(name: str, image: str) -> list[Object]:
    """A Deployment and Service of the flight-delay server, hardened as a restricted namespace asks."""
    labels = {"app": name}
    container = {
        "name": "server",
        "image": image,
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {
        "containers": [container],
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    }
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
        },
    ]


def ready(kube: Kube, name: str, namespace: str) -> None:
    done, seen = kube.wait(
        "Deployment",
        name,
        namespace,
        lambda item: True if item and item.get("status", {}).get("readyReplicas") else None,
        within=120,
    )
    assert done, seen


# What a client sees that is turned away: refused, or told that there is no way (an OSError without a name of its own).
REJECTED = ("ConnectionRefusedError", "OSError")
# And one whom a policy shuts out, who may hear nothing.
SHUT = ("TimeoutError", *REJECTED)


def fetch(kube: Kube, namespace: str, url: str) -> str:
    """What a pod of the server's image gets from a URL: the HTTP status, or the name of the exception behind it."""
    pod = kube.list("Pod", namespace, "app=client")[0]["metadata"]["name"]
    code = (
        "import sys,urllib.request as r\n"
        "from urllib.error import HTTPError, URLError\n"
        "try: print(r.urlopen(sys.argv[1], timeout=3).status)\n"
        "except HTTPError as e: print(e.code)\n"
        "except URLError as e: print(type(e.reason).__name__)\n"
        "except Exception as e: print(type(e).__name__)"
    )
    with kube.exec(pod, namespace, ["python3", "-c", code, url]) as command:
        return " ".join(line for line in command.lines(within=20) if line)


def settled(kube: Kube, namespace: str, wanted: tuple[str, ...], url: str = "http://model/readyz") -> str:
    """The answer, asked for until it is a wanted one: nodes hear of changes a moment after the API."""
    end = time.monotonic() + 60
    while (answer := fetch(kube, namespace, url)) not in wanted and time.monotonic() < end:
        time.sleep(1)
    return answer


def test_the_cluster_is_well(cluster: Kube) -> None:
    assert problems(cluster) == []


def own() -> list[str]:
    """The containers of this cluster and its registry: tests of others may be at work."""
    nodes = docker("ps", "-q", "--no-trunc", "--filter", f"label=io.x-k8s.kind.cluster={CLUSTER}").split()
    return sorted(nodes + docker("ps", "-q", "--no-trunc", "--filter", "name=^mlops-lab-registry$").split())


def test_up_again_changes_nothing(cluster: Kube) -> None:
    before = {node["metadata"]["uid"] for node in cluster.list("Node")}
    containers = own()
    done = lab("up", within=120)
    assert done.returncode == 0, done.stderr
    assert {node["metadata"]["uid"] for node in cluster.list("Node")} == before
    assert own() == containers


def test_up_makes_hidden_rows_again_that_were_lost_beside_their_images(cluster: Kube, tmp_path: Path) -> None:
    """An engine's images outlive a cache folder that was cleared, or that is another one."""
    env = {"XDG_CACHE_HOME": str(tmp_path), "UV_CACHE_DIR": str(cache().parent / "uv")}
    if (helm := helm_program.path(Store())) is not None:  # parts of the platform are looked after too
        env["PATH"] = f"{helm.parent}{os.pathsep}{os.environ['PATH']}"
    done = lab("up", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = tmp_path.glob("mlops-lab/build/flight-delay-train/current/hidden.json")
    assert made.read_bytes() == (cache() / "build" / "flight-delay-train" / "current" / "hidden.json").read_bytes()


def test_everything_that_is_published_listens_on_the_loopback_address_only(cluster: Kube) -> None:
    ports = ",".join(docker("ps", "--format", "{{.Ports}}").splitlines()).split(",")
    published = [port.strip() for port in ports if "->" in port]
    assert len(published) >= 2  # the API server's and the registry's
    assert {port.rpartition(":")[0] for port in (each.partition("->")[0] for each in published)} == {"127.0.0.1"}


def test_the_kubeconfig_has_a_context_of_its_own(cluster: Kube) -> None:
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    assert f"kind-{CLUSTER}" in [context["name"] for context in config["contexts"]]


def test_status_and_doctor_find_nothing_wrong(cluster: Kube) -> None:
    for command in ("status", "doctor"):
        done = lab(command, within=120)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "fail" not in done.stdout.lower().split(), done.stdout


def test_pods_find_services_by_name_and_policy_shuts_them_out(cluster: Kube, namespace: str) -> None:
    cluster.apply(
        [*server("model", f"{REGISTRY}/flight-delay:v1"), *server("client", f"{REGISTRY}/flight-delay:v2")], namespace
    )
    ready(cluster, "model", namespace)
    ready(cluster, "client", namespace)
    assert settled(cluster, namespace, ("200",)) == "200"
    deny = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "nobody"},
        "spec": {"podSelector": {"matchLabels": {"app": "model"}}, "policyTypes": ["Ingress"]},
    }
    cluster.apply([deny], namespace)
    assert settled(cluster, namespace, SHUT) in SHUT


def test_policies_know_a_pod_of_another_node_whatever_kube_router_remembers_of_that_node(
    cluster: Kube, namespace: str
) -> None:
    """Its controllers write older sets of the nodes' addresses over newer ones: nothing may hang on those."""
    objects, nodes = [], _workers(cluster)
    assert len(nodes) == 2
    for name, node in zip(("model", "client"), nodes, strict=True):
        deployment, service = server(name, f"{REGISTRY}/flight-delay:v1")
        deployment["spec"]["template"]["spec"]["nodeName"] = node
        objects += [deployment, service]
    clients = {"from": [{"podSelector": {"matchLabels": {"app": "client"}}}]}
    spec = {"podSelector": {"matchLabels": {"app": "model"}}, "policyTypes": ["Ingress"], "ingress": [clients]}
    cluster.apply(objects, namespace)
    for name in ("model", "client"):
        ready(cluster, name, namespace)
    theirs = cluster.get("Node", nodes[0])["spec"]["podCIDR"]
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "clients"}}
    cluster.apply([policy | {"spec": spec}], namespace)
    assert settled(cluster, namespace, ("200",)) == "200"
    docker("exec", nodes[1], "ipset", "del", "-exist", "kube-router-pod-subnets", theirs)
    assert [fetch(cluster, namespace, "http://model/readyz") for _ in range(5)] == ["200"] * 5


def _workers(cluster: Kube) -> list[str]:
    role = "node-role.kubernetes.io/control-plane"
    nodes = [item["metadata"] for item in cluster.list("Node")]
    return sorted(each["name"] for each in nodes if role not in each["labels"])


def test_a_volume_is_provisioned_and_keeps_its_data(cluster: Kube, namespace: str) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}},
    }
    pod = server("writer", f"{REGISTRY}/flight-delay:v1")[0]
    spec = pod["spec"]["template"]["spec"]
    spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    spec["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    spec["securityContext"]["fsGroup"] = 10001
    cluster.apply([claim, pod], namespace)
    ready(cluster, "writer", namespace)
    for command, wanted in (("echo kept > /data/file", ""), ("cat /data/file", "kept")):
        name = cluster.list("Pod", namespace, "app=writer")[0]["metadata"]["name"]
        with cluster.exec(name, namespace, ["sh", "-c", command]) as shell:
            assert "".join(line for line in shell.lines(within=20) if line) == wanted
            assert shell.code == 0


def test_what_a_learner_pushes_runs_in_the_cluster(cluster: Kube, namespace: str, tmp_path: Path) -> None:
    mark = namespace  # unlike any image before it
    (tmp_path / "Dockerfile").write_text(f"FROM {REGISTRY}/flight-delay:v1\nLABEL mark={mark}\n")
    mine = f"{REGISTRY}/mine:{mark}"
    docker("build", "-q", "-t", mine, str(tmp_path))
    docker("push", "-q", mine)
    docker("rmi", mine)
    cluster.apply(server("mine", mine), namespace)
    ready(cluster, "mine", namespace)


def test_pods_have_metrics(cluster: Kube) -> None:
    end = time.monotonic() + 90
    nodes, found = {item["metadata"]["name"] for item in cluster.list("Node")}, set[str]()
    while found != nodes and time.monotonic() < end:
        with contextlib.suppress(Unreachable):  # metrics-server may have just begun
            told = cluster.list("NodeMetrics", api_version="metrics.k8s.io/v1beta1")
            found = {item["metadata"]["name"] for item in told}
        time.sleep(2)
    assert found == nodes


def test_kube_proxy_does_not_come_last_on_a_busy_machine(cluster: Kube) -> None:
    pod = cluster.get("DaemonSet", "kube-proxy", "kube-system")["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"]["requests"] == {"cpu": "50m"}


def test_a_service_without_endpoints_refuses_at_once(cluster: Kube, namespace: str) -> None:
    cluster.apply(server("client", f"{REGISTRY}/flight-delay:v2"), namespace)
    ready(cluster, "client", namespace)
    cluster.apply([server("nobody", "unused")[1]], namespace)
    address = cluster.get("Service", "nobody", namespace)["spec"]["clusterIP"]
    # Until kube-proxy hears of the Service, there is no answer at all.
    assert settled(cluster, namespace, REJECTED, f"http://{address}/") in REJECTED
