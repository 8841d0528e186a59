"""The likely reasons for what lab 02 sees, and whether a refusal names the field."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from mlops_lab.kit.probabilities import Likeness, likeness
from mlops_lab.measure.traffic.http import Answer

from .bodies import CODES, FIELDS, Bad
from .latency import ROWS_EACH, Costs, milliseconds
from .scenario import ANSWER_WITHIN, Refusal

OTHERS_NAMED = 3  # fields at most, beside the one that is wrong


def why_no_answer(answer: Answer) -> str:
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


OTHER_VALUES: Mapping[Likeness, str] = {
    "no numbers": 'the contract is {"model_version": "v1", "probabilities": [0.31, ...]}, one number for each row, and '
    "then the end. Ask it yourself: kubectl port-forward service/model 8080:80, then curl",
    "same": "the version stands in the model's metadata, and Model has it as .version",
    "another count": "one probability for each row: model.probabilities takes all rows of the body and answers for all",
    "classes": "these are classes, late or not. Whoever asks wants to decide where to draw the line: give the "
    "probability",
    "on time": "these are the probabilities of being on time: of predict_proba's two columns the second one is late",
    "constant": "all rows got the same value: each row must be asked about, not one of them again and again",
    "another order": "the values are right and in another order: clients go by the place in the list",
    "another version": "these are the values of v2: the task is the model in /model/v1",
    "rounded": "the values are rounded. Leave that to those who show them: near a threshold it changes decisions",
    "unlike": "they are not what model.probabilities gives for these rows: is something in them changed on the way to "
    "it?",
}


def why_other_values(given: Sequence[float] | None, wanted: Sequence[float], others: Sequence[float]) -> str:
    """The likely reason for other values than the model's own."""
    return OTHER_VALUES[likeness(given, wanted, others)]


HANDED_ON = (
    "who hands the question on to the company's server has not served a model: load the one in /model/v1, and ask "
    "that. If it was you yourself who asked the reference just now, check again"
)


def why_not_refused(wrong: Sequence[Refusal]) -> str:
    """What is behind bad bodies that were not refused with 422, the most likely first."""
    if len(wrong) > 5 and all(each.bad.row > 1 for each in wrong):
        return "what is wrong in the first flight is refused, and in the second it is not: look at every row"
    if wrong and all(each.bad.row > 2 and each.answer.status == 200 for each in wrong):
        return "of two flights each is looked at, and of more some are not: look at every row"
    reasons = []
    statuses = {each.answer.status for each in wrong}
    taken = {each.bad.kind for each in wrong if each.answer.status == 200}
    if 0 in statuses:
        reasons.append("a refusal must come at once: the evidence says for what no answer came")
    if any(500 <= status < 600 for status in statuses):
        reasons.append(
            "5xx says that the server is at fault, so clients try again and somebody is woken up. An exception on the "
            "way (kubectl logs deployment/model) means that the body was used before it was looked at: `in`, or .get, "
            "before it was known to be an object; math.isfinite, which raises for an int that no float can hold"
        )
    if statuses & {400, 415}:
        reasons.append(
            "400 is what Flask, BentoML and others say on their own. The contract says 422 for whatever is wrong with "
            "a body, so that clients have one case to handle"
        )
    if "unknown" in taken:
        reasons.append(
            "fields that nobody knows were ignored. pydantic does so unless extra='forbid', which each model needs for "
            "itself, the outer one too. A misspelt `visib` counts as missing weather then, and nobody notices; nor if "
            "it is null, where nulls are left out before the names are looked at"
        )
    if "range" in taken:
        reasons.append(_why_out_of_range([each.bad for each in wrong if each.answer.status == 200]))
    if taken & {"missing", "type"}:
        reasons.append(
            "a field that is missing or of a wrong type was taken. The model is no judge of that: it takes its default "
            "for what is missing, so whoever leaves out the month gets a probability all the same"
        )
    if "rows" in taken:
        reasons.append("`rows` is a list of 1 to 1000 flights, none of them null, and the body an object with no more")
    if "json" in taken:
        reasons.append(
            "what is no JSON was taken for it. A reader that forgives (ast.literal_eval, YAML, JSON5) guesses what was "
            "meant, and the next one guesses otherwise: json.loads, and pydantic, take JSON and nothing else"
        )
    return "; ".join(reasons) or "the contract says 422 for each of them; see the evidence"


def _why_out_of_range(taken: Sequence[Bad]) -> str:
    """What is behind values that were taken: codes alone, those with a line break at their end alone, or others."""
    values = [(each.names, each.body["rows"][each.row - 1].get(each.names)) for each in taken if each.kind == "range"]
    if any(name not in CODES for name, _ in values):
        return "values out of range were taken: the model gives a number for the 13th month, too"
    if all(str(value).endswith("\n") for _, value in values):
        return (
            "a code with a line break at its end was taken: in Python's re `$` is also before the last line break. "
            "re.fullmatch looks at the whole text, and so does a pattern that ends with \\Z"
        )
    return "codes were taken that are none: 2 to 4 signs, each one of A to Z or 0 to 9, from the first to the last"


def silent(refusals: Sequence[Refusal]) -> list[Refusal]:
    """Those that don't tell which field is wrong: they don't name it, or say of another field's mistake the same."""
    names = defaultdict(set)
    for each in refusals:
        names[_told(each)].add(each.bad.names)
    return [each for each in refusals if not names_it(each) or len(names[_told(each)]) > 1]


def names_it(refusal: Refusal) -> bool:
    """Does the answer name the field, apart from what it repeats of the request?"""
    named = set(_fields(_words(refusal), refusal.bad.names))
    # Where a field is missing or unknown, which there are may be said; a wrong value is one field's.
    listed = refusal.bad.kind in ("type", "range") and len(named) > OTHERS_NAMED + 1
    return refusal.bad.names in named and not listed


def _told(refusal: Refusal) -> tuple[tuple[str, ...], str]:
    """The fields that it names, in their order, and its words without numbers: a row's, a time's, an id's."""
    words = _words(refusal)
    return tuple(_fields(words, refusal.bad.names)), re.sub(r"(?<!\S)[^\s\d]*+\d\S*+", "", words)


def _fields(words: str, wrong: str) -> list[str]:
    """The fields that some words name, each time that they do; a sentence may begin with one."""
    known = "|".join(map(re.escape, {*FIELDS, wrong}))
    return [each.lower() for each in re.findall(rf"(?<![a-z_])(?:{known})(?![a-z_])", words, re.IGNORECASE)]


def _words(refusal: Refusal) -> str:
    """What the answer says beside what it repeats of the request."""
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
    return words


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
