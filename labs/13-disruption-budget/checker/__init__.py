"""Lab 13: what clients see while a node is drained, and whether the node is empty in time.

The checker is the platform team: it cordons the node with most of the lab's pods, evicts those, and only those, by the
Eviction API as `kubectl drain` does, and opens the node again. Then it plays a bad release, and asks for evictions once
more. At the end it puts the Deployment back and starts its pods anew: nothing else moves pods back to a drained node.
"""

from __future__ import annotations

from pathlib import Path

from mlops_lab.checks import Lab, Observation, check, expect, holds
from mlops_lab.kit.answering import must_answer
from mlops_lab.kit.autoscalers import autoscaled_below, autoscalers_of
from mlops_lab.kit.deployments import exists
from mlops_lab.kit.given import must_be_given
from mlops_lab.kit.pods import name
from mlops_lab.kit.predictions import predicted
from mlops_lab.kit.prerequisites import must

from .autoscaled import applied_again, asked_again, asked_for
from .budgets import autoscaled, budgets, labels_next
from .others import others_may_go
from .placement import spread_rules, where
from .scenario import COUNTED_WITHIN, PODS, STAYS, UP_WITHIN, maintained
from .why import why_lost

START = Path(__file__).parents[1] / "start"
SCALED_WITHIN = 45  # s until an autoscaler that was applied just before has its minimum
ANSWER_WITHIN = 15  # s; the nodes hear of pods that came a moment later than the API


@check(points=1, domains=("ckad/deployment", "cka/workloads-and-scheduling"))
async def serves(lab: Lab) -> None:
    """All pods of Deployment `model`, 3 at least, are ready, and Service `model` gives the values of model v1.

    The checker waits up to 90 s until all pods are ready, and sends 20 flights that you don't see. What answers is the
    given server, with its `MODEL_LOAD_SECONDS`, in these pods alone. No autoscaler may leave fewer than 3, nor the next
    apply of the manifest.
    """
    await lab.nodes.workers(at_least=2)
    await exists(lab, apply="kubectl apply -f model.yaml")
    expect(await asked_again(lab, PODS)).because(
        "while one pod is evicted and its successor loads the model, the others carry all requests, and one of those "
        "may fail just then. kubectl scale does not last, and what an autoscaler has set neither: each kubectl apply "
        "sets the number of pods back to what the manifest says, also in the middle of a drain. Beside an autoscaler "
        "leave replicas out"
    )
    expect(await asked_for(lab, PODS, within=SCALED_WITHIN)).because(
        "while one pod is evicted and its successor loads the model, the others carry all requests, and one of those "
        "may fail just then"
    )
    low = await autoscaled_below(lab, PODS)
    expect(holds(not low, f"no autoscaler that may leave fewer than {PODS} pods", "; ".join(low))).because(
        "an autoscaler sets spec.replicas, whatever the manifest says: in a quiet hour its minReplicas is what is "
        "left, and that is 1 where it is not set"
    )
    expect(await lab.objects.deployment("model").rolled_out(pods=PODS, within=UP_WITHIN)).because(
        "kubectl describe pod says in its events what holds a pod up. A rule that allows one pod to a node leaves the "
        "others Pending when there are more pods than nodes that take any; and a hard topology spread constraint "
        "counts nodes that take no pods, such as the control plane, as empty ones (see nodeTaintsPolicy)"
    )
    paused = (await lab.objects.deployment("model").present())["spec"].get("paused")
    must(
        holds(not paused, "a Deployment that follows its template", "paused: true"),
        "the checker plays a release, and no release comes while the Deployment is paused: kubectl rollout resume",
    )
    answered = await predicted(lab, rows=20, within=ANSWER_WITHIN, answer_within=5)
    expect(answered.status()).because(
        "the Service is given; its selector must match the pods, which listen on port 8080. kubectl get endpointslices"
    )
    expect(answered.values("v1")).because("the task is the image flight-delay:v1; leave it, and MODEL_LOAD_SECONDS")
    await must_answer(lab)
    await must_be_given(lab, START, why="leave the image and MODEL_LOAD_SECONDS")


@check(points=2, needs=serves, domains=("cka/workloads-and-scheduling",))
async def is_spread(lab: Lab) -> None:
    """The pods are on two nodes or more, and a rule in their template asks for that.

    A topology spread constraint or a pod anti-affinity counts if it is about the pods themselves, and if its topology
    key tells the nodes apart; a constraint whose maxSkew allows all pods on one node asks for nothing, and that is so
    with as few pods as an autoscaler, or the next apply of the manifest, may leave.
    """
    pods = await lab.objects.pods_of("model")
    places = where(pods)
    seen = ", ".join(f"{number} on {node}" for node, number in sorted(places.items()))
    expect(Observation(len(places) >= 2, "pods on two nodes or more", seen, places)).because(
        "whoever drains that node, or pulls its plug, takes the whole service. The scheduler decides once, when a pod "
        "is made: a rule that came later, or a node that has come back, moves nothing. podAffinity draws pods "
        "together, podAntiAffinity and topologySpreadConstraints keep them apart; then: kubectl rollout restart "
        "deployment/model"
    )
    deployment = await lab.objects.deployment("model").present()
    template, namespace = deployment["spec"]["template"], deployment["metadata"].get("namespace", "")
    nodes = await lab.nodes.workers(at_least=2)
    fewest = min([len(pods), *(each.least for each in await autoscalers_of(lab) if each.scales_in)])
    fewest = min(fewest, await applied_again(lab) or fewest)
    rules = spread_rules(template, nodes, fewest, namespace)
    expect(
        Observation(
            any(good for good, _ in rules),
            "a rule in the pod template that spreads these pods over the nodes",
            "; ".join(said for _, said in rules) or "no topologySpreadConstraints and no podAntiAffinity",
        )
    ).because(
        "without a rule the scheduler's defaults happen to spread pods, as one wish among many: free room or an image "
        "that a node already has can outweigh it. And a rule counts the pods that its own labelSelector matches: if "
        "that matches none, each node looks empty to it"
    )


@check(points=2, needs=is_spread, domains=("cka/cluster-architecture", "ckad/deployment"))
async def lets_a_pod_go(lab: Lab) -> None:
    """While all pods are ready, the eviction of one is granted.

    The Eviction API is asked with `dryRun`, so that nothing happens yet; for up to 20 s, until the pods are counted. Of
    other numbers of pods, which an autoscaler or the next apply may make, the budget's spec says it.
    """
    pods = sorted(map(name, await lab.objects.pods_of("model")))
    expect(holds(bool(pods), "pods behind Service model", "there are none any more")).because(STAYS)
    granted = await lab.time.eventually(
        lambda: lab.nodes.evict(pods[0], dry_run=True),
        lambda refusal: not refusal,
        expected="the eviction of a pod is granted",
        shown=lambda refusal: f"refused: {refusal}" if refusal else "granted",
        within=COUNTED_WITHIN,
    )
    lines = await budgets(lab)
    expect(Observation(granted.ok, granted.expected, granted.seen, None, lines)).because(
        "a budget that no pod may ever leave does not protect the service, it blocks the node: the drain tries again "
        "until somebody deletes the budget, or pulls the plug. See ALLOWED DISRUPTIONS in kubectl get pdb when all "
        "pods are ready: it must be 1 or more. Percentages are rounded up, to whole pods; and a pod may be covered by "
        "one budget only, else the Eviction API answers with an error"
    )
    if others := await autoscaled(lab, labels_next(await lab.objects.deployment("model").present())):
        none = [said for many, said in others if many < 1]
        asked = "1 pod or more may go with each number of pods that an autoscaler or the next apply may make"
        expect(holds(not none, asked, "; ".join(none[:1]), evidence=none[1:8])).because(
            "so few pods may be left that the budget needs all of them, and then no node can be drained: an autoscaler "
            "leaves its minimum, and the next kubectl apply what the manifest says, whatever kubectl scale has made"
        )


@check(points=2, needs=lets_a_pod_go, owns="model", domains=("cka/cluster-architecture", "ckad/deployment"))
async def holds_the_second(lab: Lab) -> None:
    """Of two evictions at once the first is granted, and the second is refused as long as a pod is missing.

    The budget is for the next release as well, whose labels that say the version have another value: by their name, or
    because the image's tag is in them; but for labels by which the Deployment selects. So it is with each number of
    pods that an autoscaler, or the next apply, may make: there the budget's spec says how many may go.
    """
    found = await lab.once(maintained)
    expect(found.second).because(
        "a drain asks for all pods of a node at once. Only a PodDisruptionBudget makes it wait for the successor of "
        "one before the next goes, and only if its selector matches the pods' labels: kubectl get pdb -o yaml shows "
        "under status how many it sees (expectedPods) and how many may be missing now (disruptionsAllowed). With "
        "these pods one may be missing, not two; percentages are rounded up, maxUnavailable too. And each release has "
        "a pod-template-hash of its own, and its version, whatever the label is called that says it: a selector that "
        "names one protects that release alone"
    )
    if others := await autoscaled(lab, found.labels):
        more = [said for many, said in others if many > 1]
        asked = "1 pod may go, and no second one, with each number that an autoscaler or the next apply may make"
        expect(holds(not more, asked, "; ".join(more[:1]), evidence=more[1:8])).because(
            "the budget is right for the pods that there are now. minAvailable as a number lets the more go the more "
            "there are, and a percentage lets two go where there are enough; maxUnavailable as a number stays"
        )


@check(points=2, needs=holds_the_second, owns="model", domains=("cka/cluster-architecture", "cka/troubleshooting"))
async def drains(lab: Lab) -> None:
    """The node is empty of your pods within 120 s, and within another 60 s all of them are ready on other nodes.

    The checker asks each second again for what was refused, and keeps the node closed until it has seen that. No pod
    comes to it meanwhile. Of other pods in the namespace it asks with `dryRun` whether they may go, too; and none may
    have more than 120 s to end, or come back to a closed node.
    """
    found = await lab.once(maintained)
    expect(found.drained).because(
        "the next pod may go when the successor of the one before is ready, and a pod is gone when its container has "
        "ended: a long preStop wait and a successor that does not start hold the drain up. And a closed node "
        "has a taint: to pods that tolerate every one (operator Exists, and no key) it is as open as another. kubectl "
        "get pods -o wide --watch"
    )
    expect(found.back).because(
        "a node can be away for hours, and then the others must take all pods. A hard rule can forbid that: to a "
        "topology spread constraint with DoNotSchedule a drained node still counts, as one with no pods, unless "
        "nodeTaintsPolicy is Honor; ScheduleAnyway, and a preferred anti-affinity, give way. kubectl describe pod "
        "says of a Pending pod which rule no node meets"
    )
    expect(await others_may_go(lab)).because(
        "a drain takes all pods of a node, and waits for each, whatever it is for. A budget that never lets one go, of "
        "whichever pods, keeps the node: kubectl get pdb. So does a pod that has minutes to end, if it uses them, and "
        "one that comes back: a DaemonSet's, those that tolerate the taint of a closed node, "
        "node.kubernetes.io/unschedulable, and those whose template names a node (nodeName), past the scheduler"
    )


@check(points=3, needs=drains, owns="model", domains=("ckad/services-and-networking", "ckad/deployment"))
async def loses_nothing(lab: Lab) -> None:
    """Of the 100 requests a second meanwhile at least 99.9 % are answered.

    Every request opens a connection of its own. It fails if no connection is made, if no answer comes within 10 s, or
    if the answer's status is not 200.
    """
    found = await lab.once(maintained)
    expect(found.lost).because("" if found.lost.ok else why_lost(found.template, found.statuses))


@check(points=2, needs=loses_nothing, owns="model", domains=("cka/troubleshooting", "cka/cluster-architecture"))
async def lets_broken_pods_go(lab: Lab) -> None:
    """While no pod is ready, because of a release that can't load its model, evictions are granted, and pods go.

    The checker puts flight-delay:v3-broken into all pods of the Deployment, asks for all of them with `dryRun`, evicts
    one, which must be gone within 120 s, and puts all back.
    """
    found = await lab.once(maintained)
    expect(found.broken).because(
        "these pods run and serve nobody, and still the budget holds them: by default (IfHealthyBudget) pods that are "
        "not ready may be evicted only while enough others are. So a bad release at night keeps the node from its "
        "update, until somebody comes. See unhealthyPodEvictionPolicy: kubectl explain pdb.spec"
    )
    expect(found.gone).because(
        "the eviction is granted, and the pod stays: its containers have all of terminationGracePeriodSeconds to end, "
        "preStop hooks included. What waits there for another pod to be ready waits for ever while none is, and the "
        "drain with it"
    )
