"""Lab 06: what three programs use under a busy evening's load, and whether their requests and limits fit that.

Use is what the kubelet saw in the same run: mean CPU, largest working set, throttled CFS periods. The programs work by
CPU time and hold what they say, so the figures are alike on quick and slow machines.
"""

from __future__ import annotations

from dataclasses import replace

from mlops_lab.checks import Lab, check, equal_to, expect, holds, less_than, observe
from mlops_lab.kit.answering import must_answer
from mlops_lab.kit.deployments import NOTHING_RUNS, exists
from mlops_lab.kit.given import around_is_given, given_service, must_be_given
from mlops_lab.kit.losses import none_lost
from mlops_lab.kit.pods import is_running
from mlops_lab.kit.predictions import predicted
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.side_by_side import together

from .beside import nobody_beside
from .leaks import leak
from .pods import (
    NAMES,
    PROGRAMS,
    START,
    all_rolled_out,
    given_quota,
    no_autoscaler,
    one_container_each,
    only_sizes,
    present_pod,
    replace_if_restarted,
    replace_pod,
    resources,
)
from .scenario import ANSWER_LIMIT, RATE, evening
from .sizes import fits, known_work, mebibytes, milli, reaches

ANSWER_WITHIN = 30  # s, of pods that have just come up
THROTTLED_BELOW = 10  # % of CFS periods
CONFIGURATION, OBSERVABILITY = "ckad/environment-configuration-and-security", "ckad/observability-and-maintenance"
SCHEDULING, TROUBLESHOOTING = "cka/workloads-and-scheduling", "cka/troubleshooting"


@check(points=2, owns="model", domains=(CONFIGURATION, SCHEDULING))
async def runs(lab: Lab) -> None:
    """Within 90 s the pods of `feed`, `history` and `model`, one each, run within the quota and are ready.

    20 flights that you don't see are sent to POST /predict of Service `model`: the answers must be the model's own.
    Quota, Services, programs and their image must be the given ones, with one container in each pod and no other pod
    that runs one of the programs, and the Deployments as they were but for resources.
    """
    loads = sum(map(is_running, await lab.objects.all("Pod", "app=load")))
    expect(observe("pods of your own load that still run", loads, equal_to(0))).because(
        "the checker sends the evening's load itself; with yours beside it twice as much would be measured. A Job of "
        "load.yaml ends after two minutes: kubectl get jobs"
    )
    for name in NAMES:
        deployment = await exists(lab, name, why=f"{NOTHING_RUNS}kubectl apply -k . in your folder")
        replicas = deployment["spec"].get("replicas")
        expect(observe(f"replicas of Deployment {name}", replicas, equal_to(1))).because(
            "the task is one pod each; what is asked is how large that must be"
        )
    must(
        await no_autoscaler(lab),
        "the task is one pod each, under load as well: an autoscaler makes a second one then. kubectl get hpa",
    )
    expect(await given_quota(lab)).because(
        "the namespace's quota is given: three programs that fit into it are the task, and not a wider one. lab reset "
        "06 brings it back"
    )
    expect(await all_rolled_out(lab)).because(
        "ask first whether there is a pod at all. If not, the namespace's quota refused it: kubectl describe "
        "replicaset says what was requested, used and allowed, and kubectl describe quota how it stands. Where a "
        "quota counts requests, each container must have them; one that has a limit and no request requests all of "
        "its limit. If there is a pod and it isn't ready, look at its last state with kubectl describe pod: it may "
        "get too little memory or CPU to start at all. 250m of CPU is a quarter of a core; of memory, m is a "
        "thousandth of a byte, and Mi is meant"
    )
    given = "the programs, their image and the Services are given; leave them as they are"
    answered = await predicted(lab, rows=20, within=ANSWER_WITHIN)
    expect(answered.status()).because(given)
    expect(answered.values("v1")).because(given)
    answer = await lab.traffic.first_answer(lambda: lab.traffic.get("history", "/flights/N14228"), within=ANSWER_WITHIN)
    heard = [answer.error or answer.text[:200]]
    expect(observe("status of GET /flights/N14228", answer.status, equal_to(200), evidence=heard)).because(given)
    must(
        await nobody_beside(lab),
        "the task is one pod each: a second one takes its part of the quota, and of the work where a Service leads to "
        "it; so it is with one that comes at night. kubectl get pods,cronjobs,deployments --show-labels",
    )
    for name in ("model", "history"):
        must(await given_service(lab, START, name), given)
        await must_answer(lab, name, name)
    must(await one_container_each(lab), "only the resources are yours: a second container is another program")
    must(
        await only_sizes(lab),
        "only the resources of the containers are yours, and where they are said is the Deployment: it makes the next "
        "pod. What it does not say, a LimitRange may fill in, for each container that anybody starts there. What a "
        "leak is stopped by is a limit, and not a probe that watches over it; what each container needs is asked for, "
        "not the pod as a whole; and a program needs what it does as it was given, with no variable or file more, in a "
        "container of the given name",
    )
    for name in NAMES:
        await must_be_given(lab, START, name, PROGRAMS, why="the sizes are asked for, not other programs")
        must(
            await around_is_given(lab, START, name, free=("resources",)),
            "only the resources are yours; `lab reset` brings back what you began with, and keeps a copy of your files",
        )


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
    for name, report in (("model", found.predictions), ("history", found.lookups)):
        lost = none_lost(report)
        expect(replace(lost, expected=f"{name}: {lost.expected}", seen=f"{name}: {lost.seen}")).because(
            f"a request counts as lost when it gets no answer in {ANSWER_LIMIT:g} s. A server whose CPU limit is below "
            "what the load needs falls behind more and more, and one that is restarted loses what it has"
        )


@check(points=2, needs=survives_the_evening, owns="model", domains=(TROUBLESHOOTING, OBSERVABILITY))
async def not_throttled(lab: Lab) -> None:
    """In less than 10 % of its CFS periods a container has to wait because of its CPU limit."""
    found = await lab.once(evening)
    for name, used in found.uses.items():
        if used.throttled is None:
            continue
        limit, share = found.resources[name].get("limits", {}).get("cpu"), 100 * used.throttled
        use = [f"CPU limit {limit}; {used.cores:.3f} cores used on average over {used.seconds:.0f} s"]
        waits = f"CFS periods in which {name} had to wait"
        expect(observe(waits, share, less_than(THROTTLED_BELOW), unit="%", evidence=use)).because(
            "a CPU limit is no mean: it is counted anew in every period of 100 ms. A limit of 200m is 20 ms of each; "
            "who needs 45 ms at once has run for 20 ms and then waits until the next period, although the node is "
            "idle. What counts for a limit is the largest use within 100 ms, not what kubectl top shows. "
            "container_cpu_cfs_throttled_periods_total tells; the README says how to see it. Where every container of "
            "a pod has a limit the pod has one as well, their sum, and waits for that one count too"
        )
    limit = found.resources["feed"].get("limits", {}).get("cpu")
    least = known_work("feed")
    must(
        holds(limit is None or reaches(limit, least), f"feed: no CPU limit below {milli(least)}", f"one of {limit}"),
        f"feed works for {milli(least)}, evenly: 25 times a second 4 ms. A limit below that holds it up in nearly "
        "every period once the node gives it the CPU time that it wants; while this was measured, a busy node did not",
    )


@check(points=2, needs=survives_the_evening, owns="model", domains=(CONFIGURATION, SCHEDULING))
async def cpu_requests_fit(lab: Lab) -> None:
    """Each container requests 0.8 to 2 times the CPU that it used on average under the evening's load."""
    found = await lab.once(evening)
    for name, used in found.uses.items():
        how, wanted = f"over {used.seconds:.0f} s", known_work(name, RATE)
        expect(fits(name, "CPU", found.requested(name, "cpu"), used.cores, milli, how, wanted)).because(
            "by requests the scheduler fills the nodes, and when all want to run at once each gets CPU in proportion "
            "to its request: too little, and it starves beside others; too much, and nobody else may use the room. "
            "What counts is the mean while there is work, neither that of an idle hour nor the highest burst, and it "
            "differs from program to program: kubectl top pod while the load runs"
        )


@check(points=2, needs=survives_the_evening, owns="model", domains=(CONFIGURATION, SCHEDULING))
async def memory_requests_fit(lab: Lab) -> None:
    """Each container requests 0.8 to 2 times the largest working set that it had under the evening's load."""
    found = await lab.once(evening)
    for name, used in found.uses.items():
        expect(fits(name, "memory", found.requested(name, "memory"), used.peak, mebibytes, "at most")).because(
            "memory that is in use cannot be taken back as CPU time can. When a node runs short of it, the kubelet "
            "evicts first the pods that use more than they request: so request the largest use, the nightly report "
            "included. And not much more: what is requested is lost to all others, used or not"
        )


@check(points=1, needs=runs, owns="feed", domains=(SCHEDULING, CONFIGURATION))
async def feed_is_last_to_go(lab: Lab) -> None:
    """When a node runs short of memory, `feed` is among the last to be ended."""
    pod = await present_pod(lab, "feed")
    sizes = [f"{kind} of feed: {resources(pod).get(kind) or 'none'}" for kind in ("requests", "limits")]
    quality = pod["status"].get("qosClass")
    expect(observe("feed's class of quality of service", quality, equal_to("Guaranteed"), evidence=sizes)).because(
        "the order follows from the pod's class of quality of service, and that from requests and limits alone. A "
        "kubelet whose node runs short of memory evicts pods of class Guaranteed last, and gives their processes an "
        "oom_score_adj of -997, by which the kernel ends nearly everything else before. Guaranteed means: each "
        "container has requests and limits for CPU and for memory, and the limits are the requests"
    )


@check(points=3, needs=runs, owns="model", domains=(TROUBLESHOOTING, CONFIGURATION))
async def leak_is_stopped(lab: Lab) -> None:
    """A program that leaks is killed before it has 512 MiB more than at its highest, and soon has a new container.

    The checker makes all three leak at the same time, as leak.py does, `model` while it makes a nightly report, and
    replaces their pods afterwards.
    """
    names = NAMES if lab.thorough(leak_is_stopped) else ("feed",)
    await together(*(replace_if_restarted(lab, name) for name in names))
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
