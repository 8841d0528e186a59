"""Lab 25: the checker plays two models and their passengers, and follows what the learner's canary does with them.

First the judge alone, on canaries that are drawn, in a pod of the checker's. Of 300 of each of the ten kinds neither
solution's judge was wrong about any. Then the canary as it runs: 8,000 users, some of whom come again; one good
candidate among three bad ones. The first model serves afterwards.
"""

from __future__ import annotations

from mlops_lab.checks import Lab, check, expect
from mlops_lab.kit.prerequisites import must

from .canaries import bad, decided, good, harm, heard, over, remembered, some_bad, told_apart
from .fewest import none_leaves_fewer
from .scenario import users
from .verdicts import BACK, BAD, GOOD, PROMOTE, errs_seldom, looked_at_all, none_unknown, verdicts
from .why import (
    ALWAYS_THE_SAME,
    ANEW,
    BAD_LIVE,
    BAD_ONES,
    BEGINS_AGAIN,
    EACH_POD,
    FORGOT,
    FORGOT_BAD,
    GOOD_ONES,
    HARMED,
    LOST,
    MISSED,
    MOVED_AT_PODS,
    MOVED_AT_RESTART,
    NOT_PROMOTED,
    ONE_LEFT,
    OUTCOMES,
    SHARE,
    STAYS,
    TOO_SOON,
    UNKNOWN,
)  # fmt: skip

WATCHES = ("ckad/observability-and-maintenance",)
DEPLOYS = ("ckad/deployment", "ckad/services-and-networking")


@check(points=2, domains=WATCHES)
async def keeps_good_ones(lab: Lab) -> None:
    """Of 160 candidates that are as good or better, `judge.py` promotes all but one in twenty within 36 looks.

    40 each: the same; better in errors, latency and predictions; the same in an incident that both models have; the
    same on a day that becomes stormy for both.
    """
    found = await verdicts(lab)
    must(looked_at_all(found), ALWAYS_THE_SAME)
    expect(errs_seldom(found, GOOD, PROMOTE)).because(GOOD_ONES)


@check(points=2, domains=WATCHES)
async def finds_bad_ones(lab: Lab) -> None:
    """Of 150 candidates that are worse in one thing, `judge.py` takes back all but one in twenty within 36 looks.

    25 each: more errors; slower in all answers; much slower in some; probabilities that are too high; that are too low;
    that are far off and right on average. Half of them are better in everything else. Of 10 more, whose outcomes never
    come, none is promoted.
    """
    found = await verdicts(lab)
    must(looked_at_all(found), ALWAYS_THE_SAME)
    expect(errs_seldom(found, BAD, BACK)).because(BAD_ONES)
    expect(none_unknown(found)).because(UNKNOWN)


@check(points=1, owns="model", domains=DEPLOYS)
async def gives_a_tenth(lab: Lab) -> None:
    """Without a canary all requests come to the stable model; with one, 8 to 12 % of 8,000 to the candidate.

    Two pods or more are behind Service `model`, and no autoscaler may leave fewer. Each takes canaries, one in place of
    another, and outcomes, and says what goes on. What a model answers comes through as it is, failures too, and it is
    asked what was asked. While no outcomes come nothing is decided in the first two minutes.
    """
    must(await none_leaves_fewer(lab), ONE_LEFT)
    seen = await lab.once(users)
    for each, why in (
        (seen.each, EACH_POD), (seen.plain, LOST), (seen.all_stable, STAYS), (seen.anew, ANEW), (seen.own, LOST),
        (seen.share, SHARE), (seen.undecided, TOO_SOON),
    ):  # fmt: skip
        if each:
            expect(each).because(why)


@check(points=2, needs=gives_a_tenth, owns="model", domains=DEPLOYS)
async def keeps_to_its_users(lab: Lab) -> None:
    """300 of these users get the model that they had: at each pod, and after all pods were replaced."""
    seen = await lab.once(users)
    assert seen.pods
    expect(seen.pods).because(MOVED_AT_PODS)
    if seen.lost:
        raise seen.lost
    assert seen.restarted
    expect(seen.restarted).because(MOVED_AT_RESTART)


@check(points=1, needs=(keeps_to_its_users, keeps_good_ones, finds_bad_ones), owns="model", domains=WATCHES)
async def promotes_a_good_one(lab: Lab) -> None:
    """With 150 requests a second a candidate that is as good is promoted within 180 s; 10 s later it answers all.

    It does so, too, after all pods were replaced; then its `PUT` once more begins a canary. It takes the place of a
    canary that is running, and the checker asks for its state only when all requests come to one model. Before it and
    after it come bad ones, in an order that is drawn; with a judge that takes more than a minute and a half, one at
    most before it. A judge may err once: then a second canary begins. One that promotes whatever comes, of the bad
    ones too, decides nothing.
    """
    last = (await lab.once(good))[-1]
    expect(heard(last)).because(OUTCOMES)
    decided(last, "promoted", NOT_PROMOTED, MISSED)
    must(told_apart(await lab.once(some_bad)), ALWAYS_THE_SAME)
    expect(over(last, "stable")).because(STAYS)
    expect(last.own).because(LOST)
    expect(last.stays).because(FORGOT)
    expect(last.again).because(BEGINS_AGAIN)


@check(points=2, needs=promotes_a_good_one, owns="model", domains=WATCHES)
async def takes_bad_ones_back(lab: Lab) -> None:
    """A candidate with more errors, a slower one and one that predicts worse are taken back, within 180 s each.

    150 requests a second come. Until the verdict 12 % of them (and 40) at most come to the candidate, and 10 s after it
    none, and of one of them, which is drawn, not after all pods were replaced either; then its `PUT` once more begins a
    canary. With the last one all pods are replaced as soon as its canary has begun, and requests come after that. A
    judge may err once with each: then a second canary begins.
    """
    for kind, seen in (await lab.once(bad)).items():
        last = seen[-1]
        expect(heard(last)).because(OUTCOMES)
        decided(last, "taken back", BAD_LIVE[kind], MISSED)
        expect(harm(last)).because(HARMED)
        expect(over(last, "candidate")).because(STAYS)
        expect(last.own).because(LOST)
        if kind == remembered(lab):
            expect(last.stays).because(FORGOT_BAD)
            expect(last.again).because(BEGINS_AGAIN)
