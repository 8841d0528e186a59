"""How many pods of a Job worked at the same time, by what has been: the field can be changed afterwards."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_lab.checks import Lab, equal_to, expect, holds, observe
from mlops_lab.kit.jobs import pods_of
from mlops_lab.kit.pods import containers_of
from mlops_lab.kube.client import Object


async def must_work_at_once(lab: Lab, job: str, wanted: int) -> None:
    """Expect of a Job that has ended: so many of its pods worked side by side from the beginning, and never more."""
    spec = (await lab.objects.named("Job", job).present())["spec"]
    expect(observe("parallelism", spec.get("parallelism"), equal_to(wanted))).because(
        "parallelism is how many pods may be there at the same time; where nothing is said it is one"
    )
    pods = await pods_of(lab, job)
    most = most_at_once(pods)
    expect(holds(most <= wanted, f"never more than {wanted} at once", f"{most} at once")).because(
        "it counts while the Job runs; a later change does not change what has been"
    )
    first = began_with(pods)
    seen = f"it began with {first.start if first.start > wanted else first.stop - 1}"
    expect(holds(wanted in first, f"it began with {wanted}", seen)).because(
        "so many pods are made at once, and the next one when one of them has ended; a later change comes too late"
    )


def most_at_once(pods: Sequence[Object]) -> int:
    """How many pods' programs ran at the same time at most; the kubelet tells whole seconds."""
    spans = [span for pod in pods if (span := _span(pod))]
    return max((sum(begun <= at < over for begun, over in spans) for at, _ in spans), default=0)


def began_with(pods: Sequence[Object]) -> range:
    """How many of a Job's pods were made before the first of them had ended; that second may count or not."""
    end = min((span[1] for pod in pods if (span := _span(pod))), default="")
    made = [str(pod["metadata"]["creationTimestamp"]) for pod in pods]
    return range(sum(each < end for each in made), sum(each <= end for each in made) + 1)


def _span(pod: Object) -> tuple[str, str] | None:
    """From when to when its first container ran, in the API's own form, which sorts by time."""
    states = [each.get("state", {}).get("terminated") or {} for each in containers_of(pod)]
    return next(((str(each.get("startedAt")), str(each.get("finishedAt"))) for each in states if each), None)
