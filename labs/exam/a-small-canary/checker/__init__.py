"""The checks."""

import math
from pathlib import Path

from mlops_lab.checks import Observation, check, equal_to, expect, holds, observe
from mlops_lab.kit import deployments, presence
from mlops_lab.kit.inside import settled
from mlops_lab.kit.losses import none_lost
from mlops_lab.kit.pods import leaving, name
from mlops_lab.kit.selectors import selects
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.kube.objects import over
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .alike import differ
from .draw import Drawn

D = drawn(Drawn, __file__)
STABLE, CANARY = f"{D.app}-stable", f"{D.app}-canary"
_DOMAINS = ("ckad/deployment",)
_START = Path(__file__).parents[1] / "start"
_READY_WITHIN = 60.0
_HEARD_WITHIN = 2.0  # s in which the nodes have heard of pods that came or went
_RATE, _SECONDS = 40, 5


@check(points=2, domains=_DOMAINS)
async def the_canary_answers(lab: TaskLab) -> None:
    """Of many requests to the Service none is lost; some are answered by the one release, some by the other."""
    await settled(lab, CANARY, within=_READY_WITHIN)
    await settled(lab, STABLE, within=_READY_WITHIN)
    await lab.time.pause(_HEARD_WITHIN)
    async with lab.traffic.load(D.app, rate=_RATE, duration=_SECONDS, body=None, path="/", late_at_most=1) as load:
        report = await load.finished()
    expect(none_lost(report)).because("all pods behind a Service must be ready to answer")
    releases = " and ".join(sorted(report.labels))
    wanted = " and ".join(sorted([D.stable, D.canary]))
    expect(Observation(releases == wanted, f"answers of {wanted}", f"answers of {releases}", timed=False)).because(
        "a pod is behind the Service if it bears every label of the Service's selector; the release is in the variable"
    )
    few, many, total = report.labels[D.canary], D.few / D.pods, report.good
    wide = 5 * math.sqrt(many * (1 - many) * total)
    expect(
        Observation(
            abs(few - many * total) <= wide, f"about {D.percent} % of {total} requests to the canary",
            f"{few} of {total} requests to the canary", few, timed=False,
        )
    ).because("each connection goes to one of the pods, all alike: the pods' share is the requests'")  # fmt: skip


@check(points=2, needs=the_canary_answers, domains=_DOMAINS)
async def has_its_share(lab: TaskLab) -> None:
    """So many of the pods behind the Service are the canary's, and so many are there all together."""
    await presence.exists(lab, "Deployment", CANARY, "the task names it")
    behind = await lab.objects.pods_of(D.app)
    own = {name(each) for each in await deployments.owned_pods(lab, CANARY) if not leaving(each)}
    canaries = [each for each in behind if name(each) in own]
    expect(observe("the canary's pods behind the Service", len(canaries), equal_to(D.few))).because(
        f"{D.percent} % of {D.pods} pods are {D.few}"
    )
    expect(observe("pods behind the Service", len(behind), equal_to(D.pods))).because(
        "the canary takes the place of others: it comes to the share that was wanted, and costs nothing more"
    )


@check(points=2, needs=the_canary_answers, domains=_DOMAINS)
async def can_be_told_apart(lab: TaskLab) -> None:
    """By label and release alone: neither Deployment selects the other's pods, and in all else they are alike."""
    own = {name(each) for each in await deployments.owned_pods(lab, CANARY)}
    labelled = {name(each) for each in await lab.objects.all("Pod", "track=canary") if not over(each)}
    expect(
        holds(
            own == labelled,
            "track=canary selects the canary's pods",
            f"it selects {len(own & labelled)} of {len(own)} and {len(labelled - own)} others",
        )
    ).because(
        "kubectl logs -l, a PodMonitor or a NetworkPolicy go by the pods' labels, which are those of the pod template"
    )
    for one, other in ((STABLE, CANARY), (CANARY, STABLE)):
        selector = (await lab.objects.deployment(one).present())["spec"]["selector"]
        pods = await deployments.owned_pods(lab, other)
        strange = [name(each) for each in pods if selects(selector, each["metadata"].get("labels") or {})]
        expect(
            holds(not strange, f"Deployment {one} selects no pod of the other", f"it selects {', '.join(strange)}")
        ).because("two Deployments that select the same pods can't be told apart, by kubectl and autoscalers neither")
    was, now = await lab.objects.deployment(STABLE).present(), await lab.objects.deployment(CANARY).present()
    unlike = differ(was, now, apart=("MODEL_VERSION",))
    expect(holds(not unlike, "in all else it is as the other one", f"another {', '.join(unlike)}")).because(
        "a canary is a trial of a release: where more differs, nobody knows what its errors come from"
    )


@check(points=1, needs=the_canary_answers, domains=_DOMAINS)
async def the_rest_stays(lab: TaskLab) -> None:
    """The Service is as it was, and the other Deployment has the release that it had."""
    expect(await unchanged(lab, _START, "Service", D.app)).because(
        "who changes it for a canary changes it for everybody"
    )
    template = (await lab.objects.deployment(STABLE).present())["spec"]["template"]["spec"]
    env = {each["name"]: each.get("value") for each in template["containers"][0].get("env") or []}
    expect(observe(f"release of Deployment {STABLE}", env.get("MODEL_VERSION"), equal_to(D.stable))).because(
        "it is what the canary is held against"
    )
