"""What has to hold while the plane is in the air: the link is cut, and nobody else answers in the edge's place."""

from __future__ import annotations

from collections.abc import Mapping

from mlops_lab.checks import Lab
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.pods import leaving, name
from mlops_lab.kit.selectors import selects
from mlops_lab.kube.client import Object

from .lossy import FIRST, WAYS
from .stage import GROUND, ends_at

KILLED = 1  # s of grace: by force (0), the pod's object, and with it the policy, is gone before its program has ended
LINK = "in-the-air"  # the NetworkPolicy that cuts the plane off
OTHERS = ("page", "forecast", "recommend", "edge", "incidents")  # the other Services that README names
_SLICES = "kubernetes.io/service-name"
_LOSSY = f"{GROUND}-lossy"


async def link_trouble(lab: Lab, made: Object, labels: Mapping[str, str]) -> str:
    """Why the plane may have a link all the same; empty if it has none.

    Args:
        made: the spec of the NetworkPolicy, as it was when it had been made.
        labels: of the edge's pods.
    """
    there = await lab.objects.named("NetworkPolicy", LINK).now()
    if there is None:
        return f"NetworkPolicy {LINK} is gone"
    if there["spec"] != made:
        return f"NetworkPolicy {LINK} is another one than the checker's"
    for each in await lab.objects.all("NetworkPolicy"):
        called = each["metadata"]["name"]
        if called != LINK and (ways := opens(each, labels)):
            return f"NetworkPolicy {called} lets others {ways} the edge"
    return ""


def opens(policy: Object, labels: Mapping[str, str]) -> str:
    """Which way a NetworkPolicy lets anything go for pods with these labels; policies add up."""
    spec = policy["spec"]
    if not selects(spec.get("podSelector") or {}, labels):
        return ""
    kinds = spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]
    ways = [
        word
        for kind, word in (("Egress", "be reached from"), ("Ingress", "reach"))
        if kind in kinds and spec.get(kind.lower())
    ]
    return " and ".join(ways)


async def kill_ground(lab: Lab) -> None:
    """Kill the pods behind Service `records` that somebody makes anew, but for those of another Service in README."""
    selectors = {each["metadata"]["name"]: each["spec"].get("selector") for each in await lab.objects.all("Service")}
    chosen = selectors.get(GROUND)
    for pod in await lab.objects.all("Pod") if chosen else []:
        labels = pod["metadata"].get("labels") or {}
        made = any(each.get("controller") for each in pod["metadata"].get("ownerReferences") or [])
        shared = any(_leads(each, labels) for each in map(selectors.get, OTHERS))
        if made and not shared and not leaving(pod) and _leads(chosen, labels):
            await lab.objects.kill(name(pod), grace=KILLED)


async def lossy_way(lab: Lab, address: str) -> tuple[tuple[str, int], list[Object]] | None:
    """Where Service `records` leads to, and ends of it in the world's pod, from where one comes there as well.

    Args:
        address: of the world's pod.

    Returns:
        None where nothing is behind the Service now, or it has no address of its own.
    """
    service = await lab.objects.named("Service", GROUND).now()
    spec: Object = (service or {}).get("spec") or {}
    called = next((each.get("name") or "" for each in spec.get("ports") or [] if each.get("port") == 80), None)
    if called is None or spec.get("clusterIP") in (None, "", "None"):
        return None
    slices = await lab.objects.all("EndpointSlice", f"{_SLICES}={GROUND}")
    ground = [
        (str(end["addresses"][0]), int(port["port"]))
        for one in slices
        if not one["metadata"]["name"].startswith(_LOSSY)  # a check that was cut off may have left one
        for port in one.get("ports") or []
        if port.get("port") and (port.get("name") or "") == called
        for end in _asked(one)
    ]
    ends = [ends_at(GROUND, f"{_LOSSY}-{number}", address, FIRST + number, called) for number in range(WAYS)]
    return (ground[0], ends) if ground else None


def _asked(one: Object) -> list[Object]:
    """The ends in an EndpointSlice that get requests."""
    return [each for each in one.get("endpoints") or [] if (each.get("conditions") or {}).get("ready") is not False]


def _leads(selector: Mapping[str, str] | None, labels: Mapping[str, str]) -> bool:
    """Does a Service with this selector lead to pods with these labels?"""
    return bool(selector) and all(labels.get(key) == value for key, value in (selector or {}).items())


async def strangers(lab: Lab, service: str, deployment: str) -> set[str]:
    """The addresses behind a Service that get requests and are none of its Deployment's pods."""
    slices = await lab.objects.all("EndpointSlice", f"{_SLICES}={service}")
    found = {address for one in slices for each in _asked(one) for address in each.get("addresses") or []}
    if not found:
        return found
    return found - {str((each.get("status") or {}).get("podIP")) for each in await owned_pods(lab, deployment)}


class Strangers:
    """Looks for them again and again: one that is there in two looks, some seconds apart, was no leaving pod.

    Attributes:
        found: what stood beside the Deployment's pods in two looks, in words; empty if nothing did.
    """

    def __init__(self, lab: Lab, service: str) -> None:
        self.lab, self.service, self.found = lab, service, ""
        self._last: set[str] = set()
        self._at = float("-inf")

    async def look(self, now: float, *, every: float = 3.0) -> None:
        """Look, if the last look is long enough ago.

        Args:
            now, every: s.
        """
        if now < self._at + every:
            return
        self._at = now
        before, self._last = self._last, await strangers(self.lab, self.service, self.service)
        if both := sorted(before & self._last):
            self.found = self.found or f"{', '.join(both[:3])}, not of Deployment {self.service}"
