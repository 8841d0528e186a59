"""The checks."""

import asyncio
import json
from pathlib import Path

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import deployments, presence
from mlops_lab.kit.given import in_manifests
from mlops_lab.kit.pods import made_by
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.unchanged import ROLLOUT, unchanged
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"
_FREE = (*ROLLOUT, "template.metadata.labels.pod-template-hash")  # what is in no template, or a ReplicaSet's
_PODS, _REQUESTS = 2, 10
_ROLLED_OUT_WITHIN, _KEPT_WITHIN = 40, 10  # s
_CAUSE, _REVISION = "kubernetes.io/change-cause", "deployment.kubernetes.io/revision"
_GOOD = {
    "RELEASE": D.releases[D.good - 1],
    "LIMIT": str(D.limit),
    "COLOUR": D.colours[D.good - 1],
    "MODE": D.modes[D.good - 1],
}
_DOMAINS = ("cka/workloads-and-scheduling", "ckad/deployment")


@check(points=3, domains=_DOMAINS)
async def answers_as_that_revision_did(lab: TaskLab) -> None:
    """Both pods are up to date and ready, of the wanted revision's template, and answer with all its settings."""
    found = await presence.exists(lab, "Deployment", D.app, "it was there; kubectl rollout works on it")
    wanted = found["spec"].get("replicas", 1)
    must(holds(wanted == _PODS, f"{_PODS} pods are wanted", f"{wanted} are"), "it had two pods, and was to keep them")
    variables = found["spec"]["template"]["spec"]["containers"][0].get("env") or []
    limit = next((each.get("value") for each in variables if each["name"] == "LIMIT"), "none")
    must(
        observe("LIMIT in the newest template", limit, equal_to(str(D.limit))),
        "kubectl rollout history --revision=N shows what a revision has in its template",
    )
    must(
        await unchanged(lab, _START, "Deployment", D.app, given=_as_it_was(), free=_FREE),
        "a revision is a whole template, with image, command, variables and probe: bring back all of it, and no more",
    )
    must(
        await deployments.rolled_out(lab, D.app, pods=_PODS, within=_ROLLED_OUT_WITHIN),
        "while pods of a new revision don't get ready, those of the one before stay: kubectl rollout status waits",
    )
    must(await deployments.old_pods_gone(lab, D.app, within=_ROLLED_OUT_WITHIN), "old pods still answer")
    await lab.traffic.first_answer(lambda: lab.traffic.get(D.app, "/"), within=_KEPT_WITHIN)
    answers = await asyncio.gather(*(lab.traffic.get(D.app, "/") for _ in range(_REQUESTS)))
    said = [dict(each.fields_if_any) if each.status == 200 else {"no answer": each.shown} for each in answers]
    others = sorted({json.dumps(each) for each in said if each != _GOOD})
    right = f"{_REQUESTS} answers, all with the settings of that revision: {json.dumps(_GOOD)}"
    expect(holds(not others, right, f"others: {'; '.join(others)[:300]}")).because(
        "a revision is a whole template, which its ReplicaSet still has (kubectl rollout history --revision=N); one "
        "setting of it alone is not that revision"
    )


@check(points=1, needs=answers_as_that_revision_did, domains=_DOMAINS)
async def says_why(lab: TaskLab) -> None:
    """The history says the wanted change cause at the revision that runs now."""

    async def cause() -> str:
        return str(((await _newest(lab))["metadata"].get("annotations") or {}).get(_CAUSE, "none"))

    seen = await lab.time.eventually(
        cause, lambda it: it == D.cause, expected=f"the change cause {D.cause!r}", shown=lambda it: it, within=5
    )
    expect(holds(seen.ok, f"the change cause is {D.cause!r}", f"it is {seen.value!r}")).because(
        "the Deployment's annotation is copied to the ReplicaSet of its newest revision; an undo brings back the "
        "annotation of the revision that it goes back to"
    )


@check(points=1, needs=answers_as_that_revision_did, domains=_DOMAINS)
async def keeps_few_revisions(lab: TaskLab) -> None:
    """The Deployment keeps as many old ReplicaSets as was wanted."""
    found = await lab.objects.deployment(D.app).present()
    expect(observe("revisionHistoryLimit", found["spec"].get("revisionHistoryLimit", 10), equal_to(D.keep))).because(
        "it keeps ten old ReplicaSets unless it is told how many; each is a revision that it can go back to"
    )
    seen = await lab.time.eventually(
        lambda: _sets(lab), lambda sets: len(sets) == D.keep + 1, expected=f"{D.keep} old ReplicaSets",
        shown=lambda sets: f"{len(sets) - 1} old ReplicaSets", within=_KEPT_WITHIN,
    )  # fmt: skip
    expect(seen).because("old ones are deleted when the rollout is complete")


def _as_it_was() -> Object:
    """The Deployment with the template of the wanted revision."""
    found = in_manifests(_START, "Deployment", D.app)
    (web,) = found["spec"]["template"]["spec"]["containers"]
    web["command"][-1] = _GOOD["MODE"]
    web["env"] = [{"name": name, "value": value} for name, value in _GOOD.items() if name != "MODE"]
    return found


async def _sets(lab: TaskLab) -> list[Object]:
    """The Deployment's ReplicaSets."""
    deployment = await lab.objects.deployment(D.app).present()
    return [each for each in await lab.objects.all("ReplicaSet") if made_by(each, deployment)]


async def _newest(lab: TaskLab) -> Object:
    """The ReplicaSet of the revision that runs."""
    sets = await _sets(lab)
    return max(sets, key=lambda it: int((it["metadata"].get("annotations") or {}).get(_REVISION, 0)))
