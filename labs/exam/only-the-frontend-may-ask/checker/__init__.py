"""The checks."""

from mlops_lab.checks import check, expect
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.probes import judged
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .asking import asked, asks_whom_it_likes, by_the_label, left_alone, no_more_than, others_are_asked_freely
from .draw import Drawn

D = drawn(Drawn, __file__)
_ITS_PORT_ALONE = (
    "a rule's port is TCP unless it says UDP, endPort makes a range of it, and policies add up: what one of them opens "
    "stays open"
)
_DOMAINS = ("cka/services-and-networking", "ckad/services-and-networking")


@check(points=2, domains=_DOMAINS)
async def others_stay_out(lab: TaskLab) -> None:
    """To either port of the server nobody comes who was not named: no other pod, and nobody by the other's port.

    Pods of the checker's try it. Whether others come in elsewhere, or by UDP, is read from the policies.
    """
    must(
        await left_alone(lab),
        "who is let in is to be told by the labels that are there; kubectl label NAMESPACE KEY- takes one away",
    )
    seen = await lab.once(asked)
    expect(judged(seen.gave, seen.refused, "closed in nine ways that nobody named")).because(
        "a pod that no policy selects lets in all; one that is selected lets in what some rule allows, and in one item "
        "of from all selectors must match. A rule without ports is for all ports"
    )
    expect(await no_more_than(lab, "others")).because(
        "a rule without from is for everybody, and an ipBlock for whoever has such an address. Answers come back by "
        "themselves, and the kubelet's probes are let in: neither needs a rule"
    )


@check(points=2, needs=others_stay_out, domains=_DOMAINS)
async def lets_the_frontend_in(lab: TaskLab) -> None:
    """The frontend's pods reach the port for requests, also by the Service, and no other port."""
    seen = await lab.once(asked)
    expect(judged(seen.gave, seen.front, f"open to {D.key}={D.front} on port {D.port}, also by the Service")).because(
        "a policy is asked when the Service's port has been turned into the pod's: it names the port on which the "
        "container listens"
    )
    expect(await no_more_than(lab, "the frontend")).because(_ITS_PORT_ALONE)


@check(points=1, needs=others_stay_out, domains=_DOMAINS)
async def monitoring_reads_metrics(lab: TaskLab) -> None:
    """The other team's readers reach the port for metrics alone, from its Namespaces, told by their label."""
    seen = await lab.once(asked)
    expect(
        judged(seen.gave, seen.monitoring, f"open to {D.monitor} of {D.second} and {D.other} on port {D.metrics}")
    ).because(
        "a podSelector alone is about pods of the policy's own Namespace; with a namespaceSelector in the same item it "
        "is about pods of the Namespaces that have those labels: kubectl get namespaces --show-labels"
    )
    expect(await by_the_label(lab)).because(
        "a policy that lists Namespaces by their names knows nothing of one that joins the team, or leaves it"
    )
    expect(await no_more_than(lab, "the monitoring")).because(_ITS_PORT_ALONE)


@check(points=2, needs=others_stay_out, domains=_DOMAINS)
async def the_rest_stays_free(lab: TaskLab) -> None:
    """The server's pods ask whomever they like, as before, and all others are asked by everybody as before."""
    seen = await lab.once(asked)
    expect(judged(seen.gave, seen.rest, f"open from the server to whomever it asks, and to {D.store}")).because(
        "a policy is for the pods that it selects, and for the directions of its policyTypes: one that says Egress "
        "lets out only what an egress rule allows, and of the DNS nothing"
    )
    must(
        await asks_whom_it_likes(lab),
        "what such a policy lists is what the pods ask today; tomorrow they ask somebody else, and were to stay free",
    )
    must(
        await others_are_asked_freely(lab),
        "a policy's podSelector says whose requests it bounds: of other pods than the server's, those of today and of "
        "tomorrow, nothing was to be bounded",
    )
