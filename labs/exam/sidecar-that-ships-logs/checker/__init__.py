"""The checks."""

from mlops_lab.checks import Observation, check, equal_to, expect, holds, observe
from mlops_lab.kit.jobs import ended
from mlops_lab.kit.prerequisites import must
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .pod import as_given, pod_of_the_job, printed_lines, printed_over, same_image, sidecar

D = drawn(Drawn, __file__)
_DOMAINS = ("ckad/design-and-build",)
_PRINTED_WITHIN, _ENDED_WITHIN = 30.0, 15.0
_LONG_GRACE = 30  # s that a sidecar has to end if nobody says otherwise, and that tail takes: it hears no SIGTERM
_APART = 0.5  # s from the first line to the last one, which are written in 3.2 s or more; tail may look once a second


@check(points=2, domains=_DOMAINS)
async def prints_every_line(lab: TaskLab) -> None:
    """The container prints every line of the file as it comes, once and in order; the worker is the given one."""
    pod = await pod_of_the_job(lab)
    expect(as_given(pod)).because("the worker stays as it is: what it writes is the same, only somebody reads it now")
    wanted = [f"{pod['metadata']['name']}: {D.word} {part} of {D.parts}" for part in range(1, D.parts + 1)]
    seen = await lab.time.eventually(
        lambda: printed_lines(lab, pod), lambda lines: [each for each in lines if each in wanted] == wanted,
        expected=f"the file's {D.parts} lines are in the log of {D.shipper}, each once and in order",
        shown=lambda lines: f"{len(lines)} lines, the last one {lines[-1][:80]!r}" if lines else "no line",
        within=_PRINTED_WITHIN,
    )  # fmt: skip
    expect(seen).because(
        "both containers mount the same volume, the sidecar where it looks for the file. tail -F waits for a file "
        "that is not there yet, and -n +1 begins with its first line"
    )
    apart = await printed_over(lab, pod, wanted)
    must(
        Observation(
            apart >= _APART, "it prints the lines as they come", f"it has printed all of them within {apart:.1f} s",
            timed=True,
        ),
        "who reads the file once it is whole has nothing of a Job that hangs, or is killed",
    )  # fmt: skip
    must(same_image(pod), "it was to be of the same image, which each node has and which has tail")


@check(points=2, needs=prints_every_line, domains=_DOMAINS)
async def completes(lab: TaskLab) -> None:
    """The Job completes once the worker is done, though the container that prints has no end of its own."""
    grace = int((await pod_of_the_job(lab))["spec"].get("terminationGracePeriodSeconds") or 0)
    expect(await ended(lab, D.job, within=_ENDED_WITHIN + min(grace, _LONG_GRACE))).because(
        "a pod has ended when its regular containers have: one of them that runs for ever keeps the Job from completing"
    )


@check(points=2, needs=completes, domains=_DOMAINS)
async def is_a_sidecar(lab: TaskLab) -> None:
    """The container is started before the worker, and is started again should it end."""
    pod = await pod_of_the_job(lab)
    found = sidecar(pod)
    expect(holds(found, f"{D.shipper} is a sidecar", f"{D.shipper} is an ordinary container")).because(
        "regular containers are started side by side and, with this restartPolicy, never again: what the worker writes "
        "meanwhile nobody prints. An init container with a restartPolicy of its own runs before and beside them"
    )
    status = {each["name"]: each for each in pod["status"].get("initContainerStatuses") or []}
    code = ((status.get(D.shipper) or {}).get("lastState") or {}).get("terminated", {}).get("exitCode")
    restarts = int((status.get(D.shipper) or {}).get("restartCount") or 0)
    expect(observe("it ended by itself", restarts, equal_to(0), evidence=[f"its exit code then: {code}"])).because(
        "tail -F goes on, also where there is no file yet; with -f it ends there, and without either after the last "
        "line. Then it is started again, and prints the file from its beginning"
    )
