"""The checks."""

from mlops_lab.checks import Observation, check, equal_to, expect, holds, observe
from mlops_lab.kit import deployments, jobs, presence
from mlops_lab.kit.batch_specs import other_clock
from mlops_lab.kit.debuggers import undebugged
from mlops_lab.kit.logs import last_lines
from mlops_lab.kit.pods import every_container, leaving
from mlops_lab.kit.prerequisites import must
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .digests import by_digest, meant
from .draw import Drawn

D = drawn(Drawn, __file__)
_WHY = (
    "a tag is a name that may mean another image tomorrow, whatever the pull policy; a digest is computed from what is "
    "in the image. The field imageID of a running pod's status ends with it"
)


@check(points=3)
async def server_runs_by_digest(lab: TaskLab) -> None:
    """All containers of the Deployment's pods, the next ones too, run the image by its digest; the Service answers."""
    found = await deployments.exists(lab, D.model, why="it was there when the task began; leave it where it is")
    must(
        await deployments.rolled_out(lab, D.model, within=20),
        "kubectl describe pod says in its events what holds a pod up, such as a digest that the registry does not have",
    )
    digests = await lab.once(meant)
    pods = [each for each in await deployments.owned_pods(lab, D.model) if not leaving(each)]
    expect(holds(bool(pods), "pods of the Deployment", "it has none")).because("leave its pod where it is")
    for pod in pods:
        expect(by_digest(lab, every_container(undebugged(pod["spec"])), digests)).because(_WHY)
    must(
        by_digest(lab, every_container(found["spec"]["template"]["spec"]), digests),
        "an image that is changed in a pod is that pod's alone: the Deployment makes the next one of its template",
    )
    answer = await lab.traffic.first_answer(lambda: lab.traffic.get(D.model, "/release"), within=15)
    expect(Observation(answer.text.strip() == D.release, f"GET /release: {D.release}", answer.shown)).because(
        "only the image's name changes: what its containers do stays as it was"
    )


@check(points=2, needs=server_runs_by_digest, owns="the CronJob")
async def nightly_runs_by_digest(lab: TaskLab) -> None:
    """The containers of the CronJob's Jobs do so, too; a Job made of it now completes, and it makes one each night."""
    found = await presence.exists(lab, "CronJob", D.nightly, "it was there when the task began; leave it where it is")
    spec = found["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    expect(by_digest(lab, every_container(spec), await lab.once(meant))).because(_WHY)
    async with jobs.started_from(lab, D.nightly) as job:
        expect(await jobs.ended(lab, job, within=20)).because(
            f"kubectl create job --from=cronjob/{D.nightly} NAME tries it; its events say why no pod of it runs"
        )
        lines = [line for pod in await jobs.pods_of(lab, job) for line in await last_lines(lab, pod, judged=True)]
    expect(
        holds(D.release in lines, f"it prints {D.release}", f"it prints {' '.join(lines)[:80] or 'nothing'}")
    ).because("what its program does stays as it was")
    zone = other_clock(found["spec"])
    makes = "never: it is suspended" if found["spec"].get("suspend") else str(found["spec"].get("schedule"))
    makes += f" by the clocks of {zone}" if zone else ""
    expect(observe("when it makes Jobs", makes, equal_to(f"{D.minute} 3 * * *"))).because(
        "it asks the model each night: one that was suspended, or had another schedule or timeZone to try it, is to be "
        "as before"
    )


@check(points=1)
async def digest_is_on_record(lab: TaskLab) -> None:
    """The ConfigMap has the digest that the tag means today."""
    found = await presence.exists(lab, "ConfigMap", D.record, "kubectl create configmap makes it", others=True)
    said = str((found.get("data") or {}).get("digest")).strip()
    digests = await lab.once(meant)
    expect(Observation(said in digests, f"digest: {digests[0]}", f"digest: {said}")).because(
        "whoever asks later what the tag meant when this was set finds it nowhere else"
    )
