"""The probabilities that an answer of POST /predict gives, held against the model's own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from mlops_lab.checks import Lab, Observation
from mlops_lab.measure.traffic.flights import difference, numbers
from mlops_lab.measure.traffic.http import Answer

READ = 64 << 10  # bytes of an answer that are looked at
ROUNDED = 0.051  # what a probability with one digit may be away

# What other values than the right ones look like; `same` are the right ones, and `unlike` is none of the others.
Likeness = Literal[
    "no numbers", "same", "another count", "classes", "on time", "constant", "another order", "another version",
    "rounded", "unlike",
]  # fmt: skip


def own_values(
    answer: Answer, wanted: Sequence[float], what: str, *, version: str = "v1", within: float = 1e-6
) -> Observation:
    """Whether an answer keeps the contract and gives the model's own values; its value is what it gives, or None.

    Args:
        what: was asked about, such as `60 flights`.
        within: the largest difference of a probability that is still the same.
    """
    said = answer.fields_if_any
    given = numbers(said.get("probabilities"))
    near_by = f"{within:g}".replace("e-0", "e-")
    expected = f"for {what}: model_version {version}, and the model's own probabilities within {near_by}"
    if answer.status != 200:
        return Observation(False, expected, answer.shown)
    if given is None:
        seen = f"no JSON object: {answer.shown}"
        if said:
            seen = f"an object with {', '.join(map(str, said))[:80]}; no list of numbers in probabilities"
        if len(answer.body) >= READ:
            seen = f"an answer of {READ >> 10} KiB or more, of which the beginning is {answer.shown}"
        return Observation(False, expected, seen)
    apart = difference(given, wanted)
    if apart is None:
        return Observation(False, expected, f"{len(given)} probabilities for {len(wanted)} rows", given, timed=False)
    if math.isinf(apart):
        return Observation(False, expected, "NaN or infinity among the probabilities", given, timed=False)
    if apart > within:
        return Observation(False, expected, f"up to {apart:.2g} away from the model's own", given, timed=False)
    named = said.get("model_version")
    return Observation(
        named == version, expected, f"model_version {str(named)[:40]}, the right values", given, timed=False
    )


async def answer_about(
    lab: Lab, rows: Sequence[Mapping[str, Any]], *, service: str = "model", within: float, answer_within: float = 10.0
) -> Answer:
    """The answer to one POST /predict; asked again while nobody listens, as the nodes may not know a new pod yet.

    Args:
        rows: the flights.
        within: seconds in which it is asked again.
        answer_within: seconds for one answer.

    Raises:
        Failure: there is no such Service.
    """
    body = {"rows": list(rows)}
    return await lab.traffic.first_answer(
        lambda: lab.traffic.post(service, "/predict", body, within=answer_within),
        lambda answer: not answer.refused,
        within=within,
    )


def near(some: Sequence[float], others: Sequence[float], within: float) -> bool:
    """Are they as many, and each as good as the same?"""
    return len(some) == len(others) and all(abs(one - other) <= within for one, other in zip(some, others, strict=True))


def likeness(
    given: Sequence[float] | None, wanted: Sequence[float], others: Sequence[float], *, within: float = 1e-6
) -> Likeness:
    """What the values of an answer look like.

    Args:
        given: None where the answer has no list of numbers.
        wanted: the model's own.
        others: those of another version of the model.
        within: as for `own_values`.
    """
    if given is None:
        return "no numbers"
    if near(given, wanted, within):
        return "same"
    if len(given) != len(wanted):
        return "another count"
    if set(given) <= {0.0, 1.0}:
        return "classes"
    if near([1 - one for one in given], wanted, within):
        return "on time"
    if len(set(wanted)) > 1 and len(set(given)) == 1:
        return "constant"
    if near(sorted(given), sorted(wanted), within):
        return "another order"
    if near(given, others, within):
        return "another version"
    return "rounded" if near(given, wanted, ROUNDED) else "unlike"
