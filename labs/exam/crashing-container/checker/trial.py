"""Does the container run on, and is it started anew when its program hangs?"""

import time
from datetime import UTC, datetime

from mlops_lab.checks import LabError, Observation, absent, is_ready
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.pods import containers_of, gone_meanwhile, lasting, leaving, ready, restarts
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kit.probe_times import numbers, periods
from mlops_lab.kube.client import Object
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

_STEADY, _EVERY, _ANSWERS_WITHIN = 12.0, 1.0, 3.0  # s
_RESTARTED_WITHIN = 20.0  # s: 15 that the task allows, and what a start takes
_READY_WITHIN = 15.0
_YOUNG = 15  # s that a container runs before a hang must be noticed in time


async def steady(lab: TaskLab, drawn: Drawn) -> Observation:
    """One pod, ready and not started anew, which answers with the words, for a while."""
    expected = f"one ready pod that answers with {drawn.words!r} and is not started anew for {_STEADY:g} s"
    seen: dict[str, int] = {}
    trouble, began, asked = "", time.monotonic(), 0
    while not trouble and (took := time.monotonic() - began) < _STEADY:
        pods = [pod for pod in await owned_pods(lab, drawn.name) if not leaving(pod)]
        now = {name_of(pod): restarts(pod) for pod in ready(pods)}
        seen = seen or now
        answer = await lab.traffic.get(drawn.name, "/", within=_ANSWERS_WITHIN)
        asked += 1
        if len(now) != 1 or len(pods) != 1 or now != seen:
            trouble = ", ".join(map(_state, pods)) or "no pod"
        # Nodes learn of a new pod a moment after it is ready.
        elif (answer.status != 200 or answer.text.strip() != drawn.words) and took > _ANSWERS_WITHIN:
            trouble = answer.shown
        else:
            await lab.time.pause(_EVERY)
    if not trouble:
        return Observation(True, expected, f"{asked} requests in {_STEADY:g} s, answered by one pod, no start anew")
    lines = await lab.objects.evidence("Deployment", drawn.name)
    return Observation(False, expected, f"after {time.monotonic() - began:.0f} s: {trouble}", evidence=lines)


def _state(pod: Object) -> str:
    return f"{name_of(pod)} {'ready' if is_ready(pod) else 'not ready'}, started anew {restarts(pod)} times"


async def restarted_when_hung(lab: TaskLab, drawn: Drawn, pod: str) -> Observation:
    """Is the container started anew once `/alive` does not answer with 200? The pod is ready again afterwards.

    One that has ended counts: the kubelet starts it at once the first time, and later on waits for longer and longer.
    """
    found = await lab.objects.named("Pod", pod).present()
    before = restarts(found)
    await lab.time.pause(_young_for(found))
    try:
        await lab.objects.run_in(pod, "touch", "/tmp/hung")
    except LabError as trouble:
        if not await gone_meanwhile(lab, pod, trouble):
            raise
        return absent(f"Pod {pod} runs during the check", "it was deleted meanwhile")
    seen = await lab.objects.named("Pod", pod).until(
        lambda it: it is not None and (restarts(it) > before or _ended(it)),
        expected="its container is ended, to be started anew, once /alive answers with 500",
        shown=lambda it: f"{restarts(it)} starts anew, {before} before" if it else "gone",
        within=_RESTARTED_WITHIN + _ends_within(found),
    )
    now = await lab.objects.named("Pod", pod).now()
    if now is not None and (restarts(now) == before or _keeps_tmp(now)):
        await lab.objects.kill(pod, grace=0)  # it would go on to hang, or to wait, or hang again and again
    await lab.objects.pods_until(
        drawn.name, lambda pods: bool(ready(pods)), expected="a ready pod", shown=lambda pods: f"{len(pods)} pods",
        within=_READY_WITHIN,
    )  # fmt: skip
    return seen


def _ended(pod: Object) -> bool:
    """Does a container of the pod not run?"""
    return any("running" not in (each.get("state") or {}) for each in containers_of(pod))


def _ends_within(pod: Object) -> int:
    """The seconds that a container gets to end once its probe has failed; Python as its first process takes all."""
    spec = pod["spec"]
    usual = spec.get("terminationGracePeriodSeconds", 30)
    probes = [each.get("livenessProbe") or {} for each in lasting(pod)]
    return min(60, max((int(each.get("terminationGracePeriodSeconds", usual)) for each in probes), default=usual))


def _keeps_tmp(pod: Object) -> bool:
    """Is there a volume at /tmp, so that what lies there is still there after a restart?"""
    return any(
        mount["mountPath"].rstrip("/") == "/tmp" for each in lasting(pod) for mount in each.get("volumeMounts") or []
    )


def asks_elsewhere(spec: Object, port: int) -> str:
    """The port, another one than the program's, that the liveness probe of a pod's only container asks; empty if none.

    Nobody listens there: the container is ended sooner or later, after a delay, say, that no trial is as long as.

    Args:
        spec: the pod's.
        port: the program's.
    """
    containers = lasting({"spec": spec})
    probe = containers[0].get("livenessProbe") or {}
    asked = probe.get("httpGet") or probe.get("tcpSocket") or {}
    if len(containers) > 1 or "port" not in asked or asked.get("host"):
        return ""
    named = {each.get("name"): each["containerPort"] for each in containers[0].get("ports") or []}
    return "" if named.get(asked["port"], asked["port"]) == port else str(asked["port"])


def noticed_after(pod: Object) -> int:
    """Seconds until a pod's quickest liveness probe has failed as often as it must, at most; 0 for none.

    A hang may begin as soon as the container is no longer young: what is left of a probe's delay then counts.
    """
    probes = [each["livenessProbe"] for each in lasting(pod) if each.get("livenessProbe")]
    return min(map(_failed_after, probes), default=0)


def _failed_after(probe: Object) -> int:
    period, _, failures = numbers(probe)
    first = int(probe.get("initialDelaySeconds") or 0) - _YOUNG
    return max(periods(probe), first + period * (failures - 1))


def _young_for(pod: Object) -> float:
    """Seconds until the container that was started last is no longer young."""
    began = [(each.get("state") or {}).get("running", {}).get("startedAt") for each in containers_of(pod)]
    ages = [(datetime.now(UTC) - datetime.fromisoformat(each)).total_seconds() for each in began if each]
    return min(_YOUNG, max(0.0, _YOUNG - min(ages, default=0.0)))
