"""Lab 14: how many requests a second of CPU time is worth, and whether what became faster is still right.

A pod of the checker's is the crowd (crowd.py) and knows the model's own values; another one runs the service of start/,
which is what the learner's is compared with: in turns, within the same seconds. What counts is the CPU time that the
kernel accounts to the containers: the clock on the wall says more about this machine than about a program.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from mlops_lab.checks import Lab, Observation, at_least, at_most, check, equal_to, expect, observe, quantity
from mlops_lab.kit.answering import must_answer
from mlops_lab.kit.deployments import exists, rolled_out
from mlops_lab.kit.pods import lasting, leaving
from mlops_lab.kit.probabilities import answer_about, own_values
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.http import Answer

from .cost import GATE, milliseconds
from .crowd import MEMBERS, beside_the_contract
from .scenario import Measured, crowd_seen, measure, median
from .stage import ANSWER_WITHIN, SAME
from .why import (
    TWO_MEMBERS,
    telling,
    too_late,
    why_no_answer,
    why_not_yet,
    why_other_values,
    why_unusual,
    why_wrong_in_a_crowd,
)

IMAGES = ("workbench:1", "tensorflow:1", "pytorch:1")
JSON = "application/json"
LIMIT = "1Gi"
ROLLED_OUT_WITHIN = 90  # s, for pods that were applied just before
FIRST_ANSWER_WITHIN = 20  # s, until the nodes know a new pod
TIMES, GRANTED = 2, 0.030  # the limit of a lone client: so many times the baseline's median, and so many seconds
ROUNDS = 3  # of the comparison of costs
DOMAINS = ("ckad/design-and-build",)
OBSERVED = ("ckad/observability-and-maintenance", "cka/troubleshooting")


@check(points=1, domains=("ckad/deployment", "ckad/environment-configuration-and-security"))
async def is_up(lab: Lab) -> None:
    """Deployment `model` is ready within 90 s, and GET /readyz and /healthz answer 200 through Service `model`.

    Who says so answers a POST /predict that comes right afterwards, too.
    What answers there is the first container of that Deployment's pods; it may ask others of its pod in its turn.
    What runs in them is the image workbench:1 (or tensorflow:1 or pytorch:1). Each container has a memory limit of at
    most 1Gi, also those that only prepare something, and those of other Deployments in the namespace.
    """
    await exists(
        lab,
        why="kubectl apply -k . makes the ConfigMap with your files, the Deployment that runs them, and the Service",
    )
    expect(await rolled_out(lab, within=ROLLED_OUT_WITHIN)).because(
        "the pod is ready once GET /readyz answers 200 on port 8080. kubectl logs deployment/model (with --previous "
        "for a container that ended) shows why not. The program runs as user 10001, who may write to /tmp and to no "
        "other folder of the image; and what it makes when it starts, it makes each time that it starts"
    )
    pods = await lab.objects.pods_of("model")
    containers = [each for pod in pods for each in lasting(pod)]
    wanted = {f"{lab.platform.registry}/{image}" for image in IMAGES}
    images = {each["image"] for each in containers}
    expect(
        Observation(
            bool(images) and images <= wanted,
            f"pods behind Service model that run {' or '.join(sorted(wanted))}",
            ", ".join(sorted(images)) or "no pods",
        )
    ).because("the Service must select the pods of your Deployment: kubectl get service model -o wide")
    for where, allowed in limits([*pods, *helping(await lab.objects.all("Pod"), pods)]):
        expect(
            Observation(
                limited(allowed), f"a memory limit of at most {LIMIT} for each container", allowed, evidence=(where,)
            )
        ).because(
            "what is faster by a memory without bounds is slower for all others on the node; a limit of 0 is none"
        )
    for path in ("/readyz", "/healthz"):
        answer = await lab.traffic.first_answer(
            partial(lab.traffic.get, "model", path, within=ANSWER_WITHIN),
            lambda answer: not answer.refused,
            within=FIRST_ANSWER_WITHIN,
        )
        expect(observe(f"status of GET {path}", answer.status, equal_to(200), evidence=[answer.shown])).because(
            "status 0 is no answer: does the port of the Service lead to the one that the server listens on? 404 is a "
            "server without that path, and the contract has both"
        )
    first = await lab.traffic.post("model", "/predict", lab.traffic.hidden_rows(1).body, within=ANSWER_WITHIN)
    expect(observe("status of POST /predict right after them", first.status, equal_to(200), evidence=[first.shown])
    ).because(why_not_yet(first.status))  # fmt: skip
    await must_answer(lab)


@check(points=1, needs=is_up, domains=DOMAINS)
async def answers_right(lab: Lab) -> None:
    """POST /predict gives v1's own probabilities within 1e-5, for 60 flights at once and for one, in their order.

    The answer has `model_version` and `probabilities`, and nothing else. It may not call itself anything but JSON.
    """
    flights = lab.traffic.hidden_rows(60)
    rows, own, others = list(flights.rows), flights.probabilities("v1"), flights.probabilities("v2")
    for what, picked in (("60 flights", range(60)), ("60 the other way round", range(59, -1, -1)), ("1 flight", [7])):
        answer = await answer_about(lab, [rows[number] for number in picked], within=FIRST_ANSWER_WITHIN)
        expect(observe(f"status of POST /predict with {what}", answer.status, equal_to(200),
                       evidence=[answer.shown])).because(why_no_answer(answer.status))  # fmt: skip
        values = [own[number] for number in picked]
        right = own_values(answer, values, what, within=SAME)
        expect(right).because(
            "" if right.ok else why_other_values(right.value, values, [others[number] for number in picked])
        )
        expect(nothing_else(answer.fields(), what)).because(TWO_MEMBERS)
        expect(calls_itself_json(answer, what)).because(
            "clients go by the Content-Type, and take no JSON from what calls itself something else. FastAPI's "
            "JSONResponse and Flask's jsonify say application/json; a text that was made by hand may say text/html"
        )


@check(points=1, needs=answers_right, domains=DOMAINS)
async def answers_the_unusual(lab: Lab) -> None:
    """Unknown codes, weather that is missing, the ends of each range and 1000 rows get the model's own values, too.

    So do codes of each length, letters or digits, whole numbers with a point, numbers written as text, 17 also as
    "17.0", true and false for 1 and 0, fields in another order, any weather, few flights and 1000 in a body that comes
    in chunks, distances with a fraction, on and beside the splits of trees, and flights that differ from one that was
    asked about before in one field alone.
    """
    seen = (await lab.once(measured)).unusual
    expect(seen).because(why_unusual(telling(seen.evidence)))


@check(points=2, needs=answers_the_unusual, owns="model", domains=DOMAINS)
async def right_in_a_crowd(lab: Lab) -> None:
    """16 clients at once, 192 requests about flights that nobody asked about before: each gets its right answer.

    Most are about 1 to 5 flights, a dozen about 600 to 1000; now and then two ask the same at once. None is turned
    away, and no container is restarted.
    """
    seen = (await lab.once(measured)).crowd
    assert seen is not None
    expect(crowd_seen(seen)).because(why_wrong_in_a_crowd(seen))


@check(points=7, needs=right_in_a_crowd, owns="model", domains=("cka/workloads-and-scheduling", *OBSERVED))
async def five_times_as_much_per_core(lab: Lab) -> None:
    """A second of CPU time answers at least 5 times the requests that it answers in the service you began with.

    16 clients, one flight a request, no flight twice. Both services are asked in turns. What counts is the CPU time of
    all containers in your namespace as the kubelet measures it, not the time on the clock: more workers or pods make it
    faster, and no cheaper.
    """
    found = (await lab.once(measured)).cost
    assert found is not None
    seen = observe(
        "requests per CPU second, as a multiple of the first service's", found.times, at_least(GATE),
        evidence=[
            f"the first service: {found.theirs:.0f} requests per CPU second",
            f"yours: {found.mine:.0f} requests per CPU second",
            *(f"measurement {number}: {milliseconds(theirs)} and {milliseconds(mine)} of CPU time a request"
              for number, (theirs, mine) in enumerate(found.rounds, 1)),
        ],
    )  # fmt: skip
    expect(replace(seen, seen=f"{found.times:.1f} times: {found.mine:.0f} for {found.theirs:.0f}")).because(
        "where does the time of a request go? time.process_time() before and after each step, or python3 -m cProfile. "
        "Of the service that you began with more than half is pandas (tables made and joined for one row), most of the "
        "rest is scikit-learn (40 trees, each with some tens of microseconds of Python round a microsecond of work), "
        "and HTTP is the smallest part. Only what is done less often, or not at all, or by less Python, makes a "
        "request cheaper: more workers, threads or pods use more CPU side by side, memory of "
        "answers helps who asks twice, and what is made for each request (a session, a model) is better made once"
    )


@check(points=3, needs=five_times_as_much_per_core, domains=("ckad/environment-configuration-and-security", *DOMAINS))
async def follows_the_model(lab: Lab) -> None:
    """A copy of your pod with MODEL=/model/v2 answers with v2's own values, within 1e-5, and says v2.

    The checker starts that copy beside yours and deletes it afterwards. It asks about flights that you don't see, some
    of them without weather, and some whose temperature lies right on a split of v2's trees, where float32 and float64
    part. Another copy, without the variable MODEL, answers as v1; and one with a model that nobody has seen as that one
    does: its features are in another order, some are left out, it reads the day, which v1 and v2 do not, it has more
    and deeper trees, and what stands for codes and for what is missing is its own. That one is asked as soon as its GET
    /readyz answers 200, and each of them after that.
    """
    seen = (await lab.once(measured)).other
    assert seen is not None
    expect(seen.seen).because(seen.why)


@check(points=3, needs=five_times_as_much_per_core, owns="model", domains=OBSERVED)
async def bad_rows_stay_alone(lab: Lab) -> None:
    """In a crowd in which every fourth request breaks the contract, that one gets a 4xx and nobody else.

    Each rule of the contract is broken twice: by a flight that is alone, and by one of five. To NaN and infinity, which
    JSON does not have, and to 1e999, which is read as infinity, a 5xx is an answer as well. All other clients get their
    own right answers, as if nothing had happened.
    """
    seen = (await lab.once(measured)).mixed
    assert seen is not None
    strange = {status: number for status, number in seen["bad_statuses"].items() if not 400 <= int(status) < 500}
    silent = "0" in strange or not seen["bad_statuses"]
    expect(
        Observation(
            not strange and bool(seen["bad_statuses"]),
            "each request that breaks the contract gets a status 4xx",
            ", ".join(f"{number} x {int(status) or 'no answer'}" for status, number in seen["bad_statuses"].items()),
            evidence=tuple(seen["bad_taken"]),
            timed=silent or None,
        )
    ).because(
        "what breaks the contract is the client's mistake and is refused, before the model or a batch sees it. 5xx "
        "says that the server is at fault; a 200 that there was nothing wrong; and no answer leaves the client waiting"
    )
    expect(crowd_seen(seen)).because(
        "the requests that failed had nothing wrong with them: they were in a batch with one that had. Look at each "
        "request before it goes into a batch, and give an exception in a batch to nobody who has no part in it. And "
        "what ends the loop that serves the batches ends it for all who come later"
    )


@check(points=2, needs=five_times_as_much_per_core, owns="model", domains=OBSERVED)
async def lone_client_does_not_wait(lab: Lab) -> None:
    """A client that is alone gets half of its answers within twice the first service's time and 30 ms, and all right.

    It asks both services in turn, one flight each time.
    """
    found = (await lab.once(measured)).alone
    assert found is not None
    theirs, mine = (median(found["took"][name]) for name in ("baseline", "model"))
    limit = TIMES * theirs + GRANTED
    expect(
        observe("median of a lone client", round(1000 * mine, 1), at_most(round(1000 * limit, 1)), unit="ms",
                evidence=[f"the service of the beginning: {1000 * theirs:.1f} ms", *found["problems"].values()])
    ).because(
        "whoever is alone waits for others who never come. Let a batch begin as soon as somebody waits and the model "
        "is free: under load the next one fills by itself while this one is computed. A window is worth a few "
        "milliseconds"
    )  # fmt: skip
    wrong = found["problems"].get("model", "")
    right = "right answers to a client that is alone"
    expect(Observation(not wrong, right, wrong or "all were right", timed=too_late([wrong]))).because(
        "what answers many clients right must answer one as well: a batch of one is a batch, too. kubectl logs "
        "deployment/model shows the exception behind a 500"
    )


def nothing_else(said: Object, what: str) -> Observation:
    """Has an answer the members of the contract, and no others?"""
    expected = f"for {what}: {' and '.join(MEMBERS)}, and nothing else"
    more = beside_the_contract(said)
    return Observation(not more, expected, f"also {more}" if more else "these two", timed=False)


def calls_itself_json(answer: Answer, what: str) -> Observation:
    """Does an answer say in its headers that it is JSON, or not say what it is?"""
    said = answer.headers.get("content-type", "")
    right = said.partition(";")[0].strip().lower() in (JSON, "")
    return Observation(right, f"for {what}: Content-Type {JSON}, or none", said[:80] or "none", timed=False)


def helping(pods: Sequence[Object], serving: Sequence[Object]) -> list[Object]:
    """The pods that run beside those that serve, and that something keeps running: not what `kubectl run` leaves."""
    names = {each["metadata"]["name"] for each in serving}
    return [
        each
        for each in pods
        if each["metadata"]["name"] not in names
        and any(owner.get("controller") for owner in each["metadata"].get("ownerReferences") or [])
        and each["status"].get("phase") in ("Pending", "Running")
        and not leaving(each)
    ]


def limited(allowed: str) -> bool:
    """Is it a memory limit within what the task allows? One of 0 is none to the kubelet."""
    return allowed != "no limit" and 0 < quantity(allowed) <= quantity(LIMIT)


def limits(pods: Sequence[Object]) -> list[tuple[str, str]]:
    """Where each container is, and its memory limit; not what kubectl debug adds, which can have none."""
    return [
        (
            f"container {each['name']} of pod {pod['metadata']['name']}",
            str(((each.get("resources") or {}).get("limits") or {}).get("memory", "no limit")),
        )
        for pod in pods
        for each in [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or [])]
    ]


async def measured(lab: Lab) -> Measured:
    """What is measured once for all checks."""
    return await measure(lab, ROUNDS if lab.thorough(five_times_as_much_per_core) else 1)
