"""The checks."""

from mlops_lab.checks import Observation, check, expect, holds
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .cards import descriptions, said
from .draw import Drawn

D = drawn(Drawn, __file__)
_NOW = D.versions[D.now - 1]


@check(points=3)
async def says_what_it_is(lab: TaskLab) -> None:
    """The description of the version in service has its run, the last value of its metric, and its training data."""
    mine = said((await descriptions(lab)).get(str(D.now), ""))
    for key, wanted, why in (
        ("run", _NOW["run"], "a version has the id of the run that made it, and a run has a name"),
        ("auc", f"{_NOW['auc'][-1]:.4f}", "a run may log a metric again and again: the last value is what came of it"),
        (
            "trained on", D.trained,
            "the run's inputs have digests; the one whose mlflow.data.context is training is that of a file",
        ),
    ):  # fmt: skip
        seen = mine.get(key, [])
        right = bool(seen) and all(_same(each, wanted) for each in seen)
        expect(
            Observation(right, f"version {D.now}, {key}: {wanted}", f"{key}: {' and '.join(seen) or 'no such line'}")
        ).because(why)


def _same(text: str, wanted: str) -> bool:
    """Is it the same, or the same number?"""
    try:
        return text == wanted or float(text) == float(wanted)
    except ValueError:
        return False


@check(points=1, needs=says_what_it_is)
async def leaves_the_others(lab: TaskLab) -> None:
    """The other versions and the registered model have the descriptions that they had, and nothing is new."""
    found = await descriptions(lab)
    found.pop(str(D.now), None)
    was = {str(number): each["said"] for number, each in enumerate(D.versions, 1) if number != D.now}
    other = sorted(number for number in {*found, *was} if found.get(number) != was.get(number))
    expect(holds(not other, "the other versions as they were", f"version {', '.join(other)} is another one")).because(
        "a card is about one version: what it says is not true of the others"
    )
    model = (await lab.platform.mlflow.ask("GET", "registered-models/get", name=lab.namespace))["registered_model"]
    about = str(model.get("description", ""))
    expect(holds(about == D.purpose, "the registered model's as it was", f"{about[:80]!r}")).because(
        "the registered model's description is about all its versions"
    )
