"""Who asks whom: pods of the checker's own, before both of the server's ports and elsewhere."""

from dataclasses import dataclass
from pathlib import Path

from mlops_lab.checks import Lab, Observation, absent, holds
from mlops_lab.kit.policies import End, let_through, none_of
from mlops_lab.kit.probes import Probe, Way, address_behind, tried
from mlops_lab.kit.selectors import selects
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"
_METRICS = "requests_total"
_API = "kubernetes.default.svc.cluster.local."
_NAME = "kubernetes.io/metadata.name"  # a label that each Namespace has
_WITHIN = 6.0  # s of looking


@dataclass(frozen=True)
class Asked:
    """The ways by what they are about, and what each gave."""

    refused: list[Way]
    front: list[Way]
    monitoring: list[Way]
    rest: list[Way]
    gave: dict[Way, str]


async def left_alone(lab: TaskLab) -> Observation:
    """Whether Deployments, Services and labels of Namespaces are as they were.

    Of a Namespace's labels those with a prefix are not looked at: the cluster writes such ones.
    """
    for kind in ("Deployment", "Service"):
        for name in (D.server, D.store):
            seen = await unchanged(lab, _START, kind, name)
            if not seen.ok:
                return seen
    said = []
    for name, had in (
        (lab.namespace, {}), (D.other, {"team": D.team}), (D.second, {"team": D.team}), (D.apart, {"team": D.apart}),
    ):  # fmt: skip
        found = await lab.objects.named("Namespace", name).now() or {"metadata": {}}
        labels = {key: value for key, value in (found["metadata"].get("labels") or {}).items() if "/" not in key}
        said += [f"{name} has {labels or 'none'}"] if labels != had else []
    return holds(not said, "the Namespaces with the labels that they had", "; ".join(said))


async def by_the_label(lab: Lab) -> Observation:
    """Whether the label alone lets a Namespace's readers in: those of one that gets it, not of one that loses it."""
    specs = [each["spec"] for each in await lab.objects.all("NetworkPolicy")]
    own = [each for each in specs if selects(each.get("podSelector") or {}, {"app": D.server})]
    rules = [rule for each in own for rule in each.get("ingress") or []]
    peers = [peer for rule in rules for peer in rule.get("from") or []]

    def let_in(**namespace: str) -> bool:
        return any(
            selects(peer["namespaceSelector"] or {}, namespace)
            and selects(peer.get("podSelector") or {}, {"app": D.monitor})
            for peer in peers if "namespaceSelector" in peer
        )  # fmt: skip

    expected = f"team={D.team} is what lets a Namespace's readers in"
    if not let_in(team=D.team, **{_NAME: "one-more"}):
        return absent(expected, "those of one more Namespace with that label would stay out")
    known = [name for name in (D.other, D.second) if let_in(**{_NAME: name})]
    return holds(not known, expected, f"those of {', '.join(known)} would come in without it, too")


async def no_more_than(lab: TaskLab, who: str) -> Observation:
    """Whether the policies let no more of somebody through to the server, by any protocol and on any port, than wanted.

    Args:
        who: `the frontend`, `the monitoring`, or `others`, of whom nothing is wanted.
    """
    wanted = {"the frontend": ("TCP", D.port), "the monitoring": ("TCP", D.metrics)}.get(who)
    labels = [{"app": D.server}, {"app": D.monitor}, {D.key: D.front}, {"app": D.monitor, D.key: D.front}, {}]
    ways = await let_through(lab, lab.namespace, labels=labels, ports=(D.port, D.metrics))
    found = (
        each for each in ways
        if each.asked.namespace == lab.namespace and each.asked.labels.get("app") == D.server
        and _named(lab, each.asks) == who and (each.protocol, each.port) != wanted
    )  # fmt: skip
    expected = f"nothing of {who} is let through" + (f" but to port {wanted[1]} by {wanted[0]}" if wanted else "")
    return none_of(found, expected)


def _named(lab: TaskLab, asks: End) -> str:
    """As whom the README names somebody."""
    if asks.namespace == lab.namespace and asks.labels.get(D.key) == D.front:
        return "the frontend"
    is_monitor = asks.space.get("team") == D.team and asks.labels.get("app") == D.monitor
    return "the monitoring" if is_monitor else "others"


async def asks_whom_it_likes(lab: Lab) -> Observation:
    """Whether no policy bounds whom the server's pods ask; one that lets them ask all does not bound it."""
    bounding = [
        each for each in await lab.objects.all("NetworkPolicy")
        if selects(each["spec"].get("podSelector") or {}, {"app": D.server}) and _is_of_egress(each["spec"])
    ]  # fmt: skip
    free = not bounding or any(
        _is_for_all(rule, "to") for each in bounding for rule in each["spec"].get("egress") or []
    )
    names = ", ".join(sorted(each["metadata"]["name"] for each in bounding))
    return holds(free, f"no policy bounds whom app={D.server} asks", f"{names} lists whom app={D.server} may ask")


async def others_are_asked_freely(lab: Lab) -> Observation:
    """Whether no policy bounds who asks other pods than the server's; one that lets all in does not bound it."""
    of_ingress = [
        each for each in await lab.objects.all("NetworkPolicy")
        if "Ingress" in (each["spec"].get("policyTypes") or ["Ingress"])
    ]  # fmt: skip
    others: list[dict[str, str]] = [{"app": "another"}, {D.key: D.front}, {}]
    for labels in others:
        own = [each for each in of_ingress if selects(each["spec"].get("podSelector") or {}, labels)]
        rules = [rule for each in own for rule in each["spec"].get("ingress") or []]
        if own and not any(_is_for_all(rule, "from") for rule in rules):
            names = ", ".join(sorted(each["metadata"]["name"] for each in own))
            said = ", ".join(f"{key}={value}" for key, value in labels.items()) or "no labels"
            return absent("no policy bounds who asks other pods", f"{names} selects those with {said}, too")
    return holds(True, "no policy bounds who asks other pods", "")


def _is_of_egress(spec: Object) -> bool:
    types = spec.get("policyTypes")
    return "Egress" in types if types else bool(spec.get("egress"))


def _is_for_all(rule: Object, peers: str) -> bool:
    """Is a rule for everybody and for all ports? `peers` is `to` or `from`."""
    blocks = [each.get("ipBlock") or {} for each in rule.get(peers) or []]
    whole = any(str(each.get("cidr")).endswith("/0") and not each.get("except") for each in blocks)
    return (whole or not rule.get(peers)) and not rule.get("ports")


async def asked(lab: Lab) -> Asked:
    """Try all ways at once.

    Raises:
        Failure: a Deployment or Service is not as it was, or the other Namespace is gone.
    """
    assert isinstance(lab, TaskLab)
    server, store = await address_behind(lab.objects, D.server), await address_behind(lab.objects, D.store)
    requests, metrics = f"http://{server}:{D.port}/", f"http://{server}:{D.metrics}/"
    of_store = f"http://{store}:{D.store_port}/"
    front = Probe(lab.objects, "trial-front", {D.key: D.front})
    beside = Probe(lab.objects, "trial-beside", {"app": D.monitor, D.key: D.store})
    like = Probe(lab.objects, "trial-like", {"app": D.server})
    monitors = [
        (name, Probe(lab.elsewhere(name), f"trial-monitor-{number}", {"app": D.monitor}))
        for number, name in enumerate((D.second, D.other))
    ]
    stranger = Probe(lab.elsewhere(D.other), "trial-stranger", {D.key: D.front, "app": D.store})
    apart = Probe(lab.elsewhere(D.apart), "trial-apart", {"app": D.monitor, D.key: D.front})
    of_front, of_monitor = f"{D.key}={D.front}", f"app={D.monitor}"
    refused = [
        Way(beside, requests, False, f"a pod here without {of_front} to port {D.port}"),
        Way(beside, metrics, False, f"a pod here with {of_monitor} to port {D.metrics}"),
        Way(front, metrics, False, f"a pod here with {of_front} to port {D.metrics}"),
        *(Way(one, requests, False, f"a pod of {name} with {of_monitor} to port {D.port}") for name, one in monitors),
        Way(stranger, requests, False, f"a pod of {D.other} with {of_front} to port {D.port}"),
        Way(stranger, metrics, False, f"a pod of {D.other} without {of_monitor} to port {D.metrics}"),
        Way(apart, requests, False, f"a pod of {D.apart} with {of_front} to port {D.port}"),
        Way(apart, metrics, False, f"a pod of {D.apart}, which has another team, to port {D.metrics}"),
    ]
    service = f"http://{await lab.traffic.host(D.server)}/"
    lets_in = [
        Way(front, requests, True, f"a pod here with {of_front} to port {D.port}", D.server),
        Way(front, service, True, f"such a pod to Service {D.server}", D.server),
    ]
    monitoring = [
        Way(one, metrics, True, f"a pod of {name} with {of_monitor} to port {D.metrics}", _METRICS)
        for name, one in monitors
    ]
    rest = [
        Way(like, of_store, True, f"a pod with app={D.server} to {D.store}", D.store),
        Way(like, f"dns:{_API}", True, f"a pod with app={D.server} to the DNS"),
        Way(like, f"tcp:{_API}:443", True, f"a pod with app={D.server} to the API server"),
        Way(beside, of_store, True, f"a pod here to {D.store}", D.store),
        Way(stranger, of_store, True, f"a pod of {D.other} to {D.store}", D.store),
    ]
    gave = await tried(lab, [*refused, *lets_in, *monitoring, *rest], within=_WITHIN)
    return Asked(refused, lets_in, monitoring, rest, gave)
