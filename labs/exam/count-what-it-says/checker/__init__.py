"""The checks."""

from typing import Any

from mlops_lab.checks import Observation, check, equal_to, expect, is_ready, observe
from mlops_lab.kit import deployments, inside
from mlops_lab.kit.pods import leaving, name
from mlops_lab.kit.prerequisites import must
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .counters import counters, grown, shown
from .draw import Drawn, late

D = drawn(Drawn, __file__)
_AT_THE_LIMIT = [{"hour": 12, "distance": D.limit - 1200 + more} for more in (0, 1)]
_REQUESTS = [*D.requests, _AT_THE_LIMIT, []]
_SAID = [late(row, D.limit) for rows in _REQUESTS for row in rows]
_REFUSED: tuple[Any, ...] = (
    {"rows": [{"hour": 7, "distance": 300}, {"hour": 9}]},
    {"flights": []},
    {"rows": 3},
    [{"hour": 7, "distance": 300}],  # rows, and no object around them
    '{"rows": [',  # sent as it is
)
_READY_WITHIN = 25.0


@check(points=3, owns="the counters")
async def counts_predictions(lab: TaskLab) -> None:
    """Each predicted row counts once, as late or not; the answers are those that they were."""
    await inside.settled(lab, D.model, within=_READY_WITHIN)
    before = await counters(lab, D.model, D.prefix)
    for rows in _REQUESTS:
        answer = await lab.traffic.post(D.model, "/predict", {"rows": rows})
        wanted = {"late": [late(row, D.limit) for row in rows]}
        expect(Observation(answer.fields_if_any == wanted, f"POST /predict: {wanted}"[:90], answer.shown[:90])).because(
            "what the model says stays as it is: it is only counted"
        )
    seen = grown(before, await counters(lab, D.model, D.prefix))
    wanted_growth = {"late": float(_SAID.count(True)), "in time": float(_SAID.count(False)), "refused": seen["refused"]}
    expect(
        Observation(seen == wanted_growth, f"counted more: {shown(wanted_growth)}", shown(seen), timed=False)
    ).because("a counter is increased for each row, by the label of what was said of it")


@check(points=2, needs=counts_predictions, owns="the counters")
async def counts_refusals(lab: TaskLab) -> None:
    """Each POST that is answered with 400 counts as refused, and no other; none of its rows counts as a prediction."""
    before = await counters(lab, D.model, D.prefix)
    for body in _REFUSED:
        answer = await lab.traffic.post(D.model, "/predict", body)
        expect(observe("status of a POST that can't be read", answer.status, equal_to(400))).because(
            "what POST /predict answers stays as it is"
        )
    after = await counters(lab, D.model, D.prefix)
    seen = grown(before, after)
    wanted = {"late": 0.0, "in time": 0.0, "refused": float(len(_REFUSED))}
    expect(Observation(seen == wanted, f"counted more: {shown(wanted)}", shown(seen), timed=False)).because(
        "of a request that is refused no row gets an answer, also not those that came before the one that is wrong"
    )
    await lab.traffic.post(D.model, "/predict", {"rows": D.requests[0]})
    more = grown(after, await counters(lab, D.model, D.prefix))["refused"]
    expect(observe("refused more by a POST that can be read", more, equal_to(0), timed=False)).because(
        "what counts is the answer with 400, and not each POST that comes"
    )


@check(points=1, needs=counts_predictions, owns="the pod")
async def begins_at_zero(lab: TaskLab) -> None:
    """When its pod has been deleted, the next one has all three series with 0 from the beginning."""
    old = await _pods(lab)
    for pod in old:
        await lab.objects.kill(pod, grace=1)
    seen = await lab.time.eventually(
        lambda: _pods(lab), lambda ready: bool(ready) and not {*ready} & {*old}, expected="the next pod is ready",
        shown=lambda ready: f"{len({*ready} - {*old})} pods are", within=_READY_WITHIN,
    )  # fmt: skip
    must(seen, "kubectl describe pod says in its events what holds a pod up, kubectl logs what its program says")
    gone = await deployments.old_pods_gone(lab, D.model, within=_READY_WITHIN)
    must(gone, "kubectl get pods shows which one does not end")
    found = await counters(lab, D.model, D.prefix)
    wanted = dict.fromkeys(found, 0.0)
    expect(Observation(found == wanted, f"counted: {shown(wanted)}", shown(found), timed=False)).because(
        "what grows from nothing to 1 has not grown for Prometheus, which sees only that there is a series: the first "
        "late flight of a pod would be in no rate. A series of labels is there once they were named"
    )


async def _pods(lab: TaskLab) -> list[str]:
    """The names of the Deployment's pods that are ready."""
    own = await deployments.owned_pods(lab, D.model)
    return sorted(name(each) for each in own if is_ready(each) and not leaving(each))
