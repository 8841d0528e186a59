"""The checks."""

from pathlib import Path

from mlops_lab.checks import check, equal_to, expect, observe
from mlops_lab.kit import deployments
from mlops_lab.kit.endpoints import answered_by, leaves_when_not_ready, some_pod
from mlops_lab.kit.rollouts import rollout_over
from mlops_lab.kit.service_selectors import by_the_template
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .trial import replaced

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"
_PODS = 2
_READY = "/tmp/www/ready"
_LEFT_WITHIN = 40.0  # s; a probe that says nothing of its times takes up to 30
_ROLLED_OUT_WITHIN = 40.0  # s; such a one may take 10 until a pod is ready


@check(points=3, domains=("cka/troubleshooting", "ckad/services-and-networking"))
async def answers(lab: TaskLab) -> None:
    """On its port the Service answers from each of the Deployment's two pods, and from nobody else."""
    found = await deployments.exists(lab, D.service, why="the Service's pods are this Deployment's")
    expect(observe("its pods", found["spec"].get("replicas", 1), equal_to(_PODS))).because(
        "two pods are to answer: kubectl scale deployment changes how many there are"
    )
    await rollout_over(lab, D.service, within=_ROLLED_OUT_WITHIN)
    expect(await answered_by(lab, D.service, D.service, port=D.port, within=15)).because(
        "a Service's endpoints are the ready pods that have all labels of its selector, at its targetPort, where a "
        "program must listen on the pod's own address: kubectl get endpointslices, kubectl describe pod"
    )


@check(points=2, needs=answers, owns="pods", domains=("cka/troubleshooting", "ckad/services-and-networking"))
async def only_ready_pods_are_asked(lab: TaskLab) -> None:
    """A pod whose file `ready` is taken away gets no requests, and a pod that is made anew does."""
    one = await some_pod(lab, D.service)
    left = await leaves_when_not_ready(lab, D.service, D.service, one, file=_READY, port=D.port, within=_LEFT_WITHIN)
    expect(left).because(
        "the readiness probe takes a pod out of the Service's endpoints; without it, or with "
        "publishNotReadyAddresses, requests go to pods that can't serve"
    )
    expect(await replaced(lab, D, one)).because(
        "what is changed in pods that run is gone with them: a Deployment makes its pods of its template"
    )
    service, deployment = await lab.objects.service(D.service), await lab.objects.deployment(D.service).present()
    expect(by_the_template(service, deployment)).because(
        "the next rollout's pods have the labels that stand in the template, and a pod-template-hash of their own"
    )


@check(points=1, needs=answers, domains=("cka/troubleshooting", "ckad/services-and-networking"))
async def neighbour_stays(lab: TaskLab) -> None:
    """The other Service and its Deployment are as they were, and answer."""
    for kind in ("Service", "Deployment"):
        expect(await unchanged(lab, _START, kind, D.neighbour)).because("what works beside the fault is left alone")
    expect(await answered_by(lab, D.neighbour, D.neighbour, port=D.port, within=10)).because(
        "it answered before: its clients are as important as the others"
    )
