"""Whether a panel writes plainly what its queries return, and in a unit that fits. Prometheus is not asked here."""

from __future__ import annotations

from mlops_lab.checks import Observation
from mlops_lab.kit.prerequisites import must
from mlops_lab.measure.services.grafana import Panel

from .truth import Wanted
from .wording import Wording


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
    own = (*written.computed, *written.moved, *written.mute)
    must(
        Observation(
            not own,
            f"{wanted.title}: the values of its queries, at the dashboard's time",
            f"it has {own[0][:80]}" if own else "it shows them",
        ),
        "timeFrom and timeShift give a panel a time of its own, whatever the reader chooses; an expression of "
        "Grafana's is a transformation by another name; a panel of text, a stat whose textMode shows a name and a bar "
        "gauge whose valueMode is hidden show no value at all; and what hideFrom takes out of a panel nobody sees",
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
        "one Grafana writes the labels that the query has left. What options.legend hides is not on the page",
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
