"""A Deployment's autoscalers while a load runs: is their spec left alone, and by which metrics do they want more pods?

A program that writes a smaller target, or a larger minimum, into a HorizontalPodAutoscaler when requests come has set
the number of pods itself. And a metric that never gets to its target has brought none.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from mlops_lab.checks import Lab, Observation, quantity
from mlops_lab.kit.autoscalers import Autoscaler, autoscalers_of, metric_name, metric_source
from mlops_lab.kit.looking import looked_at
from mlops_lab.kube.client import Object

_EVERY = 2.0  # s between two looks; an autoscaler leaves what it has computed for 15 s
_TARGETS = ("averageUtilization", "averageValue", "value")
WRITTEN = (
    "an autoscaler is to decide by what it was told before the load. A program, or somebody, that writes its spec "
    "while requests come, or once they have ended, decides in its place, and is what this lab is to replace; kubectl "
    "get hpa -o yaml --show-managed-fields says who has written spec"
)


class AutoscalerSpecs:
    """The autoscalers of a Deployment, as they are seen while `followed` runs, once or more often.

    Attributes:
        by: the names of metrics of which an autoscaler saw its target or more, while it wanted more pods than one and
            than its minimum.
    """

    def __init__(self, lab: Lab, deployment: str = "model") -> None:
        self._lab, self._deployment = lab, deployment
        self._first: dict[str, Autoscaler] | None = None
        self._written: list[str] = []
        self.by: set[str] = set()

    def followed(self) -> AbstractAsyncContextManager[None]:
        """Look again and again while the block runs.

        Raises:
            LabError: the API server does not tell, for longer than a moment.
        """
        return looked_at(self.look, every=_EVERY)

    async def look(self) -> None:
        """Look once."""
        now = await autoscalers_of(self._lab, self._deployment)
        if self._first is None:
            self._first = {each.name: each for each in now}
        self._written += _differences(self._first, {each.name: each for each in now})
        self.by.update(name for each in now if each.wanted >= 2 > each.least for name in at_target(each))

    def left_alone(self) -> Observation:
        """Whether each of them has kept the spec that it was first seen with."""
        seen = "; ".join(dict.fromkeys(self._written)) or "they are"
        asked = f"the autoscalers of Deployment {self._deployment} as they were when the load began"
        return Observation(not self._written, asked, seen)


def at_target(hpa: Autoscaler) -> list[str]:
    """The names of an autoscaler's metrics of which it sees its target or more."""
    current = (hpa.item.get("status") or {}).get("currentMetrics") or []
    seen = {_of(each): _value(each, "current") for each in current if each.get("type")}  # without a figure: no type
    found = []
    for metric in hpa.item["spec"].get("metrics") or []:
        target, now = _value(metric, "target"), seen.get(_of(metric)) or {}
        fields = [field for field in _TARGETS if field in target and field in now]
        if any(quantity(str(now[field])) >= quantity(str(target[field])) for field in fields):
            found.append(metric_name(metric))
    return found


def _of(metric: Object) -> tuple[str, str, str]:
    """What tells an entry of spec.metrics, or of status.currentMetrics, from others."""
    source = metric.get(metric_source(metric)) or {}
    return metric_source(metric), metric_name(metric), str(source.get("container", ""))


def _value(metric: Object, key: str) -> Object:
    found: Object = (metric.get(metric_source(metric)) or {}).get(key) or {}
    return found


def _differences(first: dict[str, Autoscaler], now: dict[str, Autoscaler]) -> list[str]:
    """How autoscalers differ from what they were first, in words; both by name."""
    said = [f"{name} is gone" for name in first if name not in now]
    for name, each in now.items():
        if name not in first:
            said.append(f"{name} came")
            continue
        was, spec = first[name].item, each.item["spec"]
        if each.item["metadata"].get("uid") != was["metadata"].get("uid"):  # a new one knows nothing of its past
            said.append(f"{name} was made anew")
        if fields := [key for key in {**was["spec"], **spec} if spec.get(key) != was["spec"].get(key)]:
            said.append(f"another {', '.join(fields)} in {name}")
    return said
