"""Somebody who was erased comes back, and is erased again: do the trail's lines tell that it is the same person?"""

from __future__ import annotations

from collections.abc import Mapping

from mlops_lab.checks import Observation, absent
from mlops_lab.kube.client import Object

from .forgetting import Person, recognised
from .service import Credit, Decided, Trail, is_status, only, succeeds


async def back_again(
    credit: Credit, person: Person, stays: Person, back: Decided, other: Decided, before: Trail
) -> Observation:
    """What the line of the same application once more has of the old one.

    Args:
        back, other: what was decided about each of them after the erasure.
    """
    lines = {str(each.get("decision")): each for each in only((await credit.trail(before.first)).events, "decision")}
    ids = [person.kept[0].made.id, back.id, other.id, *(each.made.id for each in stays.kept)]
    if missing := [each for each in ids if each not in lines]:
        return absent("a line for each decision", f"none for {missing[0]}")
    return recognised(lines[ids[0]], lines[back.id], of_others(lines, person, back))


def of_others(lines: Mapping[str, Object], person: Person, back: Decided) -> list[Object]:
    """The lines, by their decisions, that are not about a person: what they say is usual."""
    own = {back.id, *(each.made.id for each in person.kept)}
    return [line for decision, line in lines.items() if decision not in own]


async def erased_again(
    credit: Credit, person: Person, stays: Person, back: Decided, token: str, before: Trail
) -> Observation:
    """What the line of a second erasure has of the first one's; others' lines say what is usual there.

    Raises:
        Failure: who came back is not erased.
    """
    for each in (person, stays):
        answer = await credit.ask("POST", "/erasures", {"person": each.number}, token=token)
        succeeds(answer, "POST /erasures of somebody who came back, or of another one, by a privacy officer")
    what = "GET /decisions/ID of a decision about a person who was erased, came back, and was erased again"
    is_status(await credit.ask("GET", f"/decisions/{back.id}"), 410, what, "each decision about them has a record")
    # Two erasures may fall into one second; when it was tells nobody who it was.
    lines = {
        str(each.get("decision")): {key: value for key, value in each.items() if key != "at"}
        for each in only((await credit.trail(before.first)).events, "erasure")
    }
    ids = [back.id, *(each.made.id for each in (*stays.kept, *person.kept))]
    if missing := [each for each in ids if each not in lines]:
        return absent("an erasure's line for each decision", f"none for {missing[0]}")
    others = of_others(lines, person, back)
    told = [recognised(lines[each.made.id], lines[back.id], others) for each in person.kept]
    return next((each for each in told if not each.ok), told[0])
