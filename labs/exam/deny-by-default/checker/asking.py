"""Who asks whom: pods of the checker's own, in the Namespace and in the one beside it."""

from dataclasses import dataclass

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.policies import Flow, let_through, none_of
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.probes import Probe, Way, address_behind, tried
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object
from mlops_lab.kube.objects import is_true
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_WITHIN = 6.0  # s of looking
_LISTENS_WITHIN = 40.0  # s
# Labels of pods where whoever is let in is answered: two that no policy was to name, of which one has the key, and
# another value, and one of the web.
_LISTENERS = {
    "trial-listener": {"trial": "listener"}, "trial-listener-app": {"app": "trial-listener"},
    "trial-listener-web": {"app": D.web},
}  # fmt: skip
_NAME = "kubernetes.default.svc.cluster.local"
_DNS_METRICS = 9153  # the DNS pods' other port
DNS_SPACE = "kube-system"
_DNS_PORTS = {("UDP", 53), ("TCP", 53), ("UDP", "dns"), ("TCP", "dns-tcp")}  # by number, and by its pods' names


@dataclass(frozen=True)
class Asked:
    """The ways by what they are about, and what each gave."""

    closed: list[Way]
    names: list[Way]
    path: list[Way]
    others: list[Way]
    gave: dict[Way, str]


async def asked(lab: Lab) -> Asked:
    """Try all ways at once.

    Raises:
        Failure: what a Service leads to is not ready, or the other Namespace is gone.
    """
    assert isinstance(lab, TaskLab)
    there = lab.elsewhere(D.other)
    web, store = await address_behind(lab.objects, D.web), await address_behind(lab.objects, D.store)
    elsewhere = await address_behind(there, D.far)
    far, far_too, no_dns = (f"http://{elsewhere}:{port}/" for port in (D.far_port, D.port, 53))
    dns = (await lab.elsewhere(DNS_SPACE).service("kube-dns"))["spec"]["clusterIP"]
    api = (await lab.elsewhere("default").service("kubernetes"))["spec"]["clusterIP"]
    of_web, of_store = f"http://{web}:{D.web_port}/", f"http://{store}:{D.port}/"
    admin = f"http://{store}:{D.admin}/"
    plain = Probe(lab.objects, "trial-plain", {"trial": "plain"})
    another = Probe(lab.objects, "trial-another", {"app": "trial-another"})
    like_web = Probe(lab.objects, "trial-web", {"app": D.web})
    like_store = Probe(lab.objects, "trial-store", {"app": D.store})
    stranger = Probe(there, "trial-stranger", {"app": D.web})
    closed = [
        Way(plain, of_store, False, f"a pod of other labels to {D.store}"),
        Way(plain, of_web, False, f"a pod of other labels to {D.web}"),
        Way(plain, far, False, f"a pod of other labels to {D.far} in {D.other}"),
        Way(plain, no_dns, False, f"a pod of other labels to port 53 of {D.far} in {D.other}, which is no DNS"),
        Way(plain, f"tcp:{api}:443", False, "a pod of other labels to the API server"),
        Way(plain, f"tcp:{dns}:{_DNS_METRICS}", False, f"a pod of other labels to port {_DNS_METRICS} of the DNS"),
        Way(another, of_store, False, f"a pod of another app to {D.store}"),
        Way(another, of_web, False, f"a pod of another app to {D.web}"),
        Way(another, far, False, f"a pod of another app to {D.far} in {D.other}"),
        Way(like_web, admin, False, f"{D.web} to port {D.admin} of {D.store}"),
        Way(like_web, far, False, f"{D.web} to {D.far} in {D.other}"),
        Way(like_web, far_too, False, f"{D.web} to port {D.port} of {D.far} in {D.other}, which is no store"),
        Way(like_web, f"tcp:{api}:443", False, f"{D.web} to the API server"),
        Way(like_store, of_web, False, f"{D.store} to {D.web}"),
        Way(like_store, of_store, False, f"{D.store} to port {D.port} of {D.store}"),
        Way(like_store, far, False, f"{D.store} to {D.far} in {D.other}"),
        Way(like_store, f"tcp:{api}:443", False, f"{D.store} to the API server"),
        Way(stranger, of_store, False, f"a pod of {D.other} with app={D.web} to {D.store}"),
        Way(stranger, admin, False, f"a pod of {D.other} with app={D.web} to port {D.admin} of {D.store}"),
        Way(stranger, of_web, False, f"a pod of {D.other} to {D.web}"),
    ]
    names = [
        Way(each, target, True, f"{who} to the DNS by {how}")
        for each, who in ((plain, "a pod of other labels"), (like_web, D.web), (like_store, D.store))
        for target, how in ((f"dns:{_NAME}.", "UDP"), (f"tcp:{dns}:53", "TCP"))
    ]
    path = [Way(like_web, of_store, True, f"{D.web} to port {D.port} of {D.store}", D.store)]
    others = [
        Way(stranger, far, True, f"a pod of {D.other} to {D.far} there", D.far),
        Way(stranger, f"dns:{_NAME}.", True, f"a pod of {D.other} to the DNS"),
    ]
    async with standing(lab, [_listener(lab, name) for name in _LISTENERS], grace=0):
        listener, app, listener_web = [f"http://{await _address(lab, name)}:{D.port}/" for name in _LISTENERS]
        closed += [
            Way(plain, listener, False, f"a pod of other labels to port {D.port} of another one"),
            Way(like_web, listener, False, f"{D.web} to port {D.port} of a pod of other labels"),
            Way(stranger, listener, False, f"a pod of {D.other} to a pod of other labels"),
            Way(another, app, False, f"a pod of another app to port {D.port} of one more"),
            Way(like_web, app, False, f"{D.web} to port {D.port} of a pod of another app"),
            Way(like_web, listener_web, False, f"{D.web} to port {D.port} of {D.web}"),
            Way(like_store, listener_web, False, f"{D.store} to port {D.port} of {D.web}"),
        ]
        gave = await tried(lab, [*closed, *names, *path, *others], within=_WITHIN)
    return Asked(closed, names, path, others, gave)


async def nothing_else(lab: TaskLab) -> Observation:
    """Whether the policies open no other way: by any protocol, on any port, to and from any namespace and address."""
    dns = (await lab.elsewhere(DNS_SPACE).service("kube-dns"))["spec"]["clusterIP"]
    labels: list[dict[str, str]] = [{}, {"app": "another"}, {"app": D.web}, {"app": D.store}]
    ways = await let_through(lab, lab.namespace, labels=labels, ports=(D.port, D.admin, D.web_port, D.far_port, 53))
    expected = "nothing else is let through, by whatever protocol, on whatever port, and whoever it is"
    return none_of((each for each in ways if not _is_wanted(lab, each, dns)), expected)


def _is_wanted(lab: TaskLab, way: Flow, dns: str) -> bool:
    """Is it one of the two things? `dns` is the address of the DNS's Service.

    Many write the rule for the DNS's pods in any namespace: there are none in others.
    """
    asks, asked, here = way.asks, way.asked, lab.namespace
    is_dns = asked.namespace == DNS_SPACE or asked.address == dns or asked.labels.get("k8s-app") == "kube-dns"
    if asks.namespace == here != asked.namespace and is_dns:
        return (way.protocol, way.port) in _DNS_PORTS
    ends = [(each.namespace, each.labels.get("app")) for each in (asks, asked)]
    return ends == [(here, D.web), (here, D.store)] and (way.protocol, way.port) == ("TCP", D.port)


def _listener(lab: Lab, name: str) -> Object:
    """One of the pods where whoever is let in is answered."""
    container = {
        "name": "listener", "image": lab.platform.image("v1"),
        "command": ["python3", "-m", "http.server", str(D.port), "--directory", "/tmp"],
        "readinessProbe": {"tcpSocket": {"port": D.port}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}},
    }  # fmt: skip
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": _LISTENERS[name]},
        "spec": {
            "containers": [container], "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False,
            "readinessGates": [{"conditionType": "mlops-lab/never"}],  # no Service leads to it
        },
    }  # fmt: skip


async def _address(lab: Lab, name: str) -> str:
    """A listener's address, once it listens."""
    seen = await lab.objects.named("Pod", name).until(
        lambda pod: is_true(pod, "ContainersReady"), expected="the checker's own pod listens",
        shown=lambda pod: str(((pod or {}).get("status") or {}).get("phase", "gone")), within=_LISTENS_WITHIN,
    )  # fmt: skip
    must(seen, "a pod like any other must be able to start in the Namespace of the task")
    return str((await lab.objects.named("Pod", name).present())["status"]["podIP"])
