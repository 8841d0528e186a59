"""Who asks whom: pods of the checker's own, in the Namespace and in the one beside it."""

from dataclasses import dataclass

from mlops_lab.checks import Lab
from mlops_lab.kit.probes import Probe, Way, address_behind, tried
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_WITHIN = 6.0  # s of looking
_NAME = "kubernetes.default.svc.cluster.local"
_DNS_METRICS = 9153  # the DNS pods' other port


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
        Failure: a Deployment or Service is not as it was, or the other Namespace is gone.
    """
    assert isinstance(lab, TaskLab)
    there = lab.elsewhere(D.other)
    web, store = await address_behind(lab.objects, D.web), await address_behind(lab.objects, D.store)
    elsewhere = await address_behind(there, D.far)
    far, no_dns = f"http://{elsewhere}:{D.far_port}/", f"http://{elsewhere}:53/"
    dns = (await lab.elsewhere("kube-system").service("kube-dns"))["spec"]["clusterIP"]
    api = (await lab.elsewhere("default").service("kubernetes"))["spec"]["clusterIP"]
    of_web, of_store = f"http://{web}:{D.web_port}/", f"http://{store}:{D.port}/"
    admin = f"http://{store}:{D.admin}/"
    plain = Probe(lab.objects, "trial-plain", {"trial": "plain"})
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
        Way(like_web, admin, False, f"{D.web} to port {D.admin} of {D.store}"),
        Way(like_web, far, False, f"{D.web} to {D.far} in {D.other}"),
        Way(like_store, of_web, False, f"{D.store} to {D.web}"),
        Way(stranger, of_store, False, f"a pod of {D.other} with app={D.web} to {D.store}"),
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
    gave = await tried(lab, [*closed, *names, *path, *others], within=_WITHIN)
    return Asked(closed, names, path, others, gave)
