"""Lab 12: what clients see while the learner's own `deploy` brings a good image, and then a broken one.

The checker changes nothing itself but what it finds changed at the end: it puts the Deployment back as it was.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

from mlops_lab.checks import (
    Lab,
    Observation,
    at_most,
    check,
    equal_to,
    expect,
    is_ready,
    observe,
    rolled_out,
    rollout_state,
)
from mlops_lab.kit.losses import none_lost
from mlops_lab.measure.traffic.flights import difference, numbers

Object = dict[str, Any]

ANSWER_WITHIN = 15  # s; the nodes hear of pods that came or went a moment later than the API
RATE, DURATION = 160, 125  # requests a second, s: 20,000 requests
LATE = 1.0  # s that requests may leave late while pods start on a small machine: failures are counted, no latencies
BEFORE = 5  # s of load on what is there, before the program is called
WITHIN = 60  # s for one call of the program
AFTER, LAST = 5, 10  # s after the program's end, and after those the seconds in which only the new version answers
RATE_BROKEN = 25  # requests a second while the broken image is tried
BACK_WITHIN = 20  # s from the program's end until all pods are as they were


@check(points=1, domains=("ckad/services-and-networking", "ckad/environment-configuration-and-security"))
async def serves_v1(lab: Lab) -> None:
    """Service `model` answers POST /predict on port 80 with the values of model v1, for 20 flights that you don't see.

    The checker waits up to 60 s until all pods of the Deployment `model` are ready.
    """
    deployment = lab.objects.deployment("model")
    if await deployment.now() is None:
        expect(Observation(False, "a Deployment named model", "there is none in this namespace")).because(
            "nothing runs before it is applied: kubectl apply -f model.yaml, then kubectl get deployments"
        )
    expect(await deployment.rolled_out(within=60)).because(
        "kubectl describe pod says in its events what holds a pod up, kubectl logs what the server says about it"
    )
    hidden = lab.traffic.hidden_rows(20)
    answer = await lab.traffic.first_answer(
        lambda: lab.traffic.post("model", "/predict", hidden.body, within=5),
        lambda answer: answer.status == 200 and answer.fields_if_any.get("model_version") == "v1",
        within=ANSWER_WITHIN,
    )
    selected = len(await lab.objects.pods_of("model"))
    expect(observe("status of POST /predict (0: no answer)", answer.status, equal_to(200))).because(
        f"the selector of Service model matches {selected} pods; they must be ready, and the Service's targetPort must "
        "be the port that the server listens on: 8080. kubectl get endpointslices shows the addresses and the port"
    )
    said = answer.fields()
    expect(observe("model_version of the answer", said.get("model_version"), equal_to("v1"))).because(
        "the update begins at v1. Put the image back in the manifests, apply them, and let the checker make the update"
    )
    given, own = said.get("probabilities"), hidden.probabilities("v1")
    count = len(numbers(given) or [])
    expect(observe("probabilities for 20 flights", count, equal_to(len(own)))).because("it is one for each flight")
    expect(observe("largest difference from the model's own values", difference(given, own), at_most(1e-6))).because(
        "the same model gives the same values wherever it runs; these come from another one"
    )


@check(points=1, needs=serves_v1, owns="model", domains=("ckad/deployment",))
async def replaces_the_old(lab: Lab) -> None:
    """`./deploy localhost:5001/flight-delay:v2` exits 0 within 60 s, and from v1 the answers change over to v2 alone.

    It is called 5 s after the start of a load, and in the last 10 s of that load every answer comes from v2.
    """
    update = await lab.once(updated)
    expect(update.exited).because(
        "the pipeline that calls the program has nothing but its exit code: 0 says that the new image serves. If it "
        f"was stopped after {WITHIN} s: bound each wait in it (kubectl rollout status --timeout), and see what the "
        "rollout waits for: kubectl get pods while it runs, kubectl describe deployment model"
    )
    expect(update.replaced).because(
        "the program gets the image as its first argument. A rollout begins when the pod template changes: with the "
        "same tag again a restart runs what ran before. Compare kubectl get deployment model -o wide before and after "
        "./deploy, and ask the Service: GET /version names model and pod"
    )


@check(points=4, needs=replaces_the_old, owns="model", domains=("ckad/deployment", "cka/workloads-and-scheduling"))
async def updates_without_a_failure(lab: Lab) -> None:
    """Of the 20,000 requests of that load (160 a second) not one fails.

    Every request opens a connection of its own, as those of many clients do. A request fails if no connection is made,
    if no answer comes within 10 s, or if the answer's status is not 200. The load ends early once one has failed.
    """
    update = await lab.once(updated)
    expect(update.unharmed).because("" if update.unharmed.ok else await why_lost(lab, update.report))


@check(points=2, needs=updates_without_a_failure, owns="model", domains=("ckad/observability-and-maintenance",))
async def broken_never_serves(lab: Lab) -> None:
    """While `./deploy localhost:5001/flight-delay:v3-broken` tries an image that can't load its model, none fails.

    25 requests a second go on until 5 s after the program's end (60 s at most); a pod must really have tried the image.
    """
    trial = await lab.once(tried)
    expect(trial.begun).because(
        "that an image is good shows only where it runs; a program that refuses it by its name proves nothing. Let the "
        "rollout begin, and let the pod's own readiness decide"
    )
    expect(trial.unharmed).because(
        "a pod of v3-broken was ready, so it got requests, and the rollout went on to delete good pods for it. Its "
        "process lives and GET /healthz says 200; only GET /readyz knows that there is no model (503). However long a "
        "probe waits, it must ask the right question: kubectl get deployment model -o yaml | grep -A6 readinessProbe"
        if trial.was_ready
        else "no pod of v3-broken was ever ready, so what was lost was lost on the good pods: on the way forward "
        "(maxUnavailable, strategy Recreate) or on the way back. Going back needs no deletion: kubectl rollout undo "
        "scales the old ReplicaSet up and the broken one down, by the same rules as an update"
    )


@check(points=2, needs=broken_never_serves, owns="model", domains=("ckad/deployment", "cka/troubleshooting"))
async def rolls_back(lab: Lab) -> None:
    """`./deploy` with that broken image exits with another code than 0 within 60 s, and v2 runs again as before.

    At most 20 s after the program's end all pods of the Deployment are ready with the image from before the call, and
    no pod of the broken image is left but those that are being deleted.
    """
    trial = await lab.once(tried)
    expect(trial.refused).because(
        "kubectl set image and kubectl apply succeed as soon as the API server has stored the wish. kubectl rollout "
        "status waits, and ends with 1 once progressDeadlineSeconds (default: 600) or its --timeout are over. The "
        "program must keep that verdict: after `status || undo` the exit code is that of the undo, which is 0"
        if trial.stopped_after is None
        else f"it still ran after {WITHIN} s and was stopped. A rollout without progress counts as failed only after "
        "progressDeadlineSeconds, by default 600, and kubectl rollout status waits that long unless it has a --timeout"
    )
    expect(trial.back).because(
        "a rollout that fails stays as it is: Kubernetes never goes back by itself, and the broken image is tried in "
        "each new pod. kubectl rollout undo deployment/model returns to the revision before, whatever that was; the "
        "manifests in a folder may be older. See kubectl rollout history deployment/model"
    )


@dataclass(frozen=True)
class Update:
    """What the update brought about."""

    exited: Observation
    replaced: Observation
    unharmed: Observation
    report: Any


@dataclass(frozen=True)
class Trial:
    """What the broken image brought about.

    Attributes:
        was_ready: whether a pod of it was ever ready.
        stopped_after: the limit, if the program had to be stopped.
    """

    begun: Observation
    unharmed: Observation
    refused: Observation
    back: Observation
    was_ready: bool
    stopped_after: float | None


async def found(lab: Lab) -> Object:
    """The Deployment as it was before the checker let anything happen to it."""
    return await lab.objects.deployment("model").present()


async def updated(lab: Lab) -> Update:
    """Let the program update to v2 under load; if anything was not as asked, put the Deployment back."""
    await lab.once(found)
    update = None
    try:
        body = lab.traffic.hidden_rows(1).body
        async with lab.traffic.load("model", rate=RATE, duration=DURATION, body=body, late_at_most=LATE) as load:
            await lab.time.pause(BEFORE)
            command = await lab.work.command("deploy", lab.platform.image("v2"), within=WITHIN)
            await lab.time.pause(AFTER + LAST)
            so_far, now = load.seen, load.elapsed
            through = set(named(so_far.window(now - LAST, now).labels)) == {"v2"}
            decided = command.code != 0 or not through or so_far.failed
            if not decided and lab.thorough(replaces_the_old, updates_without_a_failure):
                await load.finished()
            ended = load.elapsed
        report = load.report
        seen, last = report.labels, report.window(ended - LAST, ended).labels
        replaced = Observation(
            bool(seen.get("v1") and seen.get("v2") and set(named(last)) == {"v2"}),
            f"answers from v1, then from v2; in the last {LAST} s from v2 alone",
            f"in all {versions(seen)}; in the last {LAST} s {versions(last)}",
        )
        asked = f"./deploy {lab.platform.image('v2')}: exit code 0 within {WITHIN} s"
        exited = command.observed(command.code == 0, asked)
        update = Update(exited, replaced, none_lost(report), report)
        return update
    finally:
        if not (update and update.exited.ok and update.replaced.ok and update.unharmed.ok):
            await put_back(lab)


async def tried(lab: Lab) -> Trial:
    """Let the program try the broken image on the updated Deployment, then put the Deployment back as it was found."""
    await lab.once(updated)
    broken, deployment = lab.platform.image("v3-broken"), lab.objects.deployment("model")
    try:
        before = images(await deployment.now())
        ever_ready: dict[str, bool] = {}
        whole, body = WITHIN + BACK_WITHIN, lab.traffic.hidden_rows(1).body
        async with lab.traffic.load("model", rate=RATE_BROKEN, duration=whole, body=body, late_at_most=LATE) as load:
            looking = asyncio.create_task(look_for(lab, broken, ever_ready))
            try:
                command = await lab.work.command("deploy", broken, within=WITHIN)
                await lab.time.pause(5)
            finally:
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)
        back = await deployment.until(
            lambda item: rolled_out(item) and images(item) == before,
            expected=f"image {', '.join(before)} again, all pods ready,",
            shown=lambda item: f"image {', '.join(images(item))}, {rollout_state(item)}",
            within=BACK_WITHIN,
        )
        left = [
            pod["metadata"]["name"] for pod in await lab.objects.all("Pod") if runs(pod, broken) and not leaving(pod)
        ]
        if back.ok and left:
            back = replace(back, ok=False, expected="no pod of the broken image left", seen=f"left: {', '.join(left)}")
        asked = f"./deploy {broken}: an exit code other than 0 within {WITHIN} s"
        return Trial(
            Observation(bool(ever_ready), "1 pod or more tries the broken image", f"{len(ever_ready)} tried it"),
            none_lost(load.report),
            command.observed(command.code not in (0, None), asked),
            back,
            any(ever_ready.values()),
            command.seconds if command.code is None else None,
        )
    finally:
        await put_back(lab)


async def look_for(lab: Lab, image: str, ever_ready: dict[str, bool]) -> None:
    """Note each pod that runs an image, and whether it was ever ready, until cancelled."""
    while True:
        for pod in await lab.objects.all("Pod"):
            if runs(pod, image):
                name = pod["metadata"]["name"]
                ever_ready[name] = ever_ready.get(name, False) or is_ready(pod)
        await asyncio.sleep(0.3)


async def put_back(lab: Lab) -> None:
    """Make the Deployment again what it was found to be, and wait until its pods follow."""
    before, deployment = owned(await lab.once(found)), lab.objects.deployment("model")
    now = await deployment.now()
    if now is None:
        again: Object = {"apiVersion": "apps/v1", "kind": "Deployment"} | before
        again["metadata"] = {"name": "model"} | before["metadata"]
        await lab.objects.apply([again])
    elif patch := merge_patch(owned(now), before):
        await lab.objects.patch("Deployment", "model", patch)
    task = asyncio.current_task()
    if not (task and task.cancelling()):  # who interrupts does not want to wait
        await deployment.rolled_out(within=90)


def owned(item: Object) -> Object:
    """What of a Deployment is its owner's, not the server's or a controller's."""
    marks = {name: item["metadata"].get(name) or {} for name in ("labels", "annotations")}
    revision = "deployment.kubernetes.io/revision"  # the Deployment controller counts it up
    marks["annotations"] = {key: value for key, value in marks["annotations"].items() if key != revision}
    return {"metadata": marks, "spec": item["spec"]}


def merge_patch(now: Object, wanted: Object) -> Object:
    """The merge patch (RFC 7386) from one object to another: null for what goes, lists whole."""
    patch: Object = {key: None for key in now if key not in wanted}
    for key, value in wanted.items():
        if isinstance(value, dict) and isinstance(now.get(key), dict):
            if inner := merge_patch(now[key], value):
                patch[key] = inner
        elif now.get(key) != value:
            patch[key] = value
    return patch


def images(item: Object | None) -> list[str]:
    return [each["image"] for each in item["spec"]["template"]["spec"]["containers"]] if item else []


def runs(pod: Object, image: str) -> bool:
    return image in [each["image"] for each in pod["spec"]["containers"]]


def leaving(pod: Object) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def named(labels: dict[str, int]) -> dict[str, int]:
    """The answers that say a version."""
    return {label: number for label, number in labels.items() if label}


def versions(labels: dict[str, int]) -> str:
    return ", ".join(f"{number} from {label}" for label, number in sorted(named(labels).items())) or "no answers"


async def why_lost(lab: Lab, report: Any) -> str:
    """What in the Deployment and the Service explains requests lost in the update."""
    deployment, service = await lab.once(found), await lab.objects.named("Service", "model").now() or {"spec": {}}
    template, strategy = deployment["spec"]["template"]["spec"], deployment["spec"].get("strategy") or {}
    container = template["containers"][0]
    unavailable = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", "25%")
    probe, hook = container.get("readinessProbe"), (container.get("lifecycle") or {}).get("preStop")
    path = ((probe or {}).get("httpGet") or {}).get("path")
    reasons = []
    if strategy.get("type") == "Recreate":
        reasons.append(
            "strategy Recreate deletes all old pods before it makes the first new one: until that has loaded its model "
            "nobody answers. RollingUpdate replaces them bit by bit"
        )
    if service["spec"].get("publishNotReadyAddresses"):
        reasons.append("the Service has publishNotReadyAddresses: it sends requests to pods that are not ready")
    if probe is None:
        reasons.append(
            "the container has no readinessProbe, so a new pod counts as ready as soon as its process runs: the old "
            "pods are deleted and the requests come before the model is loaded (503). GET /readyz tells when it is"
        )
    elif report.statuses.get(503):
        reasons.append(
            f"pods that count as ready answered 503, which this server does while its model loads. The readiness probe "
            f"asks {path or 'nothing that depends on the model'}: GET /healthz says only that the process lives, GET "
            "/readyz that it can serve"
        )
    if not hook:
        reasons.append(
            "there is no preStop wait. When a pod is deleted, its container gets SIGTERM at the same moment as its "
            "address leaves the Service; the nodes learn of the latter a second or two later, and this server stops "
            "listening at SIGTERM. Who is still sent there is refused. A hook that waits some seconds "
            "(kubectl explain pod.spec.containers.lifecycle.preStop) keeps it listening for so long"
        )
    if str(unavailable) not in ("0", "0%"):
        reasons.append(
            f"maxUnavailable is {unavailable}: so many of the pods may be deleted before a new one is ready, and the "
            "rest has to carry all requests. With 0 and a maxSurge a new pod comes first"
        )
    return "; ".join(reasons) or (
        "the evidence says how requests failed. Refused or reset: a pod ended while it still got them (preStop wait "
        "longer than terminationGracePeriodSeconds?). No answer in time: too few pods, or a CPU limit"
    )
