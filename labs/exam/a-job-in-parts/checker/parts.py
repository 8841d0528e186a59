"""What the pods of an indexed Job run and print, by their numbers."""

from __future__ import annotations

from mlops_lab.checks import Lab
from mlops_lab.kit.jobs import pods_of
from mlops_lab.kit.logs import last_lines
from mlops_lab.kit.pods import name
from mlops_lab.kube.client import Object

_INDEX = "batch.kubernetes.io/job-completion-index"


async def printed_by_part(lab: Lab, job: str) -> dict[int, str]:
    """The last line of each part that ended well; empty where its pod does not bear the name that the line has."""
    found = {}
    for pod in await pods_of(lab, job):
        index = (pod["metadata"].get("annotations") or {}).get(_INDEX, "")
        if pod["status"].get("phase") == "Succeeded" and index.isdecimal():
            lines = await last_lines(lab, pod, 1, judged=True)
            text, _, host = (lines[-1] if lines else "").partition(" by ")
            found[int(index)] = text if host and name(pod).startswith(host) else ""
    return found


def started_with(container: Object) -> str:
    """What a container runs, in one line; a shell that does nothing else is left out."""
    words = [*(container.get("command") or []), *(container.get("args") or [])]
    if len(words) == 3 and words[0].rpartition("/")[2] in ("sh", "bash") and words[1] == "-c":
        words = words[2].removeprefix("exec ").split()
    return " ".join(words)


def enough_by(rule: Object) -> int:
    """With how many parts a Job is done by a rule of successPolicy: `succeededIndexes` are such as `0-2,4`."""
    if (count := rule.get("succeededCount")) is not None:
        return int(count)
    spans = [each.partition("-") for each in str(rule.get("succeededIndexes") or "").split(",") if each]
    return sum(int(last or first) - int(first) + 1 for first, _, last in spans)
