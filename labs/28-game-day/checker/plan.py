"""The day as it is drawn: which faults, where and when, and when the plane has no link. README's figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from .feeds import WRONG

SERVICES = ("page", "forecast", "recommend")
GROUPS = (
    ("pods-killed", "scaled-down", "image-changed"),
    ("selector-changed", "service-deleted", "shut-off"),
    ("alias-moved", "wrong-prices", "wrong-bookings"),
    ("prices-silent", "bookings-silent", "surge"),
)
KINDS = tuple(kind for group in GROUPS for kind in group)
FEED = {
    "wrong-prices": "exchange",
    "prices-silent": "exchange",
    "wrong-bookings": "bookings",
    "bookings-silent": "bookings",
}
NOTICED = dict.fromkeys(KINDS, 30.0) | {"surge": 40.0}  # s from its beginning until the log has it
# s until it is over; what is not here passes by itself.
OVER = {
    "pods-killed": 60.0, "scaled-down": 60.0, "image-changed": 60.0, "selector-changed": 45.0, "service-deleted": 60.0,
    "shut-off": 45.0, "alias-moved": 45.0,
}  # fmt: skip
HURTS = frozenset(GROUPS[0] + GROUPS[1])  # whose place may fail meanwhile; all others may not
FIRST, APART = (45.0, 57.0), (25.0, 30.0)  # s until the first fault, and from the end of one to the next
LAST = 372.0  # s until the last one may begin; there is time for four, one of each group, however long each goes on
QUIET = 20.0  # s at the beginning, of which nobody asks what the log says: the feeds have just changed
LASTS = (42.0, 50.0)  # s of what passes by itself
LINK_LOST, LINK_BACK = (18.0, 32.0), 300.0  # s: when, and after how long
LOSSY = (1.0, 12.0)  # s: from when to when answers of the ground's to the edge get lost, before there is no link
GROUND_KILLED, EDGE_KILLED = (20.0, 45.0), (60.0, 200.0)  # s after that
RATES = {"page": 4.0, "forecast": 4.0, "recommend": 4.0, "air": 2.0, "records": 2.0}  # requests a second
BURST = 12.0  # records a second for a while around the moment in which the edge's pod is killed
BURSTS = (2.0, 1.0)  # s before and after it
SURGE = 4  # times as many for the page


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        what: kind, as README names it.
        where: Deployment, Service or feed.
        after: seconds since the one before was over; for the first one since the day began.
        lasts: seconds, if it passes by itself; else 0.
        how: of a feed's rows, what is wrong with them.
        mark: a drawn word for what it needs a name for.
    """

    what: str
    where: str
    after: float
    lasts: float
    how: str
    mark: str

    @property
    def limit(self) -> float:
        """Seconds after which it must be over, if it is the learner's to end."""
        return OVER.get(self.what, self.lasts)


@dataclass(frozen=True)
class Day:
    """The day: its faults in order, as far as there is time for them; when the link is lost, and when the pods at both
    its ends are killed, in s.
    """

    faults: Sequence[Fault]
    link_lost: float
    edge_killed: float
    ground_killed: float

    @property
    def link_back(self) -> float:
        """When there is a link again."""
        return self.link_lost + LINK_BACK


def day(draw: Random) -> Day:
    """All faults: first one of each group, of which one at least takes a part of the page away; then the others."""
    kinds = [draw.choice(group) for group in GROUPS]
    places = {kind: _where(kind, draw) for kind in KINDS}
    if all(places[kind] == "page" for kind in kinds[:2]):
        places[draw.choice(kinds[:2])] = draw.choice(SERVICES[1:])
    others = [kind for kind in KINDS if kind not in kinds]
    faults = list[Fault]()
    for kind in [*draw.sample(kinds, len(kinds)), *draw.sample(others, len(others))]:
        after = draw.uniform(*(APART if faults else FIRST))
        lasts = 0.0 if kind in OVER else draw.uniform(*LASTS)
        how = draw.choice(WRONG[FEED[kind]]) if kind.startswith("wrong") else "silent"
        faults.append(Fault(kind, places[kind], after, lasts, how, f"{draw.getrandbits(24):06x}"))
    lost = draw.uniform(*LINK_LOST)
    return Day(tuple(faults), lost, lost + draw.uniform(*EDGE_KILLED), lost + draw.uniform(*GROUND_KILLED))


def _where(kind: str, draw: Random) -> str:
    if kind in FEED:
        return FEED[kind]
    if kind == "surge":
        return "page"
    return draw.choice(SERVICES[1:] if kind == "alias-moved" else SERVICES)
