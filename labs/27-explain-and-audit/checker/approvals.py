"""Who hands models in and who approves them, and what each attempt leaves: as one story, told step by step."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from random import Random

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.prerequisites import must
from mlops_lab.kube.client import Object

from .bank import Member, staff
from .expected import both_sides, right
from .loans import SPACES, Model, applicant
from .scenario import models, now, people, served
from .service import Credit, Trail, digest, is_status, only, succeeds

NOBODY = "token-of-nobody"
AUTHORISED = (
    "who may do it is a matter of the token's owner: bank.member has name and role of whoever the token belongs to, "
    "and None for a token of nobody's"
)


async def told(lab: Lab) -> Observation:
    """All of it; what was left in the trail, or the first thing that is wrong.

    Raises:
        Failure: a request is not answered as it should be.
    """
    draw = drawn(lab, "approvals")
    credit, first = await served(lab, 4)
    second, third = (await lab.once(models))[5:7]
    _, one, other = people(draw)
    developer = draw.choice(staff("developer"))
    outsider = draw.choice(staff("privacy"))
    before = await credit.trail()

    await handed_in(credit, second, developer, third, other)
    await decides(credit, first, [second], draw, "handed in and not approved")
    for who, status in (("", 401), (NOBODY, 401), (developer.token, 403), (outsider.token, 403)):
        answer = await credit.approve(second, who)
        is_status(answer, status, f"approval by {whose(who)}", AUTHORISED)
    await decides(credit, first, [second], draw, "refused by all who may not approve")
    forged = {"by": one.name, "name": one.name, "approved_by": one.name}
    answer = await credit.approve(second, other.token, forged)
    succeeds(answer, "approval by a risk officer, who has sent the same file after the developer")
    await decides(credit, second, [first], draw, "approved")

    succeeds(await credit.hand_in(third, one.token), "PUT of a model by a risk officer")
    succeeds(await credit.hand_in(third, developer.token), "PUT of the same file once more, by a developer")
    why = (
        "four eyes: who hands in a model is not the one who approves it, whatever else he or she may approve. The same "
        "file once more, from somebody else, is no news, and changes nothing of that"
    )
    is_status(await credit.approve(third, one.token), 403, "approval by the risk officer who handed it in", why)
    succeeds(await credit.approve(third, other.token), "approval by another risk officer")
    await decides(credit, third, [second], draw, "approved by another officer")
    succeeds(await credit.approve(first, one.token), "approval of the older model")
    await decides(credit, first, [third], draw, "an older one, approved again")
    missing = replace(first, version=f"{first.version}-lost")
    is_status(await credit.approve(missing, one.token), 404, "approval of a version that nobody has handed in")

    expected = [
        _line("model", second, developer), _line("approval", second, other), _line("model", third, one),
        _line("approval", third, other), _line("approval", first, one),
    ]  # fmt: skip
    return recorded((await credit.trail(before.first)), before, expected)


async def handed_in(credit: Credit, model: Model, developer: Member, other: Model, officer: Member) -> None:
    """A version gets its file, keeps it, and nobody without a token has a say.

    Args:
        other: whose file may not have that version.
        officer: who sends the same file once more, and so has not handed it in.

    Raises:
        Failure: something else happens.
    """
    for token in ("", NOBODY):
        is_status(await credit.hand_in(model, token), 401, f"PUT of a model by {whose(token)}", AUTHORISED)
    succeeds(await credit.hand_in(model, developer.token), "PUT of a model by a developer")
    why = "a version stands for one file for ever: what was decided by it can't be replayed when it is another one"
    is_status(await credit.hand_in(model, developer.token, other.text), 409, "PUT of another file, same version", why)
    spaced = await credit.hand_in(model, developer.token, json.dumps(model.content, indent=SPACES))
    is_status(
        spaced, 409, "PUT of the same model, written with other spaces, same version", f"{why}; sha256 is of bytes"
    )
    succeeds(await credit.hand_in(model, developer.token), "PUT of the same file once more")
    succeeds(await credit.hand_in(model, officer.token), "PUT of the same file once more, by a risk officer")


async def decides(credit: Credit, model: Model, others: list[Model], draw: Random, when: str) -> None:
    """That model decides.

    Args:
        others: which would say something else.
        when: what has become of the newest model.

    Raises:
        Failure: another one does.
    """
    at = now()
    one = next(
        (each for each in both_sides(draw, model, 40, at)
         if all(abs(score_of(model, each, at) - score_of(other, each, at)) > 0.01 for other in others)),
        applicant(draw, date.fromisoformat(at[:10])),
    )  # fmt: skip
    made = await credit.decide(one)
    score = made.said.get("score")
    wanted = score_of(model, one, made.at)
    fits = isinstance(score, int | float) and abs(score - wanted) < 1e-6
    seen = f"model {str(made.said.get('model'))[:40]}, score {str(score)[:20]}"
    must(
        Observation(
            fits and made.said.get("model") == model.version,
            f"the newest model: {when}. {model.version} decides, score {wanted:.6g}", seen,
        ),
        "the model that was approved last decides, and no other: not what was handed in last, not what somebody tried "
        "to approve",
    )  # fmt: skip


def recorded(now_: Trail, before: Trail, expected: list[Object]) -> Observation:
    """Whether the trail has grown by these lines, of models and approvals, and no others."""
    events = now_.since(before)
    lines = [each for each in events if each["event"] in ("model", "approval")]
    names = ("event", "model", "sha256", "by")
    seen = [{name: each.get(name) for name in names} for each in lines]
    wanted = f"{len(only(expected, 'model'))} models and {len(only(expected, 'approval'))} approvals in the trail"
    for number, (given, due) in enumerate(zip(seen, expected, strict=False), 1):
        for name in names:
            if _plain(given[name], name) != due[name]:
                what = f"{due['event']} {due['model']}: {name} {str(given[name])[:70]}, not {due[name]}"
                return Observation(False, wanted, f"entry {number}, {what}", timed=False)
    right = len(seen) == len(expected)
    return Observation(right, wanted, wanted if right else f"{len(seen)} of them, not {len(expected)}", timed=False)


def score_of(model: Model, application: Object, at: str) -> float:
    """The right score."""
    return right(model, application, at, explains=False).score


def _line(event: str, model: Model, by: Member) -> Object:
    return {"event": event, "model": model.version, "sha256": digest(model.text.encode()), "by": by.name}


def whose(token: str) -> str:
    """Whose token it is, in words."""
    known = {each.token: each.role for role in ("developer", "risk", "privacy") for each in staff(role)}
    return f"a {known[token]}" if token in known else "a token that nobody has" if token else "nobody, without a token"


def _plain(value: object, name: str) -> object:
    """A value as it is compared: of hexadecimal digits only their meaning counts."""
    return str(value).lower() if name == "sha256" else value
