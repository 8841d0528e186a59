"""What lab 04 plays once: under load one of the pods is deleted."""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass

from mlops_lab.checks import Lab, Observation, at_least, expect, holds, observe
from mlops_lab.kit import services
from mlops_lab.kit.losses import kinds
from mlops_lab.kit.pods import ready, states
from mlops_lab.kube.client import Object

from .why import why_lost

LOAD, LOAD_SECONDS = "MODEL_LOAD_SECONDS", 8
TOOK = re.compile(r"^model_load_seconds (\d+(?:\.\d+)?)$", re.MULTILINE)
# Printed by a container: each value of a variable that its programs were started with; a shell may have changed it.
TOLD = """
import glob, sys
found = set()
for file in glob.glob(sys.argv[2] + "/[0-9]*/environ"):
    try:
        pairs = [each.partition("=") for each in open(file, errors="replace").read().split(chr(0))]
    except OSError:
        continue
    found |= {value for name, _, value in pairs if name == sys.argv[1]}
print(*(sorted(found) or ["none"]), sep=chr(10))
"""
NOT_TOLD = "none"  # printed where no program has it
ASKED = 8  # times for each pod: that one of two is left out happens once in 65,000 times
SELECTED_WITHIN, READY_WITHIN = 15, 90  # s, for pods that were applied just before to be there, and to be ready
RATE, DURATION = 50, 50  # requests a second, s
KILL_AT = 5  # s after the load began
# By which who asks from a node, or at one, gets the pods of that node.
NEAR = {"internalTrafficPolicy": "Local", "externalTrafficPolicy": "Local", "trafficDistribution": "PreferSameNode"}
HEAL_WITHIN = 40  # s after the deletion
ANSWER_LIMIT = 10.0  # s
LOADED_WITHIN = 5  # s, for pods that are ready to say how long they loaded
NEWS_WITHIN = 3  # s in which every node has long heard of the deletion
FAILED_AT_MOST = 0.1  # % of the requests
SELECTED_AND_READY = (
    "a Service sends traffic to the pods that carry all labels of its selector and are ready. Compare the two: "
    "kubectl describe service model (Selector, Endpoints) and kubectl get pods --show-labels"
)


@dataclass(frozen=True)
class Kill:
    """What came of the deletion.

    Attributes:
        lost, why: whether requests were, and why.
        left: pods that were ready at once.
        answered: which versions of the model did, while the load ran.
        healed: as many pods are ready as before.
        told, loading: how long these were told to load, and s that the quickest took; None if they are not ready.
    """

    lost: Observation
    why: str
    left: Observation
    answered: str
    healed: Observation
    told: Observation | None
    loading: float | None


async def pods_ready(lab: Lab) -> Observation:
    """Wait until each pod that the Service selects is ready, and there is one."""
    return await services.pods_ready(lab, selected_within=SELECTED_WITHIN, ready_within=READY_WITHIN)


async def loads_for(lab: Lab) -> Observation:
    """Whether MODEL_LOAD_SECONDS is what was given, for each program in each pod's container that serves the model.

    A helper beside it may be made of the same image, and not know the variable: the first container is what answers.
    """
    image = lab.platform.image("v1")
    told: dict[str, str] = {}
    for pod in ready(await lab.objects.pods_of("model")):
        for place, each in enumerate(pod["spec"]["containers"]):
            if each["image"].partition("@")[0] == image:
                words = ("python3", "-c", TOLD, LOAD, "/proc")
                said = await lab.objects.run_in(pod["metadata"]["name"], *words, container=each["name"])
                values = [value.strip() for value in said.lines or [""] if not place or value.strip() != NOT_TOLD]
                told |= dict.fromkeys(values, pod["metadata"]["name"])
    other = [f"{value[:80]} in {pod}" for value, pod in told.items() if not _is_given(value)]
    seen = ", ".join(other) or ("it is" if told else "no pod is ready any more")
    return Observation(bool(told) and not other, f"{LOAD} is {LOAD_SECONDS}", seen)


async def quickest_load(lab: Lab, within: float) -> float:
    """Seconds that the model took to load in that of the ready pods in which it was quickest, by their GET /metrics.

    Args:
        within: seconds for a pod to say so that has not loaded it yet; 0 if none did.
    """

    async def look() -> float:
        asked = ASKED * max(1, len(ready(await lab.objects.pods_of("model"))))
        answers = await asyncio.gather(*(lab.traffic.get("model", "/metrics") for _ in range(asked)))
        return min(filter(None, (float(said) for each in answers for said in TOOK.findall(each.text))), default=0.0)

    seen = await lab.time.eventually(
        look, bool, expected="a pod says how long its model loaded", shown=lambda took: f"{took:g} s", within=within
    )
    return float(seen.value)


async def leads_anywhere(lab: Lab) -> Observation:
    """Whether Service `model` leads to its pods from any node, and at any; else a load meets those of one node only."""
    spec: Object = (await lab.objects.service("model"))["spec"]
    near = [f"{key}: {value}" for key, value in NEAR.items() if spec.get(key) == value]
    return holds(not near, "Service model leads to pods of all nodes", ", ".join(near))


def _is_given(value: str) -> bool:
    with contextlib.suppress(ValueError):
        return float(value) == LOAD_SECONDS
    return False


async def kill_under_load(lab: Lab) -> Kill:
    """Send the load, delete the ready pod that was started first, and watch until as many are ready as before."""
    expect(await pods_ready(lab)).because(SELECTED_AND_READY)
    pods = sorted(ready(await lab.objects.pods_of("model")), key=lambda pod: str(pod["status"].get("startTime")))
    expect(holds(bool(pods), "pods that stay ready", "none is ready, a moment after all were")).because(
        "a readiness probe that succeeds and fails in turn takes a pod out of the Service again and again. See with "
        "kubectl describe pod what the probe got, and whether its timeoutSeconds are enough"
    )
    before, victim, healed = len(pods), pods[0]["metadata"]["name"], None
    body = lab.traffic.hidden_rows(1).body
    async with lab.traffic.load(
        "model", rate=RATE, duration=DURATION, body=body, answer_within=ANSWER_LIMIT, late_at_most=1.0
    ) as load:
        await lab.time.pause(KILL_AT - load.elapsed)
        async with services.busy_cluster(lab):
            await lab.objects.kill(victim)
            killed = load.elapsed
        pods = await lab.objects.pods_of("model")
        left = len(ready(pods))
        while healed is None and (passed := load.elapsed - killed) < HEAL_WITHIN:
            pods = await lab.objects.pods_of("model")
            healed = passed if len(ready(pods)) >= before else None
            await lab.time.pause(0.5)
        report = await load.finished()

    news, share = killed + NEWS_WITHIN, 100 * report.failed_ratio
    early, late = report.window(killed, news).failed, report.window(news, DURATION + 1).failed
    first = report.failed - early - late
    when = f": {first} before the deletion, {early} in the {NEWS_WITHIN} s after it, {late} later"
    seen = f"{report.failed} of {report.sent} failed ({share:.2f} %){when if report.failed else ''}"
    evidence = (*kinds(report), f"ready pods: {before} before the deletion, {left} right after it")
    few = f"at most {FAILED_AT_MOST} % of {report.sent} requests failed"
    lost = Observation(share <= FAILED_AT_MOST, few, seen, share, evidence)
    some = observe("ready pods right after the deletion", left, at_least(1))
    again = f"{before} ready pods within {HEAL_WITHIN} s of the deletion, as before"
    seen = f"{'still' if healed is None else f'after {healed:.0f} s'} {len(ready(pods))} of {before} ready"
    whole = Observation(healed is not None, again, seen, evidence=states(pods))
    answered = ", ".join(sorted(map(str, report.labels))) or "none"
    told = await loads_for(lab) if whole.ok else None
    loading = await quickest_load(lab, LOADED_WITHIN) if whole.ok else None
    waited = sum(each.status == 0 and each.latency >= ANSWER_LIMIT for each in report.requests)
    why = why_lost(first, early, late, left=left, slow=2 * waited > report.failed)
    return Kill(lost, why, some, answered, whole, told, loading)
