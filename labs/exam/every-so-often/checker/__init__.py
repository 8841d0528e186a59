"""The checks."""

from pathlib import Path

from mlops_lab.checks import Observation, check, equal_to, expect, holds, observe
from mlops_lab.kit import presence
from mlops_lab.kit.jobs import ended, pods_of, started_from
from mlops_lab.kit.pods import every_container, name
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.kit.volumes import config_maps
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .program import short_of_tries, starts, what_runs
from .schedule import meaning

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"
_DOMAINS = ("ckad/design-and-build", "cka/workloads-and-scheduling")
_ENDED_WITHIN = 25.0
_MADE = "kubectl create cronjob, or kubectl apply, makes it in the task's namespace"


@check(points=2, owns="cronjob", domains=_DOMAINS)
async def sends_a_report(lab: TaskLab) -> None:
    """A Job that is made of the CronJob now completes, and the desk has its report."""
    cronjob = await presence.exists(lab, "CronJob", D.cronjob, _MADE, others=True)
    async with started_from(lab, D.cronjob) as job:
        expect(await ended(lab, job, within=_ENDED_WITHIN)).because(
            f"kubectl create job --from=cronjob/{D.cronjob} NAME tries it; its log says what the program missed"
        )
        pods = [name(each) for each in await pods_of(lab, job)]
    answer = await lab.traffic.get(D.desk, "/")
    there = any(f"{D.word} of {pod}" in answer.text.splitlines() for pod in pods)
    expect(holds(there, f"Service {D.desk} has its report", f"it has none of {', '.join(pods)}")).because(
        "the program sends it to the address in DESK"
    )
    spec = cronjob["spec"]["jobTemplate"]["spec"]
    expect(what_runs(spec["template"]["spec"], lab.platform.image("v1"), f"http://{D.desk}")).because(
        "who looks after it relies on what was agreed upon: that program in that image, with that address. Where a "
        "shell ends well though the program has failed (|| true, or more commands behind it), no Job ever fails"
    )
    must(await unchanged(lab, _START, "ConfigMap", D.program), "the program is given, and was to stay as it is")
    mine = D.program in config_maps(spec["template"]["spec"])
    expect(holds(mine, f"its pods mount ConfigMap {D.program}", "they mount another one, or none")).because(
        "a copy stays as it is when somebody mends the program"
    )
    senders = [str(each["name"]) for each in every_container(spec["template"]["spec"]) if starts(each)]
    expect(observe("containers of a pod that send a report", len(senders), equal_to(1), evidence=senders)).because(
        "one report was wanted: an init container, or a second container, with the same program sends one more"
    )
    many = max(spec.get("completions") or 1, spec.get("parallelism") or 1)
    expect(observe("pods that each Job needs", many, equal_to(1))).because(
        "each of them sends a report, and one was wanted: completions and parallelism are 1 where nothing is said"
    )
    tries = spec.get("backoffLimit", 6)
    expect(observe("backoffLimit of its Jobs", tries, equal_to(D.tries))).because(
        "it is the Job's and stands in the jobTemplate's spec; where nothing is said it is six"
    )
    cut = short_of_tries(spec, D.tries)
    expect(holds(not cut, "nothing else ends a Job's tries, or adds some", cut)).because(
        "activeDeadlineSeconds ends a Job that waits for its next try (10 s, 20 s, 40 s), and by a podFailurePolicy a "
        "failure may count for nothing, or for all of them"
    )


@check(points=2, domains=_DOMAINS)
async def is_due_when_it_should(lab: TaskLab) -> None:
    """The schedule means those minutes, by the clocks of that time zone, and the CronJob is not suspended."""
    spec = (await presence.exists(lab, "CronJob", D.cronjob, _MADE, others=True))["spec"]
    right = meaning(spec["schedule"]) == meaning(D.schedule)
    expect(Observation(right, f"a schedule that means: {D.when}", spec["schedule"], what="its schedule")).because(
        "minute, hour, day of the month, month, day of the week, in this order; */n is every n-th, a-b from a to b. "
        "With numbers in both fields of days it is due on the days of either"
    )
    expect(observe("timeZone", spec.get("timeZone"), equal_to(D.zone))).because(
        "where nothing is said, a schedule is by the clock of the controller manager, mostly UTC"
    )
    expect(holds(not spec.get("suspend"), "it is not suspended", "it is suspended")).because(
        "a CronJob that is suspended starts nothing"
    )


@check(points=2, domains=_DOMAINS)
async def one_after_the_other(lab: TaskLab) -> None:
    """What happens when the next report is due too early, or begins too late, is as it should be."""
    spec = (await presence.exists(lab, "CronJob", D.cronjob, _MADE, others=True))["spec"]
    expect(observe("concurrencyPolicy", spec.get("concurrencyPolicy"), equal_to(D.policy))).because(
        "Allow, meant where nothing is said, runs both; Forbid leaves the next one out; Replace ends the one before"
    )
    expect(observe("startingDeadlineSeconds", spec.get("startingDeadlineSeconds"), equal_to(D.late))).because(
        "without it a Job that is late, say after the control plane was away, is started all the same"
    )


@check(points=1, domains=_DOMAINS)
async def keeps_what_it_should(lab: TaskLab) -> None:
    """So many Jobs are kept of those that completed, and so many of those that failed, whenever that was."""
    spec = (await presence.exists(lab, "CronJob", D.cronjob, _MADE, others=True))["spec"]
    for field, wanted in (("successfulJobsHistoryLimit", D.good), ("failedJobsHistoryLimit", D.bad)):
        expect(observe(field, spec.get(field), equal_to(wanted))).because(
            "where nothing is said, three Jobs that completed are kept, and one that failed"
        )
    kept = spec["jobTemplate"]["spec"].get("ttlSecondsAfterFinished")
    expect(holds(kept is None, "its Jobs have no time to live", f"they go {kept} s after their end")).because(
        "ttlSecondsAfterFinished takes a Job away by its age, so that fewer than were wanted are kept"
    )
