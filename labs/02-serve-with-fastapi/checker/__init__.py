"""Lab 02: what comes back through Service `model` for good bodies, bad ones, and many at a time.

Right values are those that training wrote down, and for rows that are made up here those of Service `reference`, which
has the same model. It is also what the latency is compared with: under the same load, in the same seconds.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial

from mlops_lab.checks import Lab, LabError, Observation, check, equal_to, expect, observe
from mlops_lab.kit.debuggers import undebugged
from mlops_lab.kit.deployments import exists, old_pods_gone, owned_pods, rolled_out
from mlops_lab.kit.makers import answers_alone
from mlops_lab.kit.pods import every_container, leaving
from mlops_lab.kit.probabilities import answer_about, own_values
from mlops_lab.measure.traffic.flights import numbers

from .bodies import bad_bodies, drawn_unusual, no_numbers, two_rows
from .latency import COSTS_ASKED, DURATION, RATE, SHORT, best_of_tries, costs
from .scenario import (
    ANSWER_WITHIN,
    LOADS,
    ROLLED_OUT_WITHIN,
    STAYS_SO,
    ask,
    asked_by_others,
    asked_of_the_reference,
    no_other_servers,
    reference_answers_itself,
    reference_as_it_was,
    reference_is_up,
    refused,
    without_model,
)
from .why import HANDED_ON, silent, why_no_answer, why_not_refused, why_other_values, why_slow

IMAGES = ("workbench:1", "tensorflow:1", "pytorch:1")
FIRST_ANSWER_WITHIN = 20  # s, until the nodes know the new pod
GONE_WITHIN = 15  # s; a pod gets 10 to end
DOMAINS = ("ckad/design-and-build",)


@check(points=1, domains=("ckad/deployment", "ckad/services-and-networking"))
async def is_up(lab: Lab) -> None:
    """Your program runs in Deployment `model`; through Service `model`, GET /healthz and GET /readyz answer 200.

    The checker waits up to 90 s until the newest pod is ready. All its containers must run the image workbench:1, or
    tensorflow:1 or pytorch:1, which have more packages: the server is yours. Behind the Service stand the Deployment's
    pods alone, and nothing else makes pods with the labels that the Service selects.
    """
    await exists(
        lab, why="kubectl apply -k . makes the ConfigMap of app.py, the Deployment that runs it, and the Service"
    )
    expect(await rolled_out(lab, within=ROLLED_OUT_WITHIN)).because(
        "the pod is ready once GET /readyz answers 200 on port 8080 of the pod's own address. kubectl logs "
        "deployment/model shows why a program ended, and each probe that came (404: there is no such path). If no "
        "probe comes, see what the server listens on: 127.0.0.1 is reached from within the pod alone, and the kubelet "
        "and the Service are outside; 0.0.0.0 is every address"
    )
    await old_pods_gone(lab, within=GONE_WITHIN)  # until then the program before may answer
    wanted = {f"{lab.platform.registry}/{image}" for image in IMAGES}
    pods = [pod for pod in await owned_pods(lab) if not leaving(pod)]
    images = {each["image"] for pod in pods for each in every_container(undebugged(pod["spec"]))}
    seen = ", ".join(sorted(images)) or "no pods"
    own = bool(images) and images <= wanted
    expect(
        Observation(own, f"in the pods of Deployment model nothing but {' or '.join(sorted(wanted))}", seen)
    ).because(
        "the server is yours to write: in a container of another image, also one that starts before yours and stays "
        "beside it, somebody else's may answer. kubectl get deployment model -o yaml"
    )
    for path in ("/healthz", "/readyz"):
        answer = await lab.traffic.first_answer(
            partial(lab.traffic.get, "model", path, within=ANSWER_WITHIN),
            lambda answer: answer.status > 0,
            within=FIRST_ANSWER_WITHIN,
        )
        expect(observe(f"status of GET {path}", answer.status, equal_to(200), evidence=[answer.shown])).because(
            "/healthz says that the process lives, /readyz that it can answer. Status 0 is no answer: does the port of "
            "the Service lead to the one that the server listens on?"
        )
    await answers_alone(lab)  # once somebody answers, as others' pods may be ready later
    expect(await no_other_servers(lab)).because(
        "the company's server is there to be compared with, and nowhere else: what answers is to be your own program, "
        "with the model in /model/v1"
    )


@check(points=3, needs=is_up, domains=DOMAINS)
async def answers_right(lab: Lab) -> None:
    """POST /predict gives the model's own probabilities for flights that you don't see, in the order of the rows.

    60 flights in one body, the same in another order, and one alone. Each value must be v1's own within 1e-6, and
    `model_version` must be v1. Service `reference` must not be asked for them.
    """
    await lab.once(reference_is_up)
    await lab.once(reference_answers_itself)
    before = await asked_of_the_reference(lab)
    flights = lab.traffic.hidden_rows(60)
    rows, own = list(flights.rows), flights.probabilities("v1")
    mixed = sorted(range(len(rows)), key=lambda number: (number * 7) % len(rows))
    for what, picked in (("60 flights", range(len(rows))), ("60 in another order", mixed), ("1 flight", [7])):
        answer = await answer_about(lab, [rows[number] for number in picked], within=FIRST_ANSWER_WITHIN)
        expect(observe(f"status of POST /predict with {what}", answer.status, equal_to(200),
                       evidence=[answer.shown])).because(why_no_answer(answer))  # fmt: skip
        values = [own[number] for number in picked]
        right = own_values(answer, values, what)
        others = [flights.probabilities("v2")[number] for number in picked]
        expect(right).because("" if right.ok else why_other_values(right.value, values, others))
    expect(await asked_by_others(lab, before, 0)).because(HANDED_ON)


@check(points=2, needs=answers_right, domains=DOMAINS)
async def answers_the_unusual(lab: Lab) -> None:
    """What is strange but allowed is answered: unknown carriers, weather that is missing, the ends of each range.

    Also a thousand rows with white space, and flights that are alike but for one thing. The values must be those of
    Service `reference`, which has the same model, within 1e-6; your server must not ask it for them.
    """
    await lab.once(reference_is_up)
    await lab.once(reference_answers_itself)
    bodies, before = drawn_unusual(lab), await asked_of_the_reference(lab)
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
        elif not (right := own_values(answer, values, what)).ok:
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
        "weather that must be there or has limits, turns flights away that it could judge; and nothing has to be "
        "filled in for it. "
        "Where a status is 413, something limits the size of a body; where values are others and the status is 200, "
        "look whether answers are kept by a key that leaves something of the flight out, or whether requests at the "
        "same time share something, such as a list of the module's or of an object's (then there may be more or fewer "
        "than rows)"
    )
    expect(await asked_by_others(lab, before, len(bodies))).because(HANDED_ON)


@check(points=3, needs=answers_right, domains=DOMAINS)
async def refuses_bad_input(lab: Lab) -> None:
    """Bodies that break the contract get the status 422: more than a hundred, each with one thing wrong.

    Fields that are missing, unknown or misspelt, of a wrong type or out of range, in the first row, the second, or one
    in the midst of many; a number as text or as a code, or true for one; no rows, too many rows, no object, no JSON, or
    what only looks so.
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

    What the answer repeats of the request, as a `row` or `input`, does not count; nor does a refusal of a value that
    names more than three other fields, nor one that says the same whichever of two fields is missing or wrong.
    """
    refusals = [each for each in await lab.once(refused) if each.bad.names]
    vague = silent(refusals)
    expect(
        Observation(
            not vague,
            "each refusal names the field, and has other words where another field is wrong",
            f"{len(vague)} of {len(refusals)} do not" if vague else f"all {len(refusals)} do",
            evidence=tuple(f"{each.bad.what}: {each.answer.shown}" for each in vague[:8]),
        )
    ).because(
        "who gets a 422 has to find the mistake in a body of a thousand rows, perhaps months later in a log. FastAPI's "
        "own answer has it in `loc`, such as [body, rows, 1, month], and pydantic's ValidationError in .errors(): hand "
        "that on. Whoever checks by hand knows the field when the test fails. A sentence that names several, and is "
        "the same whichever of them is wrong, leaves whoever reads it to guess"
    )


@check(points=1, needs=refuses_bad_input, domains=DOMAINS)
async def refuses_what_is_no_number(lab: Lab) -> None:
    """NaN, Infinity and 1e999 get a 422 too, and so do the same with a minus: in each field that is a number."""
    bodies = no_numbers(two_rows(lab)[1])
    answers = await ask(lab, "model", list(bodies.values()))
    wrong = [f"{what}: {answer.shown}" for what, answer in zip(bodies, answers, strict=True)
             if answer and answer.status != 422]  # fmt: skip
    expect(
        Observation(
            not wrong,
            "status 422 for each value that is no number",
            f"{len(wrong)} of {len(bodies)} had another" if wrong else f"{len(bodies)} x 422",
            evidence=tuple(wrong[:8]),
        )
    ).because(
        "Python's json reads NaN and Infinity, which JSON does not have, and reads 1e999 as infinity. "
        + (
            "Here one ended in an exception (kubectl logs deployment/model). Either it was refused, and then the "
            "refusal could not be written: FastAPI's own answer repeats the input, and a NaN in it is no JSON; a "
            "handler of your own for RequestValidationError can leave the input out. Or something was done with it "
            "before it was looked at: int() of infinity or NaN raises"
            if any(answer and answer.status >= 500 for answer in answers)
            else "NaN is neither below a limit nor above it, so it passes comparisons. pydantic refuses all three with "
            "allow_inf_nan=False; by hand: math.isfinite (which raises for an int that no float can hold), and "
            "parse_constant of json.loads"
        )
    )


@check(points=2, needs=is_up, domains=("ckad/observability-and-maintenance",))
async def ready_only_with_a_model(lab: Lab) -> None:
    """A copy of your pod whose model file is broken does not say that it is ready, nor that it does not live.

    The checker starts that copy beside yours, with a file over /model/v1/model.joblib that takes 8 s to load, and then
    turns out to be broken. Its GET /readyz must not answer 200, and its GET /healthz nothing else; that the program
    ends is fine as well. The checker looks for 40 s from the first answer, or as long as that took.
    """
    looks = (LOADS, STAYS_SO) if lab.thorough(ready_only_with_a_model) else (1, 6)
    expect(await without_model(lab, *looks)).because(
        "Kubernetes believes /readyz: with a 200 the pod gets requests, and in an update the old pods go for it. "
        "Model(...) makes an object at once, start_loading() returns at once, and after join() loading is over, well "
        "or not. Only model.reason tells: it says why there is no model, and is empty once there is one. /healthz is "
        "another question: where a liveness probe asks it, a pod is restarted that only waits for its model, and "
        "so it is where /healthz waits with it. Nor is a model there because some time has passed. (BentoML has a "
        "/readyz of its own, which asks the service's method __is_ready__ if there is one.)"
    )


@check(points=3, needs=answers_right, owns="model", domains=("ckad/observability-and-maintenance",))
async def keeps_up(lab: Lab) -> None:
    """At 50 requests a second, 99 of 100 are answered in at most 3 times what Service `reference` takes, or 30 ms.

    Both get the same load in the same 10 s: 40 flights a request, each over a connection of its own. A request that
    fails counts as never answered. Meanwhile answers must be right, and not asked of the reference; and flights that
    were never asked about may take no longer. If it is too slow, the checker measures again, three times in all; the
    best counts. Where the reference itself is so slow that the machine must be to blame, only a pass counts.
    """
    await lab.once(reference_is_up)
    await lab.once(reference_answers_itself)
    reference = await lab.objects.deployment("reference").now()
    changes = reference["metadata"]["generation"] - 1 if reference else 0
    expect(observe("changes to Deployment reference since the lab began", changes, equal_to(0))).because(
        reference_as_it_was(lab)
    )
    seconds, before = DURATION if lab.thorough(keeps_up) else SHORT, await asked_of_the_reference(lab)
    theirs, own = await asyncio.gather(costs(lab, "reference"), costs(lab, "model"))
    best = await best_of_tries(lab, seconds)
    expect(best.right()).because(
        "when nobody else asked, flights were answered right. Where many ask, nobody may get another's answer "
        "(what belongs to a request is not kept in a variable of the module), nor a guess instead of the model's"
    )
    expect(best.seen(f"one at a time, the reference: {theirs}", f"one at a time, yours: {own}")).because(
        f"{RATE} requests a second leave {1000 / RATE:.0f} ms for each; what takes longer makes a queue, where clients "
        f"wait. {why_slow(own, theirs)}"
    )
    expect(best.unseen(own, theirs)).because(
        "answers that are kept help who asks the same again. Each client has flights of its own, so it is the model's "
        "answer that must be quick: is it loaded for each request, or asked once for each row?"
    )
    expect(await asked_by_others(lab, before, 2 * COSTS_ASKED + best.asked)).because(HANDED_ON)
