"""Lab 23: does the new release serve, do pods come and go with the load, and does a release cost no request?

The learner may mend the objects in any way, so no file of theirs is read. The checker makes the storm, and puts a
release of its own into Deployment `model`, which it takes back.
"""

from __future__ import annotations

import time

from mlops_lab.checks import Lab, at_most, check, equal_to, expect, holds, observe
from mlops_lab.kit import autoscaler_tolerance, autoscalers, deployments, presence
from mlops_lab.kit.autoscaler_reasons import why_not_one
from mlops_lab.kit.autoscalers import Autoscaler
from mlops_lab.kit.makers import answers_alone
from mlops_lab.kit.next_pods import next_pod
from mlops_lab.kit.paid_for import ENDED_WITHIN, RUN_ON, ended
from mlops_lab.kit.prerequisites import must

from . import server, share, why
from .scenario import FIGURES_WITHIN, IN_WITHIN, KIND, computes, moves, release, storm, target, window, without_figures

ARRIVED_WITHIN = 60  # s, for pods that were changed just before
REPORTS_WITHIN = 20  # s
ANSWER_WITHIN = 15  # s; the nodes hear of pods that came a moment later than the API
TARGET = "60 % of cpu"
WINDOW = 15  # s
BOUNDS = {"model": (1, 3), "reports": (1, 2)}


@check(points=2, domains=("cka/troubleshooting", "ckad/deployment"))
async def runs_the_new_release(lab: Lab) -> None:
    """All pods of Deployment `model` are of release v2 and ready, and they alone answer for Service `model`.

    Nothing else makes pods with the labels that the Service selects.
    The checker waits up to 60 s. What answers is the given server, and container `shipper` prints a line for each
    forecast within some seconds, no more and no less: for ten flights that the checker draws, and asks for at once, for
    one of them four times more, three times for no flight in particular, for one more flight once these are printed,
    and 10 s later for two more.
    """
    await deployments.exists(lab, why=why.GONE)
    expect(await deployments.rolled_out(lab, within=ARRIVED_WITHIN)).because(why.HANGS)
    answer = await lab.traffic.first_answer(
        lambda: lab.traffic.get("model", "/version"),
        lambda answer: answer.status == 200 and answer.fields_if_any.get("model_version") == server.RELEASE,
        within=ANSWER_WITHIN,
    )
    expect(observe("status of GET /version (0: no answer)", answer.status, equal_to(200))).because(
        "the Service was right; its pods must be ready: kubectl get endpointslices"
    )
    said = answer.fields().get("model_version")
    expect(observe("release that answers", said, equal_to(server.RELEASE), timed=False)).because(
        "a rollout that was undone has ended, too, where it began: kubectl get deployment model -o wide"
    )
    await answers_alone(lab)
    must(await server.given(lab), "the server was right: what it is, how long it loads, and where it writes, stays")
    expect(await server.ships(lab)).because(
        "the server writes a line for each forecast to /log/requests, and the shipper is there to print it, once and "
        "soon: kubectl logs POD -c shipper. Whoever collects the logs counts a line that is printed again as another "
        "forecast. Leave its command, and the volume that both containers have"
    )


@check(points=1, needs=runs_the_new_release, domains=("ckad/environment-configuration-and-security",))
async def keeps_to_its_share(lab: Lab) -> None:
    """Each pod of `model` requests 50m to 100m CPU and 32Mi to 64Mi memory, and quota `team` holds as it was.

    So does the next pod, by the Deployment's template. A pod of the checker's that requests 513Mi must be refused.
    """
    pods = await server.own_pods(lab)
    must(holds(bool(pods), "pods of Deployment model", "there are none any more"), why.STAYS)
    expect(share.cpu(pods)).because(why.SHARE)
    expect(share.memory(pods)).because(why.SHARE)
    following = [await next_pod(lab, "model")]
    for seen in (share.cpu(following), share.memory(following)):
        must(seen, why.RESIZED)
    quota = await presence.exists(lab, "ResourceQuota", share.QUOTA, why.GONE, others=True)
    room = (quota["spec"].get("hard") or {}).get("requests.memory", "none")
    expect(observe("requests.memory of the quota", room, equal_to(share.ROOM), timed=False)).because(why.QUOTA)
    expect(await share.beyond_is_refused(lab)).because(why.QUOTA)


@check(points=2, needs=runs_the_new_release, domains=("cka/workloads-and-scheduling", "cka/troubleshooting"))
async def each_has_its_autoscaler(lab: Lab) -> None:
    """Deployment `model` and Deployment `reports` have one autoscaler each, which computes; `model` rests at one pod.

    `model` has 1 to 3 pods, `reports` 1 to 2, both at 60 % of the requested CPU. For their figures there are 75 s.
    Pods that came to answer the checker's first forecasts stay for as long as the autoscaler's window: where that is
    longer than agreed, `scales_in` says so, and only there it costs points.
    """
    own = [await one_as_agreed(lab, name) for name in BOUNDS]
    expect(await deployments.rolled_out(lab, "reports", within=REPORTS_WITHIN)).because(why.REPORTS)
    until = time.monotonic() + FIGURES_WITHIN
    for hpa in own:
        seen = await computes(lab, hpa, until=until)
        now = await lab.objects.named(KIND, hpa.name).now()
        expect(seen).because("" if seen.ok else without_figures(Autoscaler(now) if now else None))
    expect(moves(own[-1])).because(why.DIRECTIONS)
    if window(own[0]) > WINDOW:
        return
    rests = await autoscalers.rests_at_one(lab, within=IN_WITHIN, figures_within=FIGURES_WITHIN)
    expect(rests).because("" if rests.ok else await why_not_one(lab, "the metrics need up to 30 s more to fall"))


async def one_as_agreed(lab: Lab, deployment: str) -> Autoscaler:
    """The autoscaler of a Deployment, with the bounds and the target that were agreed.

    Raises:
        Failure: there is none, there are several, or it has others.
    """
    await deployments.exists(lab, deployment, why=why.GONE)
    found = await autoscalers.autoscalers_of(lab, deployment)
    names = ", ".join(each.name for each in await autoscalers.all_autoscalers(lab)) or "none"
    must(
        observe(f"autoscalers for Deployment {deployment}", len(found), equal_to(1), evidence=[f"there are: {names}"]),
        why.ONE_EACH,
    )
    hpa, bounds = found[0], "{} to {}".format(*BOUNDS[deployment])
    must(observe(f"pods of {deployment}", f"{hpa.least} to {hpa.most}", equal_to(bounds)), why.AS_AGREED)
    must(observe(f"target of autoscaler {hpa.name}", target(hpa), equal_to(TARGET)), why.AS_AGREED)
    must(autoscaler_tolerance.tolerates(hpa), autoscaler_tolerance.WHY)
    return hpa


@check(points=2, needs=each_has_its_autoscaler, owns="model", domains=("cka/workloads-and-scheduling",))
async def scales_out(lab: Lab) -> None:
    """With 8 forecasts a second a second pod of `model` is ready within 90 s, and there are never more than 3.

    It is an autoscaler that asks for it, by CPU; whoever else sets the number of pods meanwhile is found out.
    """
    if not lab.thorough(scales_out, scales_in):
        return
    seen = await lab.once(storm)
    expect(seen.scaled).because(seen.why)
    expect(seen.hands.seen()).because(autoscalers.BY_HAND)
    expect(seen.asked).because(why.IT_IS_NOT_THE_LOAD)
    expect(observe("most pods at a time", seen.most, at_most(BOUNDS["model"][1]))).because(why.CAPPED)


@check(points=1, needs=scales_out, owns="model", domains=("cka/workloads-and-scheduling",))
async def scales_in(lab: Lab) -> None:
    """Within 100 s of the storm's end there is exactly one pod of `model` again.

    The pods that were told to go have ended 40 s later. It is as agreed that its autoscaler takes pods away: once they
    were not needed for 15 s.
    """
    if not lab.thorough(scales_out, scales_in):
        return
    found = await lab.once(storm)
    found.hands.take(await lab.objects.deployment("model").present())
    async with deployments.followed(lab, found.hands.take, within=IN_WITHIN):
        back = await autoscalers.back_at_one(lab, ended=found.ended, within=IN_WITHIN)
    expect(back).because("" if back.ok else await why_not_one(lab, "the metrics need up to 30 s more to fall"))
    must(await ended(lab, within=ENDED_WITHIN), RUN_ON)
    expect(found.hands.seen()).because(autoscalers.BY_HAND)
    for hpa in await autoscalers.autoscalers_of(lab):
        seen = observe(f"s that {hpa.name} waits before it takes pods away", window(hpa), equal_to(WINDOW), timed=False)
        must(seen, why.WINDOW)


@check(points=2, needs=runs_the_new_release, owns="model", domains=("ckad/deployment", "cka/troubleshooting"))
async def rolls_out_unnoticed(lab: Lab) -> None:
    """A release of the checker's own is through within 90 s, and of 8 requests a second meanwhile none is lost.

    It puts an annotation on the pods whose value it has drawn, and takes it back at the end. Each request opens a
    connection of its own, and is lost if it is not answered with 200 within 10 s. Nor may that be luck: the server must
    not get SIGTERM as soon as its pod is told to go, while the nodes still send to it.
    """
    if not lab.thorough(rolls_out_unnoticed):
        return
    seen = await lab.once(release)
    expect(seen.done).because(why.HANGS)
    expect(seen.lost).because("" if seen.lost.ok else why.why_lost(seen.deployment, seen.statuses))
    at_once = why.ends_at_once(seen.deployment["spec"]["template"])
    must(holds(not at_once, "the server goes on for a while when its pod is told to go", at_once), why.ENDS_AT_ONCE)
