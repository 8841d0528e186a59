"""A pod like the Job's, in which the program of the ConfigMap fails at once: what becomes of the pod?"""

from __future__ import annotations

import copy

from mlops_lab.checks import Observation
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object
from mlops_lab.kube.objects import over, phase
from mlops_lab.tasks.lab import TaskLab

_NAME = "checkers-failing"
_ENDED_WITHIN = 30.0  # s
_PROGRAM = "import sys\n\nsys.exit('the program fails, as the checker wants it')\n"
_INDEX = "batch.kubernetes.io/job-completion-index"


async def pod_fails(lab: TaskLab, job: Object, batch: str, parts: int) -> Observation:
    """Whether a pod of a Job's template has failed when its program has.

    Args:
        batch: the ConfigMap with the program and the parts.
        parts: how many there are.
    """
    data = {"score.py": _PROGRAM} | {f"part-{number}.json": "[]\n" for number in range(parts)}
    files = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": _NAME}, "data": data}
    async with standing(lab, [files, like_the_jobs(job, batch)], grace=0):
        ended = await lab.objects.named("Pod", _NAME).until(
            lambda pod: pod is not None and over(pod), expected="a pod whose program fails ends", shown=phase,
            within=_ENDED_WITHIN,
        )  # fmt: skip
        if not ended.ok:
            return ended
        now = phase(await lab.objects.named("Pod", _NAME).now())
    return Observation(now == "Failed", "a pod whose program fails has failed", f"it has {now.lower()}")


def like_the_jobs(job: Object, batch: str) -> Object:
    """A pod as the Job makes them, of its first part, with the checker's ConfigMap in place of another one."""
    spec = copy.deepcopy(job["spec"]["template"]["spec"])
    for volume in spec.get("volumes") or []:
        for each in (volume, *((volume.get("projected") or {}).get("sources") or [])):
            if (each.get("configMap") or {}).get("name") == batch:
                each["configMap"]["name"] = _NAME
    for each in (*spec["containers"], *(spec.get("initContainers") or [])):
        each["env"] = [*(each.get("env") or []), {"name": "JOB_COMPLETION_INDEX", "value": "0"}]
    spec["hostname"] = f"{job['metadata']['name']}-0"
    metadata = {"name": _NAME, "labels": {_INDEX: "0"}, "annotations": {_INDEX: "0"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
