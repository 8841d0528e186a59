"""The source goes away, a new pod is made, the source comes back; afterwards it is as it was."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from mlops_lab.checks import Lab, LabError, Observation, absent, holds
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.pods import leaving, name
from mlops_lab.kit.restore import put_back
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object
from mlops_lab.measure.pods.evidence import pod_state
from mlops_lab.tasks.drawing import drawn

from .draw import Drawn

_D = drawn(Drawn, __file__)
_GONE_WITHIN, _MADE_WITHIN, _READY_WITHIN = 40.0, 30.0, 60.0
_LOOKED_FOR = 15.0  # s that the new pod must wait
_HASTY, _FIRST, _BESIDE = "checkers-hasty-copy", "/usr/local/bin", "/checkers-hasty"  # _FIRST: in PATH
# For programs of that name: to sleep takes no time, a limit of time is over soon, a clock is ten minutes on at each
# look, and a try fails at once.
_INSTEAD = {
    "sleep": "#!/bin/sh\n",
    "timeout": '#!/bin/sh\nshift\nexec /usr/bin/timeout 1 "$@"\n',
    "date": '#!/bin/sh\nexec /usr/bin/date -d "@$(($(/usr/bin/date +%s) + $$ * 600))" "$@"\n',
    "python3": f"""#!/bin/sh
case "$1" in fetch.py|*/fetch.py) exit 1;; esac
PYTHONPATH={_BESIDE}:$PYTHONPATH exec /usr/bin/python3 "$@"
""",
}
_IN_PYTHON = {
    "sitecustomize.py": """import datetime, itertools, time
looks = itertools.count(1)
def ahead(clock, step):
    return lambda: clock() + step * next(looks)
time.sleep = lambda seconds: None
for each in ("time", "monotonic", "perf_counter"):
    for name, step in ((each, 600), (f"{each}_ns", 600 * 10**9)):
        setattr(time, name, ahead(getattr(time, name), step))
class Ahead(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)
    @classmethod
    def utcnow(cls):
        return cls.now(datetime.timezone.utc).replace(tzinfo=None)
datetime.datetime = Ahead
"""
}
_IN_BASH = {"ahead.bash": "trap 'SECONDS=$((SECONDS + 600))' DEBUG\n"}  # before each command


@dataclass(frozen=True)
class Seen:
    """Did the new pod wait, did it come when the source was back, and with the new file?"""

    waited: Observation
    came: Observation
    fresh: Observation


async def played(lab: Lab) -> Seen:
    """Play it.

    Raises:
        Failure: the source was deleted.
        LabError: its pods don't go, or it does not come back.
    """
    before = await lab.objects.deployment(_D.source).present()
    old = {name(each) for each in await owned_pods(lab, _D.app)}
    try:
        await lab.objects.patch("Deployment", _D.source, {"spec": {"replicas": 0}})
        for pod in await owned_pods(lab, _D.source):
            await lab.objects.gone("Pod", name(pod), within=_GONE_WITHIN)
        for each in old:
            await lab.objects.kill(each, grace=0)
        async with standing(lab, await _hasty(lab), grace=0):
            waited = await _waits(lab, old)
    finally:
        await put_back(lab, before)
    if not (await lab.objects.deployment(_D.source).rolled_out(within=_READY_WITHIN)).ok:
        raise LabError(f"Deployment {_D.source} does not come back", "see how the cluster is: lab status")
    if not waited.ok:  # a pod that did not wait would stay without the file
        for pod in await owned_pods(lab, _D.app):
            await lab.objects.kill(name(pod), grace=0)
    came = await lab.objects.deployment(_D.app).rolled_out(
        within=_READY_WITHIN, expected="`web` of the new pod is ready, once the source is back,"
    )
    return Seen(waited, came, await _fresh(lab) if came.ok else came)


async def _waits(lab: Lab, old: set[str]) -> Observation:
    """Is `web` of the new pod not started, for some seconds after its first container was?"""
    made = await lab.time.eventually(
        lambda: _new(lab, old), lambda pod: pod is not None and _begun(pod),
        expected="a new pod whose first container runs",
        shown=lambda pod: "no new pod" if pod is None else pod_state(pod), within=_MADE_WITHIN, every=0.5,
    )  # fmt: skip
    if not made.ok:
        return made
    await lab.time.pause(_LOOKED_FOR)
    expected = "`web` of the new pod is not started while the source is away"
    pod = await _new(lab, old)
    if pod is None or _web_started(pod):
        return absent(expected, "it is gone" if pod is None else f"it was started: {pod_state(pod)}")
    hasty = await lab.objects.named("Pod", _HASTY).now() or {"metadata": {}}
    seen = f"in a copy of the pod in which no time passes between two tries it was started: {pod_state(hasty)}"
    return holds(not _web_started(hasty), expected, seen)


async def _hasty(lab: Lab) -> list[Object]:
    """A copy of the pod in whose init containers no time passes: what gives up after many tries, or long, does so now.

    It has no labels, so neither Service nor ReplicaSet takes it for theirs.
    """
    spec = copy.deepcopy((await lab.objects.deployment(_D.app).present())["spec"]["template"]["spec"])
    own = [{"name": _HASTY, "mountPath": f"{_FIRST}/{each}", "subPath": each} for each in _INSTEAD]
    for each in spec.get("initContainers") or []:
        each["volumeMounts"] = [*(each.get("volumeMounts") or []), *own, {"name": _HASTY, "mountPath": _BESIDE}]
        each["env"] = [*(each.get("env") or []), {"name": "BASH_ENV", "value": f"{_BESIDE}/{next(iter(_IN_BASH))}"}]
    files = _INSTEAD | _IN_PYTHON | _IN_BASH
    volume = {"name": _HASTY, "configMap": {"name": _HASTY, "defaultMode": 0o755}}
    spec |= {"restartPolicy": "Never", "volumes": [*(spec.get("volumes") or []), volume]}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": _HASTY}, "data": files},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": _HASTY}, "spec": spec},
    ]


async def _new(lab: Lab, old: set[str]) -> Object | None:
    return next((each for each in await owned_pods(lab, _D.app) if name(each) not in old and not leaving(each)), None)


def _begun(pod: Object) -> bool:
    status = pod.get("status") or {}
    told = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return any({"running", "terminated"} & set(each.get("state") or {}) or each.get("restartCount") for each in told)


def _web_started(pod: Object) -> bool:
    told = (pod.get("status") or {}).get("containerStatuses") or []
    return any({"running", "terminated"} & set(each.get("state") or {}) for each in told)


async def _fresh(lab: Lab) -> Observation:
    right = await lab.traffic.first_answer(lambda: lab.traffic.get(_D.source, f"/{_D.file}", within=3), within=15)
    found = await lab.traffic.first_answer(lambda: lab.traffic.get(_D.app, f"/{_D.file}", within=3), within=15)
    same = found.status == 200 and found.text == right.text
    return holds(same, "it has the source's new file", f"it has {found.shown}; the source has {right.shown}")
