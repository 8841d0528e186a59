"""The checks."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from mlops_lab.checks import check, equal_to, expect, observe
from mlops_lab.kit import gateways
from mlops_lab.kit.edge import Ask, Said, asked
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_DOMAINS = ("cka/services-and-networking",)
_WITHIN = 12.0
_TIMES = 10  # how often each request is sent in a look: Services that share a rule by weight all get some
_WITH, *_OTHERS = ({D.header: each} for each in (D.value, f"{D.value}-not", f"not-{D.value}"))
_BELOW = ("", "/7", "/41/lines")  # the path, and what may be below it


@check(points=3, domains=_DOMAINS)
async def goes_by_header(lab: TaskLab) -> None:
    """With the header's value requests come to the one Service, without it or with another value to the other."""
    route = await gateways.exists(lab, "HTTPRoute", D.route, "the route was to have this name")
    parents = ", ".join(str(each["name"]) for each in route["spec"].get("parentRefs") or [])
    expect(observe("its Gateway", parents, equal_to(D.gateway))).because("parentRefs name it")
    wanted = [
        (Ask(D.host, path, headers), app)
        for headers, app in ((_WITH, D.beta), *((each, D.stable) for each in ({}, *_OTHERS)))
        for path in ("/", "/orders/7", f"/{D.path}-more")
    ]

    def right(said: Sequence[Said]) -> str:
        wrong = [
            f"{ask}: {each.shown}" for (ask, app), each in zip(wanted * _TIMES, said, strict=True)
            if each.fields != {"app": app, "path": ask.path}
        ]  # fmt: skip
        return "; ".join(wrong[:2])

    shown = f"{D.header}: {D.value} leads to {D.beta}, without it or with another value to {D.stable}"
    asks = [ask for ask, _ in wanted]
    seen = await asked(lab, asks, right, expected=shown, name="client-with-headers", within=_WITHIN, times=_TIMES)
    expect(seen).because(
        "a rule matches by header's name and value; one without matches takes the rest. kubectl get httproute -o yaml "
        "shows in the status whether the route is served"
    )


@check(points=2, needs=goes_by_header, domains=_DOMAINS)
async def path_is_changed(lab: TaskLab) -> None:
    """Requests for the one path are sent elsewhere, or come with another one, as was wanted."""
    asks = [Ask(D.host, f"/{D.path}{below}", headers) for below in _BELOW for headers in ({}, _WITH)]

    def wrong_of(ask: Ask, said: Said) -> bool:
        if D.extra == "redirect":
            where = urlsplit(said.headers.get("location", ""))
            as_before = where.scheme in ("", "http") and where.netloc in ("", D.host, f"{D.host}:80")
            return (said.status, where.path, as_before) != (D.status, f"/{D.target}", True)
        path = ask.path.replace(f"/{D.path}", f"/{D.target}", 1)
        return said.fields != {"app": D.stable, "path": path}

    def right(said: Sequence[Said]) -> str:
        wrong = [f"{ask}: {each.shown}" for ask, each in zip(asks * _TIMES, said, strict=True) if wrong_of(ask, each)]
        return "; ".join(wrong[:2])

    if D.extra == "redirect":
        shown = f"/{D.path} and below get status {D.status}, to http://{D.host}/{D.target}"
    else:
        shown = f"/{D.path} and below come to {D.stable} as /{D.target}"
    seen = await asked(lab, asks, right, expected=shown, name="client-of-paths", within=_WITHIN, times=_TIMES)
    expect(seen).because(
        "a rule's filters change a request, or answer it, before its backends get it; the longest path counts"
    )


@check(points=1, needs=goes_by_header, domains=_DOMAINS)
async def for_its_host_alone(lab: TaskLab) -> None:
    """The route is for its host alone: requests for another one come to neither Service."""
    route = await gateways.exists(lab, "HTTPRoute", D.route, "the route was to have this name")
    listener = (await gateways.exists(lab, "Gateway", D.gateway, "parentRefs names it"))["spec"]["listeners"][0]
    own = listener.get("hostname", "")
    hosts = [own] if own == D.host else route["spec"].get("hostnames") or [own or "every host"]
    expect(observe("it is for", ", ".join(map(str, hosts)), equal_to(D.host))).because(
        "each of a route's host names leads to its backends; without any it takes all that its Gateway gets"
    )
    host = f"other-{D.host}"

    def right(said: Sequence[Said]) -> str:
        return f"{host}: {said[0].shown}" if said[0].fields.get("app") in (D.stable, D.beta) else ""

    shown = f"{host} leads to neither Service"
    expect(await asked(lab, [Ask(host)], right, expected=shown, name="client-of-another", within=5)).because(
        "its route is for one host, so another route leads there: kubectl get httproutes shows what each is for"
    )
