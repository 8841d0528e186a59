"""The models of this run of the checks: what each gives for the hidden flights, and what Service `model` answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.drawn import drawn
from mlops_lab.kube.client import Object
from mlops_lab.measure.services.rest import RefusedRequest
from mlops_lab.measure.traffic.flights import difference
from mlops_lab.measure.traffic.http import Answer

# Version 1, as start/seed.yaml makes it; a test compares them.
FIRST: Object = {"name": "january", "day": "2013-01-08", "trees": 8, "seed": 9, "cut": 0, "bare": False}
TAG = "mlops-lab.candidate"  # of the runs that the checker has made
MONTHS = ("february", "march", "april", "may", "june", "july", "august", "september", "october", "november")
ROWS, HIDDEN = 20, 500
MADE_WITHIN = 180  # s for models to be made in a pod
REQUESTS = 4  # in a row, for the values of all pods
SAME = 1e-6  # the largest difference of a probability that is still the same

Answered = Sequence[tuple[str, Any]]  # version and probabilities of each answer


@dataclass(frozen=True)
class Run:
    """A run: its name and id, the digest of its data, what its model gives for the hidden flights."""

    name: str
    run_id: str
    digest: str
    values: list[float]


@dataclass(frozen=True)
class Candidates:
    """The runs that are promoted: the next one, one whose model can't be loaded, one more, the last one.

    And `bare`, one that has logged no model, and `extra`, which is rolled back while a pod is cut off.
    """

    next: Run
    broken: Run
    more: Run
    last: Run
    bare: Run
    extra: Run


def flights(lab: Lab) -> list[Mapping[str, Any]]:
    """The hidden flights that this run asks about."""
    return drawn(lab, "flights").sample(list(lab.traffic.hidden_rows(HIDDEN).rows), ROWS)


async def first_values(lab: Lab) -> list[float]:
    """What version 1 gives, made anew: what lies in MLflow may have been changed since."""
    values: list[float] = (await made(lab, [FIRST], logged=False))[FIRST["name"]]["values"]
    return values


async def candidates(lab: Lab) -> Candidates:
    """Six runs like those of the lab, with names, days and models that are drawn. `forgotten` takes them back."""
    await forgotten(lab)
    wanted = draw(lab)
    found = await made(lab, wanted, logged=True)
    return Candidates(
        *(
            Run(
                each["name"],
                found[each["name"]]["run_id"],
                found[each["name"]]["digest"],
                found[each["name"]]["values"],
            )
            for each in wanted
        )
    )


def draw(lab: Lab) -> list[Object]:
    """What the next, the broken and the others are made of; their months tell nothing of which is which."""
    random = drawn(lab, "candidates")
    months = random.sample(range(2, 2 + len(MONTHS)), 6)
    return [
        {
            "name": f"{MONTHS[month - 2]}-{random.randrange(100, 1000)}",
            "day": str(date(2013, month, 1) + timedelta(random.randrange(26))),
            "trees": random.randint(6, 10),
            "seed": random.randrange(2**31),
            "cut": round(random.uniform(0.2, 0.9), 2) if place == 1 else 0,
            "bare": place == 4,
        }
        for place, month in enumerate(months)
    ]


async def made(lab: Lab, wanted: Sequence[Object], *, logged: bool) -> dict[str, Any]:
    """Make models in a pod of the checker's; see candidates.py."""
    files = {
        "candidates.py": Path(__file__).with_name("candidates.py").read_text(), "rows.json": json.dumps(flights(lab)),
    }  # fmt: skip
    output = await lab.programs.run(
        "components:1", "python3", "/checker/candidates.py", files=files,
        env={"MODELS": json.dumps(list(wanted)), "LOGGED": json.dumps(logged)}, within=MADE_WITHIN,
    )  # fmt: skip
    return output.json()


async def forgotten(lab: Lab) -> None:
    """Delete the runs that the checker has made, also those of a check that was cut off, with their models."""
    mlflow = lab.platform.mlflow
    mine = {
        run["info"]["run_id"]
        for run in await mlflow.runs()
        if any(each["key"] == TAG for each in run["data"].get("tags", []))
    }
    if not mine:
        return
    for each in await mlflow.logged_models():
        if each["info"].get("source_run_id") in mine:
            await gone(lab, "DELETE", f"logged-models/{each['info']['model_id']}", {})
    for run_id in mine:
        await gone(lab, "POST", "runs/delete", {"run_id": run_id})


async def gone(lab: Lab, method: str, path: str, body: Object) -> None:
    """Delete something that may have been deleted meanwhile."""
    try:
        await lab.platform.mlflow.ask(method, path, body)
    except RefusedRequest as refused:
        if refused.status != 404 and "RESOURCE_DOES_NOT_EXIST" not in refused.body:
            raise


async def ask(lab: Lab) -> Answer:
    """What the Service answers for the hidden flights."""
    return await lab.traffic.post("model", "/predict", {"rows": flights(lab)}, within=5)


async def answers(lab: Lab) -> Answered:
    """What it answers several times in a row."""
    found = []
    for _ in range(REQUESTS):
        answer = await ask(lab)
        fields = answer.fields_if_any if answer.status == 200 else {}
        found.append((str(fields.get("model_version") or ""), fields.get("probabilities")))
    return found


async def by_all_pods(lab: Lab) -> Answered:
    """So many answers that each pod has given some: with three, one gives none of 32 once in some 400,000 times."""
    return [each for _ in range(8) for each in await answers(lab)]


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


async def aliases(lab: Lab) -> dict[str, str]:
    """All aliases of the registered model, with their versions."""
    mlflow = lab.platform.mlflow
    answer = await mlflow.ask("GET", "registered-models/get", name=mlflow.name)
    return {each["alias"]: str(each["version"]) for each in answer["registered_model"].get("aliases") or []}
