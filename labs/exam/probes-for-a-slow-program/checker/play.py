"""The program, told to be busy or ill, and what the kubelet makes of it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from mlops_lab.checks import Failure, Lab, Observation, is_ready
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.inside import printed, settled
from mlops_lab.kit.pods import leaving, name, restarts
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn

from .draw import Drawn

_D = drawn(Drawn, __file__)
# s after which a pod is out, or back; the probe asks every second
_OUT_WITHIN, _BACK_WITHIN = 8.0, 15.0
# s; a liveness probe of the same path would have restarted it by then
_BUSY = float(_D.live_every * _D.live_fails + 2)
_ILL_WITHIN, _NEW_WITHIN = 18.0, 40.0


@dataclass(frozen=True)
class Busy:
    """Was it left out while busy, did it come back, and was it left running?"""

    left_out: Observation
    back: Observation
    restarts: Observation


def numbers(pod: Object, probe: str) -> str:
    """What a probe of the pod's first container does, in words."""
    container = pod["spec"]["containers"][0]
    found = container.get(probe)
    if found is None:
        return "there is none"
    get = found.get("httpGet")
    if get is None:
        return "it asks nothing by HTTP"
    port = get.get("port")
    named = {each.get("name"): each["containerPort"] for each in container.get("ports") or []}
    asked = f"GET {get.get('path')} on {named.get(port, port)}"
    delay = found.get("initialDelaySeconds")
    told = f"{asked}, every {found.get('periodSeconds')} s, {found.get('failureThreshold')} times"
    return f"{told}, after a delay of {delay} s" if delay else told


async def restarts_until_ready(lab: Lab) -> int:
    """How often the containers of new pods are restarted; earlier restarts may be of somebody's trying it."""
    await _anew(lab)
    return restarts(*await settled(lab, _D.app, within=60))


async def busy(lab: Lab) -> Busy:
    """Tell the program to be busy for some seconds."""
    (pod, *_) = await settled(lab, _D.app, within=60)
    before = restarts(pod)
    try:
        await _tell(lab, pod, "DELETE", _D.ready)
        out = await _until_ready(lab, False, "it is taken out of the Service", _OUT_WITHIN)
        if out.ok:
            await lab.time.pause(_BUSY)
    finally:
        with contextlib.suppress(Failure):  # it may just be being restarted, and has forgotten all of it then
            await _tell(lab, pod, "PUT", _D.ready)
    back = await _until_ready(lab, True, "it is behind the Service again", _BACK_WITHIN)
    more = restarts(*await _pods(lab)) - before
    if more:
        await _anew(lab)
    seen = f"{more or 'no'} restart while it was busy"
    return Busy(out, back, Observation(not more, "no restart while it is busy", seen, timed=True))


async def deaf(lab: Lab) -> Observation:
    """Tell the program to say that it is not well, and wait for its restart."""
    (pod, *_) = await settled(lab, _D.app, within=60)
    before = restarts(pod)
    try:
        await _tell(lab, pod, "DELETE", _D.live)
        return await lab.time.eventually(
            lambda: _pods(lab), lambda pods: restarts(*pods) > before, expected="it is restarted",
            shown=lambda pods: f"{restarts(*pods) - before} restarts", within=_ILL_WITHIN, every=0.5,
        )  # fmt: skip
    finally:
        await _anew(lab)


async def _anew(lab: Lab) -> None:
    """New pods, of which no restart is told that the checker has brought about, or who tried the probes."""
    for pod in await _pods(lab):
        await lab.objects.kill(name(pod), grace=0)
    await _until_ready(lab, True, "its new pods are ready", _NEW_WITHIN)


async def _until_ready(lab: Lab, wanted: bool, expected: str, within: float) -> Observation:
    return await lab.time.eventually(
        lambda: _pods(lab), lambda pods: bool(pods) and all(is_ready(pod) is wanted for pod in pods), expected=expected,
        shown=lambda pods: ", ".join("ready" if is_ready(pod) else "not ready" for pod in pods) or "no pod",
        within=within, every=0.5,
    )  # fmt: skip


async def _pods(lab: Lab) -> list[Object]:
    return [each for each in await owned_pods(lab, _D.app) if not leaving(each)]


async def _tell(lab: Lab, pod: Object, method: str, path: str) -> None:
    """Tell the program of a pod; one that has just been restarted knows nothing of it, and can't be told."""
    request = f"u.Request('http://127.0.0.1:{_D.port}{path}', method='{method}')"
    call = f"import urllib.request as u; u.urlopen({request}, timeout=5)"
    await printed(lab, pod, "python3", "-c", call)
