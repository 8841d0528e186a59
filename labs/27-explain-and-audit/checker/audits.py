"""What POST /audits says of copies: of trails that the checker makes up, and of the learner's own."""

from __future__ import annotations

from mlops_lab.checks import Lab
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.prerequisites import must

from .service import Credit, Trail, is_status, unbroken
from .tampered import Case, another_bank, bad_ones, head_of, whole_ones

MOST = 30  # lines of the learner's own trail in a copy; so many keeps_a_trail has made by then


async def cases(lab: Lab) -> list[Case]:
    """What is asked about, in no order that tells anything."""
    draw = drawn(lab, "copies")
    lines, own = another_bank(draw), (await Credit(lab).page(1, MOST))[:MOST]
    head = head_of(own)
    must(unbroken(Trail(1, tuple(own), head)), "the trail that is there has to be whole before copies of it can be")
    k = draw.randrange(2, len(own) - 1)
    made = [
        *whole_ones(draw, lines),
        *bad_ones(draw, lines),
        Case("your own trail's beginning", own, head, True),
        Case(f"your own trail without line {k}", [*own[: k - 1], *own[k:]], head, False, k),
        Case("your own trail without its end", own[:-1], head, False),
    ]
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
