"""Whether the CPU that an autoscaler's percentage is of is what the Deployment's next pod requests, too, all along."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from decimal import Decimal

from mlops_lab.checks import Lab, Observation, holds, quantity
from mlops_lab.kit.autoscalers import Autoscaler, autoscalers_of, metric_name, metric_source
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.looking import looked_at
from mlops_lab.kit.next_pods import next_pod
from mlops_lab.kit.pods import lasting, leaving, name
from mlops_lab.kube.client import Object

EVERY = 3.0  # s between two looks; an autoscaler leaves what it has computed for 15 s
NOT_YET = Observation(True, "a look at what pods request", "none so far")


class Requests:
    """What pods request, as it is seen while `followed` runs: one may be given another request for a moment.

    Attributes:
        seen: as `requested_again`: the first look at which it is not so, else the last one.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.seen = NOT_YET

    def followed(self) -> AbstractAsyncContextManager[None]:
        """Look again and again while the block runs.

        Raises:
            Failure: the Deployment is gone.
            LabError: the cluster has other trouble, or some at the first look.
        """
        return looked_at(self.look, every=EVERY, goes_on=lambda: self.seen.ok)

    async def look(self) -> None:
        """Look once."""
        self.seen = await requested_again(self._lab)


async def requested_again(lab: Lab) -> Observation:
    """Whether no running pod requests less CPU than the next one, which counts where a target is in percent.

    Raises:
        Failure: the Deployment is gone.
    """
    said: list[str] = []
    if any(in_percent(each) for each in await autoscalers_of(lab)):
        following = await next_pod(lab, "model")
        pods = [each for each in await owned_pods(lab, "model") if not leaving(each)]
        said = [words for pod in pods for words in apart(pod, following)]
    wanted = "pods request the CPU that the Deployment's next one does, as the autoscaler's target is in percent of it"
    return holds(not said, wanted, "; ".join(said[:3]))


def in_percent(hpa: Autoscaler) -> bool:
    """Is a target of an autoscaler a percentage of the CPU that pods request?"""
    metrics = [each for each in hpa.item["spec"].get("metrics") or [] if metric_name(each) == "cpu"]
    return any("averageUtilization" in (each[metric_source(each)].get("target") or {}) for each in metrics)


def apart(pod: Object, following: Object) -> list[str]:
    """The containers of a pod that request CPU, and of which the next pod's requests more, or none; in words."""
    later = {each["name"]: _cpu(each) for each in lasting(following)}
    said = []
    for each in lasting(pod):
        now = _cpu(each)
        then = later.get(each["name"], now)
        if now and not 0 < then <= now:
            said.append(
                f"container {each['name']} of pod {name(pod)} {_milli(now)}, that of the next pod {_milli(then)}"
            )
    return said


def _cpu(container: Object) -> Decimal:
    return quantity(str(((container.get("resources") or {}).get("requests") or {}).get("cpu", "0")))


def _milli(cores: Decimal) -> str:
    return f"{float(cores * 1000):g}m" if cores else "none"
