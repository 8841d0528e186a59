"""The checks."""

from pathlib import Path

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.registry import tags
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .following import follows

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"
_NO_STAGE = "None"


def said_of(version: Object) -> dict[str, str]:
    """A version's tags, its description and its stage, but for tags that MLflow writes itself."""
    own = {key: value for key, value in tags(version).items() if not key.startswith("mlflow.")}
    more = {"its description": version.get("description"), "its stage": version.get("current_stage")}
    return {**own, **{key: str(value) for key, value in more.items() if value and value != _NO_STAGE}}


@check(points=3)
async def promotes_the_best(lab: TaskLab) -> None:
    """The alias means the version that has the highest metric of those that were accepted, and nothing else is new."""
    there = {str(each["version"]): said_of(each) for each in await lab.platform.mlflow.versions()}
    wanted = {str(number): {"accepted": each["accepted"]} for number, each in enumerate(D.versions, 1)}
    other = sorted(number for number in {*there, *wanted} if there.get(number) != wanted.get(number))
    seen = "; ".join(f"version {number}: {there.get(number, 'there is none')}" for number in other)
    expect(holds(not other, "the versions as they were, with their tags", seen)).because(
        "to promote is to let an alias mean a version that is there: no new version, no other tag, no stage"
    )
    meant = (await lab.platform.mlflow.by_alias(D.alias) or {}).get("version")
    expect(observe(f"the version that {D.alias} means", meant, equal_to(D.best))).because(
        "each version's run has the metric, and the version itself says whether it was accepted"
    )


@check(points=1, needs=promotes_the_best)
async def remembers_the_one_before(lab: TaskLab) -> None:
    """The alias `previous` means the version that was in service when the task began."""
    meant = (await lab.platform.mlflow.by_alias("previous") or {}).get("version")
    expect(observe("the version that previous means", meant, equal_to(D.now))).because(
        "who has to go back in the night needs no list of what was when"
    )


@check(points=2, needs=promotes_the_best, owns="the alias")
async def is_followed(lab: TaskLab) -> None:
    """The Service, its Deployment as it was, serves the promoted version, and follows the alias within 15 s."""
    must(
        await unchanged(lab, _START, "Deployment", D.model),
        "the server follows the alias by itself, so nothing of its Deployment has to change",
    )
    expect(await follows(lab, D.model, D.alias, (str(D.best), str(D.now), str(D.best)))).because(
        "the server looks at the alias every second, as long as nobody gives it a fixed version; leave it as it was"
    )
