"""Lab 11: does the number of pods follow the requests, before any CPU figure tells of them?

One load serves all checks of what happens under load.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

from mlops_lab.checks import Lab, Observation, at_least, at_most, check, expect, holds, observe
from mlops_lab.kit import autoscalers
from mlops_lab.kit.answering import must_answer
from mlops_lab.kit.autoscaler_reasons import why_not_one
from mlops_lab.kit.autoscaler_specs import WRITTEN
from mlops_lab.kit.autoscaler_tolerance import USUAL
from mlops_lab.kit.deployments import exists, followed
from mlops_lab.kit.given import must_be_given
from mlops_lab.kit.manifests import replicas_asked
from mlops_lab.kit.next_pods import WRITTEN_BY_HAND, scraped_as_before
from mlops_lab.kit.paid_for import ENDED_WITHIN, RUN_ON, ended, no_other_server
from mlops_lab.kit.predictions import predicted
from mlops_lab.kit.spares import none_is_left

from .counted import NOT_ITS_REQUESTS, no_fewer_than_counted, no_more_than_counted
from .scenario import CALM, LEAST_FOR_A_POD, MOST_PODS, PER_POD, STORM, rush
from .why import METRIC, NOT_BY_REQUESTS, halted, why_not_measured

HEEDED = round(PER_POD * (1 + USUAL), 3)  # requests a second
START = Path(__file__).parents[1] / "start"
ROLLED_OUT_WITHIN = 90  # seconds, for pods that were applied just before
FIGURES_WITHIN = 25  # seconds for all autoscalers of the Deployment: each looks every 15 s
MEASURED_WITHIN = 50  # seconds: discovery, two scrapes, and the custom metrics API's own list of series
IN_WITHIN = 100  # seconds from the load's end
REFUSED = 422, 405  # the statuses where no flights are in a request, and of a GET
MOST_AT_ONCE = 9  # requests for one look


@check(points=1, domains=("ckad/services-and-networking",))
async def serves(lab: Lab) -> None:
    """The Service `model` answers on port 80, with the model's own values for 50 flights that you have not seen.

    What answers is the given server, unchanged, in the pods of Deployment `model`, and nothing else.
    """
    await exists(lab, apply="kubectl apply -f model.yaml")
    # All of them, as what was put right just now is not yet what serves.
    expect(await lab.objects.deployment("model").rolled_out(within=ROLLED_OUT_WITHIN)).because(
        "a Service sends requests to ready pods only; kubectl describe pod says in its events what holds the pod up"
    )
    answered = await predicted(lab, rows=50, within=20)
    selected = len(await lab.objects.pods_of("model"))
    expect(answered.status("status of POST /predict")).because(
        f"0 means no answer. The Service's selector matches {selected} pods: it must be labels of the Deployment's pod "
        "template, and targetPort the container's port; kubectl get endpointslices shows addresses and ports"
    )
    expect(answered.count()).because("it is one for each flight; this is another server's answer")
    expect(answered.values("v1", 0.0001, "largest difference from the model's own values")).because(
        "another model (or another version) answers; this lab is about localhost:5001/flight-delay:v1"
    )
    await must_answer(lab)
    await must_be_given(lab, START, why="leave the image and what it starts as they are")


@check(points=2, needs=serves, domains=("ckad/observability-and-maintenance",))
async def is_measured(lab: Lab) -> None:
    """The custom metrics API has http_requests_per_second of each pod behind the Service, within 50 s.

    The Deployment's pod template asks for that, so that the pods which an autoscaler adds are measured as well. And it
    is their requests, refused ones among them: Prometheus has no more of a pod than its server has counted, and comes
    to have all.
    """
    row, asked, refused, missing = lab.traffic.hidden_rows(1).body, 0.0, False, 1

    async def look() -> tuple[int, int]:
        nonlocal asked, refused, missing
        if time.monotonic() - asked > 5:  # a pod that has never been asked for a prediction has no count of them
            asked = time.monotonic()
            for _ in range(1 if missing == 1 else min(3 * missing, MOST_AT_ONCE)):  # nobody knows which pod gets one
                await lab.traffic.post("model", "/predict", row)
            refused = refused or await are_refused(lab)
        pods = {pod["metadata"]["name"] for pod in await lab.objects.pods_of("model")}
        measured = pods & set(await lab.usage.custom_metric(METRIC))
        missing = max(1, len(pods) - len(measured))
        return len(measured), len(pods)

    seen = await lab.time.eventually(
        look,
        lambda found: found[0] == found[1] > 0,
        expected=f"{METRIC} of each pod in the custom metrics API",
        shown=lambda found: f"it has it of {found[0]} of {found[1]} pods",
        within=MEASURED_WITHIN,
    )
    expect(seen).because("" if seen.ok else await why_not_measured(lab))
    deployment = await lab.objects.deployment("model").present()
    expect(scraped_as_before(deployment, await lab.objects.pods_of("model"))).because(
        f"{WRITTEN_BY_HAND}, and of the pods that the autoscaler adds nobody would count the requests"
    )
    predictions: dict[str, float] = {}
    expect(await no_more_than_counted(lab, predictions)).because(NOT_ITS_REQUESTS)
    expect(await no_fewer_than_counted(lab, predictions)).because(NOT_ITS_REQUESTS)


@check(points=1, needs=is_measured, domains=("cka/workloads-and-scheduling",))
async def rests_at_one(lab: Lab) -> None:
    """Without load there is exactly one ready pod, and it stays at one once the autoscaler has its figures.

    No other pod in the namespace runs the model's server, nor will one of a CronJob.
    """
    # A load of the learner's own may have ended just now.
    rests = await autoscalers.rests_at_one(lab, within=IN_WITHIN, figures_within=FIGURES_WITHIN)
    expect(rests).because(await why_too_many(lab, rests))
    expect(await no_other_server(lab)).because(
        "a server that stands by costs as much as one that answers, and no autoscaler takes it away: at rest there is "
        "one pod of the model's, and at any time three at most, of whichever Deployment or CronJob. kubectl get "
        "pods,cronjobs shows them all"
    )


@check(points=4, needs=(is_measured, rests_at_one), domains=("cka/workloads-and-scheduling",), owns="model")
async def scales_out_before_cpu_would(lab: Lab) -> None:
    """Requests grow from 6 to 40 a second: a second pod is asked for before CPU would tell lab 10's autoscaler to.

    An HPA that goes by http_requests_per_second asks for it; whoever else sets the number of pods, or writes what the
    HPA is told, is found out.
    """
    found = await lab.once(rush)
    expect(found.first).because(found.why)
    expect(found.hands.seen()).because(autoscalers.BY_HAND)
    seen = ", ".join(f"{each:g} a second" for each in found.targets) or "none does"
    expect(Observation(bool(found.targets), f"an HPA with a target for {METRIC}", seen)).because(NOT_BY_REQUESTS)
    expect(found.specs.left_alone()).because(WRITTEN)
    by = ", ".join(sorted(found.specs.by)) or "no HPA saw its target"
    asked = Observation(METRIC in found.specs.by, f"an HPA saw its target for {METRIC}, and asked for more pods", by)
    expect(asked).because(NOT_BY_REQUESTS)
    expect(found.second).because(
        "the autoscaler asked for it, but it was not ready in time: it must be scheduled (is its request free on a "
        "node?), start, and load its model; kubectl get pods, kubectl describe pod"
    )


@check(points=2, needs=scales_out_before_cpu_would, domains=("cka/workloads-and-scheduling",), owns="model")
async def scales_as_far_as_needed(lab: Lab) -> None:
    """The 6 requests a second alone bring as many pods as they need and the budget allows; all are ready in 90 s."""
    found = await lab.once(rush)
    expect(found.enough).because(
        f"a pod is good for {PER_POD:g} requests a second, so {CALM} a second need {math.ceil(CALM / PER_POD)} pods, "
        f"of which the budget allows {MOST_PODS}. The autoscaler wants (requests a second of all pods / averageValue), "
        f"rounded up, and is cut to maxReplicas (condition ScalingLimited); {found.figures}"
    )
    expect(observe(f"target for {METRIC}", max(found.targets, default=0.0), at_most(PER_POD))).because(
        f"{CALM} requests a second bring as many pods with a larger target, too, and others would not: a pod is to get "
        f"{60 * PER_POD:.0f} requests a minute on average, and not more"
    )
    unheeded = max(found.unheeded, default=0.0)
    most = observe("requests a second of a pod up to which no other is added", unheeded, at_most(HEEDED))
    expect(most).because(
        "an autoscaler adds no pod while what it sees is not far enough over its target: a tenth, where "
        "behavior.scaleUp.tolerance says nothing else. A larger one is a larger target in other words"
    )
    expect(observe(f"target for {METRIC}", min(found.floors, default=0.0), at_least(LEAST_FOR_A_POD))).because(
        f"an autoscaler with such a target adds pods while those that are there get {60 * LEAST_FOR_A_POD:.0f} "
        "requests a minute each, or fewer, so all that the budget allows run most of the day. It is a quantity: "
        "90m is 0.09 a second, as m means a thousandth, and not a minute"
    )
    every = "all requests to /predict count for the HPA, whatever their answers"
    expect(holds(not found.uncounted, every, "; ".join(found.uncounted[:1]), evidence=found.uncounted[1:8])).because(
        "the metric's selector leaves requests out, and a pod has work with those as well: it is to get "
        f"{60 * PER_POD:.0f} requests a minute on average, of whatever kind: kubectl explain hpa.spec.metrics.pods"
    )
    expect(found.all_ready).because(
        "they were asked for, but not ready in time: they must be scheduled (is their request free on a node?), start, "
        "and load the model; kubectl get pods, kubectl describe pod"
    )


@check(points=1, needs=scales_out_before_cpu_would, domains=("cka/workloads-and-scheduling",), owns="model")
async def keeps_within_budget(lab: Lab) -> None:
    """Under that load, which asks for many more, there are never more than 3 pods, and maxReplicas is 3 at most.

    Nor does the manifest that was applied ask for more, and no other pod runs the model's server meanwhile.
    """
    found = await lab.once(rush)
    why = (
        f"{STORM} requests a second at {PER_POD:g} a pod ask for {math.ceil(STORM / PER_POD)} pods; only maxReplicas "
        "bounds what a storm, or somebody's loop that asks without end, can cost"
    )
    expect(observe("most pods at a time", found.most, at_most(MOST_PODS))).because(why)
    expect(found.others).because(
        "pods of the model's server that something else starts when requests come are paid for as well, beside those "
        "that maxReplicas allows: kubectl get deployments,jobs,pods during ./storm 90 40 shows them all"
    )
    allowed = max((each.most for each in await autoscalers.autoscalers_of(lab)), default=0)
    expect(observe("maxReplicas", allowed, at_most(MOST_PODS))).because(why)
    asked = replicas_asked(lab, await lab.objects.deployment("model").present())
    expect(observe("replicas in the manifest that was applied", asked, at_most(MOST_PODS))).because(
        "each kubectl apply sets the number of pods to what the manifest says, and they all run until the autoscaler "
        "has looked again. Where an autoscaler sets the number, the manifest leaves spec.replicas out"
    )


@check(points=2, needs=scales_out_before_cpu_would, domains=("cka/workloads-and-scheduling",), owns="model")
async def scales_in_again(lab: Lab) -> None:
    """Within 100 s of the load's end there is exactly one pod again.

    The pods that were told to go have ended 40 s later, and no other pod runs the model's server any more.
    """
    found = await lab.once(rush)
    found.hands.take(await lab.objects.deployment("model").present())
    async with found.specs.followed(), followed(lab, found.hands.take, within=IN_WITHIN):
        back = await autoscalers.back_at_one(lab, ended=found.ended, within=IN_WITHIN)
    expect(back).because(await why_too_many(lab, back))
    expect(await ended(lab, within=ENDED_WITHIN)).because(RUN_ON)
    expect(await none_is_left(lab, ended=found.ended, within=IN_WITHIN + ENDED_WITHIN)).because(
        "a server that something else starts when requests stop, or leaves running, is paid for as well, and no "
        "autoscaler takes it away: kubectl get deployments,jobs,cronjobs,pods after ./storm 90 40 shows them all"
    )
    expect(found.hands.seen()).because(autoscalers.BY_HAND)
    expect(found.specs.left_alone()).because(WRITTEN)


async def are_refused(lab: Lab) -> bool:
    """Send requests for predictions that the server refuses, each for another reason; whether it did."""
    answers = [await lab.traffic.post("model", "/predict", {}), await lab.traffic.get("model", "/predict")]
    return tuple(each.status for each in answers) == REFUSED


async def why_too_many(lab: Lab, seen: Observation) -> str:
    """Why there is more than one pod at rest; empty where there is one."""
    if seen.ok:
        return ""
    falls = "the rate needs half a minute to fall, as it is an average over that"
    probe = "A probe counts as well, unless it asks /healthz, /readyz or /metrics"
    return await halted(lab) or await why_not_one(lab, falls, more=probe)
