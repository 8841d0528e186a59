"""A copy of the learner's pod that is given the other version of the model: what it says of itself."""

from __future__ import annotations

from functools import partial

from mlops_lab.checks import Lab, Observation, absent
from mlops_lab.kit.copies import copied
from mlops_lab.kube.client import Object

from .metrics import names_only
from .scenario import ROUTE, Seen, played, serving, target

COPY = "checker-copy-with-another-model"
VERSIONS = ("v1", "v2")
ANSWERS_WITHIN = 90  # s, as for the pod itself
FOLDER = "/checker-model"
TODAY = f"{FOLDER}/today"  # whose name says nothing of the version
LINKED = f'ln -sfn "$0" {TODAY} && exec "$@"'  # by sh, with the model's folder and then the container's own words


async def other_model(lab: Lab, seen: Seen) -> Observation:
    """Whether a copy that is given another model names in its metrics the one that its answers come from."""
    own = str(seen.first("predict")[0].get("version"))
    other = next(each for each in VERSIONS if each != own)

    expected = (
        f'model_info{{version="{other}"}} 1 of a copy of your pod with MODEL_DIR={TODAY}, a link to /model/{other}'
    )
    volume = {"name": COPY, "emptyDir": {}}
    async with copied(lab, COPY, change=partial(given, f"/model/{other}"), volumes=[volume]) as copy:
        shown = "no answer"
        async for answer in copy.answers("/healthz", within=ANSWERS_WITHIN):
            shown = answer.shown
            if answer.status == 200:
                break
        else:
            late = f"it does not answer GET /healthz within {ANSWERS_WITHIN} s: {shown}"
            return Observation(False, expected, late, timed=None if copy.ended else True)
        said = await lab.traffic.post(COPY, ROUTE, lab.traffic.hidden_rows(1).body)
        version = said.fields_if_any.get("model_version")
        if version != other:
            return absent(expected, f"its answers are those of {str(version)[:40]}: {said.shown}")
        found = (await looked(lab, seen.pods[0])).get("model", [])
    shown = ", ".join(f"{labels} {value:g}" for labels, value in found[:3])
    return Observation(names_only(other, found), expected, shown or "no model_info")


def given(model: str, container: Object) -> None:
    """Let a container have a model's folder in MODEL_DIR, under another name where it says itself what it runs."""
    words = [*(container.get("command") or []), *(container.pop("args", None) or [])]
    if words:
        container["command"] = ["sh", "-c", LINKED, model, *words]
        container["volumeMounts"].append({"name": COPY, "mountPath": FOLDER})
    kept = [each for each in container.get("env") or [] if each["name"] != "MODEL_DIR"]
    container["env"] = [*kept, {"name": "MODEL_DIR", "value": TODAY if words else model}]


async def looked(lab: Lab, pod: Object) -> Object:
    """The copy's metrics; they are where those of the pod are."""
    (copy,) = await serving(lab, COPY)
    notes = {"annotations": pod["metadata"].get("annotations") or {}}
    plan = {"look": target({**copy, "metadata": {**copy["metadata"], **notes}})}
    return await played(lab, plan)
