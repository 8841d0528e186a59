"""Lab 04: what comes back through Service `model`, and what is lost while one of its pods is deleted under load.

The limits are the task's own; the probabilities that must come back were computed when the images were built.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlops_lab.checks import Lab, Observation, at_least, at_most, check, equal_to, expect, is_ready, observe
from mlops_lab.measure.traffic.flights import difference

READY_WITHIN = 90  # s, for pods that were applied just before
SELECTED_WITHIN = 15  # s, for the pods to be there at all
ANSWER_WITHIN = 30  # s, for a model that still loads in a pod that says it is ready
RATE, DURATION = 50, 50  # requests a second, s
KILL_AT = 5  # s after the load began
HEAL_WITHIN = 40  # s after the deletion
NEWS_WITHIN = 3  # s in which every node has long heard of the deletion
FAILED_AT_MOST = 0.1  # % of the requests


@check(points=2, owns="model", domains=("ckad/services-and-networking", "cka/services-and-networking"))
async def answers_right(lab: Lab) -> None:
    """POST /predict on port 80 of Service `model` gives the probabilities of model v1 within 1e-6, and only v1 answers.

    The checker waits up to 90 s until every pod that the Service selects is ready. Then it sends 40 flights that you
    don't see, and 100 requests more to learn who answers them. The model must have taken its 8 s to load.
    """
    expect(await pods_ready(lab)).because(SELECTED_AND_READY)
    hidden = lab.traffic.hidden_rows(40)
    answer = await lab.traffic.first_answer(
        lambda: lab.traffic.post("model", "/predict", hidden.body), within=ANSWER_WITHIN
    )
    heard = [answer.error or answer.text[:200]]
    expect(observe("status of POST /predict", answer.status, equal_to(200), evidence=heard)).because(
        "the Service forwards its port to the targetPort of its pods, which must be the port that the server listens "
        "on. Status 0: nobody listened there. kubectl get endpointslices shows addresses and port, kubectl logs POD "
        "says what the server listens on"
    )
    said = answer.fields()
    expect(observe("model_version of the answer", said.get("model_version"), equal_to("v1"))).because(NOT_ONLY_V1)
    apart = difference(said.get("probabilities"), hidden.probabilities("v1"))
    expect(observe("largest difference from the model's own probabilities", apart, at_most(1e-6))).because(
        "the same model gives the same numbers wherever it runs; these are not those of v1. Which image runs: "
        "kubectl get pods -o custom-columns=NAME:.metadata.name,IMAGE:.spec.containers[*].image"
    )
    expect(observe("versions that answered", await versions(lab, "model"), equal_to("v1"))).because(NOT_ONLY_V1)
    expect(observe("seconds that the model took to load", await load_seconds(lab), at_least(8))).because(
        "the task is a large model: the container's environment has MODEL_LOAD_SECONDS=8, as in the deployment.yaml "
        "that you began with"
    )


@check(points=1, needs=answers_right, owns="shadow", domains=("ckad/services-and-networking",))
async def leaves_the_shadow_alone(lab: Lab) -> None:
    """The data scientists' Service `shadow` still answers, and with model v2 only (100 requests)."""
    one = lab.traffic.hidden_rows(1).body
    await lab.traffic.first_answer(lambda: lab.traffic.post("shadow", "/predict", one), within=ANSWER_WITHIN)
    expect(observe("versions that answered at Service shadow", await versions(lab, "shadow"), equal_to("v2"))).because(
        "every pod that carries all labels of a Service's selector gets its traffic, whoever made the pod. Service "
        "shadow selects app=flight-delay,track=shadow. Your pods need labels that match nobody else's selector, and "
        "the shadow's own pod has to stay: kubectl get pods -l app=flight-delay,track=shadow"
    )


@check(points=4, needs=answers_right, owns="model", domains=("ckad/deployment", "ckad/observability-and-maintenance"))
async def survives_a_kill(lab: Lab) -> None:
    """Of 50 requests a second for 50 s at most 0.1 % fail while one of the pods that serve them is deleted.

    5 s after the start the checker deletes the pod that was started first, as `kubectl delete pod` does; right after
    that at least one ready pod must be left. The cluster is a busy one: just before, another Service has changed. Each
    request opens its own connection, as those of many clients do. It fails if it is refused, if no answer comes within
    10 s, or if the status is not 200.
    """
    kill = await lab.once(kill_under_load)
    expect(lost(kill)).because(explained(kill))
    expect(observe("ready pods right after the deletion", kill.ready_after, at_least(1))).because(ONE_REPLICA)


@check(points=3, needs=answers_right, owns="model", domains=("ckad/deployment", "cka/workloads-and-scheduling"))
async def heals(lab: Lab) -> None:
    """Within 40 s of the deletion as many pods are ready as before it (the same run as in `survives_a_kill`)."""
    kill = await lab.once(kill_under_load)
    after = "still" if kill.healed_after is None else f"after {kill.healed_after:.0f} s"
    expect(
        Observation(
            kill.healed_after is not None,
            f"{kill.ready_before} ready pods within {HEAL_WITHIN} s of the deletion, as before",
            f"{after} {kill.ready_last} of {kill.ready_before} ready",
            evidence=kill.pods,
        )
    ).because(
        "a deleted pod never comes back: its controller makes another one, at once. A pod that was made by hand has no "
        "controller (kubectl get pods -o custom-columns=NAME:.metadata.name,OWNER:.metadata.ownerReferences[*].kind). "
        "If the new pod is there and not ready, see how long its probes wait before they ask, and how often they do"
    )


SELECTED_AND_READY = (
    "a Service sends traffic to the pods that carry all labels of its selector and are ready. Compare the two: "
    "kubectl describe service model (Selector, Endpoints) and kubectl get pods --show-labels"
)
NOT_ONLY_V1 = (
    "the task is model v1. Either the pods run another image tag, or the Service's selector matches pods of another "
    "team as well, which then get a share of the traffic. Compare kubectl get service model -o wide with "
    "kubectl get pods --show-labels"
)
ONE_REPLICA = (
    "the deleted pod was the only one that was ready. A Deployment makes a new one at once, but that has to be "
    "scheduled, to start and to load its model, and until then nobody can answer. spec.replicas says how many there are"
)
TOO_EARLY = (
    "most requests were lost when the deleted pod was long out of the Service and its successor had come in: it got "
    "traffic before its model was loaded. Without a readiness probe a pod is ready as soon as its container runs; a "
    "probe whose path always answers 200 tells no more. Delete a pod yourself and watch: kubectl get pods -w"
)
NO_WAIT = (
    "requests were lost right after the deletion. Kubernetes does two things at once then: the kubelet sends the "
    "container SIGTERM, and the pod is taken out of the Service, of which the nodes hear a little later (kube-proxy "
    "gathers changes for up to a second). This server stops listening at SIGTERM, so whoever is still sent to it is "
    "refused. It must go on serving for a few seconds before it gets the signal: "
    "kubectl explain pod.spec.containers.lifecycle"
)
BEFORE = (
    "most requests were lost while no pod was being deleted: some pods behind the Service cannot answer. Ask them one "
    "by one (kubectl get pods -o wide, kubectl logs POD); a pod that cannot serve should not be ready"
)


@dataclass(frozen=True)
class Kill:
    """One run: a pod deleted under load.

    Attributes:
        report: of the whole load.
        at: seconds from the start of the load to the deletion.
        ready_before, ready_after, ready_last: ready pods before the deletion, right after it, and when looked last.
        healed_after: seconds until as many were ready as before; None if they were not in time.
        pods: their states when looked last, in words.
    """

    report: Any
    at: float
    ready_before: int
    ready_after: int
    ready_last: int
    healed_after: float | None
    pods: tuple[str, ...]


async def kill_under_load(lab: Lab) -> Kill:
    """Send the load, delete the ready pod that was started first, and watch until as many are ready as before."""
    expect(await pods_ready(lab)).because(SELECTED_AND_READY)
    victims = sorted(ready(await lab.objects.pods_of("model")), key=lambda pod: str(pod["status"].get("startTime")))
    expect(Observation(bool(victims), "pods that stay ready", "none is ready, a moment after all were")).because(
        "a readiness probe that succeeds and fails in turn takes a pod out of the Service again and again. See with "
        "kubectl describe pod what the probe got, and whether its timeoutSeconds are enough"
    )
    async with lab.traffic.load(
        "model", rate=RATE, duration=DURATION, body=lab.traffic.hidden_rows(1).body, late_at_most=1.0
    ) as load:
        await lab.time.pause(KILL_AT - load.elapsed)
        async with busy_cluster(lab):
            await lab.objects.kill(victims[0]["metadata"]["name"])
            killed = load.elapsed
        pods = await lab.objects.pods_of("model")
        after = len(ready(pods))
        healed = None
        while healed is None and (passed := load.elapsed - killed) < HEAL_WITHIN:
            pods = await lab.objects.pods_of("model")
            healed = passed if len(ready(pods)) >= len(victims) else None
            await lab.time.pause(0.5)
        await load.finished()
    return Kill(load.report, killed, len(victims), after, len(ready(pods)), healed, states(pods))


@contextlib.asynccontextmanager
async def busy_cluster(lab: Lab) -> AsyncIterator[None]:
    """Make a Service of the checker's own, and take it away again: in a cluster with many users some always change.

    kube-proxy has then just written its rules, and takes up what comes next a second later (its minSyncPeriod): so a
    deletion that follows reaches the nodes late. In a cluster where nothing else happens, that would be luck.
    """
    name = "checker-neighbour"
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}}
    try:
        await lab.objects.apply([service])
        await lab.time.pause(0.2)
        yield
    finally:
        await lab.objects.delete("Service", name)


def lost(kill: Kill) -> Observation:
    """The share of failed requests, with when and how they failed."""
    report, (early, late) = kill.report, after_deletion(kill)
    share = 100 * report.failed_ratio
    when = f"{report.failed - early - late} before the deletion, {early} in the {NEWS_WITHIN} s after it, {late} later"
    kinds = [f"{count} x status {status}" for status, count in report.statuses.items() if status not in (0, 200)]
    kinds += [f"{count} x {error}" for error, count in report.errors.most_common(3)]
    return Observation(
        share <= FAILED_AT_MOST,
        f"at most {FAILED_AT_MOST} % of {report.sent} requests failed",
        f"{report.failed} of {report.sent} failed ({share:.2f} %)" + (f": {when}" if report.failed else ""),
        share,
        (*kinds, f"ready pods: {kill.ready_before} before the deletion, {kill.ready_after} right after it"),
    )


def after_deletion(kill: Kill) -> tuple[int, int]:
    """How many requests failed in the first seconds after the deletion, and how many later."""
    news = kill.at + NEWS_WITHIN
    return kill.report.window(kill.at, news).failed, kill.report.window(news, DURATION + 1).failed


def explained(kill: Kill) -> str:
    """The likely cause, from when the requests failed."""
    early, late = after_deletion(kill)
    if kill.ready_after == 0:
        return ONE_REPLICA
    if kill.report.failed > 2 * (early + late):
        return BEFORE
    return TOO_EARLY if late > early else NO_WAIT


async def pods_ready(lab: Lab) -> Observation:
    """Wait until each pod that the Service selects is ready, and there is one."""

    def shown(pods: list[dict[str, Any]]) -> str:
        return f"{len(ready(pods))} of {len(pods)} selected pods ready"

    one = "Service model selects one pod or more"
    found = await lab.objects.pods_until("model", bool, expected=one, shown=shown, within=SELECTED_WITHIN)
    if not found.ok:
        others = [f"{each['metadata']['name']}: {tags(each)}" for each in await lab.objects.all("Pod")]
        return replace(found, evidence=tuple(others))
    found = await lab.objects.pods_until(
        "model",
        lambda pods: bool(pods) and len(ready(pods)) == len(pods),
        expected=f"{one}, and each is ready",
        shown=shown,
        within=READY_WITHIN,
    )
    return replace(found, evidence=states(found.value))


async def versions(lab: Lab, service: str) -> str:
    """The model versions in the answers to 100 requests; `none` if there were none."""
    async with lab.traffic.load(
        service, rate=RATE, duration=2, body=lab.traffic.hidden_rows(1).body, late_at_most=1.0
    ) as load:
        await load.finished()
    return ", ".join(sorted(map(str, load.report.labels))) or "none"


async def load_seconds(lab: Lab) -> float:
    """What a pod's metric says of how long its model took to load; 0 if it never says that the model is loaded."""
    end = time.monotonic() + ANSWER_WITHIN
    while True:
        text = (await lab.traffic.get("model", "/metrics")).text
        took = max(map(float, re.findall(r"^model_load_seconds (\d+(?:\.\d+)?)$", text, re.MULTILINE)), default=0.0)
        if took or time.monotonic() > end:
            return took
        await lab.time.pause(0.5)


def ready(pods: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pods whose condition Ready is true, which makes them endpoints."""
    return [pod for pod in pods if is_ready(pod)]


def states(pods: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Each pod in a line: ready or not, and what its containers wait for."""
    lines = []
    for pod in pods:
        words = ["ready" if ready([pod]) else "not ready", pod["status"].get("phase", "Unknown")]
        for each in pod["status"].get("containerStatuses") or []:
            waiting = each.get("state", {}).get("waiting") or {}
            words += [f"{waiting['reason']} {waiting.get('message', '')[:200]}".strip()] if waiting else []
        lines.append(f"{pod['metadata']['name']}: {', '.join(words)}")
    return tuple(lines)


def tags(pod: dict[str, Any]) -> str:
    """A pod's labels, as kubectl prints them."""
    return ",".join(f"{key}={value}" for key, value in sorted((pod["metadata"].get("labels") or {}).items()))
