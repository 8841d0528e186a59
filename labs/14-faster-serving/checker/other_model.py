"""Copies of the learner's pod: one is told to serve the other version of the model, and one is told none.

For the one with a model that nobody has seen see `unseen`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.copies import Copy
from mlops_lab.kit.logs import last_lines
from mlops_lab.kit.probabilities import own_values
from mlops_lab.kube.client import Object

from .stage import ANSWER_WITHIN, SAME, Stage, service_address
from .why import telling, too_late, why_not_v2, why_not_yet

STARTED_WITHIN = 90  # s, for a copy, as for the pod itself
EDGES = 40  # flights on splits
COPY, BARE = "checker-copy-with-v2", "checker-copy-without-model"
WITH_V2, WITHOUT = "with MODEL=/model/v2", "without the variable MODEL"
# How a container refers to one that it has as a whole, and to one key of it.
REFERS = {"ConfigMap": ("configMapRef", "configMapKeyRef"), "Secret": ("secretRef", "secretKeyRef")}
Held = Mapping[tuple[str, str], Sequence[str]]  # the keys of ConfigMaps and Secrets, by kind and name


@dataclass(frozen=True)
class Other:
    """The copies: what was seen of them, and why."""

    seen: Observation
    why: str


async def other_models(stage: Stage, copy: Copy, bare: Copy) -> Other:
    """Ask the copy with the other model, and if that is right the one without the variable."""
    found = await other_model(stage, copy)
    if not found.seen.ok:
        return found
    usual = await usual_model(stage.lab, bare)
    return found if usual.seen.ok else usual


async def usual_model(lab: Lab, bare: Copy) -> Other:
    """Ask the copy to which no model is named about flights with known values."""
    up = await copy_is_up(lab, bare, WITHOUT)
    if not up.ok:
        why = (
            "the copy differs from your pod by that alone, and its model is then /model/v1; the evidence has its last "
            "lines. What the manifest sets is no default: it may be gone tomorrow"
        )
        return Other(up, why)
    flights = lab.traffic.hidden_rows(60)
    answer = await lab.traffic.post(BARE, "/predict", flights.body, within=ANSWER_WITHIN)
    right = own_values(answer, flights.probabilities("v1"), f"60 flights, in a copy {WITHOUT}", within=SAME)
    if answer.status != 200:
        return Other(right, why_not_yet(answer.status))
    return Other(right, "the variable MODEL names the folder of the model, /model/v1 where it is not set")


async def other_model(stage: Stage, copy: Copy) -> Other:
    """Ask the copy about flights with known values, unusual ones, and ones on the splits."""
    lab = stage.lab
    up = await copy_is_up(lab, copy)
    if not up.ok:
        return Other(up, "the copy differs from your pod by the variable MODEL alone; the evidence has its last lines. "
                         "v2 reads more fields than v1: its file says which")  # fmt: skip
    flights = lab.traffic.hidden_rows(60)
    answer = await lab.traffic.post(COPY, "/predict", flights.body, within=ANSWER_WITHIN)
    what = "60 flights, in a copy with MODEL=/model/v2"
    right = own_values(answer, flights.probabilities("v2"), what, version="v2", within=SAME)
    if answer.status != 200:
        return Other(right, why_not_yet(answer.status))
    if not right.ok:
        return Other(right, why_not_v2("", right.value, flights.probabilities("v1")))
    found = await stage.unusual(await service_address(lab, COPY), "v2", field="temp", count=EDGES)
    expected = "a copy with MODEL=/model/v2 answers with v2's own values"
    if found["wrong"]:
        wrong = [f"{what}: {problem}" for what, problem in found["wrong"]]
        seen = Observation(False, expected, telling(wrong)[:160], evidence=tuple(wrong), timed=too_late(wrong))
        return Other(seen, why_not_v2(telling([what for what, _ in found["wrong"]]), None, ()))
    return Other(Observation(True, expected, f"all {found['sent'] + 1} bodies were answered so"), "")


async def copy_is_up(lab: Lab, copy: Copy, told: str = WITH_V2, *, every: float = 0.5) -> Observation:
    """Wait until the copy says that it is ready; it is asked again after so many seconds."""
    expected = f"a copy of the pod {told} is ready within {STARTED_WITHIN} s"
    said = "no answer"
    async for answer in copy.answers("/readyz", within=STARTED_WITHIN, answer_within=ANSWER_WITHIN, every=every):
        if answer.status == 200:
            return Observation(True, expected, "it is")
        said = answer.shown
    if copy.ended:
        lines = await last_lines(lab, copy.ended, container=failed(copy.ended))
        return Observation(False, expected, "the program ended", evidence=tuple(lines))
    return Observation(False, expected, said, timed=True)


def failed(pod: Object) -> str | None:
    """The first container of a pod that ended with another code than 0, those that come before the others first."""
    states = [each for kind in ("initContainerStatuses", "containerStatuses") for each in pod["status"].get(kind) or []]
    return next(
        (each["name"] for each in states if ((each.get("state") or {}).get("terminated") or {}).get("exitCode")), None
    )


def with_v2(container: Object) -> None:
    """Name the other model to one container."""
    without_model(container)
    container["env"].append({"name": "MODEL", "value": "/model/v2"})


def without_model(container: Object, held: Held | None = None) -> None:
    """Name no model to one container.

    Args:
        held: what it may have its variables from as a whole; what MODEL is in is then given to it key by key.
    """
    own, whole = container.get("env") or [], container.get("envFrom") or []
    keys = {number: key_by_key(each, held or {}) for number, each in enumerate(whole)}
    given = [variable for number in keys for variable in keys[number]]
    container["env"] = [each for each in (*given, *own) if each["name"] != "MODEL"]
    if whole:
        container["envFrom"] = [each for number, each in enumerate(whole) if not keys[number]]


def key_by_key(source: Object, held: Held) -> list[Object]:
    """The variables of a ConfigMap or Secret that a container has as a whole; none where MODEL is not among them."""
    for kind, (whole, one) in REFERS.items():
        name = (source.get(whole) or {}).get("name", "")
        names = {f"{source.get('prefix') or ''}{key}": key for key in held.get((kind, name), ())}
        if "MODEL" in names:
            return [{"name": each, "valueFrom": {one: {"name": name, "key": key}}} for each, key in names.items()]
    return []


async def sources(lab: Lab) -> Held:
    """The keys of the namespace's ConfigMaps and Secrets."""
    return {
        (kind, each["metadata"]["name"]): tuple(each.get("data") or {})
        for kind in REFERS
        for each in await lab.objects.all(kind)
    }
