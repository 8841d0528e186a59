"""The models of the lab's runs: their own values for the hidden flights, and what Service `model` answers for these."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_lab.checks import Lab, Observation, equal_to, expect, observe
from mlops_lab.measure.traffic.flights import difference
from mlops_lab.measure.traffic.http import Answer

# The runs of start/seed.yaml, as the story has them.
FIRST, NEXT, BROKEN, LAST = "january", "february", "april", "march"
ROWS = 20
SCORED_WITHIN = 120  # s for the models to be loaded in a pod
REQUESTS = 4  # in a row, for the values of all pods
SAME = 1e-6  # the largest difference of a probability that is still the same

Answered = Sequence[tuple[str, Any]]  # version and probabilities of each answer


@dataclass(frozen=True)
class Run:
    """One of the runs: its id, the digest of its data, what its model gives for the hidden flights."""

    run_id: str
    digest: str
    values: list[float]


async def scored(lab: Lab) -> dict[str, Run]:
    """The runs by name; their models are loaded by the checker itself, all but the broken one."""
    runs = await lab.platform.mlflow.runs("attributes.status = 'FINISHED'")
    # Another run of such a name, made by hand, has no data set.
    known = {each["info"].get("run_name"): each for each in runs if each.get("inputs", {}).get("dataset_inputs")}
    names = {FIRST, NEXT, BROKEN, LAST}
    gone = ", ".join(sorted(names - set(known))) or "none"
    expect(observe("runs of this lab that MLflow has lost", gone, equal_to("none"))).because(
        "the lab's runs are what is promoted; lab reset makes them again"
    )
    loaded = [known[name]["info"]["run_id"] for name in sorted(names - {BROKEN})]
    files = {
        "score.py": Path(__file__).with_name("score.py").read_text(),
        "rows.json": json.dumps(lab.traffic.hidden_rows(ROWS).body["rows"]),
    }
    output = await lab.programs.run(
        "components:1", "python3", "/checker/score.py", *loaded, files=files, within=SCORED_WITHIN
    )
    values = output.json()
    return {
        name: Run(
            each["info"]["run_id"],
            each["inputs"]["dataset_inputs"][0]["dataset"]["digest"],
            values.get(each["info"]["run_id"], []),
        )
        for name, each in known.items()
        if name in names
    }


async def ask(lab: Lab) -> Answer:
    """What the Service answers for the hidden flights."""
    return await lab.traffic.post("model", "/predict", lab.traffic.hidden_rows(ROWS).body, within=5)


async def answers(lab: Lab) -> Answered:
    """What it answers several times in a row."""
    found = []
    for _ in range(REQUESTS):
        answer = await ask(lab)
        fields = answer.fields_if_any if answer.status == 200 else {}
        found.append((str(fields.get("model_version") or ""), fields.get("probabilities")))
    return found


def right(answered: Answered, version: str, values: Sequence[float]) -> Observation:
    """Whether all answers are of the version, with the values."""
    apart = furthest(answered, values)
    seen = ", ".join(sorted({each or "none" for each, _ in answered})) or "none"
    return Observation(
        apart <= SAME and seen == version,
        f"answers of version {version} with its run's own values, to 1e-6",
        f"of version {seen}, {apart:.2g} apart",
        apart,
    )


def furthest(answered: Answered, values: Sequence[float]) -> float:
    """The largest difference of any answer from the values; 1 if one holds other than as many numbers."""
    apart = [difference(given, values) for _, given in answered]
    return max((1.0 if each is None else each for each in apart), default=1.0)
