"""What a learner on a class's cluster tries: each attempt is refused, and works where the guard is not.

The policies and rights are the chart's own, the operator runs in this process with its own account, and each learner
acts by the kubeconfig of a kit.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from kubernetes.client import CoreV1Api

from mlops_lab.base.errors import LabError
from mlops_lab.classroom.operator.requests import Kit, Lab
from mlops_lab.classroom.server.cluster import Cluster
from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.errors import Refused, translated
from mlops_lab.labs.registry import REGISTRY
from mlops_lab.measure.traffic.http import ask
from tests import class_attempts as attempts
from tests.class_attempts import Attempt
from tests.e2e.class_on_cluster import Classroom, until

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.parts("monitoring")]  # lab 17 needs it


@pytest.fixture(scope="module")
def klass(cluster: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Classroom]:
    found = Classroom(cluster, tmp_path_factory.mktemp("class"))
    try:
        runtime = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "handler": "runc"}
        cluster.apply([{**runtime, "metadata": {"name": f"runtime-{found.mark}"}}])
        found.open()
        yield found
    finally:
        found.close()


@pytest.fixture(scope="module")
def ada(klass: Classroom) -> Kube:
    return klass.learner(klass.ada)


# Objects that policies, Pod Security and quotas refuse


@pytest.mark.parametrize("attempt", [*attempts.REFUSED, *attempts.REFUSED_INGRESSES], ids=lambda each: each.name)
def test_an_object_is_refused_and_would_be_taken_elsewhere(attempt: Attempt, klass: Classroom, ada: Kube) -> None:
    item = klass.spelled(attempt.item)
    with pytest.raises(Refused, match=f"(?i){attempt.says}"):
        ada.apply([item], klass.space(klass.ada), dry_run=True)
    ada.apply([item], klass.free, dry_run=True)


@pytest.mark.parametrize("attempt", [*attempts.ALLOWED, *attempts.ALLOWED_INGRESSES], ids=lambda each: each.name)
def test_what_learners_need_is_taken(attempt: Attempt, klass: Classroom, ada: Kube) -> None:
    item = klass.spelled(attempt.item)
    item.get("spec", {}).pop("priority", None)  # the API server writes it down
    ada.apply([item], klass.space(klass.ada), dry_run=True)


def test_objects_of_every_kind_have_a_number(klass: Classroom, ada: Kube) -> None:
    """As of Deployments, so of the others that the quota counts."""
    space = klass.space(klass.ada)
    most = int(klass.kube.get("ResourceQuota", "class", space)["spec"]["hard"]["count/deployments.apps"])
    labels = {"app": "tried"}
    template = {"metadata": {"labels": labels}, "spec": klass.spelled(attempts.pod())["spec"]}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    names = [f"many-{number}" for number in range(most + 1)]
    items = [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": each}, "spec": spec} for each in names
    ]
    try:
        with pytest.raises(Refused, match="exceeded quota"):
            ada.apply(items, space)
        ada.apply(items, klass.free)
    finally:
        for name in names:
            for each in (space, klass.free):
                klass.kube.delete("Deployment", name, each)


def test_a_claim_is_given_no_volume_later(klass: Classroom, ada: Kube) -> None:
    change = {"spec": {"volumeName": f"theirs-{klass.mark}"}}
    try:
        for space in (klass.space(klass.ada), klass.free):
            ada.apply([attempts.claim(storageClassName="")], space)
        with pytest.raises(Refused, match="names no volume"):
            ada.patch("PersistentVolumeClaim", "tried", change, klass.space(klass.ada))
        ada.patch("PersistentVolumeClaim", "tried", change, klass.free)
    finally:
        for space in (klass.space(klass.ada), klass.free):
            klass.kube.delete("PersistentVolumeClaim", "tried", space)


# Requests that rights refuse


@dataclass(frozen=True)
class Request:
    """Something that a learner asks the API server for, and the rights with which it would be done."""

    name: str
    call: Callable[[Kube, Classroom], object]
    rules: tuple[tuple[str, str, str], ...]  # group, resources, verbs


def raw(kube: Kube, method: str, path: str, body: Any = None, kind: str = "", **headers: str) -> object:
    """A request as it stands."""
    with translated(path):
        return kube.api_client.call_api(
            path, method, body=body, auth_settings=["BearerToken"], response_type="object", _request_timeout=10,
            header_params={"Accept": "application/json", **({"Content-Type": kind} if kind else {}), **headers},
        )  # fmt: skip


def role(name: str, **more: Any) -> Object:
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name}, **more}


def binding(account: str, namespace: str) -> Object:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1", "kind": "RoleBinding", "metadata": {"name": "tried"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }  # fmt: skip


def debug(kube: Kube, klass: Classroom) -> object:
    path = f"/api/v1/namespaces/{klass.space(klass.ada)}/pods/target/ephemeralcontainers"
    container = {
        "name": "e", "image": f"{REGISTRY}/flight-delay:v1",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }  # fmt: skip
    body = {"spec": {"ephemeralContainers": [container]}}
    return raw(kube, "PATCH", path, body, "application/strategic-merge-patch+json")


def slice_of(address: str) -> Object:
    return {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "tried", "labels": {"kubernetes.io/service-name": "tried"}},
        "endpoints": [{"addresses": [address]}], "ports": [{"port": 443}],
    }  # fmt: skip


def everywhere() -> Object:
    container = attempts.pod()["spec"]
    return {
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "tried"},
        "spec": {
            "selector": {"matchLabels": {"app": "tried"}},
            "template": {"metadata": {"labels": {"app": "tried"}}, "spec": container},
        },
    }  # fmt: skip


def token_of_ones_own(kube: Kube, klass: Classroom) -> object:
    with translated("a token"):
        return CoreV1Api(kube.api_client).create_namespaced_service_account_token(
            "default", klass.space(klass.ada), {"spec": {"expirationSeconds": 600}}
        )


RBAC = "rbac.authorization.k8s.io"
REQUESTS: tuple[Request, ...] = (
    Request("another learner's pods", lambda kube, k: kube.list("Pod", k.space(k.bob)), (("", "pods", "list"),)),
    Request("another's Secrets", lambda kube, k: kube.list("Secret", k.space(k.bob)), (("", "secrets", "list"),)),
    Request("all pods", lambda kube, _: kube.list("Pod"), (("", "pods", "list"),)),
    Request("namespaces, so who else there is", lambda kube, _: kube.list("Namespace"), (("", "namespaces", "list"),)),
    Request("nodes", lambda kube, _: kube.list("Node"), (("", "nodes", "list"),)),
    Request(
        "the class's key", lambda kube, k: kube.get("Secret", "class", k.namespace), (("", "secrets", "get"),)
    ),
    Request(
        "another's kit", lambda kube, k: kube.get("Secret", f"kit-{k.bob}", f"{k.namespace}-accounts"),
        (("", "secrets", "get"),),
    ),
    Request(
        "what others ask for", lambda kube, k: kube.list("ConfigMap", k.namespace), (("", "configmaps", "list"),)
    ),
    Request(
        "a place on the roster",
        lambda kube, k: kube.patch("ConfigMap", "roster", {"metadata": {"annotations": {"x": "y"}}}, k.namespace),
        (("", "configmaps", "patch get"),),
    ),
    Request("the load maker's pods", lambda kube, _: kube.list("Pod", "mlops-lab-system"), (("", "pods", "list"),)),
    Request(
        "the own walls", lambda kube, k: kube.delete("NetworkPolicy", "class-deny", k.space(k.ada)),
        (("networking.k8s.io", "networkpolicies", "delete"),),
    ),
    Request(
        "a larger quota",
        lambda kube, k: kube.patch("ResourceQuota", "class", {"spec": {"hard": {"pods": "99"}}}, k.space(k.ada)),
        (("", "resourcequotas", "patch"),),
    ),
    Request(
        "a lower level of Pod Security",
        lambda kube, k: kube.patch(
            "Namespace", k.space(k.ada),
            {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}},
        ),
        (("", "namespaces", "patch"),),
    ),
    Request(
        "to bind cluster-admin",
        lambda kube, k: kube.apply(
            [binding(f"learner-{k.ada}", f"{k.namespace}-accounts")], k.space(k.ada), dry_run=True
        ),
        ((RBAC, "rolebindings", "create patch"), (RBAC, "clusterroles", "bind")),
    ),
    Request(
        "to make a role with more rights",
        lambda kube, k: kube.apply(
            [role("tried", rules=[{key: ["*"] for key in ("apiGroups", "resources", "verbs")}])],
            k.space(k.ada), dry_run=True,
        ),
        ((RBAC, "roles", "create patch escalate"),),
    ),
    Request(
        "to be somebody else",
        lambda kube, _: raw(
            kube, "GET", "/api/v1/nodes", **{"Impersonate-User": "admin", "Impersonate-Group": "system:masters"}
        ),
        (("", "users groups", "impersonate"),),
    ),
    Request("a container beside the own pod's", debug, (("", "pods/ephemeralcontainers", "patch"),)),
    Request("a token of an account", token_of_ones_own, (("", "serviceaccounts/token", "create"),)),
    Request(
        "a Service that leads elsewhere",
        lambda kube, k: kube.apply([slice_of("10.0.0.1")], k.space(k.ada), dry_run=True),
        (("discovery.k8s.io", "endpointslices", "create patch"),),
    ),
    Request(
        "a pod on every node", lambda kube, k: kube.apply([everywhere()], k.space(k.ada), dry_run=True),
        (("apps", "daemonsets", "create patch"),),
    ),
    Request(
        "an account", lambda kube, k: kube.apply(
            [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "tried"}}],
            k.space(k.ada), dry_run=True,
        ),
        (("", "serviceaccounts", "create patch"),),
    ),
    Request(
        "a policy", lambda kube, k: kube.delete("ValidatingAdmissionPolicyBinding", f"{k.mark}-no-such"),
        (("admissionregistration.k8s.io", "validatingadmissionpolicybindings", "delete"),),
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def target(klass: Classroom) -> None:
    """A pod of the learner's, for requests that are about one."""
    item = klass.spelled(attempts.pod("target", terminationGracePeriodSeconds=1))
    klass.kube.apply([item], klass.space(klass.ada))


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda each: each.name)
def test_a_request_is_refused_and_would_be_done_with_the_right(
    request_: Request, klass: Classroom, ada: Kube, target: None
) -> None:
    with pytest.raises(Refused) as refused:
        request_.call(ada, klass)
    assert refused.value.status == 403 and "cannot" in str(refused.value)
    rules = [
        {"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split()}
        for group, resources, verbs in request_.rules
    ]
    back = klass.grant(klass.ada, rules)
    try:
        until(lambda: _is_done(lambda: request_.call(ada, klass)), within=15)
    finally:
        back()
    until(lambda: not _is_done(lambda: ada.list("Pod", klass.space(klass.bob))), within=15)


def _is_done(call: Callable[[], object]) -> bool:
    try:
        call()
    except Refused as refused:
        if refused.status != 403:
            raise
        return False
    return True


def test_what_somebody_has_changed_is_put_back(klass: Classroom) -> None:
    """Also what the tests above did with a right that no learner has."""
    space = klass.space(klass.ada)
    until(lambda: klass.kube.find("NetworkPolicy", "class-deny", space))
    until(lambda: klass.kube.get("ResourceQuota", "class", space)["spec"]["hard"]["pods"] == "20")
    level = "pod-security.kubernetes.io/enforce"
    until(lambda: klass.kube.get("Namespace", space)["metadata"]["labels"][level] == "restricted")


# The operator's own account


def space_of(name: str, klass: Classroom | None = None) -> Object:
    labels = {"mlops-lab/class": klass.namespace} if klass else {"x": "y"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def lets_in(klass: Classroom, learner: str) -> Object:
    found = binding(f"learner-{learner}", f"{klass.namespace}-accounts")
    return {**found, "roleRef": {**found["roleRef"], "name": f"{klass.namespace}-learner"}}


OPERATORS: dict[str, Callable[[Kube, Classroom], object]] = {
    "a namespace of somebody else": lambda kube, k: kube.apply([space_of(k.free, k)], dry_run=True),
    "kube-system": lambda kube, _: kube.apply([space_of("kube-system")], dry_run=True),
    "a namespace of any name": lambda kube, k: kube.apply([space_of(f"own-{k.mark}", k)], dry_run=True),
    "a namespace whose pods do what they like": lambda kube, k: kube.apply(
        [space_of(k.space(k.ada, "05"), k)], dry_run=True
    ),
    "a learner in another's namespace": lambda kube, k: kube.apply([lets_in(k, k.bob)], k.space(k.ada), dry_run=True),
    "a learner in kube-system": lambda kube, k: kube.apply([lets_in(k, k.ada)], "kube-system", dry_run=True),
    "a learner among the accounts": lambda kube, k: kube.apply(
        [lets_in(k, k.ada)], f"{k.namespace}-accounts", dry_run=True
    ),
    "a token for a day": lambda kube, k: _token(kube, k, 86400),
}


def _token(kube: Kube, klass: Classroom, seconds: int) -> object:
    with translated("a token"):
        return CoreV1Api(kube.api_client).create_namespaced_service_account_token(
            f"learner-{klass.ada}", f"{klass.namespace}-accounts", {"spec": {"expirationSeconds": seconds}}
        )


def test_the_operator_is_held_to_its_own_and_would_not_be_without_its_policy(klass: Classroom) -> None:
    kube, name = klass.operator_kube, f"{klass.namespace}-operator"
    for call in OPERATORS.values():
        with pytest.raises(Refused, match="ValidatingAdmissionPolicy"):
            call(kube, klass)
    guard = next(
        each for each in klass.objects
        if (each["kind"], each["metadata"]["name"]) == ("ValidatingAdmissionPolicyBinding", name)
    )  # fmt: skip
    klass.kube.delete("ValidatingAdmissionPolicyBinding", name)
    try:
        for call in OPERATORS.values():
            until(lambda call=call: _is_taken(lambda: call(kube, klass)), within=15)  # type: ignore[misc]
    finally:
        klass.kube.apply([guard])
    until(lambda: not _is_taken(lambda: OPERATORS["kube-system"](kube, klass)), within=15)


def _is_taken(call: Callable[[], object]) -> bool:
    try:
        call()
    except Refused as refused:
        assert "ValidatingAdmissionPolicy" in str(refused), refused
        return False
    return True


def test_the_operator_has_no_right_in_namespaces_of_others(klass: Classroom) -> None:
    for call in (
        lambda kube: kube.list("Secret", "kube-system"),
        lambda kube: kube.delete("NetworkPolicy", "x", "kube-system"),
        lambda kube: kube.list("Pod", klass.free),
        lambda kube: kube.get("Secret", "class", klass.namespace),
    ):
        with pytest.raises(Refused):
            call(klass.operator_kube)


# Kits


def refused(kube: Kube, space: str) -> bool:
    try:
        kube.list("Pod", space)
    except Refused as answer:
        return answer.status in (401, 403)
    return False


def test_another_kit_revokes_the_one_before(klass: Classroom) -> None:
    first = klass.learner(klass.bob)
    space = klass.space(klass.bob)
    assert not refused(first, space)
    klass.ask(klass.bob, kit=Kit(round=2))
    until(lambda: refused(first, space))
    klass.wait(klass.bob, "kit")
    assert not refused(klass.learner(klass.bob), space)


def test_a_kit_ends_with_the_learners_time(klass: Classroom) -> None:
    kit, space = klass.learner(klass.bob), klass.space(klass.bob)
    assert not refused(kit, space)
    klass.roster(f"{klass.ada},", f"{klass.bob},2020-01-31")
    until(lambda: refused(kit, space))
    assert klass.kube.find("Namespace", space), "it goes later"
    assert not klass.kube.find("ServiceAccount", f"learner-{klass.bob}", f"{klass.namespace}-accounts")
    klass.roster(f"{klass.ada},", f"{klass.bob},")
    until(lambda: klass.kube.find("Secret", f"kit-{klass.bob}", f"{klass.namespace}-accounts"))
    klass.wait(klass.bob, "lab-04", "kit")
    until(lambda: refused(kit, space))  # what ended stays so; the API server takes a token's word for ten seconds
    assert not refused(klass.learner(klass.bob), space)


def test_a_lab_is_ready_soon_and_begins_anew(klass: Classroom) -> None:
    first = klass.kube.get("Namespace", klass.space(klass.bob))["metadata"]["uid"]
    klass.ask(klass.bob, lab_04=Lab(2))
    until(lambda: _uid(klass) not in (first, None), within=180)
    klass.wait(klass.bob, "lab-04")
    klass.ask(klass.bob, lab_18=Lab())
    klass.wait(klass.bob, "lab-18", within=2)


def test_the_server_asks_by_its_own_account(klass: Classroom) -> None:
    cluster = Cluster(klass.namespace, lambda: klass.acting("server", klass.namespace))

    async def way() -> None:
        await cluster.end(klass.bob, "18")  # three labs at a time
        await cluster.begin(klass.bob, "19")
        before = await cluster.kubeconfig(klass.bob)
        await cluster.renew(klass.bob)
        end = time.monotonic() + 60
        while "19" not in (stand := await cluster.stand(klass.bob)).labs or stand.moves:
            assert time.monotonic() < end, stand
            await asyncio.sleep(0.2)
        assert stand.labs["19"].state == "ready" and stand.has_token and "18" not in stand.labs
        assert await cluster.kubeconfig(klass.bob) not in ("", before)

    try:
        asyncio.run(way())
    finally:
        cluster.close()
    server = klass.acting("server", klass.namespace)
    with pytest.raises(Refused):
        server.patch("ConfigMap", "roster", {"data": {"roster.csv": "id\neve\n"}}, klass.namespace)


def _uid(klass: Classroom) -> str | None:
    found = klass.kube.find("Namespace", klass.space(klass.bob))
    return found["metadata"]["uid"] if found else None


# The network: these need nodes


SERVES = "import http.server as h; h.ThreadingHTTPServer(('', 8080), h.SimpleHTTPRequestHandler).serve_forever()"
CONNECTS = """
import socket, sys, time
end = time.monotonic() + float(sys.argv[3])
while True:
    try:
        socket.create_connection((sys.argv[1], int(sys.argv[2])), 3).close()
        print("connected"); break
    except OSError as why:
        if time.monotonic() > end:
            print("no way:", why); break
        time.sleep(0.3)
"""


def server() -> Object:
    item = attempts.pod("server", terminationGracePeriodSeconds=1, containers=[{
        "name": "c", "command": ["python3", "-c", SERVES], "workingDir": "/tmp",
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
    }])  # fmt: skip
    item["metadata"]["labels"] = {"app": "server"}
    return item


def in_front() -> Object:
    spec = {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "server"}, "spec": spec}


@pytest.fixture(scope="module")
def servers(klass: Classroom) -> dict[str, str]:
    """A pod that serves and asks in each namespace; their addresses by namespace."""
    spaces = [klass.space(klass.ada), klass.space(klass.bob), klass.space(klass.ada, "17"), klass.free]
    for space in spaces:
        klass.kube.apply([klass.spelled(server()), in_front()], space)
    found = {}
    for space in spaces:

        def is_ready(pod: Object | None) -> str | None:
            conditions = ((pod or {}).get("status") or {}).get("conditions") or []
            ready = any((each["type"], each["status"]) == ("Ready", "True") for each in conditions)
            return str((pod or {})["status"]["podIP"]) if ready else None

        address, seen = klass.kube.wait("Pod", "server", space, is_ready, within=120)
        assert address, seen
        found[space] = address
    return found


def reaches(kube: Kube, space: str, host: str, port: int, within: float) -> bool:
    with kube.exec("server", space, ["python3", "-c", CONNECTS, host, str(port), str(within)]) as stream:
        said = "".join(line for line in stream.lines(within=within + 30) if line)
    assert said, f"the pod in {space} said nothing"
    return said.startswith("connected")


def test_pods_reach_their_own_and_nobody_elses(klass: Classroom, servers: dict[str, str]) -> None:
    mine, theirs, free = klass.space(klass.ada), klass.space(klass.bob), klass.free
    kube = klass.kube
    node = next(
        each["address"] for each in kube.list("Node")[0]["status"]["addresses"] if each["type"] == "InternalIP"
    )  # fmt: skip
    # With walls it is shut, and it is there to be reached: from or at a pod without walls.
    assert reaches(kube, free, servers[free], 8080, 20), "a pod without walls"
    assert not reaches(kube, mine, servers[free], 8080, 3), "out of a namespace"
    assert not reaches(kube, free, servers[mine], 8080, 3), "into a namespace"
    assert not reaches(kube, mine, servers[theirs], 8080, 3), "another learner's pod"
    for host, port in (("kubernetes.default.svc", 443), (node, 10250)):
        assert reaches(kube, free, host, port, 20), host
        assert not reaches(kube, mine, host, port, 3), host
    # What is needed is open.
    assert reaches(kube, mine, servers[mine], 8080, 20), "an own pod"
    assert reaches(kube, mine, f"server.{mine}.svc", 80, 20), "by its name"
    assert reaches(kube, klass.space(klass.ada, "17"), "kubernetes.default.svc", 443, 20), (
        "a lab that asks the API server"
    )
    answer = asyncio.run(ask(kube, "GET", f"http://server.{mine}.svc/"))
    assert answer.status == 200, "the load maker"


def test_a_learner_looks_into_own_pods_and_not_into_others(
    klass: Classroom, ada: Kube, servers: dict[str, str]
) -> None:
    assert reaches(ada, klass.space(klass.ada), servers[klass.space(klass.ada)], 8080, 20)
    with pytest.raises(LabError, match=r"(?i)forbidden"):
        reaches(ada, klass.space(klass.bob), servers[klass.space(klass.bob)], 8080, 3)
