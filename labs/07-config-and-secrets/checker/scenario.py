"""What lab 07 plays once: the Secret's key is changed twice and put back, while requests come with it and a new one."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.restore import put_back
from mlops_lab.measure.traffic.load import Load
from mlops_lab.measure.traffic.report import LoadReport

from .exposure import forms, shown
from .inside import watching
from .keys import (
    KEY,
    RATE,
    REFUSED,
    SECRET,
    all_refused,
    asked_with,
    in_words,
    load,
    nearly,
    read_keys,
    statuses,
)
from .sync import FOLLOWED_WITHIN, kubelets_hurried

BACK_WITHIN = 20  # s for the way back where the way forth was no success
LOOKED_WITHIN = 40  # s for a look where the new key shows
BEFORE, QUIET = 3, 3  # s of load before the change, and s of nothing but right answers that end the wait


@dataclass(frozen=True)
class Rotation:
    """What changes of the Secret brought about: to the new key, to a longer one, and back.

    Attributes:
        served_again: whether every pod took the next change as well, and the one back.
        shown: where the new key was that it should not be, once it was served; and where either was for a moment.
        not_quite: whether what differs from the longer key at its end was refused; None if all that was not followed.
    """

    served: Observation
    served_again: Observation
    refused: Observation
    lost: Observation
    shown: Sequence[str] = ()
    not_quite: Observation | None = None


@dataclass(frozen=True)
class Turn:
    """One change: seconds until only the one key was served, and the other was refused everywhere; None for never.

    Attributes:
        now, before: the last answers with the one, and with the other.
    """

    served: float | None
    refused: float | None
    now: Counter[int]
    before: Counter[int]

    def let_in(self, key: str) -> Observation:
        """Whether the one key was served by every pod in time."""
        return _in_time(key, "answered with 200", "served", self.served, self.now)

    def kept_out(self, key: str) -> Observation:
        """Whether the other key was refused by every pod in time."""
        return _in_time(key, "refused", "refused", self.refused, self.before)


async def rotated(lab: Lab) -> Rotation:
    """Change the Secret to the new key, to a longer one and back, with requests that come with the first two."""
    known = await lab.once(read_keys)
    secret = await lab.objects.named("Secret", SECRET).present()
    longest = BEFORE + 3 * (FOLLOWED_WITHIN + QUIET) + LOOKED_WITHIN
    places: list[str] = []
    not_quite = None
    async with (
        watching(lab, [sign for key in (known.current, known.new, known.longer) for sign in forms(key)]) as watch,
        kubelets_hurried(lab),
        load(lab, known.new, duration=longest) as new,
        load(lab, known.current, duration=longest) as old,
    ):
        await lab.time.pause(BEFORE)
        try:
            await changed_to(lab, known.new)
            forth = await turned(lab, new, old, FOLLOWED_WITHIN)
            again = served = forth.let_in("the new key")
            if well := forth.served is not None and forth.refused is not None:
                places = [place for found in await shown(lab, known.new) for place in found]
                await changed_to(lab, known.longer)
                again = await longer_served(lab, known.longer)
                if well := again.ok:
                    others = await asked_with(lab, nearly("the longer key", known.longer))
                    not_quite = all_refused(others, "401 or 403 for what is not quite the longer key")
        finally:
            await put_back(lab, secret)
        if well:
            back = await turned(lab, old, new, FOLLOWED_WITHIN)
        else:  # nothing more is judged; but what follows begins with a key that is served
            await turned(lab, old, new, BACK_WITHIN, one_is_enough=True)
    places += [each for each in watch.result() if each not in places]
    lost = all_answered(new.report, old.report)
    if not well:
        return Rotation(served, again, forth.kept_out("the old key"), lost, places)
    there, away = "the old key, which was put back,", "the new key, taken away again,"
    return Rotation(served, back.let_in(there), back.kept_out(away), lost, places, not_quite)


async def changed_to(lab: Lab, key: str) -> None:
    """Write a key into the Secret, as the vault does."""
    await lab.objects.patch("Secret", SECRET, {"data": {KEY: base64.b64encode(key.encode()).decode()}})


async def longer_served(lab: Lab, key: str) -> Observation:
    """Wait until requests with a key are let in everywhere."""
    return await lab.time.eventually(
        lambda: statuses(lab, key),
        lambda seen: set(seen) == {200},
        expected=f"the next key, of {len(key)} characters, is answered with 200",
        shown=in_words,
        within=FOLLOWED_WITHIN,
    )


async def turned(lab: Lab, now: Load, before: Load, within: float, *, one_is_enough: bool = False) -> Turn:
    """Wait until, for some seconds, the one load is let in everywhere and the other one refused everywhere."""
    began = now.elapsed
    served = refused = None
    while True:
        passed = now.elapsed - began
        one, other = recent(now), recent(before)
        if passed > QUIET and min(one.total(), other.total()) >= RATE:  # a second of answers
            served = served or (passed - QUIET if set(one) == {200} else None)
            refused = refused or (passed - QUIET if set(other) <= set(REFUSED) else None)
        if (served and (refused or one_is_enough)) or passed > within + QUIET:
            return Turn(served, refused, one, other)
        await lab.time.pause(0.5)


def recent(requests: Load) -> Counter[int]:
    """The statuses of the requests of the last seconds."""
    return Counter(requests.seen.window(requests.elapsed - QUIET, requests.elapsed).statuses)


def all_answered(*reports: LoadReport) -> Observation:
    """No request was answered otherwise than with yes or no; else how many were, and how."""
    sent, lost, kinds = 0, 0, Counter[str]()
    for report in reports:
        sent += report.sent
        bad = {status: many for status, many in report.statuses.items() if status not in (0, 200, *REFUSED)}
        kinds += Counter({f"status {status}": many for status, many in bad.items()}) + report.errors
        lost += sum(bad.values()) + report.statuses.get(0, 0)
    return Observation(
        lost == 0,
        f"all of {sent} requests answered with 200, 401 or 403",
        f"{lost} of {sent} were not" if lost else f"all of {sent} requests answered",
        lost,
        tuple(f"{many} x {kind}" for kind, many in kinds.most_common(5)),
    )


def _in_time(key: str, expected: str, done: str, after: float | None, last: Counter[int]) -> Observation:
    late = f"after {FOLLOWED_WITHIN} s: {in_words(last)}"
    seen = late if after is None else f"{key} is {done} after {after:.0f} s"
    return Observation(after is not None, f"{key} is {expected} within {FOLLOWED_WITHIN} s", seen)
