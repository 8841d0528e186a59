"""What the tool asks for from outside: a store, a clock, an HTTP client."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

Value = Mapping[str, Any]  # a JSON object


class Store(Protocol):
    """Keeps JSON objects by kind and key. A kind has at most 16 characters, a key at most 64.

    What has an end is not there any more from then on, by the store's own clock; when it is removed does not matter.
    """

    async def put(self, kind: str, key: str, value: Value, until: datetime | None = None) -> None:
        """Keep a value, in place of the one that is there."""

    async def add(self, kind: str, key: str, value: Value) -> Value:
        """Keep a value without an end unless one is there; returns the one that is there now."""

    async def get(self, kind: str, key: str) -> Value | None:
        """The value of a key, if there is one."""

    async def take(self, kind: str, key: str) -> Value | None:
        """Remove a value and return it. Of several who take it at once, one gets it and the others None."""

    async def all(self, kind: str) -> Sequence[Value]:
        """Every value of a kind."""


class Clock(Protocol):
    """What time it is, and waiting."""

    def now(self) -> datetime:
        """Now, in UTC."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


@dataclass(frozen=True)
class Answer:
    """What a server has answered. Headers are by lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Http(Protocol):
    """Sends one request. It follows no redirect, and bounds an answer's size and the time it takes."""

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """Ask.

        Raises:
            LabError: there was no answer, or too large a one.
        """


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Now, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
