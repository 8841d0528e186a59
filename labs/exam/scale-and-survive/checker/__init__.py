"""The checks."""

from pathlib import Path

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import autoscaler_tolerance, autoscalers, deployments
from mlops_lab.kit.answering import must_answer
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.unchanged import AROUND, unchanged
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .deletion import lost_with_a_pod
from .draw import Drawn

D = drawn(Drawn, __file__)
_LEAST = 2
_LOOKED_WITHIN = 20.0  # s; it looks each 15 s
_GONE_WITHIN = 20.0  # s; a preStop may have pods of the template before wait
_START = Path(__file__).parents[1] / "start"
# Of the Deployment, what is not the server's program or readiness probe.
_SERVER = "template.spec.containers[server]"
_FREE = (*(f"{_SERVER}.{field}" for field in ("resources", "lifecycle", "livenessProbe", "startupProbe")), *AROUND)


@check(points=3, domains=("cka/workloads-and-scheduling",))
async def has_an_autoscaler(lab: TaskLab) -> None:
    """One HorizontalPodAutoscaler can scale the Deployment both ways within its bounds, by CPU that pods request."""
    deployment = await deployments.exists(lab, D.model, why="it was there when the task began; leave it where it is")
    found = await autoscalers.autoscalers_of(lab, D.model)
    expect(observe("autoscalers of the Deployment", len(found), equal_to(1))).because(
        "without one nobody scales it; of two for the same pods neither acts. Its scaleTargetRef names the Deployment"
    )
    (one,) = found
    expect(observe("minReplicas", one.least, equal_to(_LEAST))).because("fewer pods than that there never are")
    expect(observe("maxReplicas", one.most, equal_to(D.most))).because("more pods than that there never are")
    metrics = one.item["spec"].get("metrics") or []
    kinds = [(each.get("resource") or each.get("containerResource") or {}) for each in metrics]
    told = [f"{each.get('name')} {(each.get('target') or {}).get('averageUtilization')} %" for each in kinds]
    expect(
        holds(
            told == [f"cpu {D.target} %"], f"by {D.target} % of the requested CPU", f"by {', '.join(told) or 'nothing'}"
        )
    ).because("the target is a utilization: percent of what the container requests, on average over the pods")
    must(autoscaler_tolerance.tolerates(one), autoscaler_tolerance.WHY)
    behavior = one.item["spec"].get("behavior") or {}
    never = [way for way in ("scaleUp", "scaleDown") if (behavior.get(way) or {}).get("selectPolicy") == "Disabled"]
    expect(holds(not never, "it may add pods and take them away", f"{' and '.join(never)}: Disabled")).because(
        "an autoscaler that may go one way alone keeps nothing at its target"
    )
    first = deployment["spec"]["template"]["spec"]["containers"][0]
    asked = ((first.get("resources") or {}).get("requests") or {}).get("cpu")
    expect(observe("requested CPU", asked, equal_to(f"{D.cpu}m"))).because(
        "percent of nothing is nothing: without a request the autoscaler has no figure"
    )
    expect(await deployments.rolled_out(lab, D.model, pods=_LEAST, within=75)).because(
        "the autoscaler looks every 15 seconds; kubectl describe hpa says why it does not act"
    )
    await deployments.old_pods_gone(lab, D.model, within=_GONE_WITHIN)  # what they lose is no deletion's of the checker
    seen = await lab.objects.named("HorizontalPodAutoscaler", one.name).until(
        lambda it: it is not None and _scaling(it).get("status") == "True",
        expected="the autoscaler can scale the Deployment",
        shown=lambda it: _scaling(it or {}).get("message") or "it has not looked at it yet", within=_LOOKED_WITHIN,
    )  # fmt: skip
    must(
        seen,
        "kind, name and apiVersion of scaleTargetRef say what is scaled; a Deployment is of apps/v1. What is not "
        "found is never scaled",
    )


def _scaling(autoscaler: Object) -> dict[str, str]:
    """What an autoscaler says about its way to the number of pods; nothing before it has looked."""
    return autoscalers.Autoscaler(autoscaler).conditions.get("AbleToScale", {})


@check(points=3, needs=has_an_autoscaler, owns="a pod", domains=("ckad/observability-and-maintenance",))
async def survives_a_deletion(lab: TaskLab) -> None:
    """While a pod is deleted none of 60 requests a second fails, and it still answers nodes that hear of it late."""
    answer = await lab.traffic.first_answer(lambda: lab.traffic.get(D.model, "/"), within=15)
    expect(observe("the model that answers", answer.fields_if_any.get("model"), equal_to(D.release))).because(
        "leave the Service as it was, and the program of the pods behind it"
    )
    await must_answer(lab, D.model, D.model)
    for kind, free in (("Deployment", _FREE), ("Service", ()), ("ConfigMap", ())):
        must(
            await unchanged(lab, _START, kind, D.model, free=free), "Service, program and readiness probe were to stay"
        )
    expect(await lost_with_a_pod(lab, D.model)).because(
        "a pod that is deleted still gets requests until every node has heard of it. A preStop that waits for that "
        "keeps the server answering; it counts into terminationGracePeriodSeconds, after which the container is killed"
    )
