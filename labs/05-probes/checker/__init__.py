"""Lab 05: what the learner's probes make of pods that start slowly, hang, compute, or can't answer for a while.

The checker makes four pods from the Deployment's own template, with other loading times, and plays the incidents in
those. They stand behind the Service beside the learner's pods, to which nothing is done, and are gone afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_lab.checks import Lab, LabError, Observation, at_most, between, check, equal_to, expect, is_ready, observe
from mlops_lab.measure.traffic.flights import difference, numbers

Object = dict[str, Any]

QUICK, USUAL, SLOW = 2, 20, 45  # s that loading the model takes
ANY_LOAD = 3600  # s, of which a model that has loaded needs less
UP_WITHIN = 90  # s, for pods that were applied just before
ANSWER_WITHIN = 40  # s, for pods that count as ready and still load
LISTENS_WITHIN = 60  # s beyond the load, for imports while much else starts on the machine
READY_WITHIN = 15  # s from when a pod listens
OUT_WITHIN = 15  # s in which requests may still go to a pod that can't answer; also until one that can again is back
RESTARTED_WITHIN = 40  # s from the hang until there is a new container
BUSY, UNREADY = 10, 30  # s
SETTLED = 8  # s in which a restart that was decided on has begun, the preStop wait included
RATE, LONGEST = 10, 240  # requests a second, s
ANSWER_LIMIT = 15.0  # s; a request may have to wait for a pod that computes
LATE_AT_MOST = 5.0  # s that requests may leave late on a busy machine; no latencies are measured
LOOK_EVERY = 0.5  # s
LOG = 1 << 20  # bytes of a log, from its beginning
NEAR = 2.0  # s between a request that was lost and the moment that may be why
LABEL, LOAD = "mlops-lab/checker", "MODEL_LOAD_SECONDS"


@check(points=1, owns="model", domains=("ckad/observability-and-maintenance", "ckad/services-and-networking"))
async def comes_up(lab: Lab) -> None:
    """Within 90 s both pods of Deployment `model`, whose model takes 20 s to load, are ready and answer.

    20 flights that you don't see are sent to POST /predict of Service `model`: the answers must be the model's own.
    """
    deployment = lab.objects.deployment("model")
    if await deployment.now() is None:
        expect(Observation(False, "a Deployment named model", "there is none in this namespace")).because(
            "nothing runs before it is applied: kubectl apply -k . in your folder"
        )
    expect(await deployment.rolled_out(pods=2, within=UP_WITHIN)).because(NEVER_UP)
    version = await lab.traffic.first_answer(lambda: lab.traffic.get("model", "/version"), within=ANSWER_WITHIN)
    heard = [version.error or version.text[:200]]
    expect(observe("status of GET /version (0: no answer)", version.status, equal_to(200), evidence=heard)).because(
        f"the pods count as ready, and for {ANSWER_WITHIN} s none answered. A container that runs counts as ready if "
        f"no probe says otherwise; {NEVER_UP}"
    )
    took = (numbers([version.fields().get("load_seconds")]) or [None])[0]
    seconds = observe("seconds that the model took to load", took, between(USUAL, ANY_LOAD), evidence=heard)
    expect(seconds).because(
        f"the task is a model that takes this long: leave {LOAD} at {USUAL}, and server.py as it is"
    )
    hidden = lab.traffic.hidden_rows(20)
    answer = await lab.traffic.first_answer(
        lambda: lab.traffic.post("model", "/predict", hidden.body), within=ANSWER_WITHIN
    )
    heard = [answer.error or answer.text[:200]]
    expect(observe("status of POST /predict (0: no answer)", answer.status, equal_to(200), evidence=heard)).because(
        "server.py, the image and the Service are given; leave them as they are"
    )
    apart = difference(answer.fields().get("probabilities"), hidden.probabilities("v1"))
    expect(observe("largest difference from the model's own probabilities", apart, at_most(1e-6))).because(
        "server.py and the image are given; leave them as they are"
    )


@check(points=2, needs=comes_up, owns="model", domains=("ckad/observability-and-maintenance", "cka/troubleshooting"))
async def slow_start_survives(lab: Lab) -> None:
    """A pod whose model takes 45 s to load is not restarted meanwhile, and is ready once it has loaded."""
    found = await lab.once(incidents)
    expect(found.slow.restarted(f"while the model loads for {SLOW} s", found.probes)).because(
        "as long as a startup probe has not succeeded, the other probes wait, and after failureThreshold failures in "
        "a row, periodSeconds apart, the container is restarted: that must take longer than the slowest start. Where "
        "there is no startup probe, the liveness probe asks from the beginning, and its failures count the same"
    )
    expect(found.slow.begun).because(found.slow.why)


@check(points=3, needs=comes_up, owns="model", domains=("ckad/services-and-networking", "cka/services-and-networking"))
async def asks_only_pods_that_answer(lab: Lab) -> None:
    """No request goes to a pod that loads, and from 15 s on none to a pod that hangs or answers 503.

    10 requests a second go to Service `model` while the checker's pods start and have their incidents. All must be
    answered with 200, but for those of the first 15 s after a pod began to hang or to answer 503. A pod that answers
    again must be ready within 15 s.
    """
    found = await lab.once(incidents)
    for each in (found.hung, found.unready):
        expect(each.begun).because(each.why)
    total = sum(found.lost.values())
    if total and found.starved:
        raise LabError(
            f"for about {found.starved} s none of the Deployment's own pods was ready; nothing was done to them",
            "the machine was too busy for their readiness probe's timeoutSeconds; close what else runs, check again",
        )
    kinds = tuple(f"{number} x {how}" for how, number in found.lost.most_common(3))
    expect(
        Observation(
            total == 0,
            f"of {found.sent} requests none failed, but for the first {OUT_WITHIN} s of an incident",
            f"{total or 'none'} failed",
            total,
            (*kinds, found.hung.left("hung"), found.unready.left("answered 503"), *found.probes),
            f"of {found.sent} requests, without the first {OUT_WITHIN} s of an incident",
        )
    ).because(why_asked(found))
    back = found.unready.back
    expect(
        Observation(
            back is not None or found.unready.ended is not None,
            f"a pod that answers again is ready within {OUT_WITHIN} s",
            "ready again" if back is not None else "not ready by then",
            evidence=found.probes,
        )
    ).because("the readiness probe must ask often enough: see its periodSeconds and successThreshold")


@check(points=3, needs=comes_up, owns="model", domains=("ckad/observability-and-maintenance", "cka/troubleshooting"))
async def hung_pod_is_restarted(lab: Lab) -> None:
    """A pod that hangs, soon after its start, has a new container within 40 s."""
    found = await lab.once(incidents)
    hung = found.hung
    expect(hung.begun).because(hung.why)
    expect(
        Observation(
            hung.ended is not None,
            f"a new container within {RESTARTED_WITHIN} s of the hang",
            "the old one, which hangs" if hung.ended is None else f"a new container after {hung.ended:.0f} s",
            hung.ended,
            (*found.probes, *hung.events),
        )
    ).because(why_not_restarted(found))


@check(points=2, needs=comes_up, owns="model", domains=("ckad/observability-and-maintenance", "cka/troubleshooting"))
async def unready_pod_is_left_alone(lab: Lab) -> None:
    """A pod that answers 503 for 30 s, because the feature store is away, is not restarted."""
    found = await lab.once(incidents)
    expect(found.unready.begun).because(found.unready.why)
    expect(found.unready.restarted(f"while the pod answers 503 for {UNREADY} s", found.probes)).because(
        "the process is well; what it needs is away. A restart brings that back no sooner, and then the model has to "
        "load as well. Whether the process can go on at all (liveness) and whether it can serve just now (readiness) "
        "are two questions, and the server has a path for each"
    )


@check(points=1, needs=comes_up, owns="model", domains=("ckad/observability-and-maintenance",))
async def busy_pod_is_left_alone(lab: Lab) -> None:
    """A pod that computes for 10 s, and answers nothing meanwhile, is not restarted; nor are pods that are well."""
    found = await lab.once(incidents)
    expect(found.busy.begun).because(found.busy.why)
    expect(found.busy.restarted(f"while the pod computes for {BUSY} s", found.probes)).because(
        "a pod that computes and one that hangs look the same from outside: no answer within timeoutSeconds. What "
        "tells them apart is how long it lasts. failureThreshold x periodSeconds of the liveness probe must be more "
        "than the longest work, and less than you let a hang last"
    )
    expect(observe("restarts of the Deployment's own pods meanwhile", found.others, equal_to(0))).because(
        "nothing was done to these pods: the liveness probe fails although the server answers. Does it ask a path "
        "and a port that are there? kubectl describe pod shows among the events what the probe got"
    )


NEVER_UP = (
    "this server does not listen before its model is loaded. A startup or liveness probe that finds nobody there has "
    "failed, and after failureThreshold failures in a row the kubelet restarts the container, which then loads from "
    "the beginning. kubectl get pods --watch shows the restarts, kubectl describe pod which probe failed"
)
LATE = (
    "a pod is ready once its startup probe and then its readiness probe have succeeded; they ask when "
    "initialDelaySeconds and periodSeconds let them. A pod that is restarted while it starts is never ready"
)


@dataclass
class Copy:
    """A pod of the checker's, made of the Deployment's template, and what became of it.

    Attributes:
        load: s that its model takes to load.
        begun, why: it was ready, and its incident has begun; if not, why.
        since: time.monotonic of its creation, then of its incident.
        out, back, ended: s since then until it was not ready, ready again, and had a new container; None: never.
        events: what the kubelet said of it.
    """

    lab: Lab
    name: str
    container: str
    load: int
    since: float
    begun: Observation
    why: str = LATE
    ready: bool = False
    out: float | None = None
    back: float | None = None
    ended: float | None = None
    events: tuple[str, ...] = ()

    async def look(self) -> None:
        """See how it is now, and note what is new."""
        pod = await self.lab.objects.named("Pod", self.name).now()
        if pod is None:
            raise LabError(f"the checker's own pod {self.name} is gone", "check again")
        passed, self.ready = time.monotonic() - self.since, is_ready(pod)
        if self.ended is None and restarts(pod):
            self.ended = passed
        if self.out is None and not self.ready:
            self.out = passed
        elif self.out is not None and self.back is None and self.ready:
            self.back = passed

    async def watch(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Look at it for so long, or until something holds."""
        end = time.monotonic() + seconds
        while True:
            await self.look()
            if until() or time.monotonic() > end:
                return
            await self.lab.time.pause(LOOK_EVERY)

    async def start(self) -> bool:
        """Wait until it has loaded and is ready; False if it is not in time, or is restarted before.

        Raises:
            LabError: the machine was too slow to load the model.
        """
        within = self.load + LISTENS_WITHIN
        await self.watch(within, lambda: self.ready or self.ended is not None)
        while self.ended is None and not await self.listens():  # it may have been ready too early
            if time.monotonic() - self.since > within:
                raise LabError(
                    f"a model that loads for {self.load} s was not loaded after {within} s",
                    "the machine is too busy; close what else runs on it and check again",
                )
            await self.watch(LOOK_EVERY)
        if not self.ready:
            await self.watch(READY_WITHIN, lambda: self.ready or self.ended is not None)
        seen = "restarted before it was ready" if self.ended is not None else "ready" if self.ready else "not ready"
        expected = f"a pod that loads for {self.load} s is ready within {READY_WITHIN} s after that"
        said = await events(self.lab, self.name)
        self.begun = Observation(seen == "ready", expected, seen, None, said, f"pod that loads for {self.load} s")
        return self.begun.ok

    async def listens(self) -> bool:
        """Whether the server says that it has loaded its model."""
        log = await self.self.lab.objects.logs(self.name, self.container, tail=None, limit=LOG)
        return "listening" in log

    async def drill(self, *words: str) -> bool:
        """Begin an incident in it; False if the pod does not know how."""

        done = await self.lab.objects.run_in(self.name, "python3", "/lab/drill.py", *words, container=self.container)
        code, said = done.code, " ".join([*done.lines, done.errors])[-300:].strip()
        self.since, self.out, self.back = time.monotonic(), None, None
        if code != 0:
            expected = f"python3 /lab/drill.py {' '.join(words)} in a pod says ok"
            self.begun = Observation(False, expected, f"exit code {code}: {said}")
            self.why = "server.py and drill.py are given, and lie in /lab: leave them as they are"
        return code == 0

    def restarted(self, when: str, probes: Sequence[str]) -> Observation:
        """Whether its container lived on."""
        seen = "not restarted" if self.ended is None else f"restarted after {self.ended:.0f} s"
        return Observation(self.ended is None, f"no restart {when}", seen, self.ended, (*probes, *self.events))

    def left(self, how: str) -> str:
        """When it left the Service, in words."""
        return f"the pod that {how} was " + (
            "ready all the time" if self.out is None else f"ready for {self.out:.0f} s"
        )


@dataclass(frozen=True)
class Incidents:
    """One run.

    Attributes:
        sent: requests in all.
        lost: how requests failed that should not have, with counts.
        others: restarts of the Deployment's own pods.
        starved: s in which requests were lost while none of the Deployment's own pods was ready, and none restarted.
        spec: the pod's, from the Deployment's template.
        probes: the probes in words.
    """

    slow: Copy
    hung: Copy
    unready: Copy
    busy: Copy
    sent: int
    lost: Counter[str]
    others: int
    starved: int
    spec: Object
    probes: tuple[str, ...]


async def incidents(lab: Lab) -> Incidents:
    """Make the four pods under a light load, play the incidents side by side, and see what becomes of the pods."""
    template = (await lab.objects.deployment("model").present())["spec"]["template"]
    windows: list[tuple[float, float]] = []  # of the load's time, in which requests may fail
    # What has passed, in the verification of a mistake in other checks, may be shorter.
    load_for = SLOW if lab.thorough(slow_start_survives) else QUICK
    away_for = UNREADY if lab.thorough(unready_pod_is_left_alone) else OUT_WITHIN + 6

    async def slow(pod: Copy) -> None:
        await pod.start()

    async def hang(pod: Copy) -> None:
        if await pod.start():
            began = load.elapsed
            begun = await pod.drill("hang")
            excuse(began, OUT_WITHIN)
            if begun:
                await pod.watch(RESTARTED_WITHIN, lambda: pod.ended is not None)

    async def unready(pod: Copy) -> None:
        if await pod.start():
            began = load.elapsed
            begun = await pod.drill("unready", str(away_for))
            excuse(began, OUT_WITHIN)
            if begun:
                await pod.watch(away_for)
                await pod.watch(SETTLED)
                await pod.watch(OUT_WITHIN - SETTLED, lambda: pod.ready)

    async def busy(pod: Copy) -> None:
        if await pod.start():
            began = load.elapsed
            if await pod.drill("busy", str(BUSY)):
                await pod.watch(BUSY + SETTLED)
            if pod.ended is not None:  # what was lost with it, is another check's matter
                excuse(began, 0)

    def excuse(began: float, seconds: float) -> None:
        windows.append((began - 1, load.elapsed + seconds))

    async with copies(lab, template, slow=load_for, hung=QUICK, unready=QUICK, busy=QUICK) as pods:
        body = lab.traffic.hidden_rows(1).body
        async with lab.traffic.load(
            "model", rate=RATE, duration=LONGEST, body=body, answer_within=ANSWER_LIMIT, late_at_most=LATE_AT_MOST
        ) as load:
            before = await own_restarts(lab)
            looking = asyncio.ensure_future(unready_ones(lab, lambda: load.elapsed))
            try:
                await together(slow(pods["slow"]), hang(pods["hung"]), unready(pods["unready"]), busy(pods["busy"]))
            finally:
                looking.cancel()
            alone, after = await looking, await own_restarts(lab)
        for pod in pods.values():
            pod.events = await events(lab, pod.name)
    others = sum(max(0, count - before[name]) for name, count in after.items() if name in before)
    failed = [each for each in load.report.requests if each.status != 200]
    unexcused = [each for each in failed if not any(begin <= each.due + each.late < end for begin, end in windows)]
    lost = Counter(each.error or f"status {each.status}" for each in unexcused)
    lost_at = [each.due + each.late for each in unexcused]
    return Incidents(
        **pods,
        sent=load.report.sent,
        lost=lost,
        others=others,
        starved=0 if others else sum(any(abs(each - when) < NEAR for each in lost_at) for when in alone),
        spec=template["spec"],
        probes=in_words(template["spec"]),
    )


@contextlib.asynccontextmanager
async def copies(lab: Lab, template: Object, **loads: int) -> AsyncIterator[dict[str, Copy]]:
    """Pods of the Deployment's template, by name, with the seconds that their models take to load."""
    for left in await lab.objects.all("Pod", LABEL):  # by a run that could not clear up
        await lab.objects.delete("Pod", left["metadata"]["name"], grace=0)
    made: dict[str, Copy] = {}
    try:
        for what, load in loads.items():
            name, spec = f"checker-{what}-{uuid.uuid4().hex[:5]}", copy.deepcopy(template["spec"])
            server = serving(spec)
            others = [each for each in server.get("env") or [] if each["name"] != LOAD]
            server["env"] = [*others, {"name": LOAD, "value": str(load)}]
            meta = {"name": name, "labels": {**template["metadata"].get("labels", {}), LABEL: what}}
            not_yet = Observation(False, f"a pod that loads for {load} s is ready soon after", "not looked at")
            made[what] = Copy(lab, name, server["name"], load, time.monotonic(), not_yet)
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
            await lab.objects.apply([pod])
        yield made
    finally:
        # No grace: a pod that hangs would use up all of it.
        gone = [lab.objects.delete("Pod", each.name, grace=0) for each in made.values()]
        await asyncio.gather(*gone)


async def together(*work: Awaitable[None]) -> None:
    """Do all of it side by side; what fails first ends the rest."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def own_pods(lab: Lab) -> list[Object]:
    """The Deployment's pods behind the Service, without the checker's."""
    return [each for each in await lab.objects.pods_of("model") if LABEL not in each["metadata"]["labels"]]


async def own_restarts(lab: Lab) -> dict[str, int]:
    """How often each of the Deployment's pods was restarted."""
    return {each["metadata"]["name"]: restarts(each) for each in await own_pods(lab)}


async def unready_ones(lab: Lab, elapsed: Callable[[], float]) -> list[float]:
    """When, until it is cancelled, none of the Deployment's pods was ready."""
    found = []
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            if not any(is_ready(each) for each in await own_pods(lab)):
                found.append(elapsed())
            await lab.time.pause(1)
    return found


async def events(lab: Lab, pod: str) -> tuple[str, ...]:
    """What the kubelet said of a pod's probes: first what it restarted, then which probe failed."""
    found = await lab.objects.events(pod, "Pod")
    said = [each for each in found if each.get("reason") in ("Unhealthy", "Killing")]
    lines = [f"{each['reason']}: {' '.join(str(each.get('message', '')).split())[:160]}" for each in said]
    return tuple(sorted(lines, key=lambda line: ("Killing" not in line, "Readiness" in line))[:3])


def serving(spec: Object) -> Object:
    """The container that loads the model."""
    named = [each for each in spec["containers"] if any(env["name"] == LOAD for env in each.get("env") or [])]
    found: Object = (named or spec["containers"])[0]
    return found


def restarts(pod: Object) -> int:
    """How often its containers were started anew."""
    return sum(each.get("restartCount", 0) for each in pod["status"].get("containerStatuses") or [])


def in_words(spec: Object) -> tuple[str, ...]:
    """The probes, a line each, with the defaults that the API server filled in."""
    server, lines = serving(spec), []
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = server.get(kind)
        if not probe:
            lines.append(f"{kind}: none")
            continue
        how = next((name for name in ("httpGet", "tcpSocket", "exec", "grpc") if name in probe), "")
        asks = f"{how} {(probe.get(how) or {}).get('path', '')}".strip()
        delay = f"from {probe['initialDelaySeconds']} s on, " if probe.get("initialDelaySeconds") else ""
        lines.append(
            f"{kind}: {asks}, {delay}every {probe.get('periodSeconds', 10)} s, timeout "
            f"{probe.get('timeoutSeconds', 1)} s, {probe.get('failureThreshold', 3)} failures"
        )
    return tuple(lines)


def why_asked(found: Incidents) -> str:
    """Which mistake lets requests go to pods that can't answer."""
    probe = serving(found.spec).get("readinessProbe")
    late = [each for each in (found.hung, found.unready) if each.out is None or each.out > OUT_WITHIN - 1]
    if not probe:
        return (
            "there is no readiness probe. A pod then counts as ready from when its container runs (or its startup "
            "probe has succeeded), and stays in the Service whatever it answers, or if it answers nothing"
        )
    if late == [found.unready]:
        return (
            "the pod that answered 503 stayed in the Service: the readiness probe went on succeeding. It must ask "
            "what tells whether the server can serve just now. That its process lives is another question"
        )
    if late:
        period, failures = probe.get("periodSeconds", 10), probe.get("failureThreshold", 3)
        return (
            "a pod leaves the Service after failureThreshold readiness probes in a row have failed, periodSeconds "
            f"apart: here {failures} that are {period} s apart, so {period * (failures - 1)} to {period * failures} s "
            "and the last one's timeoutSeconds. The nodes hear of it a second or two later"
        )
    return (
        "both pods had left the Service in time, so others were asked that could not answer: a connection that is "
        "refused comes from a pod that loads its model or was just restarted. What did its readiness probe ask?"
    )


def why_not_restarted(found: Incidents) -> str:
    """Which mistake lets a hang last."""
    probe = serving(found.spec).get("livenessProbe")
    if any(line.startswith("Killing") for line in found.hung.events):
        grace = found.spec.get("terminationGracePeriodSeconds", 30)
        return (
            "the liveness probe did its part: the kubelet began to end the container. But it sends SIGTERM first, "
            "and a process that hangs does nothing about it; SIGKILL comes when the grace period is over. That is "
            f"the pod's, terminationGracePeriodSeconds: {grace}, unless the probe has one of its own: kubectl explain "
            "pod.spec.containers.livenessProbe"
        )
    if not probe:
        return (
            "without a liveness probe the kubelet restarts a container only when its process has ended. One that "
            "hangs does not end; readiness takes it out of the Service, and there it stays, one pod less"
        )
    if "tcpSocket" in probe:
        return (
            "a TCP probe succeeds when a connection comes about, and the kernel sees to that for every socket that "
            "listens, whatever the process behind it does. Only an answer shows that the event loop still turns"
        )
    return (
        "the liveness probe did not fail often enough by then. It asks first initialDelaySeconds after the "
        "container's start (not after the startup probe's success), then every periodSeconds, and failureThreshold "
        "failures in a row must come together. If it asks with exec, the command must fail when the server does not "
        "answer, and in time"
    )
