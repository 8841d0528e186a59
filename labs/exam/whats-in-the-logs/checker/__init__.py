"""The checks."""

from mlops_lab.checks import Observation, check, equal_to, expect, observe
from mlops_lab.kit.texts import lines_of
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_SHOWN = 120


@check(points=1, domains=("cka/troubleshooting", "ckad/observability-and-maintenance"))
async def names_what_ended(lab: TaskLab) -> None:
    """`crash.txt` names the pod and the container that was started anew."""
    lines = lines_of(lab, "crash.txt", "one line in it: POD CONTAINER")
    seen = " / ".join(" ".join(line.split()) for line in lines)[:_SHOWN] or "nothing"
    expect(observe("crash.txt", seen, equal_to(f"{D.pod} {D.container}"))).because(
        "kubectl get pods counts restarts by pod; kubectl describe pod has them, and the last state, by container"
    )


@check(points=2, domains=("cka/troubleshooting", "ckad/observability-and-maintenance"))
async def has_its_last_line(lab: TaskLab) -> None:
    """`last.txt` has the last line that the container wrote before it ended."""
    lines = lines_of(lab, "last.txt", "one line in it, as the container wrote it")
    seen = " / ".join(lines)[:_SHOWN] or "nothing"
    expect(observe("last.txt", seen, equal_to(D.last))).because(
        "a container that is started anew begins a log of its own; that of its run before is kept as well: kubectl "
        "logs --previous"
    )


@check(points=3, domains=("cka/troubleshooting", "ckad/observability-and-maintenance"))
async def has_all_about_the_request(lab: TaskLab) -> None:
    """`request.txt` has each line about the request, of all containers, in the order of their times."""
    lines = lines_of(lab, "request.txt", "the lines in it, as the containers wrote them")
    missing, strange = [each for each in D.lines if each not in lines], [each for each in lines if each not in D.lines]
    said = [f"{len(missing)} of {len(D.lines)} lines are missing"] if missing else []
    said += [f"{len(strange)} others are there, such as {strange[0][:_SHOWN]!r}"] if strange else []
    said += ["they are in another order, or twice"] if not said and lines != D.lines else []
    expect(
        Observation(not said, f"all {len(D.lines)} lines about {D.request}", "; ".join(said) or f"{len(lines)} lines")
    ).because(
        "kubectl logs gives one container of a pod, and with -l ten lines of it, unless it is told otherwise: "
        "--all-containers, --tail=-1"
    )
