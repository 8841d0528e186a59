"""The checks."""

import json
from collections.abc import Sequence
from pathlib import Path

from mlops_lab.checks import Observation, at_most, check, expect, holds, observe, quantity
from mlops_lab.kit import deployments
from mlops_lab.kit.endpoints import some_pod
from mlops_lab.kit.pods import leaving
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .trial import asks_elsewhere, asks_itself, made_anew, noticed_after, restarted_when_hung, steady

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"


@check(points=3, domains=("cka/troubleshooting", "ckad/observability-and-maintenance"))
async def runs_on(lab: TaskLab) -> None:
    """The pod is ready, and answers for 12 s with the text of the ConfigMap, which is as it was, as the program is."""
    for name in (f"{D.name}-program", f"{D.name}-words"):
        must(await unchanged(lab, _START, "ConfigMap", name), "it was right: what did not fit it was the Deployment")
    await deployments.exists(lab, D.name, why="the Service's pod is this Deployment's")
    expect(await deployments.rolled_out(lab, D.name, within=20)).because(
        "kubectl describe pod says why the container does not run or is not ready, kubectl logs --previous what its "
        "program said before it ended"
    )
    expect(await steady(lab, D)).because(
        "a container that is killed by its liveness probe or at its memory limit runs for a moment, again and again: "
        "kubectl describe pod has its last state, with the reason, and the events"
    )
    template = (await lab.objects.deployment(D.name).present())["spec"]["template"]["spec"]
    must(
        _takes_both(template),
        "a copy stays as it is when the ConfigMap changes, be it in the Deployment or in another ConfigMap",
    )
    pods = [pod for pod in await deployments.owned_pods(lab, D.name) if not leaving(pod)]
    must(
        _as_it_is_made(template, pods),
        "what is changed in a pod (--subresource resize) is that pod's alone: the Deployment makes the next one of its "
        "template",
    )
    other = asks_elsewhere(template, D.port)
    must(
        holds(not other, f"no liveness probe but on port {D.port}", f"its liveness probe asks port {other}"),
        "nobody listens there, so the kubelet ends a container that is well, if only after a delay, again and again",
    )


def _takes_both(template: Object) -> Observation:
    """Are program and text those of the ConfigMaps, as the pod's spec has it?"""
    written = json.dumps(template)
    lacks = [
        f"its pod template does not name {name}" for name in (f"{D.name}-program", f"{D.name}-words")
        if f'"{name}"' not in written
    ]  # fmt: skip
    if any(each.get("value") == D.words for one in template["containers"] for each in one.get("env") or []):
        lacks.append("a variable in its pod template has the text itself")
    return holds(not lacks, "program and text are those of the ConfigMaps", "; ".join(lacks))


def _as_it_is_made(template: Object, pods: Sequence[Object]) -> Observation:
    """Have the containers of pods the resources that the template says?"""
    said = {each["name"]: each.get("resources") or {} for each in template["containers"]}
    other = []
    for each in [one for pod in pods for one in pod["spec"]["containers"]]:
        for kind in ("limits", "requests"):
            amounts = (said.get(each["name"]) or {}).get(kind) or {}
            has = (each.get("resources") or {}).get(kind) or {}
            changed = [name for name, amount in amounts.items() if quantity(has.get(name, 0)) != quantity(amount)]
            other += [f"{kind}.{name} {has.get(name)}, and {amounts[name]} in the template" for name in changed]
    return holds(not other, "its pod has the resources that the Deployment gives it", "; ".join(other))


@check(points=2, needs=runs_on, owns="pod", domains=("cka/troubleshooting", "ckad/observability-and-maintenance"))
async def started_anew_when_it_hangs(lab: TaskLab) -> None:
    """When `/alive` stops to answer with 200, that is noticed within 15 s, and the container started anew."""
    pod = await some_pod(lab, D.name)
    found = await lab.objects.named("Pod", pod).present()
    after = noticed_after(found)
    expect(await restarted_when_hung(lab, D, pod)).because(
        "the liveness probe is what notices a program that runs and serves nobody: it must ask the right port and "
        "path, and not wait for long"
    )
    expect(observe("seconds until the probe has failed as often as it must", after, at_most(15))).because(
        "a program may hang just after it was asked: periodSeconds times failureThreshold is the longest that it "
        "takes, but for initialDelaySeconds, until when nobody asks, and for a startupProbe, until whose success no "
        "other probe does"
    )
    if not asks_itself(found, D.port):
        expect(await restarted_when_hung(lab, D, await made_anew(lab, D, pod), silently=True)).because(
            "this time there was no file /tmp/hung: the program waited for a client that asks nothing, and answered "
            "nobody. Whatever the probe runs has to find that /alive does not answer"
        )


@check(points=1, needs=runs_on, domains=("cka/troubleshooting", "ckad/environment-configuration-and-security"))
async def memory_is_limited(lab: TaskLab) -> None:
    """Each container of the pod has a memory limit, and it is no more than what was allowed."""
    # It may not be ready again yet, after the trial with its probe.
    pods = [pod for pod in await deployments.owned_pods(lab, D.name) if not leaving(pod)]
    limits = {
        each["name"]: ((each.get("resources") or {}).get("limits") or {}).get("memory", "none")
        for pod in pods
        for each in pod["spec"]["containers"]
    }
    ok = bool(limits) and all(value != "none" and 0 < quantity(value) <= D.most * 2**20 for value in limits.values())
    seen = ", ".join(f"{name}: {value}" for name, value in limits.items()) or "no pod of the Deployment"
    expect(Observation(ok, f"a memory limit of at most {D.most}Mi for each container", seen)).because(
        "a container without a limit takes from the node what others need, and a limit of 0 is none; one that needs "
        "more than it may have is killed"
    )
