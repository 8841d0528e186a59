"""What learners try on a class's cluster: objects that its policies refuse, and objects that they must let through.

`tests/render/test_classroom.py` holds them against the policies' expressions without a cluster; on a cluster
`tests/e2e/test_class_walls.py` sends them to the API server as a learner.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
IMAGE = "REGISTRY/flight-delay:v1"  # REGISTRY is replaced by the class's


@dataclass(frozen=True)
class Attempt:
    """An object that a learner applies in an own namespace.

    Attributes:
        guard: the policy that refuses it, by the end of its name; `pod-security` or `quota` for what stands there.
        says: a part of what the refusal says.

    REGISTRY, PUSH and RUNTIME in it are replaced by what there is.
    """

    name: str
    item: Object
    guard: str
    says: str = ""


def pod(name: str = "tried", **spec: Any) -> Object:
    """A pod that keeps to every rule, but for what is given."""
    container = {
        "name": "c", "image": IMAGE,
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }  # fmt: skip
    whole: Object = {
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        **copy.deepcopy(spec),
    }
    for each in [*whole["containers"], *whole.get("initContainers", ())]:
        for key, value in container.items():
            each.setdefault(key, copy.deepcopy(value))
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": whole}


def service(**spec: Any) -> Object:
    """A Service of the learner's pods."""
    whole = {"selector": {"app": "x"}, "ports": [{"port": 80}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "tried"}, "spec": whole}


def claim(**spec: Any) -> Object:
    """A claim of a volume."""
    whole = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}, **spec}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "tried"}, "spec": whole}


def secret(**more: Any) -> Object:
    """A Secret."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tried"}, **more}


def ingress(host: str, **more: Any) -> Object:
    """An Ingress of class nginx for a name."""
    backend = {"service": {"name": "tried", "port": {"number": 80}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    spec = {"ingressClassName": "nginx", "rules": [rule], **more.pop("spec", {})}
    meta = {"name": "tried", **more}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": meta, "spec": spec}


def stays(item: Object, finalizer: str, **owner: Any) -> Object:
    """An object with a finalizer, and with an owner that controls it."""
    found = copy.deepcopy(item)
    found["metadata"]["finalizers"] = [finalizer]
    if owner:
        found["metadata"]["ownerReferences"] = [{"name": "x", "uid": "1", "controller": True, **owner}]
    return found


def config() -> Object:
    """A ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "tried"}}


def of(image: str, kind: str = "containers") -> Object:
    """A pod with one container of an image."""
    return pod(**{kind: [{"name": "c" if kind == "containers" else "first", "image": image}]})


def requesting(cpu: str) -> Object:
    """A pod that requests CPU."""
    resources = {"requests": {"cpu": cpu, "memory": "16Mi"}, "limits": {"memory": "64Mi"}}
    return pod(containers=[{"name": "c", "resources": resources}])


PODS, SERVICES, SECRETS, CLAIMS, INGRESSES, FINALIZERS = (
    f"learner-{each}" for each in ("pods", "services", "secrets", "claims", "ingresses", "finalizers")
)
_TOKEN = {"serviceAccountToken": {"path": "token", "audience": "mine", "expirationSeconds": 3600}}
_OF_JOBS = "batch.kubernetes.io/job-tracking"
OWN = "l-ada-lab-04"  # stands for the learner's namespace in names of Ingresses
_DOMAIN = f"{OWN}.apps.example.org"

REFUSED: tuple[Attempt, ...] = (
    Attempt("an image of anybody's", of("nginx"), PODS, "images come"),
    Attempt("an image of another registry", of("registry.attacker.example/flight-delay:v1"), PODS, "images come"),
    Attempt("a registry that begins like the class's", of("REGISTRY.attacker.example/x:1"), PODS, "images come"),
    Attempt("such an image before the others", of("docker.io/library/busybox", "initContainers"), PODS, "images come"),
    Attempt("another learner's folder", of("PUSH/bob/model:1"), PODS, "images come"),
    Attempt("a folder that begins like the own", of("PUSH/ada2/model:1"), PODS, "images come"),
    Attempt("the own folder of another registry", of("attacker.example/PUSH/ada/model:1"), PODS, "images come"),
    Attempt("the grader's own image", of("REGISTRY/grader:1"), PODS, "checkers"),
    Attempt("the grader's own image by its digest", of(f"REGISTRY/grader@sha256:{'0' * 64}"), PODS, "checkers"),
    Attempt("the server's own image without a tag", of("REGISTRY/classroom"), PODS, "checkers"),
    Attempt("a volume of a driver", pod(volumes=[{"name": "v", "csi": {"driver": "x.example"}}]), PODS, "volumes"),
    Attempt("an image as a volume", pod(volumes=[{"name": "v", "image": {"reference": "nginx"}}]), PODS, "volumes"),
    Attempt("a node of one's choice", pod(nodeName="a-node"), PODS, "the scheduler chooses"),
    Attempt(
        "the control plane",
        pod(tolerations=[{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]), PODS, "taints",
    ),
    Attempt("every node", pod(tolerations=[{"operator": "Exists"}]), PODS, "taints"),
    Attempt("a priority before all others", pod(priorityClassName="system-cluster-critical"), PODS, "no priority"),
    Attempt("another runtime", pod(runtimeClassName="RUNTIME"), PODS, "runtime class"),
    Attempt("nodes for oneself", requesting("2"), PODS, "at most one CPU"),
    Attempt("nodes for oneself, in other words", requesting("1500m"), PODS, "at most one CPU"),
    Attempt("a pod that ends in a year", pod(terminationGracePeriodSeconds=31536000), PODS, "within ten minutes"),
    Attempt("an object that never goes", stays(config(), "x.example/stay"), FINALIZERS, "never goes"),
    Attempt("a pod that never goes", stays(pod(), "x.example/stay"), FINALIZERS, "never goes"),
    Attempt("a Kubernetes' finalizer of others", stays(config(), "kubernetes.io/pvc-protection"), FINALIZERS, "never"),
    Attempt(
        "a Job's finalizer on another's pod", stays(pod(), _OF_JOBS, kind="ReplicaSet", apiVersion="apps/v1"),
        FINALIZERS, "only pods of Jobs",
    ),
    Attempt("a port of every node", service(type="NodePort"), SERVICES, "ClusterIP"),
    Attempt("a load balancer", service(type="LoadBalancer"), SERVICES, "ClusterIP"),
    Attempt("a name for another host", service(type="ExternalName", externalName="x.example"), SERVICES, "ClusterIP"),
    Attempt("others' addresses", service(externalIPs=["192.0.2.1"]), SERVICES, "externalIPs"),
    Attempt(
        "a token without an end",
        secret(
            type="kubernetes.io/service-account-token",
            metadata={"name": "tried", "annotations": {"kubernetes.io/service-account.name": "default"}},
        ),
        SECRETS, "tokens without an end",
    ),
    Attempt("a volume of others", claim(volumeName="theirs", storageClassName=""), CLAIMS, "names no volume"),
    Attempt(
        "a copy of a volume",
        claim(dataSource={"kind": "PersistentVolumeClaim", "name": "theirs"}), CLAIMS, "begins empty",
    ),
    Attempt("a node's folder", pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), "pod-security", "hostPath"),
    Attempt("the node's network", pod(hostNetwork=True), "pod-security", "host namespaces"),
    Attempt("the node's processes", pod(hostPID=True), "pod-security", "host namespaces"),
    Attempt(
        "a privileged container",
        pod(containers=[{"name": "c", "securityContext": {"privileged": True}}]), "pod-security", "privileged",
    ),
    Attempt(
        "root",
        pod(securityContext={"runAsNonRoot": False, "runAsUser": 0, "seccompProfile": {"type": "RuntimeDefault"}}),
        "pod-security", "runAsNonRoot",
    ),
    Attempt("a port of a node", pod(containers=[{"name": "c", "ports": [{"containerPort": 80, "hostPort": 80}]}]),
            "pod-security", "hostPort"),
    Attempt(
        "more memory than one's share",
        pod(containers=[{"name": "c", "resources": {"requests": {"memory": "4Gi"}, "limits": {"memory": "4Gi"}}}]),
        "quota", "exceeded quota",
    ),
)  # fmt: skip

# Where Ingresses are open at all.
REFUSED_INGRESSES: tuple[Attempt, ...] = (
    Attempt("another class", ingress(_DOMAIN, spec={"ingressClassName": "internal"}), INGRESSES, "of a class"),
    Attempt("another's name", ingress("l-bob-lab-04.apps.example.org"), INGRESSES, "for names"),
    Attempt("every name", ingress("*.apps.example.org"), INGRESSES, "for names"),
    Attempt("a name that ends like the own", ingress(f"x{_DOMAIN}"), INGRESSES, "for names"),
    Attempt("no name, so all of them", ingress(_DOMAIN, spec={"rules": [{}]}), INGRESSES, "for names"),
    Attempt(
        "whatever has no other",
        ingress(_DOMAIN, spec={"defaultBackend": {"service": {"name": "x", "port": {"number": 80}}}}),
        INGRESSES, "default backend",
    ),
    Attempt("a certificate for others", ingress(_DOMAIN, spec={"tls": [{"hosts": ["x.example"]}]}), INGRESSES, "TLS"),
    Attempt(
        "settings of the controller",
        ingress(_DOMAIN, annotations={"nginx.ingress.kubernetes.io/server-snippet": "x"}), INGRESSES, "no annotations",
    ),
)  # fmt: skip

ALLOWED: tuple[Attempt, ...] = (
    Attempt("a pod", pod(), PODS),
    Attempt("an image of the own folder", of("PUSH/ada/model:1"), PODS),
    Attempt("an image that a lab brings", of("quay.io/prometheus/prometheus:v3.16.0"), PODS),
    Attempt("a whole CPU", requesting("1"), PODS),
    Attempt("half of one", requesting("500m"), PODS),
    Attempt("a scheduler that is not there", pod(schedulerName="mlops-lab-bench"), PODS),  # scripts/bench_kwok.py
    Attempt("what the API server adds", pod(
        priority=0, serviceAccountName="default", enableServiceLinks=True,
        tolerations=[{"key": f"node.kubernetes.io/{each}", "operator": "Exists", "effect": "NoExecute"}
                     for each in ("not-ready", "unreachable")],
        volumes=[{"name": "token", "projected": {"sources": [_TOKEN]}}],
    ), PODS),
    Attempt("volumes of a namespace's own", pod(volumes=[
        {"name": "a", "configMap": {"name": "x"}}, {"name": "b", "secret": {"secretName": "x"}},
        {"name": "c", "emptyDir": {}}, {"name": "d", "persistentVolumeClaim": {"claimName": "x"}},
        {"name": "e", "downwardAPI": {}},
    ]), PODS),
    Attempt("a Service", service(), SERVICES),
    Attempt("a Service without an address", service(clusterIP="None"), SERVICES),
    Attempt("a Secret", secret(stringData={"key": "x"}), SECRETS),
    Attempt("another type of Secret", secret(type="kubernetes.io/basic-auth", stringData={"username": "x"}), SECRETS),
    Attempt("a claim", claim(), CLAIMS),
    Attempt("an image that only begins like the grader's", of("REGISTRY/graders:1"), PODS),
    Attempt("a pod that takes its time", pod(terminationGracePeriodSeconds=600), PODS),
    Attempt("an object without a finalizer", config(), FINALIZERS),
    Attempt("an object that goes after what it owns", stays(config(), "foregroundDeletion"), FINALIZERS),
    Attempt("an object that leaves what it owns", stays(config(), "orphan"), FINALIZERS),
    Attempt("a claim that pods use", stays(claim(), "kubernetes.io/pvc-protection"), FINALIZERS),
    Attempt("a Job's pod", stays(pod(), _OF_JOBS, kind="Job", apiVersion="batch/v1"), FINALIZERS),
    Attempt("a pod that a Job has left", stays(pod(), _OF_JOBS), FINALIZERS),
)  # fmt: skip
ALLOWED_INGRESSES = (
    Attempt("the namespace's name", ingress(_DOMAIN), INGRESSES),
    Attempt("a name below it", ingress(f"shop.{_DOMAIN}", spec={"tls": [{"hosts": [f"shop.{_DOMAIN}"]}]}), INGRESSES),
)
