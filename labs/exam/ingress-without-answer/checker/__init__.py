"""The checks."""

from collections.abc import Callable, Sequence
from pathlib import Path

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import presence
from mlops_lab.kit.edge import Ask, Said, asked
from mlops_lab.kit.ingresses import others_for
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_DOMAINS = ("cka/troubleshooting", "ckad/services-and-networking")
_WITHIN = 12.0
_PATHS = ("/", "/shop", "/orders/7")
_HOST = f"{D.app}.example.org"
_START = Path(__file__).parents[1] / "start"


@check(points=3, domains=_DOMAINS)
async def answers(lab: TaskLab) -> None:
    """Every path of the host leads to the Service, and no other host does."""
    ingress = await presence.exists(lab, "Ingress", D.app, "the Ingress has this name", others=True)
    asks, right = _leads(D.app)
    shown = f"{', '.join(_PATHS)} of {D.app}.example.org lead to Service {D.app}"
    expect(await asked(lab, asks, right, expected=shown, name="client-of-it", within=_WITHIN)).because(
        "a controller serves Ingresses of its class; a rule leads to the Service that it names, by the Service's port, "
        "for the paths that its type says"
    )
    named = ", ".join(sorted(_services(ingress["spec"])))
    expect(observe("the Service that it names", named, equal_to(D.app))).because(
        "another Service before the same pods is one more thing to look after"
    )
    hosts = ", ".join(sorted(_hosts(ingress["spec"])))
    expect(observe("the host that it is for", hosts, equal_to(_HOST))).because(
        "a rule without a host, and a default backend, are for every host that no other rule is for"
    )
    more = await others_for(lab, _HOST, D.app)
    expect(holds(not more, f"{_HOST} is led by Ingress {D.app} alone", f"by {', '.join(more)}, too")).because(
        "the Ingress itself was to be mended: with one more for its host there are two to look after, and one is wrong"
    )


@check(points=1, needs=answers, domains=_DOMAINS)
async def all_else_stays(lab: TaskLab) -> None:
    """Both Services and the neighbour's Ingress are as they were, and that answers as before."""
    for kind, each in (("Service", D.app), ("Service", D.neighbour), ("Ingress", D.neighbour)):
        expect(await unchanged(lab, _START, kind, each)).because("it was in order, and was to stay as it was")
    asks, right = _leads(D.neighbour)
    shown = f"{', '.join(_PATHS)} of {D.neighbour}.example.org lead to Service {D.neighbour}"
    expect(await asked(lab, asks, right, expected=shown, name="client-of-the-other", within=_WITHIN)).because(
        "it answered before, and its clients are as important as the others"
    )


def _services(spec: Object) -> set[str]:
    """The Services that an Ingress leads to."""
    paths = [path for rule in spec.get("rules") or [] for path in (rule.get("http") or {}).get("paths") or []]
    behind = [path["backend"] for path in paths] + ([spec["defaultBackend"]] if "defaultBackend" in spec else [])
    return {str((each.get("service") or {}).get("name")) for each in behind}


def _hosts(spec: Object) -> set[str]:
    """The hosts that an Ingress is for."""
    rules = [*(spec.get("rules") or []), *([{}] if "defaultBackend" in spec else [])]
    return {str(rule.get("host") or "every host") for rule in rules}


def _leads(app: str) -> tuple[list[Ask], Callable[[Sequence[Said]], str]]:
    """Requests to an application's host, and what is wrong with their answers."""
    asks = [Ask(f"{app}.example.org", path) for path in _PATHS]

    def right(said: Sequence[Said]) -> str:
        wrong = [
            f"{ask.path}: {each.shown}" for ask, each in zip(asks, said, strict=True)
            if each.fields != {"app": app, "path": ask.path}
        ]  # fmt: skip
        return "; ".join(wrong[:2])

    return asks, right
