"""The DaemonSet's pods: where they are, and what becomes of one that hangs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mlops_lab.checks import Observation, expect, holds, is_ready
from mlops_lab.kit.given import in_manifests
from mlops_lab.kit.pods import leaving, made_by, restarts
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kit.probe_times import ends_within, numbers, periods
from mlops_lab.kit.unchanged import changes
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"
_FREE = ("livenessProbe", "startupProbe", "ports")  # what heals it, and a name for its port
_ANSWERS_WITHIN, _TRIED_FOR = 15.0, 4.0  # s; who meets the address of a pod that has just gone gets no answer at all
_AT_ONCE = 2  # s
_ENDS_WITHIN = 1  # s that the given pod gets to end


async def on_all_nodes(lab: TaskLab, *, within: float) -> Observation:
    """Wait until each node has one ready pod of the DaemonSet's.

    Args:
        within: seconds.
    """
    nodes = sorted(map(name_of, await lab.objects.all("Node")))

    def ready(pods: list[Object]) -> list[str]:
        return sorted(str(pod["spec"].get("nodeName")) for pod in pods if is_ready(pod))

    return await lab.time.eventually(
        lambda: pods_of(lab), lambda pods: ready(pods) == nodes, expected=f"a ready pod on each of {', '.join(nodes)}",
        shown=lambda pods: f"ready pods on {', '.join(ready(pods)) or 'no node'}", within=within,
    )  # fmt: skip


async def alone(lab: TaskLab, *, within: float) -> Observation:
    """Wait until the DaemonSet's pods are the only ones that have their label.

    Args:
        within: seconds.
    """

    async def others() -> list[str]:
        own = {name_of(each) for each in await pods_of(lab)}
        there = await lab.objects.all("Pod", f"app={D.app}")
        return sorted(name_of(each) for each in there if name_of(each) not in own and not leaving(each))

    return await lab.time.eventually(
        others, lambda found: not found, expected=f"no other pods with the label app={D.app}",
        shown=lambda found: f"there are {', '.join(found)}" if found else "there are none", within=within,
    )  # fmt: skip


async def same_program(lab: TaskLab) -> Observation:
    """Whether the container is the Deployment's, but for what heals it, and has its labels."""
    template = (await lab.objects.named("DaemonSet", D.app).present())["spec"]["template"]
    first = template["spec"]["containers"][0]
    given = in_manifests(_START, "Deployment", D.app)["spec"]["template"]["spec"]["containers"][0]
    other = changes(first, {**given, "image": lab.platform.image("v1")}, free=_FREE)
    other += ["label"] if (template["metadata"].get("labels") or {}).get("app") != D.app else []
    other += ["container beside it"] if len(template["spec"]["containers"]) != 1 else []
    return holds(not other, "the same container and labels", f"another {', '.join(other[:4])}")


async def made_ill(lab: TaskLab) -> str:
    """Make one pod hang by a request to the Service; its name."""
    answer = await lab.traffic.first_answer(
        lambda: lab.traffic.post(D.app, "/hang", {}, within=_TRIED_FOR), within=_ANSWERS_WITHIN
    )
    names = [name_of(each) for each in await pods_of(lab)]
    took = answer.text.strip()
    expect(holds(took in names, f"{took} was made to hang", f"POST /hang gives {answer.shown}")).because(
        "Service and program were to stay as they were, and the Service leads to the DaemonSet's pods"
    )
    return took


async def started_anew(lab: TaskLab, pod: str, *, within: float, ready_within: float) -> Observation:
    """Wait until a pod's container has been started anew, and then until it is ready; the seconds of the former.

    Args:
        within, ready_within: seconds for the one, and after it for the other.
    """
    one = lab.objects.named("Pod", pod)
    before = restarts(await one.present())
    anew = await one.until(
        lambda it: it is not None and restarts(it) > before, expected="started anew", shown=_shown, within=within
    )
    if not anew.ok:
        return anew
    ready = await one.until(
        lambda it: it is not None and is_ready(it), expected="started anew, and ready", shown=_shown,
        within=ready_within,
    )  # fmt: skip
    return anew if ready.ok else ready


async def longest(lab: TaskLab, pod: str) -> float:
    """The seconds that a pod's probes take at worst to find that its container hangs, from its start on.

    What the container gets to end, beyond what it was given, counts as well: Python as the first process takes it all.
    """
    found = await lab.objects.named("Pod", pod).present()
    container = found["spec"]["containers"][0]
    probe, starting = (container.get(each) or {} for each in ("livenessProbe", "startupProbe"))
    period, _, failures = numbers(probe)
    later = _delay(probe) + period * (failures - 1)
    failed = max(periods(probe), later, _just_started(starting, period * (failures - 1)) if starting else 0)
    return float(failed + max(0, ends_within(probe, found) - _ENDS_WITHIN))


def _just_started(probe: Object, later: int) -> int:
    """The seconds until a container is started anew that hangs before its startupProbe has succeeded.

    Where that asks how the container is, its own failures count; else those of the livenessProbe, which asks nothing
    before. One that asks every second or two has seen the container well before anybody can have it hang.

    Args:
        later: seconds of the livenessProbe's failures after its first.
    """
    period, _, failures = numbers(probe)
    succeeds = _delay(probe) + period
    if succeeds > _AT_ONCE and f"/{D.path}" in str(probe):
        return _delay(probe) + period * (failures - 1)
    return succeeds + later


def _delay(probe: Object) -> int:
    return int(probe.get("initialDelaySeconds") or 0)


async def counts(lab: TaskLab) -> dict[str, int]:
    """How often each pod's container was started anew so far."""
    return {name_of(each): restarts(each) for each in await pods_of(lab)}


async def left_alone(lab: TaskLab, before: Mapping[str, int], *, watched_for: float) -> Observation:
    """Whether, some seconds from now, no container was started anew more often than before.

    Args:
        before: how often each was, when all were well; the one that hung, when it was well again.
        watched_for: seconds.
    """
    await lab.time.pause(watched_for)
    again = [name for name, count in (await counts(lab)).items() if count > before.get(name, 0)]
    alone = "no container that was well was started anew"
    return holds(not again, alone, f"started anew: {', '.join(again)}")


async def pods_of(lab: TaskLab) -> list[Object]:
    """The pods that the DaemonSet has made, but for those that leave."""
    daemon = await lab.objects.named("DaemonSet", D.app).present()
    return [each for each in await lab.objects.all("Pod") if made_by(each, daemon) and not leaving(each)]


def _shown(pod: Object | None) -> str:
    if pod is None:
        return "gone"
    return f"restarts of its container: {restarts(pod)}, {'ready' if is_ready(pod) else 'not ready'}"
