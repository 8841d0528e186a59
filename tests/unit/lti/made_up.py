"""A tool with a store in memory, a clock that stands still, and a platform that answers as a test says."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TypeVar
from urllib.parse import parse_qs, parse_qsl, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from mlops_lab.base.errors import LabError
from mlops_lab.classroom.lti import login
from mlops_lab.classroom.lti.keys import ToolKeys
from mlops_lab.classroom.lti.launch import Course, Launch, arrive
from mlops_lab.classroom.lti.ports import Answer, Value
from mlops_lab.classroom.lti.registration import Registration
from mlops_lab.classroom.lti.tool import Lab, Tool

T = TypeVar("T")
BEGUN = datetime(2026, 9, 1, 8, 0, tzinfo=UTC)
ADDRESS = "https://class.example:8443"
SCHOOL = Registration(
    "https://school.example", "tool-1", "https://school.example/auth", "https://school.example/token",
    "https://school.example/keys", ("d1", "d2"),
)  # fmt: skip
COURSE = Course(
    SCHOOL.issuer, SCHOOL.client_id, "d1", "c1", "MLOps", "https://school.example/c1/items?type=7",
    "https://school.example/c1/members",
    ("https://purl.imsglobal.org/spec/lti-ags/scope/lineitem", "https://purl.imsglobal.org/spec/lti-ags/scope/score"),
)  # fmt: skip
CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership#"
LABS = (Lab("10", "Autoscale on CPU", 20), Lab("11", "Autoscale on requests", 30))


def run(what: Awaitable[T]) -> T:
    """The result of a coroutine, in a thread of its own: a browser of other tests may have a loop in this one."""

    async def awaited() -> T:
        return await what

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(awaited())).result()


class StandingClock:
    """A clock that moves when a test or a wait moves it."""

    def __init__(self, now: datetime = BEGUN) -> None:
        self.at = now
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.move(seconds)

    def move(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class MemoryStore:
    """`ports.Store` in a dictionary; what goes in and out are copies, as JSON."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._kept: dict[tuple[str, str], tuple[str, datetime | None]] = {}

    async def put(self, kind: str, key: str, value: Value, until: datetime | None = None) -> None:
        assert 0 < len(kind) <= 16 and 0 < len(key) <= 64
        self._kept[kind, key] = (json.dumps(value), until)

    async def add(self, kind: str, key: str, value: Value) -> Value:
        there = await self.get(kind, key)
        if there is None:
            await self.put(kind, key, value)
        return value if there is None else there

    async def get(self, kind: str, key: str) -> Value | None:
        text, until = self._kept.get((kind, key), ("null", None))
        return None if until is not None and until <= self._now() else json.loads(text)

    async def take(self, kind: str, key: str) -> Value | None:
        found = await self.get(kind, key)
        self._kept.pop((kind, key), None)
        return found

    async def all(self, kind: str) -> Sequence[Value]:
        found = [await self.get(*place) for place in self._kept if place[0] == kind]
        return [each for each in found if each is not None]


class Scripted:
    """`ports.Http` that answers by method and address, and keeps what it was asked.

    What stands for an address is an answer, a list of them (the last one stays) or a function of the body.
    """

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], Any] = {}
        self.asked: list[tuple[str, str, Mapping[str, str], bytes | None]] = []

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        self.asked.append((method, url, headers, body))
        found = self.answers.get((method, url))
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if callable(found):
            found = found(body)
        if isinstance(found, LabError):
            raise found
        return found if isinstance(found, Answer) else Answer(404, {}, b"nothing")

    def count(self, method: str, url: str) -> int:
        return sum((each[0], each[1]) == (method, url) for each in self.asked)

    def bodies(self, method: str, url: str) -> list[Any]:
        return [json.loads(each[3] or b"null") for each in self.asked if (each[0], each[1]) == (method, url)]


def told(value: Any, status: int = 200, **headers: str) -> Answer:
    """A JSON answer. `_` in a header's name stands for `-`."""
    return Answer(status, {name.replace("_", "-"): each for name, each in headers.items()}, json.dumps(value).encode())


@cache
def key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """A private key for each name."""
    return rsa.generate_private_key(65537, bits)


def jwk(kid: str, private: rsa.RSAPrivateKey, **more: str) -> dict[str, Any]:
    """The public key, as a platform shows it."""
    shown: dict[str, Any] = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    shown.pop("key_ops", None)
    return {**shown, "kid": kid, "use": "sig", "alg": "RS256", **more}


@cache
def own() -> ToolKeys:
    """The tool's keys."""
    return ToolKeys([ToolKeys.generate()])


class Classroom:
    """A tool, and the school's platform around it.

    Attributes:
        signer: what the platform signs with; its key set has it as `k1`.
    """

    def __init__(self, *platforms: Registration, now: datetime = BEGUN) -> None:
        self.clock, self.http = StandingClock(now), Scripted()
        self.store = MemoryStore(self.clock.now)
        self.landed: list[Launch] = []
        self.tool = Tool(
            ADDRESS, "mlops-lab", own(), self.store, self.http, self.clock, lambda: LABS, self._land,
            platforms or (SCHOOL,),
        )  # fmt: skip
        self.signer = key("school")
        self.http.answers["GET", SCHOOL.jwks_uri] = told({"keys": [jwk("k1", self.signer)]})
        self.http.answers["POST", SCHOOL.token_endpoint] = told(
            {"access_token": "t0", "token_type": "Bearer", "expires_in": 3600}
        )

    async def _land(self, _: Any, launch: Launch) -> None:
        self.landed.append(launch)

    def begin(self, secret: str, **more: str) -> dict[str, str]:
        """What the platform is asked after it has sent a browser that keeps this secret."""
        given = {"iss": SCHOOL.issuer, "login_hint": "u1", "target_link_uri": f"{ADDRESS}/lti/launch"}
        to = run(login.begin(self.tool, {**given, "client_id": SCHOOL.client_id, **more}, secret))
        return dict(parse_qsl(urlsplit(to).query))

    def claims(self, nonce: str, /, **more: Any) -> dict[str, Any]:
        """A learner's message. A value of None takes a claim out; names in short are LTI's own."""
        now = int(self.clock.now().timestamp())
        plain = {
            "iss": SCHOOL.issuer, "aud": SCHOOL.client_id, "azp": SCHOOL.client_id, "sub": "u1", "nonce": nonce,
            "iat": now, "exp": now + 300, "name": "Ada Lovelace", "email": "ada@school.example",
            f"{CLAIM}message_type": "LtiResourceLinkRequest", f"{CLAIM}version": "1.3.0",
            f"{CLAIM}deployment_id": "d1", f"{CLAIM}target_link_uri": f"{ADDRESS}/lti/launch",
            f"{CLAIM}roles": [f"{MEMBERSHIP}Learner"], f"{CLAIM}resource_link": {"id": "r1"},
            f"{CLAIM}context": {"id": "c1", "title": "MLOps"}, f"{CLAIM}custom": {"lab": "10"},
        }  # fmt: skip
        plain |= {f"{CLAIM}{name}" if f"{CLAIM}{name}" in plain else name: value for name, value in more.items()}
        return {name: value for name, value in plain.items() if value is not None}

    def signed(self, claims: Mapping[str, Any], **header: Any) -> str:
        """The message, by the platform's key."""
        return jwt.encode(dict(claims), self.signer, "RS256", headers={"kid": "k1", **header})

    def arrive(self, state: str, token: str, secret: str) -> Launch:
        """What the tool makes of a message."""
        return run(arrive(self.tool, {"state": state, "id_token": token}, secret))

    def launch(self, **more: Any) -> Launch:
        """A launch from beginning to end with these claims."""
        secret = login.secret_of(None)
        asked = self.begin(secret)
        return self.arrive(asked["state"], self.signed(self.claims(asked["nonce"], **more)), secret)


def teacher() -> list[str]:
    """The roles of a teacher."""
    return [f"{MEMBERSHIP}Instructor"]


def form(body: bytes | None) -> dict[str, str]:
    """The fields of a form that was sent."""
    return {name: values[0] for name, values in parse_qs((body or b"").decode(), strict_parsing=True).items()}


def by_hand(header: Mapping[str, Any], claims: Mapping[str, Any], secret: bytes | None) -> str:
    """A token that no library makes: unsigned, or with HMAC by any bytes."""

    def part(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    head = f"{part(json.dumps(header).encode())}.{part(json.dumps(claims).encode())}"
    return f"{head}.{part(hmac.new(secret, head.encode(), hashlib.sha256).digest()) if secret else ''}"


def public_pem(private: rsa.RSAPrivateKey) -> bytes:
    """The public key, as PEM."""
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
