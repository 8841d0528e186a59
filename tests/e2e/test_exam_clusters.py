"""What the exam's tasks stand on: a second cluster whose nodes are reached by ssh, and Traefik on the first."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator

import pytest

from mlops_lab.base.progress import Progress
from mlops_lab.cluster import second, shell, traefik
from mlops_lab.kube.client import Kube
from mlops_lab.kube.connection import connect
from tests.e2e.conftest import docker

pytestmark = [pytest.mark.cluster, pytest.mark.long]

CONTROL, WORKER = "mlops-lab-exam-control-plane", "mlops-lab-exam-worker"
# A web server and what leads to it by both ways.
ROUTED = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
      - {{name: web, image: "localhost:5001/flight-delay:v1", ports: [{{containerPort: 8080}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{selector: {{app: web}}, ports: [{{port: 80, targetPort: 8080}}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: web}}
spec:
  ingressClassName: traefik
  rules:
  - host: ingress.{name}.test
    http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: web}}
spec:
  gatewayClassName: traefik
  listeners: [{{name: http, port: 80, protocol: HTTP}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: web}}
spec:
  parentRefs: [{{name: web}}]
  hostnames: [gateway.{name}.test]
  rules: [{{backendRefs: [{{name: web, port: 80}}]}}]
"""


@pytest.fixture(scope="module")
def nodes(cluster: Kube) -> Iterator[second.Second]:
    """The second cluster, made anew."""
    second.down(Progress())
    made = second.up(Progress())
    yield made
    assert second.down(Progress()) is True
    assert not docker("ps", "-aq", "--filter", "label=io.x-k8s.kind.cluster=mlops-lab-exam")


def script(text: str, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
    """As a task's answer.sh is run."""
    return subprocess.run(["bash", "-euo", "pipefail", "-c", text], env={**os.environ, **shell.environment()},
                          input=stdin, capture_output=True, text=True, timeout=120, check=check)  # fmt: skip


def test_the_first_cluster_and_the_users_kubeconfig_are_as_before(nodes: second.Second) -> None:
    there = script("KUBECONFIG='' kubectl config get-contexts -o name", check=False).stdout.split()
    assert nodes.context not in there
    assert script("kubectl config current-context").stdout == "kind-mlops-lab\n"
    assert len(script("kubectl get nodes -o name").stdout.split()) == 3
    assert len(script(f"kubectl --context {nodes.context} get nodes -o name").stdout.split()) == 2


def test_ssh_leads_to_root_on_a_node(nodes: second.Second) -> None:
    assert script(f"ssh {WORKER} 'whoami; hostname; pwd'").stdout.split() == ["root", WORKER, "/root"]
    assert script("ssh exam-worker 'cat >/tmp/x; wc -l </tmp/x'", stdin="a\nb\n").stdout.strip() == "2"
    assert script("ssh exam-worker 'exit 4'", check=False).returncode == 4
    assert script("ssh exam-control-plane k get nodes -o name").stdout.split() == [f"node/{CONTROL}", f"node/{WORKER}"]
    refused = script("ssh exam-worker kubectl get nodes", check=False)
    assert refused.returncode != 0, "a worker has no administrator's kubeconfig"


def test_a_node_is_looked_after_as_in_the_exam(nodes: second.Second) -> None:
    for each in ("crictl", "etcdctl", "etcdutl", "kubeadm", "systemctl", "journalctl", "vi", "vim", "nano", "less"):
        script(f"ssh exam-control-plane command -v {each}")
    assert script("ssh exam-control-plane crictl ps --name kube-apiserver -q").stdout.strip()
    assert "admin.conf" in script("ssh exam-control-plane kubeadm certs check-expiration").stdout
    assert "kubelet" in script("ssh exam-worker journalctl -u kubelet --no-pager -n 5").stdout
    assert script("ssh exam-worker sudo systemctl is-active kubelet").stdout == "active\n"


def test_a_kubelet_that_is_stopped_makes_its_node_not_ready_until_it_runs(nodes: second.Second) -> None:
    script("ssh exam-worker systemctl stop kubelet")
    kubectl = f"kubectl --context {nodes.context}"
    script(f"{kubectl} wait --for=condition=Ready=Unknown --timeout=90s node/{WORKER}")
    script("ssh exam-worker systemctl start kubelet")
    script(f"{kubectl} wait --for=condition=Ready --timeout=60s node/{WORKER}")


def test_etcd_is_saved_and_restored(nodes: second.Second) -> None:
    keys = ("--endpoints=https://127.0.0.1:2379 --cacert=/etc/kubernetes/pki/etcd/ca.crt"
            " --cert=/etc/kubernetes/pki/etcd/server.crt --key=/etc/kubernetes/pki/etcd/server.key")  # fmt: skip
    script(f"ssh exam-control-plane etcdctl {keys} snapshot save /tmp/snapshot.db")
    script(
        "ssh exam-control-plane 'rm -rf /tmp/restored; etcdutl snapshot restore /tmp/snapshot.db"
        " --data-dir /tmp/restored && ls /tmp/restored/member/snap/db'"
    )


def test_pods_come_from_the_same_registry_and_find_names(nodes: second.Second) -> None:
    kube = connect(nodes.context, nodes.kubeconfig)
    kubectl = f"kubectl --context {nodes.context}"
    script(f"{kubectl} delete pod web --ignore-not-found --now")  # of a first try
    script(f"{kubectl} run web --image localhost:5001/flight-delay:v1 --port 8080")
    script(f"{kubectl} wait --for=condition=Ready --timeout=60s pod/web")
    pod = kube.get("Pod", "web", "default")
    assert pod["spec"]["nodeName"] == WORKER, "the control plane takes no pods"
    asked = "import socket; print(socket.gethostbyname('kubernetes.default.svc'))"
    assert script(f'{kubectl} exec web -- python3 -c "{asked}"').stdout.startswith("10.96.")


def test_a_restart_of_the_engine_is_survived(nodes: second.Second) -> None:
    docker("stop", *nodes.nodes)
    assert second.found() == nodes
    assert second.up(Progress()) == nodes
    script(f"kubectl --context {nodes.context} wait --for=condition=Ready --timeout=60s nodes --all")


def test_a_worker_leaves_and_joins(nodes: second.Second) -> None:
    kubectl = f"kubectl --context {nodes.context}"
    script(f"{kubectl} delete node {WORKER} --ignore-not-found; ssh exam-worker kubeadm reset --force")
    join = script("ssh exam-control-plane kubeadm token create --print-join-command").stdout.strip()
    script(f"ssh exam-worker '{join} --ignore-preflight-errors=all'")
    script(f"{kubectl} wait --for=condition=Ready --timeout=90s node/{WORKER}")


@pytest.fixture
def ingress(cluster: Kube) -> Iterator[None]:
    traefik.up(Progress())
    yield
    assert traefik.down(Progress()) is True


def test_traefik_serves_an_ingress_and_a_route(ingress: None, cluster: Kube, namespace: str) -> None:
    begin = time.monotonic()
    traefik.up(Progress())
    assert time.monotonic() - begin < 5, "it is there"
    kubectl = f"kubectl --context kind-mlops-lab -n {namespace}"
    script(f"{kubectl} apply -f -", stdin=ROUTED.format(name=namespace))
    script(f"{kubectl} wait --for=condition=Available --timeout=60s deployment/web")
    asked = (
        "import sys, time, urllib.request\n"
        f"request = urllib.request.Request('http://{traefik.HOST}/version', headers={{'Host': sys.argv[1]}})\n"
        "for _ in range(40):\n"
        "    try:\n"
        "        print(urllib.request.urlopen(request, timeout=5).status); break\n"
        "    except OSError as error:\n"  # until the pod listens, and what was applied is taken up
        "        seen = error; time.sleep(0.5)\n"
        "else:\n"
        "    print(seen)\n"
    )
    for way in ("ingress", "gateway"):
        ask = f"{kubectl} exec -i deploy/web -- python3 - {way}.{namespace}.test"
        assert script(ask, stdin=asked).stdout.strip() == "200", way
    assert script(f"{kubectl} get ingress web -o jsonpath='{{.status.loadBalancer.ingress[0].hostname}}'").stdout
    script(f"{kubectl} wait --for=condition=Programmed --timeout=30s gateway/web")
    script(f"{kubectl} delete httproute,gateway,ingress --all")
