"""`lab.time`: waiting. What a check waits for is not counted as the checker's own time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from mlops_lab.base.errors import LabError
from mlops_lab.checks import current
from mlops_lab.checks.observation import Observation

T = TypeVar("T")


class Time:
    """A check's waiting; a test may put a room here that does not wait."""

    async def pause(self, seconds: float) -> None:
        """Sleep, counted as waiting and not as the checker's own time."""
        await pause(seconds)

    async def eventually(
        self,
        look: Callable[[], Awaitable[T]],
        test: Callable[[T], bool],
        *,
        expected: str,
        shown: Callable[[T], str],
        within: float,
        every: float = 1.0,
    ) -> Observation:
        """Look again and again until `test` holds for what is seen; for what no watch of the API server tells.

        Args:
            look: what to do each time, such as `lab.platform.mlflow.runs`.
            expected: what is waited for, in the learner's words.
            shown: what is seen, in few words.
            within, every: seconds.

        Returns:
            The observation; its `value` is what was seen last.

        Raises:
            LabError: the last look found an environment in trouble, or it was in trouble for most of the time. Trouble
                that may be over in a moment is waited out within the limit (`LabError.transient`), and its seconds are
                given on top once it is over, `within` more at most.
        """
        return await eventually(look, test, expected=expected, shown=shown, within=within, every=every)

    async def in_thread(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Call a function of the checker's own that blocks or computes for long, beside the other checks."""
        return await current.in_thread(function, *arguments, **named)


async def pause(seconds: float) -> None:
    """As `Time.pause`."""
    with current.waits():
        await asyncio.sleep(seconds)


async def eventually(
    look: Callable[[], Awaitable[T]],
    test: Callable[[T], bool],
    *,
    expected: str,
    shown: Callable[[T], str],
    within: float,
    every: float = 1.0,
) -> Observation:
    """As `Time.eventually`."""
    began, limit = time.monotonic(), within
    lost = 0.0  # s of trouble
    last: LabError | None = None
    while True:
        looked = time.monotonic()
        try:
            seen = await look()
        except LabError as trouble:
            left = limit - (time.monotonic() - began)
            if not trouble.transient or left < 0:
                raise
            last = trouble
            current.say(trouble.message, left)
            await pause(every)
            lost += time.monotonic() - looked
            continue
        limit = within + min(lost, within)  # trouble that is over
        took = time.monotonic() - began
        done = test(seen)
        if not done and took <= limit:
            current.say(shown(seen), limit - took)
            await pause(every)
            continue
        if not done and last and lost > within:
            raise last  # there was hardly ever anything to look at
        if not done:
            current.trace().ran_out(began)
        return Observation(done, f"{expected} within {within:g} s", f"{shown(seen)} after {took - lost:.0f} s", seen)
