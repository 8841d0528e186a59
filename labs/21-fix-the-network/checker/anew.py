"""What becomes of the repair when all pods of the four are made anew."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.pods import leaving, name, ready
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.probes import Probe, Way, judged, tried
from mlops_lab.kit.side_by_side import together

from .places import PORTS, pods_at_work
from .visitors import word

_BACK_WITHIN = 60.0  # s
_SERVED_WITHIN = 20.0  # s
_AGO = 45  # minutes that the store's program knows


@dataclass(frozen=True)
class Anew:
    """A client's request afterwards: was it served, and did the answer come through all four?"""

    served: Observation
    through: Observation


async def served_anew(lab: Lab) -> Anew:
    """Delete all pods of the four, wait for the new ones, and ask the gateway as a client.

    Raises:
        Failure: one of the four has no new pod that is ready in time.
    """
    old = {deployment: {name(each) for each in await owned_pods(lab, deployment)} for deployment in PORTS}
    await together(*(lab.objects.kill(pod, grace=0) for pods in old.values() for pod in pods))

    async def late() -> list[str]:
        return [deployment for deployment, pods in old.items() if not await _back(lab, deployment, pods)]

    must(
        await lab.time.eventually(
            late, lambda seen: not seen, expected="new pods of all four are ready",
            shown=lambda seen: f"none, or not all, of {', '.join(seen)}" if seen else "they are", within=_BACK_WITHIN,
        ),
        "what runs must start again, too: kubectl describe pod says in its events what holds a new pod up",
    )  # fmt: skip
    random = drawn(lab, "flight")
    flight = f"{random.choice(('UA', 'B6', 'EV', 'DL', 'AA'))}{random.randrange(100, 10000)}"
    client = Probe(lab.objects, f"{word(random)}-9", {"role": "client", word(random): word(random)})
    way = Way(
        client, f"http://gateway/delay?flight={flight}", True, f"a client's request for flight {flight}",
        f'"minutes": {minutes(flight)},',
    )  # fmt: skip
    gave = (await tried(lab, [way], within=_SERVED_WITHIN))[way]
    own = [[name(each) for each in await pods_at_work(lab, deployment)] for deployment in PORTS]
    return Anew(judged({way: gave}, [way], f"a client gets the minutes of flight {flight}"), through(gave, own))


def minutes(flight: str) -> int:
    """What the store's program knows of a flight."""
    return zlib.crc32(flight.encode()) % _AGO


def through(gave: str, own: list[list[str]]) -> Observation:
    """Whether an answer came through one pod of each of the four, in their order.

    Args:
        own: each one's pods, by name.
    """
    try:
        value = json.loads(gave)
    except (ValueError, RecursionError):
        value = None
    by = value.get("by") if isinstance(value, dict) else None
    pods = [str(each) for each in by] if isinstance(by, list) else []
    ok = len(pods) == len(own) and all(pod in names for pod, names in zip(pods, own, strict=True))
    return Observation(ok, "through a pod of each of the four", ", ".join(pods)[:200] or "nobody is named")


async def _back(lab: Lab, deployment: str, old: set[str]) -> bool:
    """Are all of a Deployment's pods new ones, ready, and at least one?"""
    pods = [each for each in await owned_pods(lab, deployment) if not leaving(each)]
    return bool(pods) and len(ready(pods)) == len(pods) and not old & {name(each) for each in pods}
