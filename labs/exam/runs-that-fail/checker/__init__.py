"""The checks."""

from math import inf
from pathlib import Path

from mlops_lab.checks import Observation, at_most, check, equal_to, expect, holds, observe
from mlops_lab.kit import jobs, presence
from mlops_lab.kit.batch_specs import not_counted, other_clock
from mlops_lab.kit.given import in_manifests
from mlops_lab.kit.logs import last_lines
from mlops_lab.kit.pods import newest
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.kit.volumes import config_maps
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"
_SAYS = f"{D.orders} orders"
_DONE_WITHIN = 25.0  # s; a run takes 6
_AGAIN_WITHIN = 15.0
_TRIES, _LIMIT = 1, 15  # further tries, and s that a run may take
_EVENTS = (
    "kubectl describe job tells of pods that could not be made, and of a deadline; kubectl describe pod of what a pod "
    "that does not begin waits for"
)


@check(points=3, owns="a run", domains=("cka/troubleshooting", "ckad/observability-and-maintenance"))
async def a_run_completes(lab: TaskLab) -> None:
    """A run of the CronJob's template completes, and says how many orders there are, by the given program."""
    found = await presence.exists(lab, "CronJob", D.name, "it was there, and was to be mended", others=True)
    async with jobs.started_from(lab, D.name) as job:
        expect(await jobs.ended(lab, job, within=_DONE_WITHIN)).because(_EVENTS)
        expect(await _says(lab, job)).because("the program counts the lines of the file that the ConfigMap gives it")
    template, orders = found["spec"]["jobTemplate"], f"{D.name}-orders"
    given = in_manifests(_START, "CronJob", D.name)["spec"]["jobTemplate"]
    same = [each[1:] for each in _program(template)] == [each[1:] for each in _program(given)]
    must(holds(same, "it runs the given command", "it runs another one"), "the program was right as it was")
    mounted = config_maps(template["spec"]["template"]["spec"])
    must(
        observe("ConfigMaps that its pods mount", ", ".join(mounted) or "none", equal_to(orders)),
        "that is where the orders come in; in a copy there are only those of today",
    )
    must(await unchanged(lab, _START, "ConfigMap", orders), "the ConfigMap was right as it was")


@check(points=2, needs=a_run_completes, domains=("cka/troubleshooting", "ckad/observability-and-maintenance"))
async def was_run_again(lab: TaskLab) -> None:
    """The Job that was to be made from the CronJob is there, is like its template, and has completed."""
    name = f"{D.name}-again"
    found = await presence.exists(lab, "Job", name, f"kubectl create job {name} --from=cronjob/{D.name}", others=True)
    template = (await lab.objects.named("CronJob", D.name).present())["spec"]["jobTemplate"]
    why = "a Job from a CronJob's template is the run that the schedule would have made"
    same = _program(found) == _program(template)
    expect(holds(same, "it runs what the CronJob runs", otherwise="it runs something else")).because(why)
    mine, given = (each["spec"]["template"]["spec"] for each in (found, template))
    other = [] if sorted(config_maps(mine)) == sorted(config_maps(given)) else ["ConfigMap"]
    other += [] if _account(mine) == _account(given) else ["ServiceAccount"]
    must(holds(not other, "the CronJob's ConfigMap and account", f"another {' and '.join(other)}"), why)
    wider = wider_bounds(found, template)
    must(holds(not wider, "bounded as the CronJob's runs are", f"it has a larger {' and '.join(wider)}"), why)
    expect(await jobs.ended(lab, name, within=_AGAIN_WITHIN)).because(_EVENTS)
    expect(await _says(lab, name)).because("its log is kept with its pod, as long as the Job is there")


@check(points=1, needs=a_run_completes, domains=("ckad/design-and-build",))
async def bounds_stay(lab: TaskLab) -> None:
    """Schedule, tries, the time that a run may take, and the account that it runs as are what they were to be."""
    spec = (await presence.exists(lab, "CronJob", D.name, "it was there, and was to be mended"))["spec"]
    job = spec["jobTemplate"]["spec"]
    why = "what keeps a run that hangs or fails from going on for ever is no part of the fault"
    zone = other_clock(spec)
    due = " ".join(spec["schedule"].split()) + (f", timeZone {zone}" if zone else "")
    expect(observe("schedule", due, equal_to(D.schedule))).because(why)
    expect(holds(not spec.get("suspend"), "it is not suspended", otherwise="it is suspended")).because(why)
    expect(observe("further tries", job.get("backoffLimit", 6), at_most(_TRIES))).because(why)
    free = uncounted(job)
    expect(holds(not free, "each failure counts as a try", f"podFailurePolicy: {'; '.join(free)}")).because(
        "a failure that a rule has the Job ignore does not count for its backoffLimit: the next pod comes, and the next"
    )
    expect(
        observe("seconds that a run may take", job.get("activeDeadlineSeconds", "without end"), at_most(_LIMIT))
    ).because(why)
    account = _account(job["template"]["spec"])
    expect(observe("ServiceAccount", account, equal_to(f"{D.name}-reader"))).because(
        "what the account may do was given to it, and to no other"
    )


def wider_bounds(job: Object, template: Object) -> list[str]:
    """The fields that give a Job more tries, or more time, than a CronJob's template does, and than was wanted."""
    most = {"backoffLimit": _TRIES, "activeDeadlineSeconds": _LIMIT}
    return [
        field for field, bound in most.items()
        if job["spec"].get(field, inf) > max(bound, template["spec"].get(field, inf))
    ]  # fmt: skip


def uncounted(job: Object) -> list[str]:
    """The rules by which a failure of a Job's pod is no try; one that is taken off its node has not failed.

    Args:
        job: its spec.
    """
    ignored = [each for each in not_counted(job) if each["action"] == "Ignore"]
    causes = [{each["type"] for each in rule.get("onPodConditions") or []} or {"exit codes"} for rule in ignored]
    return [f"Ignore by {', '.join(sorted(each))}" for each in causes]


def _account(pod: Object) -> str:
    """The ServiceAccount that a pod runs as."""
    return str(pod.get("serviceAccountName") or "default")


def _program(job: Object) -> list[list[object]]:
    """What the containers of a Job run."""
    return [
        [each.get(name) for name in ("image", "command", "args")]
        for each in job["spec"]["template"]["spec"]["containers"]
    ]


async def _says(lab: TaskLab, job: str) -> Observation:
    """Does the newest pod of a Job say how many orders there are?"""
    pod = newest(await jobs.pods_of(lab, job))
    said = (await last_lines(lab, pod, 1) if pod else []) or ["nothing"]
    return observe("what it says", said[0], equal_to(_SAYS))
