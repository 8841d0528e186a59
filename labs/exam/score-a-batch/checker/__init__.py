"""The checks."""

from pathlib import Path

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import jobs, presence
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.kit.volumes import config_maps
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .scored import as_the_model_says, each_once, lines_of

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"


@check(points=2, domains=("ckad/design-and-build",))
async def works_part_by_part(lab: TaskLab) -> None:
    """The Job has completed: three indexed completions, two at a time, with as many retries in new pods as wanted."""
    found = await presence.exists(lab, "Job", D.job, "kubectl create job, or a manifest, makes it", others=True)
    spec = found["spec"]
    pod = spec["template"]["spec"]
    images = sorted({each["image"].partition("@")[0] for each in pod["containers"]})
    expect(observe("image of its pods", ", ".join(images), equal_to(lab.platform.image("v1")))).because(
        "the task says which image has what the program needs"
    )
    mounted = ", ".join(sorted({*config_maps(pod)}))
    expect(observe("ConfigMaps that its pods mount", mounted or "none", equal_to(D.batch))).because(
        "the program and the parts are there; a copy stays as it is when they change"
    )
    expect(observe("completionMode", spec.get("completionMode"), equal_to("Indexed"))).because(
        "only then does each pod have a completion index, which says what its part is"
    )
    expect(observe("completions", spec.get("completions"), equal_to(len(D.parts)))).because("there are three parts")
    expect(observe("parallelism", spec.get("parallelism"), equal_to(2))).because(
        "two pods at a time were wanted; the default is one"
    )
    expect(observe("backoffLimit", spec.get("backoffLimit"), equal_to(D.retries))).because(
        "it says how many failed pods are replaced by new ones; with one more the Job has failed. The default is 6"
    )
    expect(observe("restartPolicy", pod.get("restartPolicy"), equal_to("Never"))).because(
        "with OnFailure the container begins again in the same pod; with Never a new pod takes a failed one's place"
    )
    kept = "ttlSecondsAfterFinished" not in spec
    must(
        holds(kept, "the Job stays when it has completed", f"it goes {spec.get('ttlSecondsAfterFinished')} s later"),
        "with ttlSecondsAfterFinished a Job is deleted after a while, and its pods with their logs",
    )
    expect(await jobs.ended(lab, D.job, within=60)).because("its log says why the program ended: kubectl logs job/NAME")


@check(points=3, needs=works_part_by_part, domains=("ckad/observability-and-maintenance",))
async def scores_each_flight_once(lab: TaskLab) -> None:
    """Each flight is in the log of one of the Job's pods once, with the probability that the Service gives for it."""
    for kind, name in (("Deployment", D.model), ("Service", D.model), ("ConfigMap", D.batch)):
        must(await unchanged(lab, _START, kind, name), "what was there when the task began was to stay as it is")
    lines = await lines_of(lab, D.job)
    expect(each_once(lines, D.parts)).because(
        "each pod is to score the part of its own index: part-0.json has the flights of index 0, and so on"
    )
    expect(await as_the_model_says(lab, D.model, lines, D.parts)).because(
        "the program prints what the Service answered; what stands in the log is something else"
    )
