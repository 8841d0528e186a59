"""The checks."""

from pathlib import Path

from mlops_lab.checks import check, expect, holds
from mlops_lab.kit.given import in_manifests
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.probes import judged
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .asking import DNS_SPACE, asked, nothing_else
from .draw import Drawn
from .spaces import labelled_since

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"
_STAY = "policies are all that was wanted: pods that are changed to fit them are no longer what they were"
_DOMAINS = ("cka/services-and-networking", "ckad/services-and-networking")


@check(points=3, domains=_DOMAINS)
async def nothing_by_default(lab: TaskLab) -> None:
    """Pods of the Namespace, whatever their labels, are not reached and reach nothing, but for what was wanted.

    Pods of the checker's try it. What they can't try, such as other addresses and protocols, is read from the policies.
    """
    seen = await lab.once(asked)
    ways = f"closed in {len(seen.closed)} ways, in and out, also to and from pods of other labels"
    expect(judged(seen.gave, seen.closed, ways)).because(
        "a direction is closed for the pods that a policy with this policyType selects; an empty podSelector selects "
        "all. Policies add up: what one rule opens no other one closes, and a rule without ports opens them all"
    )
    expect(await nothing_else(lab)).because(
        "a rule without from or to is for everybody, a namespaceSelector for pods of other Namespaces, and an ipBlock "
        "for whoever has such an address. Answers come back by themselves, and the kubelet's probes are let in"
    )


@check(points=2, needs=nothing_by_default, domains=_DOMAINS)
async def names_resolve(lab: TaskLab) -> None:
    """Every pod of the Namespace may ask the DNS, by UDP and by TCP."""
    seen = await lab.once(asked)
    expect(judged(seen.gave, seen.names, "open to the DNS by UDP and TCP, from three kinds of pods")).because(
        "where nothing is let out, the DNS isn't asked either, and without names nothing else works. It is asked on "
        "port 53 by UDP first; a port that says no protocol is TCP"
    )


@check(points=2, needs=nothing_by_default, domains=_DOMAINS)
async def one_way_is_open(lab: TaskLab) -> None:
    """The web reaches the store on its port."""
    seen = await lab.once(asked)
    expect(judged(seen.gave, seen.path, f"open from {D.web} to port {D.port} of {D.store}")).because(
        "both ends are closed, so it takes an egress rule for the pods that ask, and an ingress rule for those that "
        "are asked"
    )


@check(points=1, needs=nothing_by_default, domains=_DOMAINS)
async def others_as_before(lab: TaskLab) -> None:
    """Other Namespaces are as open as they were and have their labels, and Deployments and Services are as before."""
    seen = await lab.once(asked)
    outside = in_manifests(_START.parent / "setup", "Deployment", D.far)
    must(await unchanged(lab, _START, "Deployment", D.far, given=outside, objects=lab.elsewhere(D.other)), _STAY)
    for name in (D.web, D.store):
        must(await unchanged(lab, _START, "Deployment", name), _STAY)
        must(await unchanged(lab, _START, "Service", name), _STAY)
    labels = ", ".join(await labelled_since(lab, DNS_SPACE))
    must(
        holds(not labels, f"Namespace {DNS_SPACE} has the labels that it had", f"also {labels}"),
        "each Namespace has its name in the label kubernetes.io/metadata.name: a selector of it needs no change there",
    )
    expect(judged(seen.gave, seen.others, f"open in {D.other}, to {D.far} and the DNS")).because(
        "a policy is for pods of its own Namespace: kubectl get networkpolicies -A shows where they are"
    )
