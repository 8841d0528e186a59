"""Lab 18: the learner's detector on streams that are drawn anew for each run, in a pod of the checker's.

Its answers are all that counts: which names, after how many rows. The streams are those of start/streams.py, so that
the learner can draw a report's again; the lab's own file is used, and not the one in the workspace.
"""

from __future__ import annotations

from mlops_lab.checks import Lab, check, expect

from .scenario import FIRST, WITHIN, answered, drifting, false_names, finds, first, in_time, observed, others

CALENDAR, CODES = ("month", "day", "weekday"), ("carrier", "origin", "dest")
HARDLY = 0.01  # a month's PSI by feature: what is below must not be named
NAMES, FORGIVEN = 4, 2  # in the first check: names at a time, and streams in which a name was there before the drift
DOMAINS = ("ckad/observability-and-maintenance",)


@check(points=3, domains=DOMAINS)
async def finds_a_shift(lab: Lab) -> None:
    """A number that is suddenly in another unit, higher or lower is named within 1000 rows, not with all the others.

    Six streams, and six in which nothing drifts; what drifts, how and from which row on is drawn. A name may be wrong
    here now and then, but no more than four come at a time, and where nothing drifts the name of a drift comes in two
    streams at most. The checker takes detector.py, and programs beside it, from the workspace.
    """
    notes = (await lab.once(first)).notes[FIRST]
    answered(notes)
    calm, notes = [each for each in notes if each["spared"]], drifting(notes)
    late = [each for each in notes if not in_time(each)]
    expect(observed(notes, f"the feature that drifts, named within {WITHIN} rows", late)).because(
        "the others were found. In Celsius nearly every value is below all that the reference has, in kilometres some "
        "are above: such values need a bin as well. numpy.histogram leaves out what is beyond its edges, pandas.cut "
        "makes it missing"
        if 0 < len(late) < len(notes)
        else "Detector(reference) gets what was normal, update(rows) the next rows. One batch is too few to "
        "judge by: keep the last few hundred rows, and compare how each feature is distributed in them with the "
        "reference. Rows from before the shift have to leave that window soon: after 1000 rows it is too late"
    )
    vague = [each for each in notes if len(each["found"][1]) > NAMES]
    expect(observed(notes, f"at most {NAMES} names together", vague, "few names beside it")).because(
        "all other features are as they were. Who is woken up wants to know where to look: judge each feature by itself"
    )
    named = [each for each in calm if each["found"]]
    expect(
        observed(
            calm,
            f"the same features, as they ever were, named in at most {FORGIVEN} of {len(calm)} streams",
            named if len(named) > FORGIVEN else [],
            f"in {len(named)} of them",
        )
    ).because(
        "a name that comes whether the feature drifts or not tells nothing about it: what is always named, or every "
        "few hundred rows, is named in every drift"
    )


@check(points=4, needs=finds_a_shift, domains=DOMAINS)
async def stays_quiet(lab: Lab) -> None:
    """Nothing is named in 10 streams of 2000 rows that are drawn from the same flights as the reference."""
    notes = (await lab.once(others)).notes["stays_quiet"]
    answered(notes)
    alarms = [each for each in notes if each["first"]]
    codes = {name for each in alarms for name in each["first"]} <= set(CODES)
    expect(observed(notes, "no name in any of the streams", alarms, f"silence in {len(notes)} streams")).because(
        "only codes were named, and most codes are rare. What a window has by chance grows with the number of bins, "
        "for PSI it is about (bins - 1) / rows, and an empty bin counts most: put rare codes together, or raise the "
        "limit for a feature with many. To the chi-squared test, too, what is rare looks strange: it wants 5 expected "
        "rows at least"
        if codes
        else "nine features at every batch are many tests: with p < 0.05 one in twenty fires while nothing is the "
        "matter. A p-value has to be small enough for all the tests together (Bonferroni: divide by their number). A "
        "distance such as PSI has to be well above what a window of this size has by chance, about (bins - 1) / rows. "
        "And missing values are too few for the chi-squared test: below 5 expected rows take Fisher's exact test"
    )


@check(points=1, needs=stays_quiet, domains=DOMAINS)
async def keeps_streams_apart(lab: Lab) -> None:
    """Four detectors in one process watch four streams at once: what drifts in one is named there and nowhere else.

    In two it is the same feature, in one after the other; a third, with the same reference, stays calm. The fourth is
    of a summer month, and so is its detector's reference: what is normal is what that one has, until it gets hotter.
    """
    why = (
        "a list or dict that belongs to the class or to the module is one for all detectors, or for all that have the "
        "same reference. What a detector has seen belongs to it, and so does its reference, which need not be of "
        "February: make both in __init__, as attributes of self, and bins as well"
    )
    notes = (await lab.once(others)).notes["keeps_streams_apart"]
    answered(notes, f"Each of the streams flows well alone: {why}")
    mixed = [each for each in notes if false_names(each)]
    expect(
        observed(notes, "each detector names what drifts in its own stream, and nothing else", mixed, "no other name")
    ).because(why)
    late = [each for each in notes if each["feature"] and not in_time(each)]
    expect(observed(notes, f"what drifts, named within {WITHIN} rows", late)).because(
        "such a drift was found when a stream flowed alone. In two of these streams the same feature drifts, and each "
        "detector has to name it: another one has changed what this one keeps, as a list of the class or of the module "
        "of what has been named already. In a summer's stream it is `temp`, of which all is in one bin if the bins are "
        "those of February: each detector makes its own, of its own reference"
    )


@check(points=2, needs=keeps_streams_apart, domains=DOMAINS)
async def finds_what_was_there_at_first(lab: Lab) -> None:
    """A drift that was there before the stream's first row."""
    await finds(
        lab,
        "finds_what_was_there_at_first",
        "nothing changes in these streams; they were different from the reference when they began. A window that is "
        "compared with the rows before it sees no change: what is compared with must be the reference, and stay it",
    )


@check(points=2, needs=keeps_streams_apart, domains=DOMAINS)
async def finds_categories(lab: Lab) -> None:
    """A code that becomes an unknown one or another's, each feature misspelt, `dest` in other codes, or all in one."""
    await finds(
        lab,
        "finds_categories",
        "codes have no mean and no order. What can be compared is each code's share of the rows, that of codes which "
        "the reference does not know included; the chi-squared test and PSI take such counts. A code in small "
        "letters, or with a blank, is one that the model does not know, of `dest` as well. Hardly a code of `dest` is "
        "common, but that all of them are unknown is to be seen, and that one is all there is",
    )


@check(points=2, needs=keeps_streams_apart, domains=DOMAINS)
async def finds_other_shapes(lab: Lab) -> None:
    """A feature that spreads or shrinks about its mean, and a clock that is in UTC: the mean hardly moves.

    `visib` in kilometres, and `precip` that says the same all the time: both are nearly always the same as it is.
    And two features, of which the second drifts some hundred rows after the first: each of them is named.
    """
    await finds(
        lab,
        "finds_other_shapes",
        "of some of these features the mean is nearly where it was, and others have few values: every column but the "
        "calendar's is watched, however dull it is. Compare whole distributions: shares in bins that the "
        "reference gives (PSI), or the largest distance between the two distribution functions (Kolmogorov-Smirnov). "
        "And if only the second of two is missing: judge each feature by itself, not only the one that is farthest off",
    )


@check(points=2, needs=(finds_categories, finds_what_was_there_at_first, finds_other_shapes), domains=DOMAINS)
async def finds_missing_values(lab: Lab) -> None:
    """What is missing in 40 to 60 % of the rows, at random, with the values left as ever; and what is missing in all.

    Each of the nine features is missing once, in five streams: in four of them a second one some hundred rows after the
    first. In a sixth a feed of the weather had ended before the first row: no value comes at all.
    """
    await finds(
        lab,
        "finds_missing_values",
        "whoever drops missing values looks at the others, and those have not changed. How many are missing is part of "
        "the distribution, of a code as of a number: a bin of its own, or a test of its own. And every column but the "
        "calendar's is watched, however dull it is, and also if no value of it was ever missing",
    )


@check(points=2, needs=(finds_categories, finds_other_shapes), domains=DOMAINS)
async def finds_after_a_long_calm(lab: Lab) -> None:
    """A drift after 11,000 to 16,000 rows in which nothing happened, and another one some hundred rows later."""
    await finds(
        lab,
        "finds_after_a_long_calm",
        "among all rows since the start those of the drift are one in twelve, and the longer it was calm, the fewer. "
        "Old rows have to be forgotten: keep the last few hundred. And a stream has no end: nothing may run out",
    )


@check(points=2, needs=keeps_streams_apart, domains=DOMAINS)
async def takes_any_batches(lab: Lab) -> None:
    """Rows one by one, a few at a time, or none, many hundreds, tens and one in turn: the drift is found as ever."""
    why = (
        "in batches of 100 such drifts were found. How many rows come at once is the sender's business, and says "
        "nothing about how many are needed to judge: count rows, not calls, and carry them over from call to call. A "
        "batch may be larger than all that is kept"
    )
    await finds(lab, "takes_any_batches", why, why)


@check(points=2, needs=keeps_streams_apart, domains=DOMAINS)
async def sees_a_real_summer(lab: Lab) -> None:
    """From some row on the flights are those of July; in a second stream of four days in a row of another summer month.

    `temp` is named.

    Other features have changed too, more or less, and may be named. Those that are as in February may not, nor may the
    calendar's.
    """
    notes = (await lab.once(others)).notes["sees_a_real_summer"]
    answered(notes)
    for each in notes:
        index = {name: value for name, value in each["changed"].items() if name not in CALENDAR}
        each["may"] = [name for name, value in index.items() if value >= HARDLY]
    names = [each for each in notes if false_names(each)]
    expect(
        observed(notes, "no name of what has not changed, and none of the calendar", names, "no other name")
    ).because(
        "month, day and weekday change by themselves, and whoever is woken up by that can't do anything about it: "
        "leave the calendar out. Hour, origin and carrier are in summer as in winter"
    )
    late = [each for each in notes if not in_time(each, "temp")]
    expect(observed(notes, f"temp, named within {WITHIN} rows", late)).because(
        "in summer nearly every value of temp is above all that the reference has, and other features change with it. "
        "Each feature has to be judged by itself, and such values need a bin as well"
    )
