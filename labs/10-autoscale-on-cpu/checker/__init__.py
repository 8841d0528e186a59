"""Lab 10: how many pods serve the model while requests come, and after they have stopped.

One load serves all checks of what happens under load. When the autoscaler did not act, the reason is read from its
own status; a metrics API that has no figures is the cluster's fault, not the learner's.
"""

from __future__ import annotations

from mlops_lab.checks import Lab, Observation, at_least, at_most, check, expect, observe
from mlops_lab.kit import autoscalers
from mlops_lab.kit.answering import must_answer
from mlops_lab.kit.autoscaler_reasons import why_not_one
from mlops_lab.kit.autoscaler_specs import WRITTEN
from mlops_lab.kit.deployments import exists, followed
from mlops_lab.kit.losses import kinds
from mlops_lab.kit.manifests import replicas_asked
from mlops_lab.kit.paid_for import ENDED_WITHIN, RUN_ON, ended, no_other_server
from mlops_lab.kit.predictions import predicted
from mlops_lab.kit.spares import none_is_left

from .scenario import IN_WITHIN, P99, surge
from .served import must_be_a_given_one, values
from .way_down import comes_down
from .why import NO_CPU, RESIZED, halted

ROLLED_OUT_WITHIN = 90  # seconds, for pods that were applied just before
FIGURES_WITHIN = 75  # seconds for all autoscalers of the Deployment
MOST_PODS = 4


@check(points=1, domains=("ckad/services-and-networking",))
async def serves(lab: Lab) -> None:
    """The Service `model` answers on port 80, with the model's own values for 50 flights that you have not seen.

    What answers is the given server, unchanged, in the pods of Deployment `model`, and nothing else. Its image may be
    flight-delay-pytorch:v1, too: the values are those of the network in it then.
    """
    await exists(lab, apply="kubectl apply -f model.yaml")
    # All of them, as what was put right just now is not yet what serves.
    expect(await lab.objects.deployment("model").rolled_out(within=ROLLED_OUT_WITHIN)).because(
        "a Service sends requests to ready pods only; kubectl describe pod says in its events what holds the pod up"
    )
    # A pod without a readiness probe counts as ready before its model is loaded; that is another check's matter.
    answered = await predicted(lab, rows=50, within=30)
    selected = len(await lab.objects.pods_of("model"))
    expect(answered.status("status of POST /predict")).because(
        f"0 means no answer. The Service's selector matches {selected} pods: it must be labels of the Deployment's pod "
        "template, and targetPort the container's port; kubectl get endpointslices shows which addresses it found"
    )
    expect(answered.count()).because("it is one for each flight; this is another server's answer")
    expect(await values(lab, answered, within=0.0001)).because(
        "another model (or another version) answers; this lab is about localhost:5001/flight-delay:v1, or the network "
        "of localhost:5001/flight-delay-pytorch:v1 where the Deployment names that image"
    )
    await must_answer(lab)
    await must_be_a_given_one(lab, why="leave the image and MODEL_LOAD_SECONDS as they are")


@check(points=1, needs=serves, domains=("cka/workloads-and-scheduling",))
async def rests_at_one(lab: Lab) -> None:
    """Without load there is exactly one ready pod, and it stays at one once the autoscaler has its figures.

    No other pod in the namespace runs the model's server, nor will one of a CronJob.
    """
    rests = await autoscalers.rests_at_one(lab, within=IN_WITHIN, figures_within=FIGURES_WITHIN)
    expect(rests).because(await why_too_many(lab, rests))
    expect(await no_other_server(lab)).because(
        "a server that stands by costs as much as one that answers, and no autoscaler takes it away: at rest there is "
        "one pod of the model's, of whichever Deployment or CronJob. kubectl get pods,cronjobs shows them all"
    )


@check(points=3, needs=(serves, rests_at_one), domains=("cka/workloads-and-scheduling",), owns="model")
async def scales_out_under_load(lab: Lab) -> None:
    """With 40 requests a second a second pod is ready within 90 s of the first request.

    It is an HPA that asks for it, by CPU; whoever else sets the number of pods meanwhile, or writes what the HPA is
    told, is found out. Where its target is in percent, it is at all times of what the Deployment's next pod requests.
    """
    under_load = await lab.once(surge)
    expect(under_load.scaled).because(under_load.why)
    expect(under_load.hands.seen()).because(autoscalers.BY_HAND)
    expect(under_load.specs.left_alone()).because(WRITTEN)
    seen = ", ".join(sorted(under_load.specs.by)) or "no HPA saw its target"
    asked = Observation("cpu" in under_load.specs.by, "an HPA saw its target of cpu, and asked for a second pod", seen)
    expect(asked).because(NO_CPU)
    expect(under_load.requested).because(RESIZED)


@check(points=1, needs=scales_out_under_load, domains=("cka/workloads-and-scheduling",), owns="model")
async def keeps_within_budget(lab: Lab) -> None:
    """Under that load there are never more than 4 pods, and a larger one can't bring more: maxReplicas is 4 at most.

    Nor does the manifest that was applied ask for more, and no other pod runs the model's server meanwhile.
    """
    under_load = await lab.once(surge)
    why = (
        "the autoscaler wants (CPU used by a pod / target) x pods, rounded up, so a small request asks for many pods; "
        "only maxReplicas bounds what a surge, or a bug, can cost"
    )
    expect(observe("most pods at a time", under_load.most, at_most(MOST_PODS))).because(why)
    expect(under_load.others).because(
        "pods of the model's server that something else starts when requests come are paid for as well, beside those "
        "that maxReplicas allows: kubectl get deployments,jobs,pods during ./storm 120 shows them all"
    )
    allowed = max((each.most for each in await autoscalers.autoscalers_of(lab)), default=0)
    expect(observe("maxReplicas", allowed, at_most(MOST_PODS))).because(why)
    asked = replicas_asked(lab, await lab.objects.deployment("model").present())
    expect(observe("replicas in the manifest that was applied", asked, at_most(MOST_PODS))).because(
        "each kubectl apply sets the number of pods to what the manifest says, and they all run until the autoscaler "
        "has looked again. Where an autoscaler sets the number, the manifest leaves spec.replicas out"
    )


@check(
    points=2,
    needs=scales_out_under_load,
    domains=("ckad/observability-and-maintenance", "ckad/environment-configuration-and-security"),
    owns="model",
)
async def keeps_the_objective(lab: Lab) -> None:
    """Under that load at least 99.9 % of the requests are answered well, with a 99th percentile of 0.5 s at most."""
    report = (await lab.once(surge)).report
    ended = report.good + report.failed
    share = 100 * report.good / max(1, ended)
    wanted = f"requests answered with 200, of {ended}"
    expect(observe(wanted, share, at_least(99.9), unit="%", evidence=kinds(report))).because(
        "a Service sends requests to a new pod from the moment it is ready. With no readinessProbe that is when its "
        "process runs, with one on /healthz when it listens; but this server answers 503 until its model is loaded, "
        "8 s later. Only GET /readyz tells when it can serve"
    )
    expect(observe("99th percentile, from when each request was due", report.p(99), at_most(P99), unit="s")).because(
        "requests queue where a pod has less CPU than they need: a CPU limit stops the container for the rest of each "
        "100 ms once it is used up, and adding a pod takes half a minute and more; compare kubectl top pod with limits"
    )


@check(points=2, needs=scales_out_under_load, domains=("cka/workloads-and-scheduling",), owns="model")
async def scales_in_again(lab: Lab) -> None:
    """Within 100 s of the load's end there is exactly one pod again, also after a load that has brought maxReplicas.

    The pods that were told to go have ended 40 s later, and no other pod runs the model's server any more.
    """
    under_load = await lab.once(surge)
    under_load.hands.take(await lab.objects.deployment("model").present())
    async with under_load.specs.followed(), followed(lab, under_load.hands.take, within=IN_WITHIN):
        back = await autoscalers.back_at_one(lab, ended=under_load.ended, within=IN_WITHIN)
    expect(back).because(await why_too_many(lab, back))
    expect(await ended(lab, within=ENDED_WITHIN)).because(RUN_ON)
    expect(await none_is_left(lab, ended=under_load.ended, within=IN_WITHIN + ENDED_WITHIN)).because(
        "a server that something else starts when requests stop, or leaves running, is paid for as well, and no "
        "autoscaler takes it away: kubectl get deployments,jobs,cronjobs,pods after ./storm 120 shows them all"
    )
    expect(under_load.hands.seen()).because(autoscalers.BY_HAND)
    expect(under_load.specs.left_alone()).because(WRITTEN)
    expect(await comes_down(lab, IN_WITHIN)).because(
        "this load ended soon after its second pod came; a storm that lasts brings as many pods as the autoscaler may "
        "ask for. It goes down by behavior.scaleDown: so many pods or percent in each periodSeconds, after "
        "stabilizationWindowSeconds. It looks every 15 s, so what is due between two looks waits for the second one: a "
        "pod each 20 s is one each 30 s. And figures may be half a minute old until it sees that the storm is over"
    )


async def why_too_many(lab: Lab, seen: Observation) -> str:
    """Why there is more than one pod at rest; empty where there is one."""
    if seen.ok:
        return ""
    probe = "Without a readinessProbe the CPU that a pod takes to start counts as load, too"
    return await halted(lab) or await why_not_one(lab, "the metrics need up to 30 s more to fall", more=probe)
