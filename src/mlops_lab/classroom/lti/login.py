"""The beginning of a launch: a platform sends a browser, which is sent back with a question (OpenID Connect).

The question's `state` is kept here, goes out of use with the answer, and is bound to the browser that asked: another
one that brings the answer has not the cookie. So nobody can be put into somebody else's account by a prepared link.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlencode, urlsplit

import msgspec

from mlops_lab.classroom.lti.refused import Refused
from mlops_lab.classroom.lti.registration import Registration
from mlops_lab.classroom.lti.tool import Tool, unknown

LAUNCH = "/lti/launch"
COOKIE = "__Host-lti"  # of this host alone, over TLS alone
LASTS = timedelta(minutes=10)  # from the question to its answer
_STATE = "login"
_SECRET = re.compile(r"[\w-]{43}")


class Login(msgspec.Struct, frozen=True):
    """A question that a platform was asked.

    Attributes:
        browser: a hash of the browser's cookie.
        deployment: what the platform said beforehand; may be empty.
    """

    issuer: str
    client_id: str
    nonce: str
    browser: str
    deployment: str


def secret_of(cookie: str | None) -> str:
    """What the browser keeps: what it has, if that can be ours, else something new."""
    return cookie if cookie and _SECRET.fullmatch(cookie) else secrets.token_urlsafe(32)


def mark(secret: str) -> str:
    """What is kept here of a browser's secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def same_browser(kept: str, cookie: str | None) -> bool:
    """Whether a request comes from the browser of this mark."""
    return hmac.compare_digest(kept, mark(cookie or ""))


def cookie_header(secret: str) -> str:
    """The header that sets the cookie. A platform's page may show ours in a frame: then the cookie is of that pair."""
    return f"{COOKIE}={secret}; Path=/; Max-Age=3600; Secure; HttpOnly; SameSite=None; Partitioned"


async def begin(tool: Tool, given: Mapping[str, str], secret: str) -> str:
    """Where to send a browser that a platform has sent here.

    Args:
        given: the parameters of the request.
        secret: what the browser keeps.

    Raises:
        Refused: a parameter is missing or of no platform that is registered.
    """
    for name in ("iss", "login_hint", "target_link_uri"):
        if not given.get(name):
            raise Refused(f"the platform's request has no {name}", "open the link on the platform again", 400)
    registration = await _registration(tool, given["iss"], given.get("client_id", ""))
    deployment = given.get("lti_deployment_id", "")
    if deployment and deployment not in registration.deployments:
        raise not_deployed(registration, deployment)
    state, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    login = Login(registration.issuer, registration.client_id, nonce, mark(secret), deployment)
    await tool.store.put(_STATE, state, msgspec.to_builtins(login), tool.clock.now() + LASTS)
    asked = {
        "scope": "openid", "response_type": "id_token", "response_mode": "form_post", "prompt": "none",
        "client_id": registration.client_id, "redirect_uri": tool.url(LAUNCH), "login_hint": given["login_hint"],
        "state": state, "nonce": nonce,
    }  # fmt: skip
    if given.get("lti_message_hint"):
        asked["lti_message_hint"] = given["lti_message_hint"]
    joined = "&" if urlsplit(registration.authorization_endpoint).query else "?"
    return f"{registration.authorization_endpoint}{joined}{urlencode(asked)}"


async def answered(tool: Tool, state: str, cookie: str | None) -> Login:
    """The question of a state, which is out of use from now on.

    Raises:
        Refused: there is none, its time is over, or another browser asked it.
    """
    taken = await tool.store.take(_STATE, state) if _SECRET.fullmatch(state) else None
    if taken is None:
        raise Refused("this launch was used before, or took too long", "open the link on the platform again")
    login = msgspec.convert(taken, Login)
    if not same_browser(login.browser, cookie):
        raise Refused(
            "this browser did not begin the launch, or keeps no cookies in a page that another one shows",
            "let the platform open the link in a window of its own",
        )
    return login


def not_deployed(registration: Registration, deployment: str) -> Refused:
    """That a platform has the tool in a place that it is not registered with."""
    return Refused(
        f"{registration.title} has this tool under the deployment id {deployment[:255]!r}, which is not registered",
        "tell the class's teacher, who can add it to the deployments of this platform",
    )


async def _registration(tool: Tool, issuer: str, client_id: str) -> Registration:
    if client_id:
        return await tool.registration(issuer, client_id)
    found = [each for each in await tool.registrations() if each.issuer == issuer]
    if not found:
        raise unknown(issuer)
    if len(found) > 1:
        raise Refused(f"{issuer[:200]} is registered more than once and named no client_id", "see its settings", 400)
    return found[0]
