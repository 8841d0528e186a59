"""Lab 21: does each of the chain get its answers from the next one, and does everybody else stay out?

Asked is from inside pods: by the chain's own programs in their own pods, and by pods of the checker's whose names and
labels are drawn. No file of the learner's is read, and policies only for namespaces, addresses and labels that they
name, and for ports to try.
"""

from __future__ import annotations

from mlops_lab.checks import Lab, Observation, check, expect, holds
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.probes import judged

from .anew import served_anew
from .hop import answered
from .scenario import asked
from .why import OF_NAMESPACES, why_not_answered

DOMAINS = ("cka/troubleshooting", "cka/services-and-networking", "ckad/services-and-networking")


@check(points=2, domains=DOMAINS)
async def gateway_asks_the_model(lab: Lab) -> None:
    """What the gateway asks, by Service `model`, is answered by pods of Deployment `model`, and by nobody else.

    The gateway's own program asks in each of its pods, 24 times or more, for up to 15 s until all is well. That the
    model itself can't go on from there is not this check's.
    """
    seen = await answered(lab, "gateway", "model")
    expect(seen).because(why_not_answered(seen))


@check(points=2, domains=DOMAINS)
async def model_asks_the_features(lab: Lab) -> None:
    """What the model asks, by Service `features`, is answered by pods of that Deployment, and by nobody else.

    Asked as for the gateway.
    """
    seen = await answered(lab, "model", "features")
    expect(seen).because(why_not_answered(seen))


@check(points=2, domains=DOMAINS)
async def features_asks_the_store(lab: Lab) -> None:
    """What the features ask, by Service `store`, is answered by pods of that Deployment, and by nobody else.

    Asked as for the gateway.
    """
    seen = await answered(lab, "features", "store")
    expect(seen).because(why_not_answered(seen))


_CHAIN = (gateway_asks_the_model, model_asks_the_features, features_asks_the_store)


@check(points=1, needs=_CHAIN, domains=DOMAINS)
async def the_rest_goes_on(lab: Lab) -> None:
    """Clients reach the gateway, the loader the store, monitoring the metrics of all four, as before the repair.

    The metrics are asked for at the pods' addresses, and at port 9100 of the Services.

    New pods with their labels ask, and such with those of the chain, each the next one's Service; what else is on these
    pods is drawn. All but the model are let out, also where the list says nothing: to a pod that lets in
    all, and to the API server.
    """
    seen = await lab.once(asked)
    expect(judged(seen.gave, seen.open, f"open in {len(seen.open)} ways of the list")).because(
        "the list in the README says who may ask whom, by labels, and the chain asks by the Services of its names. A "
        "policy that is written anew has to let in everybody whom the one before let in, and a Service that is made "
        "anew needs both its ports. Whom pods ask is restricted for the model alone: whom a policy with Egress selects "
        "asks nobody but those whom some rule names"
    )


@check(points=2, needs=_CHAIN, domains=DOMAINS)
async def others_stay_out(lab: Lab) -> None:
    """Nobody else is let in, whatever labels a pod has, and the model is let out to the features and the DNS alone.

    New pods with drawn names try what is not on the list: strangers, pods with the labels of the chain, of clients, of
    the loader and of monitoring where they have no business, and pods of another namespace, and of that of the DNS,
    with such labels. They try the four, and each other, on the ports of the list, those next to them, those of the DNS
    and of Services, a drawn one, and those that policies name, by TCP and UDP. So does a pod with the model's labels
    that is let out to all; and the model, in its own pod and in a new one, tries pods with labels of the list that let
    in all. All four programs must be at work meanwhile on both ports, by what they say in their own pods. And no policy
    names another namespace, addresses, or labels that are on no list, but for the model's way to the DNS.
    """
    seen = await lab.once(asked)
    must(
        Observation(not seen.missing, "all four listen on their ports", "; ".join(seen.missing) or "they do"),
        "a door is shut only if there is somebody behind it: where nobody listens, nothing is refused by a policy",
    )
    expect(judged(seen.gave, seen.shut, f"closed in {len(seen.shut)} ways that are not on the list")).because(
        "policies add up: what one rule lets in, no other one keeps out. Ports are the pods': that of a Service in a "
        "rule is one more, for whoever listens there later. A rule without ports is for all ports, one without from "
        "(or to) for everybody; an empty podSelector selects all pods, and a policy that has one opens a port of all. "
        "A pod that no policy selects lets in all. Answers need no rule: what was let through once, is answered"
    )
    others = ", ".join(seen.let_in)
    expect(
        Observation(not others, "closed to a pod of another namespace", f"open: {others}" if others else "closed")
    ).because(OF_NAMESPACES)
    expect(judged(seen.gave, seen.away, "closed to pods of another namespace that have the list's labels")).because(
        OF_NAMESPACES
    )
    must(
        holds(not seen.named, "policies that name nobody else", "; ".join(seen.named)),
        f"{OF_NAMESPACES}. A label lets in whoever has it, today or later: the list says which may",
    )


@check(points=1, needs=(*_CHAIN, the_rest_goes_on), owns="the pods", domains=DOMAINS)
async def lasts(lab: Lab) -> None:
    """When all pods of the four have been made anew, a client gets the minutes of a drawn flight, through all four.

    The checker deletes the pods, waits up to 60 s for new ones, and asks the gateway for up to 20 s.
    """
    seen = await served_anew(lab)
    expect(seen.served).because(
        "pods that are made anew have the labels of the template, another address, and the ConfigMap's values of now: "
        "what was mended in a pod that ran, or works there because it was started earlier, is gone. kubectl logs of "
        "the four say who asked whom in vain"
    )
    expect(seen.through).because("each asks the next one, by its Service: kubectl get configmap addresses -o yaml")
