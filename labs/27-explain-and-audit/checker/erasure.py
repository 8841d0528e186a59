"""The erasure of one person beside another one, who stays."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from urllib.parse import quote

from mlops_lab.checks import Lab, Observation, absent, holds
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.prerequisites import must
from mlops_lab.kube.client import Object

from .approvals import AUTHORISED, NOBODY, whose
from .bank import staff
from .events import grown, wrong_times
from .expected import picked
from .forgetting import Person, guessable, in_files, in_lines, in_log
from .loans import Model
from .records import Kept, apart, like, same, with_records, wrong_record
from .returning import back_again, erased_again
from .scenario import now, replaced, served
from .service import Credit, decided, is_status, only, succeeds

GONE = (
    "each decision about them has a record, and all of these go. That they went is known from what is on the volume, "
    "by the next pod as well"
)
AT_HOME = (
    "the examiners took a copy of the record home, and a replay computes: it looks nothing up, not even whether the "
    "record is still there. 409 is for a model or a code that is not"
)
OTHERS = "one person's wish is no reason to touch what was decided about another"
AGAIN = "an officer whose first answer was lost asks again: nothing is left to be done, and nothing is wrong with that"
UNSEEN = absent("this story to its end", "it did not come to that")


@dataclass
class Story:
    """What was seen; what it did not come to stays as it is here."""

    secret: Observation = UNSEEN
    salts: Observation = UNSEEN
    home: Observation = UNSEEN
    gone: Observation = UNSEEN
    lines: Observation = UNSEEN
    kept: Observation = UNSEEN
    others: Observation = UNSEEN
    recorded: Observation = UNSEEN
    unknown: Observation = UNSEEN
    unnamed: Observation = UNSEEN


async def erased(lab: Lab, *, thorough: bool) -> Story:
    """Two people, three decisions about one of them, who then wishes to be forgotten, comes back, and wishes so again.

    The first wish is sent twice.

    Args:
        thorough: whether the pod is replaced between the decisions, too.

    Raises:
        Failure: a request is not answered as it should be.
    """
    story, draw, began = Story(), drawn(lab, "erasure"), time.time()
    credit, model = await served(lab, 10)
    one, other = map(fresh, picked(draw, model, 2, now()))
    if draw.random() < 0.5:
        one, other = other, one
    first = await with_records(credit, [one, one | {"amount": round(one["amount"] * 1.3, 2)}], model)
    stays = Person(await with_records(credit, [other, other | {"months": 30}], model))
    if thorough:
        await replaced(lab)
    strange = await unjudged(credit, one, model)
    person = Person([*first, *await with_records(credit, [one], model), *strange])
    officer = draw.choice(staff("privacy"))
    await shorter_erased(credit, person, other, officer.token)
    before = await credit.trail()
    lines = in_lines(before, [*person.words, *stays.words])
    story.secret = _none(lines, "no name, number or salt in the trail")
    story.salts = guessable(person, stays.kept)
    if not (story.secret.ok and story.salts.ok):
        return story
    await refused(lab, credit, person)
    wish, another = {"person": person.number}, next(each for each in staff("privacy") if each != officer)
    forged = {"by": another.name, "name": another.name, "erased_by": another.name}
    answer = await credit.ask("POST", "/erasures", wish | forged, token=officer.token)
    if answer.status in (400, 422):  # fields that the README does not know need not be taken
        answer = await credit.ask("POST", "/erasures", wish, token=officer.token)
    succeeds(answer, "POST /erasures by a privacy officer")
    answer = await credit.ask("POST", "/erasures", {"person": person.number}, token=officer.token)
    nobody = "POST /erasures of somebody of whom there is no record any more: a status 2xx, or 404"
    must(Observation(200 <= answer.status < 300 or answer.status == 404, nobody, answer.shown), AGAIN)
    never = like(draw, person.kept[0].made.id)
    await without_records(credit, person, never)
    story.home = await replayed(credit, draw.choice(person.kept))
    story.gone = _none([*await in_files(lab, person.words), *await in_log(lab, person.words)],
                       "nothing of the person in the pod's volumes, /tmp and log")  # fmt: skip
    after = await credit.trail(before.first)
    story.lines = grown(before, after, "after the erasure")
    story.recorded = erasures(after.since(before), person, officer.name, began)
    story.kept = await still_there(credit, stays)
    if story.kept.ok:
        story.others = await same(credit, stays.kept, "after another one's erasure")
    back, other_one = [await credit.decide(each.kept[0].application) for each in (person, stays)]
    story.unknown = await back_again(credit, person, stays, back, other_one, before)
    story.unnamed = await erased_again(credit, person, stays, back, officer.token, before)
    if all(each.ok for each in vars(story).values()):  # else that is said first
        await replaced(lab)
        await without_records(credit, person, never, ", after the pod was replaced")
    return story


def fresh(application: Object) -> Object:
    """The same application of somebody whom no run had before, not even one with the same seed."""
    moment = time.time_ns()
    letters = "".join(chr(ord("a") + moment // 26**place % 26) for place in range(10))
    name = " ".join(f"{part}{letters}" for part in application["name"].split())
    return application | {"person": f"C-{moment}", "name": name}


async def shorter_erased(credit: Credit, person: Person, other: Object, token: str) -> None:
    """Somebody else is erased, whose number the person's begins with; the person's records stay.

    Args:
        other: an application, made anew for somebody else.
        token: of a privacy officer.

    Raises:
        Failure: they do not.
    """
    shorter = fresh(other) | {"person": person.number[:-1]}
    await credit.decide(shorter)
    answer = await credit.ask("POST", "/erasures", {"person": shorter["person"]}, token=token)
    succeeds(answer, "POST /erasures by a privacy officer")
    for each in person.kept:
        answer = await credit.ask("GET", f"/decisions/{quote(each.made.id)}")
        what = "GET /decisions/ID of somebody whose number begins with that of another one, who was erased"
        is_status(answer, 200, what, OTHERS)


async def unjudged(credit: Credit, application: Object, model: Model) -> list[Kept]:
    """The same person's applications, incomplete, impossible or cut short; what is kept of any that is decided.

    Raises:
        Failure: one was decided, and its record is not as a record has to be.
    """
    less = {name: value for name, value in application.items() if name != "income"}
    found = []
    strange = [less, application | {"months": 0}, application | {"employed_since": "2026-02-30"}]
    cut = json.dumps(application)[:-1]  # all but the last brace: no JSON
    for each, body in (*((each, each) for each in strange), (application, cut)):
        answer = await credit.ask("POST", "/decisions", body)
        if 200 <= answer.status < 300 and "decision" in answer.fields_if_any:
            made = decided(answer)
            record = await credit.record(made.id)
            wrong = wrong_record(record, made, each, model)
            must(holds(not wrong, "a record with the fields of the README", wrong), "what is decided has its record")
            found.append(Kept(each, made, record))
    return found


async def replayed(credit: Credit, kept: Kept) -> Observation:
    """Whether a copy of a record that was erased leads to the same answer.

    Raises:
        Failure: it is refused.
    """
    answer = await credit.ask("POST", "/replays", kept.record.decode())
    what = "POST /replays with a copy of a record that was erased"
    is_status(answer, 200, what, AT_HOME)
    same_bytes = answer.body == kept.made.body
    seen = "it is" if same_bytes else apart(kept.made.body, answer.body)
    return Observation(same_bytes, f"{what}: the same answer, byte for byte", seen, timed=False)


async def refused(lab: Lab, credit: Credit, person: Person) -> None:
    """Nobody else may erase, and nothing is erased by their trying.

    Raises:
        Failure: it is.
    """
    draw = drawn(lab, "who may not")
    others = [draw.choice(staff(role)).token for role in ("risk", "developer")]
    for token, status in (("", 401), (NOBODY, 401), *((each, 403) for each in others)):
        answer = await credit.ask("POST", "/erasures", {"person": person.number}, token=token)
        is_status(answer, status, f"POST /erasures by {whose(token)}", AUTHORISED)
    for each in person.kept:
        await credit.record(each.made.id)


async def without_records(credit: Credit, person: Person, never: str, when: str = "") -> None:
    """None of a person's records is there.

    Args:
        never: the id of a decision that there never was.
        when: in words that follow others.

    Raises:
        Failure: one is.
    """
    for number, each in enumerate(person.kept, 1):
        answer = await credit.ask("GET", f"/decisions/{each.made.id}")
        what = f"GET /decisions/ID of decision {number} of {len(person.kept)} about a person who was erased{when}"
        is_status(answer, 410, what, GONE)
        told = [word for word in person.words if word in answer.text]
        must(Observation(not told, f"{what}: nothing of them", answer.shown), "who it was is what had to be forgotten")
    answer = await credit.ask("GET", f"/decisions/{never}")
    is_status(answer, 404, f"GET /decisions/ID of a decision that never was{when}", "410 is for those that were")


def erasures(added: list[Object], person: Person, by: str, began: float) -> Observation:
    """Whether each record that went has its line, with who erased it and when.

    Args:
        began: when that was at the earliest, seconds since 1970.
    """
    lines = only(added, "erasure")
    wanted = sorted(each.made.id for each in person.kept)
    given = sorted(str(each.get("decision")) for each in lines)
    names = {str(each.get("by"))[:60] for each in lines}
    expected = f"an erasure's line for each of {len(wanted)} decisions, by {by}"
    seen = f"{len(lines)} lines, by {', '.join(sorted(names)) or 'nobody'}"
    wrong = wrong_times(lines, began)
    return Observation(given == wanted and names == {by} and not wrong, expected, wrong or seen, timed=False)


async def still_there(credit: Credit, stays: Person) -> Observation:
    """Whether another one's records are what they were."""
    wrong = []
    for each in stays.kept:
        answer = await credit.ask("GET", f"/decisions/{each.made.id}")
        if answer.status != 200 or answer.body != each.record:
            wrong.append(answer.shown)
    return _none(wrong, "another one's records, byte for byte as before")


def _none(found: list[str], expected: str) -> Observation:
    seen = f"{len(found)}: {found[0][:120]}" if found else expected
    return Observation(not found, expected, seen, evidence=tuple(each[:160] for each in found[:6]), timed=False)
