"""Lab 06: what three programs use under a busy evening's load, and whether their requests and limits fit that.

Use is what the kubelet saw in the same run: mean CPU, largest working set, throttled CFS periods. The programs work by
CPU time and hold what they say, so the figures are alike on quick and slow machines.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_lab.checks import (
    Lab,
    LabError,
    Observation,
    at_most,
    check,
    equal_to,
    expect,
    is_ready,
    less_than,
    observe,
    quantity,
    rolled_out,
    rollout_state,
)
from mlops_lab.kit.losses import none_lost
from mlops_lab.measure.pods.containers import Reading, Use, killed_for_memory, last_end, restarts, use
from mlops_lab.measure.pods.evidence import pod_state
from mlops_lab.measure.traffic.flights import difference

Object = dict[str, Any]

NAMES = ("feed", "history", "model")  # Deployments of one pod with one container each
UP_WITHIN, REFUSED_FOR = 90, 20  # s; the second for a quota that the pods before may still take up
ANSWER_WITHIN = 30  # s, of pods that have just come up
RATE, LONGEST = 5, 180  # requests a second to `model` and to `history`, s
ANSWER_LIMIT, REPORT_LIMIT = 15.0, 60.0  # s; requests wait while a limit holds the server up, and are not lost
LATE_AT_MOST = 5.0  # s that requests may leave late on a busy machine; no latencies are measured
SETTLED, LOOK_EVERY = 3, 2  # s
WINDOW, SHORT = 30, 15  # s at least between the readings; the second where only other checks are of interest
MIB = 1024 * 1024
REPORT = 256 * MIB  # what a nightly report takes
LEAST, MOST = 0.8, 2.0  # requests, in parts of what was used
THROTTLED_BELOW = 10  # % of CFS periods
KILLED_WITHIN, BACK_WITHIN = 60, 60  # s from the leak's begin, s from the kill
UNSTOPPED = "nothing stopped it"  # in the log of a program whose leak came to its end

CONFIGURATION, OBSERVABILITY = "ckad/environment-configuration-and-security", "ckad/observability-and-maintenance"
SCHEDULING, TROUBLESHOOTING = "cka/workloads-and-scheduling", "cka/troubleshooting"


@check(points=2, owns="model", domains=(CONFIGURATION, SCHEDULING))
async def runs(lab: Lab) -> None:
    """Within 90 s the pods of `feed`, `history` and `model`, one each, run within the quota and are ready.

    20 flights that you don't see are sent to POST /predict of Service `model`: the answers must be the model's own.
    """
    loads = [each for each in await lab.objects.all("Pod", "app=load") if each["status"].get("phase") == "Running"]
    expect(observe("pods of your own load that still run", len(loads), equal_to(0))).because(
        "the checker sends the evening's load itself; with yours beside it twice as much would be measured. A Job of "
        "load.yaml ends after two minutes: kubectl get jobs"
    )
    for name in NAMES:
        deployment = await lab.objects.deployment(name).now()
        if deployment is None:
            expect(Observation(False, f"a Deployment named {name}", "there is none in this namespace")).because(
                "nothing runs before it is applied: kubectl apply -k . in your folder"
            )
        replicas = (deployment or {})["spec"].get("replicas")
        expect(observe(f"replicas of Deployment {name}", replicas, equal_to(1))).because(
            "the task is one pod each; what is asked is how large that must be"
        )
    expect(await given_programs(lab)).because(
        "the sizes are asked for, not other programs: take the files of programs/ as they were (lab reset 06 brings "
        "them back and keeps a copy of yours), and kubectl apply -k . again"
    )
    expect(await up(lab)).because(
        "ask first whether there is a pod at all. If not, the namespace's quota refused it: kubectl describe "
        "replicaset says what was requested, used and allowed, and kubectl describe quota how it stands. Where a "
        "quota counts requests, each container must have them; one that has a limit and no request requests all of "
        "its limit. If there is a pod and it isn't ready, look at its last state with kubectl describe pod: it may "
        "get too little memory or CPU to start at all. 250m of CPU is a quarter of a core; of memory, m is a "
        "thousandth of a byte, and Mi is meant"
    )
    given = "the programs, their image and the Services are given; leave them as they are"
    hidden = lab.traffic.hidden_rows(20)
    answer = await lab.traffic.first_answer(
        lambda: lab.traffic.post("model", "/predict", hidden.body), within=ANSWER_WITHIN
    )
    heard = [answer.error or answer.text[:200]]
    expect(observe("status of POST /predict (0: no answer)", answer.status, equal_to(200), evidence=heard)).because(
        given
    )
    apart = difference(answer.fields().get("probabilities"), hidden.probabilities("v1"))
    expect(observe("largest difference from the model's own probabilities", apart, at_most(1e-6))).because(given)
    answer = await lab.traffic.first_answer(lambda: lab.traffic.get("history", "/flights/N14228"), within=ANSWER_WITHIN)
    heard = [answer.error or answer.text[:200]]
    expect(observe("status of GET /flights/N14228", answer.status, equal_to(200), evidence=heard)).because(given)


@check(points=3, needs=runs, owns="model", domains=(CONFIGURATION, TROUBLESHOOTING))
async def survives_the_evening(lab: Lab) -> None:
    """Under the evening's load and a nightly report no container is killed, and no request is lost.

    5 requests a second go to `model`, 5 to `history`, and one POST /report to `model`.
    """
    found = await lab.once(evening)
    expect(found.whole).because(
        "a container that would use more memory than its limit is killed by the kernel (OOMKilled, exit code 137), "
        "even where the node has plenty. The limit must be above the largest use, and that is not what you see while "
        "nothing happens: look with kubectl top pod again and again while a nightly report is made"
    )
    expect(found.report).because("POST /report of `model` is given, and takes 20 s; the server must have room for it")
    for name, report in (("model", found.asked), ("history", found.looked)):
        lost = none_lost(report)
        expect(Observation(lost.ok, f"{name}: {lost.expected}", f"{name}: {lost.seen}", None, lost.evidence)).because(
            f"a request counts as lost when it gets no answer in {ANSWER_LIMIT:g} s. A server whose CPU limit is below "
            "what the load needs falls behind more and more, and one that is restarted loses what it has"
        )


@check(
    points=2,
    needs=survives_the_evening,
    owns="model",
    domains=(TROUBLESHOOTING, OBSERVABILITY),
)
async def not_throttled(lab: Lab) -> None:
    """In less than 10 % of its CFS periods a container has to wait because of its CPU limit."""
    found = await lab.once(evening)
    for name, used in found.uses.items():
        limit = found.containers[name].get("limits", {}).get("cpu")
        if used.throttled is None:
            continue
        share = 100 * used.throttled
        told = [f"CPU limit {limit}; {used.cores:.3f} cores used on average over {used.seconds:.0f} s"]
        expect(
            observe(
                f"CFS periods in which {name} had to wait", share, less_than(THROTTLED_BELOW), unit="%", evidence=told
            )
        ).because(
            "a CPU limit is no mean: it is counted anew in every period of 100 ms. A limit of 200m is 20 ms of each; "
            "who needs 45 ms at once has run for 20 ms and then waits until the next period, although the node is "
            "idle. What counts for a limit is the largest use within 100 ms, not what kubectl top shows. "
            "container_cpu_cfs_throttled_periods_total tells; the README says how to see it. Where every container of "
            "a pod has a limit the pod has one as well, their sum, and waits for that one count too"
        )


@check(
    points=2,
    needs=survives_the_evening,
    owns="model",
    domains=(CONFIGURATION, SCHEDULING),
)
async def cpu_requests_fit(lab: Lab) -> None:
    """Each container requests 0.8 to 2 times the CPU that it used on average under the evening's load."""
    found = await lab.once(evening)
    for name, used in found.uses.items():
        expect(
            fits(
                *(name, "CPU", found.requested(name, "cpu"), used.cores, milli, f"over {used.seconds:.0f} s"),
                wanted=even_work() if name == "feed" else 0.0,
            )
        ).because(
            "by requests the scheduler fills the nodes, and when all want to run at once each gets CPU in proportion "
            "to its request: too little, and it starves beside others; too much, and nobody else may use the room. "
            "What counts is the mean while there is work, neither that of an idle hour nor the highest burst, and it "
            "differs from program to program: kubectl top pod while the load runs"
        )


@check(
    points=2,
    needs=survives_the_evening,
    owns="model",
    domains=(CONFIGURATION, SCHEDULING),
)
async def memory_requests_fit(lab: Lab) -> None:
    """Each container requests 0.8 to 2 times the largest working set that it had under the evening's load."""
    found = await lab.once(evening)
    for name, used in found.uses.items():
        expect(fits(name, "memory", found.requested(name, "memory"), used.peak, mebibytes, "at most")).because(
            "memory that is in use cannot be taken back as CPU time can. When a node runs short of it, the kubelet "
            "evicts first the pods that use more than they request: so request the largest use, the nightly report "
            "included. And not much more: what is requested is lost to all others, used or not"
        )


@check(
    points=1,
    needs=runs,
    owns="feed",
    domains=(SCHEDULING, CONFIGURATION),
)
async def feed_is_last_to_go(lab: Lab) -> None:
    """When a node runs short of memory, `feed` is among the last to be ended."""
    pod = await only_pod(lab, "feed")
    if pod is None:
        raise LabError("feed's pod is being replaced", "check again")
    sizes = containers(pod)
    told = [f"{kind} of feed: {sizes.get(kind) or 'none'}" for kind in ("requests", "limits")]
    quality = pod["status"].get("qosClass")
    expect(observe("feed's class of quality of service", quality, equal_to("Guaranteed"), evidence=told)).because(
        "the order follows from the pod's class of quality of service, and that from requests and limits alone. A "
        "kubelet whose node runs short of memory evicts pods of class Guaranteed last, and gives their processes an "
        "oom_score_adj of -997, by which the kernel ends nearly everything else before. Guaranteed means: each "
        "container has requests and limits for CPU and for memory, and the limits are the requests"
    )


@check(points=3, needs=runs, owns="model", domains=(TROUBLESHOOTING, CONFIGURATION))
async def leak_is_stopped(lab: Lab) -> None:
    """A program that leaks is killed before it has 512 MiB more than usual, and has a new container soon after.

    The checker makes all three leak at the same time, as leak.py does, and replaces their pods afterwards.
    """
    names = NAMES if lab.thorough(leak_is_stopped) else ("feed",)
    await together(*(never_restarted(lab, name) for name in names))
    try:
        leaks = await together(*(leak(lab, name) for name in names))
    finally:
        # Who was restarted often waits longer and longer for the next start, and that is not the learner's doing.
        await together(*(replace_pod(lab, name) for name in names))
    for name, (killed, back) in zip(names, leaks, strict=True):
        expect(killed).because(
            "without a memory limit a leak goes on until the node itself has none left, and then others are ended "
            "that did nothing. The limit is where it must stop: above the largest use, and below that use and 512 "
            f"MiB. What does kubectl describe pod say under Limits of {name}?"
        )
        expect(back).because(
            "the kubelet starts a new container in the same pod; it must get enough memory and CPU to become ready"
        )


@dataclass(frozen=True)
class Evening:
    """One run of the evening's load.

    Attributes:
        asked, looked: what became of the requests to `model`, and to `history`.
        report: whether the nightly report was answered.
        whole: whether all containers lived on.
        containers: their resources by name.
        uses: what they used; empty where one was killed or the report failed.
    """

    asked: Any
    looked: Any
    report: Observation
    whole: Observation
    containers: Mapping[str, Object]
    uses: Mapping[str, Use]

    def requested(self, name: str, resource: str) -> float:
        """What a container requests: cores, or bytes; 0 if nothing."""
        return float(quantity(self.containers[name].get("requests", {}).get(resource, "0")))


async def evening(lab: Lab) -> Evening:
    """Send the load, have a nightly report made, and read what the kubelet sees of the three containers."""
    pods = {name: await only_pod(lab, name) for name in NAMES}
    if missing := [name for name, pod in pods.items() if pod is None]:
        raise LabError(f"the pods of {', '.join(missing)} are being replaced", "check again")
    watched = Watched(lab, {name: pod for name, pod in pods.items() if pod is not None})
    asked_for = (survives_the_evening, not_throttled, cpu_requests_fit, memory_requests_fit)
    window = WINDOW if lab.thorough(*asked_for) else SHORT
    settings: dict[str, Any] = {
        "rate": RATE, "duration": LONGEST, "answer_within": ANSWER_LIMIT, "late_at_most": LATE_AT_MOST,
    }  # fmt: skip
    async with (
        lab.traffic.load("model", body=lab.traffic.hidden_rows(1).body, **settings) as asked,
        lab.traffic.load("history", path="/flights/N14228", body=None, **settings) as looked,
    ):
        await lab.time.pause(SETTLED)
        await watched.look()
        answer = await watched.until_known(window)
    kept = watched.harm is None
    answered = answer is not None and answer.status == 200
    seen = "not looked at" if answer is None else f"{answer.status} {answer.error or answer.text[:100]}".strip()
    return Evening(
        asked.report,
        looked.report,
        Observation(answered, "a nightly report is answered with 200", seen),
        Observation(kept, "no container is killed or restarted", watched.harm or "none was", None, watched.told),
        {name: containers(pod) for name, pod in watched.pods.items()},
        {name: use(seen) for name, seen in watched.seen.items()} if kept and answered else {},
    )


class Watched:
    """The three pods while the load runs: what the kubelet reads of them, and whether they come to harm.

    Attributes:
        pods: as they were at the beginning.
        seen: readings by name; the first look's only tells from when on they count.
        harm, told: what happened to one, and the lines that show it.
    """

    def __init__(self, lab: Lab, pods: Mapping[str, Object]) -> None:
        self.lab, self.pods = lab, pods
        self.seen: dict[str, list[Reading]] = {name: [] for name in pods}
        self.harm: str | None = None
        self.told: tuple[str, ...] = ()
        self._before: dict[str, Reading] = {}

    async def until_known(self, window: float) -> Any:
        """Look until there are readings over `window` seconds, one of them from within a nightly report.

        Returns:
            The report's answer; None where a container came to harm before.

        Raises:
            LabError: the kubelet does not look often enough.
        """
        end = time.monotonic() + LONGEST - 2 * SETTLED
        report, answer = self._report(), None
        try:
            while time.monotonic() < end:
                await self.lab.time.pause(LOOK_EVERY)
                if await self._harmed():
                    return None
                await self.look()
                if not report.done():
                    continue
                answer = report.result()
                if answer.status not in (200, 409):
                    await self._harmed()
                    return answer
                # 409: the learner has one made just now.
                if answer.status == 409 or not self._saw(answer.fields().get("bytes")):
                    report = self._report()
                elif all(seen and seen[-1].at - seen[0].at >= window for seen in self.seen.values()):
                    return answer
        finally:
            report.cancel()
            await asyncio.gather(report, return_exceptions=True)
        if answer is not None and answer.status == 409:  # to the end, though a report takes 20 s
            return answer
        raise LabError(
            f"the kubelet gave too few figures of these containers in {LONGEST} s",
            "it looks every 10 to 15 s, unless the machine is too busy; close what else runs on it and check again",
        )

    async def look(self) -> None:
        """Take in the newest readings."""
        found = await self.lab.usage.containers(list(self.pods.values()))
        for name, pod in self.pods.items():
            now = found.get((pod["metadata"]["name"], pod["spec"]["containers"][0]["name"]))
            if now is None:
                continue
            last = self.seen[name][-1] if self.seen[name] else self._before.setdefault(name, now)
            if now.at > last.at:
                self.seen[name].append(now)

    def _report(self) -> asyncio.Task[Any]:
        return asyncio.create_task(self.lab.traffic.post("model", "/report", {}, within=REPORT_LIMIT))

    def _saw(self, size: Any) -> bool:
        """Was there a reading while the report's memory, so many bytes, was in use?"""
        if not isinstance(size, int) or size > REPORT:
            return True  # it is another program's report, and says not what it takes
        memory = [each.memory for each in (self._before.get("model"), *self.seen["model"]) if each]
        return bool(memory) and max(memory) - min(memory) >= size / 2

    async def _harmed(self) -> bool:
        for name, before in self.pods.items():
            pod = await only_pod(self.lab, name)
            if pod is None or pod["metadata"]["uid"] != before["metadata"]["uid"]:
                self.harm = f"{name}: its pod is gone, or another one"
            elif restarts(pod) > restarts(before):
                ended = last_end(pod)
                self.harm = f"{name}: its container ended ({ended.get('reason')}, exit code {ended.get('exitCode')})"
            else:
                continue
            limit = containers(before).get("limits", {}).get("memory", "none")
            self.told = (f"memory limit of {name}: {limit}", *([pod_state(pod)] if pod else []))
            return True
        return False


async def given_programs(lab: Lab) -> Observation:
    """Whether ConfigMap `programs` holds the programs that were given."""
    found = await lab.objects.named("ConfigMap", "programs").now()
    there = (found or {}).get("data") or {}
    folder = Path(__file__).parents[1] / "start" / "programs"
    other = [each.name for each in sorted(folder.glob("*.py")) if there.get(each.name) != each.read_text("utf-8")]
    return Observation(
        not other, "ConfigMap programs with the programs as they were given", ", ".join(other) or "they are", None,
        (), "programs that differ or are not there",
    )  # fmt: skip


async def up(lab: Lab) -> Observation:
    """Wait until all three are rolled out; shorter where the quota goes on refusing a pod."""
    since: list[float] = []

    async def look() -> dict[str, Object | None]:
        return {name: await lab.objects.deployment(name).now() for name in NAMES}

    def ended(seen: dict[str, Object | None]) -> bool:
        if any(map(refusal, seen.values())):
            since.append(time.monotonic())
            return since[-1] - since[0] > REFUSED_FOR
        since.clear()
        return all(map(rolled_out, seen.values()))

    def shown(seen: dict[str, Object | None]) -> str:
        late = [name for name, each in seen.items() if not rolled_out(each)]
        return "; ".join(f"{name}: {refusal(seen[name]) or rollout_state(seen[name])}" for name in late) or "all ready"

    seen = await lab.time.eventually(
        look, ended, expected="feed, history and model have a pod each that is ready", shown=shown, within=UP_WITHIN
    )
    late = [name for name, each in seen.value.items() if not rolled_out(each)]
    lines = [line for name in late for line in await lab.objects.evidence("Deployment", name)]
    return Observation(not late, seen.expected, seen.seen, seen.value, tuple(lines))


def refusal(deployment: Object | None) -> str:
    """Why the API server makes no pod for it; empty if it does."""
    conditions = ((deployment or {}).get("status") or {}).get("conditions") or []
    return next(
        (
            str(each.get("message"))
            for each in conditions
            if each["type"] == "ReplicaFailure" and each["status"] == "True"
        ),
        "",
    )


async def leak(lab: Lab, name: str) -> tuple[Observation, Observation]:
    """Have a program leak: whether it was killed for that, and whether it came back."""
    pod = await only_pod(lab, name)
    if pod is None:
        raise LabError(f"{name}'s pod is being replaced", "check again")
    limit, container = containers(pod).get("limits", {}).get("memory", "none"), pod["spec"]["containers"][0]["name"]
    began = await run_in(lab, pod, "python3", "/lab/leak.py")
    expected = f"{name}: killed before it has 512 MiB more than usual"
    back = Observation(False, f"{name}: a new container, ready within {BACK_WITHIN} s", "not looked at")
    end = time.monotonic() + KILLED_WITHIN
    while True:
        now = await only_pod(lab, name)
        if now is not None and now["metadata"]["uid"] == pod["metadata"]["uid"] and restarts(now) + ended_now(now):
            break
        log = ""
        with contextlib.suppress(LabError):  # the pod, or its container, may have gone since
            log = await lab.objects.logs(pod["metadata"]["name"], container)
        if UNSTOPPED in log or time.monotonic() > end or now is None:
            seen = f"{name}: took 512 MiB more, and {UNSTOPPED}" if UNSTOPPED in log else f"{name}: not killed"
            return Observation(False, expected, seen, None, (f"memory limit: {limit}", began)), back
        await lab.time.pause(1)
    ended = last_end(now)
    how = f"{name}: ended ({ended.get('reason')}, exit code {ended.get('exitCode')}) at its limit of {limit}"
    killed = Observation(killed_for_memory(now), expected, how)
    seen = await lab.time.eventually(
        lambda: only_pod(lab, name),
        lambda each: each is not None and restarts(each) > 0 and is_ready(each),
        expected=f"{name}: a new container, ready", shown=lambda each: pod_state(each) if each else "no pod",
        within=BACK_WITHIN,
    )  # fmt: skip
    return killed, seen


async def never_restarted(lab: Lab, name: str) -> None:
    """Replace its pod if that was restarted before, by the learner's own drills: a next start would be put off."""
    pod = await only_pod(lab, name)
    if pod is None or restarts(pod):
        await replace_pod(lab, name)


async def replace_pod(lab: Lab, name: str) -> None:
    """Delete its pod and wait for the new one to be ready.

    Raises:
        LabError: that is not in time, although the pod before was.
    """
    pod = await only_pod(lab, name)
    old = pod["metadata"]["uid"] if pod else ""
    if pod:
        await lab.objects.delete("Pod", pod["metadata"]["name"], grace=1)
    seen = await lab.time.eventually(
        lambda: only_pod(lab, name),
        lambda each: each is not None and each["metadata"]["uid"] != old and is_ready(each),
        expected=f"{name}: a new pod, ready", shown=lambda each: pod_state(each) if each else "no pod",
        within=UP_WITHIN,
    )  # fmt: skip
    if not seen.ok:
        raise LabError(f"{seen.expected}: {seen.seen}", "see how the cluster is: lab status")


async def run_in(lab: Lab, pod: Object, *command: str) -> str:
    """Run a command in a pod's container and return what it printed, whatever its exit code: it may be killed."""
    name = pod["spec"]["containers"][0]["name"]
    done = await lab.objects.run_in(pod["metadata"]["name"], *command, container=name)
    return " ".join(done.lines)[-300:].strip()


async def only_pod(lab: Lab, name: str) -> Object | None:
    """The Deployment's pod that is not being deleted and has not ended; None while there is none."""
    deployment = await lab.objects.deployment(name).now()
    labels = ((deployment or {}).get("spec") or {}).get("selector", {}).get("matchLabels") or {"app": name}
    pods = await lab.objects.all("Pod", ",".join(f"{key}={value}" for key, value in labels.items()))
    there = [
        each
        for each in pods
        if not each["metadata"].get("deletionTimestamp") and each["status"].get("phase") in ("Pending", "Running")
    ]
    return there[0] if there else None


async def together(*work: Awaitable[Any]) -> list[Any]:
    """Do all of it side by side; what fails first ends the rest."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def fits(
    name: str, what: str, requested: float, used: float, shown: Callable[[float], str], how: str, wanted: float = 0.0
) -> Observation:
    """Whether a request is `LEAST` to `MOST` times what was used, or, at the upper end, would have been used.

    Args:
        wanted: what the program works for, where that is known; on a busy machine it gets less.
    """
    least, most = LEAST * used, MOST * max(used, wanted)
    return Observation(
        bool(used) and least <= requested <= most,
        f"{name} requests {shown(least)} to {shown(most)} of {what}, {LEAST:g} to {MOST:g} times its use",
        f"{name} requests {shown(requested)}, {requested / used if used else 0:.2g} times the {shown(used)} that it "
        f"used {how}",
        requested,
    )


def even_work() -> float:
    """The cores that feed.py works for, turn by turn; with fewer it was kept waiting, and that is nobody's mistake."""
    program = (Path(__file__).parents[1] / "start" / "programs" / "feed.py").read_text(encoding="utf-8")
    found = re.search(r"^EVERY, WORK = ([0-9.]+), ([0-9.]+)", program, re.MULTILINE)
    assert found
    every, work = found.groups()
    return float(work) / float(every)


def milli(cores: float) -> str:
    """Cores as Kubernetes writes them."""
    return f"{1000 * cores:.0f}m"


def mebibytes(size: float) -> str:
    """Bytes as Kubernetes writes them."""
    return f"{size / MIB:.0f}Mi"


def containers(pod: Object) -> Object:
    """The resources of a pod's container, with what the API server filled in."""
    return dict(pod["spec"]["containers"][0].get("resources") or {})


def ended_now(pod: Object) -> bool:
    """Has its container ended, and not yet been started anew?"""
    return any("terminated" in (each.get("state") or {}) for each in pod["status"].get("containerStatuses") or [])
