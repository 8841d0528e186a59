"""The checks."""

from mlops_lab.checks import Lab, check, equal_to, expect, holds, observe
from mlops_lab.kit import presence
from mlops_lab.kit.registry import tags
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_DIGEST = D.versions[D.served - 1]["training"]
_TAG = "data.digest"


async def record(lab: Lab) -> Object:
    """What the ConfigMap says, without the newline that is at the end of a file."""
    found = await presence.exists(lab, "ConfigMap", D.record, "kubectl create configmap makes it", others=True)
    return {key: value.strip() for key, value in (found.get("data") or {}).items()}


@check(points=3)
async def says_what_made_it(lab: TaskLab) -> None:
    """The ConfigMap has the version in service, the run that made it, and the digest of its training data."""
    said = await lab.once(record)
    expect(observe("version", said.get("version"), equal_to(str(D.served)))).because(
        "the version in service is the one that the alias means, which need not be the newest"
    )
    run = {str(each["version"]): each.get("run_id") for each in await lab.platform.mlflow.versions()}
    expect(observe("run_id", said.get("run_id"), equal_to(run.get(str(D.served))))).because(
        "a version has the id of the run that made it; runs with the same name are others"
    )
    expect(holds(said.get("digest") == _DIGEST, f"digest {_DIGEST}", f"digest {said.get('digest')}")).because(
        "a run may have several data sets as inputs: the tag mlflow.data.context of each says what it was used for"
    )


@check(points=1)
async def version_tells_by_itself(lab: TaskLab) -> None:
    """In MLflow the version in service has the tag `data.digest` with that digest, and no other version has one."""
    found = {str(each["version"]): tags(each).get(_TAG) for each in await lab.platform.mlflow.versions()}
    mine = found.pop(str(D.served), None)
    expect(
        holds(mine == _DIGEST, f"version {D.served}: {_TAG}={_DIGEST}", f"version {D.served}: {_TAG}={mine}")
    ).because("tags of a version are its own; those of its run, or of the registered model, are others")
    told = [number for number, digest in found.items() if digest is not None]
    expect(holds(not told, f"no other version has {_TAG}", f"version {', '.join(told)} has it, too")).because(
        "the others were made of other data, or it was not asked"
    )


@check(points=2)
async def names_what_is_recalled(lab: TaskLab) -> None:
    """The ConfigMap names the versions that were trained on the recalled data, and no others."""
    said = await lab.once(record)
    shown = said.get("recalled")
    expect(holds(shown == D.affected, f"recalled: {D.affected}", f"recalled: {shown}")).because(
        "each version's run says what it was trained on; what a model was only evaluated with is not in it"
    )
