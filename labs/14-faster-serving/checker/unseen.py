"""A copy of the learner's pod with a model that nobody has seen: whoever knows v1 and v2 by heart can't serve it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.copies import Copy, copied
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.probabilities import own_values
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.flights import HiddenRows

from .other_model import Other, copy_is_up, without_model
from .stage import ANSWER_WITHIN, SAME, Stage, service_address
from .why import REMEMBERED, UNSEEN_NOT_UP, UNSEEN_OTHER_VALUES, telling, too_late, why_not_yet

UNSEEN = "checker-copy-with-unseen-model"
VOLUME = "checker-unseen-model"
FLIGHTS = 60
SOON = 0.2  # s


@dataclass(frozen=True)
class Unseen:
    """The model: the version that its metadata.json names, the folder where a copy finds it, and its files in base64.

    The folder's name is not the version's.
    """

    version: str
    folder: str
    files: Mapping[str, str]

    def shown_to(self, container: Object) -> None:
        """Put the model into one container, and name it."""
        without_model(container)
        container["env"].append({"name": "MODEL", "value": self.folder})
        # File by file: a ConfigMap that is mounted as a whole has entries of the kubelet's, too, such as `..data`.
        mounts = [
            {"name": VOLUME, "mountPath": f"{self.folder}/{file}", "subPath": file, "readOnly": True}
            for file in self.files
        ]
        container["volumeMounts"] = [*(container.get("volumeMounts") or []), *mounts]

    @property
    def config_map(self) -> Object:
        """The object that has the files."""
        metadata = {"name": UNSEEN, "labels": {"mlops-lab/checker": "copy"}}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "binaryData": dict(self.files)}


async def unseen(stage: Stage) -> Unseen:
    """Have the crowd's program make a model, which it knows by its version from then on."""
    draw = drawn(stage.lab, "unseen model")
    version, folder = f"v{draw.randrange(3, 1000)}", f"/model/of-{draw.randrange(1000, 10000)}"
    made = await stage.ask("make", version=version, seed=draw.randrange(2**31))
    return Unseen(version, folder, made["files"])


@contextlib.asynccontextmanager
async def copied_with(lab: Lab, model: Unseen) -> AsyncIterator[Copy]:
    """A copy of the pod that serves this model, while the block runs."""
    volume = {"name": VOLUME, "configMap": {"name": UNSEEN}}
    async with copied(lab, UNSEEN, change=model.shown_to, volumes=[volume], beside=[model.config_map]) as copy:
        yield copy


async def unseen_model(stage: Stage) -> Other:
    """Start the copy, and ask it about flights with known values, and about unusual ones."""
    model = await unseen(stage)
    flights = stage.lab.traffic.hidden_rows(FLIGHTS)
    own = (await stage.ask("values", version=model.version, rows=list(flights.rows)))["probabilities"]
    told = f"with MODEL={model.folder}, a model that nobody has seen,"
    async with copied_with(stage.lab, model) as copy:
        up = await copy_is_up(stage.lab, copy, told, every=SOON)  # and what says so is asked at once
        return await answers(stage, model, flights, own) if up.ok else Other(up, UNSEEN_NOT_UP)


async def answers(stage: Stage, model: Unseen, flights: HiddenRows, own: Sequence[float]) -> Other:
    """What a copy that has just said that it is ready answers about flights, and about unusual ones."""
    answer = await stage.lab.traffic.post(UNSEEN, "/predict", flights.body, within=ANSWER_WITHIN)
    what = f"{FLIGHTS} flights, in a copy with a model that nobody has seen"
    right = own_values(answer, own, what, version=model.version, within=SAME)
    if answer.status != 200:
        return Other(right, why_not_yet(answer.status))
    if not right.ok:
        return Other(right, UNSEEN_OTHER_VALUES)
    found = await stage.unusual(await service_address(stage.lab, UNSEEN), model.version)
    wrong = [f"{what}: {problem}" for what, problem in found["wrong"]]
    expected = "a copy with a model that nobody has seen answers with that model's own values"
    shown = telling(wrong)[:160] if wrong else f"all {found['sent'] + 1} bodies were answered so"
    why = REMEMBERED if "that differ" in telling(wrong) else UNSEEN_OTHER_VALUES
    seen = Observation(not wrong, expected, shown, evidence=tuple(wrong), timed=too_late(wrong))
    return Other(seen, why if wrong else "")
