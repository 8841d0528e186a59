"""Keys: the tool's own, which it signs with and shows, and the platforms', which are fetched, kept and renewed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey
from joserfc.jws import JWSRegistry, extract_compact

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.classroom.lti.outward import ask, parsed
from mlops_lab.classroom.lti.ports import Clock, Http
from mlops_lab.classroom.lti.refused import Refused
from mlops_lab.classroom.lti.registration import Registration

ALGORITHM = "RS256"  # the only one that LTI's Security Framework asks for; no other one is taken
_BITS = 2048  # of an RSA key, at least
_FRESH = timedelta(hours=1)  # how long a platform's keys are used before they are fetched again
_PAUSE = timedelta(seconds=30)  # between two fetches, however many unknown keys messages name
_MOST = 50  # keys of a platform


class ToolKeys:
    """The tool's RSA keys. All are shown; the first one signs.

    To change keys without a moment in which platforms refuse: put the new one second, wait until platforms have fetched
    the set (a day), put it first, and take the old one out after another day.

    Args:
        pems: private keys, as PEM.

    Raises:
        UsageError: there is none, or one is no private RSA key of at least 2048 bits.
    """

    def __init__(self, pems: Sequence[str]) -> None:
        self._keys: list[RSAKey] = []
        for number, pem in enumerate(pems, 1):
            try:
                read = RSAKey.import_key(pem, {"use": "sig", "alg": ALGORITHM})
            except (JoseError, ValueError, TypeError) as broken:
                raise UsageError(f"key {number} of the tool is no RSA key as PEM", "make another one") from broken
            if not read.is_private or read.raw_value.key_size < _BITS:
                raise UsageError(f"key {number} of the tool is not private, or below {_BITS} bits", "make another one")
            read.ensure_kid()
            self._keys.append(read)
        if not self._keys:
            raise UsageError("the tool has no key", "make one")

    @staticmethod
    def generate() -> str:
        """A new private key, as PEM."""
        return RSAKey.generate_key(_BITS).as_pem(private=True).decode()

    def public(self) -> dict[str, Any]:
        """The JSON Web Key Set that platforms fetch."""
        return dict(KeySet(list(self._keys)).as_dict(private=False))

    def signed(self, claims: Mapping[str, Any]) -> str:
        """A JSON Web Token with these claims."""
        return jwt.encode({"alg": ALGORITHM, "kid": self._keys[0].kid}, dict(claims), self._keys[0])


class PlatformKeys:
    """The public keys of platforms."""

    def __init__(self, http: Http, clock: Clock) -> None:
        self._http, self._clock = http, clock
        self._known: dict[str, tuple[datetime, dict[str, RSAKey]]] = {}
        self._tried: dict[str, datetime] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def find(self, registration: Registration, kid: str) -> RSAKey | None:
        """The key of this id. One that is not known makes the set be fetched, as after a platform has changed its key.

        Raises:
            LabError: the platform's keys can't be had.
        """
        url = registration.jwks_uri
        fresh, keys = self._fresh(url)
        if fresh and kid in keys:
            return keys[kid]
        async with self._locks[url]:  # who has waited may find what was fetched meanwhile
            now = self._clock.now()
            fresh, keys = self._fresh(url)
            rested = url not in self._tried or now - self._tried[url] >= _PAUSE
            if (not fresh or kid not in keys) and rested:
                self._tried[url] = now
                keys = await self._fetch(registration)
                self._known[url] = (now, keys)
            elif not fresh:
                raise LabError(
                    f"the keys of {registration.title} could not be had", "try again in a minute", transient=True
                )
            return keys.get(kid)

    def _fresh(self, url: str) -> tuple[bool, dict[str, RSAKey]]:
        read, keys = self._known.get(url, (None, {}))
        return read is not None and self._clock.now() - read < _FRESH, keys

    async def _fetch(self, registration: Registration) -> dict[str, RSAKey]:
        accepts = {"Accept": "application/jwk-set+json, application/json"}
        answer = await ask(self._http, registration.origins, "GET", registration.jwks_uri, accepts)
        found = parsed(answer, "key set")
        listed = found.get("keys") if isinstance(found, dict) else None
        if not isinstance(listed, list):
            raise LabError(f"the key set of {registration.title} has no keys", "see its jwks_uri")
        return {each.kid: each for each in map(_usable, listed[:_MOST]) if each is not None and each.kid}


def _usable(jwk: object) -> RSAKey | None:
    """A key that RS256 is verified with; None for any other one, as sets may hold keys for other ends."""
    if not isinstance(jwk, dict) or jwk.get("kty") != "RSA" or not isinstance(jwk.get("kid"), str):
        return None
    if jwk.get("use", "sig") != "sig" or jwk.get("alg", ALGORITHM) != ALGORITHM:
        return None
    if len(str(jwk.get("n", ""))) < _BITS / 6:  # as base64
        return None
    try:
        read = RSAKey.import_key({name: jwk[name] for name in ("kty", "kid", "n", "e")})
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return read if read.raw_value.key_size >= _BITS else None


async def verified(keys: PlatformKeys, registration: Registration, token: str) -> dict[str, Any]:
    """The claims of a token that this platform has signed. Nothing else about it is looked at.

    Raises:
        Refused: it has not.
        LabError: its keys can't be had.
    """
    refused = Refused(f"the message is not signed by {registration.title}", "open the link on the platform again")
    registry = JWSRegistry(algorithms=[ALGORITHM], strict_check_header=False)  # RFC 7515: unknown headers are ignored
    try:
        named = extract_compact(token.encode("ascii")).headers().get("kid")
        key = await keys.find(registration, named) if isinstance(named, str) else None
        if key is None:
            raise refused
        return jwt.decode(token, key, registry=registry).claims
    except (JoseError, ValueError, TypeError, RecursionError) as broken:
        raise refused from broken
