"""Lab 05: what the learner's probes make of pods that start slowly, hang, compute, or can't answer for a while.

The checker makes five pods from the Deployment's own template, with other loading times, and plays the incidents in
those. They stand behind the Service beside the learner's pods, to which nothing is done, and are gone afterwards.
"""

from __future__ import annotations

from pathlib import Path

from mlops_lab.checks import Lab, LabError, Observation, between, check, equal_to, expect, holds, observe
from mlops_lab.kit.answering import must_answer
from mlops_lab.kit.deployments import exists, rolled_out
from mlops_lab.kit.given import around_is_given, given_service, in_manifests, must_be_given
from mlops_lab.kit.pods import lives_long
from mlops_lab.kit.predictions import predicted
from mlops_lab.kit.prerequisites import must
from mlops_lab.measure.traffic.flights import numbers

from .beyond import no_autoscaler, not_yours
from .copies import BUSY, LATE, LOAD, OUT_WITHIN, RESTARTED_WITHIN, SLOW, UNREADY, USUAL, cleared
from .hanging import at_most_by, kept_for, longest, patience
from .scenario import incidents
from .why import NEVER_UP, why_asked, why_not_restarted

START = Path(__file__).parents[1] / "start"
FILES = ("server.py", "drill.py")
YOURS = (
    "startupProbe",
    "readinessProbe",
    "livenessProbe",
    "lifecycle",
    "terminationGracePeriodSeconds",
    "initContainers",
)
ANY_LOAD = 3600  # s, of which a model that has loaded needs less
NOT_THERE = (
    "the process is well; what it needs is away. A restart brings that back no sooner, and then the model has to load "
    "as well. Whether the process can go on at all (liveness) and whether it can serve just now (readiness) are two "
    "questions, and the server has a path for each"
)
ONLY_TIME_TELLS = (
    "a pod that computes and one that hangs look the same from outside: no answer within timeoutSeconds. What tells "
    "them apart is how long it lasts. The first probe that fails may come just as the work begins, so it is "
    "(failureThreshold - 1) x periodSeconds and the last one's timeoutSeconds that must be more than the longest work; "
    "and less than you let a hang last"
)
UP_WITHIN = 90  # s, for pods that were applied just before
ANSWER_WITHIN = 40  # s, for pods that count as ready and still load


@check(points=1, owns="model", domains=("ckad/observability-and-maintenance", "ckad/services-and-networking"))
async def comes_up(lab: Lab) -> None:
    """Within 90 s both pods of Deployment `model`, whose model takes 20 s to load, are ready and answer.

    20 flights that you don't see are sent to POST /predict of Service `model`: the answers must be the model's own.
    Image, command, the files in /lab and the Service must be the given ones, and the Deployment as it was but for its
    probes and for how a container ends; no autoscaler changes how many pods it has.
    """
    await cleared(lab)
    await exists(lab, why="nothing runs before it is applied: kubectl apply -k . in your folder")
    expect(await rolled_out(lab, pods=2, within=UP_WITHIN)).because(NEVER_UP)
    version = await lab.traffic.first_answer(lambda: lab.traffic.get("model", "/version"), within=ANSWER_WITHIN)
    heard = [version.error or version.text[:200]]
    expect(observe("status of GET /version (0: no answer)", version.status, equal_to(200), evidence=heard)).because(
        f"the pods count as ready, and for {ANSWER_WITHIN} s none answered. A container that runs counts as ready if "
        f"no probe says otherwise; {NEVER_UP}"
    )
    took = numbers([version.fields().get("load_seconds")])
    seconds = observe(
        "seconds that the model took to load", took[0] if took else None, between(USUAL, ANY_LOAD), evidence=heard
    )
    expect(seconds).because(
        f"the task is a model that takes this long: leave {LOAD} at {USUAL}, and server.py as it is"
    )
    answered = await predicted(lab, rows=20, within=ANSWER_WITHIN)
    expect(answered.status()).because("server.py, the image and the Service are given; leave them as they are")
    expect(answered.values("v1")).because("server.py and the image are given; leave them as they are")
    must(
        await given_service(lab, START),
        "the Service is given: all pods of the Deployment stand behind it, also those that the checker makes of its "
        "template, and each request may go to any of them",
    )
    await must_answer(lab)
    await must_be_given(
        lab, START, files={each: START / each for each in FILES},
        why="the probes are yours, and how long a container is given to end; what a probe of yours needs goes into a "
        "folder of its own, such as /probes, and not into one where programs are, such as /lab, /app or /usr",
    )  # fmt: skip
    spec = (await lab.objects.deployment("model").present())["spec"]["template"]["spec"]
    beside = [each["name"] for each in lives_long(spec)[1:]]
    must(
        holds(not beside, "one container that lives as long as the pod", f"beside it {', '.join(beside)}"),
        "each pod with the one server is the task. An init container may prepare what a probe needs, and has to end; "
        "one that is restarted always (restartPolicy) is a second container beside the server, and no probe",
    )
    must(
        await around_is_given(lab, START, free=YOURS),
        "the probes are yours, and how a container ends. Two pods, each with the one server, are the task: a second "
        "container that watches over the first one is no probe",
    )
    must(
        await no_autoscaler(lab),
        "how many pods there are is given, and an autoscaler makes more of them when much is asked: kubectl get hpa",
    )
    given = in_manifests(START, "Deployment", "model")["spec"]["template"]["spec"]["containers"][0]
    other = not_yours(spec["containers"][0], given)
    must(
        holds(not other, "the container as it was given, but for what is yours", ", ".join(other)),
        "the probes are yours, and how a container ends. A postStart hook is neither: while it runs nobody asks the "
        "probes, and what it has started stays beside the server. What a container may use is given, too",
    )


@check(points=2, needs=comes_up, owns="model", domains=("ckad/observability-and-maintenance", "cka/troubleshooting"))
async def slow_start_survives(lab: Lab) -> None:
    """A pod whose model takes 45 s to load is not restarted meanwhile, and is ready within 15 s once it has loaded.

    So are those whose model takes 2 s.
    """
    found = await lab.once(incidents)
    expect(found.slow.restarted(f"while the model loads for {SLOW} s", found.probes)).because(
        "as long as a startup probe has not succeeded, the other probes wait, and after failureThreshold failures in "
        "a row, periodSeconds apart, the container is restarted: that must take longer than the slowest start. Where "
        "there is no startup probe, the liveness probe asks from the beginning, and its failures count the same"
    )
    expect(found.slow.begun).because(found.slow.why)
    for pod in (found.slow, found.hung, found.unready, found.busy):
        if pod.prompt:  # else it was restarted before, which is another check's matter
            expect(pod.prompt).because(
                f"{LATE}. An initialDelaySeconds for the slowest start, or a long periodSeconds, keeps a pod out that "
                "could have answered since its model was loaded"
            )


@check(points=3, needs=comes_up, owns="model", domains=("ckad/services-and-networking", "cka/services-and-networking"))
async def asks_only_pods_that_answer(lab: Lab) -> None:
    """No request goes to a pod that loads, and from 15 s on none to a pod that hangs or answers 503.

    10 requests a second go to Service `model` while the checker's pods start and have their incidents. All must be
    answered with 200, but for those of the first 15 s after a pod began to hang or to answer 503. Whenever a hang
    begins, by the readiness probe's numbers the pod is out within 15 s; of a command its own wait counts as the
    timeout, where that is less. A pod that answers again must be ready within 15 s.
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
            (*kinds, found.hung.stayed("hung"), found.unready.stayed("answered 503"), *found.probes),
            f"of {found.sent} requests, without the first {OUT_WITHIN} s of an incident",
        )
    ).because(why_asked(found))
    for pod in [found.unready, found.busy, *([found.early] if found.early.away else [])]:
        expect(pod.returned(found.probes)).because(
            "the readiness probe must ask often enough: see its periodSeconds and successThreshold. A command that "
            "asks must say how things are now, and not how they were"
        )
    out = f"a pod that hangs is out within {OUT_WITHIN} s whenever that begins"
    kept = kept_for(found.spec, found.waits)
    expect(at_most_by(kept, OUT_WITHIN, out, "the readiness probe's numbers", found.probes)).because(
        "where a hang begins just after a probe that succeeded, the pod stays in the Service for failureThreshold x "
        "periodSeconds and the last one's timeoutSeconds, or what a command waits; this time it may have begun later. "
        "The nodes hear of it a second or two after that, so leave some room"
    )


@check(points=3, needs=comes_up, owns="model", domains=("ckad/observability-and-maintenance", "cka/troubleshooting"))
async def hung_pod_is_restarted(lab: Lab) -> None:
    """A pod that hangs as soon as it is ready has a new container within 40 s, and once more when that one hangs.

    Before a container's second restart the kubelet itself waits for 10 s: these do not count. Whenever a hang begins,
    by the liveness probe's numbers and the grace period the container is killed within 40 s.
    """
    found = await lab.once(incidents)
    hung = found.hung
    expect(hung.begun).because(hung.why)
    ends = [f"{each:.0f} s" for each in (*hung.earlier, hung.ended) if each is not None]
    expect(
        Observation(
            hung.ended is not None,
            f"a new container within {RESTARTED_WITHIN} s of each hang",
            f"a new container after {', then after '.join(ends)}"
            if hung.ended is not None
            else f"the old one, which hangs{', after one that was restarted in time' if hung.earlier else ''}",
            hung.ended,
            (*found.probes, *hung.events),
        )
    ).because(why_not_restarted(found))
    over = f"a hang is over within {RESTARTED_WITHIN} s whenever it begins"
    expect(at_most_by(longest(found.spec), RESTARTED_WITHIN, over, "the probe's numbers", found.probes)).because(
        "where a hang begins just after a probe that succeeded, it lasts failureThreshold x periodSeconds, the last "
        "one's timeoutSeconds, and the whole grace period, as a process that hangs does nothing about SIGTERM"
    )


@check(points=2, needs=comes_up, owns="model", domains=("ckad/observability-and-maintenance", "cka/troubleshooting"))
async def unready_pod_is_left_alone(lab: Lab) -> None:
    """A pod that answers 503 for 45 s, because the feature store is away, is not restarted.

    One pod does so once it has been ready, and one from when it has loaded its model, which takes 45 s.
    """
    found = await lab.once(incidents)
    expect(found.unready.begun).because(found.unready.why)
    expect(found.unready.restarted(f"while the pod answers 503 for {UNREADY} s", found.probes)).because(NOT_THERE)
    if found.early.away:
        expect(found.early.restarted(f"while it answers 503 for {UNREADY} s once it has loaded", found.probes)).because(
            f"{NOT_THERE}. A startup probe has succeeded when the model is loaded, whether it can serve or not"
        )
    if found.unready.cut_short:
        expect(found.unready.cut_short).because(
            "something of yours in the pod has ended the drill, a probe or a hook perhaps. The feature store comes "
            "back by itself, and not sooner; what is asked is that the pod is left alone until then"
        )


@check(points=1, needs=comes_up, owns="model", domains=("ckad/observability-and-maintenance",))
async def busy_pod_is_left_alone(lab: Lab) -> None:
    """A pod that computes for 10 s, and answers nothing meanwhile, is not restarted; nor are pods that are well.

    It computes up to three times, with a rest between them in which the liveness probe is answered; up to six times
    where that is a command which may have failed often enough in 10 s. Whenever that work begins, the liveness probe's
    numbers allow 10 s for it; of a command its own wait counts as the timeout.
    """
    found = await lab.once(incidents)
    expect(found.busy.begun).because(found.busy.why)
    expect(found.busy.restarted(f"while the pod computes for {BUSY} s", found.probes)).because(ONLY_TIME_TELLS)
    expect(observe("restarts of the Deployment's own pods meanwhile", found.others, equal_to(0), timed=True)).because(
        "nothing was done to these pods: the liveness probe fails although the server answers. Does it ask a path "
        "and a port that are there? kubectl describe pod shows among the events what the probe got"
    )
    allowed = patience(found.spec, found.waits)
    expect(
        holds(
            allowed is None or allowed >= BUSY,
            f"the liveness probe allows {BUSY} s of work whenever that begins",
            f"it may have failed often enough after {allowed or 0:g} s",
            evidence=found.probes,
        )
    ).because(ONLY_TIME_TELLS)
