"""The clock of a sitting: it runs while nobody looks, and cannot be set back.

Time is added up from look to look. Within one boot of the machine that is what the kernel counted since the boot, sleep
included, which nobody can set. After another boot, or where the kernel does not tell, it is the wall's clock; that it
was set back gives at most the time since the last look.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Now:
    """A moment: on the wall, in seconds since 1970; and since which boot how long, empty and 0 where nobody tells."""

    wall: float
    boot: str = ""
    since: float = 0.0


def now() -> Now:
    """This moment."""
    kind = getattr(time, "CLOCK_BOOTTIME", None)  # Linux
    try:
        boot = _BOOT.read_text().strip() if kind is not None else ""
    except OSError:
        boot = ""
    return Now(time.time(), boot, time.clock_gettime(kind) if boot and kind is not None else 0.0)


class Clock(msgspec.Struct):
    """What of a sitting's time has gone; kept in its state.

    Attributes:
        limit: seconds that the exam has.
        used: seconds that count so far.
        given: seconds that passed and do not count.
        wall, boot, since: the last look's moment.
        stands: the last look found that the cluster does not answer.
    """

    limit: float
    used: float = 0.0
    given: float = 0.0
    wall: float = 0.0
    boot: str = ""
    since: float = 0.0
    stands: bool = False

    def begin(self, at: Now) -> None:
        """Let it run from now on."""
        self.wall, self.boot, self.since = at.wall, at.boot, at.since

    def look(self, at: Now, *, down: bool = False) -> float:
        """Add up what passed since the last look.

        Args:
            down: the cluster does not answer now.

        Returns:
            Seconds that did not count, as the cluster did not answer.
        """
        same_boot = bool(at.boot) and at.boot == self.boot
        passed = max(at.since - self.since if same_boot else at.wall - self.wall, 0.0)
        self.begin(at)
        lost = passed if self.stands else 0.0
        self.used += passed - lost
        self.given += lost
        self.stands = down
        return lost

    def give_back(self, seconds: float) -> None:
        """Let seconds that counted not count."""
        back = min(seconds, self.used)
        self.used -= back
        self.given += back

    @property
    def left(self) -> float:
        """Seconds; below 0 when it is over."""
        return self.limit - self.used


def spelled(seconds: float) -> str:
    """Time left as an exam shows it: 1:43:05, 0:04:10."""
    whole = max(int(seconds), 0)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
