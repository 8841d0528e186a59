"""A launch: the platform's signed message about who comes, from which course and what for, verified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

import msgspec
from joserfc.errors import JoseError
from joserfc.jwt import JWTClaimsRegistry

from mlops_lab.classroom.lti import courses, names
from mlops_lab.classroom.lti.keys import verified
from mlops_lab.classroom.lti.login import LASTS, Login, answered, not_deployed
from mlops_lab.classroom.lti.outward import origin
from mlops_lab.classroom.lti.refused import Refused
from mlops_lab.classroom.lti.registration import Registration, key
from mlops_lab.classroom.lti.tool import Tool

SKEW = timedelta(seconds=60)  # between the platform's clock and ours
_AGAIN = "open the link on the platform again"
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class _Context(msgspec.Struct):
    id: _Id
    title: str | None = None
    label: str | None = None


class _Resource(msgspec.Struct):
    id: _Id


class _Grades(msgspec.Struct):
    scope: list[str] = []
    lineitems: str = ""
    lineitem: str = ""


class _Members(msgspec.Struct):
    context_memberships_url: str


class Settings(msgspec.Struct, frozen=True):
    """What a platform takes when a teacher chooses labs for a course.

    Attributes:
        deep_link_return_url: where the choice goes, by way of the browser.
        data: what the platform wants back as it is.
    """

    deep_link_return_url: str
    accept_types: list[str]
    accept_multiple: bool = True
    accept_lineitem: bool = True
    data: Any = None


class _Claims(msgspec.Struct):
    sub: _Id
    nonce: str
    aud: str | list[str]
    message: str = msgspec.field(name=names.MESSAGE_TYPE)
    version: str = msgspec.field(name=names.VERSION)
    deployment: str = msgspec.field(name=names.DEPLOYMENT)
    target: str = msgspec.field(name=names.TARGET)
    roles: list[str] = msgspec.field(name=names.ROLES)
    context: _Context | None = msgspec.field(name=names.CONTEXT, default=None)
    resource: _Resource | None = msgspec.field(name=names.RESOURCE_LINK, default=None)
    custom: dict[str, Any] | None = msgspec.field(name=names.CUSTOM, default=None)
    grades: _Grades | None = msgspec.field(name=names.GRADES, default=None)
    members: _Members | None = msgspec.field(name=names.MEMBERS, default=None)
    deep: Settings | None = msgspec.field(name=names.DEEP_LINKING, default=None)
    azp: str | None = None
    name: str | None = None
    email: str | None = None


class Course(msgspec.Struct, frozen=True):
    """A course of a platform, and the addresses of its services.

    Attributes:
        lineitems, memberships: addresses of the platform's services for the course; empty where it has none.
        scopes: what the tool may do with line items and scores.
    """

    issuer: str
    client_id: str
    deployment: str
    context: str
    title: str = ""
    lineitems: str = ""
    memberships: str = ""
    scopes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What a store keeps it by."""
        return key(self.issuer, self.client_id, self.deployment, self.context)


@dataclass(frozen=True)
class Launch:
    """Somebody who has come from a platform.

    Attributes:
        user: what the platform calls them, for good.
        name, email: what it says about them; may be empty.
        teaches, learns: their part in the course. Neither may be so.
        course: None where the link stands in no course.
        lab: the number of the lab that the link is for; empty for the class as a whole.
        item: the address of the link's own line item, if the platform has made one; empty otherwise.
        path: the path of this server that the link names; `/` for one that leads to the launch itself.
        choosing: what the platform takes, where a teacher is to choose labs for a course.
    """

    registration: Registration
    deployment: str
    user: str
    name: str
    email: str
    teaches: bool
    learns: bool
    course: Course | None
    lab: str
    item: str
    path: str
    choosing: Settings | None = None


async def arrive(tool: Tool, given: Mapping[str, str], cookie: str | None) -> Launch:
    """Verify what a browser brings from a platform.

    Args:
        given: the form's fields.
        cookie: what the browser keeps.

    Raises:
        Refused: the message is not signed by the platform, not what it was asked for, or says what is not granted.
        LabError: the platform's keys can't be had.
    """
    login = await answered(tool, given.get("state", ""), cookie)
    registration = await tool.registration(login.issuer, login.client_id)
    if given.get("error") or not given.get("id_token"):
        said = given.get("error_description") or given.get("error") or "no message"
        raise Refused(f"{registration.title} did not let the launch go on: {said[:300]!r}", _AGAIN)
    plain = await verified(tool.keys, registration, given["id_token"])
    _meant_for_us(tool, registration, login, plain)
    try:
        claims = msgspec.convert(plain, _Claims)
    except msgspec.ValidationError as wrong:
        raise Refused(
            f"the platform's message is not as LTI 1.3 says: {wrong}", "see the platform's log", 400
        ) from wrong
    launch = _launch(tool, registration, login, claims)
    await courses.admit(tool, launch)
    return launch


def _meant_for_us(tool: Tool, registration: Registration, login: Login, claims: dict[str, Any]) -> None:
    now, skew = int(tool.clock.now().timestamp()), int(SKEW.total_seconds())
    wanted = JWTClaimsRegistry(
        now, skew, iss={"essential": True, "value": registration.issuer}, aud={"essential": True},
        exp={"essential": True}, iat={"essential": True}, nonce={"essential": True, "value": login.nonce},
    )  # fmt: skip
    try:
        wanted.validate(claims)
    except (JoseError, OverflowError) as wrong:
        raise Refused(f"the platform's message does not hold: {wrong}", _AGAIN) from wrong
    if claims["iat"] < now - LASTS.total_seconds() - skew:
        raise Refused("the platform's message is older than the launch", "set the platform's clock, or ours")
    # We trust no other audience, so a message that is for others too is none for us (OpenID Connect Core, 3.1.3.7).
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if audience != [registration.client_id] or claims.get("azp", registration.client_id) != registration.client_id:
        raise Refused("the platform's message is for somebody else", _AGAIN)
    if not isinstance(claims["nonce"], str):
        raise Refused("the platform's message does not hold: its nonce is no text", _AGAIN)


def _launch(tool: Tool, registration: Registration, login: Login, claims: _Claims) -> Launch:
    if claims.version != names.LTI_VERSION:
        raise Refused(
            f"the platform speaks LTI {claims.version[:20]!r}; this is LTI 1.3", "register it for LTI 1.3", 400
        )
    if claims.deployment not in registration.deployments:
        raise not_deployed(registration, claims.deployment)
    if login.deployment and claims.deployment != login.deployment:
        raise Refused("the platform's message is of another deployment than the launch", _AGAIN)
    teaches = names.teaches(claims.roles)
    deep = claims.message == names.DEEP_LINKING_REQUEST
    if (claims.deep if deep else claims.resource) is None:
        raise Refused("the platform's message lacks what it is about", "see the platform's log", 400)
    if not deep and claims.message != names.RESOURCE_REQUEST:
        raise Refused(f"this is no message for this tool: {claims.message[:60]!r}", "see the platform's settings", 400)
    if deep and not teaches:
        raise Refused("labs are chosen by the course's teachers", "ask the course's teacher")
    path = _path(tool, claims.target)
    if not teaches and any(path == each or path.startswith(f"{each}/") for each in tool.teacher_pages):
        raise Refused("this page is for the course's teachers", "open a lab's link")
    lab = str((claims.custom or {}).get("lab", ""))
    if lab and lab not in {each.number for each in tool.labs()}:
        raise Refused(f"the class has no lab {lab[:20]!r}", "ask the course's teacher", 404)
    course = _course(registration, claims)
    item = claims.grades.lineitem if claims.grades else ""
    return Launch(
        registration, claims.deployment, claims.sub, line(claims.name), line(claims.email), teaches,
        names.learns(claims.roles), course, lab, item, path, claims.deep if deep else None,
    )  # fmt: skip


def _path(tool: Tool, target: str) -> str:
    """The path that a link leads to on this server, without tricks by `..`, `//` or `%2f`."""
    path = urlsplit(target).path if origin(target) == origin(tool.address) else "//"
    plain = unquote(path)
    if plain != path or "//" in plain or "/../" in f"{plain}/" or "/./" in f"{plain}/":
        raise Refused("the link leads to another server than this one", "correct the link on the platform", 400)
    return "/" if plain in ("", "/lti/launch") else plain


def _course(registration: Registration, claims: _Claims) -> Course | None:
    if claims.context is None:
        return None
    grades = claims.grades or _Grades()
    memberships = claims.members.context_memberships_url if claims.members else ""
    for address in filter(None, (grades.lineitems, grades.lineitem, memberships)):
        if origin(address) not in registration.origins:
            raise Refused(
                f"{registration.title} names services at another address than it is registered with: {address[:200]}",
                "tell the class's teacher, who can add its origin to the services of this platform",
            )
    return Course(
        registration.issuer, registration.client_id, claims.deployment, claims.context.id,
        line(claims.context.title or claims.context.label), grades.lineitems, memberships, tuple(grades.scope),
    )  # fmt: skip


def line(text: str | None) -> str:
    """What a platform says in words, as one line of at most 200 characters."""
    return " ".join("".join(each if each.isprintable() else " " for each in text or "").split())[:200]
