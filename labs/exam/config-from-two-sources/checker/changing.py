"""A change of the ConfigMap, and whether the running pods see it; afterwards it is as it was."""

import time

from mlops_lab.checks import LabError, Observation, absent
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.pods import leaving, name, restarts
from mlops_lab.kit.restore import interrupted, put_back
from mlops_lab.tasks.lab import TaskLab

_MARK = "mlops-lab/checked"
_WITHIN = 18.0


async def follows(lab: TaskLab, app: str, config: str, entry: str) -> Observation:
    """Change an entry of the ConfigMap, and ask the program for the file until it has the new text."""
    before = await lab.objects.named("ConfigMap", config).present()
    if before.get("immutable"):
        return absent(f"ConfigMap {config} can be changed", "it is immutable")
    wanted = f"changed-{drawn(lab, 'change').randrange(10**6)}"
    pods = await _pods(lab, app)
    try:
        await lab.objects.patch("ConfigMap", config, {"data": {entry: wanted}})
        seen = await lab.time.eventually(
            lambda: _asked(lab, app, entry), lambda text: text == wanted,
            expected=f"file {entry} has the new text", shown=lambda text: f"it has {text!r}", within=_WITHIN,
        )  # fmt: skip
        if not seen.ok:
            await put_back(lab, before)  # the file never changed
            return Observation(False, seen.expected, seen.seen, timed=False)
        same = await _pods(lab, app) == pods
        expected = f"{seen.expected}, in the pods that ran before"
        return Observation(same, expected, seen.seen if same else "pods were made anew or restarted meanwhile")
    finally:
        if await put_back(lab, before) and not interrupted():
            old = (before.get("data") or {}).get(entry)
            await lab.time.eventually(
                lambda: _asked(lab, app, entry), lambda text: text == old,
                expected="the file is as it was", shown=str, within=_WITHIN,
            )  # fmt: skip
        await _marked(lab, app, None)


async def _asked(lab: TaskLab, app: str, entry: str) -> str:
    """The file's text by the program, after a word to the kubelet, which looks after a pod at once when it changes."""
    await _marked(lab, app, f"{time.time():.0f}")
    answer = await lab.traffic.get(app, "/")
    files = answer.fields_if_any.get("files")
    return str(files.get(entry)) if isinstance(files, dict) else answer.shown


async def _marked(lab: TaskLab, app: str, mark: str | None) -> None:
    for pod in await owned_pods(lab, app):
        try:
            await lab.objects.patch("Pod", name(pod), {"metadata": {"annotations": {_MARK: mark}}})
        except LabError as gone:
            if gone.transient:
                raise


async def _pods(lab: TaskLab, app: str) -> dict[str, int]:
    return {str(each["metadata"]["uid"]): restarts(each) for each in await owned_pods(lab, app) if not leaving(each)}
