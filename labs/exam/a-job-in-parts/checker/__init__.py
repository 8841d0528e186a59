"""The checks."""

import hashlib

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import presence
from mlops_lab.kit.batch_specs import not_counted
from mlops_lab.kit.jobs import ended
from mlops_lab.kit.parallelism import must_work_at_once
from mlops_lab.kit.volumes import config_maps
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .parts import enough_by, printed_by_part, started_with

D = drawn(Drawn, __file__)
_DOMAINS = ("ckad/design-and-build",)
_ENDED_WITHIN = 60.0
_PROGRAM = "python3 /program/part.py"
_MADE = "kubectl create job, or kubectl apply, makes it in the task's namespace"


@check(points=3, domains=_DOMAINS)
async def each_part_is_done(lab: TaskLab) -> None:
    """The Job completes, and each part has been done once, by a pod of its own, and has printed its line."""
    job = await presence.exists(lab, "Job", D.job, _MADE, others=True)
    expect(observe("completions", job["spec"].get("completions"), equal_to(D.parts))).because(
        "completions are the parts: so many pods have to end well"
    )
    expect(observe("completionMode", job["spec"].get("completionMode"), equal_to("Indexed"))).because(
        "in the other mode the pods are all alike, and none knows which part is its own"
    )
    rules = (job["spec"].get("successPolicy") or {}).get("rules") or []
    enough = min((enough_by(each) for each in rules), default=D.parts)
    expect(holds(enough >= D.parts, f"it needs all {D.parts} parts", f"by successPolicy {enough} are enough")).because(
        "with a successPolicy a Job is done as soon as the parts that it names are, and the pods of others are ended"
    )
    first = job["spec"]["template"]["spec"]["containers"][0]
    wanted_start = f"{_PROGRAM} in {lab.platform.image('v1')}"
    image = first["image"].partition("@")[0]  # with its digest it is the same one
    expect(observe("its pods run", f"{started_with(first)} in {image}", equal_to(wanted_start))).because(
        "the program is given, and so is the image: a copy of either does not change when they do"
    )
    mounted = config_maps(job["spec"]["template"]["spec"])
    expect(holds(D.program in mounted, f"a volume of ConfigMap {D.program}", "its pods have none")).because(
        "the program is in that ConfigMap: one of your own does not change when it does"
    )
    expect(await ended(lab, D.job, within=_ENDED_WITHIN)).because("kubectl logs job/... says what the program said")
    wanted = {part: hashlib.sha256(f"{D.word} {part}".encode()).hexdigest()[:12] for part in range(D.parts)}
    found = await printed_by_part(lab, D.job)
    missing = [str(part) for part, text in wanted.items() if found.get(part) != f"part {part}: {text}"]
    expect(holds(not missing, f"a line of each of {D.parts} parts", f"none of part {', '.join(missing)}")).because(
        "the program prints one line, with what it found for its own number"
    )


@check(points=1, needs=each_part_is_done, domains=_DOMAINS)
async def so_many_at_a_time(lab: TaskLab) -> None:
    """Its pods work side by side, as many as may."""
    await must_work_at_once(lab, D.job, D.parallel)


@check(points=1, needs=each_part_is_done, domains=_DOMAINS)
async def gives_up(lab: TaskLab) -> None:
    """It fails when pods have failed too often, with whatever exit code, and when it takes too long."""
    spec = (await lab.objects.named("Job", D.job).present())["spec"]
    expect(observe("backoffLimit", spec.get("backoffLimit"), equal_to(D.backoff))).because(
        "backoffLimit is how often the Job makes a pod anew for one that failed; where nothing is said it is six"
    )
    each = spec.get("backoffLimitPerIndex")
    expect(holds(each is None, "no limit for each part", f"backoffLimitPerIndex: {each}")).because(
        "with it each part has a number of its own, and the Job goes on without those that have failed"
    )
    own = [str(each["action"]) for each in not_counted(spec)]
    seen = f"rules of podFailurePolicy: {', '.join(own)}"
    expect(holds(not own, "each pod that fails counts, whatever its exit code", seen)).because(
        "with Ignore a failure does not count, and with FailJob no pod is made again"
    )
    expect(observe("activeDeadlineSeconds", spec.get("activeDeadlineSeconds"), equal_to(D.deadline))).because(
        "the Job's own deadline, not its pods': that one ends a pod, and the Job makes another"
    )


@check(points=1, needs=each_part_is_done, domains=_DOMAINS)
async def clears_up(lab: TaskLab) -> None:
    """It is removed so many seconds after its end."""
    spec = (await lab.objects.named("Job", D.job).present())["spec"]
    expect(observe("ttlSecondsAfterFinished", spec.get("ttlSecondsAfterFinished"), equal_to(D.keep))).because(
        "where nothing is said, a Job that has ended stays until somebody deletes it"
    )
