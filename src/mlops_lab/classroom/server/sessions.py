"""Who a browser is: a signed cookie for the teacher or a learner, which ends, and with the token that it stands on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import msgspec

from mlops_lab.classroom.server.people import hashed

HOURS = 12
TEACHER: Literal["teacher"] = "teacher"
LEARNER: Literal["learner"] = "learner"


class Session(msgspec.Struct, frozen=True):
    """What the cookie says.

    Attributes:
        learner: whose; empty for the teacher.
        kit: the name of the learner's token; empty where a learning platform has said who it is.
        mark: of the teacher's token, so that another token ends all sessions of this one.
        ends: in seconds since 1970.
        frames: the origins whose pages may show ours in a frame: those of the learning platform that led here in one.
    """

    role: Literal["teacher", "learner"]
    ends: int
    learner: str = ""
    kit: str = ""
    mark: str = ""
    frames: tuple[str, ...] = ()

    def text(self) -> str:
        """As it is kept."""
        return msgspec.json.encode(self).decode()


@dataclass(frozen=True)
class Visitor:
    """Who asks for a page.

    Attributes:
        by_platform: a learning platform has said who it is, and no token.
    """

    role: Literal["teacher", "learner"]
    learner: str = ""
    frames: tuple[str, ...] = ()
    by_platform: bool = False

    @property
    def teaches(self) -> bool:
        """Is it the teacher?"""
        return self.role == TEACHER

    def may_see(self, learner: str) -> bool:
        """May this learner's work be shown?"""
        return self.teaches or self.learner == learner


def of_teacher(token: str, frames: tuple[str, ...] = ()) -> Session:
    """A session for who has the teacher's token, or teaches by the word of a learning platform."""
    return Session(TEACHER, _end(), mark=mark(token), frames=frames)


def of_learner(learner: str, kit: str = "", ends: datetime | None = None, frames: tuple[str, ...] = ()) -> Session:
    """A session for a learner, at most until the kit's end."""
    end = _end()
    return Session(LEARNER, min(end, int(ends.timestamp())) if ends else end, learner, kit, frames=frames)


def read(text: str) -> Session | None:
    """The session of a cookie whose signature is right; None if it is over or none."""
    try:
        found = msgspec.json.decode(text, type=Session)
    except msgspec.MsgspecError:
        return None
    return found if found.ends > time.time() else None


def mark(token: str) -> str:
    """What a session keeps of the teacher's token."""
    return hashed(f"session {token}")[:32]


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def _end() -> int:
    return int(time.time()) + HOURS * 3600
