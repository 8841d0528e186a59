"""Lab 02: what comes back through Service `model` for good bodies, bad ones, and many at a time.

Right values are those that training wrote down, and for rows that are made up here those of Service `reference`, which
has the same model. It is also what the latency is compared with: under the same load, in the same seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import math
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from mlops_lab.checks import Lab, LabError, Observation, check, equal_to, expect, observe
from mlops_lab.measure.traffic.flights import difference, numbers

Object = dict[str, Any]

IMAGES = ("workbench:1", "tensorflow:1")
ROLLED_OUT_WITHIN = 90  # s, for pods that were applied just before
FIRST_ANSWER_WITHIN = 20  # s, until the nodes know the new pod
ANSWER_WITHIN = 10  # s for one answer
READ = 64 << 10  # bytes of an answer that are looked at
AT_A_TIME = 4  # bodies
UNANSWERED = 2  # after so many the rest of a table is left out
SAME = 1e-6
RATE, ROWS_EACH = 50, 40
LOAD_WITHIN = 5  # s; who is not answered by then counts as never answered
DURATION, SHORT = 10, 4  # s; the short one where another check is in question
TRIES, AT_MOST = 3, 5  # those that tell something, and all
TIMES, GRANTED = 3, 0.030  # the limit: so many times the reference's p99, or so many seconds if that is more
HOPELESS = 10  # times the reference's median: that is a queue
BUSY = 0.5  # s; of a reference slower than that no failure is concluded
STARTED_WITHIN = 90  # s, for the copy without a model, as for the pod itself
STAYS_SO = 6  # s after its first answer, or as many as it took to that
COPY = "checker-copy-without-model"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # as Flask's log has them
DOMAINS = ("ckad/design-and-build",)


@check(points=1, domains=("ckad/deployment", "ckad/services-and-networking"))
async def is_up(lab: Lab) -> None:
    """Your program runs in Deployment `model`; through Service `model`, GET /healthz and GET /readyz answer 200.

    The checker waits up to 90 s until the newest pod is ready. It must run the image workbench:1, or tensorflow:1,
    which has more packages: the server is yours.
    """
    deployment = lab.objects.deployment("model")
    if await deployment.now() is None:
        expect(Observation(False, "a Deployment named model", "there is none in this namespace")).because(
            "kubectl apply -k . makes the ConfigMap of app.py, the Deployment that runs it, and the Service"
        )
    up = await deployment.rolled_out(within=ROLLED_OUT_WITHIN)
    expect(up if up.ok else replace(up, evidence=(*up.evidence, *await last_lines(lab)))).because(
        "the pod is ready once GET /readyz answers 200 on port 8080 of the pod's own address. kubectl logs "
        "deployment/model shows why a program ended, and each probe that came (404: there is no such path). If no "
        "probe comes, see what the server listens on: 127.0.0.1 is reached from within the pod alone, and the kubelet "
        "and the Service are outside; 0.0.0.0 is every address"
    )
    wanted = {f"{lab.platform.registry}/{image}" for image in IMAGES}
    images = [[each["image"] for each in pod["spec"]["containers"]] for pod in await lab.objects.pods_of("model")]
    seen = ", ".join(sorted({name for each in images for name in each})) or "no pods"
    own = bool(images) and all(wanted & set(each) for each in images)
    expect(Observation(own, f"pods behind Service model that run {' or '.join(sorted(wanted))}", seen)).because(
        "the Service must select the pods of your Deployment, and no others: kubectl get service model -o wide, "
        "kubectl get pods --show-labels"
    )
    for path in ("/healthz", "/readyz"):
        answer = await lab.traffic.first_answer(
            lambda path=path: lab.traffic.get("model", path, within=ANSWER_WITHIN),
            lambda answer: answer.status > 0,
            within=FIRST_ANSWER_WITHIN,
        )
        expect(observe(f"status of GET {path}", answer.status, equal_to(200), evidence=[answer.shown])).because(
            "/healthz says that the process lives, /readyz that it can answer. Status 0 is no answer: does the port of "
            "the Service lead to the one that the server listens on?"
        )


@check(points=3, needs=is_up, domains=DOMAINS)
async def answers_right(lab: Lab) -> None:
    """POST /predict gives the model's own probabilities for flights that you don't see, in the order of the rows.

    60 flights in one body, the same in another order, and one alone. Each value must be v1's own within 1e-6, and
    `model_version` must be v1.
    """
    flights = lab.traffic.hidden_rows(60)
    rows, own = list(flights.rows), flights.probabilities("v1")
    mixed = sorted(range(len(rows)), key=lambda number: (number * 7) % len(rows))
    for what, picked in (("60 flights", range(len(rows))), ("60 in another order", mixed), ("1 flight", [7])):
        body = {"rows": [rows[number] for number in picked]}
        answer = await lab.traffic.first_answer(
            lambda body=body: lab.traffic.post("model", "/predict", body, within=ANSWER_WITHIN),
            lambda answer: not answer.refused,
            within=FIRST_ANSWER_WITHIN,
        )
        expect(observe(f"status of POST /predict with {what}", answer.status, equal_to(200),
                       evidence=[answer.shown])).because(why_no_answer(answer))  # fmt: skip
        values = [own[number] for number in picked]
        right = same_values(answer, values, what)
        others = [flights.probabilities("v2")[number] for number in picked]
        expect(right).because("" if right.ok else why_other_values(right.value, values, others))


@check(points=2, needs=answers_right, domains=DOMAINS)
async def answers_the_unusual(lab: Lab) -> None:
    """What is strange but allowed is answered: unknown carriers, weather that is missing, the ends of each range.

    The values must be those of Service `reference`, which has the same model, within 1e-6.
    """
    await lab.once(reference_is_up)
    await lab.once(reference_answers_itself)
    bodies = unusual(*two_rows(lab))
    reference, answers = await asyncio.gather(
        ask(lab, "reference", list(bodies.values())), ask(lab, "model", list(bodies.values()))
    )
    wrong = []
    for what, known, answer in zip(bodies, reference, answers, strict=True):
        values = numbers(known.fields_if_any.get("probabilities")) if known else None
        if known is None or known.status != 200 or values is None:
            raise LabError("the Service reference does not answer as it should", f"begin again: lab reset {lab.number}")
        if answer is None:
            continue
        if answer.status != 200:
            wrong.append(f"{what}: {answer.shown}")
        elif not (right := same_values(answer, values, what)).ok:
            wrong.append(f"{what}: {right.seen}")
    expect(
        Observation(
            not wrong,
            f"{len(bodies)} unusual bodies answered with 200 and the model's values",
            f"{len(wrong)} were not: {wrong[0][:120]}" if wrong else f"all {len(bodies)} were",
            evidence=tuple(wrong[:8]),
        )
    ).because(
        "the README's table says what is allowed, and what is allowed must be answered. The model knows what to do "
        "with a code that it has never seen, and with weather that is null or left out: a list of known carriers, or "
        "weather that must be there, turns flights away that it could judge; and nothing has to be filled in for it"
    )


@check(points=3, needs=answers_right, domains=DOMAINS)
async def refuses_bad_input(lab: Lab) -> None:
    """Bodies that break the contract get the status 422: about forty, each with one thing wrong.

    Fields that are missing, unknown or misspelt, of a wrong type or out of range, in the first row or the second; no
    rows, too many rows, no JSON.
    """
    refusals = await lab.once(refused)
    wrong = [each for each in refusals if each.answer.status != 422]
    unasked = len(bad_bodies(*two_rows(lab))) - len(refusals)
    left_out = f"; {unasked} more were not sent, as no answer came" if unasked else ""
    statuses = Counter(each.answer.status or "no answer" for each in wrong)
    counted = ", ".join(f"{number} x {status}" for status, number in statuses.most_common())
    expect(
        Observation(
            not wrong,
            "status 422 for each bad body",
            f"{len(wrong)} of {len(refusals)} had another: {counted}{left_out}" if wrong else f"{len(refusals)} x 422",
            evidence=tuple(f"{each.bad.what}: {each.answer.shown}" for each in wrong[:8]),
        )
    ).because(why_not_refused(wrong))


@check(points=2, needs=refuses_bad_input, domains=DOMAINS)
async def says_what_is_wrong(lab: Lab) -> None:
    """The 422's body names the field: whoever sent a misspelt `visib` reads that name in the answer.

    What the answer repeats of the request, as a `row` or `input`, does not count.
    """
    asked = [each for each in await lab.once(refused) if each.bad.names]
    silent = [each for each in asked if not names_it(each)]
    expect(
        Observation(
            not silent,
            "each refusal names the field",
            f"{len(silent)} of {len(asked)} do not" if silent else f"all {len(asked)} do",
            evidence=tuple(f"{each.bad.what}: {each.answer.shown}" for each in silent[:8]),
        )
    ).because(
        "who gets a 422 has to find the mistake in a body of a thousand rows, perhaps months later in a log. FastAPI's "
        "own answer has it in `loc`, such as [body, rows, 1, month], and pydantic's ValidationError in .errors(): hand "
        "that on. Whoever checks by hand knows the field when the test fails"
    )


@check(points=1, needs=refuses_bad_input, domains=DOMAINS)
async def refuses_what_is_no_number(lab: Lab) -> None:
    """NaN, Infinity and 1e999 get a 422 too, in a field that must be there and in the weather."""
    bodies = no_numbers(two_rows(lab)[1])
    answers = await ask(lab, "model", list(bodies.values()))
    wrong = [f"{what}: {answer.shown}" for what, answer in zip(bodies, answers, strict=True)
             if answer and answer.status != 422]  # fmt: skip
    expect(
        Observation(
            not wrong,
            "status 422 for each value that is no number",
            f"{len(wrong)} of {len(bodies)} had another" if wrong else f"{len(bodies)} x 422",
            evidence=tuple(wrong),
        )
    ).because(
        "Python's json reads NaN and Infinity, which JSON does not have, and reads 1e999 as infinity. "
        + (
            "Here one was refused, and then the refusal could not be written: FastAPI's own answer repeats the input, "
            "and a NaN in it is no JSON (kubectl logs deployment/model shows that). A handler of your own for "
            "RequestValidationError can leave the input out"
            if any(answer and answer.status >= 500 for answer in answers)
            else "NaN is neither below a limit nor above it, so it passes comparisons. pydantic refuses all three with "
            "allow_inf_nan=False; by hand: math.isfinite, and parse_constant of json.loads"
        )
    )


@check(points=2, needs=is_up, domains=("ckad/observability-and-maintenance",))
async def ready_only_with_a_model(lab: Lab) -> None:
    """A copy of your pod whose model file is broken never says that it is ready.

    The checker starts that copy beside yours, with /model/v1/model.joblib overlaid. Its GET /readyz must not answer 200
    (or it must predict right all the same); that the program ends is fine as well. The copy is deleted afterwards.
    """
    expect(await without_model(lab)).because(
        "Kubernetes believes /readyz: with a 200 the pod gets requests, and in an update the old pods go for it. "
        "Model(...) makes an object at once, start_loading() returns at once, and after join() loading is over, well "
        "or not. Only model.reason tells: it says why there is no model, and is empty once there is one. (BentoML has "
        "a /readyz of its own, which asks the service's method __is_ready__ if there is one.)"
    )


@check(points=3, needs=answers_right, owns="model", domains=("ckad/observability-and-maintenance",))
async def keeps_up(lab: Lab) -> None:
    """At 50 requests a second, 99 of 100 are answered in at most 3 times what Service `reference` takes, or 30 ms.

    Both get the same load in the same 10 s: 40 flights a request, each over a connection of its own. A request that
    fails counts as never answered. If it is too slow, the checker measures again, three times in all; the best counts.
    Where the reference itself is so slow that the machine must be to blame, only a pass counts.
    """
    await lab.once(reference_is_up)
    await lab.once(reference_answers_itself)
    reference = await lab.objects.deployment("reference").now()
    changes = reference["metadata"]["generation"] - 1 if reference else 0
    expect(observe("changes to Deployment reference since the lab began", changes, equal_to(0))).because(as_it_was(lab))
    seconds = DURATION if lab.thorough(keeps_up) else SHORT
    theirs, own = await asyncio.gather(costs(lab, "reference"), costs(lab, "model"))
    tries: list[Try] = []
    while len(tries) < AT_MOST and sum(each.sound for each in tries) < TRIES:
        if tries:
            await lab.time.pause(2)
        tries.append(await compared(lab, seconds))
        if tries[-1].ok or sum(each.hopeless and each.sound for each in tries) == 2:
            break
    told = [each for each in tries if each.ok or each.sound]
    if not told:
        raise LabError(
            f"the reference itself needed {milliseconds(tries[-1].reference)} at {RATE} requests a second: nothing can "
            "be compared with that",
            "the machine is too busy to measure; close what else runs on it and check again",
        )
    best = min(told, key=lambda each: each.mine / each.limit)
    seen = Observation(
        best.ok,
        f"p99 at {RATE} requests a second: at most {milliseconds(best.limit)} ({TIMES} times the reference's "
        f"{milliseconds(best.reference)}, or {milliseconds(GRANTED)})",
        f"{milliseconds(best.mine)}, the reference {milliseconds(best.reference)}",
        what="p99",
        evidence=(*best.failures, f"one at a time, the reference: {theirs}", f"one at a time, yours: {own}"),
    )
    expect(seen).because(
        f"{RATE} requests a second leave {1000 / RATE:.0f} ms for each; what takes longer makes a queue, where clients "
        f"wait. {why_slow(own, theirs)}"
    )


# What is sent.


class Bad(NamedTuple):
    """A body with one thing wrong.

    Attributes:
        kind: `missing`, `unknown`, `type`, `range`, `rows` or `json`.
        names: the field that the refusal must name; empty where there is none.
        row: the flight of two that has it; 0 if the body as a whole is wrong.
    """

    kind: str
    what: str
    body: Any
    names: str = ""
    row: int = 0


@dataclass(frozen=True)
class Refusal:
    """A bad body, and what came back."""

    bad: Bad
    answer: Any


def two_rows(lab: Lab) -> tuple[Object, Object]:
    """Two good rows."""
    first, second = (dict(row) for row in lab.traffic.hidden_rows(2).rows)
    return first, second


def bad_bodies(first: Object, second: Object) -> list[Bad]:
    """Every body has one thing wrong; by turns it is in the first row and in the second, the other one is good."""
    found: list[Bad] = []

    def add(kind: str, what: str, names: str, row: Object) -> None:
        place = 2 if len(found) % 3 else 1
        rows = [first, row] if place == 2 else [row, second]
        found.append(Bad(kind, f"{what}, in row {place} of 2", {"rows": rows}, names, place))

    for name in ("month", "day", "weekday", "hour", "carrier", "origin", "dest", "distance"):
        add("missing", f"{name} missing", name, {key: value for key, value in second.items() if key != name})
    misspelt = {key: value for key, value in second.items() if key != "visib"}
    add("unknown", "visibility instead of visib", "visibility", misspelt | {"visibility": 10.0})
    add("unknown", "a field airline more", "airline", second | {"airline": "UA"})
    for name, value in (
        ("month", "July"), ("hour", 7.5), ("weekday", None), ("day", [4]), ("carrier", 7), ("dest", None),
        ("distance", "far"), ("temp", "warm"), ("wind_speed", {"mph": 9}),
    ):  # fmt: skip
        add("type", f"{name} {json.dumps(value)}", name, second | {name: value})
    for name, value in (
        ("month", 0), ("month", 13), ("day", 32), ("weekday", 7), ("hour", -1), ("hour", 24), ("distance", 0),
        ("distance", -719), ("distance", 20001), ("carrier", "U"), ("origin", "ewr"), ("dest", "CHICAGO"),
    ):  # fmt: skip
        add("range", f"{name} {json.dumps(value)}", name, second | {name: value})
    short = {key: value for key, value in second.items() if key not in ("temp", "wind_speed", "precip", "visib")}
    found += [
        Bad("unknown", "a field model_version beside rows", {"rows": [first], "model_version": "v1"}, "model_version"),
        Bad("rows", "no rows: []", {"rows": []}, "rows"),
        Bad("rows", "no field rows: {}", {}, "rows"),
        Bad("rows", "rows null", {"rows": None}, "rows"),
        Bad("rows", "one flight, not in a list", {"rows": first}, "rows"),
        Bad("rows", "1001 rows", {"rows": [short] * 1001}, "rows"),
        Bad("rows", "a second row that is 5", {"rows": [first, 5]}, row=2),
        Bad("rows", "a list instead of an object", [first]),
        Bad("json", "JSON that is cut off", json.dumps({"rows": [first]})[:-9]),
        Bad("json", "text that is no JSON", "month=7&hour=17"),
    ]
    return found


def unusual(first: Object, second: Object) -> dict[str, Object]:
    """Bodies that are allowed, by what is unusual about them."""
    weather = ("temp", "wind_speed", "precip", "visib")
    bare = {key: value for key, value in second.items() if key not in weather}
    least = {"month": 1, "day": 1, "weekday": 0, "hour": 0, "distance": 0.5}
    most = {"month": 12, "day": 31, "weekday": 6, "hour": 23, "distance": 20000}
    return {
        "carrier ZZ, which the model has never seen": {"rows": [first, second | {"carrier": "ZZ"}]},
        "dest QQQ, which the model has never seen": {"rows": [second | {"dest": "QQQ"}, first]},
        "carrier with a digit, 9E": {"rows": [second | {"carrier": "9E"}]},
        "weather left out": {"rows": [bare, first]},
        "weather null": {"rows": [second | dict.fromkeys(weather)]},
        "frost, and no wind": {"rows": [second | {"temp": -4, "wind_speed": 0}]},
        "the least of each range": {"rows": [second | least]},
        "the most of each range": {"rows": [second | most]},
        "1000 rows": {"rows": [bare | {"hour": number % 24, "month": number % 12 + 1} for number in range(1000)]},
    }


def no_numbers(row: Object) -> dict[str, str]:
    """Bodies, as text, with values that Python's json takes for numbers."""
    return {
        f"{name} {text}": json.dumps({"rows": [row | {name: "HERE"}]}).replace('"HERE"', text)
        for name, text in (("distance", "NaN"), ("temp", "NaN"), ("visib", "Infinity"), ("distance", "1e999"),
                           ("temp", "-1e999"))
    }  # fmt: skip


async def ask(lab: Lab, service: str, bodies: Sequence[Any]) -> list[Any]:
    """The answers to POST /predict; None for what was left out, since two before it had no answer at all."""
    turn, unanswered = asyncio.Semaphore(AT_A_TIME), 0

    async def one(body: Any) -> Any:
        nonlocal unanswered
        async with turn:
            if unanswered >= UNANSWERED:
                return None
            answer = await lab.traffic.post(service, "/predict", body, within=ANSWER_WITHIN)
            unanswered += answer.status == 0
            return answer

    return await asyncio.gather(*(one(body) for body in bodies))


async def refused(lab: Lab) -> list[Refusal]:
    """What came back for the bad bodies; without those that were not sent."""
    bodies = bad_bodies(*two_rows(lab))
    answers = await ask(lab, "model", [bad.body for bad in bodies])
    return [Refusal(bad, answer) for bad, answer in zip(bodies, answers, strict=True) if answer is not None]


async def reference_is_up(lab: Lab) -> None:
    """Wait until the company's server, which began when the lab did, is ready; LabError if it does not come up."""
    seen = await lab.objects.deployment("reference").rolled_out(within=ROLLED_OUT_WITHIN)
    if not seen.ok:
        raise LabError(
            f"Deployment reference: {seen.seen}", f"it came with the lab; begin again: lab reset {lab.number}"
        )


def as_it_was(lab: Lab) -> str:
    back = f"lab reset {lab.number} brings it back, and keeps your files"
    return f"what yours is compared with must stay as it was. {back}"


async def reference_answers_itself(lab: Lab) -> None:
    """The pods behind Service `reference` are those of the company's server.

    Raises:
        Failure: it leads to others as well, or to none.
    """
    images = [each["image"] for pod in await lab.objects.pods_of("reference") for each in pod["spec"]["containers"]]
    seen = ", ".join(sorted(set(images))) or "none"
    own = set(images) == {lab.platform.image("v1")}
    expect(Observation(own, f"containers behind Service reference: {lab.platform.image('v1')} only", seen)).because(
        f"{as_it_was(lab)}. If pods of yours have its label app=reference, give them another one"
    )


# What comes back.


def same_values(answer: Any, wanted: Sequence[float], what: str) -> Observation:
    """Whether an answer is what the contract says, with these probabilities; its value is what it gives, or None."""
    said = answer.fields_if_any
    version, given = said.get("model_version"), numbers(said.get("probabilities"))
    expected = f"for {what}: model_version v1, and the model's own probabilities within 1e-6"
    if given is None:
        keys = ", ".join(map(str, said)) if said else ""
        seen = (
            f"an object with {keys[:80]}; no list of numbers in probabilities"
            if said
            else f"no JSON object: {answer.shown}"
        )
        if len(answer.body) >= READ:
            seen = f"an answer of {READ >> 10} KiB or more, of which the beginning is {answer.shown}"
        return Observation(False, expected, seen)
    apart = difference(given, wanted)
    if apart is None:
        return Observation(False, expected, f"{len(given)} probabilities for {len(wanted)} rows", given)
    if math.isinf(apart):
        return Observation(False, expected, "NaN or infinity among the probabilities", given)
    if apart > SAME:
        return Observation(False, expected, f"up to {apart:.2g} away from the model's own", given)
    return Observation(version == "v1", expected, f"model_version {str(version)[:40]}, the right values", given)


def why_no_answer(answer: Any) -> str:
    """The likely reason for another status than 200 for a good body."""
    if answer.status == 0:
        return (
            f"an answer must be over {ANSWER_WITHIN} s after the request. kubectl logs deployment/model shows whether "
            "it arrived: a handler that waits for something, or an answer that is written and written, never ends"
        )
    if 300 <= answer.status < 400:
        return "a redirect is no answer: the path is /predict, and a route named /predict/ is another one"
    if answer.status in (404, 405):
        return "there must be a route for POST /predict"
    if answer.status == 422:
        return "the body is right by the README's table, and was refused; the evidence says why"
    return "kubectl logs deployment/model shows the exception behind a 500"


def why_other_values(given: Sequence[float] | None, wanted: Sequence[float], others: Sequence[float]) -> str:
    """The likely reason for other values than the model's own."""

    if given is None:
        return (
            'the contract is {"model_version": "v1", "probabilities": [0.31, ...]}, one number for each row, and then '
            "the end. Ask it yourself: kubectl port-forward service/model 8080:80, then curl"
        )
    if near(given, wanted):
        return "the version stands in the model's metadata, and Model has it as .version"
    if len(given) != len(wanted):
        return "one probability for each row: model.probabilities takes all rows of the body and answers for all"
    if set(given) <= {0.0, 1.0}:
        return (
            "these are classes, late or not. Whoever asks wants to decide where to draw the line: give the probability"
        )
    if near([1 - one for one in given], wanted):
        return "these are the probabilities of being on time: of predict_proba's two columns the second one is late"
    if len(set(wanted)) > 1 and len(set(given)) == 1:
        return "all rows got the same value: each row must be asked about, not one of them again and again"
    if near(sorted(given), sorted(wanted)):
        return "the values are right and in another order: clients go by the place in the list"
    if near(given, others):
        return "these are the values of v2: the task is the model in /model/v1"
    if near(given, wanted, 0.051):
        return "the values are rounded. Leave that to those who show them: near a threshold it changes decisions"
    return "they are not what model.probabilities gives for these rows: is something in them changed on the way to it?"


def near(some: Sequence[float], others: Sequence[float], apart: float = SAME) -> bool:
    """Are they as many, and each as good as the same?"""
    return len(some) == len(others) and all(abs(one - other) <= apart for one, other in zip(some, others, strict=True))


def why_not_refused(wrong: Sequence[Refusal]) -> str:
    """What is behind bad bodies that were not refused with 422, the most likely first."""
    if len(wrong) > 5 and all(each.bad.row == 2 for each in wrong):
        return "what is wrong in the first flight is refused, and in the second it is not: look at every row"
    reasons = []
    statuses = {each.answer.status for each in wrong}
    taken = {each.bad.kind for each in wrong if each.answer.status == 200}
    if 0 in statuses:
        reasons.append("a refusal must come at once: the evidence says for what no answer came")
    if any(500 <= status < 600 for status in statuses):
        reasons.append(
            "5xx says that the server is at fault, so clients try again and somebody is woken up. An exception on the "
            "way (kubectl logs deployment/model) means that the body was used before it was looked at"
        )
    if statuses & {400, 415}:
        reasons.append(
            "400 is what Flask, BentoML and others say on their own. The contract says 422 for whatever is wrong with "
            "a body, so that clients have one case to handle"
        )
    if "unknown" in taken:
        reasons.append(
            "fields that nobody knows were ignored. pydantic does so unless extra='forbid', which each model needs for "
            "itself, the outer one too. A misspelt `visib` counts as missing weather then, and nobody notices"
        )
    if "range" in taken:
        reasons.append("values out of range were taken: the model gives a number for the 13th month, too")
    if taken & {"missing", "type"}:
        reasons.append(
            "a field that is missing or of a wrong type was taken. The model is no judge of that: it takes its default "
            "for what is missing, so whoever leaves out the month gets a probability all the same"
        )
    if taken & {"rows", "json"}:
        reasons.append("`rows` is a list of 1 to 1000 objects, and the body an object with nothing else")
    return "; ".join(reasons) or "the contract says 422 for each of them; see the evidence"


def names_it(refusal: Refusal) -> bool:
    """Does the answer name the field, apart from what it repeats of the request?"""
    sent = refusal.bad.body
    rows = sent.get("rows") if isinstance(sent, dict) else None
    own = [each for each in (sent, *(rows if isinstance(rows, list) else [rows])) if each]

    def said(value: Any) -> list[str]:
        if value in own:
            return []
        if isinstance(value, dict):
            return [text for key, each in value.items() for text in (str(key), *said(each))]
        if isinstance(value, list):
            return [text for each in value for text in said(each)]
        return [str(value)]

    try:
        words = " ".join(said(json.loads(refusal.answer.body)))
    except (ValueError, RecursionError):
        words = refusal.answer.text
    for each in own:  # as it was sent, and as Python prints it
        words = words.replace(json.dumps(each), "").replace(str(each), "")
    return re.search(rf"(?<![a-z_]){re.escape(refusal.bad.names)}(?![a-z_])", words) is not None


# The copy without a model.


async def without_model(lab: Lab) -> Observation:
    """Start the copy, and see whether it says that it is ready although it cannot predict."""
    flight = lab.traffic.hidden_rows(1)
    expected = "a pod whose model file is broken does not answer 200 on GET /readyz"
    began, first, last = time.monotonic(), 0.0, "it never answered"
    async with copy_of_pod(lab):
        while time.monotonic() - began < STARTED_WITHIN:
            pod = await lab.objects.named("Pod", COPY).now()
            phase = (pod or {"status": {}})["status"].get("phase", "gone")
            if phase in ("Failed", "Succeeded"):
                return Observation(True, expected, "the program ended")
            answer = await lab.traffic.get(COPY, "/readyz", within=ANSWER_WITHIN)
            if answer.status == 200:
                predicted = await lab.traffic.post(COPY, "/predict", flight.body, within=ANSWER_WITHIN)
                if predicted.status == 200 and same_values(predicted, flight.probabilities("v1"), "1 flight").ok:
                    return Observation(True, expected, "it predicts right without that file")
                lines = (f"GET /readyz: {answer.shown}", f"POST /predict: {predicted.shown}")
                return Observation(False, expected, "status 200, and it cannot predict", evidence=lines)
            if answer.status:
                last = f"status {answer.status}"
                first = first or time.monotonic()
                # The model was being loaded while the server started, and takes no longer than that.
                if time.monotonic() - first > max(STAYS_SO, first - began):
                    break
            await lab.time.pause(0.5)
        if phase not in ("Running", "Failed", "Succeeded"):
            raise LabError(
                f"the checker's copy of the pod is {phase} after {STARTED_WITHIN} s",
                "see how the nodes are: lab status",
            )
    return Observation(True, expected, last)


@contextlib.asynccontextmanager
async def copy_of_pod(lab: Lab) -> AsyncIterator[None]:
    """A pod like the learner's with a model file that cannot be read, and a Service for it, while the block runs."""
    pods, service = await lab.objects.pods_of("model"), await lab.objects.named("Service", "model").now()
    if not pods or service is None:
        raise LabError("the pods behind Service model went away during the check", "wait until they are ready again")
    made = copied(pods[0], service)
    if await lab.objects.named("Pod", COPY).now():  # of a run that was cut off
        await lab.objects.delete("Pod", COPY, grace=1)
        await lab.objects.named("Pod", COPY).until(lambda pod: pod is None, expected="gone", shown=str, within=30)
    try:
        await lab.objects.apply(made)
        yield
    finally:
        for item in made:
            await lab.objects.delete(item["kind"], COPY, grace=1)


def copied(pod: Object, service: Object) -> list[Object]:
    """The copy's ConfigMap, Pod and Service; the Service takes it whether it is ready or not."""
    meta = {"name": COPY, "labels": {"mlops-lab/checker": "copy"}}
    spec = copy.deepcopy(pod["spec"])
    token = {each["name"] for each in spec.get("volumes") or [] if each["name"].startswith("kube-api-access-")}
    for name in (
        "nodeName",
        "hostname",
        "subdomain",
        "serviceAccount",
        "priority",
        "tolerations",
        "ephemeralContainers",
    ):
        spec.pop(name, None)
    spec["restartPolicy"] = "Never"
    spec["volumes"] = [each for each in spec.get("volumes") or [] if each["name"] not in token]
    spec["volumes"].append({"name": COPY, "configMap": {"name": COPY}})
    for container in [*spec["containers"], *(spec.get("initContainers") or [])]:
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            container.pop(probe, None)
        mounts = [each for each in container.get("volumeMounts") or [] if each["name"] not in token]
        broken = {"name": COPY, "mountPath": "/model/v1/model.joblib", "subPath": "model.joblib", "readOnly": True}
        container["volumeMounts"] = [*mounts, broken]
    target = next(each.get("targetPort", each["port"]) for each in service["spec"]["ports"] if each["port"] == 80)
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"model.joblib": "cut short on its way\n"}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {
                "selector": meta["labels"],
                "publishNotReadyAddresses": True,
                "ports": [{"port": 80, "targetPort": target}],
            },
        },
    ]


async def last_lines(lab: Lab) -> list[str]:
    """What the newest pod of the Deployment wrote last."""
    pods = sorted(await lab.objects.pods_of("model"), key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
    if not pods:
        return []
    try:
        text = await lab.objects.logs(pods[-1]["metadata"]["name"], tail=4)
    except LabError:  # it has not written anything yet
        return []
    return [f"its log: {COLOURS.sub('', line).strip()[:160]}" for line in text.splitlines()]


# Latency.


@dataclass(frozen=True)
class Try:
    """Both under the same load, in seconds.

    Attributes:
        mine, reference: the 99th percentile of each.
        median, usual: what half of the requests kept, of the learner's and of the reference's.
        failures: what became of the learner's requests that were not answered with 200.
    """

    mine: float
    reference: float
    median: float
    usual: float
    failures: tuple[str, ...]

    @property
    def limit(self) -> float:
        """What is granted, in seconds."""
        return max(TIMES * self.reference, GRANTED)

    @property
    def ok(self) -> bool:
        """Was it fast enough? Where the machine stalls, it stalls for both; but somebody must have been served."""
        return self.mine <= self.limit < math.inf

    @property
    def hopeless(self) -> bool:
        """Most requests wait in a queue, and the reference has none: no stall of the machine does that."""
        return self.median > max(HOPELESS * self.usual, 1.0)

    @property
    def sound(self) -> bool:
        """Would a failure be the server's? Not where the reference is as slow as a machine without a free moment is."""
        return self.reference <= BUSY or (self.hopeless and self.usual <= BUSY)


async def compared(lab: Lab, seconds: float) -> Try:
    """Put both under the same load at the same time, so that the machine's own stalls meet both."""
    body = lab.traffic.hidden_rows(ROWS_EACH).body
    settings: Object = {
        "rate": RATE, "duration": seconds, "body": body, "answer_within": LOAD_WITHIN, "late_at_most": LOAD_WITHIN,
    }  # fmt: skip
    async with lab.traffic.load("reference", **settings) as other, lab.traffic.load("model", **settings) as load:
        await asyncio.gather(other.finished(), load.finished())
    mine, reference = load.report, other.report
    counts = Counter(str(each.status or each.error) for each in mine.requests if each.status != 200)
    failures = tuple(f"{number} requests: {what}" for what, number in counts.most_common(3))
    return Try(took(mine, 0.99), took(reference, 0.99), took(mine, 0.5), took(reference, 0.5), failures)


def took(report: Any, share: float) -> float:
    """What this share of the requests kept; one that failed was never answered."""
    all_of_them = sorted(each.latency if each.status == 200 else math.inf for each in report.requests)
    return all_of_them[math.ceil(share * len(all_of_them)) - 1] if all_of_them else math.inf


@dataclass(frozen=True)
class Costs:
    """What a request takes when nothing else is asked, in seconds: for one flight, and for as many as the load has."""

    one: float
    many: float

    def __str__(self) -> str:
        return f"1 flight {milliseconds(self.one)}, {ROWS_EACH} flights {milliseconds(self.many)}"


async def costs(lab: Lab, service: str) -> Costs:
    """The best of three each."""
    best = []
    for count in (1, ROWS_EACH):
        body = lab.traffic.hidden_rows(count).body
        answers = [await lab.traffic.post(service, "/predict", body, within=LOAD_WITHIN) for _ in range(3)]
        best.append(min((each.seconds for each in answers if each.status == 200), default=math.inf))
    return Costs(*best)


def why_slow(own: Costs, theirs: Costs) -> str:
    """Where the time goes, by what a request costs that nobody else is in the way of."""
    slack = 0.010
    if own.many > 2 * own.one and own.many - own.one > 3 * (theirs.many - theirs.one) + slack:
        return (
            "Yours takes longer with each flight, the reference does not (see the evidence): is the model asked once "
            f"for each row? One call for all {ROWS_EACH} costs about as much as a call for one"
        )
    if own.one > 3 * theirs.one + slack:
        return (
            f"With yours a single flight takes {milliseconds(own.one)}, though nobody else asks: what is done for each "
            "request that could be done once (is the model loaded again?), and what does it wait for? In an async def "
            "nothing may block: while it sleeps, or waits for a disk or another server, the event loop serves nobody"
        )
    return (
        "When nobody else asks, yours is as fast as the reference, so requests wait for one another: for a lock, for a "
        "worker that is busy with something else, or for the processor (limits.cpu in model.yaml?)"
    )


def milliseconds(seconds: float) -> str:
    """A latency in words."""
    return f"{seconds * 1000:.0f} ms" if seconds < math.inf else f"no good answer within {LOAD_WITHIN} s"
