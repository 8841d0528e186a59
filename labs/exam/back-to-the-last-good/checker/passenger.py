"""What the passenger has counted, and what the Service says now."""

import json
from dataclasses import dataclass, field
from typing import Any

from mlops_lab.checks import LabError, Observation, absent, expect, holds
from mlops_lab.kit import presence
from mlops_lab.kit.pods import gone_meanwhile, is_running, restarts
from mlops_lab.kube.client import Object
from mlops_lab.tasks.lab import TaskLab

_HEARD_WITHIN = 15.0  # s for it to hear of the release that is served now
_READ = "import pathlib; print(pathlib.Path('/tmp/counts.json').read_text())"


@dataclass(frozen=True)
class Counts:
    """How many requests it sent since it heard of the bad release, how many failed, and who answered how often."""

    asked: int = 0
    failed: int = 0
    releases: dict[str, int] = field(default_factory=dict)

    def heard(self, release: str) -> int:
        """How many answers were of a release."""
        return self.releases.get(release, 0)

    @property
    def shown(self) -> str:
        """In words."""
        told = [f"{count} answers of {release}" for release, count in self.releases.items()]
        return ", ".join([*told, f"{self.failed} lost"])


async def counted(lab: TaskLab, pod: str, release: str) -> Counts:
    """What the passenger has counted, once it has heard of a release, or should have.

    Raises:
        Failure: there is no such pod, or it does not run.
    """
    found = await presence.exists(lab, "Pod", pod, "it was there when the task began, and counts what is lost")
    if not is_running(found) or found["metadata"].get("deletionTimestamp"):
        phase = (found.get("status") or {}).get("phase")
        expect(absent(f"Pod {pod} runs", f"it is {phase}")).because("leave it as it is: it counts what is lost")

    async def look() -> Counts:
        try:
            said = await lab.objects.run_in(pod, "python3", "-c", _READ)
        except LabError as trouble:
            if not await gone_meanwhile(lab, pod, trouble):
                raise
            return Counts()
        try:
            kept: Any = json.loads("".join(said.lines) or "{}")
            return Counts(int(kept["asked"]), int(kept["failed"]), dict(kept["releases"]))
        except (ValueError, TypeError, KeyError):
            return Counts()

    seen = await lab.time.eventually(
        look, lambda counts: counts.heard(release) > 0 and counts.asked >= 10,
        expected="", shown=lambda counts: counts.shown, within=_HEARD_WITHIN,
    )  # fmt: skip
    counts: Counts = seen.value
    return counts


async def was_there_before(lab: TaskLab, pod: str, release: str) -> Observation:
    """Whether a pod is older than the rollout of a release, and its container has run all the time.

    Where nothing is left of that rollout, any pod is older.

    Raises:
        Failure: there is no such pod.
    """
    found = await presence.exists(lab, "Pod", pod, "it was there when the task began, and counts what is lost")
    if count := restarts(found):
        return absent(f"Pod {pod} has run all the time", f"its container was started anew {count} times")
    made = found["metadata"]["creationTimestamp"]
    revisions = [each for each in await lab.objects.all("ReplicaSet") if _serves(each, release)]
    there = all(made <= each["metadata"]["creationTimestamp"] for each in revisions)
    return holds(there, f"Pod {pod} is the one of before", "it was made anew")


async def answers(lab: TaskLab, service: str, count: int) -> set[str]:
    """The releases that answer to some requests, once the first is answered."""
    await lab.traffic.first_answer(lambda: lab.traffic.get(service, "/"), within=15)
    found = set()
    for _ in range(count):
        answer = await lab.traffic.get(service, "/", within=5)
        found.add(str(answer.fields_if_any.get("release") or "no answer")[:60])
    return found


def _serves(revision: Object, release: str) -> bool:
    """Are a ReplicaSet's pods of this release?"""
    first = revision["spec"]["template"]["spec"]["containers"][0]
    return {"name": "RELEASE", "value": release} in (first.get("env") or [])
