"""Deep linking: a teacher chooses labs, and the platform makes a link and a gradebook's column of each."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from mlops_lab.classroom.lti import names
from mlops_lab.classroom.lti.launch import Launch, Settings
from mlops_lab.classroom.lti.login import LAUNCH, same_browser
from mlops_lab.classroom.lti.outward import origin
from mlops_lab.classroom.lti.refused import Refused
from mlops_lab.classroom.lti.scores import described
from mlops_lab.classroom.lti.tool import Offered, Tool

_CHOICE = "choice"
_LASTS = timedelta(hours=1)
_SIGNED = 300  # s that the answer is good for
_LINK = "ltiResourceLink"


class Choice(msgspec.Struct, frozen=True):
    """What a teacher is asked, and what becomes of the answer.

    Attributes:
        browser: a hash of the cookie of the teacher's browser.
    """

    issuer: str
    client_id: str
    deployment: str
    settings: Settings
    browser: str


async def offer(tool: Tool, launch: Launch, browser: str) -> str:
    """Begin a choice; returns the ticket that its form carries.

    Raises:
        Refused: the platform takes no links to a tool, or wants the answer without TLS.
    """
    settings = launch.choosing
    if settings is None or _LINK not in settings.accept_types:
        raise Refused("the platform takes no links to labs here", "add labs where it takes external tools", 400)
    if not origin(settings.deep_link_return_url):
        raise Refused("the platform wants the choice at no https address", "see the platform's settings", 400)
    ticket = secrets.token_urlsafe(32)
    choice = Choice(launch.registration.issuer, launch.registration.client_id, launch.deployment, settings, browser)
    await tool.store.put(_CHOICE, ticket, msgspec.to_builtins(choice), tool.clock.now() + _LASTS)
    return ticket


async def taken(tool: Tool, ticket: str, cookie: str | None) -> Choice:
    """The choice of a ticket, which is out of use from now on.

    Raises:
        Refused: there is none, its time is over, or another browser began it.
    """
    stored = await tool.store.take(_CHOICE, ticket) if 0 < len(ticket) <= 64 else None
    choice = None if stored is None else msgspec.convert(stored, Choice)
    if choice is None or not same_browser(choice.browser, cookie):
        raise Refused(
            "this choice was sent before, took too long, or was begun elsewhere", "choose on the platform again"
        )
    return choice


async def answer(tool: Tool, choice: Choice, labs: Sequence[str]) -> str:
    """The signed message that the teacher's browser takes back.

    Raises:
        Refused: a lab is not the class's, or the platform takes one only.
    """
    known = {each.number: each for each in tool.labs()}
    if not all(each in known for each in labs):
        raise Refused("one of the labs is not the class's", "choose on the platform again", 400)
    if len(labs) > 1 and not choice.settings.accept_multiple:
        raise Refused("the platform takes one lab at a time", "choose one on the platform again", 400)
    await tool.registration(choice.issuer, choice.client_id)  # it may have been taken out meanwhile
    now = int(tool.clock.now().timestamp())
    claims: dict[str, Any] = {
        "iss": choice.client_id, "azp": choice.client_id, "aud": choice.issuer, "iat": now, "exp": now + _SIGNED,
        "nonce": secrets.token_urlsafe(24),
        names.DEPLOYMENT: choice.deployment, names.MESSAGE_TYPE: names.DEEP_LINKING_RESPONSE,
        names.VERSION: names.LTI_VERSION,
        names.CONTENT_ITEMS: [_item(tool, known[each], choice.settings) for each in dict.fromkeys(labs)],
    }  # fmt: skip
    if choice.settings.data is not None:
        claims[names.DEEP_LINKING_DATA] = choice.settings.data
    return tool.own.signed(claims)


def _item(tool: Tool, lab: Offered, settings: Settings) -> dict[str, Any]:
    item: dict[str, Any] = {
        "type": _LINK, "title": lab.title, "url": tool.url(LAUNCH), "custom": {"lab": lab.number},
        "window": {"targetName": "_blank"},
    }  # fmt: skip
    if settings.accept_lineitem:
        item["lineItem"] = described(lab.number, lab.title, lab.points)
    return item
