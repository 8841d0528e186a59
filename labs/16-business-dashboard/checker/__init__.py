"""Lab 16: the panels' queries, put to the live Prometheus as Grafana does it, against numbers that the checker made up.

The checker plays airlines that nobody has heard of (`world`), and each panel is asked for the moment at which
their past ends (`shown`). What it must show is computed from the same numbers (`truth`).
"""

from __future__ import annotations

import asyncio
import math
import re

from mlops_lab.checks import Lab, Observation, check, current, expect, holds
from mlops_lab.kit.prerequisites import must
from mlops_lab.measure.cluster.environment import SYSTEM_NAMESPACE
from mlops_lab.measure.services.grafana import ALL

from .comparison import compared, differs, has_data, in_words, offers, once, right, scale_of
from .reading import of_now, plainly
from .scenario import ELSEWHERE, dashboard, injected
from .shown import ask, asks, choices, left_out, panel_of, plain
from .truth import BUDGET, CONNECTIONS, FLIGHTS, LATENCY, LATEST, MONEY, REBOOKINGS, VERSIONS, WANTED
from .why import (
    why_nothing,
    why_others_lead,
    wrong_budget,
    wrong_connections,
    wrong_flights,
    wrong_money,
    wrong_p95,
    wrong_shares,
)
from .world import SHORT, SPAN

DOMAINS = ("ckad/observability-and-maintenance",)


@check(points=1, domains=DOMAINS)
async def is_a_dashboard(lab: Lab) -> None:
    """`dashboard.json` is a Grafana dashboard with the eight panels, and Prometheus takes their queries.

    If there is a program `build`, it runs first, in a copy of the folder, and what it writes counts. Panels go by their
    titles; there may be others.
    """
    await lab.platform.prometheus.query("vector(1)")
    board = await lab.once(dashboard)
    titles = [plain(panel.title) for panel in board.panels]
    wrong = [
        f"{count or 'no'} panel{'s' * (count > 1)} {wanted.title}"
        for wanted in WANTED
        if (count := titles.count(plain(wanted.title))) != 1
    ]
    there = ", ".join(panel.title for panel in board.panels) or "none"
    seen = f"{', '.join(wrong)}; there are: {there}" if wrong else "all eight panels"
    expect(Observation(not wrong, "the eight panels, each once", seen)).because(
        "a panel is found by its title, by the checker as by whoever reads the report. The README has the titles; "
        "panels within a row count as well"
    )
    silent = [wanted.title for wanted in WANTED if not panel_of(board, wanted).queries]
    expect(
        Observation(not silent, "a query in each", f"none in {', '.join(silent)}" if silent else "each asks")
    ).because("a panel's queries are its `targets`, and the PromQL is their `expr`. One with `hide` is not shown")
    for wanted in WANTED:
        shown = await ask(lab, board, wanted, ["UAL"], namespace=lab.platform.prometheus.labels["namespace"])
        left = sorted({name for query in shown.queries for name in re.findall(r"\$\{?\w+", query)})
        unknown = f"{', '.join(left)}: no such variable, so it is sent as it stands. " if left else ""
        must(
            Observation(
                not shown.error, f"{wanted.title}: a query that Prometheus takes", str(shown), None, shown.sent
            ),
            f"{unknown}./look and lab open prometheus show the same message",
        )
    current.note("Prometheus takes their queries")


@check(points=2, needs=is_a_dashboard, domains=DOMAINS)
async def offers_choices(lab: Lab) -> None:
    """The variables `namespace` and `airline` offer what Prometheus has; several airlines can be chosen, and All.

    The checker's airlines are in a namespace of its own: `namespace` must offer it, and `airline` them, only there.
    One of them has just signed: flights were answered, and no rebooking was offered. The code of one has four letters.
    """
    board, world = await lab.once(dashboard), await lab.once(injected)
    names, variables = ("namespace", "airline"), board.variables
    missing = [name for name in names if name not in variables]
    there = ", ".join(variables) or "none"
    expect(Observation(not missing, "variables namespace and airline", f"the variables: {there}")).because(
        "variables are the entries of templating.list, by `name`. Without them every customer needs a copy of the file"
    )
    typed = [f"{name}: {variables[name].kind} {variables[name].query}" for name in names if not asks(board, name)]
    expect(
        Observation(not typed, "both ask: type query, label_values(series, label)", "; ".join(typed) or "both do")
    ).because(
        "a list that somebody typed is right until the next airline signs. label_values asks Prometheus which values a "
        "label has: https://grafana.com/docs/grafana/latest/datasources/prometheus/template-variables/"
    )
    airline = variables["airline"]
    modes = [name for name, on in (("multi", airline.multi), ("includeAll", airline.includes_all)) if not on]
    expect(
        Observation(not modes, "airline: multi and includeAll", f"without {' and '.join(modes)}" if modes else "both")
    ).because("the board asks about all airlines, a sales manager about the two that she looks after")
    place = variables["namespace"]
    modes = [name for name, on in (("multi", place.multi), ("includeAll", place.includes_all)) if on]
    seen = f"with {' and '.join(modes)}" if modes else "neither"
    expect(Observation(not modes, "namespace: one is chosen, without multi and includeAll", seen)).because(
        "figures of two installations in one panel are nobody's figures: multi and includeAll are for `airline`"
    )
    hidden = [name for name in names if name in board.hidden]
    seen = f"hidden: {', '.join(hidden)}" if hidden else "both are"
    expect(Observation(not hidden, "namespace and airline to be seen by a reader", seen)).because(
        "`hide` with 2 takes a variable off the page: what is not there nobody chooses"
    )
    offered = await choices(lab, board, "namespace", SYSTEM_NAMESPACE)
    expect(offers("namespace", [SYSTEM_NAMESPACE], offered)).because(
        "label_values(flights_answered_total, namespace) asks for all namespaces in which there is such a metric"
    )
    here = await choices(lab, board, "airline", SYSTEM_NAMESPACE)
    expect(offers("airline", [world.longer, *world.airlines], here)).because(
        "flights of these airlines were answered in the last minutes; the last of them has had no rebooking yet, and "
        "has saved nothing. Which metric and label does the variable ask for, and does its `regex` let all of them "
        "through, whatever a code looks like?"
    )
    strangers = sorted(
        set(await choices(lab, board, "airline", lab.platform.prometheus.labels["namespace"])) & set(world.airlines)
    )
    seen = f"it offers {', '.join(strangers)}" if strangers else "it offers others"
    expect(Observation(not strangers, "airline does not offer them in another namespace", seen)).because(
        "a variable may ask for what belongs to another variable's choice: "
        'label_values(flights_answered_total{namespace="$namespace"}, airline)'
    )


@check(points=3, needs=offers_choices, domains=DOMAINS)
async def follows_the_choice(lab: Lab) -> None:
    """Every panel has data for one airline, for two and for All; and other data for another airline or namespace.

    All is each airline, also one whose code has four letters. Whether the data are right is for the checks below.
    """
    board, world = await lab.once(dashboard), await lab.once(injected)
    one, other = world.airlines[:2]
    for wanted in WANTED:
        must(
            once(wanted, board.wordings[panel_of(board, wanted).title].repeated),
            "`repeat` draws a panel, or a row with all its panels, again for each value that is chosen: two airlines "
            "are two numbers then, and what the README asks for, one of both together, is nowhere",
        )
        first, second, both, every, away = await asyncio.gather(
            ask(lab, board, wanted, [one], world),
            ask(lab, board, wanted, [other], world),
            ask(lab, board, wanted, [one, other], world),
            ask(lab, board, wanted, [ALL], world),
            ask(lab, board, wanted, [one], world, namespace=ELSEWHERE),
        )
        must(has_data(wanted, first, "one airline"), why_nothing(first))
        must(
            has_data(wanted, both, "two airlines"),
            'Grafana writes two choices as (AAL|DAL): airline=~"$airline" takes that as a regular expression and '
            'matches both, airline="$airline" looks for an airline of that very name',
        )
        must(
            has_data(wanted, every, "All"),
            "All is written as the variable's custom all value (allValue) or, without one, as all choices, "
            '(AAL|DAL|UAL). Either is a regular expression: =~, and ".+" for any airline',
        )
        must(
            differs(wanted, first, away, "namespace"),
            'every selector of the query needs namespace="$namespace": without it the figures of other installations '
            "are in the sum, and with a name typed in, the file is right in one place only",
        )
        must(
            differs(wanted, first, second, "airline"),
            'no selector of the query has airline=~"$airline", so each customer is shown the figures of all',
        )
    lacking = await left_out(lab, board, [world.longer, *world.airlines])
    must(
        holds(not lacking, "All: each airline", f"{board.variables['airline'].every} leaves out {', '.join(lacking)}"),
        "allValue is a regular expression that stands for every choice: it has to match each airline, whatever its "
        'code looks like. ".+" does; without allValue Grafana writes all that the variable offers',
    )
    current.note("all eight panels show what was chosen")


@check(points=3, needs=follows_the_choice, domains=DOMAINS)
async def counts_flights(lab: Lab) -> None:
    """`Flights answered` and `Flights by model version` are per minute, over the last five minutes, of all pods.

    Two pods were started again in these minutes, and the agencies asked in bunches.
    """
    why = (
        "a counter begins at 0 again when its pod does. rate() sees that and goes on counting, for each series by "
        "itself; so first rate(...[5m]), then sum(). The other way round, a rate of a sum (in a subquery, say), one "
        "pod's restart looks as if all had begun anew"
    )
    await right(lab, FLIGHTS, why, wrong_flights)
    await right(
        lab,
        VERSIONS,
        "sum by (version) (...) has one series for each version, of all pods that run it. With more series it keeps "
        "more labels than this one. The numbers are made as those of Flights answered",
    )


@check(points=2, needs=follows_the_choice, domains=DOMAINS)
async def shares_what_was_offered(lab: Lab) -> None:
    """`Rebookings accepted` is the accepted share of all rebookings offered in the last five minutes, on all pods."""
    why = (
        "a share of the whole is a sum divided by a sum: sum(rate(accepted[5m])) / sum(rate(offered[5m])), with the "
        "same selectors above and below"
    )
    await right(lab, REBOOKINGS, why, wrong_shares)


@check(points=2, needs=follows_the_choice, domains=DOMAINS)
async def adds_up_the_money(lab: Lab) -> None:
    """`Money saved` is what was saved in the time range of the dashboard, in euros: in ten minutes, then in five."""
    why = (
        "increase(counter[$__range]) is by how much it grew in the time that the dashboard shows. A window that is "
        "typed in stays as it is when the reader chooses another time"
    )
    await right(lab, MONEY, why, wrong_money)
    await right(lab, MONEY, why, span=SHORT)


@check(points=2, needs=follows_the_choice, domains=DOMAINS)
async def knows_slow_answers(lab: Lab) -> None:
    """`Answer time p95` is the time within which 95 of 100 answers came, in the last five minutes, of all pods.

    One that nobody asks any more was slow until then.
    """
    why = (
        "histogram_quantile(0.95, sum by (le) (rate(..._bucket[5m]))) adds up the pods' buckets, bound by bound: `le` "
        "has to stay, `pod` has to go. Then it estimates where in its bucket the 95th of 100 lies"
    )
    await right(lab, LATENCY, why, wrong_p95)


@check(points=2, needs=follows_the_choice, domains=DOMAINS)
async def keeps_the_budget(lab: Lab) -> None:
    """`Error budget left` is the share that is left of what 99.5 % allows to fail, in the time range of the dashboard.

    Failed are the 5xx. An airline of which no request failed has its whole budget; one that has overspent has less than
    0, also if all its requests failed.
    """
    world = await lab.once(injected)
    why = (
        "1 - (failed / all) / (1 - 0.995), where failed and all are sums over the pods, both over $__range. Where more "
        "failed than may it is below 0, and says by how much"
    )
    await right(lab, BUDGET, why, wrong_budget)
    await right(lab, BUDGET, why, span=SHORT)
    board, overspent = await lab.once(dashboard), world.airlines[1:2]
    shown = await ask(lab, board, BUDGET, overspent, world)
    expect(compared(BUDGET, shown, BUDGET.truth(world, overspent, SPAN), "an airline that has overspent")).because(
        "how much too much was spent is what is asked for then: clamp_min(..., 0) and the like hide it"
    )
    shown = await ask(lab, board, BUDGET, world.airlines[2:3], world)
    expect(compared(BUDGET, shown, {"": 1.0}, "an airline of which no request failed")).because(
        'there is no series with status="503" before the first 503, a sum of nothing is nothing, and so is what is '
        "computed with it: in the best of times the panel is empty. `or vector(0)` beside the failed requests, and "
        "only there, says that there were none"
    )
    shown = await ask(lab, board, BUDGET, [world.refused], world)
    truth = BUDGET.truth(world, [world.refused], SPAN)
    expect(compared(BUDGET, shown, truth, "an airline whose requests all failed")).because(
        "on the worst of days there is no series but those of the 5xx. Who counts what did not fail, by "
        'status!~"5..", has a sum of nothing then, and an empty panel: `or vector(0)` beside that sum'
    )


@check(points=1, needs=follows_the_choice, domains=DOMAINS)
async def sees_all_connections(lab: Lab) -> None:
    """`Connections watched` is how many connections are watched now, by all pods together.

    In the minutes before, each pod watched a fifth more on average; and some minutes ago there was one pod more.
    """
    why = (
        "a gauge says how it is now: no rate(), no average over time, and nothing of a pod that is gone, as "
        "last_over_time() over a long window has it. Each pod has its own, so sum()"
    )
    await right(lab, CONNECTIONS, why, wrong_connections)


@check(points=2, needs=follows_the_choice, domains=DOMAINS)
async def ranks_destinations(lab: Lab) -> None:
    """`Latest destinations` are the three with the highest mean predicted delay of the last five minutes, with it.

    Before that others were.
    """
    board, world = await lab.once(dashboard), await lab.once(injected)
    found = (await ask(lab, board, LATEST, world.airlines[:1], world)).by(LATEST.by)
    await right(lab, LATEST, why_others_lead(world, set(found)))


@check(points=2, needs=follows_the_choice, domains=DOMAINS)
async def says_no_data(lab: Lab) -> None:
    """For an airline of which nothing is known no panel has data: no 0, no 100 %, nothing that looks well.

    Another one asked for nothing in these minutes: its accepted share, its p95, its mean delays and its budget are no
    numbers. Nor is the accepted share of one that has just signed, to which no rebooking was offered yet.
    """
    board, world = await lab.once(dashboard), await lab.once(injected)
    for wanted in WANTED:
        shown = await ask(lab, board, wanted, [world.nowhere], world)
        empty = not shown.error and not shown.found
        must(
            Observation(empty, f"{wanted.title}: no data", str(shown), None, () if empty else shown.sent),
            "a number where nothing is known: the day on which Prometheus loses sight of the pods will look quiet, or "
            "perfect. `or vector(0)` belongs beside the part that may rightly be missing, such as failed requests, and "
            "not around the whole; what it is divided by is then empty, and so is the result",
        )
        written = board.wordings[panel_of(board, wanted).title].claims
        must(
            Observation(
                not written,
                f"{wanted.title}: nothing in place of data but a sign, or no data, no value, n/a, unknown",
                f"it writes {written[0]}" if written else "it writes nothing else",
            ),
            "the option `noValue`, and a value mapping of null or NaN, are what a panel writes when its query returned "
            "nothing. A dash says so; a number says something else, and so does OK",
        )
    not_yet = "has counted nothing yet"
    nothing = [(wanted, world.idle, "stands still") for wanted in (REBOOKINGS, LATENCY, LATEST, BUDGET)]
    nothing += [(wanted, world.refused, not_yet) for wanted in (REBOOKINGS, LATENCY, LATEST)]
    nothing += [(REBOOKINGS, world.airlines[2], not_yet)]
    for wanted, airline, how in nothing:
        shown = await ask(lab, board, wanted, [airline], world)
        empty = not shown.error and not shown.found
        expected = f"{wanted.title}: no number where what it is made of {how}"
        must(
            Observation(empty, expected, str(shown), None, () if empty else shown.sent),
            "nothing was offered, asked or predicted in these minutes, so there is no share, no percentile and no mean "
            "of it, and no budget. Prometheus says so by itself: 0 divided by 0 is NaN, no number, and what has never "
            "counted is no series. Whoever keeps the divisor from being 0, or adds `or` and a number, makes a number "
            "of it: as if all had refused, or all had gone well",
        )
    current.note("none of the eight panels shows anything, and no share is of nothing")


@check(points=2, needs=follows_the_choice, domains=DOMAINS)
async def reads_right(lab: Lab) -> None:
    """What a reader sees is what was measured: each panel has its unit, values in that unit, and those of now.

    A share is right as 0.42 with the unit percentunit, and as 42 with percent. Where there is a series for each version
    or destination, a name of your own for them has that label in it, and no option hides their names. No series and no
    value is hidden either, nor a budget below 0. A table and a bar chart, and what ranks destinations by numbers, ask
    for one moment.
    """
    board, world = await lab.once(dashboard), await lab.once(injected)
    for wanted in WANTED:
        panel = panel_of(board, wanted)
        written = board.wordings[panel.title]
        scale, unit = plainly(wanted, panel, written), written.unit
        shown = await ask(lab, board, wanted, world.airlines[:1], world)
        truth = wanted.truth(world, world.airlines[:1], SPAN)
        used = scale_of(wanted, shown.by(wanted.by), truth)
        must(
            Observation(
                used is None or math.isclose(used, scale or 1.0),
                f"{wanted.title}: {in_words(truth, scale or 1.0)} in the unit {unit}",
                str(shown),
                None,
                shown.sent,
            ),
            "a unit says how a value is written. percentunit takes 0.42 and writes 42 %, percent takes 42; s takes "
            "seconds, ms milliseconds, m minutes. Convert in the query or choose the unit, one of the two",
        )
        of_now(wanted, panel, written)
    current.note("all eight panels read as they were measured")
