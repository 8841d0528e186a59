"""Which of the two given servers is to answer, and the values that its model gives.

The forest's are those that training wrote down. The network's are computed in a pod of the checker's, with its image.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from mlops_lab.checks import Lab, LabError, Observation, at_most, observe
from mlops_lab.kit.given import must_be_given
from mlops_lab.kit.predictions import Predictions
from mlops_lab.measure.traffic.flights import HiddenRows, difference, numbers

HERE = Path(__file__).parent
START = HERE.parent / "start"
FOREST, NETWORK = "flight-delay:v1", "flight-delay-pytorch:v1"
COMPUTED_WITHIN = 90  # s, the pod's start among them
APART = 0.05  # between the largest and the smallest of 50 flights: less is no model of them


async def image(lab: Lab) -> str:
    """The given image that Deployment `model` is to run: the network's where it names that, else the forest's."""
    spec = (await lab.objects.deployment("model").present())["spec"]["template"]["spec"]
    return NETWORK if spec["containers"][0]["image"] == f"{lab.platform.registry}/{NETWORK}" else FOREST


async def values(lab: Lab, answered: Predictions, *, within: float) -> Observation:
    """Whether the probabilities are the own ones of the model in the Deployment's image."""
    what = "largest difference from the model's own values"
    if await image(lab) == FOREST:
        return answered.values("v1", within, what)
    wanted = await of_the_network(lab, answered.hidden)
    apart = difference(answered.answer.fields().get("probabilities"), wanted)
    return observe(what, apart, at_most(within), timed=False)


async def of_the_network(lab: Lab, hidden: HiddenRows) -> list[float]:
    """The probabilities of hidden flights by the network in its image.

    Raises:
        LabError: the image has none that can be asked.
    """
    files = {"values.py": (HERE / "values.py").read_text(), "rows.json": json.dumps([*map(dict, hidden.rows)])}
    output = await lab.programs.run(NETWORK, "python3", "/checker/values.py", files=files, within=COMPUTED_WITHIN)
    found = numbers(output.json().get("probabilities"))
    if found is None or len(found) != len(hidden.rows) or max(found) - min(found) < APART:
        hint = f"bring it again: lab images push {lab.platform.registry} mlops-lab/{NETWORK}"
        raise LabError(f"the image {NETWORK} has not the network that it was built with", hint, output.text)
    return found


async def must_be_a_given_one(lab: Lab, *, why: str) -> None:
    """The given server runs in all pods, with the one model or the other; raises as `must_be_given`."""
    with tempfile.TemporaryDirectory(prefix="mlops-lab-") as folder:
        text = (START / "model.yaml").read_text(encoding="utf-8").replace(f"/{FOREST}", f"/{await image(lab)}")
        (Path(folder) / "model.yaml").write_text(text, encoding="utf-8")
        await must_be_given(lab, Path(folder), why=why)
