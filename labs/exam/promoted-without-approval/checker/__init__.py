"""The checks."""

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import presence
from mlops_lab.kit.registry import tags
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_MARK = "withdrawn"


@check(points=3)
async def serves_what_is_approved(lab: TaskLab) -> None:
    """The alias means the newest version that is approved; the versions are those that were there, with their tags."""
    found = {str(each["version"]): tags(each) for each in await lab.platform.mlflow.versions()}
    now = {
        number: {key: value for key, value in own.items() if key != _MARK and not key.startswith("mlflow.")}
        for number, own in found.items()
    }
    was = {str(number): own for number, own in enumerate(D.versions, 1)}
    other = sorted(number for number in {*now, *was} if now.get(number) != was.get(number))
    expect(
        holds(not other, "the versions as they were, with their tags", f"version {', '.join(other)} is another one")
    ).because(
        "who trained and who approved a version is what the rule goes by: whoever writes that anew approves by "
        "himself. The only tag that was wanted is withdrawn"
    )
    meant = (await lab.platform.mlflow.by_alias(D.alias) or {}).get("version")
    expect(observe(f"the version that {D.alias} means", meant, equal_to(D.best))).because(
        "an approval counts if it is a reviewer's, and not the one's who trained the version"
    )


@check(points=1)
async def marks_what_was_withdrawn(lab: TaskLab) -> None:
    """The version that was in service has the tag `withdrawn` with its value, and no other version has one."""
    found = {str(each["version"]): tags(each).get(_MARK) for each in await lab.platform.mlflow.versions()}
    mine = found.pop(str(D.now), None)
    expect(holds(mine == D.reason, f"version {D.now}: {_MARK}={D.reason}", f"version {D.now}: {_MARK}={mine}")).because(
        "model-versions/set-tag gives a version a tag; those of the registered model are others"
    )
    told = sorted(number for number, value in found.items() if value is not None)
    expect(holds(not told, f"no other version has {_MARK}", f"version {', '.join(told)} has it, too")).because(
        "the tag says what was in service and is no longer; the others were not"
    )


@check(points=2)
async def names_all_that_are_not_approved(lab: TaskLab) -> None:
    """The ConfigMap has the numbers of all versions that are not approved, and no others."""
    found = await presence.exists(lab, "ConfigMap", D.record, "kubectl create configmap makes it", others=True)
    said = str((found.get("data") or {}).get("unapproved", "")).strip()  # a file's content ends with the line's end
    expect(holds(said == D.unapproved, f"unapproved: {D.unapproved}", f"unapproved: {said}")).because(
        "three kinds are not approved: by nobody, by somebody who is no reviewer, and by the one who trained it"
    )
