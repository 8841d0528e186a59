"""The checks."""

from mlops_lab.checks import Observation, at_least, check, equal_to, expect, observe
from mlops_lab.kit import deployments
from mlops_lab.kit.answering import must_answer
from mlops_lab.kit.prerequisites import must
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .passenger import answers, counted, was_there_before

D = drawn(Drawn, __file__)
_GOOD, _BAD = D.releases[D.good - 1]["name"], D.releases[-1]["name"]
_ANSWERS = 12  # to be asked for
_LEAVE_IT = "leave the pod as it is: it has asked all the time"


@check(points=2, domains=("ckad/deployment",))
async def serves_the_last_good(lab: TaskLab) -> None:
    """All answers of the Service are the last good release's, from two pods of the Deployment."""
    found = await deployments.exists(lab, D.model, why="it was there when the task began; leave it where it is")
    expect(observe("replicas", found["spec"].get("replicas"), equal_to(2))).because("two pods serve it in the end")
    must(
        await deployments.rolled_out(lab, D.model, pods=2, within=45),
        "kubectl rollout status says what an update waits for",
    )
    must(await deployments.old_pods_gone(lab, D.model, within=30), "pods that end still get requests for some seconds")
    heard = await answers(lab, D.model, _ANSWERS)
    expect(observe("releases that answer", ", ".join(sorted(heard)), equal_to(_GOOD))).because(
        "the release before this one may have been withdrawn, too: MLflow's versions have the verdicts, and kubectl "
        "rollout history the releases"
    )
    await must_answer(lab, D.model, D.model)


@check(points=3, needs=serves_the_last_good, domains=("ckad/deployment",))
async def lost_nothing(lab: TaskLab) -> None:
    """The pod that was there has had an answer to each of its requests, from the bad release and from the good one."""
    must(await was_there_before(lab, D.passenger, _BAD), _LEAVE_IT)
    found = await counted(lab, D.passenger, _GOOD)
    expect(
        Observation(
            found.heard(_BAD) > 0 and found.heard(_GOOD) > 0,
            f"the passenger of before has heard of {_BAD}, and of {_GOOD}",
            found.shown,
        )
    ).because(_LEAVE_IT)
    expect(observe("its requests since then", found.asked, at_least(10))).because(_LEAVE_IT)
    expect(observe("of these it has lost", found.failed, equal_to(0))).because(
        "with the strategy Recreate all pods end before the first new one starts. A strategy can be changed without a "
        "new release: before going back"
    )


@check(points=2)
async def alias_goes_along(lab: TaskLab) -> None:
    """In MLflow the alias `production` means the version of the last good release."""
    meant = (await lab.platform.mlflow.by_alias("production") or {}).get("version")
    expect(observe("the version that production means", meant, equal_to(D.good))).because(
        "who looks into the registry has to find what is served; each version has its release as a tag"
    )
