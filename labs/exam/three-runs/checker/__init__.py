"""The checks."""

from pathlib import Path

from mlops_lab.checks import Lab, Observation, check, equal_to, expect, holds, observe
from mlops_lab.cluster.names import REGISTRY_PREFIX
from mlops_lab.kit import presence
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.texts import lines_of
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn, played
from .trained import METRICS, Trained, trained

D = drawn(Drawn, __file__)
_PROGRAM = "train.py"
_GIVEN = Path(__file__).parents[1] / "start" / _PROGRAM
_BEST = max(D.rates, key=lambda rate: played(D.salt, "auc", rate, D.depth))


async def runs(lab: Lab) -> dict[float, Trained]:
    """The candidate's runs, by their rate."""
    assert isinstance(lab, TaskLab)
    return {rate: await trained(lab, rate, D.depth) for rate in D.rates}


@check(points=2)
async def ran_three_times(lab: TaskLab) -> None:
    """For each rate a run with the wanted depth has succeeded, and has logged what the given program logs.

    That program is in the folder as it was given.
    """
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
    must(program_stays(lab), "the program is right as it is; what starts the runs is another one")


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


def program_stays(lab: TaskLab) -> Observation:
    """Has the candidate's program the lines of the given one, but for spaces around them and empty ones?"""
    given = _GIVEN.read_text(encoding="utf-8").replace(f"{REGISTRY_PREFIX}/", f"{lab.platform.registry}/")
    wanted = [line.strip() for line in given.splitlines() if line.strip()]
    now = lines_of(lab, _PROGRAM, "it was there, and stays")
    other = [each for each in now if each not in wanted]
    said = f"another line, {other[0][:80]!r}" if other else "lines are missing, or in another order"
    return holds(now == wanted, f"{_PROGRAM} as it was given", said)
