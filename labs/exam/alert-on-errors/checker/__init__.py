"""The checks."""

from mlops_lab.checks import Lab, Observation, check, equal_to, expect, holds, observe
from mlops_lab.kit import presence
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .histories import FIRES, SILENT
from .rules import KEY, Fired, alerts, replayed, seldom_evaluated

D = drawn(Drawn, __file__)


async def text(lab: Lab) -> str:
    """The rule file in the ConfigMap."""
    found = await presence.exists(lab, "ConfigMap", D.rules, "it was there when the task began", others=True)
    return str((found.get("data") or {}).get(KEY) or "")


@check(points=1)
async def has_the_alert(lab: TaskLab) -> None:
    """The file has one alert of that name, with its label and a summary, and promtool can read it."""
    named = [each for each in alerts(await lab.once(text)) if each.get("alert") == D.alert]
    expect(observe(f"alerts {D.alert} in {KEY}", len(named), equal_to(1))).because(
        "the file is YAML: groups, each with a name and its rules; kubectl get configmap -o yaml shows it as it is"
    )
    severity, notes = named[0]["labels"].get("severity"), named[0].get("annotations")
    expect(observe("label severity", severity, equal_to(D.severity))).because("messages find their way by it")
    summary = str(notes.get("summary") or "").strip() if isinstance(notes, dict) else ""
    expect(holds(bool(summary), "a summary", "none")).because("whoever is woken up reads it first")
    expect((await lab.once(fired)).readable).because(
        "promtool check rules says the same; a wrong indentation or an expression that is cut off"
    )


async def fired(lab: Lab) -> Fired:
    """What promtool makes of the histories."""
    return await replayed(lab, await lab.once(text), D.alert, D.share, D.hold)


@check(points=3, needs=has_the_alert)
async def fires_when_users_are_harmed(lab: TaskLab) -> None:
    """It fires when the share has been too high for the time that was wanted, and not before.

    Also where there are two dozen requests a minute, and where none is answered well.
    """
    found = (await lab.once(fired)).minutes
    late = float(D.hold + 2)
    early = [
        f"{story}: it fires after {found[name][0]:g} min"
        for name, story in FIRES.items()
        if min(found[name], default=late) < D.hold
    ]
    expect(holds(not early, "silent until then", "; ".join(early))).because(
        "an alert that fires at once is about a moment; for: says how long its expression has to hold"
    )
    first = {name: f"after {when[0]:g} min" if when else "never" for name, when in found.items()}
    missed = [f"{story}: it fires {first[name]}" for name, story in FIRES.items() if late not in found[name]]
    expected = f"it fires {late:g} min after errors begin"
    expect(Observation(not missed, expected, "; ".join(missed) or f"it fires {first['harmed']}")).because(
        f"{115 * D.share:g} % and more of the answers are errors there: several of 5xx, of two pods together, for "
        "long. A share is one of few requests, too; and of answers that there never were there is no series, so what "
        "is computed with it is nothing"
    )
    rarely = seldom_evaluated(await lab.once(text))
    expect(holds(not rarely, "rules that are evaluated once a minute or more often", "; ".join(rarely))).because(
        "a group's interval says when a Prometheus looks at its rules: between two looks no alert begins, or ends"
    )


@check(points=3, needs=fires_when_users_are_harmed)
async def is_silent_otherwise(lab: TaskLab) -> None:
    """It does not fire in histories in which nobody is harmed, or not for long enough."""
    found = (await lab.once(fired)).minutes
    loud = [f"{story} (minute {found[name][0]:g})" for name, story in SILENT.items() if found[name]]
    expect(
        Observation(not loud, f"silent in {len(SILENT)} histories", "; ".join(loud) or f"silent in all {len(SILENT)}")
    ).because(
        "an alert that fires when nobody is harmed is one that nobody reads any more. Sum before you divide, take only "
        "the route and the statuses that are meant, and let it hold for as long as was wanted"
    )
