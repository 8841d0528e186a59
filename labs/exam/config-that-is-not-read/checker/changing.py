"""The text in the ConfigMap changed for a while: do the answers follow?"""

import asyncio
import contextlib
import itertools

from mlops_lab.checks import Observation, absent
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.pods import leaving, restarts
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kit.restore import put_back
from mlops_lab.kube.client import Object
from mlops_lab.kube.errors import NotFound
from mlops_lab.measure.traffic.http import Answer
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

# The kubelet renews a pod's files when it looks at the pod: each minute or so, and at once where a pod was changed.
_ANNOTATION = "mlops-lab/looked-at"
_FOLLOWS_WITHIN, _EVERY = 20.0, 2.0  # s


async def answered(lab: TaskLab, drawn: Drawn, wanted: str, *, within: float, looked_at: bool = False) -> Observation:
    """Wait until the Service answers so.

    Args:
        looked_at: have the kubelet look at the pods meanwhile.
    """
    turns = itertools.count(1)

    async def ask() -> Answer:
        if looked_at:
            await _touched(lab, drawn, f"{next(turns)} {wanted}")
        return await lab.traffic.get(drawn.name, "/", within=3)

    return await lab.time.eventually(
        ask,
        lambda answer: answer.status == 200 and answer.text.strip() == wanted,
        expected=f"http://{drawn.name}/ answers {wanted!r}",
        shown=lambda answer: answer.shown,
        within=within,
        every=_EVERY,
    )


async def follows(lab: TaskLab, drawn: Drawn) -> Observation:
    """Do the same pods answer with another text once the ConfigMap has it? It is as it was afterwards."""
    name = f"{drawn.name}-text"
    before, found = await _pods(lab, drawn), await lab.objects.named("ConfigMap", name).present()
    if found.get("immutable"):
        return absent(f"ConfigMap {name} can be changed", "it is immutable")
    followed = False
    try:
        await lab.objects.patch("ConfigMap", name, {"data": {"text": drawn.next}})
        seen = await answered(lab, drawn, f"{drawn.next} in {drawn.colour}", within=_FOLLOWS_WITHIN, looked_at=True)
        followed, after = seen.ok, await _pods(lab, drawn)
    finally:
        await asyncio.shield(_as_before(lab, drawn, found, followed=followed))
    if seen.ok and after != before:
        return Observation(False, seen.expected, "it does, from pods that were started anew")
    return seen


async def _pods(lab: TaskLab, drawn: Drawn) -> dict[str, int]:
    """The Deployment's pods, and how often their containers were started anew."""
    return {name_of(pod): restarts(pod) for pod in await owned_pods(lab, drawn.name) if not leaving(pod)}


async def _as_before(lab: TaskLab, drawn: Drawn, config_map: Object, *, followed: bool) -> None:
    await put_back(lab, config_map)
    if followed:
        await answered(lab, drawn, f"{drawn.text} in {drawn.colour}", within=_FOLLOWS_WITHIN, looked_at=True)
    await _touched(lab, drawn, None)


async def _touched(lab: TaskLab, drawn: Drawn, value: str | None) -> None:
    """Change an annotation of the pods, or take it away."""
    for pod in await _pods(lab, drawn):
        with contextlib.suppress(NotFound):
            await lab.objects.patch("Pod", pod, {"metadata": {"annotations": {_ANNOTATION: value}}})
