"""What becomes of users without a canary and with one: which model they get, at each pod and after a restart."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from mlops_lab.checks import Failure, Lab, Observation, expect
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.pods import name
from mlops_lab.kube.objects import over

from .everywhere import READY_WITHIN, one_for_another, taken_at_each
from .stage import (
    ENDS,
    SETTLES,
    Stage,
    as_the_model_said,
    each_of_them,
    put,
    seed_of,
    service_address,
    staged,
    state,
)  # fmt: skip

BACK_WITHIN = 60.0  # s until all pods are new
USERS, USERS_RATE = 8000, 200.0
AGAIN = 300  # users who come again
PLAIN, ERRORS = 200, 0.1  # requests without a canary, and the share that the model fails
FAILS = (0.2, 0.3)  # the share that the candidate fails: nobody knows any outcome, so its users keep it
# s from the PUT in which nothing is decided without outcomes: less than two minutes, as who counts looks may be early.
OPEN_FOR = 110.0
# s of these after which all pods are deleted, not before: what a judge keeps of the time in its memory ends there.
LEFT_ALONE = 80.0


@dataclass
class Users:
    """What was seen of users and their model; one that was not come to is None.

    Attributes:
        undecided: whether the canary still went on, for as long as nothing may be decided.
        lost: what was not there when all pods were new.
    """

    each: Observation | None = None
    plain: Observation | None = None
    all_stable: Observation | None = None
    anew: Observation | None = None
    own: Observation | None = None
    share: Observation | None = None
    undecided: Observation | None = None
    pods: Observation | None = None
    restarted: Observation | None = None
    lost: Failure | None = None


async def users(lab: Lab) -> Users:
    """Without a canary; then with one: 8,000 users, some of them at each pod, and once more when all pods are new.

    Before that each pod is asked by itself to begin canaries, to end them, and to take outcomes. None come while the
    canary goes on, so nothing is decided about it for two minutes, though its candidate fails often.
    """
    from . import gives_a_tenth  # which begins with this

    found = Users()
    await each_of_them(lab, within=READY_WITHIN)
    async with staged(lab, "users") as stage:
        await stage.behave({"median": 0.01, "errors": ERRORS}, {"median": 0.01})
        await put(lab, stage.names["stable"], None)
        found.each = await taken_at_each(lab, stage)
        if not found.each.ok:
            return found
        await lab.time.pause(SETTLES)
        every = await each_of_them(lab, within=READY_WITHIN)
        await stage.send([await service_address(lab), *every], rate=40, count=PLAIN, seed=seed_of(lab, "plain"))
        seen = await stage.done()
        found.plain = as_the_model_said(seen, "without a canary")
        found.all_stable = Observation(
            seen["by"].get("stable", 0) >= seen["sent"] * 0.998, "all requests without a canary come to the stable one",
            where(seen["by"]),
        )  # fmt: skip
        if not (found.plain.ok and found.all_stable.ok):
            return found
        chance = drawn(lab, "without outcomes")
        await stage.behave({}, {"errors": round(chance.uniform(*FAILS), 3)})
        began = time.monotonic()
        found.anew = await one_for_another(lab, stage)
        if not found.anew.ok:
            return found
        await lab.time.pause(SETTLES)
        await stage.send([await service_address(lab)], rate=USERS_RATE, count=USERS, seed=seed_of(lab, "users"))
        seen = await stage.done(pick=AGAIN)
        found.own = as_the_model_said(seen, f"to {USERS} users")
        part = 100 * seen["by"].get("candidate", 0) / seen["sent"]
        found.share = Observation(
            8 <= part <= 12, f"8 to 12 % of {USERS} requests, each of another user, come to the candidate",
            f"{part:.1f} %; the canary is {await state(lab)}", part, timed=False,
        )  # fmt: skip
        if not found.own.ok or not found.share.ok:
            return found
        homes = {user: model for model, some in seen["users"].items() for user in some}
        found.pods = await _again(lab, stage, homes, "at each pod", began)
        found.undecided = await still_open(lab, began)
        thorough = lab.thorough(gives_a_tenth)
        if found.pods.ok and found.undecided.ok and thorough:
            found.undecided = await stays_open(lab, stage, began, LEFT_ALONE)
        if not (found.pods.ok and found.undecided.ok):
            return found
        try:
            await replaced(lab)
            found.restarted = await _again(lab, stage, homes, "after all pods were replaced", began)
        except Failure as failure:  # of the check about users, not of this one
            found.lost = failure
            return found
        found.undecided = await still_open(lab, began)
        if found.restarted.ok and found.undecided.ok and thorough:
            found.undecided = await stays_open(lab, stage, began, OPEN_FOR)
        return found


async def still_open(lab: Lab, began: float) -> Observation:
    """Whether nothing is decided about a canary of which no outcomes come, before its two minutes are over.

    Args:
        began: when it did, as `time.monotonic` has it.
    """
    said, after = await state(lab), time.monotonic() - began
    ended = said in ENDS and after < OPEN_FOR
    return Observation(
        not ended, "nothing is decided without outcomes in the first two minutes of a canary",
        f"{said} {after:.0f} s after the PUT" if ended else "nothing was", timed=False,
    )  # fmt: skip


async def stays_open(lab: Lab, stage: Stage, began: float, until: float) -> Observation:
    """The same all the time, while many more users come, and many of the candidate's answers fail.

    Args:
        until: so many seconds after it began.
    """
    await stage.send([await service_address(lab)], rate=USERS_RATE, seed=seed_of(lab, "no outcomes"))
    try:
        seen = await still_open(lab, began)
        while seen.ok and time.monotonic() - began < until:
            await lab.time.pause(2)
            seen = await still_open(lab, began)
    finally:
        await stage.stop()
    return seen


async def _again(lab: Lab, stage: Stage, homes: dict[str, str], when: str, began: float) -> Observation:
    """Whether users get the model that they had, whichever pod they come to.

    Where pods took long to be ready the canary may rightly be over: then all may have the stable model.
    """
    every = await each_of_them(lab, within=BACK_WITHIN)
    some = list(homes)
    drawn(lab, "order of users").shuffle(some)
    count = len(some) * len(every)
    await stage.send(every, rate=USERS_RATE, users=some, count=count, seed=seed_of(lab, when))
    seen = await stage.done(homes=True)
    what = await state(lab)
    over = what == "taken back" and time.monotonic() - began > OPEN_FOR
    moved = Counter(
        f"{homes[user]} before, then {' and '.join(each or 'none' for each in now)}"
        for user, now in seen["homes"].items()
        if set(now) - {homes[user], "stable" if over else homes[user]}
    )
    expected = f"{len(some)} users have the model that they had, {when}"
    shown = ", ".join(f"{number} had {how}" for how, number in moved.most_common(2)) or "they do"
    return Observation(not moved, expected, f"{shown}; the canary is {what}" if moved else shown, sum(moved.values()))


async def replaced(lab: Lab) -> None:
    """Delete every pod of the namespace that runs, or will, without notice, and wait for those of `model`.

    As the command in the README does: what nobody makes anew is gone.
    """
    pods = [each for each in await lab.objects.all("Pod") if not over(each)]
    old = {name(each) for each in pods}
    for each in sorted(old):
        await lab.objects.kill(each, grace=0)

    async def left() -> list[str]:
        return sorted(old & {name(each) for each in await lab.objects.all("Pod") if _uid(each) in uids})

    uids = {_uid(each) for each in pods}
    gone = await lab.time.eventually(
        left, lambda found: not found, expected="the old pods are gone", shown=", ".join, within=BACK_WITHIN
    )
    expect(gone).because("the checker deletes all pods, and waits for new ones; a finalizer of yours may hold one")
    await each_of_them(lab, within=BACK_WITHIN)
    answered = await lab.time.eventually(
        lambda: state(lab), lambda said: not said.startswith("no state"), expected="GET /canary says a state again",
        shown=str, within=BACK_WITHIN,
    )  # fmt: skip
    expect(answered).because(
        "all pods were deleted at once, and those of a Deployment, a StatefulSet or a DaemonSet are made anew, others "
        "not: what they need they have to find again"
    )
    await lab.time.pause(SETTLES)


def _uid(pod: Any) -> str:
    return str(pod["metadata"].get("uid"))


def where(by: dict[str, int]) -> str:
    """How many requests came to which model, in words."""
    named = {"": "no model"}
    return ", ".join(f"{count} to {named.get(model, model)}" for model, count in sorted(by.items())) or "no requests"
