"""Pods of the checker's own that try to reach things: what a policy, a Service or a name lets through, and what not.

A probe stands in any namespace, with any labels. It is never ready, so no Service leads to it, whatever it selects.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from mlops_lab.checks import Lab, LabError, Observation, absent, expect, is_ready
from mlops_lab.checks.rooms.objects import Objects
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.side_by_side import together
from mlops_lab.kube.client import Object
from mlops_lab.kube.errors import NotFound, Refused
from mlops_lab.kube.objects import phase

_RUNS_WITHIN = 60.0  # s
_SETTLED_AFTER = 3.0  # s until every node knows a new pod's address and what its policies say of it
_AS_WANTED_WITHIN = 12.0  # s
_GONE_WITHIN = 30.0  # s
# Printed by a probe: a JSON object with what each of its arguments gave; an empty text where nothing came back.
_TRY = """
import json, socket, sys, threading, urllib.error, urllib.request
seen = {}
def look(target):
    kind, _, rest = target.partition(":")
    try:
        if kind == "dns":
            seen[target] = " ".join(sorted({each[4][0] for each in socket.getaddrinfo(rest, None)}))
        elif kind == "tcp":
            host, _, port = rest.rpartition(":")
            socket.create_connection((host, int(port)), 2).close()
            seen[target] = "open"
        else:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(target, timeout=2) as answer:
                seen[target] = answer.read(1000).decode(errors="replace").strip() or "an empty answer"
    except urllib.error.HTTPError as other:
        seen[target] = f"status {other.code}"
    except (OSError, ValueError):
        seen[target] = ""
looks = [threading.Thread(target=look, args=(each,), daemon=True) for each in sys.argv[1:]]
[each.start() for each in looks]
[each.join(8) for each in looks]
print(json.dumps({each: seen.get(each, "") for each in sys.argv[1:]}))
"""


@dataclass(frozen=True)
class Probe:
    """A pod that tries to reach things.

    Attributes:
        objects: of the namespace that it stands in: `lab.objects`, `lab.elsewhere(...)`.
        name: of the pod.
        labels: of the pod.
        container: of the pod, where it is not the checker's own and may have more than one.
    """

    objects: Objects = field(compare=False)
    name: str
    labels: Mapping[str, str] = field(default_factory=dict, compare=False)
    container: str | None = field(default=None, compare=False, kw_only=True)

    async def tries(self, *targets: str) -> dict[str, str]:
        """What each target gave: the answer's beginning, `open`, addresses; an empty text if nothing came back.

        Args:
            targets: `http://HOST:PORT/PATH`, `tcp:HOST:PORT` or `dns:NAME`; a name that ends in a dot is whole.

        Raises:
            LabError: the pod does not run.
        """
        options = "RES_OPTIONS=timeout:1 attempts:2"
        words = ("env", options, "python3", "-c", _TRY, *targets)
        printed = await self.objects.run_in(self.name, *words, container=self.container)
        if printed.code != 0 or not printed.lines:
            raise LabError(f"probe {self.name} printed {printed.lines[-1:] or printed.errors[-200:]}", "check again")
        return {str(key): str(value) for key, value in json.loads(printed.lines[-1]).items()}

    def pod(self, image: str) -> Object:
        """Its manifest."""
        container = {
            "name": "probe", "image": image, "command": ["sleep", "infinity"],
            "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}},
        }  # fmt: skip
        return {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": self.name, "labels": dict(self.labels)},
            "spec": {
                "containers": [container], "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False,
                "readinessGates": [{"conditionType": "mlops-lab/never"}],
            },
        }  # fmt: skip


@dataclass(frozen=True)
class Way:
    """From a probe to a target, and whether it should be open.

    Attributes:
        said: the way in the learner's words, such as `a pod without labels to port 8080`.
        answer: what the answer of an open way must contain.
    """

    probe: Probe
    target: str
    open: bool
    said: str
    answer: str = ""

    def right(self, gave: str) -> bool:
        """Is it as it should be?"""
        return bool(gave) and self.answer in gave if self.open else not gave

    def seen(self, gave: str) -> str:
        """What is wrong with it, in words."""
        if not gave:
            return f"closed: {self.said}"
        return f"open: {self.said}" if not self.open else f"another answer, {gave.splitlines()[0][:60]!r}: {self.said}"


@contextlib.asynccontextmanager
async def standing_probes(lab: Lab, *probes: Probe) -> AsyncIterator[None]:
    """Probes at work while the block runs; afterwards they are gone.

    Raises:
        Failure: a namespace is gone, or takes no pods any more.
        LabError: one does not run.
    """
    image = lab.platform.image("v1")
    try:
        await together(*(_stand(each, image) for each in probes))
        yield
    finally:
        ended = await asyncio.gather(
            *(each.objects.delete("Pod", each.name, grace=0) for each in probes), return_exceptions=True
        )
        for one in ended:
            if isinstance(one, BaseException):
                raise one


async def _stand(probe: Probe, image: str) -> None:
    try:
        if await probe.objects.named("Pod", probe.name).now():  # a check that was cut off has left it
            await probe.objects.kill(probe.name, grace=0)
            await probe.objects.gone("Pod", probe.name, within=_GONE_WITHIN)
        await probe.objects.apply([probe.pod(image)])
    except (NotFound, Refused) as refused:
        if refused.transient:
            raise
        expect(absent("the namespaces are there and take pods", refused.message)).because(
            "the checker sends its requests from pods of its own; the namespaces of the task must stay, and let pods in"
        )
    running = await probe.objects.named("Pod", probe.name).until(
        lambda pod: phase(pod) == "Running", expected="the checker's own pod runs", shown=phase, within=_RUNS_WITHIN
    )
    must(running, "a pod like any other must be able to start in the namespaces of the task")


async def tried(lab: Lab, ways: Sequence[Way], *, within: float = _AS_WANTED_WITHIN) -> dict[Way, str]:
    """What each way gave: once all are as they should be, or when the time is over. The probes stand meanwhile.

    Nodes learn of a new pod a moment after it runs, so the first look waits until they have: till then a way may be
    closed that is open, or the other way round.

    Args:
        within: seconds of looking.

    Raises:
        Failure, LabError: as `standing_probes`.
    """
    probes = list({way.probe.name: way.probe for way in ways}.values())

    async def look() -> dict[Way, str]:
        async def of(probe: Probe) -> dict[Way, str]:
            own = [way for way in ways if way.probe.name == probe.name]
            gave = await probe.tries(*dict.fromkeys(way.target for way in own))
            return {way: gave[way.target] for way in own}

        found: dict[Way, str] = {}
        for each in await asyncio.gather(*map(of, probes)):
            found |= each
        return found

    def wrong(found: dict[Way, str]) -> list[str]:
        return [way.seen(gave) for way, gave in found.items() if not way.right(gave)]

    async with standing_probes(lab, *probes):
        await lab.time.pause(_SETTLED_AFTER)
        seen = await lab.time.eventually(
            look, lambda found: not wrong(found), expected="all ways as they should be",
            shown=lambda found: "; ".join(wrong(found)) or "all are", within=within,
        )  # fmt: skip
    found: dict[Way, str] = seen.value
    return found


def judged(found: Mapping[Way, str], ways: Sequence[Way], expected: str) -> Observation:
    """Whether some of the ways that were tried are as they should be.

    Args:
        expected: all of them in few words.
    """
    said = [way.seen(found[way]) for way in ways if not way.right(found[way])]
    return Observation(not said, expected, said[0] if said else expected, None, tuple(said[1:8]))


async def address_behind(objects: Objects, service: str, *, within: float = 20.0) -> str:
    """The address of a ready pod behind a Service that the task gives.

    Raises:
        Failure: there is no such Service, or none of its pods is ready.
    """

    def ready(pods: Sequence[Object]) -> list[Object]:
        return [pod for pod in pods if is_ready(pod) and pod["status"].get("podIP")]

    seen = await objects.pods_until(
        service, lambda pods: bool(ready(pods)), expected=f"a pod behind Service {service} is ready",
        shown=lambda pods: f"{len(ready(pods))} of {len(pods)} pods behind Service {service} are ready", within=within,
    )  # fmt: skip
    must(seen, "what the task gives must stay at work: kubectl describe says what keeps its pods from being ready")
    return str(ready(seen.value)[0]["status"]["podIP"])
