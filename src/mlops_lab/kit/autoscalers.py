"""HorizontalPodAutoscalers of a Deployment: what they say of themselves, and whether they leave it at one pod.

An autoscaler looks every 15 s, and judges once it has figures: one pod that is left alone before that says nothing. Why
it did not act as it should tells `kit.autoscaler_reasons`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from mlops_lab.checks import Lab, Observation, holds
from mlops_lab.kit.deployments import alone, pod_counts, status_count
from mlops_lab.kube.client import Object

_KIND = "HorizontalPodAutoscaler"
_STAYS_FOR = 5.0  # s for which one pod must be left alone
_NO_WAY_DOWN = 5.0  # s; below its minimum no autoscaler goes, however long one waits
_CONTROLLERS = "kube-controller-manager"  # the name by which the API server knows the autoscaler, unless told otherwise
BY_HAND = (
    "something else than an autoscaler has set the number of pods while the checker measured. A program, or somebody, "
    "that scales the Deployment is what this lab is to replace; kubectl get deployment model -o yaml "
    "--show-managed-fields says who has written spec.replicas last"
)


@dataclass(frozen=True)
class Autoscaler:
    """A HorizontalPodAutoscaler (autoscaling/v2) as it was seen.

    Attributes:
        item: the object.
    """

    item: Object

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.item["metadata"]["name"])

    @property
    def target(self) -> tuple[str, str]:
        """Kind and name of what it scales."""
        target = self.item["spec"]["scaleTargetRef"]
        return target["kind"], target["name"]

    @property
    def least(self) -> int:
        """Its `minReplicas`, 1 if it has none."""
        return int(self.item["spec"].get("minReplicas") or 1)

    @property
    def scales_in(self) -> bool:
        """Whether it ever takes pods away: its `behavior` may forbid that."""
        behavior = self.item["spec"].get("behavior") or {}
        return (behavior.get("scaleDown") or {}).get("selectPolicy") != "Disabled"

    @property
    def wanted(self) -> int:
        """The pods that it asked for last."""
        return status_count(self.item, "desiredReplicas")

    @property
    def most(self) -> int:
        """Its `maxReplicas`."""
        return int(self.item["spec"]["maxReplicas"])

    @property
    def metrics(self) -> list[str]:
        """The names of what it looks at, such as `cpu`."""
        return [metric_name(each) for each in self.item["spec"].get("metrics") or []]

    @property
    def conditions(self) -> dict[str, dict[str, str]]:
        """Its conditions by type."""
        return {each["type"]: each for each in (self.item.get("status") or {}).get("conditions") or []}

    @property
    def active(self) -> bool:
        """Whether it could compute a number of pods."""
        return self._activity.get("status") == "True"

    @property
    def ambiguous(self) -> bool:
        """Whether another one is for the same pods, so that neither acts."""
        return self._activity.get("reason") == "AmbiguousSelector"

    @property
    def message(self) -> str:
        """What its condition ScalingActive says."""
        return self._activity.get("message", "")

    @property
    def has_judged(self) -> bool:
        """Whether it computed a number of pods, or says that as things are it never will."""
        return self.active or self.ambiguous or "missing request" in self.message

    @property
    def _activity(self) -> dict[str, str]:
        return self.conditions.get("ScalingActive", {})


class Hands:
    """Who sets a Deployment's number of pods: to be given each state of it (`kit.deployments.followed`).

    Attributes:
        others: who has set it that is no autoscaler, with the numbers.
    """

    def __init__(self) -> None:
        self.others: list[str] = []
        self._last: int | None = None

    def take(self, item: Object | None) -> None:
        """Take the next state; who set the number that was there first does not matter."""
        if item is None:
            return
        number = int(item["spec"].get("replicas", 1))
        if self._last not in (None, number) and (who := other_hand(item)):
            self.others.append(f"{who} (to {number})")
        self._last = number

    def seen(self) -> Observation:
        """Whether autoscalers alone did."""
        others = ", ".join(dict.fromkeys(self.others))
        return holds(not others, "the number of pods set by an autoscaler alone", f"set by {others}")


def other_hand(deployment: Object) -> str:
    """Who has set a Deployment's number of pods last; empty if an autoscaler has, or if nobody can say.

    The controller manager writes the Deployment's status, and through the scale subresource its number of pods.
    """
    entries = deployment["metadata"].get("managedFields") or []
    controllers = {each.get("manager") for each in entries if each.get("subresource") == "status"} or {_CONTROLLERS}
    writers = [each for each in entries if "f:replicas" in ((each.get("fieldsV1") or {}).get("f:spec") or {})]
    last = max(writers, key=lambda each: str(each.get("time", "")), default=None)
    if last is None or (last.get("subresource") == "scale" and last.get("manager") in controllers):
        return ""
    return str(last.get("manager") or "somebody")


def metric_name(metric: Object) -> str:
    """The name in one entry of `spec.metrics` or `status.currentMetrics`; its type where it has none."""
    source = metric.get(metric_source(metric)) or {}
    return str(source.get("name") or (source.get("metric") or {}).get("name") or metric["type"])


def metric_source(metric: Object) -> str:
    """The key of such an entry that says more, such as `containerResource`."""
    kind = str(metric["type"])
    return kind[0].lower() + kind[1:]


async def autoscalers_of(lab: Lab, deployment: str = "model") -> list[Autoscaler]:
    """The autoscalers of a Deployment."""
    return [each for each in await all_autoscalers(lab) if each.target == ("Deployment", deployment)]


async def autoscaled_below(lab: Lab, pods: int, deployment: str = "model") -> list[str]:
    """The autoscalers that may take a Deployment below so many pods, in words."""
    return [
        f"HorizontalPodAutoscaler {each.name} may leave {each.least}"
        for each in await autoscalers_of(lab, deployment)
        if each.least < pods and each.scales_in
    ]


async def all_autoscalers(lab: Lab) -> list[Autoscaler]:
    """The autoscalers of the lab's namespace."""
    return [Autoscaler(item) for item in await lab.objects.all(_KIND)]


async def rests_at_one(lab: Lab, deployment: str = "model", *, within: float, figures_within: float) -> Observation:
    """Whether a Deployment comes to exactly one ready pod, and is left so by autoscalers that have seen their figures.

    CPU that a pod took to start may bring a second one at first; what counts is where it comes to rest.

    Args:
        within: seconds in all.
        figures_within: seconds for all its autoscalers to have figures; one that has none by then is not waited for.
    """
    if any(each.least > 1 for each in await autoscalers_of(lab, deployment)):
        within = min(within, _NO_WAY_DOWN)
    end = time.monotonic() + within
    while True:
        rests = await _rests(lab, deployment, max(1.0, end - time.monotonic()), figures_within)
        if rests.ok:
            return rests
        if time.monotonic() > end:
            wanted = f"Deployment {deployment}: exactly 1 pod, ready, and left so, within {within:g} s"
            return replace(rests, expected=wanted)


async def back_at_one(lab: Lab, deployment: str = "model", *, ended: float, within: float) -> Observation:
    """Wait until a Deployment has exactly one pod again, ready, after a load.

    Args:
        ended: when the load did, on the monotonic clock.
        within: seconds from then.
    """
    watched = lab.objects.deployment(deployment)
    left = max(1.0, ended + within - time.monotonic())
    back = await watched.until(alone, expected="exactly 1 pod, ready", shown=pod_counts, within=left)
    return replace(
        back,
        expected=f"Deployment {deployment}: exactly 1 pod, ready, within {within:g} s of the load's end",
        seen=f"{pod_counts(await watched.now())} {time.monotonic() - ended:.0f} s after the load's end",
    )


async def _rests(lab: Lab, deployment: str, within: float, figures_within: float) -> Observation:
    watched = lab.objects.deployment(deployment)
    one = await watched.until(alone, expected="exactly 1 pod, ready", shown=pod_counts, within=within)
    if not one.ok:
        return one
    end = time.monotonic() + figures_within
    for hpa in await autoscalers_of(lab, deployment):
        if (left := end - time.monotonic()) <= 0:
            break
        await lab.objects.named(_KIND, hpa.name).until(
            _judged, expected="figures", shown=lambda _: "the autoscaler has no figures yet", within=left
        )
    moved = await watched.until(lambda item: not alone(item), expected="", shown=pod_counts, within=_STAYS_FOR)
    return Observation(not moved.ok, f"Deployment {deployment}: still exactly 1 pod, ready", moved.seen)


def _judged(item: Object | None) -> bool:
    return item is not None and Autoscaler(item).has_judged
