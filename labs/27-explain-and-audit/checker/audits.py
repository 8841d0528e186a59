"""What POST /audits says of copies: of trails that the checker makes up, and of the learner's own."""

from __future__ import annotations

from mlops_lab.checks import Lab
from mlops_lab.kit.drawn import drawn

from .service import Credit, is_status
from .tampered import Case, another_bank, bad_ones, head_of, whole_ones

MOST = 60  # lines of the learner's own trail in a copy


async def cases(lab: Lab) -> list[Case]:
    """What is asked about, in no order that tells anything."""
    draw = drawn(lab, "copies")
    lines, own = another_bank(draw), (await Credit(lab).trail(1)).lines[:MOST]
    made = [
        *whole_ones(draw, lines),
        Case("your own trail's beginning", own, head_of(own), True),
        *bad_ones(draw, lines),
    ]
    if len(own) > 3:
        k = draw.randrange(2, len(own) - 1)
        made.append(Case(f"your own trail without line {k}", [*own[: k - 1], *own[k:]], head_of(own), False, k))
        made.append(Case("your own trail without its end", own[:-1], head_of(own), False))
    draw.shuffle(made)
    return made


async def asked(lab: Lab, cases: list[Case]) -> list[str]:
    """What of the answers is not true.

    Raises:
        Failure: one is not answered with 200.
    """
    credit, wrong = Credit(lab), []
    for each in cases:
        answer = await credit.ask("POST", "/audits", each.body)
        why = "whatever a copy holds, an audit of it is a question that has an answer: it is whole, or it is not"
        is_status(answer, 200, f"POST /audits with {each.what}", why)
        if said := untrue(each, answer.fields()):
            wrong.append(f"{each.what}: {said}")
    return wrong


def untrue(case: Case, said: dict[str, object]) -> str:
    """What of an answer is not true; empty if all is."""
    if said.get("whole") is not case.whole:
        return f"whole {str(said.get('whole'))[:40]}, not {case.whole}"
    line = said.get("line")
    if not case.whole and (line != case.line or isinstance(line, bool)):
        return f"line {str(line)[:40]}, not {case.line}"
    return ""
