"""Does the container run on, and is it started anew when its program hangs?"""

import time
from datetime import UTC, datetime

from mlops_lab.checks import LabError, Observation, absent, is_ready
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.endpoints import some_pod
from mlops_lab.kit.pods import containers_of, gone_meanwhile, lasting, leaving, ready, restarts
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kit.probe_times import ends_within, numbers, periods
from mlops_lab.kube.client import Object
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

_STEADY, _EVERY, _ANSWERS_WITHIN = 12.0, 1.0, 3.0  # s
_RESTARTED_WITHIN = 20.0  # s: 15 that the task allows, and what a start takes
_READY_WITHIN, _NEW_WITHIN = 15.0, 60.0
_YOUNG = 15  # s that a container runs before a hang must be noticed in time
# Lets the program hang without a file: it serves one client at a time, and waits for what this one asks.
_SILENT_CLIENT = """
import socket, sys, time
held = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
time.sleep(60)
"""


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


async def restarted_when_hung(lab: TaskLab, drawn: Drawn, pod: str, *, silently: bool = False) -> Observation:
    """Is the container started anew once `/alive` does not answer with 200? The pod is ready again afterwards.

    One that has ended counts: the kubelet starts it at once the first time, and later on waits for longer and longer.

    Args:
        silently: it answers nothing at all, and there is no file that tells why.
    """
    silent = ["sh", "-c", 'python3 -c "$@" >/dev/null 2>&1 &', "sh", _SILENT_CLIENT, str(drawn.port)]
    answers, how = ("nothing", silent) if silently else ("with 500", ["touch", "/tmp/hung"])
    found = await lab.objects.named("Pod", pod).present()
    before = restarts(found)
    await lab.time.pause(_young_for(found))
    try:
        await lab.objects.run_in(pod, *how)
    except LabError as trouble:
        if not await gone_meanwhile(lab, pod, trouble):
            raise
        return absent(f"Pod {pod} runs during the check", "it was deleted meanwhile")
    seen = await lab.objects.named("Pod", pod).until(
        lambda it: it is not None and (restarts(it) > before or _ended(it)),
        expected=f"its container is ended, to be started anew, once /alive answers {answers}",
        shown=lambda it: f"{restarts(it)} starts anew, {before} before" if it else "gone",
        within=_RESTARTED_WITHIN + _ends_within(found) + (_given_up_within(found) if silently else 0),
    )
    now = await lab.objects.named("Pod", pod).now()
    if now is not None and (restarts(now) == before or _keeps_tmp(now)):
        await lab.objects.kill(pod, grace=0)  # it would go on to hang, or to wait, or hang again and again
    await lab.objects.pods_until(
        drawn.name, lambda pods: bool(ready(pods)), expected="a ready pod", shown=lambda pods: f"{len(pods)} pods",
        within=_READY_WITHIN,
    )  # fmt: skip
    return seen


async def made_anew(lab: TaskLab, drawn: Drawn, pod: str) -> str:
    """The name of a pod in a pod's place, whose container has not ended yet; after that the kubelet waits each time.

    Raises:
        Failure: it is not ready.
    """
    if await lab.objects.named("Pod", pod).now():
        await lab.objects.kill(pod, grace=0)
    await lab.objects.pods_until(
        drawn.name, lambda pods: bool(ready(pods)), expected="a ready pod", shown=lambda pods: f"{len(pods)} pods",
        within=_NEW_WITHIN,
    )  # fmt: skip
    return await some_pod(lab, drawn.name)


def _ended(pod: Object) -> bool:
    """Does a container of the pod not run?"""
    return any("running" not in (each.get("state") or {}) for each in containers_of(pod))


def _ends_within(pod: Object) -> int:
    """The seconds that a pod's containers get to end once their probe has failed; no more than a minute."""
    return min(60, max(ends_within(each.get("livenessProbe") or {}, pod) for each in lasting(pod)))


def _given_up_within(pod: Object) -> int:
    """The seconds that a pod's liveness probes wait in all for answers that don't come; no more than a minute."""
    waits = [numbers(each.get("livenessProbe") or {})[1:] for each in lasting(pod)]
    return min(60, max(timeout * failures for timeout, failures in waits))


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
    return "" if _port(containers[0], asked) == port else str(asked["port"])


def asks_itself(pod: Object, port: int) -> bool:
    """Does a liveness probe of a pod's ask the program for `/alive`, without anybody between?

    Args:
        port: the program's.
    """
    asked = [(each, (each.get("livenessProbe") or {}).get("httpGet") or {}) for each in lasting(pod)]
    return any(get.get("path") == "/alive" and not get.get("host") and _port(each, get) == port for each, get in asked)


def _port(container: Object, asked: Object) -> object:
    """The port that a container's probe asks, which may be told by its name."""
    named = {each.get("name"): each["containerPort"] for each in container.get("ports") or []}
    return named.get(asked["port"], asked["port"])


def noticed_after(pod: Object) -> int:
    """Seconds until a pod's quickest liveness probe has failed as often as it must, at most; 0 for none.

    A hang may begin as soon as the container is no longer young: what is left of a probe's delay then counts.
    """
    having = [each for each in lasting(pod) if each.get("livenessProbe")]
    return min(map(_failed_after, having), default=0)


def _failed_after(container: Object) -> int:
    probe, starting = container["livenessProbe"], container.get("startupProbe")
    period, _, failures = numbers(probe)
    delayed = _delay(probe) - _YOUNG + period * (failures - 1)
    return max(periods(probe), delayed, _still_starting(starting, periods(probe)) if starting else 0)


def _still_starting(probe: Object, alive: int) -> int:
    """Seconds until a hang is noticed that begins when the container is no longer young, by a startupProbe's numbers.

    Until that has succeeded the liveness probe asks nothing. Where it asks for `/alive` itself, its own failures count.

    Args:
        alive: seconds that the liveness probe takes then.
    """
    period, _, failures = numbers(probe)
    left = _delay(probe) + period - _YOUNG
    if left <= 0:
        return 0
    return left + (period * (failures - 1) if "/alive" in str(probe) else alive)


def _delay(probe: Object) -> int:
    return int(probe.get("initialDelaySeconds") or 0)


def _young_for(pod: Object) -> float:
    """Seconds until the container that was started last is no longer young."""
    began = [(each.get("state") or {}).get("running", {}).get("startedAt") for each in containers_of(pod)]
    ages = [(datetime.now(UTC) - datetime.fromisoformat(each)).total_seconds() for each in began if each]
    return min(_YOUNG, max(0.0, _YOUNG - min(ages, default=0.0)))
