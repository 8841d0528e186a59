"""How a wrong number was made, by what it is; and why a query returns nothing.

Each list of wrong numbers is of one airline: a number that somebody's query may return, with what to say then.
"""

from __future__ import annotations

import difflib
import re

from mlops_lab.measure.cluster.environment import SYSTEM_NAMESPACE
from mlops_lab.measure.services.backfill import STEP

from .shown import Shown
from .truth import OBJECTIVE, Known, accepted, budget, first_three, mean, p95, watched
from .world import (
    ACCEPTED,
    ALL_PODS,
    ANSWERED,
    DELAY,
    DESTINATIONS,
    METRICS,
    MONEY_SAVED,
    OFFERED,
    PODS,
    RECENT,
    SPAN,
    World,
)

WHOLE_RANGE = (
    "this is of the whole time range of the dashboard; where the README names no time the question is about the last "
    "five minutes, [5m], whatever range is chosen"
)


def wrong_flights(world: World) -> Known:
    """Of flights a minute."""
    mine = world.airlines[:1]
    whole, last = world.events(ANSWERED, mine, RECENT), world.events(ANSWERED, mine, STEP)
    return (
        (
            world.stand(ANSWERED, mine),
            "this is what the counters stand at: all flights since each pod's start. rate() and increase() say how "
            "fast a counter grows, over a window",
        ),
        (whole / RECENT, "this is per second, as rate() is"),
        (whole, "these are the flights of five minutes, as increase() has them; the question is how many a minute"),
        (whole / 5 / len(PODS), "this is the average of the pods; sum() adds them up"),
        (
            last * 60 / STEP,
            "irate() looks at the last two samples alone: ten seconds of a business that asks in bunches. rate() looks "
            "at the whole window",
        ),
        (world.events(ANSWERED, mine, 60), "this is the last minute; the question is about five, [5m]"),
        (
            world.events(ANSWERED, mine, 3 * STEP) * 2,
            "$__rate_interval is four scrapes long, which is right for a curve; the question is about five minutes",
        ),
    )


def wrong_shares(world: World) -> Known:
    """Of the share of rebookings accepted."""
    mine = world.airlines[:1]
    return (
        (
            mean([accepted(world, mine, SPAN, [pod])[""] for pod in PODS]),
            "this is the mean of the pods' shares, in which a pod with ten offers weighs as much as one with a "
            "hundred. Add up first, then divide: sum(accepted) / sum(offered)",
        ),
        (
            world.stand(ACCEPTED, mine) / world.stand(OFFERED, mine),
            "this is the share since each pod's start, whenever that was; the question is about the last five minutes",
        ),
        (accepted(world, mine, SPAN, seconds=SPAN)[""], WHOLE_RANGE),
    )


def wrong_money(world: World) -> Known:
    """Of the euros saved."""
    mine = world.airlines[:1]
    cents, stand = world.events(MONEY_SAVED, mine, SPAN), world.stand(MONEY_SAVED, mine)
    return (
        (cents, "the counter counts cents"),
        (stand / 100, "this is what the counters stand at: all that was saved since each pod's start"),
        (stand, "this is what the counters stand at, in cents: all that was saved since each pod's start"),
        (cents / SPAN / 100, "this is euros a second; increase() has what came together"),
    )


def wrong_p95(world: World) -> Known:
    """Of the 95th percentile of the answers' times."""
    mine = world.airlines[:1]
    own = [p95(world, mine, SPAN, [pod])[""] for pod in PODS]
    return (
        (
            mean(own),
            "this is the mean of the pods' p95, which is the p95 of nothing: most answers come from one of them. "
            "Buckets can be added up, quantiles can't",
        ),
        (max(own), "this is the p95 of the slowest pod; the question is about the answers of all"),
        (p95(world, mine, SPAN, seconds=SPAN)[""], WHOLE_RANGE),
    )


def wrong_connections(world: World) -> Known:
    """Of the connections watched."""
    own = [watched(world, world.airlines[:1], SPAN, [pod])[""] for pod in PODS]
    return (
        (max(own), "this is the pod that watches most; each watches connections of its own, so they add up"),
        (mean(own), "this is the mean of the pods; each watches connections of its own, so they add up"),
    )


def wrong_budget(world: World) -> Known:
    """Of the share of the error budget that is left."""
    mine = world.airlines[:1]
    left = budget(world, mine, SPAN)[""]
    return (
        (1 - left, "this is what was spent of it; the question is what is left"),
        (
            1 - (1 - left) * (1 - OBJECTIVE),
            "this is the share that did not fail; the budget is the half percent that may",
        ),
        (
            budget(world, mine, SPAN, also=["422"])[""],
            "422 says that the asker asked wrongly, and it is an answer; failed are the 5xx",
        ),
        (
            budget(world, mine, SPAN, also=world.answers[1:])[""],
            f"{', '.join(world.answers[1:])} are taken for failures: failed are the 5xx, and any other status is an "
            "answer, not only those that somebody has thought of",
        ),
        (
            budget(world, mine, SPAN, also=world.answers)[""],
            f"{', '.join(world.answers)} are taken for failures: failed are the 5xx, and any other status is an answer",
        ),
        (
            budget(world, mine, SPAN, also=world.answers[2:])[""],
            f"{', '.join(world.answers[2:])} are taken for failures: failed are the 5xx, and any other status is an "
            "answer, those of redirects and refusals, too",
        ),
        (
            mean([budget(world, mine, SPAN, [pod])[""] for pod in ALL_PODS]),
            "this is the mean of the pods' budgets, in which a small pod weighs as much as a large one. Add up the "
            "failed and all requests first, then divide",
        ),
    )


def why_others_lead(world: World, found: set[str]) -> str:
    """Why these destinations are not the ones whose flights are the latest, on average."""
    mine = world.airlines[:1]
    by_pod = [world.lateness(mine, [pod]) for pod in PODS]
    means = first_three({dest: mean([each[dest] for each in by_pod]) for dest in DESTINATIONS})
    sums = first_three({dest: world.events(DELAY, mine, RECENT, dest=dest) for dest in DESTINATIONS})
    if found == set(means):
        return (
            "these lead when the pods' means are averaged, and a pod that saw one flight to a place weighs as much as "
            "one that saw a hundred. Add up first, then divide"
        )
    if found == set(sums):
        return "these have the most delay in all, as most flights go there; a mean is divided by how many they are"
    if found == set(first_three(world.lateness(mine, seconds=SPAN))):
        return WHOLE_RANGE
    return (
        "a mean is a _sum divided by its _count: sum by (dest) (rate(..._sum[5m])) / sum by (dest) "
        "(rate(..._count[5m])), and topk(3, ...) of that is the three highest"
    )


def why_nothing(shown: Shown) -> str:
    """Why a query returns nothing for an airline that has been answered all the time."""
    if any(SYSTEM_NAMESPACE not in query for query in shown.queries):
        return (
            f"the namespace that was chosen, {SYSTEM_NAMESPACE}, is not in what was sent: the query has another one "
            'typed in. namespace="$namespace" is what the reader has chosen'
        )
    words = set(re.findall(r"[a-z]\w*_\w+", re.sub(r'"[^"]*"', "", " ".join(shown.queries))))
    known = [*METRICS, "answer_duration_seconds_sum", "answer_duration_seconds_count"]
    for word in sorted(words - set(known)):
        if near := difflib.get_close_matches(word, known, n=1, cutoff=0.8):
            return (
                f"there is no metric {word}, there is {near[0]}. Prometheus does not complain of a name that it has "
                "never heard: of that there is nothing, and so it answers"
            )
    return (
        "a selector that matches nothing returns nothing, and is no error. Take the query apart in lab open "
        "prometheus, from the inside: is there the metric, has each label that value, do both sides of an operator "
        "keep the same labels?"
    )
