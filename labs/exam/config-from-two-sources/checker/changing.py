"""A change of the ConfigMap, and whether the running pods see it; afterwards it is as it was."""

import time
from collections.abc import Mapping, Sequence

from mlops_lab.checks import LabError, Observation, absent
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.pods import leaving, name, restarts
from mlops_lab.kit.restore import interrupted, put_back
from mlops_lab.tasks.lab import TaskLab

_MARK = "mlops-lab/checked"
_WITHIN = 18.0


async def follows(lab: TaskLab, app: str, config: str, entries: Sequence[str]) -> Observation:
    """Change entries of the ConfigMap, and ask the program for their files until each has its new text."""
    before = await lab.objects.named("ConfigMap", config).present()
    if before.get("immutable"):
        return absent(f"ConfigMap {config} can be changed", "it is immutable")
    random = drawn(lab, "change")
    wanted = {entry: f"changed-{random.randrange(10**6)}" for entry in entries}
    pods = await _pods(lab, app)
    try:
        await lab.objects.patch("ConfigMap", config, {"data": wanted})
        seen = await lab.time.eventually(
            lambda: _asked(lab, app, entries), lambda texts: texts == wanted,
            expected=f"the files {' and '.join(entries)} have the new texts",
            shown=lambda texts: ", ".join(f"{entry} has {text!r}" for entry, text in texts.items()), within=_WITHIN,
        )  # fmt: skip
        if not seen.ok:
            await put_back(lab, before)  # nobody waits for files that never changed
            return Observation(False, seen.expected, seen.seen, timed=False)
        same = await _pods(lab, app) == pods
        expected = f"{seen.expected}, in the pods that ran before"
        return Observation(same, expected, seen.seen if same else "pods were made anew or restarted meanwhile")
    finally:
        if await put_back(lab, before) and not interrupted():
            old = {entry: (before.get("data") or {}).get(entry) for entry in entries}
            await lab.time.eventually(
                lambda: _asked(lab, app, entries), lambda texts: texts == old,
                expected="the files are as they were", shown=str, within=_WITHIN,
            )  # fmt: skip
        await _marked(lab, app, None)


async def renewed(lab: TaskLab, app: str, wanted: Mapping[str, str]) -> object:
    """The files by the program, once they are these, or the time is over: they follow a change up to a minute later."""

    async def look() -> object:
        await _marked(lab, app, f"{time.time():.0f}")
        return (await lab.traffic.get(app, "/")).fields_if_any.get("files")

    try:
        seen = await lab.time.eventually(
            look, lambda files: files == wanted, expected="the files are the ConfigMap's entries", shown=str,
            within=_WITHIN,
        )  # fmt: skip
    finally:
        await _marked(lab, app, None)
    return seen.value


async def _asked(lab: TaskLab, app: str, entries: Sequence[str]) -> dict[str, str]:
    """The files' texts by the program, after a word to the kubelet, which looks after a pod at once when it changes."""
    await _marked(lab, app, f"{time.time():.0f}")
    answer = await lab.traffic.get(app, "/")
    files = answer.fields_if_any.get("files")
    return {entry: str(files.get(entry)) if isinstance(files, dict) else answer.shown for entry in entries}


async def _marked(lab: TaskLab, app: str, mark: str | None) -> None:
    for pod in await owned_pods(lab, app):
        try:
            await lab.objects.patch("Pod", name(pod), {"metadata": {"annotations": {_MARK: mark}}})
        except LabError as gone:
            if gone.transient:
                raise


async def _pods(lab: TaskLab, app: str) -> dict[str, int]:
    return {str(each["metadata"]["uid"]): restarts(each) for each in await owned_pods(lab, app) if not leaving(each)}
