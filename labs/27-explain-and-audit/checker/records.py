"""What comes of records: those of decisions that were made, and such as never were."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from random import Random
from string import ascii_letters, digits

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.side_by_side import together
from mlops_lab.kube.client import Object

from .expected import later, picked, right, wrong_in
from .loans import Model
from .release import SAME as SAME_FILES
from .release import File, program, released
from .scenario import now, people, served
from .service import Credit, Decided, is_status, succeeds

SAME = (
    "an answer that is a function of the record alone comes out the same for ever: the record's own id, time and "
    "model, nothing of today, nothing drawn, fields and digits in the same order. Models stay where they are, under "
    "their version, also when others decide"
)
FIELDS = {"decision", "at", "model", "code", "application", "salt"}
FOLLOWS = ("approved", "probability", "score", "base", "contributions", "reasons")  # from model, application and day
SALT = re.compile(r"[0-9a-fA-F]{32,}")
FORMS = (digits, "0123456789abcdef", "0123456789ABCDEF", "0123456789ABCDEFGHJKMNPQRSTVWXYZ", digits + ascii_letters)
REDRAWN = 12  # letters of an id that are drawn anew; a shorter one becomes so long
UNKNOWN = {"desk": "terminal 2", "tags": ["kiosk", {"no": 7}]}  # fields of an application that the bank does not read
COPIES = 3  # of the pod at a time, at most
DIFFERS = 0.01  # by which the score of a record that was changed is another one, at least


@dataclass(frozen=True)
class Kept:
    """A decision, and its record."""

    application: Object
    made: Decided
    record: bytes

    @property
    def fields(self) -> Object:
        """Of the record."""
        fields: Object = json.loads(self.record)
        return fields


async def with_records(credit: Credit, applications: list[Object], model: Model) -> list[Kept]:
    """Decisions with their records.

    Raises:
        Failure: a record is not what the README says.
    """
    found = []
    for each in applications:
        made = await credit.decide(each)
        record = await credit.record(made.id)
        wrong = wrong_record(record, made, each, model)
        must(
            Observation(not wrong, f"a record with {', '.join(sorted(FIELDS))}, and nothing else", wrong),
            "whatever was known when it was decided, and nothing that follows from it",
        )
        found.append(Kept(each, made, record))
    return found


def wrong_record(record: bytes, made: Decided, application: Object, model: Model) -> str:
    """What is wrong with a record; empty if nothing is."""
    try:
        fields = json.loads(record)
    except (ValueError, RecursionError):
        return f"no JSON: {record[:60]!r}"
    if not isinstance(fields, dict) or set(fields) != FIELDS:
        return f"{sorted(fields) if isinstance(fields, dict) else 'no object'}"
    for name, value in (("decision", made.id), ("at", made.at), ("model", model.version), ("application", application)):
        if fields[name] != value:
            return f"{name}: {str(fields[name])[:60]}, not {str(value)[:60]}"
    if not isinstance(fields["code"], str) or not fields["code"]:
        return f"code: {str(fields['code'])[:60]}"
    if not isinstance(fields["salt"], str) or not SALT.fullmatch(fields["salt"]):
        return f"salt: {str(fields['salt'])[:60]}, not 32 hexadecimal digits or more"
    return ""


async def same(credit: Credit, kept: list[Kept], when: str) -> Observation:
    """Whether records lead to the same answers again.

    Raises:
        Failure: one is refused.
    """
    wrong = []
    for each in kept:
        again = await credit.replay(each.record)
        if again.body != each.made.body:
            wrong.append(apart(each.made.body, again.body))
    seen = f"{len(wrong)} of {len(kept)} differ: {wrong[0]}" if wrong else f"{len(kept)} the same to the last byte"
    return Observation(
        not wrong, f"replays {when}: the answers of {len(kept)} decisions, byte for byte", seen, timed=False
    )


def apart(one: bytes, other: bytes) -> str:
    """Where two answers differ."""
    place = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    begin = max(0, place - 30)
    return f"…{one[begin : place + 20]!r} was …{other[begin : place + 20]!r} at byte {place}"


async def under_another_id(credit: Credit, draw: Random, kept: list[Kept]) -> list[str]:
    """What is wrong with answers to records that differ from those of decisions by the id alone.

    Raises:
        Failure: one is refused.
    """
    wrong = []
    for each in kept:
        said = (await credit.replay(each.fields | {"decision": like(draw, each.made.id)})).said
        if names := [name for name in FOLLOWS if said.get(name) != each.made.said.get(name)]:
            wrong.append(f"with another id: another {', '.join(names)}")
    return wrong


def like(draw: Random, decision: str) -> str:
    """An id of the same form that is nobody's: of the same letters, so that no program takes it for none."""
    used = {each for each in decision if each.isalnum()}
    signs = next(each for each in FORMS if used <= {*each})
    redrawn = [draw.choice(signs) if each.isalnum() else each for each in decision[-REDRAWN:]]
    return decision[:-REDRAWN] + "".join([*redrawn, *(draw.choice(signs) for _ in range(REDRAWN - len(redrawn)))])


def changed(
    draw: Random, each: Kept, model: Model, other: Model, unused: Model | None = None
) -> list[tuple[str, Object, Model]]:
    """Records that never were, each with one thing changed that changes the score, and the model to judge them by.

    Args:
        unused: a model that nobody has approved.
    """
    fields, before = each.fields, right(model, each.application, each.made.at, explains=False).score
    others: list[tuple[str, Object, Model]] = []

    def matters(record: Object, by: Model) -> bool:
        score = right(by, record["application"], record["at"], explains=False).score
        return abs(score - before) > DIFFERS

    for times in draw.sample((0.4, 0.5, 0.7, 1.4, 1.9, 2.5), 6):
        income = round(each.application["income"] * times, 2)
        record = fields | {"application": each.application | {"income": income}}
        if matters(record, model):
            others.append(("another income", record, model))
            break
    for years in draw.sample(range(1, 9), 8):
        record = fields | {"at": later(each.made.at, years)}
        if matters(record, model):
            others.append((f"the day {years} years later", record, model))
            break
    for what, by in (("another model", other), ("a model that nobody has approved", unused)):
        if by and matters(record := fields | {"model": by.version}, by):
            others.append((what, record, by))
    return others


async def would_be(credit: Credit, records: list[tuple[str, Object, Model]]) -> list[str]:
    """What is wrong with the answers to records that never were.

    Raises:
        Failure: one is refused.
    """
    wrong = []
    for what, record, model in records:
        said = (await credit.replay(record)).said
        wanted = right(model, record["application"], record["at"], explains=False)
        if found := wrong_in(said, model, wanted, decision=record["decision"], at=record["at"]):
            wrong.append(f"with {what}: {found}")
    return wrong


async def refuses(credit: Credit, record: Object, draw: Random) -> None:
    """Records whose model or code nobody has.

    Raises:
        Failure: one is replayed all the same.
    """
    code = record["code"]
    why = (
        "a replay by another model or another program is another decision. Where they are not at hand, the honest "
        "answer is that they are not"
    )
    unknown = {"code": code[:-1] + draw.choice([each for each in "0123456789abcdef" if each != code[-1].lower()])}
    for what, fields in (("code", unknown), ("model", {"model": f"{record['model']}-lost"})):
        answer = await credit.ask("POST", "/replays", record | fields)
        is_status(answer, 409, f"POST /replays with a record of another {what}", why)


async def by_others(lab: Lab, kept: list[Kept], model: Model) -> list[Observation]:
    """What copies of the pod with empty volumes make of records: one with the same files, and a release for each file.

    Returns:
        What is seen of the first; of the others that of one which is not told from the learner's own, if any; and
        whether each decision, there and here, has an id of its own.

    Raises:
        Failure: one does not start, or replays what another program has decided.
    """
    first, *left = found = list(enumerate(await program(lab)))
    ids = [each.made.id for each in kept]
    elsewhere, other = await together(
        in_the_same_release(lab, kept, model, ids), in_another_release(lab, kept[0], model, ids, *first)
    )
    while left and elsewhere.ok and other.ok:
        some, left = left[:COPIES], left[COPIES:]
        seen = await together(*(in_another_release(lab, kept[0], model, ids, *each) for each in some))
        other = next((each for each in seen if not each.ok), other)
    if other.ok and not left:
        wanted = f"another code in {len(found)} copies of the pod, each with one more comment in another file"
        other = Observation(True, wanted, f"so it is, for {', '.join(each.name for _, each in found)}")
    return [elsewhere, other, unlike(ids)]


def unlike(ids: list[str]) -> Observation:
    """Whether no two decisions of several pods have the same id."""
    again = [each for each in dict.fromkeys(ids) if ids.count(each) > 1]
    seen = f"{again[0]}, {ids.count(again[0])} times" if again else f"{len(ids)} different ids"
    return Observation(not again, "an id of its own for each decision, whichever pod made it", seen, timed=False)


async def in_the_same_release(lab: Lab, kept: list[Kept], model: Model, ids: list[str]) -> Observation:
    """Whether the same files and the same model, elsewhere, lead to the same answers.

    Args:
        ids: of decisions, to which that of one made there is added.
    """
    developer, officer, _ = people(drawn(lab, "the same release"))
    async with released(lab, SAME_FILES) as credit:
        why = "no model has been approved where there is nothing yet, so nobody can decide"
        answer = await credit.ask("POST", "/decisions", kept[0].application)
        is_status(answer, 409, "POST /decisions with empty volumes", why)
        succeeds(await credit.hand_in(model, developer.token), "PUT of a model there by one of the staff")
        answer = await credit.ask("POST", "/decisions", kept[0].application)
        is_status(answer, 409, "POST /decisions where a model was handed in and none ever approved", why)
        await credit.serve(model, developer.token, officer.token)
        own = (await with_records(credit, [kept[0].application], model))[0]
        ids.append(own.made.id)
        here, there = str(kept[0].fields["code"]), str(own.fields["code"])
        if here != there:
            wanted = "the same code in a copy of the pod with the same files and empty volumes"
            return Observation(False, wanted, f"{here[:40]} here, {there[:40]} there", timed=False)
        return await same(credit, kept, "in a copy of the pod with the same files and model")


async def in_another_release(
    lab: Lab, kept: Kept, model: Model, ids: list[str], number: int, file: File
) -> Observation:
    """Whether a program of other files calls its code by another name, and refuses what was decided by this one.

    Args:
        ids: of decisions, to which that of one made there is added.

    Raises:
        Failure: it does not start, or replays that.
    """
    developer, officer, _ = people(drawn(lab, "another release"))
    async with released(lab, f"checker-release-{number}", file) as credit:
        await credit.serve(model, developer.token, officer.token)
        own = (await with_records(credit, [kept.application], model))[0]
        ids.append(own.made.id)
        here, there = str(kept.fields["code"]), str(own.fields["code"])
        wanted = f"another code in a copy of the pod in which {file.name} has one more comment"
        if here == there:
            return Observation(False, wanted, f"{here[:40]} in both", timed=False)
        why = "it was decided by other files than those that run here, so what they would say now is not what was said"
        answer = await credit.ask("POST", "/replays", kept.fields)
        is_status(answer, 409, "POST /replays in that copy with a record of this program", why)
        return Observation(True, wanted, f"code {here[:12]} here, {there[:12]} there")


async def prepared(lab: Lab) -> tuple[Credit, Model, Model, list[Kept]]:
    """Decisions by one model, after which another one came into service."""
    draw = drawn(lab, "replays")
    credit, model = await served(lab, 8)
    *some, last = picked(draw, model, 4, now())
    kept = await with_records(credit, [*some, last | UNKNOWN], model)
    _, other = await served(lab, 9)
    return credit, model, other, kept
