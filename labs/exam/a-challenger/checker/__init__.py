"""The checks."""

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit.registry import tags
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_TAG = "compared.with"


@check(points=3)
async def names_the_challenger(lab: TaskLab) -> None:
    """The alias means the best version that can be compared and is quick enough; the champion's has stayed."""
    there = sorted(int(each["version"]) for each in await lab.platform.mlflow.versions())
    seen = f"versions {', '.join(map(str, there))}"
    expect(holds(there == [*range(1, len(D.versions) + 1)], "the versions as they were", seen)).because(
        "an alias means a version that is there: nothing new, and nothing less"
    )
    champion = (await lab.platform.mlflow.by_alias(D.served) or {}).get("version")
    expect(observe(f"the version that {D.served} means", champion, equal_to(D.champion))).because(
        "nothing is promoted yet: the challenger is to be tried beside the champion"
    )
    meant = (await lab.platform.mlflow.by_alias(D.tried) or {}).get("version")
    expect(observe(f"the version that {D.tried} means", meant, equal_to(D.challenger))).because(
        "metrics of two models say which is better only if they were computed with the same data, which the digest of "
        "a data set tells; and of those that are left, only what is quick enough is of use"
    )


@check(points=1, needs=names_the_challenger)
async def says_what_it_was_compared_with(lab: TaskLab) -> None:
    """The challenger's version has the tag `compared.with`, and no other version has it."""
    found = {int(each["version"]): tags(each).get(_TAG) for each in await lab.platform.mlflow.versions()}
    mine = found.pop(D.challenger, None)
    expect(holds(mine == str(D.champion), f"version {D.challenger}: {_TAG}={D.champion}", f"{_TAG}={mine}")).because(
        "tags of a version are its own; those of its run, or of the registered model, are others"
    )
    told = sorted(number for number, value in found.items() if value is not None)
    expect(holds(not told, f"no other version has {_TAG}", f"version {', '.join(map(str, told))} has it, too")).because(
        "it says of one version what it is measured by"
    )
