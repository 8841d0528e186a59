"""Lab 28: the checker is exchange, passengers, crew and bad luck of an airline for a day of eight minutes.

First the parts: a Job that learns and refuses, a release, a page, a request's way. Then the day, played once for the
last six checks: four of twelve faults or more, and a plane without a link. Right answers it computes itself, from the
data that it serves.
"""

from __future__ import annotations

from decimal import Decimal

from mlops_lab.checks import Lab, Observation, absent, at_most, check, expect, observe
from mlops_lab.checks.matchers import quantity
from mlops_lab.kit.deployments import exists, owned_pods
from mlops_lab.kit.next_pods import next_pod
from mlops_lab.kit.pods import lasting, leaving
from mlops_lab.kit.prerequisites import must
from mlops_lab.kube.client import Object

from . import incidents
from .day import handed_over, in_the_air, kept, played
from .pages import page
from .refusals import refused
from .release import released
from .scenario import Learnt, found_in_logs, learnt, up
from .why import (
    AGAIN,
    AIR,
    CANARY,
    CUT,
    DEGRADED,
    DUE,
    FOLLOWS,
    KEPT,
    LEDGER,
    LOGS,
    MENDED,
    NAMED,
    NOTICED,
    PAGE,
    REFUSED,
    RIGHT,
    SMALL,
    TRUE,
    UNREAD,
)  # fmt: skip

DEPLOYS = ("ckad/deployment",)
WATCHES = ("ckad/observability-and-maintenance",)


async def _model(lab: Lab, model: str) -> None:
    await exists(lab, model)  # it may wait for its first model, so that it is not ready yet
    seen: Learnt = await lab.once(learnt)
    if model == "forecast":
        expect(seen.due).because(DUE)
    expect(seen.job).because("it is started as kubectl create job --from=cronjob/train would; its log says more")
    expect(seen.right[model]).because(RIGHT)
    expect(seen.named[model]).because(NAMED)
    await up(lab, model)
    if lab.thorough(trains_forecast, trains_recommender):
        expect((await lab.once(refused))[model]).because(REFUSED)


@check(points=1, owns="train", domains=("ckad/design-and-build",))
async def trains_forecast(lab: Lab) -> None:
    """A Job of CronJob `train` learns the forecast from the exchange's prices; wrong prices change no answer."""
    await _model(lab, "forecast")


@check(points=1, owns="train", domains=("ckad/design-and-build",))
async def trains_recommender(lab: Lab) -> None:
    """The same Job learns the recommender from the bookings; wrong bookings change no answer."""
    await _model(lab, "recommend")


@check(points=2, needs=(trains_forecast, trains_recommender), owns="train", domains=DEPLOYS)
async def releases_by_canary(lab: Lab) -> None:
    """A new version answers 5 to 25 % of the requests for 20 s, then all, within 150 s of the Job's beginning."""
    seen = await lab.once(released)
    for model, observations in seen.models.items():
        for each in observations:
            expect(each).because(CANARY)
        expect(seen.numbered[model]).because(NAMED)
        expect(seen.named[model]).because(NAMED)
    for observations in seen.unread.values():
        for each in observations:
            expect(each).because(UNREAD)


@check(points=1, needs=(trains_forecast, trains_recommender), owns="page", domains=DEPLOYS)
async def serves_the_page(lab: Lab) -> None:
    """The page shows a passenger both, and comes all the same while one of the two is not reached, or never answers.

    The part's pods are killed meanwhile; those that come up answer by the version in service.
    """
    await up(lab, "page")
    seen = await lab.once(page)
    expect(seen.whole).because(PAGE)
    for degraded, again in zip(seen.degraded, seen.again, strict=True):
        expect(degraded).because(DEGRADED)
        expect(again).because(AGAIN)


@check(points=1, needs=serves_the_page, owns="page", domains=WATCHES)
async def follows_a_request(lab: Lab) -> None:
    """The ids that requests to the page bear, at once, stand in the logs of page, forecast and recommend."""
    expect(await lab.once(found_in_logs)).because(LOGS)


@check(points=2, needs=(releases_by_canary, follows_a_request), owns="the day", domains=("ckad/design-and-build",))
async def flies_alone(lab: Lab) -> None:
    """Without a link for 300 s, in a pod of 500m CPU and 256 MiB that is killed once, the edge answers as before."""
    await up(lab, "edge")
    for each in await _limits(lab):
        expect(each).because(SMALL)
    expect((await lab.once(released)).edge).because(FOLLOWS)
    alone, *answers = in_the_air(await lab.once(played))
    expect(alone).because(CUT)
    for each in answers:
        expect(each).because(AIR)


@check(points=2, needs=flies_alone, owns="the day", domains=("cka/storage",))
async def hands_over(lab: Lab) -> None:
    """60 s after the link is back the ground has each record that was taken on board, once.

    Answers of its to the edge get lost before, and its pods are killed while there is no link.
    """
    expect(handed_over(await lab.once(played))).because(LEDGER)


@check(points=2, needs=(releases_by_canary, follows_a_request), owns="the day", domains=WATCHES)
async def notices(lab: Lab) -> None:
    """Each of the day's faults, four or more, stands in the incident log, by kind and place, within its time."""
    seen = await lab.once(played)
    expect(incidents.noticed(seen.seen, seen.named)).because(f"{NOTICED}. It said last: {seen.said}")


@check(points=2, needs=(releases_by_canary, follows_a_request), owns="the day", domains=("cka/troubleshooting",))
async def mends(lab: Lab) -> None:
    """Each fault that does not pass by itself is over within its time."""
    expect(incidents.ended((await lab.once(played)).seen)).because(MENDED)


@check(points=2, needs=mends, owns="the day", domains=WATCHES)
async def keeps_objectives(lab: Lab) -> None:
    """98 % of the answers of each service are right and come within 2 s, but for a fault's own service in its time."""
    for each in kept(await lab.once(played)):
        expect(each).because(KEPT)


@check(points=2, needs=(notices, mends), owns="the day", domains=WATCHES)
async def tells_the_truth(lab: Lab) -> None:
    """The log has the day's faults, each once, from its beginning to its end, and at most one that was none."""
    seen = await lab.once(played)
    expect(incidents.true(seen.seen, seen.log, seen.asked, seen.foretold)).because(TRUE)


async def _limits(lab: Lab) -> list[Observation]:
    """The edge's pods, and the limits of their containers together, those of the next one, too."""
    pods = [each for each in await owned_pods(lab, "edge") if not leaving(each)]
    must(observe("pods of Deployment edge", len(pods), at_most(1)), SMALL)
    found = []
    for whose, those in (("pod", pods), ("next pod", [await next_pod(lab, "edge")])):
        for resource, most in (("cpu", "500m"), ("memory", "256Mi")):
            limits = [each for pod in those for each in _limits_of(pod, resource)]
            what = f"{resource} limits of the edge's {whose} together"
            if all(limits):
                found.append(observe(what, sum(limits), at_most(most)))
            else:
                found.append(absent(f"{what}: at most {most}", "a container has none, or one of 0"))
    return found


def _limits_of(pod: Object, resource: str) -> list[Decimal]:
    """A pod's own limit, which holds for whatever its containers take together; else those of its containers.

    https://kubernetes.io/docs/concepts/workloads/pods/pod-level-resources/
    """
    own = _limit(pod["spec"], resource)
    return [own] if own else [_limit(each, resource) for each in lasting(pod)]


def _limit(item: Object, resource: str) -> Decimal:
    """Of a container, or of a pod's specification as a whole; 0 if it has none."""
    return quantity(((item.get("resources") or {}).get("limits") or {}).get(resource, 0))
