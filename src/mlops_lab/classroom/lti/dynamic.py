"""Dynamic registration: a platform and the tool get to know each other, by an invitation that a teacher made.

An invitation names the one server that it is for and can be used once, so nobody makes this server ask another one.
"""

from __future__ import annotations

import json
import secrets
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.classroom.lti import names
from mlops_lab.classroom.lti.login import LAUNCH
from mlops_lab.classroom.lti.outward import ask, origin, parsed
from mlops_lab.classroom.lti.refused import Refused
from mlops_lab.classroom.lti.registration import Registration
from mlops_lab.classroom.lti.tool import REGISTRATION, Tool

PATH = "/lti/register"
_INVITATION = "invitation"
_LASTS = timedelta(days=1)


class _Platform(msgspec.Struct):
    """What a platform says of itself."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    registration_endpoint: str
    authorization_server: str = ""


class _Place(msgspec.Struct):
    deployment_id: str | None = None


class _Client(msgspec.Struct):
    """What a platform has made of the tool."""

    client_id: str
    configuration: _Place | None = msgspec.field(name=names.CONFIGURATION, default=None)


async def invite(tool: Tool, platform: str) -> str:
    """The address that a platform's administrator puts in where it registers tools; for one use, within a day.

    Args:
        platform: an https address of the platform.

    Raises:
        UsageError: it is none.
    """
    if not origin(platform):
        raise UsageError(f"{platform!r} is no https address", "name the platform's, such as https://moodle.example")
    ticket = secrets.token_urlsafe(32)
    until = tool.clock.now() + _LASTS
    await tool.store.put(_INVITATION, ticket, {"origin": origin(platform)}, until)
    return tool.url(f"{PATH}/{ticket}")


async def register(tool: Tool, ticket: str, configuration: str, token: str) -> Registration:
    """Make the tool known to the platform that invited it, and the platform here.

    Args:
        ticket: the invitation's.
        configuration: where the platform describes itself.
        token: what the platform wants to be shown; may be empty.

    Raises:
        Refused: the invitation is used, over or another platform's.
        LabError: the platform does not answer, or not as the standard says.
    """
    invited = await tool.store.take(_INVITATION, ticket) if 0 < len(ticket) <= 64 else None
    if invited is None:
        raise Refused("this invitation was used before, or is over", "let the class's teacher make another one")
    allowed = {str(invited["origin"])}
    if origin(configuration) not in allowed:
        raise Refused("this invitation is for another platform", "let the class's teacher make one for this platform")
    answer = await ask(tool.http, allowed, "GET", configuration, {"Accept": "application/json"})
    platform = _read(parsed(answer, "description of itself"), _Platform)
    if urlsplit(platform.issuer).hostname != urlsplit(configuration).hostname:
        raise Refused("the platform's issuer is not of the platform's own name", "register it in the file of platforms")
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if token:
        if not token.isascii() or not token.isprintable():
            raise Refused("the platform's registration token is no token", "begin on the platform again", 400)
        headers["Authorization"] = f"Bearer {token}"
    body = json.dumps(description(tool)).encode()
    answer = await ask(tool.http, allowed, "POST", platform.registration_endpoint, headers, body)
    client = _read(parsed(answer, "registration"), _Client)
    place = client.configuration.deployment_id if client.configuration else None
    made = Registration(
        platform.issuer, client.client_id, platform.authorization_endpoint, platform.token_endpoint, platform.jwks_uri,
        (place,) if place else (), audience=platform.authorization_server,
    )  # fmt: skip
    _read(msgspec.to_builtins(made), Registration)  # its texts are not longer than they may be
    if made.wrong():
        raise LabError(f"the platform registers itself with a wrong address: {made.wrong()}", "see its settings")
    if not made.origins <= allowed:
        raise LabError("the platform registers itself with addresses of other servers", "use the file of platforms")
    await tool.store.put(REGISTRATION, made.key, msgspec.to_builtins(made))
    return made


def description(tool: Tool) -> dict[str, Any]:
    """What the tool tells a platform that registers it."""
    launch = tool.url(LAUNCH)
    return {
        "application_type": "web", "response_types": ["id_token"], "grant_types": ["implicit", "client_credentials"],
        "initiate_login_uri": tool.url("/lti/login"), "redirect_uris": [launch], "client_name": tool.name,
        "jwks_uri": tool.url("/lti/jwks.json"), "token_endpoint_auth_method": "private_key_jwt",
        "scope": " ".join(names.SCOPES),
        names.CONFIGURATION: {
            "domain": urlsplit(tool.address).netloc, "target_link_uri": launch, "description": tool.name,
            "claims": ["iss", "sub", "name", "email"],
            "messages": [
                {"type": names.RESOURCE_REQUEST, "target_link_uri": launch},
                {"type": names.DEEP_LINKING_REQUEST, "target_link_uri": launch, "label": f"{tool.name}: choose labs"},
            ],
        },
    }  # fmt: skip


def _read(value: Any, form: Any) -> Any:
    try:
        return msgspec.convert(value, form)
    except msgspec.ValidationError as wrong:
        raise LabError(f"the platform registers in another way than the standard's: {wrong}", "see its log") from wrong
