"""The checks."""

from mlops_lab.checks import check, expect
from mlops_lab.kit.prerequisites import must
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from . import trials
from .draw import Drawn

D = drawn(Drawn, __file__)


@check(points=3, owns="the nodes' label", domains=("cka/workloads-and-scheduling",))
async def runs_only_where_the_label_is(lab: TaskLab) -> None:
    """Pods of the first Deployment run where the label is; a new one waits while no node has it, and follows it.

    Whether a node with a value that none has now would do is read from the template.
    """
    await trials.placed(lab, D.fixed)
    must(await trials.nodes_as_they_were(lab), "nodes are shared with others, and were not to be changed")
    expect(await trials.on_labelled_nodes(lab)).because(
        "a pod runs on any node that has room, unless its template says which"
    )
    async with trials.label_taken_away(lab) as nodes:
        expect(await trials.new_one_waits(lab)).because(
            "preferred means: there if possible, else elsewhere; and a rule that names a node, or another label, does "
            "not see this one"
        )
        expect(await trials.follows_the_label(lab, nodes)).because(
            "the rule is to be about the label, and about no node in particular"
        )
    expect(await trials.takes_no_other(lab)).because(
        "In takes each value that it lists, Exists and NotIn take values of which nobody has thought; and of several "
        "nodeSelectorTerms one is enough"
    )


@check(points=3, owns="both Deployments and the label", domains=("cka/workloads-and-scheduling",))
async def keeps_away_from_the_other(lab: TaskLab) -> None:
    """Pods of the second Deployment run on nodes without a pod of the first; a new one waits until there is one."""
    await trials.placed(lab, D.shy)
    expect(await trials.apart(lab)).because(
        "a pod is placed where there is room, whoever else is there, unless its template says beside whom it can't be"
    )
    for seen in await trials.while_they_are_everywhere(lab):
        expect(seen).because(
            "it is to keep away from pods, whatever node they are on and whatever labels that has: with the "
            "topologyKey kubernetes.io/hostname each node is for itself; and preferred is no more than a wish"
        )
