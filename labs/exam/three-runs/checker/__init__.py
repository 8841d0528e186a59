"""The checks."""

from mlops_lab.checks import Lab, Observation, check, equal_to, expect, holds, observe
from mlops_lab.kit import presence
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn, played
from .trained import METRICS, Trained, trained

D = drawn(Drawn, __file__)
_BEST = max(D.rates, key=lambda rate: played(D.salt, "auc", rate, D.depth))


async def runs(lab: Lab) -> dict[float, Trained]:
    """The candidate's runs, by their rate."""
    assert isinstance(lab, TaskLab)
    return {rate: await trained(lab, rate, D.depth) for rate in D.rates}


@check(points=2)
async def ran_three_times(lab: TaskLab) -> None:
    """For each rate a run with the wanted depth has succeeded, and has logged what the given program logs."""
    for rate, each in (await lab.once(runs)).items():
        expect(each.ended).because(
            "a parameter that is not given has its default; kfp run create --experiment-name ... --package-file "
            "train.yaml rate=... depth=... gives both, and names the experiment"
        )
        wanted = {name: played(D.salt, name, rate, D.depth) for name in METRICS}
        logged = {name: each.logged.get(name) for name in METRICS}
        expect(Observation(logged == wanted, f"it has logged {wanted}", f"it has logged {logged}")).because(
            "the program stays as it is, and says how good each model is"
        )


@check(points=2, needs=ran_three_times)
async def names_the_best(lab: TaskLab) -> None:
    """The ConfigMap has the id, the rate and the auc of the run that is the best on later days."""
    found = await presence.exists(lab, "ConfigMap", D.record, "kubectl create configmap makes it", others=True)
    said = found.get("data") or {}
    best = (await lab.once(runs))[_BEST]
    why = "auc is what counts: a model that knows its own days by heart has a high auc_training"
    expect(observe("rate", said.get("rate"), equal_to(_BEST))).because(why)
    run_id = str(said.get("run_id", "none")).strip()  # a file that it was made from may end with a newline
    expect(holds(run_id in best.ids, "run_id: that run's", f"run_id: {run_id}")).because(
        "each run has an id, which its page and kfp run list show; names of runs may be the same"
    )
    expect(observe("auc", said.get("auc"), equal_to(best.logged["auc"]))).because("it is the metric that was logged")
