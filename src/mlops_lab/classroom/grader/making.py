"""What is made for one try at one submission: two namespaces with their walls, accounts, a Secret and a Job.

All of it follows from the task and the settings, so that whoever finds the Secret can make the rest, again if need be.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import msgspec

from mlops_lab.classroom.gradable import table
from mlops_lab.classroom.grader import names
from mlops_lab.classroom.grader.asking import Taken
from mlops_lab.classroom.grader.settings import Settings, alone, needs
from mlops_lab.classroom.grader.task import TASK, TOKEN, Task, seed
from mlops_lab.classroom.operator import names as operators
from mlops_lab.classroom.operator import walls
from mlops_lab.kube.client import Object, Objects
from mlops_lab.labs import parts

_RBAC = "rbac.authorization.k8s.io"
_QUEUE = "kueue.x-k8s.io/queue-name"
_FOLDER = "/etc/grading"
KUEUE = "kueue.x-k8s.io/v1beta2"
QUEUED = "mlops-lab/queued"  # Kueue looks at namespaces with it alone
SERVER_CA = "server-ca"  # a ConfigMap of the Jobs' namespace
USER = 10001
IN_PLACE = "grader-in-place"  # a role, behind the class's namespace


def task(settings: Settings, taken: Taken, secret: str, api: Sequence[tuple[str, int]]) -> Task:
    """What a Job is told.

    Args:
        secret: of the class, with which seeds are drawn.
        api: addresses and ports of the API server.
    """
    return Task(
        submission=taken.submission, tries=taken.tries, learner=taken.learner, lab=taken.lab, sha256=taken.sha256,
        seed=seed(secret, taken.learner, taken.lab),
        sandbox=taken.namespace or names.sandbox(taken.submission, taken.tries, taken.lab),
        in_place=bool(taken.namespace),
        apart=names.apart(taken.submission, taken.tries), klass=settings.namespace, server=settings.server,
        registry=settings.registry, image=settings.image, dns=settings.dns, dns_addresses=settings.dns_addresses,
        api=list(api), limit=settings.limit_seconds,
    )  # fmt: skip


def place(settings: Settings) -> tuple[Object, Object]:
    """The namespace of the Jobs, and the dispatcher's own right to work in it."""
    labels = {names.CLASS: settings.namespace, "app.kubernetes.io/part-of": "mlops-lab", QUEUED: "true"}
    # By this one parts of the platform let others in.
    labels |= {"app.kubernetes.io/managed-by": "mlops-lab"}
    labels |= {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    role = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": f"{settings.namespace}-dispatcher-jobs"}
    right = {
        "apiVersion": f"{_RBAC}/v1", "kind": "RoleBinding", "metadata": _own(settings, "dispatcher"), "roleRef": role,
        "subjects": [_account("dispatcher", settings.namespace)],
    }  # fmt: skip
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": settings.jobs, "labels": labels}}
    return space, right


def queues(settings: Settings, certificate: str, reached: Sequence[tuple[str, int]]) -> Objects:
    """What is in the namespace of the Jobs before any: what the server is trusted by, queues, and whom Jobs reach.

    Args:
        certificate: of the server, as PEM; empty for what images trust.
        reached: addresses and ports of the API server, and of kubelets.
    """
    data = {"ca.crt": certificate} if certificate else {}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _own(settings, SERVER_CA), "data": data},
        {
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": _own(settings, "jobs"),
            "spec": {
                "podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [],
                "egress": _ways(settings, reached),
            },
        },
        *(
            {
                "apiVersion": KUEUE, "kind": "LocalQueue", "metadata": _own(settings, name),
                "spec": {"clusterQueue": settings.namespace},
            }
            for name in (names.ANY, names.ALONE)
        ),
    ]  # fmt: skip


def _ways(settings: Settings, reached: Sequence[tuple[str, int]]) -> Objects:
    """Whom a Job reaches: the API server, kubelets for their figures, the class's server, DNS, and the platform."""
    spaces = [settings.namespace, *parts.namespaces([*settings.parts, "monitoring"])]
    wanted = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": spaces}
    dns = [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": dict(settings.dns)},
        },
        *({"ipBlock": {"cidr": each}} for each in settings.dns_addresses),
    ]
    ports = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    return [
        {"to": [{"namespaceSelector": {"matchExpressions": [wanted]}}]},
        {"to": dns, "ports": ports},
        *walls.to_addresses(reached),
    ]


def record(settings: Settings, given: Task, token: str) -> Object:
    """The Secret with a task and its token: the first that is made, and the last that goes."""
    return {
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": _meta(settings, given, names.name(given.submission, given.tries), settings.jobs),
        "data": {
            TASK: base64.b64encode(msgspec.json.encode(given)).decode(),
            TOKEN: base64.b64encode(token.encode()).decode(),
        },
    }  # fmt: skip


def read_record(secret: Object) -> tuple[Task, str]:
    """The task and the token of a Secret.

    Raises:
        ValueError: it holds none.
    """
    data = secret.get("data") or {}
    content = {key: base64.b64decode(data.get(key, "")) for key in (TASK, TOKEN)}
    return msgspec.json.decode(content[TASK], type=Task), content[TOKEN].decode()


def namespaces(settings: Settings, given: Task) -> Objects:
    """The sandbox, with the walls' label of a learner's namespace, and the third place; in place the latter alone."""
    stands_on = needs(given.lab)
    mine = walls.space(settings, given.learner, given.lab, table()[given.lab], stands_on, 0, "")
    level = {key: value for key, value in mine["metadata"]["labels"].items() if key.startswith("pod-security")}
    # By this label parts of the platform let others in: the learner's work, and from the third place the checker.
    asks = set(stands_on) & set(settings.parts)
    level["app.kubernetes.io/managed-by"] = "mlops-lab" if asks else names.MANAGED_BY
    closed = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    closed["app.kubernetes.io/managed-by"] = level["app.kubernetes.io/managed-by"]
    found = []
    closed[names.APART] = "true"
    for name, labels in ((given.sandbox, level), (given.apart, closed)):
        if name not in made(given):
            continue
        meta = _meta(settings, given, name)
        found.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {**meta, "labels": meta["labels"] | labels}})
    return found


def inside(settings: Settings, given: Task) -> Objects:
    """The dispatcher's own right to work in what is made, which it needs for the rest."""
    account = _account("dispatcher", settings.namespace)
    return [_binding(settings, given, each, "dispatcher", "dispatcher-inside", account) for each in made(given)]


def contents(settings: Settings, given: Task, api: Sequence[tuple[str, int]]) -> Objects:
    """Walls, accounts and rights; the Job's right is the last."""
    grader = _account(names.name(given.submission, given.tries), settings.jobs)
    apart = [
        {
            "apiVersion": "v1", "kind": "ResourceQuota", "metadata": _meta(settings, given, "apart", given.apart),
            "spec": {"hard": {"pods": "10", "services": "0", "persistentvolumeclaims": "0"}},
        },  # what is not the checker's own gets a policy of its own there, before its pod is made
        _binding(settings, given, given.apart, names.GRADER, "grader-apart", grader),
    ]  # fmt: skip
    if given.in_place:
        return apart
    grading = table()[given.lab]
    shared = msgspec.structs.replace(settings, shared_parts=settings.parts)
    around = walls.walls(shared, given.learner, given.lab, grading, needs(given.lab), api if grading.api else ())
    for item in around:
        item["metadata"] = _meta(settings, given, item["metadata"]["name"], given.sandbox)
    ingress = [{"from": [_checkers_pods(given)]}]
    around.append({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": _meta(settings, given, "checker", given.sandbox),
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": ingress},
    })  # fmt: skip
    for kind in ("ServiceAccount", "Secret"):
        meta = _meta(settings, given, names.PROGRAM, given.apart)
        around.append({"apiVersion": "v1", "kind": kind, "metadata": meta, **_plain(kind)})
    programs = _account(names.PROGRAM, given.apart)
    return [
        *around,
        _binding(settings, given, given.sandbox, names.PROGRAM, "learner", programs),
        _binding(settings, given, given.sandbox, names.GRADER, "grader-sandbox", grader),
        *apart,
    ]


def right(settings: Settings, given: Task) -> Object:
    """The Job's right in a learner's own namespace, which is graded in place.

    It bears the label by which the class's operator hears of it: while it is there, nobody else changes anything.
    """
    name = names.name(given.submission, given.tries)
    found = _binding(settings, given, given.sandbox, name, IN_PLACE, _account(name, settings.jobs))
    found["metadata"]["labels"][operators.CLASS] = settings.namespace
    return found


def _checkers_pods(given: Task) -> Object:
    """As a peer of a policy: the pods of the third place, but for those in which programs of learners run."""
    return {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": given.apart}},
        "podSelector": {"matchExpressions": [{"key": names.APART, "operator": "DoesNotExist"}]},
    }


def job(settings: Settings, given: Task, owner: Object) -> Objects:
    """The Job's account and the Job, which goes with the Secret.

    Args:
        owner: the Secret as it is in the cluster.
    """
    name = names.name(given.submission, given.tries)
    meta = _meta(settings, given, name, settings.jobs)
    meta["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "Secret", "name": name, "uid": owner["metadata"]["uid"], "controller": False}
    ]
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "automountServiceAccountToken": False, "metadata": meta}
    queue = names.ALONE if alone(given.lab) else names.ANY
    labels = {**meta["labels"], _QUEUE: queue}
    spec = {
        "suspend": True,  # until its turn has come
        "parallelism": 1, "completions": 1, "backoffLimit": 0,
        "activeDeadlineSeconds": int(given.limit) + 900,
        "template": {"metadata": {"labels": meta["labels"]}, "spec": _pod(settings, name, queue)},
    }  # fmt: skip
    return [
        account,
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {**meta, "labels": labels}, "spec": spec},
    ]  # fmt: skip


def _pod(settings: Settings, name: str, queue: str) -> Object:
    cpu = settings.job_cpu if queue == names.ANY else _times(settings.job_cpu, settings.places)
    container = {
        "name": "grader", "image": settings.image,
        "command": ["python3", "-m", "mlops_lab.classroom.grader.grading", _FOLDER],
        "env": [{"name": "HOME", "value": "/tmp"}, {"name": "CLASS_CERTIFICATE", "value": "/etc/server-ca/ca.crt"}],
        "resources": {
            "requests": {"cpu": cpu, "memory": settings.job_memory}, "limits": {"memory": "1Gi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"}, {"name": "task", "mountPath": _FOLDER, "readOnly": True},
            {"name": "server-ca", "mountPath": "/etc/server-ca", "readOnly": True},
        ],
    }  # fmt: skip
    return {
        "restartPolicy": "Never", "serviceAccountName": name, "automountServiceAccountToken": True,
        "enableServiceLinks": False, "terminationGracePeriodSeconds": 60,
        **({"imagePullSecrets": [{"name": each} for each in settings.pull_secrets]} if settings.pull_secrets else {}),
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
            {"name": "task", "secret": {"secretName": name, "defaultMode": 0o440}},
            {"name": "server-ca", "configMap": {"name": SERVER_CA}},
        ],
    }  # fmt: skip


def _times(cpu: str, places: int) -> str:
    """A queue's whole room, in thousandths of a core: who requests it is alone."""
    thousandths = int(cpu[:-1]) if cpu.endswith("m") else int(float(cpu) * 1000)
    return f"{thousandths * places}m"


def made(given: Task) -> tuple[str, ...]:
    """The namespaces that are made for a try, and go with it."""
    return (given.apart,) if given.in_place else (given.sandbox, given.apart)


def _meta(settings: Settings, given: Task, name: str, namespace: str = "") -> dict[str, Any]:
    labels = names.labels(settings.namespace, given.submission, given.tries, given.learner, given.lab)
    return {"name": name, **({"namespace": namespace} if namespace else {}), "labels": labels}


def _own(settings: Settings, name: str) -> dict[str, Any]:
    """The metadata of what stays in the namespace of the Jobs."""
    return {"name": name, "namespace": settings.jobs, "labels": {"app.kubernetes.io/managed-by": names.MANAGED_BY}}


def _plain(kind: str) -> Object:
    return {"automountServiceAccountToken": False} if kind == "ServiceAccount" else {"type": "Opaque"}


def _account(name: str, namespace: str) -> Object:
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def _binding(settings: Settings, given: Task, namespace: str, name: str, role: str, account: Object) -> Object:
    return {
        "apiVersion": f"{_RBAC}/v1", "kind": "RoleBinding", "metadata": _meta(settings, given, name, namespace),
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": f"{settings.namespace}-{role}"},
        "subjects": [account],
    }  # fmt: skip
