"""The checks."""

from collections.abc import Callable

from mlops_lab.checks import Lab, Observation, check, equal_to, expect, observe
from mlops_lab.kit import presence
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .histories import HISTORIES, latency, mean
from .rules import KEY, Replayed, records, replayed

D = drawn(Drawn, __file__)
_LATENCY, _MEAN = f"{D.prefix}:latency_seconds:p{D.percent}", f"{D.prefix}:probability:mean"
_WITHIN = 0.01  # of the value


async def text(lab: Lab) -> str:
    """The rule file in the ConfigMap."""
    found = await presence.exists(lab, "ConfigMap", D.rules, "it was there when the task began", others=True)
    return str((found.get("data") or {}).get(KEY) or "")


async def figures(lab: Lab) -> Replayed:
    """What promtool makes of the histories."""
    return await replayed(lab, await lab.once(text), (_LATENCY, _MEAN), D.minutes, D.means)


@check(points=1)
async def has_both_rules(lab: TaskLab) -> None:
    """The file has a recording rule for each figure, and promtool can read it."""
    named = records(await lab.once(text))
    for figure in (_LATENCY, _MEAN):
        expect(observe(f"rules that record {figure}", named.count(figure), equal_to(1))).because(
            "the file is YAML: groups, each with a name and its rules, and a recording rule has record and expr; "
            "kubectl get configmap -o yaml shows it as it is"
        )
    expect((await lab.once(figures)).readable).because(
        "promtool check rules says the same; a wrong indentation or an expression that is cut off"
    )


async def _is(lab: Lab, figure: str, wanted: Callable[[int], float], why: str) -> None:
    """A figure is one series in each history, and has its value."""
    found = (await lab.once(figures)).values[figure]
    for minute, story in HISTORIES.items():
        values, value = found.get(minute, []), wanted(minute)
        shown = ", ".join(f"{each:.4g}" for each in values[:4]) or "no value"
        right = len(values) == 1 and abs(values[0] - value) <= _WITHIN * value
        expect(Observation(right, f"{figure} is {value:.4g} ({story})", f"it is {shown}", timed=False)).because(why)


@check(points=2, needs=has_both_rules)
async def tells_the_latency(lab: TaskLab) -> None:
    """The quantile is that of the route's requests to all pods together, in the minutes that were wanted."""
    await _is(
        lab, _LATENCY, lambda minute: latency(minute, D.minutes, D.quantile),
        "of several pods' quantiles none is that of all requests: their buckets are summed first, by le. What happened "
        "in some minutes is what the counters grew by, for which rate() knows of restarts",
    )  # fmt: skip


@check(points=2, needs=has_both_rules)
async def tells_the_mean(lab: TaskLab) -> None:
    """The mean is that of all predictions of all pods, in the minutes that were wanted."""
    await _is(
        lab, _MEAN, lambda minute: mean(minute, D.minutes, D.means),
        "a mean of the pods' means counts a pod that hardly anybody asks as much as the others; and a sum since the "
        "beginning, divided by a count since the beginning, hardly moves any more",
    )  # fmt: skip
