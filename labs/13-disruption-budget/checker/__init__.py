"""Lab 13: what clients see while a node is drained, and whether the node is empty in time.

The checker is the platform team: it cordons the node with most of the lab's pods, evicts those, and only those, by the
Eviction API as `kubectl drain` does, and opens the node again. Then it plays a bad release, and asks for evictions once
more. At the end it puts the Deployment back and starts its pods anew: nothing else moves pods back to a drained node.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_lab.checks import Lab, LabError, Observation, at_most, check, equal_to, expect, is_ready, observe
from mlops_lab.kit.losses import none_lost
from mlops_lab.measure.traffic.flights import difference

Object = dict[str, Any]

PODS = 3
UP_WITHIN = 90  # s, for pods that were applied just before
STAYS = "what is checked must stay until the check ends: apply it again, and check again"
ANSWER_WITHIN = 15  # s; the nodes hear of pods that came a moment later than the API
COUNTED_WITHIN = 20  # s until the disruption controller has counted pods that have just become ready
RATE = 100  # requests a second
LATE = 1.0  # s that requests may leave late while pods start on a small machine: failures are counted, no latencies
BEFORE, AFTER = 5, 5  # s of load before the drain, and after it
AT_ONCE = 4  # s between two evictions that count as made at once; the model alone loads for longer than that
DRAINED_WITHIN = 120  # s from the first eviction until no pod of the Service is left on the node
BACK_WITHIN = 60  # s from then until all pods are ready elsewhere
AGAIN = 1.0  # s; kubectl drain takes 5
LOST_AT_MOST = 0.1  # % of the requests
BROKEN_WITHIN = 60  # s until all pods are of the broken image, run, and are not ready
GRANTED_WITHIN = 10  # s
PUT_BACK_WITHIN = 20  # s, should the API server not answer
GONE_WITHIN = 40  # s for pods that are deleted with a grace of 1 s


@check(points=1, domains=("ckad/deployment", "cka/workloads-and-scheduling"))
async def serves(lab: Lab) -> None:
    """All pods of Deployment `model`, 3 at least, are ready, and Service `model` gives the values of model v1.

    The checker waits up to 90 s until all pods are ready, and sends 20 flights that you don't see.
    """
    await lab.nodes.workers(at_least=2)
    deployment = lab.objects.deployment("model")
    item = await deployment.now()
    if item is None:
        expect(Observation(False, "a Deployment named model", "there is none in this namespace")).because(
            "nothing runs before it is applied: kubectl apply -f model.yaml, then kubectl get deployments"
        )
    wanted = (item or {})["spec"].get("replicas", 1)
    expect(Observation(wanted >= PODS, f"replicas: {PODS} or more", str(wanted))).because(
        "while one pod is evicted and its successor loads the model, the others carry all requests, and one of those "
        "may fail just then"
    )
    expect(await deployment.rolled_out(pods=PODS, within=UP_WITHIN)).because(
        "kubectl describe pod says in its events what holds a pod up. A rule that allows one pod to a node leaves the "
        "others Pending when there are more pods than nodes that take any; and a hard topology spread constraint "
        "counts nodes that take no pods, such as the control plane, as empty ones (see nodeTaintsPolicy)"
    )
    hidden = lab.traffic.hidden_rows(20)
    answer = await lab.traffic.first_answer(
        lambda: lab.traffic.post("model", "/predict", hidden.body, within=5), within=ANSWER_WITHIN
    )
    heard = [answer.error or answer.text[:200]]
    expect(observe("status of POST /predict (0: no answer)", answer.status, equal_to(200), evidence=heard)).because(
        "the Service is given; its selector must match the pods, which listen on port 8080. kubectl get endpointslices"
    )
    apart = difference(answer.fields().get("probabilities"), hidden.probabilities("v1"))
    expect(observe("largest difference from the model's own probabilities", apart, at_most(1e-6))).because(
        "the task is the image flight-delay:v1; leave it, and MODEL_LOAD_SECONDS"
    )


@check(points=2, needs=serves, domains=("cka/workloads-and-scheduling",))
async def is_spread(lab: Lab) -> None:
    """The pods are on two nodes or more, and a rule in their template asks for that.

    A topology spread constraint or a pod anti-affinity counts if its selector matches the pods themselves, and if its
    topology key tells the nodes apart.
    """
    pods = await lab.objects.pods_of("model")
    places = where(pods)
    seen = ", ".join(f"{number} on {node}" for node, number in sorted(places.items()))
    expect(Observation(len(places) >= 2, "pods on two nodes or more", seen, places)).because(
        "whoever drains that node, or pulls its plug, takes the whole service. The scheduler decides once, when a pod "
        "is made: a rule that came later, or a node that has come back, moves nothing. podAffinity draws pods "
        "together, podAntiAffinity and topologySpreadConstraints keep them apart; then: kubectl rollout restart "
        "deployment/model"
    )
    template = (await lab.objects.deployment("model").present())["spec"]["template"]
    nodes = await lab.nodes.workers(at_least=2)
    rules = spread_rules(template, nodes)
    expect(
        Observation(
            any(good for good, _ in rules),
            "a rule in the pod template that spreads these pods over the nodes",
            "; ".join(said for _, said in rules) or "no topologySpreadConstraints and no podAntiAffinity",
        )
    ).because(
        "without a rule the scheduler's defaults happen to spread pods, as one wish among many: free room or an image "
        "that a node already has can outweigh it. And a rule counts the pods that its own labelSelector matches: if "
        "that matches none, each node looks empty to it"
    )


@check(points=2, needs=is_spread, domains=("cka/cluster-architecture", "ckad/deployment"))
async def lets_a_pod_go(lab: Lab) -> None:
    """While all pods are ready, the eviction of one is granted.

    The Eviction API is asked with `dryRun`, so that nothing happens yet; for up to 20 s, until the pods are counted.
    """
    pods = sorted(map(name, await lab.objects.pods_of("model")))
    expect(Observation(bool(pods), "pods behind Service model", "there are none any more")).because(STAYS)
    granted = await lab.time.eventually(
        lambda: lab.nodes.evict(pods[0], dry_run=True),
        lambda refusal: not refusal,
        expected="the eviction of a pod is granted",
        shown=lambda refusal: f"refused: {refusal}" if refusal else "granted",
        within=COUNTED_WITHIN,
    )
    lines = await budgets(lab)
    expect(Observation(granted.ok, granted.expected, granted.seen, None, lines)).because(
        "a budget that no pod may ever leave does not protect the service, it blocks the node: the drain tries again "
        "until somebody deletes the budget, or pulls the plug. See ALLOWED DISRUPTIONS in kubectl get pdb when all "
        "pods are ready: it must be 1 or more. Percentages are rounded up, to whole pods; and a pod may be covered by "
        "one budget only, else the Eviction API answers with an error"
    )


@check(points=2, needs=lets_a_pod_go, owns="model", domains=("cka/cluster-architecture", "ckad/deployment"))
async def holds_the_second(lab: Lab) -> None:
    """Of two evictions at once the first is granted, and the second is refused as long as a pod is missing."""
    found = await lab.once(maintained)
    expect(found.second).because(
        "a drain asks for all pods of a node at once. Only a PodDisruptionBudget makes it wait for the successor of "
        "one before the next goes, and only if its selector matches the pods' labels: kubectl get pdb -o yaml shows "
        "under status how many it sees (expectedPods) and how many may be missing now (disruptionsAllowed). With "
        "these pods one may be missing, not two; percentages are rounded up, maxUnavailable too"
    )


@check(points=2, needs=holds_the_second, owns="model", domains=("cka/cluster-architecture", "cka/troubleshooting"))
async def drains(lab: Lab) -> None:
    """The node is empty of your pods within 120 s, and within another 60 s all of them are ready on other nodes.

    The checker asks each second again for what was refused, and keeps the node closed until it has seen that.
    """
    found = await lab.once(maintained)
    expect(found.drained).because(
        "the next pod may go when the successor of the one before is ready, and a pod is gone when its container has "
        "ended: a long preStop wait and a successor that does not start hold the drain up. kubectl get pods --watch"
    )
    expect(found.back).because(
        "a node can be away for hours, and then the others must take all pods. A hard rule can forbid that: to a "
        "topology spread constraint with DoNotSchedule a drained node still counts, as one with no pods, unless "
        "nodeTaintsPolicy is Honor; ScheduleAnyway, and a preferred anti-affinity, give way. kubectl describe pod "
        "says of a Pending pod which rule no node meets"
    )


@check(points=3, needs=drains, owns="model", domains=("ckad/services-and-networking", "ckad/deployment"))
async def loses_nothing(lab: Lab) -> None:
    """Of the 100 requests a second meanwhile at least 99.9 % are answered.

    Every request opens a connection of its own. It fails if no connection is made, if no answer comes within 10 s, or
    if the answer's status is not 200.
    """
    found = await lab.once(maintained)
    expect(found.lost).because("" if found.lost.ok else why_lost(found.template, found.statuses))


@check(points=2, needs=loses_nothing, owns="model", domains=("cka/troubleshooting", "cka/cluster-architecture"))
async def lets_broken_pods_go(lab: Lab) -> None:
    """While no pod is ready, because of a release that can't load its model, evictions are granted.

    The checker puts flight-delay:v3-broken into all pods of the Deployment, asks with `dryRun`, and puts all back.
    """
    found = await lab.once(maintained)
    expect(found.broken).because(
        "these pods run and serve nobody, and still the budget holds them: by default (IfHealthyBudget) pods that are "
        "not ready may be evicted only while enough others are. So a bad release at night keeps the node from its "
        "update, until somebody comes. See unhealthyPodEvictionPolicy: kubectl explain pdb.spec"
    )


NOT_YET = Observation(False, "the drain before this", "it did not come to this")


@dataclass
class Maintenance:
    """What the drain and the bad release brought about; what did not happen is not met.

    Attributes:
        template: the Deployment's pod template before.
        statuses: of the requests, with counts.
    """

    template: Object
    second: Observation = NOT_YET
    drained: Observation = NOT_YET
    back: Observation = NOT_YET
    lost: Observation = NOT_YET
    broken: Observation = NOT_YET
    statuses: Any = None


async def maintained(lab: Lab) -> Maintenance:
    """Drain a node under load, then let a bad release happen; ends at the first thing that is not as asked."""
    before = await lab.objects.deployment("model").present()
    found = Maintenance(before["spec"]["template"])
    try:
        await drain(lab, found)
        if found.lost.ok:
            await break_all(lab, before, found)
    finally:
        await put_back(lab, before)
    return found


async def drain(lab: Lab, found: Maintenance) -> None:
    """Empty the node with most pods under load, and keep it closed until they are all ready elsewhere."""
    pods = await lab.objects.pods_of("model")
    node, first, other = chosen(pods, {name(each) for each in await lab.nodes.workers(at_least=2)})
    body, duration = lab.traffic.hidden_rows(1).body, BEFORE + DRAINED_WITHIN + COUNTED_WITHIN + BACK_WITHIN + AFTER
    async with lab.traffic.load("model", rate=RATE, duration=duration, body=body, late_at_most=LATE) as load:
        await lab.time.pause(BEFORE)
        async with lab.nodes.cordoned(node):
            first_refused = await refused_for(lab, first, COUNTED_WITHIN)
            began = time.monotonic()
            second_refused = "" if first_refused else await lab.nodes.evict(other)
            if (took := time.monotonic() - began) > AT_ONCE:
                raise LabError(f"the API server took {took:.0f} s for an eviction", "the machine is busy; check again")
            found.second = second(first_refused, second_refused, len(pods), await budgets(lab))
            if not found.second.ok:
                return
            found.drained = await emptied(lab, node, began)
            if not found.drained.ok:
                return
            found.back = await lab.objects.deployment("model").rolled_out(
                pods=PODS, within=BACK_WITHIN, expected=f"all pods ready on other nodes than {node}"
            )
        await lab.time.pause(AFTER)
    found.lost, found.statuses = lost(load.report), load.report.statuses


async def refused_for(lab: Lab, pod: str, within: float) -> str:
    """Ask for an eviction until it is granted; the refusal if it never is."""
    end = time.monotonic() + within
    while (refusal := await lab.nodes.evict(pod)) and time.monotonic() < end:
        await lab.time.pause(AGAIN)
    return refusal


async def emptied(lab: Lab, node: str, began: float) -> Observation:
    """Evict what the Service has on a node until it is all gone."""
    selector = (await lab.objects.named("Service", "model").present())["spec"].get("selector") or {}
    expect(Observation(bool(selector), "Service model with a selector", "it has none any more")).because(STAYS)
    refusal = ""
    while True:
        here = [each for each in await lab.objects.all("Pod", labels(selector)) if each["spec"].get("nodeName") == node]
        took = time.monotonic() - began
        if not here or took > DRAINED_WITHIN:
            break
        for each in here:
            if not leaving(each):
                refusal = await lab.nodes.evict(name(each)) or refusal
        await lab.time.pause(AGAIN)
    ending = sum(map(leaving, here))
    seen = f"{len(here)} left, {ending} of them about to end; last refusal: {refusal or 'none'}" if here else "empty"
    return Observation(
        not here,
        f"node {node} empty of the Service's pods within {DRAINED_WITHIN} s",
        f"{seen} after {took:.0f} s",
        took,
        () if not here else await budgets(lab),
        "the drained node",
    )


async def break_all(lab: Lab, before: Object, found: Maintenance) -> None:
    """Put a broken image into all pods at once, and ask for their eviction when the budget has noticed."""
    image = lab.platform.image("v3-broken")
    patch = {
        "spec": {
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "100%"}},
            "template": {"spec": {"containers": with_image(before["spec"]["template"]["spec"]["containers"], image)}},
        }
    }
    await lab.objects.patch("Deployment", "model", patch)
    wanted = before["spec"].get("replicas", 1)

    def all_broken(pods: list[Object]) -> bool:
        return len(pods) == wanted and all(
            runs(each, image) and is_running(each) and not is_ready(each) for each in pods
        )

    seen = await lab.objects.pods_until(
        "model", all_broken, expected="all pods run the broken image", shown=states, within=BROKEN_WITHIN
    )
    covering = await lab.time.eventually(
        lambda: matching_budgets(lab, before["spec"]["template"]),
        lambda items: all(counted(each) for each in items),
        expected="the budget has seen that no pod is ready",
        shown=lambda items: f"{sum(map(counted, items))} of {len(items)} budgets have",
        within=COUNTED_WITHIN,
    )
    if not (seen.ok and covering.ok):
        raise LabError(
            f"a broken release could not be played: {seen.seen}; {covering.seen}",
            "see what holds the pods up: lab explain 13; then check again",
        )
    pods = [name(each) for each in seen.value]

    async def refusals() -> list[str]:
        return [refusal for pod in pods if (refusal := await lab.nodes.evict(pod, dry_run=True))]

    granted = await lab.time.eventually(
        refusals,
        lambda refused: not refused,
        expected=f"the evictions of {len(pods)} pods that are not ready are granted",
        shown=lambda refused: f"{len(refused)} refused: {refused[0]}" if refused else "all granted",
        within=GRANTED_WITHIN,
    )
    found.broken = Observation(granted.ok, granted.expected, granted.seen, None, await budgets(lab))


async def put_back(lab: Lab, before: Object) -> None:
    """Make the Deployment what it was, and let its pods be placed anew; who interrupts is not made to wait."""
    spec = before["spec"]
    strategy = {"rollingUpdate": None, **spec.get("strategy", {})}
    whole = {"replicas": spec.get("replicas", 1), "strategy": strategy}
    changed = True  # also where nobody can say
    with contextlib.suppress(LabError):
        now = await lab.objects.deployment("model").now()
        if now is None:
            return
        changed = now["spec"]["template"] != spec["template"]
    if changed:
        whole["template"] = {"spec": {"containers": spec["template"]["spec"]["containers"]}}
    task = asyncio.current_task()
    interrupted = bool(task and task.cancelling())
    try:
        if not interrupted:
            await scaled_to_none(lab)
    finally:
        await asyncio.shield(insist(lab, {"spec": whole}))
    if not interrupted:
        await lab.objects.deployment("model").rolled_out(within=UP_WITHIN)


async def insist(lab: Lab, patch: Object) -> None:
    """Patch the Deployment, again while the API server does not answer."""
    end = time.monotonic() + PUT_BACK_WITHIN
    while True:
        try:
            await lab.objects.patch("Deployment", "model", patch)
            return
        except LabError:
            if time.monotonic() > end:
                raise
        await asyncio.sleep(1)


async def scaled_to_none(lab: Lab) -> None:
    """Take all pods of the Deployment away: where the last ones are decides where the next ones go."""
    await lab.objects.patch("Deployment", "model", {"spec": {"replicas": 0}})
    end = time.monotonic() + GONE_WITHIN
    asked: set[str] = set()
    while time.monotonic() < end:
        left = [each for each in await lab.objects.all("Pod") if owned_by_replicaset(each)]
        if not left:
            return
        for each in left:
            if leaving(each) and name(each) not in asked:
                await lab.objects.delete("Pod", name(each), grace=1)
                asked.add(name(each))
        await lab.time.pause(0.5)


async def budgets(lab: Lab) -> tuple[str, ...]:
    """Each PodDisruptionBudget of the namespace in a line."""
    lines = []
    for each in await lab.objects.all("PodDisruptionBudget"):
        spec, status = each["spec"], each.get("status") or {}
        asks = ", ".join(f"{key} {spec[key]}" for key in ("minAvailable", "maxUnavailable") if key in spec)
        lines.append(
            f"PodDisruptionBudget {name(each)} ({asks or 'asks for nothing'}): its selector matches "
            f"{status.get('expectedPods', 0)} pods, {status.get('currentHealthy', 0)} of them are ready, "
            f"{status.get('desiredHealthy', 0)} must be, {status.get('disruptionsAllowed', 0)} may go now"
        )
    return tuple(lines) or ("there is no PodDisruptionBudget in this namespace",)


async def matching_budgets(lab: Lab, template: Object) -> list[Object]:
    own = template["metadata"].get("labels") or {}
    return [each for each in await lab.objects.all("PodDisruptionBudget") if matches(each["spec"].get("selector"), own)]


def counted(budget: Object) -> bool:
    """Has the controller seen that no pod is ready?"""
    return not (budget.get("status") or {}).get("currentHealthy")


def second(first_refused: str, second_refused: str, pods: int, lines: tuple[str, ...]) -> Observation:
    """What became of two evictions at once."""
    if first_refused:
        return Observation(False, "the first of two evictions is granted", f"refused: {first_refused}", None, lines)
    return Observation(
        bool(second_refused),
        "a second eviction at once is refused",
        f"refused: {second_refused}" if second_refused else f"granted: two of {pods} pods went at once",
        None,
        lines,
    )


def lost(report: Any) -> Observation:
    """Whether few enough requests failed."""
    seen, allowed = none_lost(report), report.sent * LOST_AT_MOST / 100
    return Observation(
        report.failed <= allowed,
        f"failed requests: at most {LOST_AT_MOST} % of {report.sent}",
        seen.seen,
        report.failed,
        seen.evidence,
    )


def chosen(pods: Sequence[Object], open_nodes: Collection[str]) -> tuple[str, str, str]:
    """The open node with most of the pods, a pod on it, and another pod, there if there is one.

    Raises:
        LabError: there are fewer than two pods, or none of them is on an open node.
    """
    if len(pods) < 2:
        raise LabError("the Deployment has lost its pods during the check", "check again")
    places = {node: number for node, number in where(pods).items() if node in open_nodes}  # others' cordons stay
    if not places:
        raise LabError("the pods are on nodes that somebody has cordoned", "kubectl get nodes; then check again")
    node = min(places, key=lambda each: (-places[each], each))
    ordered = sorted(pods, key=lambda pod: (pod["spec"].get("nodeName") != node, name(pod)))
    return node, name(ordered[0]), name(ordered[1])


def where(pods: Iterable[Object]) -> dict[str, int]:
    """How many pods are on which node."""
    places: dict[str, int] = {}
    for each in pods:
        if node := each["spec"].get("nodeName"):
            places[node] = places.get(node, 0) + 1
    return places


def spread_rules(template: Object, nodes: Sequence[Object]) -> list[tuple[bool, str]]:
    """The template's rules that keep pods apart: whether each works for these pods on these nodes, and in words."""
    spec, own = template["spec"], template["metadata"].get("labels") or {}
    terms = [("topology spread constraint", each) for each in spec.get("topologySpreadConstraints") or []]
    apart = (spec.get("affinity") or {}).get("podAntiAffinity") or {}
    terms += [("pod anti-affinity", each) for each in apart.get("requiredDuringSchedulingIgnoredDuringExecution") or []]
    terms += [
        ("pod anti-affinity", each["podAffinityTerm"])
        for each in apart.get("preferredDuringSchedulingIgnoredDuringExecution") or []
    ]
    found = []
    for kind, term in terms:
        key = term.get("topologyKey", "")
        values = {(node["metadata"].get("labels") or {}).get(key) for node in nodes} - {None}
        if len(values) < 2:
            found.append((False, f"a {kind} by {key}, which does not tell the nodes apart"))
        elif not matches(term.get("labelSelector"), own):
            found.append((False, f"a {kind} whose labelSelector does not match these pods"))
        else:
            found.append((True, f"a {kind} by {key}"))
    return found


def matches(selector: Object | None, own: dict[str, str]) -> bool:
    """Whether a label selector matches labels; none matches nothing, an empty one everything.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
    """
    if selector is None:
        return False
    for key, value in (selector.get("matchLabels") or {}).items():
        if own.get(key) != value:
            return False
    for each in selector.get("matchExpressions") or []:
        there, value = each["key"] in own, own.get(each["key"])
        listed = value in (each.get("values") or [])
        right = {"In": there and listed, "NotIn": not (there and listed), "Exists": there, "DoesNotExist": not there}
        if not right[each["operator"]]:
            return False
    return True


def with_image(containers: Sequence[Object], image: str) -> list[Object]:
    """The containers, with another image in that of the model server."""
    servers = [each for each in containers if "/flight-delay:" in each["image"]] or containers[:1]
    return [{**each, "image": image} if each in servers else each for each in containers]


def why_lost(template: Object, statuses: Any) -> str:
    """What in the pod template explains requests lost in the drain."""
    spec = template["spec"]
    container = spec["containers"][0]
    hook, probe = (container.get("lifecycle") or {}).get("preStop"), container.get("readinessProbe")
    path = ((probe or {}).get("httpGet") or {}).get("path")
    reasons = []
    if statuses and statuses.get(503):
        reasons.append(
            "pods that count as ready answered 503, which this server does while its model loads. The readiness probe "
            f"asks {path or 'nothing that depends on the model'}: GET /healthz says that the process lives, GET "
            "/readyz that it can serve. The budget believes the probe as well, and lets the next pod go"
        )
    if not hook:
        reasons.append(
            "there is no preStop wait. An evicted pod gets SIGTERM at the same moment as its address leaves the "
            "Service; the nodes learn of that a second or two later, and this server stops listening at SIGTERM. A "
            "budget changes nothing about that: it says when a pod may go, not how. kubectl explain "
            "pod.spec.containers.lifecycle.preStop"
        )
    return "; ".join(reasons) or (
        "the evidence says how requests failed. Refused or reset: a pod ended while it still got them (preStop wait "
        "longer than terminationGracePeriodSeconds?). No answer in time: too few pods, or a CPU limit"
    )


def labels(selector: dict[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in selector.items())


def name(item: Object) -> str:
    return str(item["metadata"]["name"])


def leaving(pod: Object) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def owned_by_replicaset(pod: Object) -> bool:
    """Is it of the Deployment? Its ReplicaSets' names begin with its own."""
    owners = pod["metadata"].get("ownerReferences") or []
    return any(each["kind"] == "ReplicaSet" and each["name"].startswith("model-") for each in owners)


def runs(pod: Object, image: str) -> bool:
    return image in [each["image"] for each in pod["spec"]["containers"]]


def is_running(pod: Object) -> bool:
    return bool(pod.get("status", {}).get("phase") == "Running")


def states(pods: Sequence[Object]) -> str:
    ready, running = sum(map(is_ready, pods)), sum(map(is_running, pods))
    return f"{len(pods)} pods, {running} run, {ready} are ready"
