"""What this task draws: among others all that the containers write."""

import base64
import json
import zlib
from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words

_PODS, _LINES, _AGAIN, _TAIL = 3, 30, 12, 10
_CONTAINERS = ["web", "cache", "loader", "mailer", "sync", "audit"]
_SAID = [
    ("INFO", "order {} packed"), ("INFO", "cart {} read"), ("INFO", "page {} sent"), ("WARN", "shelf {} is slow"),
    ("WARN", "payment {} tried again"), ("ERROR", "payment {} refused"), ("ERROR", "no label for parcel {}"),
]  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """The StatefulSet, its containers, the pod and the container that ended, its last line, and the request's lines.

    `packed` is what the containers read: their lines, as JSON, compressed, in base64.
    """

    name: str
    containers: list[str]
    pod: str
    container: str
    other_container: str
    last: str
    request: str
    lines: list[str]
    packed: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    name, containers = f"{words(random, 1)[0]}-depot", random.sample(_CONTAINERS, 2)
    places = [f"{pod} {container}" for pod in range(_PODS) for container in containers]
    ends = random.choice(places)
    times = random.sample(range(3600), _LINES * len(places) + _AGAIN)
    work: dict[str, list[str]] = {}
    for number, place in enumerate(places):
        own = sorted(times[number * _LINES : (number + 1) * _LINES])
        work[place] = [_line(random, time) for time in own]
    work["again"] = [_line(random, time + 3600) for time in sorted(times[_LINES * len(places) :])]
    request = f"r-{random.randrange(16**5):05x}"
    lines = [line for place in places if place != ends for line in _about(random, work[place], request)]
    work[ends][-1] = f"{work[ends][-1][:8]} ERROR shelf {random.randrange(100, 999)} is damaged, nothing can be read"
    packed = base64.b64encode(zlib.compress(json.dumps({**work, "ends": ends}).encode(), 9)).decode()
    pod, container = ends.split()
    (other,) = set(containers) - {container}
    last = work[ends][-1]
    return Drawn(name, containers, f"{name}-{pod}", container, other, last, request, sorted(lines), packed)


def _line(random: Random, time: int) -> str:
    """A line about no request that is asked for."""
    level, said = random.choice(_SAID)
    clock = f"{8 + time // 3600:02}:{time // 60 % 60:02}:{time % 60:02}"
    return f"{clock} {level} {said.format(random.randrange(1000, 9999))} request=q-{random.randrange(16**5):05x}"


def _about(random: Random, lines: list[str], request: str) -> list[str]:
    """Let some lines be about a request, one of them too early for the log's tail; those lines."""
    early, late = random.randrange(_LINES - _TAIL), random.randrange(_LINES - _TAIL, _LINES)
    for number in (early, late):
        lines[number] = f"{lines[number].rpartition('=')[0]}={request}"
    return [lines[early], lines[late]]
