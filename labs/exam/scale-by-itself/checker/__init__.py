"""The checks."""

from collections.abc import Sequence
from pathlib import Path

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import autoscaler_tolerance, presence
from mlops_lab.kit.autoscalers import Autoscaler, autoscalers_of
from mlops_lab.kit.deployments import pod_counts, rolled_out
from mlops_lab.kit.given import in_manifests
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.unchanged import AROUND, unchanged
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_LOOKED_WITHIN, _ROLLED_OUT_WITHIN, _GROWN_WITHIN = 20, 60, 60  # s; an autoscaler looks every 15 s
_COMPUTED_WITHIN = 75  # s; of pods that have just become ready there is no figure yet
_START = Path(__file__).parents[1] / "start"
# Of the Deployment, what is no part of its container.
_RATE = 6  # requests a second, of 30 ms CPU each
_DOMAINS = ("cka/workloads-and-scheduling",)


@check(points=2, domains=_DOMAINS)
async def keeps_to_its_bounds(lab: TaskLab) -> None:
    """The Deployment's only autoscaler has the wanted bounds and target, and has raised it to the smallest number."""
    await presence.exists(lab, "Deployment", D.app, "it was there, and is to be scaled")
    it = await _only_one(lab)
    expect(observe("minReplicas", it.least, equal_to(D.least))).because("below it the autoscaler never goes")
    expect(observe("maxReplicas", it.most, equal_to(D.most))).because("above it the autoscaler never goes")
    expect(observe("its target", _target(it), equal_to(f"{D.target} % of cpu"))).because(
        "a Resource metric with averageUtilization is in percent of what pods request, on average over all pods"
    )
    must(autoscaler_tolerance.tolerates(it), autoscaler_tolerance.WHY)
    seen = await lab.objects.deployment(D.app).until(
        lambda item: item is not None and item["spec"].get("replicas", 1) >= D.least,
        expected=f"{D.least} pods or more", shown=pod_counts, within=_LOOKED_WITHIN,
    )  # fmt: skip
    must(seen, "it raises the number to the smallest one when it looks next; kubectl describe hpa says if it can't")


@check(points=2, needs=keeps_to_its_bounds, domains=_DOMAINS)
async def moves_gently(lab: TaskLab) -> None:
    """It adds at most one pod in the wanted time, and waits the wanted time before it takes pods away."""
    it = await _only_one(lab)
    behavior = it.item["spec"].get("behavior") or {}
    up, down = behavior.get("scaleUp") or {}, behavior.get("scaleDown") or {}
    gently = f"scaleUp: 1 pod in {D.every} s"
    expect(holds(_one_pod_in(up, D.every), gently, f"scaleUp: {_policies(up)}")).because(
        "each policy says how much may be added in a time; of several the largest counts, unless selectPolicy is Min. "
        "Without any, the number may double every 15 s"
    )
    expect(holds(it.scales_in, "it may take pods away", "scaleDown: selectPolicy Disabled")).because(
        "with Disabled it never does, however long their number has been too high"
    )
    window = down.get("stabilizationWindowSeconds", 300)
    expect(observe("scaleDown: seconds of calm", window, equal_to(D.calm))).because(
        "of the numbers computed in that time the highest counts; it is 300 s unless something else is said"
    )


@check(points=3, needs=keeps_to_its_bounds, owns="the Deployment", domains=_DOMAINS)
async def grows_under_load(lab: TaskLab) -> None:
    """The Deployment's pods request the wanted CPU, and nothing else is new; under load it gets more of them."""
    found = await lab.objects.deployment(D.app).present()
    asked = [
        ((each.get("resources") or {}).get("requests") or {}).get("cpu", "0")
        for each in found["spec"]["template"]["spec"]["containers"]
    ]
    expect(observe("CPU requests", ", ".join(asked), equal_to(f"{D.cpu}m"))).because(
        "utilization is what a pod uses in percent of what it requests: without a request there is none"
    )
    given = in_manifests(_START, "Deployment", D.app)
    given["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": f"{D.cpu}m"}}
    stays = "the container was to stay as it is, but for its CPU request: no other request, no limit, no other program"
    must(await unchanged(lab, _START, "Deployment", D.app, given=given, free=AROUND), stays)
    must(await unchanged(lab, _START, "ConfigMap", f"{D.app}-program"), "the program was to stay as it is")
    must(
        await rolled_out(lab, D.app, pods=D.least, within=_ROLLED_OUT_WITHIN), "pods that are not ready are not counted"
    )
    if not lab.thorough(grows_under_load):
        return
    async with lab.traffic.load(
        D.app, rate=_RATE, duration=_COMPUTED_WITHIN + _GROWN_WITHIN, body=None, path="/work", late_at_most=2
    ):
        scaler = (await _only_one(lab)).name
        computes = await lab.objects.named("HorizontalPodAutoscaler", scaler).until(
            lambda item: item is not None and Autoscaler(item).active,
            expected="it computes", shown=lambda item: Autoscaler(item).message if item else "gone",
            within=_COMPUTED_WITHIN,
        )  # fmt: skip
        must(computes, "it takes what pods use from metrics-server, some seconds after they have started")
        seen = await lab.objects.deployment(D.app).until(
            lambda item: item is not None and item["spec"].get("replicas", 1) > D.least,
            expected=f"more than {D.least} pods wanted under load", shown=_wanted, within=_GROWN_WITHIN,
        )  # fmt: skip
    expect(seen).because("kubectl describe hpa says what it has measured, and what kept it from more pods")


def _wanted(item: Object | None) -> str:
    """How many pods a Deployment wants, in words."""
    return f"{item['spec'].get('replicas', 1)} pods wanted" if item else "no Deployment"


async def _only_one(lab: TaskLab) -> Autoscaler:
    """The Deployment's autoscaler.

    Raises:
        Failure: there is none, or there are several.
    """
    found = await autoscalers_of(lab, D.app)
    must(
        observe(f"HorizontalPodAutoscalers for Deployment {D.app}", len(found), equal_to(1)),
        "its scaleTargetRef names what it scales; two for the same pods disturb each other, and neither acts",
    )
    return found[0]


def _target(it: Autoscaler) -> str:
    """What it aims at, in words."""
    said = []
    for each in it.item["spec"].get("metrics") or []:
        source = each.get("resource") or each.get("containerResource") or {}
        percent = (source.get("target") or {}).get("averageUtilization")
        said.append(f"{percent} % of {source.get('name')}" if percent else str(each.get("type")))
    return ", ".join(said)


def _one_pod_in(up: Object, seconds: int) -> bool:
    """Do the policies let in one pod in that time, and no more?"""
    policies: Sequence[Object] = up.get("policies") or []
    right = [each for each in policies if (each["type"], each["value"], each["periodSeconds"]) == ("Pods", 1, seconds)]
    most = up.get("selectPolicy", "Max")
    return bool(right) and most != "Disabled" and (most == "Min" or len(right) == len(policies))


def _policies(up: Object) -> str:
    policies: Sequence[Object] = up.get("policies") or []
    said = [f"{each['value']} {each['type']} in {each['periodSeconds']} s" for each in policies]
    return f"{up.get('selectPolicy', 'Max')} of {', '.join(said)}" if said else "nothing said"
