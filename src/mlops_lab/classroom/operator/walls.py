"""What stands in a learner's namespace before the learner gets in: objects as plain dicts, made of settings alone."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_lab.classroom.gradable import Grading
from mlops_lab.classroom.operator import names
from mlops_lab.classroom.operator.settings import Settings
from mlops_lab.classroom.roster import namespace as namespace_of
from mlops_lab.cluster.names import NAMESPACE as SYSTEM
from mlops_lab.kube.client import Object, Objects
from mlops_lab.labs import parts

_NAME = "kubernetes.io/metadata.name"
_RBAC = "rbac.authorization.k8s.io"
INSIDE, ENTRY = "class-operator", "class-learner"
# What no namespace of a learner has, whatever a chart's values say.
_NEVER = {"services.nodeports": "0", "services.loadbalancers": "0"}
# What costs nothing and fills the API server's store for everybody; a chart's values may say something else.
_COUNTS = {
    "count/cronjobs.batch": "30",
    "count/deployments.apps": "40",
    "count/horizontalpodautoscalers.autoscaling": "30",
    "count/ingresses.networking.k8s.io": "30",
    "count/poddisruptionbudgets.policy": "30",
    "count/statefulsets.apps": "30",
}
_CPU = ("requests.cpu", "limits.cpu")
_COMPUTE = (*_CPU, "requests.memory", "limits.memory", "requests.ephemeral-storage", "limits.ephemeral-storage")


def space(
    settings: Settings, learner: str, lab: str, grading: Grading, needs: Sequence[str], round_: int, draw: str
) -> Object:
    """The namespace itself.

    Where its pods may talk to shared parts of the platform it bears the label by which these let others in.
    """
    level: dict[str, str] = {
        "pod-security.kubernetes.io/enforce": grading.pods,
        "pod-security.kubernetes.io/warn": grading.pods,
    }
    if grading.in_place:
        level[names.GRADED] = names.IN_PLACE
    if set(needs) & set(settings.shared_parts):
        level["app.kubernetes.io/managed-by"] = "mlops-lab"
    return {
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {
            "name": namespace_of(learner, lab),
            "labels": names.labels(settings.namespace, learner, lab) | level,
            "annotations": {names.ROUND: str(round_), names.DRAW: draw},
        },
    }  # fmt: skip


def inside(settings: Settings, namespace: str, learner: str = "", lab: str = "") -> Object:
    """The operator's own right to work in a namespace."""
    role = "operator-accounts" if namespace == settings.accounts else "operator-inside"
    account = {"kind": "ServiceAccount", "name": "operator", "namespace": settings.namespace}
    return binding(settings, namespace, INSIDE, f"{settings.namespace}-{role}", account, learner, lab)


def looks(settings: Settings) -> str:
    """The role of a learner who may look, and change nothing."""
    return f"{settings.namespace}-learner-looks"


def entry(settings: Settings, learner: str, lab: str, *, looking: bool = False) -> Object:
    """The learner's right to work in a namespace: the last that is made, and the first that goes.

    Args:
        looking: it is a right to look at it alone, while it is graded.
    """
    account = {"kind": "ServiceAccount", "name": f"{names.ACCOUNT}{learner}", "namespace": settings.accounts}
    role = looks(settings) if looking else f"{settings.namespace}-learner"
    return binding(settings, namespace_of(learner, lab), ENTRY, role, account, learner, lab)


def walls(
    settings: Settings, learner: str, lab: str, grading: Grading, needs: Sequence[str], api: Sequence[tuple[str, int]]
) -> Objects:
    """Quota, defaults and NetworkPolicies.

    Args:
        needs: the parts of the platform that the lab stands on.
        api: addresses and ports of the API server.
    """
    found = [*_bounds(settings, grading), *_policies(settings, grading, needs, api)]
    for item in found:
        meta = {"namespace": namespace_of(learner, lab), "labels": names.labels(settings.namespace, learner, lab)}
        item["metadata"] |= meta
    return found


def _bounds(settings: Settings, grading: Grading) -> Objects:
    out = {"all": (), "memory": _CPU, "none": _COMPUTE}[grading.limits]
    hard = _COUNTS | {key: value for key, value in settings.quota.items() if key not in out} | _NEVER
    found: Objects = [
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "class"}, "spec": {"hard": hard}}
    ]
    if grading.limits != "none":
        # What a container says nothing of is requested as it is limited, as the API server would write it down, too.
        requests = settings.limits | settings.requests
        if grading.limits == "memory":
            requests.pop("cpu", None)
        limits = {key: value for key, value in settings.limits.items() if key in requests}
        limit = {"type": "Container", "default": limits, "defaultRequest": requests}
        found.append(
            {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "class"}, "spec": {"limits": [limit]}}
        )
    return found


def _policies(settings: Settings, grading: Grading, needs: Sequence[str], api: Sequence[tuple[str, int]]) -> Objects:
    ingress: Objects = [
        {"from": [{"podSelector": {}}]},
        {"from": [_of(SYSTEM, {"app.kubernetes.io/name": "load"})]},
    ]
    dns = [_of("kube-system", settings.dns), *({"ipBlock": {"cidr": each}} for each in settings.dns_addresses)]
    ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    egress: Objects = [{"to": [{"podSelector": {}}]}, {"to": dns, "ports": ports}]
    if "monitoring" in needs:  # it scrapes, and tells a lab's receiver of alerts
        ingress.append({"from": [_of(part) for part in parts.namespaces(["monitoring"])]})
    if shared := [part for part in parts.needed(needs) if part in settings.shared_parts]:
        egress.append({"to": [_of(part) for part in parts.namespaces(shared)]})
        ingress.append({"from": [_of(part) for part in parts.namespaces(shared)]})
    if grading.api:
        egress += to_addresses(api)
    return [
        _policy("class-deny", {}),
        _policy("class-allow", {"ingress": ingress, "egress": egress}),
    ]


def to_addresses(reached: Sequence[tuple[str, int]]) -> Objects:
    """Rules of a policy that let pods reach addresses at a port each, such as the API server's."""
    return [
        {
            "to": [{"ipBlock": {"cidr": f"{address}/{128 if ':' in address else 32}"}}],
            "ports": [{"protocol": "TCP", "port": port}],
        }
        for address, port in reached
    ]


def _policy(name: str, rules: Object) -> Object:
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], **rules}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name}, "spec": spec}


def _of(namespace: str, pods: dict[str, str] | None = None) -> Object:
    """The pods of a namespace, by its name, which nobody else can have."""
    found: Object = {"namespaceSelector": {"matchLabels": {_NAME: namespace}}}
    return found | ({"podSelector": {"matchLabels": pods}} if pods else {})


def binding(
    settings: Settings, namespace: str, name: str, role: str, account: Object, learner: str = "", lab: str = ""
) -> Object:
    """A role of the chart's, bound to one account in one namespace."""
    return {
        "apiVersion": f"{_RBAC}/v1", "kind": "RoleBinding",
        "metadata": {
            "name": name, "namespace": namespace, "labels": names.labels(settings.namespace, learner, lab),
        },
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [account],
    }  # fmt: skip
