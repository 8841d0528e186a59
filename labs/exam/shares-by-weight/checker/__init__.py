"""The checks."""

from collections import Counter
from collections.abc import Sequence

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import gateways
from mlops_lab.kit.edge import Ask, Said, asked
from mlops_lab.kit.prerequisites import must
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_DOMAINS = ("cka/services-and-networking",)
_SERVED_WITHIN, _WITHIN = 12.0, 12.0
_TIMES, _OFF = 50, 5  # how often each path is asked for, and percent that a share may be off
_PATHS = ("/", "/orders", "/orders/7", "/orders?from=7")
_ASKED = _TIMES * len(_PATHS)


@check(points=2, domains=_DOMAINS)
async def gateway_is_served(lab: TaskLab) -> None:
    """The Gateway listens for HTTP on port 80, and its class's controller serves it."""
    why = "a route needs a Gateway, which says where requests come in"
    listeners = (await gateways.exists(lab, "Gateway", D.gateway, why))["spec"]["listeners"]
    shown = ", ".join(f"{each['protocol']} on {each['port']}" for each in listeners)
    expect(observe("it listens for", shown, equal_to("HTTP on 80"))).because("clients come to that port")
    allowed = (listeners[0].get("allowedRoutes") or {}).get("namespaces") or {}
    own = {"matchLabels": {"kubernetes.io/metadata.name": lab.namespace}}
    routes = "Same" if allowed.get("selector") == own else allowed.get("from", "Same")
    expect(observe("it takes routes of Namespaces", routes, equal_to("Same"))).because(
        "others' routes could take requests for any host; where nothing is said it is the Gateway's own"
    )
    expect(await gateways.programmed(lab, D.gateway, within=_SERVED_WITHIN)).because(
        "the controller of its class serves it, and says so; kubectl get gatewayclass shows the classes"
    )


@check(points=3, needs=gateway_is_served, domains=_DOMAINS)
async def shares_are_right(lab: TaskLab) -> None:
    """Of the host's requests each Service gets its share, by its weight to the percent, and none is lost."""
    route = await gateways.exists(lab, "HTTPRoute", D.route, "the route was to have this name")
    asks = [Ask(D.host, path) for path in _PATHS]

    def right(said: Sequence[Said]) -> str:
        counts = Counter(str(each.fields.get("app")) if each.status == 200 else each.shown for each in said)
        strange = [f"{count} times {who}" for who, count in counts.most_common() if who not in (D.old, D.new)]
        if strange:
            return strange[0]
        percent = 100 * counts[D.new] / _ASKED
        return "" if abs(percent - D.share) <= _OFF else f"{percent:.0f} % come to {D.new}"

    shown = f"of {_ASKED} requests about {D.share} % come to {D.new}, and all others to {D.old}"
    seen = await asked(lab, asks, right, expected=shown, name="client-of-shares", within=_WITHIN, times=_TIMES)
    expect(seen).because(
        "within a rule each backend gets its weight's part of all weights; of two rules that match alike one gets all"
    )
    weights = [_weights(rule) for rule in route["spec"].get("rules") or []]
    wrong = [each for each in weights if 100 * each[D.new] != D.share * each.total()]
    told = "; ".join(", ".join(f"{name} {weight}" for name, weight in each.items()) for each in wrong)
    must(
        holds(not wrong, f"weights that give {D.new} {D.share} % of each rule's requests", f"weights: {told}"),
        "a weight is a part of the sum of all weights: 1 and 9 give 10 % and 90 %, 10 and 100 do not",
    )


def _weights(rule: Object) -> Counter[str]:
    """The weight of each Service in a rule of an HTTPRoute; one that says nothing has 1."""
    found: Counter[str] = Counter()
    for each in rule.get("backendRefs") or []:
        found[str(each["name"])] += int(each.get("weight", 1))
    return found


@check(points=1, needs=shares_are_right, domains=_DOMAINS)
async def for_its_host_alone(lab: TaskLab) -> None:
    """The route is the Gateway's, and for its host alone: requests for another one come to neither Service."""
    route = await gateways.exists(lab, "HTTPRoute", D.route, "the route was to have this name")
    parents = ", ".join(str(each["name"]) for each in route["spec"].get("parentRefs") or [])
    expect(observe("its Gateway", parents, equal_to(D.gateway))).because("parentRefs name it")
    listener = (await gateways.exists(lab, "Gateway", D.gateway, "parentRefs names it"))["spec"]["listeners"][0]
    own = listener.get("hostname", "")
    hosts = [own] if own == D.host else route["spec"].get("hostnames") or [own or "every host"]
    expect(observe("it is for", ", ".join(map(str, hosts)), equal_to(D.host))).because(
        "each of a route's host names leads to its backends; without any it takes all that its Gateway gets"
    )
    host = f"other-{D.host}"

    def right(said: Sequence[Said]) -> str:
        return f"{host}: {said[0].shown}" if said[0].fields.get("app") in (D.old, D.new) else ""

    shown = f"{host} leads to neither Service"
    expect(await asked(lab, [Ask(host)], right, expected=shown, name="client-of-another", within=5)).because(
        "its route is for one host, so another route leads there: kubectl get httproutes shows what each is for"
    )
