"""The checks."""

import json
from collections.abc import Sequence

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import deployments
from mlops_lab.kit.answering import must_answer
from mlops_lab.kit.predictions import predicted
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.service_selectors import by_the_template
from mlops_lab.kit.volumes import config_maps
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .growth import lost_while_growing

D = drawn(Drawn, __file__)
_PODS = 2
_GONE_WITHIN = 35.0  # s; the usual grace period and a little


@check(points=2, domains=("ckad/services-and-networking",))
async def answers(lab: TaskLab) -> None:
    """The Service gives the model's own values for flights that you don't see, from two pods of the Deployment."""
    found = await deployments.exists(lab, D.model, why="the task names the Deployment; see kubectl get deployments")
    expect(observe("replicas", found["spec"].get("replicas", 1), equal_to(_PODS))).because("two pods were wanted")
    must(
        await deployments.rolled_out(lab, D.model, pods=_PODS, within=60),
        "kubectl describe pod says in its events what holds a pod up, kubectl logs what the server says",
    )
    await deployments.old_pods_gone(lab, D.model, within=_GONE_WITHIN)  # until then they may answer, or lose requests
    said = await predicted(lab, D.service, rows=20, within=15)
    expect(said.status()).because(
        "0 means that nobody answered: the Service's selector must be labels of the pod template, and its targetPort "
        "the port that the server listens on. kubectl get endpointslices shows which addresses it found"
    )
    expect(said.version(D.version)).because("another version's image runs")
    expect(said.values(D.version)).because("the model gives the same numbers wherever it runs; another one answers")
    await must_answer(lab, D.service, D.model)
    must(
        by_the_template(await lab.objects.service(D.service), await lab.objects.deployment(D.model).present()),
        "pods that come later have the labels that stand in the template, and with the next release another "
        "pod-template-hash",
    )


@check(points=1, needs=answers, domains=("ckad/environment-configuration-and-security",))
async def asks_for_its_resources(lab: TaskLab) -> None:
    """The container requests CPU and memory, and has its limit of memory, as wanted."""
    template = (await lab.objects.deployment(D.model).present())["spec"]["template"]
    asked = template["spec"]["containers"][0].get("resources") or {}
    for what, side, name, wanted in (
        ("requested CPU", "requests", "cpu", f"{D.cpu}m"),
        ("requested memory", "requests", "memory", f"{D.memory}Mi"),
        ("limit of memory", "limits", "memory", f"{D.limit}Mi"),
    ):
        expect(observe(what, (asked.get(side) or {}).get(name), equal_to(wanted))).because(
            "the scheduler reserves what is requested, and a container that uses more memory than its limit is killed"
        )


@check(points=3, needs=answers, owns="the Deployment", domains=("ckad/observability-and-maintenance",))
async def waits_for_its_model(lab: TaskLab) -> None:
    """With 20 requests a second no request fails while a third pod comes, which is ready once its model is loaded."""
    seen = await lost_while_growing(lab, D.model, D.service, _PODS)
    expect(seen).because(
        "a pod gets requests from the moment it is ready. Without a readiness probe that is when its process runs, and "
        "with one on /healthz when it listens; only /readyz tells when the model is loaded"
    )
    template = (await lab.objects.deployment(D.model).present())["spec"]["template"]
    server = template["spec"]["containers"][0]
    mounted = [await lab.objects.named("ConfigMap", each).now() or {} for each in config_maps(template["spec"])]
    asked = "the server is asked whether its model is loaded"
    expect(holds(asks_the_server(server, mounted), asked, "a pod is ready without that, after a while")).because(
        "how long a model loads is not known beforehand: a delay that is long enough here is too short where the "
        "machine is busy, or the model larger. /readyz tells, also an exec probe or a startupProbe that asks it"
    )


def asks_the_server(container: Object, mounted: Sequence[Object] = ()) -> bool:
    """Does what makes a container ready, or a script that it mounts, ask at /readyz, or for a prediction?"""
    started = (container.get("lifecycle") or {}).get("postStart")
    told = [container.get("readinessProbe"), container.get("startupProbe"), started]
    if any("exec" in (each or {}) for each in told):
        told += [each.get("data") or {} for each in mounted]
    text = json.dumps(told)
    return "readyz" in text or "predict" in text
