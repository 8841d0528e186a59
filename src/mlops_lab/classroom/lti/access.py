"""Access to a platform's services: OAuth 2 client credentials, a signed assertion for a secret (RFC 7523)."""

from __future__ import annotations

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from urllib.parse import urlencode

from mlops_lab.base.errors import LabError
from mlops_lab.classroom.lti.keys import ToolKeys
from mlops_lab.classroom.lti.outward import Declined, ask, parsed
from mlops_lab.classroom.lti.ports import Answer, Clock, Http
from mlops_lab.classroom.lti.registration import Registration

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTED = 60  # s that an assertion is good for
_LASTS = 3600  # s of a token where the platform does not say
_EARLY = timedelta(seconds=60)  # a token is renewed this long before it ends


class Access:
    """Asks services of platforms, with tokens that are kept while they last."""

    def __init__(self, http: Http, clock: Clock, keys: ToolKeys) -> None:
        self._http, self._clock, self._keys = http, clock, keys
        self._tokens: dict[tuple[str, str], tuple[datetime, str]] = {}
        self._locks: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def ask(
        self,
        registration: Registration,
        scopes: Iterable[str],
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> Answer:
        """Ask a service. A token that is refused is renewed, once.

        Raises:
            LabError: the address is not this platform's, or the service or the token's server refuses or is away.
        """
        scope = " ".join(sorted(scopes))
        for last in (False, True):
            token = await self._token(registration, scope)
            try:
                carried = {**headers, "Authorization": f"Bearer {token}"}
                return await ask(self._http, registration.origins, method, url, carried, body)
            except Declined as declined:
                if declined.answer.status != 401 or last:
                    raise
                if self._tokens.get((registration.key, scope), (None, ""))[1] == token:
                    del self._tokens[registration.key, scope]
        raise AssertionError("the second turn returns or raises")

    async def _token(self, registration: Registration, scope: str) -> str:
        place = (registration.key, scope)
        async with self._locks[place]:
            ends, token = self._tokens.get(place, (None, ""))
            if ends is None or self._clock.now() >= ends - _EARLY:
                ends, token = await self._fetch(registration, scope)
                self._tokens[place] = (ends, token)
            return token

    async def _fetch(self, registration: Registration, scope: str) -> tuple[datetime, str]:
        now = self._clock.now()
        seconds = int(now.timestamp())
        assertion = self._keys.signed({
            "iss": registration.client_id, "sub": registration.client_id,
            "aud": registration.audience or registration.token_endpoint,
            "iat": seconds, "exp": seconds + _ASSERTED, "jti": secrets.token_urlsafe(24),
        })  # fmt: skip
        form = {"grant_type": "client_credentials", "client_assertion_type": _ASSERTION, "client_assertion": assertion,
                "scope": scope}  # fmt: skip
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        body = urlencode(form).encode()
        answer = await ask(self._http, registration.origins, "POST", registration.token_endpoint, headers, body)
        given = parsed(answer, "token")
        token = given.get("access_token") if isinstance(given, dict) else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise LabError(f"{registration.title} gave no token", "see what it lets this tool do")
        if str(given.get("token_type", "")).lower() != "bearer":
            raise LabError(f"{registration.title} gave a token of another kind than bearer", "see its settings")
        lasts = given.get("expires_in", _LASTS)
        return now + timedelta(seconds=lasts if isinstance(lasts, int) and 0 < lasts <= 86400 else _LASTS), token
