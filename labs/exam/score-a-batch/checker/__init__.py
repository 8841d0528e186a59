"""The checks."""

import json
from pathlib import Path

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import jobs, presence
from mlops_lab.kit.batch_specs import not_counted
from mlops_lab.kit.parallelism import must_work_at_once
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.kit.volumes import config_maps
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .failing import pod_fails
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
    template = json.dumps(pod)
    must(
        holds("score.py" in template or "*.py" in template, "they run score.py", "nothing in their template names it"),
        "the program was to be the ConfigMap's",
    )
    expect(observe("completionMode", spec.get("completionMode"), equal_to("Indexed"))).because(
        "only then does each pod have a completion index, which says what its part is"
    )
    expect(observe("completions", spec.get("completions"), equal_to(len(D.parts)))).because("there are three parts")
    expect(observe("backoffLimit", spec.get("backoffLimit"), equal_to(D.retries))).because(
        "it says how many failed pods are replaced by new ones; with one more the Job has failed. The default is 6"
    )
    each = spec.get("backoffLimitPerIndex")
    must(
        holds(each is None or each >= D.retries, "no smaller limit for each part", f"backoffLimitPerIndex: {each}"),
        "with it each part has a limit of its own, beyond which its failed pods are not replaced",
    )
    deadline, waits = spec.get("activeDeadlineSeconds"), 10 * (2**D.retries - 1)  # 10 s, then twice as long each time
    must(
        holds(
            deadline is None or deadline >= waits, "time for all failed pods to be replaced",
            f"activeDeadlineSeconds: {deadline}, and the Job waits {waits} s in all before it has made the last one",
        ),
        "a Job waits before it replaces a failed pod (10 s, 20 s, 40 s); a deadline ends it meanwhile",
    )  # fmt: skip
    other = [str(each["action"]) for each in not_counted(spec)]
    must(
        holds(not other, "each pod whose program fails counts", f"podFailurePolicy: {', '.join(other)}"),
        "with such a rule the Job fails before so many pods have failed, or does not count them",
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
    await must_work_at_once(lab, D.job, 2)
    must(
        await pod_fails(lab, found, D.batch, len(D.parts)),
        "a pod fails when its container does: with || true, a pipe or one more command behind the program a shell ends "
        "well, and in a loop it starts the program again by itself",
    )


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
