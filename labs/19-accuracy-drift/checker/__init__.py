"""Lab 19: the learner's detector on streams that are drawn anew each time, in a pod of the checker's.

The labels are drawn from the probabilities that the detector is told: until a drift begins the model is right, and what
a sound detector does can be tried out. In 12 runs of all the streams neither solution alarmed before a drift, and each
found every drift, the last one after 319 labels (likelihood-ratio) or 433 (river) of 600, with odds 5.2 to 9 times
what the model says. In longer trials river's ADWINs alarmed in 2 of 817 runs with a delta of 1e-3, and in none of 794
with 1e-4, as they have it now.
"""

from __future__ import annotations

from mlops_lab.checks import Lab, Observation, absent, check, expect

from .scenario import BESIDE, OTHER, WITHIN, all_found, in_time, result, silent

GROWN = 4.0  # MB
FORGIVEN = 2  # streams of the first check in which an alarm came just before the drift, too
DOMAINS = ("ckad/observability-and-maintenance",)
TOGETHER = (
    "here two detectors are at work in one process, and hear of the same flights by other probabilities. What a class "
    "or the module keeps, such as a table by flight, is kept for both, and they have nothing to do with each other"
)


@check(points=3, domains=DOMAINS)
async def finds_the_drift(lab: Lab) -> None:
    """When more flights are late than the model says, there is an alarm within 600 labels, in each of six streams.

    The drift begins after 500 to 6,000 flights. Each label comes once, 35 flights after the prediction. After a false
    alarm the checker calls replaced() and goes on; but in the 600 labels before the drift there is none, but for two
    streams at most.
    """
    seen = await result(lab, "finds")
    many = [stream for stream in seen["streams"] if stream["before"] is None]
    if many:
        often = f"{many[0]['alarms']} alarms in the first {many[0]['labels']:,} labels"
        expect(absent("at most one alarm in 50 labels while the model is right", often)).because(
            "an alarm that is nearly always on finds every drift, and tells nobody anything"
        )
    guessed = [stream for stream in seen["streams"] if stream["too_soon"]]
    expect(
        Observation(
            len(guessed) <= FORGIVEN,
            f"no alarm in the {WITHIN} labels before the drift, but for {FORGIVEN} streams of {len(seen['streams'])}",
            f"an alarm there in {len(guessed)} of them",
        )
    ).because(
        "an alarm that comes whether the model has gone wrong or not tells nothing about it: one every 600 labels is "
        "there in time for every drift, and so is one that chance brings. How far is what you compute off by chance?"
    )
    never = all(stream["found"] is None for stream in seen["streams"])
    expect(all_found(seen)).because(
        "what the model predicts does not change when it goes wrong: nothing but the labels, each held against the "
        "prediction for the same flight, can tell. Is labelled() the place where your detector learns?"
        if never
        else "an average over everything that ever came moves the less, the longer the model was right before: after "
        "6,000 good labels, 600 bad ones are a tenth. Forget: a window, or a sum that goes back to 0 while all is well"
    )


@check(points=3, needs=finds_the_drift, domains=DOMAINS)
async def keeps_quiet(lab: Lab) -> None:
    """Of 10,000 flights, their labels out of order, none causes an alarm, in any of four streams: the model is right.

    Each label comes once, 10 to 60 flights after the prediction. Beside one of the streams the checker makes a second
    detector, for another model that is asked about the same flights; that one goes wrong, and stays in service after
    the alarm. Its own detector alone says so.
    """
    seen = await result(lab, "quiet")
    before = sum(stream["alarms"] for stream in (await result(lab, "finds"))["streams"])
    chance = (
        "your detector looks ten thousand times, so what happens by chance once in a thousand looks happens ten times. "
        "With a window of 50 labels, a share of late flights that is right on average is off by 0.06 one time in "
        "three. Take more labels together, or a higher limit: a drift that has to be found here is large, and 600 "
        "labels are many"
    )
    alarmed = {stream["about"] for stream in seen["streams"] if stream["alarms"]}
    if alarmed and alarmed <= {BESIDE, OTHER}:
        chance = f"{TOGETHER}. If yours keep apart: {chance}"
    expect(silent(seen)).because(
        f"there were false alarms in finds_the_drift, too, {before} of them, with labels in order: {chance}"
        if before
        else "while labels came in order, your detector was silent; now they overtake each other. Is each held against "
        f"the prediction for its own flight, or for the flight whose turn it would be? If that is right: {chance}"
    )
    expect(all_found({"streams": [stream for stream in seen["streams"] if stream["about"] == OTHER]})).because(
        f"such a drift was found in a stream alone: {TOGETHER}"
    )


@check(points=2, needs=keeps_quiet, domains=DOMAINS)
async def counts_each_flight_once(lab: Lab) -> None:
    """Labels of late flights come two or three times: no alarm in 1,500 flights and more; then a drift is found."""
    seen = await result(lab, "again")
    expect(silent(seen)).because(
        "whoever counts labels rather than flights sees twice as many late flights as there are. A flight that has had "
        "its label says nothing new; so do you still know, when the second one comes, that there was a first?"
    )
    expect(all_found(seen)).because("the repeated labels go on during the drift; the first of each flight counts")


@check(points=2, needs=keeps_quiet, domains=DOMAINS)
async def bears_lost_labels(lab: Lab) -> None:
    """Every second label never comes: no alarm in 4,000 flights and more; then the drift is found within 600 labels."""
    seen = await result(lab, "lost")
    expect(silent(seen)).because(
        "a flight without a label was late or it was not, and nobody knows. Counted as on time, half of the late "
        "flights are missing; leave it out of both sides, what was seen and what was expected"
    )
    expect(all_found(seen)).because(
        "a flight that will never have its label must not hold up those behind it: 210 flights after its prediction, "
        "go on without it"
    )


@check(points=2, needs=keeps_quiet, domains=DOMAINS)
async def follows_busy_days(lab: Lab) -> None:
    """Calm and stormy days take turns, and the model says so: no alarm in six of them; then a drift, which is found.

    On calm days about an eighth of the flights is late, in storms two of three or more, and once about half. 500 to 900
    flights each. Of 1,300 or more hardly any is late: the model says 0.02 to 0.06 or so of each.
    """
    seen = await result(lab, "busy")
    expect(silent(seen)).because(
        "more late flights, or a higher loss, than last week is no fault of the model: on a day when half of the "
        "flights are late, the best model there can be has a log loss of about 0.6, on a calm one of 0.35. Compare "
        "with what this very prediction p lets expect: a share of p late, a log loss of -p log p - (1 - p) log(1 - p). "
        "What is above or below is 0 on average, on every day, as long as the model is right"
    )
    expect(all_found(seen)).because("after the storms the model goes wrong, and that is not the next storm")


@check(points=3, needs=(follows_busy_days, counts_each_flight_once), domains=DOMAINS)
async def waits_for_bad_news(lab: Lab) -> None:
    """The same days, with the labels of late flights 150 flights later than the others': no alarm, and then the drift.

    On time: 10 to 60 flights after the prediction. Late: 160 to 210, and in one of two streams 209 to 210; these labels
    come two or three times.
    """
    seen = await result(lab, "slow")
    expect(silent(seen)).because(
        "the flights that land first are those that are on time. When a storm begins, the labels of its first hour are "
        "good news only, and when it is over bad news goes on coming: what has arrived is no fair sample of what was "
        "predicted. It is one again for flights that were predicted so long ago that the late ones too have had their "
        "chance: 210 predictions ago. Labels are no measure of that, in a storm there are two for each prediction"
    )
    expect(all_found(seen)).because("waiting costs labels: of the 600, those that come while your detector waits")


@check(points=2, needs=keeps_quiet, domains=DOMAINS)
async def finds_every_kind(lab: Lab) -> None:
    """Two more kinds of drift are found within 600 labels: fewer late flights than predicted; as many, but others.

    Two streams of each; no alarm before.
    """
    seen = await result(lab, "kinds")
    expect(silent(seen)).because("in each stream the model is right for the first 1,000 flights and more")
    missed = {stream["about"] for stream in seen["streams"] if not in_time(stream)}
    reasons = {
        "others": "others: the share of late flights is what the probabilities add up to, and yet the flights that "
        "seemed safest are late. A sum can't see that. A score of each single prediction can: the log loss or the "
        "Brier score, against what the prediction itself lets expect",
        "fewer": "fewer: the model cries wolf. Its log loss gets smaller then, as a flight at 0.3 that is on time "
        "costs less than one at 0.3 should on average. So look in both directions, and at late - p itself too",
    }
    expect(all_found(seen)).because("; ".join(reasons[kind] for kind in sorted(missed)))


@check(points=2, needs=keeps_quiet, domains=DOMAINS)
async def starts_over(lab: Lab) -> None:
    """After an alarm and replaced(), a new model is judged by its own flights only; when it drifts, that is found.

    The new model is right for 500 to 800 flights, while labels for the old one's still come; then it drifts too, and is
    replaced at the alarm. A second stream's model is replaced some 220 flights after it went wrong, whether there has
    been an alarm or not. What comes after these two is right for 2,000 flights and more, and then drifts.
    """
    streams = (await result(lab, "over"))["streams"]
    old = [stream for stream in streams if stream["about"] != "second"]
    successors = [stream for stream in streams if stream["about"] == "second"]
    expect(silent({"streams": old})).because("the first model is right for 700 flights and more")
    expect(all_found({"streams": old[:1]})).because("the first drift is that of finds_the_drift")
    expect(silent({"streams": successors}, "after replaced()")).because(
        "for some 200 more flights, labels come that tell how wrong the old model was. And what your detector has "
        "summed up so far is about the old model as well. With replaced() all of it is history: flights, sums, "
        "windows, also where your detector has not alarmed"
    )
    expect(all_found({"streams": successors})).because(
        "an alarm that has been is over with replaced(); the next may come. Who judges a new model waits for labels of "
        "its own flights, and for nothing else"
    )


@check(points=1, needs=(bears_lost_labels, counts_each_flight_once), domains=DOMAINS)
async def stays_small(lab: Lab) -> None:
    """60,000 flights without a label, and 100,000 with one, cost at most 4 MB of memory; then a drift is found.

    Labels of late flights come again, more than 210 predictions after the flight's own. Memory is that of the
    detector's process, against what it was after the first 10,000 flights.
    """
    seen = await result(lab, "small")
    grown = seen["grown"] / 1e6
    expect(Observation(grown <= GROWN, f"at most {GROWN:g} MB more than before", f"{grown:.1f} MB more")).because(
        "whatever is kept for each flight has to go one day, also if nothing is ever heard of the flight again: in a "
        "year there are 300,000. That goes for predictions that wait for a label, for a list of those that had one, "
        "and for labels of flights that nobody waits for: those that come again, and those of before replaced()"
    )
    expect(silent(seen)).because(
        "the model is right for the 100,000 flights with a label before the drift; flights without one, however many, "
        "are no sign"
    )
    expect(all_found(seen)).because(
        "a detector that is full and takes nothing new is blind. What is old has to make room"
    )
