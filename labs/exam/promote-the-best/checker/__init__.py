"""The checks."""

from mlops_lab.checks import Observation, check, equal_to, expect, observe
from mlops_lab.kit.registry import tags
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .following import follows

D = drawn(Drawn, __file__)


@check(points=3)
async def promotes_the_best(lab: TaskLab) -> None:
    """The alias means the version that has the highest metric of those that were accepted, and nothing else is new."""
    found = await lab.platform.mlflow.versions()
    there = {str(each["version"]): tags(each).get("accepted") for each in found}
    wanted = {str(number): each["accepted"] for number, each in enumerate(D.versions, 1)}
    expect(
        Observation(there == wanted, "the versions as they were, with their tags", f"versions {sorted(there)}")
    ).because("to promote is to let an alias mean a version that is there: no new version, no other tag")
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
    """The Service serves the promoted version, and follows the alias to another one and back, within 15 s each."""
    expect(await follows(lab, D.model, D.alias, (str(D.best), str(D.now), str(D.best)))).because(
        "the server looks at the alias every second, as long as nobody gives it a fixed version; leave it as it was"
    )
