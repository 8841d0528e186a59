"""What makes pods that a Service leads to: one Deployment, and nothing else at whatever time."""

from __future__ import annotations

from mlops_lab.checks import Lab, holds
from mlops_lab.kit.answering import must_answer
from mlops_lab.kit.jobs import over
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.workloads import labels_of_pods
from mlops_lab.kube.client import Object

MAKERS = ("CronJob", "DaemonSet", "Deployment", "Job", "StatefulSet")


async def answers_alone(lab: Lab, name: str = "model") -> None:
    """The Deployment of a Service's name answers for it, and nothing else makes pods that would; no news then.

    Args:
        name: of both.

    Raises:
        Failure: somebody else does, or will.
    """
    await must_answer(lab, name, name)
    wanted: Object = (await lab.objects.service(name))["spec"].get("selector") or {}
    others = [
        f"{kind} {each['metadata']['name']}"
        for kind in MAKERS
        for each in await lab.objects.all(kind)
        if (kind, each["metadata"]["name"]) != ("Deployment", name) and not over(each)
        if wanted and wanted.items() <= labels_of_pods(each).items()
    ]
    must(
        holds(
            not others,
            f"the pods of Deployment {name} alone have the labels that Service {name} selects",
            f"those that {', '.join(others)} makes have them, too",
        ),
        "a Service leads to whatever pod has its labels, also to one that is made at night, ends after a minute and "
        "does not listen: every second question is refused meanwhile. Labels are copied easily with the rest",
    )
