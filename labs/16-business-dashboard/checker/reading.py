"""Whether a panel writes plainly what its queries return, and in a unit that fits. Prometheus is not asked here."""

from __future__ import annotations

import re

from mlops_lab.checks import Observation
from mlops_lab.kit.prerequisites import must
from mlops_lab.measure.services.grafana import Panel

from .truth import BUDGET, LATEST, Wanted
from .wording import REDUCING, Wording

PLOTS = ("timeseries", "barchart")  # panels that show values by an axis
ROWS = ("table", "barchart")  # panels that show each moment of a time range beside the others
LAST = ("last", "lastNotNull")  # calculations that make of a time range what holds at its end
ALIKE = r"(first|last)(NotNull)?|mean|median|min|max|sum|p\d+"  # those that leave a single value what it is


def plainly(wanted: Wanted, panel: Panel, written: Wording) -> float:
    """What the true values are multiplied by to be in the panel's unit.

    Raises:
        Failure: it writes something else, or in a unit that does not fit.
    """
    scale = wanted.scale(written.unit)
    fit = [*list(wanted.units)[:3], *(f"your own with {part!r}" for part in wanted.own)]
    unit = written.unit or "no unit"
    must(
        Observation(
            not panel.transformed,
            f"{wanted.title}: shows what its queries return",
            f"transformed by {', '.join(panel.transformed)}" if panel.transformed else "it does",
        ),
        "a transformation changes in the browser what the query returned: what is written there no rule, no alert "
        "and no ./look computes. Say it in PromQL",
    )
    own = (*written.computed, *written.moved, *written.mute, *(written.chosen if wanted.by else ()))
    must(
        Observation(
            not own,
            f"{wanted.title}: the values of its queries, at the dashboard's time",
            f"it has {own[0][:80]}" if own else "it shows them",
        ),
        "timeFrom and timeShift give a panel a time of its own, whatever the reader chooses; an expression of "
        "Grafana's is a transformation by another name; a panel of text, a stat whose textMode shows a name, a bar "
        "gauge whose valueMode is hidden, a pie without values and lines without an axis show no value at all; series "
        "that are stacked to 100 % show shares of their sum; and what hideFrom takes out of a panel, custom.hidden out "
        "of a table, or the options Fields and Limit leave out, nobody sees",
    )
    ends = [each for each in written.least if each >= 0] if wanted is BUDGET and panel.kind in PLOTS else []
    must(
        Observation(
            not ends,
            f"{wanted.title}: an axis that goes on below 0",
            f"it ends at {str(ends[0])[:20]}" if ends else "it does",
        ),
        "`min` is where the axis ends: what is below it is drawn outside, and an overspent budget is not to be seen",
    )
    must(
        Observation(
            not written.words,
            f"{wanted.title}: shows numbers",
            f"it writes {written.words[0][:80]} in place of some" if written.words else "it does",
        ),
        "a value mapping that has a text writes it in place of the number: fine is what somebody found fine on the "
        "day on which it was clicked together. Colours and thresholds say that beside the number",
    )
    nameless = written.nameless(wanted.by) if wanted.by else []
    must(
        Observation(
            not nameless,
            f"{wanted.title}: a reader sees which series is of which {wanted.by}",
            f"it has {nameless[0]}" if nameless else "it is to be seen",
        ),
        f"three lines of one name are nobody's. A legend of your own has the label in it, {{{{{wanted.by}}}}}; without "
        "one Grafana writes the labels that the query has left. What options.legend hides, hideFrom takes out of the "
        "legend, or custom.hidden out of a table, is not on the page",
    )
    must(
        Observation(scale is not None, f"{wanted.title}: a unit that fits ({', '.join(fit)}, ...)", unit),
        "fieldConfig.defaults.unit names it. Without one Grafana writes a bare number, with another a wrong word: "
        "https://grafana.com/docs/grafana/latest/panels-visualizations/configure-standard-options/#unit",
    )
    others = [each for each in written.overriding if wanted.scale(each) != scale]
    must(
        Observation(
            not others,
            f"{wanted.title}: overrides with a unit of the same size as {unit}",
            f"an override has {others[0]}" if others else "none has another",
        ),
        "where an override applies, its unit is the one that is written. Say the unit once, in the defaults",
    )
    assert scale is not None
    return scale


def of_now(wanted: Wanted, panel: Panel, written: Wording) -> None:
    """Hold against a panel that it writes other numbers than those of the dashboard's time.

    Raises:
        Failure: it does.
    """
    ranged = not all(each.instant for each in panel.queries)
    rows = ranged and (panel.kind in ROWS or (wanted is LATEST and panel.kind in REDUCING))
    must(
        Observation(
            not rows,
            f"{wanted.title}: shows what its query returns at one moment",
            f"a {panel.kind} of a whole time range" if rows else "it does",
        ),
        "of a time range a table has a row for each moment, and what writes a number for each series has one for each "
        "destination that was among the first three at any time. A query of type Instant asks for the dashboard's time "
        'alone: "instant": true, "range": false',
    )
    others = [f"the {calc[:40]} of its values" for calc in panel.calcs if not _holds(calc, ranged=ranged)]
    others = (["all of its values"] if written.every_value and ranged else others) if panel.kind in REDUCING else []
    must(
        Observation(
            not others,
            f"{wanted.title}: shows the last value of its query",
            others[0] if others else "the last",
        ),
        f"a {panel.kind} makes one number of a whole time range, by options.reduceOptions.calcs; with values it writes "
        "each of them. The query has a window of its own already; lastNotNull shows what it says now, and so does an "
        "instant query. How many values there are, or by how much they differ, is another number in any case",
    )


def _holds(calc: str, *, ranged: bool) -> bool:
    """Does a calculation give the last value of a query?"""
    return calc in LAST or (not ranged and bool(re.fullmatch(ALIKE, calc)))
