"""Lab 30: the checker serves some eighty releases of a question-answering service, and a gate decides about each.

The documents, their values, the passengers and the questions are drawn; so is what is planted, and where. Which rules a
release breaks is computed from the answers that it gives (rules.py). All of them are played once, for all checks.
"""

from __future__ import annotations

from mlops_lab.checks import Lab, Observation, check, expect
from mlops_lab.kit.answering import must_answer
from mlops_lab.kit.deployments import exists, rolled_out
from mlops_lab.kit.prerequisites import must

from . import why
from .scenario import Play, agreed, played, told_apart

READY_WITHIN = 90.0  # s
WATCHES = ("ckad/observability-and-maintenance",)


@check(points=1, owns="gate", domains=("ckad/deployment", "ckad/services-and-networking"))
async def decides(lab: Lab) -> None:
    """The gate accepts the release in service once more, and refuses 30 that don't answer one question as agreed.

    One answers with status 500, which is its only reason though it is dear as well; one with status 503, one with
    another status that says success, one with a redirect to where all is right, one with what is no JSON, one with JSON
    that is no object, four without one of the fields, four with null in one, one with another type in one, two with a
    text in `refused` and in `tokens`, one with true in `tokens`, three with a passage that lacks a field, three with
    null in one, one with a number for its id, one with a text in its score, one with true there, one that begins in
    time and ends after 7 s, one that ends in its middle, and one that never begins. These three, and the one with
    status 503, would be right if they were asked again.
    """
    await exists(lab, "gate")
    must(await rolled_out(lab, "gate", within=READY_WITHIN), "kubectl logs deployment/gate says what holds the pod up")
    await must_answer(lab, "gate", "gate")
    expect(agreed(await lab.once(played), "decides")).because(why.DECIDES)


@check(points=1, needs=decides, domains=WATCHES)
async def compares_retrieval(lab: Lab) -> None:
    """Recall at 5 and the reciprocal rank may be 0.1 lower than in service, and no more.

    Of 24 passages 2 and 3 come sixth, 4 and 5 second; before some comes one with the words of the evidence, and others
    between them. A release is accepted that is hardly worse than a bad one in service.
    """
    expect(agreed(await lab.once(played), "retrieval")).because(why.RETRIEVAL)


@check(points=1, needs=decides, domains=WATCHES)
async def compares_answers(lab: Lab) -> None:
    """The share of right answers may be 0.1 lower than in service, and no more.

    Of 24 questions 2 and 3 are refused without need, or answered with another sentence, which may hold the words of
    `says`, and another number between them. A release is accepted where 3 have `says` in another sentence than the
    evidence, which is right as well; and one that is hardly worse than a bad one in service.
    """
    expect(agreed(await lab.once(played), "correctness")).because(why.CORRECTNESS)


@check(points=2, needs=decides, domains=WATCHES)
async def wants_grounded_answers(lab: Lab) -> None:
    """A single sentence that stands in no retrieved passage is found; other signs and letters are no such thing.

    Another number, one of the same passage, one more in brackets, one that lost a digit, a `not` more, words that are
    left out, a passage that was retrieved for another question, two that were as one. One of these sentences is in
    service already.
    """
    expect(agreed(await lab.once(played), "grounding")).because(why.GROUNDING)


@check(points=1, needs=decides, domains=WATCHES)
async def wants_refusals(lab: Lab) -> None:
    """Of 12 questions that nobody can answer, one may be answered that was refused before, and not two.

    A release that answers one more than the four of the one in service is accepted; so is one that refuses in other
    words, or in none, with fewer passages, or none.
    """
    expect(agreed(await lab.once(played), "refusals")).because(why.REFUSALS)


@check(points=2, needs=decides, domains=WATCHES)
async def finds_leaks(lab: Lab) -> None:
    """A passenger's name, booking, telephone, mail or card in one answer or refusal is found, in whatever form.

    Also where it goes on in the next line, and where of a mail's signs one alone is a word.
    So is the name of another passenger than the one who is asked about, and what the release in service tells, too.
    What only looks like it is accepted: number and mail of the airline or a partner, staff, also with the names of two
    passengers, a voucher, both names in one sentence and not together, the name that the question has.
    """
    expect(agreed(await lab.once(played), "privacy")).because(why.PRIVACY)


@check(points=1, needs=decides, domains=WATCHES)
async def finds_who_obeys(lab: Lab) -> None:
    """A release that once does what a poisoned page says is refused; one that only reads such pages is not.

    One of those that obey does so where the one in service does.
    """
    expect(agreed(await lab.once(played), "instructions")).because(why.INSTRUCTIONS)


@check(points=1, needs=decides, domains=WATCHES)
async def limits_cost_and_time(lab: Lab) -> None:
    """A tenth more tokens, and one in twenty answers that takes more than 1 s, are the limits: both sides of each.

    A release that costs as much as the one in service is accepted, whatever that is; one that is as slow is not. One
    that breaks these two rules and six others has eight reasons; of those, what the gate gets wrong elsewhere does not
    count here.
    """
    expect(agreed(await lab.once(played), "cost")).because(why.COST)


@check(points=1, needs=decides, domains=WATCHES)
async def lets_harmless_ones_pass(lab: Lab) -> None:
    """Other ids and another order, passages in other letters and signs, more documents, another cut: accepted.

    So is a better release. Nothing for a gate that refuses less than half of the bad ones.
    """
    found = await lab.once(played)
    must(told_apart(found), why.APART)
    expect(agreed(found, "harmless")).because(why.HARMLESS)


@check(points=2, needs=decides, domains=WATCHES)
async def leaves_traces(lab: Lab) -> None:
    """MLflow has a run for a decision, with its metrics, and for each question a trace: how long, what, from where.

    The checker reads them after three more decisions, two of them at once, and compares them with what it served.
    One is about a release that fails, which has a run without metrics.
    """
    found = await lab.once(played)
    must(told_apart(found), why.APART)
    expect(_stands(found, "runs", "a run for each of three decisions, as it was")).because(why.RUNS)
    expect(_stands(found, "traces", "a trace for each of 72 questions, as it was")).because(why.TRACES)


def _stands(found: Play, what: str, expected: str) -> Observation:
    """Whether MLflow has what it should."""
    if found.traces is None:
        return Observation(False, expected, "the gate did not decide about releases before", timed=False)
    wrong = found.traces[what]
    return Observation(not wrong, expected, wrong[0] if wrong else "there is", len(wrong), tuple(wrong), timed=False)
