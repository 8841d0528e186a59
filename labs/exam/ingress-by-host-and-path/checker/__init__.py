"""The checks."""

from collections.abc import Sequence

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import presence
from mlops_lab.kit.edge import Ask, Said, asked
from mlops_lab.kit.ingresses import others_for
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_DOMAINS = ("cka/services-and-networking", "ckad/services-and-networking")
_WITHIN = 15.0
# Paths and the Service that they lead to.
_LEADS = {"/": D.front, "/cart/7": D.front, f"/{D.path}": D.api, f"/{D.path}/7": D.api, f"/{D.path}/a/b": D.api}


@check(points=3, domains=_DOMAINS)
async def leads_to_both(lab: TaskLab) -> None:
    """By one Ingress requests for the host come to the Service that their path says, with that path."""
    found = await presence.exists(lab, "Ingress", D.ingress, "the Ingress was to have this name", others=True)
    asks = [Ask(D.host, path) for path in _LEADS]

    def right(said: Sequence[Said]) -> str:
        wrong = [
            f"{path}: {each.shown}" for (path, app), each in zip(_LEADS.items(), said, strict=True)
            if each.fields != {"app": app, "path": path}
        ]  # fmt: skip
        return "; ".join(wrong[:2])

    shown = f"{len(asks)} paths of {D.host} lead to {D.front} or {D.api}, as wanted"
    expect(await asked(lab, asks, right, expected=shown, name="client-of-both", within=_WITHIN)).because(
        "a controller serves Ingresses of its class; kubectl describe ingress shows hosts, paths and what is behind"
    )
    named = (found["metadata"].get("annotations") or {}).get("kubernetes.io/ingress.class")
    ingress_class = found["spec"].get("ingressClassName") or named
    expect(observe("its class", ingress_class, equal_to("traefik"))).because(
        "the class says which controller serves it"
    )
    more = await others_for(lab, D.host, D.ingress)
    expect(holds(not more, f"{D.host} is led by Ingress {D.ingress} alone", f"by {', '.join(more)}, too")).because(
        "an Ingress has as many paths of a host as are wanted: with a second one there are two to look after"
    )


@check(points=2, needs=leads_to_both, domains=_DOMAINS)
async def leads_nowhere_else(lab: TaskLab) -> None:
    """A path that only begins with the same letters is another one, and no other host leads there."""
    others = [f"other-{D.host}", "example.org"]
    asks = [Ask(D.host, f"/{D.path}x"), *(Ask(host) for host in others)]

    def right(said: Sequence[Said]) -> str:
        if said[0].fields.get("app") != D.front:
            return f"/{D.path}x: {said[0].shown}"
        apps = (D.front, D.api)
        return "; ".join(
            f"{host}: {each.shown}"
            for host, each in zip(others, said[1:], strict=True)
            if each.fields.get("app") in apps
        )

    shown = f"/{D.path}x leads to {D.front}, and {' and '.join(others)} to neither"
    expect(await asked(lab, asks, right, expected=shown, name="client-of-others", within=_WITHIN)).because(
        "pathType Prefix goes by whole parts of a path, and a rule without a host is for every host"
    )
    rules = [rule for each in await lab.objects.all("Ingress") for rule in each["spec"].get("rules") or []]
    hosts = ", ".join(sorted({str(rule.get("host") or "every host") for rule in rules}))
    expect(observe("hosts of the Namespace's Ingresses", hosts, equal_to(D.host))).because(
        "each host that has a rule is led somewhere, also one below that host or beside it, and one was wanted"
    )
