"""The tool: what this class's server is to learning platforms, and what its handlers stand on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import msgspec

from mlops_lab.classroom.lti.access import Access
from mlops_lab.classroom.lti.keys import PlatformKeys, ToolKeys
from mlops_lab.classroom.lti.ports import Clock, Http, Store
from mlops_lab.classroom.lti.refused import Refused
from mlops_lab.classroom.lti.registration import Registration, key

if TYPE_CHECKING:
    from tornado.web import RequestHandler

    from mlops_lab.classroom.lti.launch import Launch

REGISTRATION = "registration"  # the kind in the store


class Offered(Protocol):
    """A lab that a teacher may put into a course, with the points that it has."""

    @property
    def number(self) -> str:
        """Such as 10."""

    @property
    def title(self) -> str:
        """What people read."""

    @property
    def points(self) -> float:
        """The most that it gives."""


@dataclass(frozen=True)
class Lab:
    """An `Offered` that holds its values."""

    number: str
    title: str
    points: float


Land = Callable[["RequestHandler", "Launch"], Awaitable[None]]
"""Answers the browser of somebody who has come in by a launch: begins a session, and leads to a page.

It is called for messages that were verified only. Who does not teach never comes with an address of the teacher's
pages, but that is about where a launch leads: later requests are held against the role that the session keeps. A
platform may show all of it in a frame: then a session's cookie is kept only if it is `SameSite=None; Secure;
Partitioned`, and a page is shown only if its policy lets `launch.registration.frames` do so.
"""


@dataclass
class Tool:
    """The tool, and what it stands on.

    Attributes:
        address: https, host, and port if it is another than 443; how browsers and platforms reach this server.
        name: what platforms show.
        labs: those that the class has.
        land: what comes after a launch.
        platforms: those of the file; others are in the store, by dynamic registration.
        wait: the seconds until a browser of this address may begin another launch; the store keeps each for a while.
        teacher_pages: the beginnings of paths that only teachers are led to, such as `/class`.
    """

    address: str
    name: str
    own: ToolKeys
    store: Store
    http: Http
    clock: Clock
    labs: Callable[[], Sequence[Offered]]
    land: Land
    platforms: tuple[Registration, ...] = ()
    teacher_pages: tuple[str, ...] = ("/class",)
    wait: Callable[[str], float] = lambda _: 0.0
    keys: PlatformKeys = field(init=False)
    access: Access = field(init=False)

    def __post_init__(self) -> None:
        self.keys = PlatformKeys(self.http, self.clock)
        self.access = Access(self.http, self.clock, self.own)

    def url(self, path: str) -> str:
        """The address of one of the tool's own paths."""
        return f"{self.address}{path}"

    async def registrations(self) -> list[Registration]:
        """All platforms. What the file says of one goes before what the store has."""
        stored = [msgspec.convert(each, Registration) for each in await self.store.all(REGISTRATION)]
        return list({each.key: each for each in [*stored, *self.platforms]}.values())

    async def registration(self, issuer: str, client_id: str) -> Registration:
        """The platform of this issuer, which calls the tool so.

        Raises:
            Refused: there is none.
        """
        wanted = key(issuer, client_id)
        for each in self.platforms:
            if each.key == wanted:
                return each
        stored = await self.store.get(REGISTRATION, wanted)
        if stored is None:
            raise unknown(issuer)
        return msgspec.convert(stored, Registration)


def unknown(issuer: str) -> Refused:
    """That a platform is not registered here."""
    return Refused(f"the platform {issuer[:200]!r} is not registered with this class", "tell the class's teacher", 403)
